"""The ReplicaSet controller: as many pods as wanted, and a status that counts them.

Law: reads and writes through the registry only. Which pods go first is deletion_order.py's.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from azrunbook.sandbox.kube import errors
from azrunbook.sandbox.kube.controllers import (
    access,
    conditions,
    deletion_order,
    loop,
    matching,
    owners,
    pod_template,
    pods,
)
from azrunbook.sandbox.kube.controllers.access import Access

Object = dict[str, Any]

COMPONENT = "replicaset-controller"
BURST = 500  # pods created or deleted in one go


class ReplicaSetController:
    """Keeps the number of pods of each ReplicaSet."""

    name = "replicaset"

    def __init__(self, cluster: Access) -> None:
        self._cluster = cluster
        self._sets = cluster.resource("apps", "replicasets")
        self._pods = cluster.resource("", "pods")

    def watches(self) -> Sequence[loop.Watch]:
        return [
            loop.Watch(self._sets, loop.own_key),
            loop.Watch(self._pods, self._of_pod),
        ]

    def _of_pod(self, change: loop.Change) -> Iterable[loop.Key]:
        for state in change.states:
            namespace = state["metadata"]["namespace"]
            owner = owners.find_controller(state)
            if owner is not None and owner["kind"] == "ReplicaSet":
                yield (namespace, owner["name"])
            elif owner is None:
                for replica_set in self._cluster.registry.list(self._sets, namespace):
                    selector = replica_set["spec"]["selector"]
                    if matching.matches(selector, state["metadata"].get("labels")):
                        yield loop.key_of(replica_set)

    def reconcile(self, key: loop.Key) -> float | None:
        replica_set = self._cluster.registry.find(self._sets, *key)
        if replica_set is None:
            return None
        listed = self._cluster.registry.list(self._pods, key[0])
        unfinished = [pod for pod in listed if not pods.is_done(pod)]
        owned = self._cluster.claim(replica_set, self._pods, unfinished)
        active = [pod for pod in owned if pods.is_active(pod)]
        failure: errors.StatusError | None = None
        if "deletionTimestamp" not in replica_set["metadata"]:
            try:
                active = self._manage(replica_set, active)
            except errors.StatusError as error:
                failure = error
        status = self._status(replica_set, owned, active, failure)
        self._cluster.write_status(self._sets, replica_set, status)
        if failure is not None:
            raise failure
        return self._seconds_to_available(replica_set, active)

    def _manage(self, replica_set: Object, active: list[Object]) -> list[Object]:
        """Create or delete pods; the pods that there are then."""
        wanted = int(replica_set["spec"].get("replicas", 1))
        missing = min(wanted - len(active), BURST)
        if missing > 0:
            template = replica_set["spec"]["template"]
            made = [
                pod_template.create_pod(
                    self._cluster,
                    pod_template.plan_pod(template, replica_set),
                    replica_set,
                    component=COMPONENT,
                )
                for _ in range(missing)
            ]
            return [*active, *(pod for pod in made if pod is not None)]
        if missing == 0:
            return active
        leaving = deletion_order.plan_deletions(
            active,
            min(-missing, BURST),
            related=self._related(replica_set),
            at=self._cluster.clock(),
        )
        for pod in leaving:
            pod_template.delete_pod(self._cluster, pod, replica_set, component=COMPONENT)
        gone = {pod["metadata"]["uid"] for pod in leaving}
        return [pod for pod in active if pod["metadata"]["uid"] not in gone]

    def _related(self, replica_set: Object) -> list[Object]:
        """The active pods of all ReplicaSets of the same owner."""
        namespace = replica_set["metadata"]["namespace"]
        owner = owners.find_controller(replica_set)
        family = {replica_set["metadata"]["uid"]}
        if owner is not None:
            for other in self._cluster.registry.list(self._sets, namespace):
                above = owners.find_controller(other)
                if above is not None and above["uid"] == owner["uid"]:
                    family.add(other["metadata"]["uid"])
        return [
            pod
            for pod in self._cluster.registry.list(self._pods, namespace)
            if pods.is_active(pod)
            and (controller := owners.find_controller(pod)) is not None
            and controller["uid"] in family
        ]

    def _status(
        self,
        replica_set: Object,
        owned: Sequence[Object],
        active: Sequence[Object],
        failure: errors.StatusError | None,
    ) -> Object:
        wanted = replica_set["spec"]["template"]["metadata"].get("labels") or {}
        minimum = int(replica_set["spec"].get("minReadySeconds") or 0)
        now = self._cluster.clock()
        current = {pod["metadata"]["uid"] for pod in active}
        status = access.compact(
            {
                "fullyLabeledReplicas": sum(
                    wanted.items() <= (pod["metadata"].get("labels") or {}).items()
                    for pod in active
                ),
                "readyReplicas": sum(pods.is_ready(pod) for pod in active),
                "availableReplicas": sum(
                    pods.is_available(pod, min_ready_seconds=minimum, at=now) for pod in active
                ),
                "observedGeneration": replica_set["metadata"].get("generation", 0),
            }
        )
        status["replicas"] = len(active)
        status["terminatingReplicas"] = sum(
            pods.is_terminating(pod) and pod["metadata"]["uid"] not in current for pod in owned
        )
        found = self._conditions(replica_set, active, failure)
        return {**status, "conditions": found} if found else status

    def _conditions(
        self, replica_set: Object, active: Sequence[Object], failure: errors.StatusError | None
    ) -> list[Object]:
        present = replica_set.get("status", {}).get("conditions") or []
        if failure is None:
            return conditions.without(present, "ReplicaFailure")
        if conditions.find(present, "ReplicaFailure"):
            return list(present)
        is_short = len(active) < int(replica_set["spec"].get("replicas", 1))
        made = conditions.condition(
            "ReplicaFailure",
            True,
            at=self._cluster.now_text(),
            reason="FailedCreate" if is_short else "FailedDelete",
            message=str(failure),
        )
        return [*present, made]

    def _seconds_to_available(self, replica_set: Object, active: Iterable[Object]) -> float | None:
        """When the next ready pod will have been ready for long enough."""
        minimum = int(replica_set["spec"].get("minReadySeconds") or 0)
        now = self._cluster.clock()
        waits = [
            pods.seconds_to_available(pod, min_ready_seconds=minimum, at=now)
            for pod in active
            if pods.is_ready(pod)
        ]
        return min((seconds for seconds in waits if seconds > 0), default=None)
