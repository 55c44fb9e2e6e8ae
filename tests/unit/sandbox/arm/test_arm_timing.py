"""Transitions of operations, token buckets, poll hints and fault rules: no sockets."""

import asyncio

import pytest

from azrunbook.sandbox.arm import errors, faults, operations, paths, settings, throttling

KIND = "Microsoft.X/things"
THING = paths.parse("/subscriptions/s/resourceGroups/g/providers/Microsoft.X/things/one")


@pytest.mark.parametrize(
    ("table", "verb", "expected"),
    [
        ({}, "create", "immediate"),
        ({KIND: 10.0}, "create", 1.0),
        ({KIND.upper(): 10.0}, "create", 1.0),
        ({KIND: 10.0, f"{KIND}:stop": "manual"}, "stop", "manual"),
        ({KIND: 10.0, f"{KIND}:stop": "manual"}, "start", 1.0),
    ],
)
def test_the_most_specific_transition_counts(table, verb, expected):
    """A verb's entry beats the type's, the type's the default; only seconds are scaled."""
    timing = settings.Timing(by_type=table, factor=0.1)
    assert timing.transition(KIND, verb) == expected


def begin(timing, *, work=None, rules=None):
    """Begin an operation; returns it with the list its end is written to."""
    ends = []
    runner = operations.Operations(timing, rules or faults.Faults())
    operation = runner.begin(
        operations.Plan(
            resource=THING,
            type=KIND,
            verb="create",
            style=operations.PollingStyle(),
            location="eastus",
            succeed=lambda: ends.append("succeeded"),
            fail=lambda error: ends.append(error.code),
            cancel=lambda: ends.append("canceled"),
            work=work,
        )
    )
    return runner, operation, ends


@pytest.mark.parametrize("transition", ["immediate", 0.01])
async def test_an_operation_walks_to_its_end(transition):
    """It is in progress when begun, and ends by itself."""
    _, operation, ends = begin(settings.Timing(default=transition))
    assert operation.status == "InProgress"
    await asyncio.wait_for(operation.task, 5)
    assert (operation.status, ends) == ("Succeeded", ["succeeded"])


async def test_a_manual_operation_waits_to_be_advanced():
    """Work that is done does not end it; advance does, once."""
    done = asyncio.Event()

    async def work():
        done.set()

    runner, operation, ends = begin(settings.Timing(default="manual"), work=work)
    await asyncio.wait_for(done.wait(), 5)
    assert (operation.status, ends) == ("InProgress", [])
    assert runner.advance(THING.scope) == 1
    await asyncio.wait_for(operation.task, 5)
    assert (ends, runner.advance()) == (["succeeded"], 0)


@pytest.mark.parametrize("has_begun", [True, False])
async def test_an_aborted_operation_is_canceled(has_begun):
    """Also when it is aborted before its first step."""
    runner, operation, ends = begin(settings.Timing(default="manual"))
    if has_begun:
        await asyncio.wait([operation.task], timeout=0.01)
    await runner.abort(operation)
    assert (operation.status, ends) == ("Canceled", ["canceled"])


async def test_failing_work_fails_the_operation():
    """Whatever the work raises is an error of the operation, not of the server."""

    async def work():
        raise RuntimeError("broken")

    _, operation, ends = begin(settings.Timing(), work=work)
    await asyncio.wait_for(operation.task, 5)
    assert (operation.status, ends) == ("Failed", ["InternalOperationError"])
    assert "broken" in operation.error.message


@pytest.mark.parametrize(
    ("seconds", "headers"),
    [
        (0.02, {"retry-after-ms": "20"}),
        (0.0, {"retry-after-ms": "1"}),
        (1.0, {"Retry-After": "1"}),
        (15.4, {"Retry-After": "15"}),
    ],
)
def test_waits_are_whole_seconds_or_milliseconds(seconds, headers):
    """A fractional Retry-After would crash typed SDKs."""
    assert errors.retry_headers(seconds) == headers


def test_a_bucket_empties_and_refills():
    """The refusal says when there is a token again, and then there is."""
    now = [0.0]
    buckets = throttling.Throttling(1.0, lambda: now[0])
    left = [
        buckets.admit("PUT", "subscription")["x-ms-ratelimit-remaining-subscription-writes"]
        for _ in range(200)
    ]
    assert (left[0], left[-1]) == ("199", "0")
    with pytest.raises(errors.ArmError) as refused:
        buckets.admit("PUT", "subscription")
    assert (refused.value.status, refused.value.headers["Retry-After"]) == (429, "1")
    assert buckets.admit("GET", "subscription")
    now[0] += 1
    assert buckets.admit("PUT", "subscription")


def test_a_providers_bucket_is_per_resource():
    """Another cluster has its own 20 writes; an operation without a bucket is free."""
    buckets = throttling.Throttling(1.0, lambda: 0.0)
    for _ in range(20):
        buckets.admit_operation("ManagedClusters_CreateOrUpdate", "/c/one")
    buckets.admit_operation("ManagedClusters_CreateOrUpdate", "/c/two")
    buckets.admit_operation("VirtualNetworks_Get", "/v")
    with pytest.raises(errors.AksError) as refused:
        buckets.admit_operation("ManagedClusters_CreateOrUpdate", "/C/ONE")
    assert (refused.value.code, refused.value.headers["Retry-After"]) == ("Throttled", "60")


@pytest.mark.parametrize(
    ("rule", "method", "path", "is_hit"),
    [
        (faults.FaultRule(path="*", status=503), "GET", "/a", True),
        (faults.FaultRule(path="*/THINGS/*", status=503), "GET", "/x/things/one", True),
        (faults.FaultRule(path="*", method="put", status=503), "PUT", "/a", True),
        (faults.FaultRule(path="*", method="put", status=503), "GET", "/a", False),
        (faults.FaultRule(path="/b", status=503), "GET", "/a", False),
        (faults.FaultRule(path="*"), "GET", "/a", False),  # fails operations, not answers
    ],
)
def test_a_fault_hits_what_it_names(rule, method, path, is_hit):
    """By method and path, in any letter case."""
    rules = faults.Faults()
    rules.add(rule)
    assert bool(rules.take_answer(method, path)) == is_hit


def test_a_fault_counts_down():
    """After its times it is gone; zero times makes no sense."""
    rules = faults.Faults()
    id_ = rules.add(faults.FaultRule(path="*", times=2))
    assert rules.take_operation("create", "/a")
    assert rules.list()[id_].times == 1
    assert rules.take_operation("create", "/a")
    assert rules.take_operation("create", "/a") is None
    with pytest.raises(ValueError, match="1 or more"):
        rules.add(faults.FaultRule(path="*", times=0))


def test_errors_have_two_shapes():
    """ARM wraps, the container service answers flat."""
    wrapped = errors.ArmError(400, "A", "b", target="c").body()
    assert wrapped == {"error": {"code": "A", "message": "b", "target": "c"}}
    flat = errors.AksError(400, "A", "b").body()
    assert flat == {"code": "A", "details": None, "message": "b", "subcode": ""}
