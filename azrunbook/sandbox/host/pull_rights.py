"""What a cluster's kubelets may pull: registries of the subscription, by the roles on them.

Reads the ARM store only. Nodes pull from an Azure registry as the cluster's kubelet identity, so a
role assignment that is missing is seen where Azure shows it: in the pod's events, as a 401. Here a
new assignment counts at once; Azure takes up to some minutes.
"""

import urllib.parse
from collections.abc import Iterator
from typing import Any

from azrunbook.sandbox.arm import paths, store
from azrunbook.sandbox.node import image as images

_CLUSTER = "Microsoft.ContainerService/managedClusters"
_REGISTRY = "Microsoft.ContainerRegistry/registries"
_ASSIGNMENT = "Microsoft.Authorization/roleAssignments"
_SUFFIX = ".azurecr.io"
# Built-in roles that may read images: AcrPull, AcrPush, Reader, Contributor, Owner.
_ROLES = frozenset(
    {
        "7f951dda-4ed3-4680-a7ca-43fe172d538d",
        "8311e382-0749-4cb8-b61a-304f252e45ec",
        "acdd72a7-3385-48ef-bd42-f606fba81ae7",
        "b24988ac-6180-42a0-ab88-20f7382dd24c",
        "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
    }
)


def check(stored: store.Store, cluster_id: str, reference: images.Reference) -> None:
    """Refuse an image of an Azure registry that is not there, or that the cluster may not read.

    Raises:
        images.ImagePullError: in containerd's words; PullRefusedError when it is there, and a role
            is missing.
    """
    host = reference.registry
    registry = find_registry(stored, host)
    if registry is None:
        manifest = f"https://{host}/v2/{reference.repository}/manifests/{reference.version}"
        why = (
            f'failed to do request: Head "{manifest}": dial tcp: lookup {host} on '
            "168.63.129.16:53: no such host"
        )
        raise images.ImagePullError(images.say_unresolved(reference, why))
    principal = _find_kubelet(stored, cluster_id)
    if principal not in _list_readers(stored, registry["id"]):
        query = urllib.parse.urlencode(
            {"scope": f"repository:{reference.repository}:pull", "service": host}
        )
        why = (
            "failed to authorize: failed to fetch anonymous token: unexpected status from GET "
            f"request to https://{host}/oauth2/token?{query}: 401 Unauthorized"
        )
        raise images.PullRefusedError(images.say_unresolved(reference, why))


def is_guarded(host: str) -> bool:
    """Whether a registry's host is Azure's; other registries are no matter of roles."""
    return host.endswith(_SUFFIX)


def name_host(registry_id: str) -> str:
    return f"{registry_id.rpartition('/')[2].lower()}{_SUFFIX}"


def find_registry(stored: store.Store, host: str) -> dict[str, Any] | None:
    """The registry of a login server."""
    found = stored.list_by_type(_REGISTRY)
    return next((one for one in found if one["properties"].get("loginServer") == host), None)


def _find_kubelet(stored: store.Store, cluster_id: str) -> str:
    """The object id of the identity that a cluster's nodes pull as."""
    cluster: Any = stored.find(paths.parse(cluster_id)) or {"properties": {}}
    identities = cluster["properties"].get("identityProfile") or {}
    return str(identities.get("kubeletidentity", {}).get("objectId", ""))


def _list_readers(stored: store.Store, registry_id: str) -> Iterator[str]:
    """Whoever has a role that reads, on the registry or on what it is in."""
    for one in stored.list_by_type(_ASSIGNMENT):
        has = one["properties"]
        scope = has["scope"].lower().rstrip("/")
        covers = f"{registry_id.lower()}/".startswith(f"{scope}/")
        if covers and has["roleDefinitionId"].rpartition("/")[2].lower() in _ROLES:
            yield has["principalId"]
