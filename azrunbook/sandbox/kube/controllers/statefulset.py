"""The StatefulSet controller: pods with an ordinal, a name that stays, and claims of their own.

Law: the next step is ordinals.py's. Volume claims are created and kept; binding
them is persistent_volumes.py's.
"""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from azrunbook.sandbox.kube import errors
from azrunbook.sandbox.kube.controllers import (
    access,
    claim_retention,
    controller_revisions,
    loop,
    ordinals,
    owners,
    pod_template,
    pods,
    quantities,
)
from azrunbook.sandbox.kube.controllers.access import Access

Object = dict[str, Any]

COMPONENT = "statefulset-controller"
NAME_LABEL = "statefulset.kubernetes.io/pod-name"
INDEX_LABEL = "apps.kubernetes.io/pod-index"


class StatefulSetController:
    """Creates, updates and deletes the pods of StatefulSets in their order."""

    name = "statefulset"

    def __init__(self, cluster: Access) -> None:
        self._cluster = cluster
        self._sets = cluster.resource("apps", "statefulsets")
        self._pods = cluster.resource("", "pods")
        self._claims = cluster.resource("", "persistentvolumeclaims")

    def watches(self) -> Sequence[loop.Watch]:
        return [loop.Watch(self._sets, loop.own_key), loop.Watch(self._pods, _of_pod)]

    def reconcile(self, key: loop.Key) -> float | None:
        stateful = self._cluster.registry.find(self._sets, *key)
        if stateful is None:
            return None
        update = controller_revisions.ensure_current(self._cluster, stateful)
        members = self._members(stateful)
        failure: errors.StatusError | None = None
        if "deletionTimestamp" not in stateful["metadata"]:
            claim_retention.retain(self._cluster, stateful, members)
            step = ordinals.plan_step(self._goal(stateful, update), self._seen(stateful, members))
            try:
                self._take(stateful, step, members, update)
            except errors.StatusError as error:
                failure = None if pod_template.is_leaving(error) else error
            members = self._members(stateful)
        status = self._status(stateful, members, update)
        self._cluster.write_status(self._sets, stateful, status)
        if failure is not None:
            raise failure
        used = [_revision(pod) for pod in members.values()]
        names = (status["currentRevision"], status["updateRevision"])
        used += [name.rpartition("-")[2] for name in names]
        controller_revisions.truncate(self._cluster, stateful, used)
        return self._seconds_to_available(stateful, members)

    def _members(self, stateful: Object) -> dict[int, Object]:
        """The pods by ordinal; a pod whose name has none is not one of them."""
        prefix = stateful["metadata"]["name"] + "-"
        listed = self._cluster.registry.list(self._pods, stateful["metadata"]["namespace"])
        named = [pod for pod in listed if pod["metadata"]["name"].startswith(prefix)]
        found = {}
        for pod in self._cluster.claim(stateful, self._pods, named):
            text = pod["metadata"]["name"][len(prefix) :]
            if text.isdigit():
                found[int(text)] = pod
        return found

    def _goal(self, stateful: Object, update: Object) -> ordinals.Goal:
        spec = stateful["spec"]
        strategy = spec.get("updateStrategy") or {}
        rolling = strategy.get("rollingUpdate") or {}
        most = rolling.get("maxUnavailable")
        replicas = int(spec.get("replicas", 1))
        if most is not None:
            most = max(1, quantities.resolve_share(most, replicas, round_up=False))
        return ordinals.Goal(
            replicas=replicas,
            start=int((spec.get("ordinals") or {}).get("start") or 0),
            update_revision=controller_revisions.hash_of(update),
            partition=int(rolling.get("partition") or 0),
            is_parallel=spec.get("podManagementPolicy") == "Parallel",
            is_rolling=_is_rolling(stateful),
            max_unavailable=most,
        )

    def _seen(self, stateful: Object, members: dict[int, Object]) -> dict[int, ordinals.Member]:
        return {
            ordinal: ordinals.Member(
                _revision(pod),
                is_healthy=self._is_available(stateful, pod) and not pods.is_terminating(pod),
                is_terminating=pods.is_terminating(pod),
                is_done=pods.is_done(pod),
            )
            for ordinal, pod in members.items()
        }

    def _is_available(self, stateful: Object, pod: Object) -> bool:
        minimum = int(stateful["spec"].get("minReadySeconds") or 0)
        return pods.is_available(pod, min_ready_seconds=minimum, at=self._cluster.clock())

    def _take(
        self, stateful: Object, step: ordinals.Step, members: dict[int, Object], update: Object
    ) -> None:
        for ordinal in step.create:
            self._create(stateful, ordinal, update)
        for ordinal in step.delete:
            pod = members[ordinal]
            self._warn_of_end(stateful, pod)
            with self._told(stateful, "Delete", f"Pod {pod['metadata']['name']}"):
                self._cluster.delete(self._pods, pod)

    def _warn_of_end(self, stateful: Object, pod: Object) -> None:
        if not pods.is_done(pod):
            return
        is_failed = pods.phase(pod) == "Failed"
        word = "failed" if is_failed else "terminated"
        namespace, name = loop.key_of(stateful)
        message = (
            f"StatefulSet {namespace}/{name} is recreating {word} Pod {pod['metadata']['name']}"
        )
        tell = self._cluster.events.warning if is_failed else self._cluster.events.normal
        tell(stateful, f"Recreating{word.capitalize()}Pod", message, component=COMPONENT)

    @contextlib.contextmanager
    def _told(
        self, stateful: Object, verb: str, what: str, done: str = "successful"
    ) -> Iterator[None]:
        """Say in an event what was done, or why it could not be."""
        start = f"{verb.lower()} {what} in StatefulSet {stateful['metadata']['name']}"
        events = self._cluster.events
        try:
            yield
        except errors.StatusError as error:
            if error.reason != "AlreadyExists" and not pod_template.is_leaving(error):
                message = f"{start} failed error: {error}"
                events.warning(stateful, f"Failed{verb}", message, component=COMPONENT)
            raise
        events.normal(stateful, f"Successful{verb}", f"{start} {done}", component=COMPONENT)

    def _create(self, stateful: Object, ordinal: int, update: Object) -> None:
        goal = self._goal(stateful, update)
        revision = update
        if ordinal < goal.start + goal.partition:
            revision = self._current(stateful, update)
        name = f"{stateful['metadata']['name']}-{ordinal}"
        template = controller_revisions.template_of(revision)
        made = pod_template.plan_pod(template, stateful, name=name)
        made["metadata"]["labels"] |= {
            NAME_LABEL: name,
            INDEX_LABEL: str(ordinal),
            controller_revisions.HASH_LABEL: controller_revisions.hash_of(revision),
        }
        made["spec"] = {
            **made["spec"],
            "hostname": name,
            "subdomain": stateful["spec"].get("serviceName") or "",
            "volumes": self._volumes(stateful, made["spec"], name),
        }
        with self._told(stateful, "Create", f"Pod {name}"):
            self._cluster.create(self._pods, made)

    def _volumes(self, stateful: Object, spec: Object, pod_name: str) -> list[Object]:
        """The template's volumes, with one claim per claim template in their place."""
        claimed = []
        for template in stateful["spec"].get("volumeClaimTemplates") or ():
            volume = template["metadata"]["name"]
            claim_name = f"{volume}-{pod_name}"
            claimed.append({"name": volume, "persistentVolumeClaim": {"claimName": claim_name}})
            namespace = stateful["metadata"]["namespace"]
            if self._cluster.registry.find(self._claims, namespace, claim_name) is None:
                labels = stateful["spec"]["selector"].get("matchLabels") or {}
                claim = {
                    "apiVersion": "v1",
                    "kind": "PersistentVolumeClaim",
                    "metadata": {"name": claim_name, "namespace": namespace, "labels": labels},
                    "spec": template["spec"],
                }
                what = f"Claim {claim_name} Pod {pod_name}"
                with self._told(stateful, "Create", what, "success"):
                    self._cluster.create(self._claims, claim)
        names = {volume["name"] for volume in claimed}
        return [one for one in spec.get("volumes") or () if one["name"] not in names] + claimed

    def _current(self, stateful: Object, update: Object) -> Object:
        """The revision that pods below the partition stay on."""
        name = stateful.get("status", {}).get("currentRevision")
        history = controller_revisions.list_revisions(self._cluster, stateful)
        return next((one for one in history if one["metadata"]["name"] == name), update)

    def _status(self, stateful: Object, members: dict[int, Object], update: Object) -> Object:
        current = self._current(stateful, update)
        live = [pod for pod in members.values() if not pods.is_terminating(pod)]
        updated = sum(_revision(p) == controller_revisions.hash_of(update) for p in live)
        ready = sum(pods.is_ready(pod) for pod in members.values())
        is_even = updated == ready == int(stateful["spec"].get("replicas", 1)) == len(members)
        if is_even and _is_rolling(stateful):
            current = update
        status = access.compact(
            {
                "observedGeneration": stateful["metadata"].get("generation", 0),
                "readyReplicas": ready,
                "currentReplicas": sum(
                    _revision(p) == controller_revisions.hash_of(current) for p in live
                ),
                "updatedReplicas": updated,
            }
        )
        return {
            **status,
            "replicas": len(members),
            "availableReplicas": sum(self._is_available(stateful, pod) for pod in members.values()),
            "currentRevision": current["metadata"]["name"],
            "updateRevision": update["metadata"]["name"],
            "collisionCount": stateful.get("status", {}).get("collisionCount") or 0,
        }

    def _seconds_to_available(self, stateful: Object, members: dict[int, Object]) -> float | None:
        minimum = int(stateful["spec"].get("minReadySeconds") or 0)
        now = self._cluster.clock()
        waits = (
            pods.seconds_to_available(pod, min_ready_seconds=minimum, at=now)
            for pod in members.values()
        )
        return min((seconds for seconds in waits if seconds > 0), default=None)


def _is_rolling(stateful: Object) -> bool:
    strategy = stateful["spec"].get("updateStrategy") or {}
    return bool(strategy.get("type", "RollingUpdate") == "RollingUpdate")


def _revision(pod: Object) -> str:
    return str((pod["metadata"].get("labels") or {}).get(controller_revisions.HASH_LABEL, ""))


def _of_pod(change: loop.Change) -> Iterable[loop.Key]:
    owner = owners.find_controller(change.object)
    if owner is not None and owner["kind"] == "StatefulSet":
        yield (change.object["metadata"]["namespace"], owner["name"])
