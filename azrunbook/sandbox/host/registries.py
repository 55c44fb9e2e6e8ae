"""Azure's registries made real: pushes, the registry's own builds, and what nodes may pull.

Joins the ARM store (which registries there are, who may pull), the registries' data plane (what is
in them) and the nodes' images. A build by the registry is known to its data plane by tag and
digest; a pushed image is handed to the nodes' store under its digest.
"""

import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from azrunbook.sandbox.arm import store as arm_store
from azrunbook.sandbox.host import pull_rights
from azrunbook.sandbox.node import image, images
from azrunbook.sandbox.registry import content, server

_REGISTRY = "Microsoft.ContainerRegistry/registries"
_BUILT = "application/vnd.docker.distribution.manifest.v2+json"
_PLATFORM = {"os": "linux", "architecture": "amd64"}
# Whoever signs in to a sandbox owns its subscription.
_ACTIONS = frozenset({"pull", "push", "delete"})


class Registries:
    """Every registry of the sandbox."""

    def __init__(
        self,
        *,
        address: str,
        ssl_context: ssl.SSLContext,
        folder: Path,
        store: images.ImageStore,
        find_resources: Callable[[], arm_store.Store],
        is_token_valid: Callable[[str], bool],
    ) -> None:
        self._store = store
        self._find_resources = find_resources
        self._is_token_valid = is_token_valid
        self._address = address
        self._server = server.RegistryServer(
            address=address, ssl_context=ssl_context, folder=folder, directory=self
        )

    @property
    def place(self) -> str:
        """``address:port`` of the listener of every login server."""
        return f"{self._address}:{self._server.port}"

    async def start(self) -> None:
        await self._server.start()
        self._find_resources().subscribe(self._follow)

    async def stop(self) -> None:
        await self._server.stop()

    def has(self, registry: str) -> bool:
        return pull_rights.find_registry(self._find_resources(), registry) is not None

    def list_actions(self, token: str) -> frozenset[str]:
        return _ACTIONS if self._is_token_valid(token) else frozenset()

    async def build(
        self,
        context: bytes,
        dockerfile: str,
        names: list[str],
        log: Callable[[str], None],
        *,
        arguments: Mapping[str, str],
    ) -> str:
        """Build an image and note it in the registry of each name."""
        digest = await self._store.build(context, dockerfile, names, log, arguments=arguments)
        for name in names:
            known = image.parse_reference(name)
            held = self._server.get_content(known.registry)
            held.put_built(known.repository, known.tag, digest, _BUILT)
        return digest

    async def pushed(self, registry: str, name: str, manifest: content.Manifest) -> None:
        """Hand an image to the nodes; of several platforms the nodes' own."""
        held, repository = self._server.get_content(registry), name.partition("@")[0]
        body = manifest.read()
        if manifest.media_type in content.INDEXES:
            chosen = _choose(body)
            if chosen is None:
                return
            repository = repository.partition(":")[0]
            body = held.get_manifest(repository, chosen).read()
        if "layers" in body:
            await self._store.take([f"{registry}/{name}"], manifest.digest, body, held.find_blob)

    def check_pull(self, cluster_id: str, reference: image.Reference) -> None:
        """Refuse what a cluster may not pull, or what its registry does not have.

        Raises:
            image.ImagePullError: in containerd's words.
        """
        if not pull_rights.is_guarded(reference.registry):
            return
        pull_rights.check(self._find_resources(), cluster_id, reference)
        try:
            held = self._server.get_content(reference.registry)
            held.get_manifest(reference.repository, reference.version)
        except content.RegistryError as error:
            raise image.not_found(reference) from error

    def _follow(self, kind: str, resource_id: str, resource_type: str) -> None:
        if kind == "delete" and resource_type == _REGISTRY:
            self._server.forget(pull_rights.name_host(resource_id))


def _choose(index: dict[str, Any]) -> str | None:
    """The digest of the manifest for the nodes' platform."""
    for one in index["manifests"]:
        if _PLATFORM.items() <= (one.get("platform") or {}).items():
            return str(one["digest"])
    return None
