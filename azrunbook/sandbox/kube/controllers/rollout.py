"""The arithmetic of a Deployment's rollout.

Law: pure; numbers in, numbers out. Source: k8s.io/kubernetes pkg/controller/deployment (rolling.go,
recreate.go, util/deployment_util.go) and the documentation of maxSurge and maxUnavailable.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from azrunbook.sandbox.kube.controllers import quantities


@dataclass(frozen=True)
class Bounds:
    """How many pods there may be over, and may be missing under, the wanted number."""

    replicas: int
    max_surge: int
    max_unavailable: int

    @property
    def most(self) -> int:
        return self.replicas + self.max_surge

    @property
    def least_available(self) -> int:
        return self.replicas - self.max_unavailable


@dataclass(frozen=True)
class Sizes:
    """One ReplicaSet of a Deployment: wanted and available pods.

    `most_at_last_scale` is the annotation deployment.kubernetes.io/max-replicas.
    """

    name: str
    replicas: int
    available: int
    most_at_last_scale: int | None = None


def plan_bounds(
    replicas: int, *, max_surge: int | str | None, max_unavailable: int | str | None
) -> Bounds:
    """Resolve percentages: surge rounds up, unavailability down; never both 0."""
    surge = quantities.resolve_share(max_surge, replicas, round_up=True)
    unavailable = quantities.resolve_share(max_unavailable, replicas, round_up=False)
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return Bounds(replicas, surge, min(unavailable, replicas))


def plan_new_size(bounds: Bounds, new: int, old: Sequence[Sizes]) -> int:
    """The size of the new ReplicaSet: as large as the surge allows, at most what is wanted."""
    if new >= bounds.replicas:
        return bounds.replicas
    room = bounds.most - new - sum(one.replicas for one in old)
    return new if room <= 0 else new + min(room, bounds.replicas - new)


def plan_old_sizes(bounds: Bounds, new: Sizes, old: Sequence[Sizes]) -> dict[str, int]:
    """The sizes of the old ReplicaSets (given oldest first) after one step down.

    Pods that are not available go first, since nobody misses them; then as many available ones
    as the lower bound leaves.
    """
    sizes = {one.name: one.replicas for one in old}
    total = new.replicas + sum(sizes.values())
    room = total - bounds.least_available - (new.replicas - new.available)
    if room <= 0:
        return sizes
    for one in old:
        unhealthy = min(room, max(0, sizes[one.name] - one.available))
        sizes[one.name] -= unhealthy
        room -= unhealthy
    spare = new.available + sum(one.available for one in old) - bounds.least_available
    for one in old:
        step = min(max(spare, 0), sizes[one.name])
        sizes[one.name] -= step
        spare -= step
    return sizes


def plan_proportional_sizes(
    bounds: Bounds, sets: Sequence[Sizes], *, status_replicas: int
) -> dict[str, int]:
    """The sizes after scaling in the middle of a rollout: each set keeps its share.

    `sets` are the active ReplicaSets, newest first; the leftover of the rounding goes to the
    largest one. `status_replicas` stands in where a set does not say its last upper bound.
    """
    allowed = bounds.most if bounds.replicas > 0 else 0
    to_add = allowed - sum(one.replicas for one in sets)
    newest_first = list(sets) if to_add > 0 else list(reversed(sets))
    by_size = sorted(newest_first, key=lambda one: -one.replicas)
    sizes: dict[str, int] = {}
    added = 0
    for one in by_size:
        share = _share(one, bounds, status_replicas) if one.replicas else 0
        left = to_add - added
        step = min(share, left) if to_add > 0 else max(share, left)
        sizes[one.name] = one.replicas + (step if to_add and left else 0)
        added += sizes[one.name] - one.replicas
    if by_size and to_add:
        largest = by_size[0].name
        sizes[largest] = max(0, sizes[largest] + to_add - added)
    return sizes


def _share(one: Sizes, bounds: Bounds, status_replicas: int) -> int:
    if bounds.replicas == 0:
        return -one.replicas
    before = one.most_at_last_scale or status_replicas or one.replicas
    exact = one.replicas * bounds.most / before
    return int(exact + 0.5) - one.replicas
