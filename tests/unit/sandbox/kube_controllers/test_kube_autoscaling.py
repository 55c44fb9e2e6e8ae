"""The autoscaler's algorithm as truth tables."""

import datetime as dt
from fractions import Fraction

import pytest

from azrunbook.sandbox.kube import metrics
from azrunbook.sandbox.kube.controllers import autoscaling, metric_proposals
from azrunbook.sandbox.kube.controllers.autoscaling import Memory, Sample
from azrunbook.sandbox.kube.controllers.metric_proposals import Surroundings

ASKED = Fraction(1, 10)


def target(kind="Utilization", value=50):
    field = "averageUtilization" if kind == "Utilization" else "averageValue"
    return {"type": kind, field: value}


def pods(*percent):
    """Pods that use so many percent of their request; None is not measured."""
    return [Sample(None if p is None else ASKED * p / 100, ASKED) for p in percent]


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        (pods(50, 50), 2),
        (pods(54, 54), 2),
        (pods(100, 100), 4),
        (pods(60), 2),
        (pods(10, 10, 10, 10), 1),
        (pods(100, None), 2),
        (pods(200, None), 4),
        (pods(10, None), 2),
        ([*pods(100), Sample(ASKED, ASKED, is_ready=False)], 2),
        ([*pods(10), Sample(ASKED, ASKED, is_ready=False)], 1),
        (pods(10, 10, 10, 10, None), 3),
        (pods(55, 55), 2),
        (pods(56, 56), 3),
        (pods(Fraction(559, 10), Fraction(559, 10)), 2),  # whole percents are compared
    ],
)
def test_replicas_by_utilization(samples, expected):
    """Ratio, tolerance, and caution about pods that are not measured or not ready."""
    found = autoscaling.propose(target(), samples, len(samples))
    assert found.replicas == expected


def test_average_value_target():
    """A target in absolute terms: 150m each at 100m wanted makes three of two."""
    samples = [Sample(Fraction(3, 20), ASKED)] * 2
    found = autoscaling.propose(target("AverageValue", "100m"), samples, 2)
    assert (found.replicas, found.current) == (3, {"averageValue": "150m"})


def test_nothing_measured_proposes_nothing():
    """Without a measured pod there is no proposal."""
    assert autoscaling.propose(target(), pods(None, None), 2) is None


@pytest.mark.parametrize(("current", "size"), [(1, 2), (2, None), (10, None), (11, 10)])
def test_bounds_alone_decide_outside_of_them(current, size):
    """A size outside of the bounds is brought to the nearer one, whatever is measured."""
    limits = autoscaling.limits_of({"spec": {"minReplicas": 2, "maxReplicas": 10}})
    found = autoscaling.find_forced(current, limits)
    assert (found and found[0]) == size


def decide(wanted, current, memory=None, **behavior):
    spec = {"minReplicas": 2, "maxReplicas": 10, "behavior": behavior}
    limits = autoscaling.limits_of({"spec": spec})
    return autoscaling.decide(wanted, current, limits, memory or Memory())


@pytest.mark.parametrize(
    ("wanted", "current", "memory", "expected", "reason"),
    [
        (4, 3, Memory(), 4, None),
        (50, 8, Memory(), 10, "TooManyReplicas"),
        (10, 6, Memory(changes=[(5, 4), (3, -2)]), 8, "ScaleUpLimit"),
        (1, 3, Memory(), 2, "TooFewReplicas"),
        (10, 2, Memory(), 6, "ScaleUpLimit"),
        (10, 6, Memory(changes=[(5, 4)]), 6, "ScaleUpLimit"),
        (10, 6, Memory(changes=[(20, 4)]), 10, None),
        (3, 6, Memory(recommendations=[(100, 6)]), 6, None),
        (3, 6, Memory(recommendations=[(100, 5)]), 5, None),
        (3, 6, Memory(recommendations=[(400, 6)]), 3, None),
    ],
)
def test_decision_is_bounded_rated_and_stabilized(wanted, current, memory, expected, reason):
    """Bounds, four pods or double per 15 s up, the highest of five minutes down."""
    found = decide(wanted, current, memory)
    assert (found.replicas, found.limited and found.limited[0]) == (expected, reason)


def test_disabled_direction_never_moves():
    """SelectPolicy Disabled keeps the size."""
    assert decide(3, 6, scaleDown={"selectPolicy": "Disabled"}).replicas == 6


@pytest.mark.parametrize(
    ("wanted", "current", "memory", "expected"),
    [
        (10, 1, Memory(), 4),
        (10, 2, Memory(), 4),
        (10, 3, Memory(), 6),
        (2, 9, Memory(), 2),
        (2, 5, Memory(recommendations=[(100, 8)]), 8),
    ],
)
def test_without_behavior_one_step_doubles_or_reaches_four(wanted, current, memory, expected):
    """The controller's own rules: no periods, and the highest of five minutes whatever the size."""
    limits = autoscaling.limits_of({"spec": {"minReplicas": 1, "maxReplicas": 10}})
    assert autoscaling.decide(wanted, current, limits, memory).replicas == expected


@pytest.mark.parametrize(
    ("up", "down", "percent", "expected"),
    [(None, None, 45, 4), (None, "0", 49, 4), ("0.5", None, 70, 4), ("0", None, 51, 5),
     (None, "0.05", 40, 4), (None, "0.3", 36, 4)],
)  # fmt: skip
def test_each_direction_has_its_tolerance(up, down, percent, expected):
    """Within its tolerance a direction does not move; the other one is not touched."""
    rules = {
        "scaleUp": {"tolerance": up} if up else {},
        "scaleDown": {"tolerance": down} if down else {},
    }
    limits = autoscaling.limits_of({"spec": {"maxReplicas": 10, "behavior": rules}})
    tolerance = autoscaling.tolerance_of(limits)
    found = autoscaling.propose(target(), pods(*[percent] * 4), 4, tolerance)
    assert found.replicas == expected


def test_stabilization_is_said_in_the_condition_able_to_scale():
    """The reason and the sentence of the direction that is held back."""
    held = decide(3, 6, Memory(recommendations=[(100, 6)]))
    assert held.able == (
        "ScaleDownStabilized",
        (
            "recent recommendations were higher than current one, "
            "applying the highest recent recommendation"
        ),
    )
    window = {"stabilizationWindowSeconds": 60}
    held = decide(9, 6, Memory(recommendations=[(10, 6)]), scaleUp=window)
    assert (held.replicas, held.able[0]) == (6, "ScaleUpStabilized")


NOW = dt.datetime(2026, 1, 31, 12, 0, tzinfo=dt.UTC)


def at(seconds_ago):
    return (NOW - dt.timedelta(seconds=seconds_ago)).isoformat()


@pytest.mark.parametrize(
    ("started", "ready", "changed", "window", "expected"),
    [
        (60, "True", 30, 15, True),
        (60, "True", 10, 15, False),  # the window began before it was ready
        (60, "False", 30, 15, False),
        (600, "True", 1, 15, True),
        (600, "False", 1, 15, True),  # was ready once: its use counts
        (600, "False", 590, 15, False),  # never was ready
    ],
)
def test_cpu_of_a_starting_pod_does_not_count(started, ready, changed, window, expected):
    """Five minutes of initialization, then only what never was ready is left out."""
    condition = {"type": "Ready", "status": ready, "lastTransitionTime": at(changed)}
    pod = {"status": {"startTime": at(started), "conditions": [condition]}}
    reading = metrics.Reading(NOW, window, {})
    assert metric_proposals.is_trustworthy(pod, reading, at=NOW) is expected


def running(name="p", request="100m", **more):
    condition = {"type": "Ready", "status": "True", "lastTransitionTime": at(1000)}
    asked = {"requests": {"cpu": request}} if request else {}
    return {
        "metadata": {"name": name, "namespace": "d", **more},
        "spec": {
            "containers": [{"name": "c", "resources": asked}, {"name": "side", "resources": asked}]
        },
        "status": {"phase": "Running", "startTime": at(1000), "conditions": [condition]},
    }


def source(kind="Resource", value=50, **more):
    field = kind[0].lower() + kind[1:]
    return {"type": kind, field: {"name": "cpu", "target": target(value=value), **more}}


SHARE = "utilization (percentage of request)"
ABSOLUTE = source()
ABSOLUTE["resource"]["target"] = target("AverageValue", "100m")


def answered(metric, *found, usage=(Fraction(1, 5), Fraction(0)), readings=True):
    parts = {"c": {"cpu": usage[0]}, "side": {"cpu": usage[1]}}
    reading = metrics.Reading(NOW, 15.0, parts)
    lookup = (lambda *_: reading) if readings else (lambda *_: None)
    if readings is None:
        lookup = None
    around = Surroundings(found, lookup, len(found), autoscaling.Tolerance(), NOW)
    return metric_proposals.answer(metric, around)


@pytest.mark.parametrize(
    ("metric", "replicas", "name"),
    [
        (source(), 2, f"cpu resource {SHARE}"),
        (source("ContainerResource", container="c"), 4, f"cpu container resource {SHARE}"),
        (source("ContainerResource", container="side"), 0, f"cpu container resource {SHARE}"),
        (ABSOLUTE, 2, "cpu resource"),
    ],
)  # fmt: skip
def test_pods_and_single_containers_are_measured(metric, replicas, name):
    """A pod's use is that of all its containers; a container metric looks at one."""
    found = answered(metric, running())
    assert (found.proposal.replicas, found.name) == (replicas, name)


@pytest.mark.parametrize(
    ("found", "reason", "error"),
    [
        (
            answered(source(), running(), readings=None),
            "FailedGetResourceMetric",
            (
                "failed to get cpu utilization: unable to get metrics for resource cpu: unable to "
                "fetch metrics from resource metrics API: the server could not find the requested "
                "resource (get pods.metrics.k8s.io)"
            ),
        ),
        (
            answered(source(), running(), readings=False),
            "FailedGetResourceMetric",
            (
                "failed to get cpu utilization: unable to get metrics for resource cpu: "
                "no metrics returned from resource metrics API"
            ),
        ),
        (
            answered(source(), running(request=None)),
            "FailedGetResourceMetric",
            "failed to get cpu utilization: missing request for cpu in container c of Pod p",
        ),
        (
            answered(source("ContainerResource", container="c")),
            "FailedGetContainerResourceMetric",
            (
                "failed to get cpu utilization: "
                "no pods returned by selector while calculating replica count"
            ),
        ),
        (
            answered(source(), running(deletionTimestamp=at(1))),
            "FailedGetResourceMetric",
            (
                "failed to get cpu utilization: did not receive metrics for targeted pods "
                "(pods might be unready)"
            ),
        ),
        (
            answered({"type": "Pods", "pods": {"metric": {"name": "hits"}}}, running()),
            "FailedGetPodsMetric",
            (
                "unable to get metric hits: unable to fetch metrics from custom metrics API: "
                "no custom metrics API (custom.metrics.k8s.io) registered"
            ),
        ),
    ],
)
def test_metric_that_cannot_be_had_says_why(found, reason, error):
    """The reason of the condition and the words of the event."""
    assert found.proposal is None
    assert (found.reason, found.error) == (reason, error)
