"""The Deployment controller: from a template to ReplicaSets, one step at a time.

Law: each reconcile makes at most one step up or down and writes the status; the change of the
ReplicaSet that follows brings the next. The numbers are decided in rollout.py, the revisions in
revisions.py, the conditions in deployment_status.py.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from azrunbook.sandbox.kube import errors
from azrunbook.sandbox.kube.controllers import (
    conditions,
    deployment_status,
    loop,
    matching,
    owners,
    pod_template,
    pods,
    revisions,
    rollout,
)
from azrunbook.sandbox.kube.controllers.access import Access

Object = dict[str, Any]

COMPONENT = "deployment-controller"


class DeploymentController:
    """Rolls Deployments out."""

    name = "deployment"

    def __init__(self, cluster: Access) -> None:
        self._cluster = cluster
        self._deployments = cluster.resource("apps", "deployments")
        self._replica_sets = cluster.resource("apps", "replicasets")
        self._pods = cluster.resource("", "pods")

    def watches(self) -> Sequence[loop.Watch]:
        return [
            loop.Watch(self._deployments, loop.own_key),
            loop.Watch(self._replica_sets, self._of_replica_set),
            loop.Watch(self._pods, self._of_deleted_pod),
        ]

    def _of_replica_set(self, change: loop.Change) -> Iterable[loop.Key]:
        for state in change.states:
            owner = owners.find_controller(state)
            namespace = state["metadata"]["namespace"]
            if owner is not None and owner["kind"] == "Deployment":
                yield (namespace, owner["name"])
            elif owner is None:
                for deployment in self._cluster.registry.list(self._deployments, namespace):
                    selector = deployment["spec"]["selector"]
                    if matching.matches(selector, state["metadata"].get("labels")):
                        yield loop.key_of(deployment)

    def _of_deleted_pod(self, change: loop.Change) -> Iterable[loop.Key]:
        """A Recreate waits for the last old pod to be gone."""
        owner = owners.find_controller(change.object)
        if change.type != "DELETED" or owner is None or owner["kind"] != "ReplicaSet":
            return
        namespace = change.object["metadata"]["namespace"]
        replica_set = self._cluster.registry.find(self._replica_sets, namespace, owner["name"])
        above = owners.find_controller(replica_set) if replica_set else None
        if above is not None and above["kind"] == "Deployment":
            yield (namespace, above["name"])

    def reconcile(self, key: loop.Key) -> float | None:
        deployment = self._cluster.registry.find(self._deployments, *key)
        if deployment is None:
            return None
        return _Rollout(self._cluster, deployment).step()


class _Rollout:
    """One reconcile of one Deployment."""

    def __init__(self, cluster: Access, deployment: Object) -> None:
        self.cluster = cluster
        self.deployment = deployment
        self.resource = cluster.resource("apps", "deployments")
        self.replica_sets = cluster.resource("apps", "replicasets")
        self.bounds = revisions.bounds_of(deployment)
        candidates = cluster.registry.list(self.replica_sets, deployment["metadata"]["namespace"])
        self.sets: list[Object] = cluster.claim(deployment, self.replica_sets, candidates)
        self.revision = revisions.revision_of(deployment)
        self.progress: Object | None = None
        """A Progressing condition that this step gave rise to."""

    @property
    def new(self) -> Object | None:
        return revisions.find_new(self.deployment, self.sets)

    @property
    def old(self) -> list[Object]:
        new = self.new
        uid = new["metadata"]["uid"] if new else None
        return [rs for rs in revisions.oldest_first(self.sets) if rs["metadata"]["uid"] != uid]

    def step(self) -> float | None:
        if "deletionTimestamp" in self.deployment["metadata"]:
            self._write(self._counted())
            return None
        self._note_pause()
        if self.deployment["spec"].get("paused") or self._is_scaling():
            return self._scale_in_place()
        has_moved = self._roll() if self._is_rolling() else self._recreate()
        status = self._counted()
        status = deployment_status.with_progress(
            self.deployment, self.new, status, old=self.old, at=self.cluster.clock()
        )
        if not has_moved and deployment_status.is_complete(self.deployment, status):
            self._clean_up()
        self._write(status)
        return deployment_status.seconds_to_deadline(
            self.deployment, status, at=self.cluster.clock()
        )

    def _is_rolling(self) -> bool:
        strategy = self.deployment["spec"].get("strategy") or {}
        return bool(strategy.get("type") != "Recreate")

    # -- strategies: each returns whether it changed a size ---------------------------------

    def _roll(self) -> bool:
        new = self._ensure_new()
        old = [revisions.sizes_of(rs) for rs in self.old]
        size = rollout.plan_new_size(self.bounds, revisions.replicas_of(new), old)
        if self._resize(new, size):
            return True
        sizes = rollout.plan_old_sizes(self.bounds, revisions.sizes_of(new), old)
        return self._resize_all(self.old, sizes)

    def _recreate(self) -> bool:
        old = self.old
        if self._resize_all(old, {rs["metadata"]["name"]: 0 for rs in old}):
            return True
        if self._has_old_pods():
            return False
        return self._resize(self._ensure_new(), self.bounds.replicas)

    def _has_old_pods(self) -> bool:
        if any(rs.get("status", {}).get("replicas") for rs in self.old):
            return True
        namespace = self.deployment["metadata"]["namespace"]
        listed = self.cluster.registry.list(self.cluster.resource("", "pods"), namespace)
        return any(
            not pods.is_done(pod) and any(revisions.is_from(pod, rs) for rs in self.old)
            for pod in listed
        )

    def _scale_in_place(self) -> float | None:
        """The wanted number changed, or the rollout is paused: scale, but do not roll."""
        new = self._ensure_new() if self.new is not None else None
        self._scale(new)
        if self.deployment["spec"].get("paused"):
            self._clean_up()
        status = self._counted()
        self._write(status)
        return deployment_status.seconds_to_deadline(
            self.deployment, status, at=self.cluster.clock()
        )

    def _is_scaling(self) -> bool:
        wanted = str(self.bounds.replicas)
        annotations = (
            rs["metadata"].get("annotations") or {}
            for rs in self.sets
            if revisions.replicas_of(rs) > 0
        )
        return any(found.get(revisions.DESIRED, wanted) != wanted for found in annotations)

    def _scale(self, new: Object | None) -> None:
        active = [rs for rs in self.sets if revisions.replicas_of(rs) > 0]
        if len(active) <= 1:
            only = active[0] if active else new
            only = only or max(self.sets, key=revisions.revision_of, default=None)
            if only is not None:
                self._resize(only, self.bounds.replicas, annotate=True)
            return
        if new is not None and self._is_saturated(new):
            self._resize_all(self.old, {rs["metadata"]["name"]: 0 for rs in self.old})
            self._resize(new, self.bounds.replicas, annotate=True)
            return
        if not self._is_rolling():
            return
        newest_first = list(reversed(revisions.oldest_first(active)))
        sizes = rollout.plan_proportional_sizes(
            self.bounds,
            [revisions.sizes_of(rs) for rs in newest_first],
            status_replicas=int(self.deployment.get("status", {}).get("replicas") or 0),
        )
        self._resize_all(newest_first, sizes, annotate=True)

    def _is_saturated(self, new: Object) -> bool:
        """The new ReplicaSet has all of the pods that were wanted, and they are available."""
        wanted = str(self.bounds.replicas)
        annotations = new["metadata"].get("annotations") or {}
        available = new.get("status", {}).get("availableReplicas", 0)
        return bool(
            annotations.get(revisions.DESIRED) == wanted
            and revisions.replicas_of(new) == available == self.bounds.replicas
        )

    # -- ReplicaSets ----------------------------------------------------------------------------

    def _ensure_new(self) -> Object:
        """The new ReplicaSet, made or brought to the next revision; notes what happened."""
        existing = self.new
        revision = revisions.next_revision(self.old)
        if existing is None:
            made = self._create_new(revision)
        else:
            made = self._refresh_new(existing, revision)
        self.revision = revisions.revision_of(made)
        return made

    def _create_new(self, revision: int) -> Object:
        old = [revisions.sizes_of(rs) for rs in self.old]
        size = self.bounds.replicas
        if self._is_rolling():
            size = rollout.plan_new_size(self.bounds, 0, old)
        reference = owners.reference_to(self.deployment, api_version="apps/v1", kind="Deployment")
        wanted = revisions.plan_replica_set(
            self.deployment,
            size=size,
            revision=revision,
            bounds=self.bounds,
            reference=reference,
        )
        try:
            made = self.cluster.create(self.replica_sets, wanted)
        except errors.StatusError as error:
            self._note_failed_create(error, wanted)
            raise
        self.sets.append(made)
        name = made["metadata"]["name"]
        self._note_progress("NewReplicaSetCreated", f'Created new replica set "{name}"')
        if size:
            self._tell(f"Scaled up replica set {name} from 0 to {size}")
        return made

    def _note_failed_create(self, error: errors.StatusError, wanted: Object) -> None:
        """A name taken by another template is a hash collision; other failures are shown."""
        if pod_template.is_leaving(error):
            return
        status = dict(self.deployment.get("status") or {})
        if error.reason == "AlreadyExists":
            status["collisionCount"] = int(status.get("collisionCount") or 0) + 1
        else:
            message = f'Failed to create new replica set "{wanted["metadata"]["name"]}": {error}'
            failed = deployment_status.condition(
                "Progressing", False, "ReplicaSetCreateError", message, at=self.cluster.now_text()
            )
            found = status.get("conditions") or []
            status["conditions"] = deployment_status.with_condition(found, failed)
            self.cluster.events.warning(
                self.deployment, "ReplicaSetCreateError", message, component=COMPONENT
            )
        self.cluster.write_status(self.resource, self.deployment, status)

    def _refresh_new(self, existing: Object, revision: int) -> Object:
        annotations = revisions.new_annotations(self.deployment, existing, revision, self.bounds)
        minimum = self.deployment["spec"].get("minReadySeconds", 0)
        if "Progressing" not in {
            one["type"] for one in self.deployment.get("status", {}).get("conditions") or ()
        }:
            name = existing["metadata"]["name"]
            self._note_progress("FoundNewReplicaSet", f'Found new replica set "{name}"')
        is_same = (
            annotations == (existing["metadata"].get("annotations") or {})
            and existing["spec"].get("minReadySeconds", 0) == minimum
        )
        if is_same:
            return existing
        body = {"metadata": {"annotations": annotations}, "spec": {"minReadySeconds": minimum}}
        return self._kept(self.cluster.patch(self.replica_sets, existing, body))

    def _resize_all(
        self, sets: Sequence[Object], sizes: dict[str, int], *, annotate: bool = False
    ) -> bool:
        moved = [self._resize(rs, sizes[rs["metadata"]["name"]], annotate=annotate) for rs in sets]
        return any(moved)

    def _resize(self, replica_set: Object, size: int, *, annotate: bool = False) -> bool:
        """Scale one ReplicaSet and say so; whether its size changed."""
        before = revisions.replicas_of(replica_set)
        wanted = revisions.scale_annotations(self.bounds)
        present = replica_set["metadata"].get("annotations") or {}
        is_annotated = all(present.get(key) == value for key, value in wanted.items())
        if before == size and (is_annotated or not annotate):
            return False
        body = {"metadata": {"annotations": wanted}, "spec": {"replicas": size}}
        self._kept(self.cluster.patch(self.replica_sets, replica_set, body))
        if before == size:
            return False
        direction = "up" if size > before else "down"
        name = replica_set["metadata"]["name"]
        self._tell(f"Scaled {direction} replica set {name} from {before} to {size}")
        return True

    def _kept(self, changed: Object) -> Object:
        uid = changed["metadata"]["uid"]
        self.sets = [changed if rs["metadata"]["uid"] == uid else rs for rs in self.sets]
        return changed

    def _clean_up(self) -> None:
        limit = self.deployment["spec"].get("revisionHistoryLimit")
        for replica_set in revisions.plan_cleanup(self.old, limit):
            self.cluster.delete(self.replica_sets, replica_set)

    # -- the Deployment itself ------------------------------------------------------------------

    def _note_pause(self) -> None:
        """Pausing and resuming stop and restart the clock of the progress deadline."""
        if deployment_status.deadline_seconds(self.deployment) is None:
            return
        found = self.deployment.get("status", {}).get("conditions") or ()
        current = conditions.find(found, "Progressing") or {}
        if current.get("reason") == deployment_status.TIMED_OUT:
            return
        is_noted = current.get("reason") == "DeploymentPaused"
        is_paused = bool(self.deployment["spec"].get("paused"))
        if is_paused and not is_noted:
            self._note_progress("DeploymentPaused", "Deployment is paused", status="Unknown")
        elif is_noted and not is_paused:
            self._note_progress("DeploymentResumed", "Deployment is resumed", status="Unknown")

    def _note_progress(self, reason: str, message: str, *, status: str = "True") -> None:
        if deployment_status.deadline_seconds(self.deployment) is None:
            return
        self.progress = deployment_status.condition(
            "Progressing", status, reason, message, at=self.cluster.now_text()
        )

    def _counted(self) -> Object:
        status = deployment_status.count(
            self.deployment, self.new, self.old, at=self.cluster.now_text()
        )
        if self.progress is not None:
            status["conditions"] = deployment_status.with_condition(
                status["conditions"], self.progress
            )
        return status

    def _write(self, status: Object) -> None:
        """Write what differs.

        The revision goes with the status: set in any other way it counts as a new generation.
        """
        changed = self.deployment
        if self.revision != revisions.revision_of(self.deployment):
            metadata = self.deployment["metadata"]
            annotations = {
                **(metadata.get("annotations") or {}),
                revisions.REVISION: str(self.revision),
            }
            changed = {**changed, "metadata": {**metadata, "annotations": annotations}}
        elif status == self.deployment.get("status"):
            return
        self.cluster.replace_status(self.resource, {**changed, "status": status})

    def _tell(self, message: str) -> None:
        self.cluster.events.normal(
            self.deployment, "ScalingReplicaSet", message, component=COMPONENT
        )
