"""Which pods a ReplicaSet gives up first.

Law: pure. Source: the documentation of ReplicaSet scale-down and pod-deletion-cost, and
ActivePodsWithRanks in k8s.io/kubernetes pkg/controller/controller_utils.go.
"""

import datetime as dt
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from azrunbook.sandbox.kube import times
from azrunbook.sandbox.kube.controllers import pods

Object = dict[str, Any]

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}


def plan_deletions(
    owned: Sequence[Object], count: int, *, related: Iterable[Object], at: dt.datetime
) -> list[Object]:
    """The `count` pods to delete, most dispensable first.

    `related` are the active pods of all ReplicaSets of the same owner: of equally good pods, the
    one whose node holds most of them goes first.
    """
    crowd = Counter(pods.node_name(pod) for pod in related if pods.node_name(pod))
    ordered = sorted(owned, key=lambda pod: _rank(pod, crowd, at))
    return ordered[:count]


def _rank(pod: Object, crowd: Counter[str], at: dt.datetime) -> tuple[object, ...]:
    since = pods.ready_since(pod)
    return (
        bool(pods.node_name(pod)),
        _PHASES.get(pods.phase(pod), 1),
        pods.is_ready(pod),
        _cost(pod),
        -crowd[pods.node_name(pod)],
        _age_class(since, at) if since else 0,
        -pods.restart_count(pod),
        _age_class(pod["metadata"].get("creationTimestamp") or "", at),
        str(pod["metadata"].get("uid") or ""),
    )


def _cost(pod: Object) -> int:
    text = (pod["metadata"].get("annotations") or {}).get(DELETION_COST, "0")
    try:
        return int(text)
    except ValueError:
        return 0


def _age_class(since: str, at: dt.datetime) -> int:
    """The power of two of the age in seconds: pods of about one age count as equally old."""
    if not since:
        return 0
    age_seconds = (at - times.parse(since)).total_seconds()
    return int(math.log2(age_seconds)) + 1 if age_seconds >= 1 else 0
