"""Storage accounts made real: doors, addresses and names of the Blob service, from ARM's documents.

Who signed in with a token for storage may read and write every blob: the sandbox's identities
stand for ones that hold *Storage Blob Data Contributor* on the subscription. Pods find an account
by name on port 443, where that can be had; the edge and the machine that the sandbox runs on use a
door of their own.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from azrunbook.sandbox import tls
from azrunbook.sandbox.arm import paths, store as arm_store
from azrunbook.sandbox.data import blob_service
from azrunbook.sandbox.host import addresses

_LOG = logging.getLogger(__name__)
_ACCOUNT = "Microsoft.Storage/storageAccounts"
_CONTAINER = f"{_ACCOUNT}/blobServices/containers"
_HTTPS = 443


class BlobAccounts:
    """The Blob service of every account that ARM has."""

    def __init__(
        self,
        block: addresses.Block,
        authority: tls.Authority,
        *,
        check_token: Callable[[str], bool],
    ) -> None:
        self._block = block
        self._hosts = block.blobs.hosts()
        self._inside = str(next(self._hosts))
        suffix = blob_service.SUFFIX
        self._context = authority.server_context(
            f"*{suffix}", f"*.privatelink{suffix}", block.server, self._inside
        )
        self._service = blob_service.BlobService(
            find_account=self._find, check_token=check_token, is_down=self._is_down
        )
        self._store: arm_store.Store | None = None
        self._addresses: dict[str, str] = {}
        self._lost: set[str] = set()
        self._ports = {"public": 0, "private": 0}
        self._opening: set[asyncio.Task[None]] = set()

    @property
    def endpoint(self) -> str:
        """Where the machine that the sandbox runs on, as one inside the networks, asks."""
        return f"https://{self._inside}:{self._ports['private']}/{{account}}"

    async def start(self, store: arm_store.Store) -> None:
        """Open both doors, and follow which accounts there are."""
        service, context = self._service, self._context
        self._ports["private"] = await service.listen(self._inside, 0, context, is_private=True)
        self._ports["public"] = await service.listen(
            self._block.server, 0, context, is_private=False
        )
        self._store = store
        store.subscribe(self._notice)

    async def close(self) -> None:
        for task in self._opening:
            task.cancel()
        await self._service.close()

    def lose_region(self, location: str) -> None:
        """Let no account of a region answer."""
        self._lost.add(location)

    def restore_region(self, location: str) -> None:
        self._lost.discard(location)

    def list_names(self) -> dict[str, str]:
        """Return the loopback address of each account's public name."""
        return {f"{name}{blob_service.SUFFIX}": host for name, host in self._addresses.items()}

    def find_listener(self, place: str) -> tuple[str, int] | None:
        """Return where a public name answers, or what a private link to an account leads to."""
        if place.endswith(blob_service.SUFFIX):
            return self._block.server, self._ports["public"]
        return self._inside, self._ports["private"]

    def _notice(self, kind: str, id_: str, type_: str) -> None:
        resource = paths.parse(id_)
        if type_ == _ACCOUNT and kind == "put" and resource.name not in self._addresses:
            self._addresses[resource.name] = str(next(self._hosts))
            task = asyncio.get_running_loop().create_task(self._open(resource.name))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)
        elif type_ == _ACCOUNT and kind == "delete":
            self._service.contents.forget(resource.name)
        elif type_ == _CONTAINER and kind == "delete":
            self._service.contents.forget(resource.parent.parent.name, resource.name)

    async def _open(self, name: str) -> None:
        address = self._addresses[name]
        try:
            await self._service.listen(address, _HTTPS, self._context, is_private=True)
        except OSError as error:
            _LOG.warning("pods cannot reach %s: %s:%s: %s", name, address, _HTTPS, error)

    def _is_down(self, location: str) -> bool:
        return location in self._lost

    def _find(self, name: str) -> blob_service.Account | None:
        if self._store is None:
            return None
        for body in self._store.list_by_type(_ACCOUNT):
            if body["name"] == name:
                return _describe(body, self._store)
        return None


def _describe(body: dict[str, Any], store: arm_store.Store) -> blob_service.Account:
    properties = body["properties"]
    containers = store.list_by_type(_CONTAINER, below=paths.parse(body["id"]))
    is_open = properties["networkAcls"]["defaultAction"] == "Allow"
    return blob_service.Account(
        name=body["name"],
        location=body["location"],
        is_open_to_all_networks=properties["publicNetworkAccess"] == "Enabled" and is_open,
        allows_public_access=properties["allowBlobPublicAccess"],
        allows_shared_keys=properties["allowSharedKeyAccess"],
        containers={one["name"]: one["properties"]["publicAccess"] for one in containers},
    )
