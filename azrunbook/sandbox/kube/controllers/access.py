"""What every controller is given: the registry, the clock, the recorder of events.

Law: no decisions; only the few writes that all controllers make in the same way.
"""

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from azrunbook.sandbox.kube import registry, resources, times
from azrunbook.sandbox.kube.controllers import events, matching, owners

Object = dict[str, Any]

MANAGER = "kube-controller-manager"


@dataclass(frozen=True)
class Access:
    """The cluster as its controllers reach it."""

    registry: registry.Registry
    events: events.Recorder
    clock: Callable[[], dt.datetime] = times.now

    def resource(self, group: str, plural: str) -> resources.Resource:
        return self.registry.resources.get(group, plural)

    def now_text(self) -> str:
        """The current instant as the API writes it."""
        return times.stamp(self.clock())

    def create(self, resource: resources.Resource, obj: Object) -> Object:
        namespace = obj["metadata"].get("namespace")
        return self.registry.create(resource, namespace, obj, manager=MANAGER)

    def replace(self, resource: resources.Resource, obj: Object) -> Object:
        namespace, name = obj["metadata"].get("namespace"), obj["metadata"]["name"]
        return self.registry.update(resource, namespace, name, obj, manager=MANAGER)

    def patch(self, resource: resources.Resource, obj: Object, body: Object) -> Object:
        """A JSON merge patch of the object."""
        namespace, name = obj["metadata"].get("namespace"), obj["metadata"]["name"]
        return self.registry.patch(resource, namespace, name, body, manager=MANAGER)

    def delete(
        self, resource: resources.Resource, obj: Object, options: Object | None = None
    ) -> None:
        """Delete this very object: one of the same name made since is left alone."""
        namespace, name = obj["metadata"].get("namespace"), obj["metadata"]["name"]
        only_this = {"preconditions": {"uid": obj["metadata"]["uid"]}}
        self.registry.delete(resource, namespace, name, options={**only_this, **(options or {})})

    def write_status(self, resource: resources.Resource, obj: Object, status: Object) -> bool:
        """Write the status if it differs; whether it did."""
        if obj.get("status") == status:
            return False
        self.replace_status(resource, {**obj, "status": status})
        return True

    def replace_status(self, resource: resources.Resource, obj: Object) -> Object:
        """Write the object's status, and of its metadata what the status may carry along."""
        namespace, name = obj["metadata"].get("namespace"), obj["metadata"]["name"]
        return self.registry.update(
            resource, namespace, name, obj, subresource="status", manager=MANAGER
        )

    def claim(
        self,
        owner: Object,
        resource: resources.Resource,
        candidates: Iterable[Object],
    ) -> list[Object]:
        """Adopt candidates that the owner's selector matches and release those it no longer does.

        Returns what the owner owns then.
        """
        selector = owner["spec"]["selector"]
        plan = owners.plan_claim(
            owner,
            candidates,
            is_match=lambda obj: matching.matches(selector, obj["metadata"].get("labels")),
        )
        owned = list(plan.owned)
        reference = owners.reference_to(owner, api_version=owner["apiVersion"], kind=owner["kind"])
        for orphan in plan.adopt:
            others = orphan["metadata"].get("ownerReferences") or []
            body = {"metadata": {"ownerReferences": [*others, reference]}}
            owned.append(self.patch(resource, orphan, body))
        for stray in plan.release:
            uid = owner["metadata"]["uid"]
            left = [o for o in stray["metadata"].get("ownerReferences") or () if o["uid"] != uid]
            self.patch(resource, stray, {"metadata": {"ownerReferences": left or None}})
        return owned


def compact(status: Object) -> Object:
    """Without the zeros that the wire leaves out (omitempty)."""
    return {name: value for name, value in status.items() if value or value is False}
