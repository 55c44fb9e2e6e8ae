"""When Jobs end, and what one pod's end means for them, as truth tables."""

import datetime as dt

import pytest

from azrunbook.sandbox.kube.controllers import completions, job_policies, job_view

NOW = dt.datetime(2026, 1, 31, 12, 0, tzinfo=dt.UTC)
LONG_AGO = "2026-01-31T10:00:00Z"


def job(status=None, template=None, **spec):
    return {
        "metadata": {"name": "j", "namespace": "d", "uid": "u"},
        "spec": {"template": {"spec": template or {}}, **spec},
        "status": {"startTime": LONG_AGO, **(status or {})},
    }


def pod(phase="Failed", *, index=None, code=1, name="p", failures=None, going=False, **status):
    annotations = {}
    if index is not None:
        annotations[job_policies.INDEX] = str(index)
    if failures is not None:
        annotations[job_policies.FAILURES] = str(failures)
    ended = {"name": "c", "state": {"terminated": {"exitCode": code, "finishedAt": LONG_AGO}}}
    return {
        "metadata": {
            "name": name, "namespace": "d", "annotations": annotations,
            "creationTimestamp": LONG_AGO, "finalizers": [job_view.TRACKING],
            **({"deletionTimestamp": LONG_AGO} if going else {}),
        },
        "spec": {"nodeName": "n"},
        "status": {"phase": phase, "containerStatuses": [ended], **status},
    }  # fmt: skip


IN_PLACE = {"restartPolicy": "OnFailure"}


@pytest.mark.parametrize(
    ("made", "counts", "expected"),
    [
        (job(completions=1, backoffLimit=0), (0, 0, 1), "BackoffLimitExceeded"),
        (job(completions=1, backoffLimit=1), (0, 0, 1), None),
        (job(template=IN_PLACE, backoffLimit=2), (1, 0, 0, 0, 1), None),
        (job(template=IN_PLACE, backoffLimit=2), (1, 0, 0, 0, 2), "BackoffLimitExceeded"),
        (job(template=IN_PLACE, backoffLimit=0), (1, 0, 0, 0, 0), None),
        (job(template=IN_PLACE, backoffLimit=0), (1, 0, 0, 0, 1), "BackoffLimitExceeded"),
        (job(template={"restartPolicy": "Never"}, backoffLimit=2), (1, 0, 0, 0, 9), None),
        (job(activeDeadlineSeconds=60), (1, 0, 0), "DeadlineExceeded"),
        (job(activeDeadlineSeconds=60, suspend=True), (0, 0, 0), None),
    ],
)
def test_failure_of_a_job(made, counts, expected):
    """Too many failures, too many restarts in place, too late."""
    found = completions.find_failure(
        made, completions.Counts(*counts), completions.Indexes(), at=NOW
    )
    assert (found and found.reason) == expected


@pytest.mark.parametrize(
    ("succeeded", "failed", "most", "expected"),
    [
        ({0, 1}, set(), None, None),
        ({0, 1}, {2}, None, "FailedIndexes"),
        ({0}, {2}, None, None),
        ({0}, {2}, 0, "MaxFailedIndexesExceeded"),
        ({0}, {2}, 1, None),
    ],
)
def test_failed_indexes_fail_the_job_at_its_end_or_beyond_the_maximum(
    succeeded, failed, most, expected
):
    """With a limit per index the others run on, unless too many have failed."""
    spec = {} if most is None else {"maxFailedIndexes": most}
    indexes = completions.Indexes(frozenset(succeeded), frozenset(failed))
    made = job(completions=3, backoffLimit=100, **spec)
    found = completions.find_failure(made, completions.Counts(0, 0, 0), indexes, at=NOW)
    assert (found and found.reason) == expected


@pytest.mark.parametrize(
    ("spec", "counts", "expected"),
    [
        ({"completions": 1}, (0, 1, 0), True),
        ({"completions": 1}, (1, 1, 0), False),
        ({"completions": 2}, (0, 1, 0), False),
        ({}, (0, 1, 0), True),
        ({}, (1, 1, 0), False),
        ({}, (0, 0, 0), False),
    ],
)
def test_job_is_reached_when_enough_succeeded_and_none_runs(spec, counts, expected):
    """With completions, and as a work queue without."""
    assert completions.is_reached(job(**spec), completions.Counts(*counts)) is expected


CODES = {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [42]}}
NOT_CODES = {"action": "FailIndex", "onExitCodes": {"operator": "NotIn", "values": [1, 2]}}
OTHER = {
    "action": "FailJob",
    "onExitCodes": {"containerName": "other", "operator": "In", "values": [42]},
}
DISRUPTED = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}
EVICTED = [{"type": "DisruptionTarget", "status": "True"}]


@pytest.mark.parametrize(
    ("rules", "ended", "action", "message"),
    [
        ([], pod(), "Count", ""),
        ([CODES], pod(code=1), "Count", ""),
        (
            [DISRUPTED, CODES],
            pod(code=42),
            "FailJob",
            "Container c for pod d/p failed with exit code 42 matching FailJob rule at index 1",
        ),
        ([OTHER], pod(code=42), "Count", ""),
        (
            [NOT_CODES],
            pod(code=3),
            "FailIndex",
            "Container c for pod d/p failed with exit code 3 matching FailIndex rule at index 0",
        ),
        ([NOT_CODES], pod(code=0), "Count", ""),
        (
            [DISRUPTED],
            pod(conditions=EVICTED),
            "Ignore",
            "Pod d/p has condition DisruptionTarget matching Ignore rule at index 0",
        ),
        ([DISRUPTED], pod("Running", conditions=EVICTED), "Count", ""),
    ],
)
def test_first_matching_rule_of_a_failure_policy(rules, ended, action, message):
    """Exit codes and conditions, in the order of the rules; 0 is no failure."""
    found = job_policies.judge(ended, job(podFailurePolicy={"rules": rules}))
    assert (found.action, found.message) == (action, message)


@pytest.mark.parametrize(
    ("spec", "one", "expected"),
    [
        ({}, pod("Running", going=True), True),
        ({"podReplacementPolicy": "Failed"}, pod("Running", going=True), False),
        ({"podFailurePolicy": {"rules": []}}, pod("Running", going=True), False),
        ({"podReplacementPolicy": "Failed"}, pod("Failed", going=True), True),
        ({}, pod("Succeeded", going=True), False),
        ({}, pod("Running"), False),
    ],
)
def test_pod_that_is_deleted_counts_as_failed_unless_its_end_is_awaited(spec, one, expected):
    """Replacement policy Failed and failure policies wait for the phase."""
    assert job_policies.has_failed(one, job(**spec)) is expected


@pytest.mark.parametrize(
    ("rules", "succeeded", "expected"),
    [
        ([{"succeededIndexes": "0"}], {1}, None),
        ([{"succeededIndexes": "0"}], {0}, 0),
        ([{"succeededIndexes": "0-3", "succeededCount": 2}], {0, 5}, None),
        ([{"succeededIndexes": "0-3", "succeededCount": 2}], {0, 3}, 0),
        ([{"succeededIndexes": "0,1"}, {"succeededCount": 2}], {1, 5}, 1),
    ],
)
def test_success_policy_is_met_by_its_first_rule(rules, succeeded, expected):
    """Named indexes, a number of them, or a number of any."""
    made = job(successPolicy={"rules": rules})
    found = job_policies.find_success(made, succeeded)
    assert found == (None if expected is None else f"Matched rules at index {expected}")


@pytest.mark.parametrize(
    ("limit", "found", "expected"),
    [
        (1, [pod(index=0, failures=0)], set()),
        (1, [pod(index=0, failures=0), pod(index=0, failures=1)], {0}),
        (0, [pod(index=2, failures=0)], {2}),
        (5, [pod(index=1, failures=0, code=3)], {1}),
        (None, [pod(index=1, failures=7)], set()),
    ],
)
def test_index_is_given_up_beyond_its_own_limit(limit, found, expected):
    """Each index counts for itself; a FailIndex rule gives up at once."""
    spec = {"podFailurePolicy": {"rules": [NOT_CODES]}}
    if limit is not None:
        spec["backoffLimitPerIndex"] = limit
    made = job(**spec)
    counts = job_policies.failures_by_index(made, found)
    assert job_policies.failed_indexes(made, found, counts, ()) == expected


def test_ignored_failure_is_not_counted():
    """A pod that fell to a disruption leaves the number of failures as it is."""
    made = job(podFailurePolicy={"rules": [DISRUPTED]})
    found = [pod(conditions=EVICTED, name="a"), pod(name="b")]
    assert job_view.View(made, found).tallied()["failed"] == 1


def test_back_off_counts_failures_since_the_last_success():
    """A success resets the delay, a failure of another index does not matter."""
    early, late = pod(index=0, name="a"), pod(index=0, name="b")
    late["status"]["containerStatuses"][0]["state"]["terminated"]["finishedAt"] = NOW.isoformat()
    won = pod("Succeeded", code=0, name="c")
    assert job_view.View(job(), [early, won, late]).back_off_seconds(at=NOW) == 10
    assert job_view.View(job(), [early, late]).back_off_seconds(at=NOW, index=0) == 20
    assert job_view.View(job(), [early, late]).back_off_seconds(at=NOW, index=1) == 0


@pytest.mark.parametrize(
    ("indexes", "text"), [([], ""), ([0], "0"), ([0, 1], "0,1"), ([0, 2, 3, 4], "0,2-4")]
)
def test_indexes_read_back_as_written(indexes, text):
    """Runs of three and more are shortened."""
    assert completions.format_indexes(indexes) == text
    assert completions.parse_indexes(text) == set(indexes)


@pytest.mark.parametrize(
    ("failed", "ago_seconds", "expected"), [(0, 0, 0), (1, 0, 10), (2, 5, 15), (9, 0, 600)]
)
def test_back_off_of_failing_pods(failed, ago_seconds, expected):
    """Ten seconds, doubling, ten minutes at most."""
    at = (NOW - dt.timedelta(seconds=ago_seconds)).isoformat()
    assert completions.back_off_seconds(failed, at, at=NOW) == expected
