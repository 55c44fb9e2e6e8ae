"""From a pod template to a pod, and the events of creating and deleting pods.

Law: a pod that cannot be created says so in an event of its owner and the error goes on.
"""

from typing import Any

from azrunbook.sandbox.kube import errors
from azrunbook.sandbox.kube.controllers import owners
from azrunbook.sandbox.kube.controllers.access import Access

Object = dict[str, Any]


def plan_pod(template: Object, owner: Object, *, name: str | None = None) -> Object:
    """A pod of this template controlled by `owner`; the server makes up a name if none is given."""
    there = template.get("metadata") or {}
    metadata: Object = {
        "namespace": owner["metadata"]["namespace"],
        "labels": dict(there.get("labels") or {}),
        "ownerReferences": [
            owners.reference_to(owner, api_version=owner["apiVersion"], kind=owner["kind"])
        ],
    }
    if there.get("annotations"):
        metadata["annotations"] = dict(there["annotations"])
    if there.get("finalizers"):
        metadata["finalizers"] = list(there["finalizers"])
    if name is None:
        metadata["generateName"] = owner["metadata"]["name"] + "-"
    else:
        metadata["name"] = name
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


def create_pod(cluster: Access, pod: Object, owner: Object, *, component: str) -> Object | None:
    """Create the pod; None if its namespace is being deleted, which ends all creation.

    Raises StatusError after saying so in an event of the owner.
    """
    try:
        made = cluster.create(cluster.resource("", "pods"), pod)
    except errors.StatusError as error:
        if is_leaving(error):
            return None
        message = f"Error creating: {error}"
        cluster.events.warning(owner, "FailedCreate", message, component=component)
        raise
    message = f"Created pod: {made['metadata']['name']}"
    cluster.events.normal(owner, "SuccessfulCreate", message, component=component)
    return made


def is_leaving(error: errors.StatusError) -> bool:
    """Whether the namespace is being deleted: nobody needs to be told, nothing to be retried."""
    return error.reason == "Forbidden" and "being terminated" in error.message


def delete_pod(cluster: Access, pod: Object, owner: Object, *, component: str) -> None:
    """Delete the pod gracefully; one that is gone already is no error."""
    name = pod["metadata"]["name"]
    try:
        cluster.delete(cluster.resource("", "pods"), pod)
    except errors.StatusError as error:
        if error.code in (404, 409):
            return
        message = f"Error deleting: {error}"
        cluster.events.warning(owner, "FailedDelete", message, component=component)
        raise
    cluster.events.normal(owner, "SuccessfulDelete", f"Deleted pod: {name}", component=component)
