"""The next step of a StatefulSet: which ordinals to create, delete or replace now.

Law: pure. Source: documentation "StatefulSets" (deployment and scaling guarantees, update
strategies) and k8s.io/kubernetes pkg/controller/statefulset.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]


@dataclass(frozen=True)
class Member:
    """One pod of a StatefulSet."""

    revision: str
    is_healthy: bool
    """Running, available for minReadySeconds and not being deleted."""
    is_terminating: bool
    is_done: bool = False


@dataclass(frozen=True)
class Goal:
    """What the StatefulSet wants."""

    replicas: int
    start: int
    update_revision: str
    partition: int
    is_parallel: bool
    is_rolling: bool
    max_unavailable: int | None = None
    """How many pods an update may have missing at once; None: one after the other."""

    def ordinals(self) -> range:
        return range(self.start, self.start + self.replicas)


@dataclass(frozen=True)
class Step:
    """Ordinals to create and to delete."""

    create: tuple[int, ...] = ()
    delete: tuple[int, ...] = ()


def plan_step(goal: Goal, members: Mapping[int, Member]) -> Step:
    """One step. Unless pods are managed in parallel, one ordinal at a time, in order."""
    done = tuple(o for o, m in sorted(members.items()) if m.is_done and not m.is_terminating)
    if done:
        return Step(delete=done)
    if goal.is_parallel:
        return _plan_parallel(goal, members)
    for ordinal in goal.ordinals():
        member = members.get(ordinal)
        if member is None:
            return Step(create=(ordinal,))
        if not member.is_healthy:
            return Step()  # holds everything up, also an update that would mend it (documented)
    surplus = sorted((o for o in members if o not in goal.ordinals()), reverse=True)
    if surplus:
        is_going = members[surplus[0]].is_terminating
        return Step() if is_going else Step(delete=(surplus[0],))
    return _plan_update(goal, members)


def _plan_parallel(goal: Goal, members: Mapping[int, Member]) -> Step:
    create = tuple(o for o in goal.ordinals() if o not in members)
    surplus = (o for o in members if o not in goal.ordinals())
    delete = tuple(sorted(o for o in surplus if not members[o].is_terminating))
    return Step(create, delete) if create or delete else _plan_update(goal, members)


def _plan_update(goal: Goal, members: Mapping[int, Member]) -> Step:
    """From the highest ordinal down to the partition, the next only when this one is healthy."""
    if not goal.is_rolling:
        return Step()
    if goal.max_unavailable is not None:
        return _plan_wide_update(goal, members, goal.max_unavailable)
    for ordinal in reversed(goal.ordinals()):
        if ordinal < goal.start + goal.partition:
            break
        member = members[ordinal]
        if member.revision != goal.update_revision and not member.is_terminating:
            return Step(delete=(ordinal,))
        if not member.is_healthy:
            break
    return Step()


def _plan_wide_update(goal: Goal, members: Mapping[int, Member], limit: int) -> Step:
    """As many as may be missing, from the top; an old pod that is missing anyway costs nothing."""
    present = [members[ordinal] for ordinal in goal.ordinals()]
    left = limit - sum(not member.is_healthy for member in present)
    leaving = []
    for ordinal in reversed(goal.ordinals()):
        member = members[ordinal]
        if ordinal < goal.start + goal.partition:
            break
        if member.revision == goal.update_revision or member.is_terminating:
            continue
        if member.is_healthy and left <= 0:
            continue
        left -= member.is_healthy
        leaving.append(ordinal)
    return Step(delete=tuple(leaving))
