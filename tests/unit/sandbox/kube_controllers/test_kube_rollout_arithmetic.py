"""The numbers of a rollout as truth tables."""

import pytest

from azrunbook.sandbox.kube.controllers import quantities, revisions, rollout
from azrunbook.sandbox.kube.controllers.rollout import Bounds, Sizes


@pytest.mark.parametrize(
    ("value", "total", "up", "expected"),
    [
        ("25%", 10, True, 3),
        ("25%", 10, False, 2),
        ("0%", 10, True, 0),
        ("100%", 3, False, 3),
        (2, 10, True, 2),
        (None, 10, True, 0),
    ],
)
def test_share_of_a_total(value, total, up, expected):
    """Percentages round as asked; counts stay."""
    assert quantities.resolve_share(value, total, round_up=up) == expected


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "expected"),
    [
        (10, "25%", "25%", Bounds(10, 3, 2)),
        (1, "25%", "25%", Bounds(1, 1, 0)),
        (3, 0, "25%", Bounds(3, 0, 1)),
        (2, 1, 5, Bounds(2, 1, 2)),
        (0, 0, 0, Bounds(0, 0, 0)),
    ],
)
def test_bounds_never_block_a_rollout(replicas, surge, unavailable, expected):
    """Surge rounds up, unavailability down, and both are never 0 while pods are wanted."""
    assert rollout.plan_bounds(replicas, max_surge=surge, max_unavailable=unavailable) == expected


@pytest.mark.parametrize(
    ("bounds", "new", "old", "expected"),
    [
        (Bounds(10, 3, 2), 0, [10], 3),
        (Bounds(10, 3, 2), 3, [8], 5),
        (Bounds(10, 3, 2), 3, [10], 3),
        (Bounds(10, 3, 2), 9, [0], 10),
        (Bounds(10, 3, 2), 12, [0], 10),
        (Bounds(4, 0, 1), 0, [4], 0),
        (Bounds(4, 0, 1), 0, [3], 1),
        (Bounds(3, 1, 0), 0, [], 3),
    ],
)
def test_new_set_grows_into_the_surge(bounds, new, old, expected):
    """The new ReplicaSet never exceeds what is wanted nor the total allowed."""
    sizes = [Sizes(f"o{index}", size, size) for index, size in enumerate(old)]
    assert rollout.plan_new_size(bounds, new, sizes) == expected


@pytest.mark.parametrize(
    ("bounds", "new", "old", "expected"),
    [
        # nothing new is available: only the spare pod over the minimum goes
        (Bounds(10, 3, 2), (3, 0), [(10, 10)], [8]),
        (Bounds(10, 3, 2), (5, 2), [(8, 8)], [6]),
        # at the bound: stay
        (Bounds(10, 3, 2), (5, 0), [(8, 8)], [8]),
        # old pods that are broken go first, oldest set first
        (Bounds(10, 3, 2), (3, 3), [(4, 0), (6, 6)], [0, 5]),
        (Bounds(4, 1, 0), (1, 1), [(4, 4)], [3]),
        (Bounds(4, 1, 0), (1, 0), [(4, 4)], [4]),
        (Bounds(1, 1, 0), (1, 1), [(1, 1)], [0]),
    ],
)
def test_old_sets_shrink_without_losing_the_minimum(bounds, new, old, expected):
    """Unavailable old pods go first; available ones as far as maxUnavailable allows."""
    sets = [Sizes(f"o{index}", *numbers) for index, numbers in enumerate(old)]
    planned = rollout.plan_old_sizes(bounds, Sizes("new", *new), sets)
    assert list(planned.values()) == expected


@pytest.mark.parametrize(
    ("bounds", "sets", "expected"),
    [
        # from 10 to 15 with surge 3 in the middle of a rollout (the documentation's example)
        (
            Bounds(15, 3, 2),
            [Sizes("new", 5, 0, 13), Sizes("old", 8, 8, 13)],
            {"new": 7, "old": 11},
        ),
        (Bounds(5, 0, 1), [Sizes("new", 4, 4, 10), Sizes("old", 6, 6, 10)], {"new": 2, "old": 3}),
        (Bounds(0, 0, 0), [Sizes("new", 4, 4, 10), Sizes("old", 6, 6, 10)], {"new": 0, "old": 0}),
    ],
)
def test_scaling_in_a_rollout_is_proportional(bounds, sets, expected):
    """Each ReplicaSet keeps its share of the new total."""
    assert rollout.plan_proportional_sizes(bounds, sets, status_replicas=0) == expected


@pytest.mark.parametrize(
    ("history", "revision", "expected"),
    [("", 3, "3"), ("1,3", 5, "1,3,5"), (",".join(["1234567"] * 300), 9, None)],
)
def test_history_of_revisions_has_a_length(history, revision, expected):
    """Revisions are appended; beyond 2000 characters the oldest go."""
    existing = {"metadata": {"annotations": {revisions.REVISION_HISTORY: history}}}
    existing["metadata"]["annotations"][revisions.REVISION] = str(revision)
    deployment = {"metadata": {}}
    found = revisions.new_annotations(deployment, existing, revision + 1, Bounds(1, 1, 0))
    written = found[revisions.REVISION_HISTORY]
    assert written.endswith(str(revision))
    assert len(written) <= 2001
    assert expected in (None, written)


def test_rollout_always_arrives():
    """Stepping with pods that become available at once ends with only new pods, in bounds."""
    bounds = Bounds(10, 3, 2)
    new, old = 0, 10
    for _ in range(30):
        new = rollout.plan_new_size(bounds, new, [Sizes("old", old, old)])
        assert new + old <= bounds.most
        planned = rollout.plan_old_sizes(bounds, Sizes("new", new, new), [Sizes("old", old, old)])
        old = planned["old"]
        assert new + old >= bounds.least_available
    assert (new, old) == (10, 0)
