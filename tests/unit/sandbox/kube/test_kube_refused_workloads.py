"""What is said about wrong deployments, sets and jobs: every cause, in order."""

import pytest

POD = {"containers": [{"name": "c", "image": "i:1"}]}
TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": POD}
SELECTED = {"selector": {"matchLabels": {"a": "b"}}, "template": TEMPLATE}
NEVER = {"spec": {**POD, "restartPolicy": "Never"}}
LABELS = "spec.template.metadata.labels"
NOT_SELECTED = f"{LABELS}: Invalid value: null: `selector` does not match template `labels`"
NO_CONTAINERS = "spec.template.spec.containers: Required value"


def spec(**parts):
    return {"spec": {**SELECTED, **parts}}


def rolling(**parts):
    return {"type": "RollingUpdate", "rollingUpdate": parts}


def job(**parts):
    return {"spec": {"template": NEVER, **parts}}


def cron_job(**parts):
    return {"spec": {"schedule": "* * * * *", "jobTemplate": job(), **parts}}


@pytest.mark.parametrize(
    ("storage", "body", "said"),
    [
        # a daemon set without a selector is only said to select nothing
        ("daemonsets.apps", {}, [NOT_SELECTED, NO_CONTAINERS]),
        ("statefulsets.apps", {}, ["spec.selector: Required value", NOT_SELECTED, NO_CONTAINERS]),
        (
            "deployments.apps",
            spec(selector={"matchExpressions": [{"key": "a", "operator": "Odd"}]}),
            [
                (
                    'spec.selector.matchExpressions[0].operator: Invalid value: "Odd": '
                    "not a valid selector operator"
                ),
                (
                    "spec.selector: Invalid value: "
                    '{"matchExpressions":[{"key":"a","operator":"Odd"}]}'
                    ": invalid label selector"
                ),
            ],
        ),
        (
            "deployments.apps",
            spec(strategy={"type": "Odd"}),
            [
                (
                    'spec.strategy: Unsupported value: {"Type":"Odd","RollingUpdate":null}: '
                    'supported values: "Recreate", "RollingUpdate"'
                )
            ],
        ),
        (
            "deployments.apps",
            spec(template={**TEMPLATE, "spec": {**POD, "restartPolicy": "Odd"}}),
            [
                (
                    'spec.template.spec.restartPolicy: Unsupported value: "Odd": supported values: '
                    '"Always", "OnFailure", "Never"'
                ),
                (
                    'spec.template.spec.restartPolicy: Unsupported value: "Odd": supported values: '
                    '"Always"'
                ),
            ],
        ),
        (
            "daemonsets.apps",
            spec(updateStrategy=rolling(maxUnavailable=1, maxSurge=1)),
            [
                (
                    "spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: 1: "
                    "may not be set when maxUnavailable is non-zero"
                )
            ],
        ),
        (
            "daemonsets.apps",
            spec(updateStrategy=rolling(maxUnavailable=0, maxSurge=0)),
            [
                (
                    "spec.updateStrategy.rollingUpdate.maxUnavailable: Required value: "
                    "cannot be 0 when maxSurge is 0"
                )
            ],
        ),
        (
            "statefulsets.apps",
            spec(updateStrategy={"type": "OnDelete", "rollingUpdate": {"partition": 1}}),
            [
                (
                    "spec.updateStrategy.rollingUpdate: Invalid value: "
                    '{"Partition":1,"MaxUnavailable":null}: only allowed for updateStrategy '
                    "'RollingUpdate'"
                )
            ],
        ),
        (
            "statefulsets.apps",
            spec(updateStrategy=rolling(partition=-1)),
            [
                (
                    "spec.updateStrategy.rollingUpdate.partition: Invalid value: -1: "
                    "must be greater than or equal to 0"
                )
            ],
        ),
        (
            "jobs.batch",
            job(completionMode="Odd"),
            [
                (
                    'spec.completionMode: Unsupported value: "Odd": '
                    'supported values: "NonIndexed", "Indexed"'
                )
            ],
        ),
        (
            "jobs.batch",
            job(completionMode="Indexed", parallelism=1),
            ["spec.completions: Required value: when completion mode is Indexed"],
        ),
        ("jobs.batch", job(manualSelector=True), ["spec.selector: Required value", NOT_SELECTED]),
        (
            "cronjobs.batch",
            cron_job(schedule="5-1 * * * *"),
            [
                (
                    'spec.schedule: Invalid value: "5-1 * * * *": '
                    "beginning of range (5) beyond end of range (1): 5-1"
                )
            ],
        ),
        (
            "cronjobs.batch",
            cron_job(timeZone="Nowhere/Land"),
            ['spec.timeZone: Invalid value: "Nowhere/Land": unknown time zone Nowhere/Land'],
        ),
    ],
)
def test_wrong_workload_is_refused_with_every_cause(refusals, storage, body, said):
    """In the words and the order of the real server."""
    assert refusals.of_create(storage, body) == said


@pytest.mark.parametrize(
    ("storage", "body", "patch", "said"),
    [
        (
            "jobs.batch",
            job(suspend=True),
            {"spec": {"completions": 3, "completionMode": "Indexed"}},
            [
                "spec.completions: Invalid value: 3: field is immutable",
                'spec.completionMode: Invalid value: "Indexed": field is immutable',
            ],
        ),
        (
            "replicasets.apps",
            spec(),
            {"spec": {"selector": {"matchLabels": {"a": "c"}}}},
            [
                (
                    f'{LABELS}: Invalid value: {{"a":"b"}}: `selector` does not match template '
                    "`labels`"
                ),
                'spec.selector: Invalid value: {"matchLabels":{"a":"c"}}: field is immutable',
            ],
        ),
    ],
)
def test_what_never_changes_is_kept(refusals, storage, body, patch, said):
    """Selectors, and how a job counts."""
    assert refusals.of_change(storage, body, patch) == said


def test_suspended_job_may_still_be_placed(refusals):
    """Its node selector may change, its containers may not."""
    change = {"spec": {"template": {"spec": {"nodeSelector": {"a": "b"}, "restartPolicy": "Odd"}}}}
    said = refusals.of_change("jobs.batch", job(suspend=True), change)
    assert all("restartPolicy" in line or "spec.template: " in line for line in said)
