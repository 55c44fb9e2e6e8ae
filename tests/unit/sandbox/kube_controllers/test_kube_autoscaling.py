"""The autoscaler's algorithm as truth tables."""

from fractions import Fraction

import pytest

from azrunbook.sandbox.kube.controllers import autoscaling
from azrunbook.sandbox.kube.controllers.autoscaling import Memory, Sample

ASKED = Fraction(1, 10)


def metric(kind="Utilization", value=50):
    field = "averageUtilization" if kind == "Utilization" else "averageValue"
    return {"resource": {"name": "cpu", "target": {"type": kind, field: value}}}


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
    ],
)
def test_replicas_by_utilization(samples, expected):
    """Ratio, tolerance, and caution about pods that are not measured or not ready."""
    found = autoscaling.propose(metric(), samples, len(samples))
    assert found.replicas == expected


def test_average_value_target():
    """A target in absolute terms: 150m each at 100m wanted makes three of two."""
    samples = [Sample(Fraction(3, 20), ASKED)] * 2
    found = autoscaling.propose(metric("AverageValue", "100m"), samples, 2)
    assert (found.replicas, found.current) == (3, {"averageValue": "150m"})


def test_nothing_measured_proposes_nothing():
    """Without a measured pod there is no proposal."""
    assert autoscaling.propose(metric(), pods(None, None), 2) is None


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
