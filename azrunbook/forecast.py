"""Will pods find a place? What a drain or a change of size will do, said before it is done.

Pure: live objects in, a forecast out. It follows the scheduler's filters that decide in this
estate: a node's readiness and cordon, taints, node selectors and required node affinity, requested
CPU and memory, the number of pods. Spread and affinity between pods are preferences here and are
not looked at. Which of several fitting nodes the scheduler takes is not forecast, but how many
pods find one. Source of the request of a pod: Kubernetes, "Init containers", resource sharing.
"""

import functools
import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

Object = Mapping[str, Any]
_GONE = ("Succeeded", "Failed")
_UNMANAGED = "no controller would start it again"
_KINDS = ("cpu", "memory")


@dataclass(frozen=True)
class Snapshot:
    """A cluster's nodes, pods and disruption budgets at one moment, as the API server has them."""

    nodes: Sequence[Object]
    pods: Sequence[Object]
    budgets: Sequence[Object]

    def list_pods_on(self, node: str) -> list[Object]:
        """The pods that hold a place on a node."""
        return [
            pod
            for pod in self.pods
            if pod["spec"].get("nodeName") == node and _phase(pod) not in _GONE
        ]


@dataclass(frozen=True)
class Room:
    """What a node has left: CPU in cores, memory in bytes, pods."""

    node: Object
    cpu: Decimal
    memory: Decimal
    pods: int

    @property
    def name(self) -> str:
        return str(self.node["metadata"]["name"])


@dataclass(frozen=True)
class Placement:
    """Where one pod is expected to go; without a node: why to none.

    Attributes:
        turn: 1 for those that can go at once; a budget may make others wait for them.
    """

    pod: str
    node: str
    reason: str = ""
    turn: int = 1


@dataclass(frozen=True)
class Forecast:
    """What is expected.

    Attributes:
        what: the change in words.
        placements: one a pod, in the order in which they are expected.
        blockers: what will keep the change from ending, however long one waits.
    """

    what: str
    placements: tuple[Placement, ...]
    blockers: tuple[str, ...] = ()

    @property
    def fits(self) -> bool:
        """Whether every pod finds a place and nothing blocks."""
        return not self.blockers and not self.unplaced

    @property
    def unplaced(self) -> int:
        """How many pods will be Pending."""
        return sum(not one.node for one in self.placements)

    @property
    def turns(self) -> int:
        return max((one.turn for one in self.placements), default=0)

    def __str__(self) -> str:
        placed = len(self.placements) - self.unplaced
        said = f"{placed} of {len(self.placements)} pods find a place"
        reasons = dict.fromkeys(one.reason for one in self.placements if one.reason)
        return "; ".join([said, *reasons, *self.blockers])

    def as_dict(self) -> dict[str, Any]:
        return {
            "what": self.what,
            "fits": self.fits,
            "unplaced": self.unplaced,
            "placements": [vars(one) for one in self.placements],
            "blockers": list(self.blockers),
        }

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{title}</th>" for title in ("turn", "pod", "finds a place on", "why"))
        rows = "".join(
            f"<tr class='{'pass' if one.node else 'fail'}'><td>{one.turn}</td>"
            f"<td>{html.escape(one.pod)}</td><td>{html.escape(one.node or 'no node')}</td>"
            f"<td>{html.escape(one.reason)}</td></tr>"
            for one in self.placements
        )
        blockers = "".join(f"<li>{html.escape(one)}</li>" for one in self.blockers)
        return (
            f"<p><b>Forecast: {html.escape(self.what)}</b>: {html.escape(str(self))}</p>"
            f"<table class='forecast'><tr>{head}</tr>{rows}</table><ul>{blockers}</ul>"
        )


def measure_rooms(snapshot: Snapshot) -> list[Room]:
    """What every node has left: its allocatable resources without what its pods request."""
    rooms = []
    for node in snapshot.nodes:
        allocatable = node["status"]["allocatable"]
        held = snapshot.list_pods_on(node["metadata"]["name"])
        used = [measure_request(pod["spec"]) for pod in held]
        cpu, memory = (
            parse_quantity(allocatable[kind]) - sum((one[kind] for one in used), Decimal(0))
            for kind in _KINDS
        )
        rooms.append(Room(node, cpu, memory, int(allocatable["pods"]) - len(held)))
    return rooms


def measure_request(spec: Object) -> dict[str, Decimal]:
    """What a pod requests: CPU in cores, memory in bytes."""

    def add(containers: Iterable[Object], kind: str) -> Decimal:
        found = (_requests(one).get(kind, "0") for one in containers)
        return sum(map(parse_quantity, found), Decimal(0))

    first = spec.get("initContainers") or ()
    sidecars = [one for one in first if one.get("restartPolicy") == "Always"]
    request = {}
    for kind in _KINDS:
        always = add(sidecars, kind)
        starting = [add([one], kind) + always for one in first if one not in sidecars]
        running = add(spec["containers"], kind) + always
        overhead = parse_quantity((spec.get("overhead") or {}).get(kind, "0"))
        request[kind] = max([running, *starting]) + overhead
    return request


def _requests(container: Object) -> Object:
    resources = container.get("resources") or {}
    return {**(resources.get("limits") or {}), **(resources.get("requests") or {})}


@functools.cache
def parse_quantity(text: str | int) -> Decimal:
    """Read a Kubernetes quantity (``250m``, ``4Gi``) as a number of its unit."""
    # The client's own reading; late, because importing the client takes long.
    from kubernetes.utils import quantity

    return Decimal(quantity.parse_quantity(text))  # type: ignore[no-untyped-call] # not typed


def forecast_replicas(
    what: str,
    snapshot: Snapshot,
    spec: Object,
    names: Sequence[str],
    *,
    more_nodes: Sequence[Object] = (),
) -> Forecast:
    """Say where more pods of one template go.

    Args:
        what: the change in words.
        snapshot: the cluster as it is.
        spec: the pod's spec.
        names: one a pod, as they shall be called in the forecast.
        more_nodes: empty nodes that will be there, too.
    """
    rooms = measure_rooms(replace(snapshot, nodes=[*snapshot.nodes, *more_nodes]))
    return Forecast(what, tuple(_place([(name, spec) for name in names], rooms)))


def forecast_drain(what: str, snapshot: Snapshot, node: str) -> Forecast:
    """Say what draining a node does: who goes in which turn, where to, and what blocks it.

    Pods of DaemonSets stay, as with ``kubectl drain --ignore-daemonsets``; what lies in emptyDir
    volumes is given up, as with ``--delete-emptydir-data``.
    """
    going = [pod for pod in snapshot.list_pods_on(node) if is_drained(pod) and not is_ending(pod)]
    rooms = [room for room in measure_rooms(snapshot) if room.name != node]
    pods = [(get_name(pod), pod["spec"]) for pod in going]
    turns, blockers = _take_turns(going, snapshot.budgets)
    blockers += [
        f"{get_name(pod)}: {_UNMANAGED}; delete it, or drain with --force"
        for pod in going
        if not pod["metadata"].get("ownerReferences")
    ]
    placements = (
        replace(one, turn=turn) for one, turn in zip(_place(pods, rooms), turns, strict=True)
    )
    return Forecast(what, tuple(sorted(placements, key=lambda one: one.turn)), tuple(blockers))


def is_drained(pod: Object) -> bool:
    """Whether a drain evicts it: not what a DaemonSet or the kubelet itself put there."""
    owners = pod["metadata"].get("ownerReferences") or ()
    return not any(one["kind"] in {"DaemonSet", "Node"} for one in owners)


def is_ending(pod: Object) -> bool:
    """Whether it was told to go already: nobody needs a place for it."""
    return bool(pod["metadata"].get("deletionTimestamp"))


def get_name(pod: Object) -> str:
    """``namespace/name``."""
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"


def _take_turns(pods: Sequence[Object], budgets: Sequence[Object]) -> tuple[list[int], list[str]]:
    """In which turn each pod may go by its budget, and the budgets that let none go."""
    turns, taken, blockers = [], dict[str, int](), list[str]()
    for pod in pods:
        turn = 1
        for budget in budgets:
            if not _is_covered(pod, budget):
                continue
            name = get_name(budget)
            allowed = (budget.get("status") or {}).get("disruptionsAllowed", 0)
            if allowed < 1:
                blockers.append(f"{get_name(pod)}: its budget {name} allows no disruption now")
                continue
            turn = max(turn, 1 + taken.get(name, 0) // allowed)
            taken[name] = taken.get(name, 0) + 1
        turns.append(turn)
    return turns, blockers


def _is_covered(pod: Object, budget: Object) -> bool:
    if pod["metadata"]["namespace"] != budget["metadata"]["namespace"]:
        return False
    selector = budget["spec"].get("selector") or {}
    labels = pod["metadata"].get("labels") or {}
    wanted = selector.get("matchLabels") or {}
    expressions = selector.get("matchExpressions") or ()
    return wanted.items() <= labels.items() and all(_matches(one, labels) for one in expressions)


def _place(pods: Sequence[tuple[str, Object]], rooms: Sequence[Room]) -> list[Placement]:
    """Place one after the other, each where most is left, as the scheduler scores by default."""
    left = {room.name: room for room in rooms}
    placed = []
    for name, spec in pods:
        refusals = {room.name: _refuse(spec, room) for room in left.values()}
        fitting = [left[node] for node, refusal in refusals.items() if not refusal]
        if not fitting:
            placed.append(Placement(name, "", _count(refusals.values())))
            continue
        chosen = max(fitting, key=lambda room: (room.cpu, room.memory))
        request = measure_request(spec)
        left[chosen.name] = replace(
            chosen,
            cpu=chosen.cpu - request["cpu"],
            memory=chosen.memory - request["memory"],
            pods=chosen.pods - 1,
        )
        placed.append(Placement(name, chosen.name))
    return placed


def _count(refusals: Iterable[str]) -> str:
    """``2 nodes: too little CPU, 3 nodes: other labels``."""
    counts: dict[str, int] = {}
    for one in refusals:
        counts[one] = counts.get(one, 0) + 1
    return ", ".join(
        f"{number} {'node' if number == 1 else 'nodes'}: {reason}"
        for reason, number in counts.items()
    )


def _refuse(spec: Object, room: Room) -> str:
    """Why a pod cannot go there; empty if it can."""
    request = measure_request(spec)
    for is_refused, reason in (
        (not is_usable(room.node), "not ready, or cordoned"),
        (not _is_selected(spec, room.node), "other labels"),
        (not _is_tolerated(spec, room.node), "a taint that is not tolerated"),
        (request["cpu"] > room.cpu, "too little CPU"),
        (request["memory"] > room.memory, "too little memory"),
        (room.pods < 1, "too many pods"),
    ):
        if is_refused:
            return reason
    return ""


def is_usable(node: Object) -> bool:
    """Ready and not cordoned."""
    conditions = node["status"].get("conditions") or ()
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
    return ready and not node["spec"].get("unschedulable")


def _is_selected(spec: Object, node: Object) -> bool:
    labels = node["metadata"].get("labels") or {}
    if not (spec.get("nodeSelector") or {}).items() <= labels.items():
        return False
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    if not required:
        return True
    return any(
        all(_matches(one, labels) for one in term.get("matchExpressions") or ())
        for term in required["nodeSelectorTerms"]
    )


def _matches(expression: Object, labels: Object) -> bool:
    key, operator = expression["key"], expression["operator"]
    values: Sequence[str] = expression.get("values") or ()
    value = labels.get(key)
    if operator in {"Gt", "Lt"}:
        distance = int(value) - int(values[0]) if value is not None else 0
        return distance > 0 if operator == "Gt" else distance < 0
    answers = {
        "In": value is not None and value in values,
        "NotIn": value not in values,
        "Exists": value is not None,
        "DoesNotExist": value is None,
    }
    return answers[operator]


def _is_tolerated(spec: Object, node: Object) -> bool:
    taints = node["spec"].get("taints") or ()
    tolerations = spec.get("tolerations") or ()
    return all(
        any(_tolerates(one, taint) for one in tolerations)
        for taint in taints
        if taint["effect"] in {"NoSchedule", "NoExecute"}
    )


def _tolerates(toleration: Object, taint: Object) -> bool:
    if toleration.get("effect") and toleration["effect"] != taint["effect"]:
        return False
    if toleration.get("key") and toleration["key"] != taint["key"]:
        return False
    if toleration.get("operator", "Equal") == "Exists":
        return True
    return bool(toleration.get("key")) and toleration.get("value", "") == taint.get("value", "")


def _phase(pod: Object) -> str:
    return str((pod.get("status") or {}).get("phase", "Pending"))
