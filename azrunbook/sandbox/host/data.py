"""ARM's databases and caches made real, and their names given to the pods.

Implements what the ARM emulator asks for (``arm.backends``) with the data services. After each
change, of a service or of the private DNS that ARM holds, every cluster's table of names is
written anew: ``names/<location>-<cluster>.json`` in the sandbox's folder.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Literal

from azrunbook.sandbox import processes, tls
from azrunbook.sandbox.arm import backends
from azrunbook.sandbox.data import (
    errors,
    postgres,
    postgres_model,
    postgres_roles,
    valkey,
    valkey_model,
)
from azrunbook.sandbox.host import addresses, blobs

Changed = Callable[[], None]


class DataServices:
    """The databases and caches of a sandbox; ``changed`` is called after each change."""

    def __init__(
        self,
        *,
        folder: Path,
        block: addresses.Block,
        authority: tls.Authority,
        supervisor: processes.Supervisor,
        check_token: Callable[[str], bool],
        check_storage_token: Callable[[str], bool],
        changed: Changed,
    ) -> None:
        self._servers = postgres.FlexibleServers(
            folder=folder / "postgres",
            network=block.databases,
            authority=authority,
            supervisor=supervisor,
            check_token=check_token,
        )
        self._caches = valkey.Caches(
            folder=folder / "redis",
            network=block.caches,
            authority=authority,
            supervisor=supervisor,
        )
        self.blobs = blobs.BlobAccounts(block, authority, check_token=check_storage_token)
        self._changed = changed
        self.databases = Databases(self._servers, changed)
        self.caches = Caches(self._caches, changed)

    def list_names(self) -> dict[str, str]:
        """Return the loopback address of each public host name."""
        services = (self._servers, self._caches, self.blobs)
        return {host: address for one in services for host, address in one.list_names().items()}

    async def lose_region(self, location: str) -> None:
        """End every database and cache of a region at once; its accounts do not answer."""
        self.blobs.lose_region(location)
        await asyncio.gather(
            self._servers.lose_region(location), self._caches.lose_region(location)
        )
        self._changed()

    async def restore_region(self, location: str) -> None:
        """Bring them back, each in the role that it has by now."""
        self.blobs.restore_region(location)
        await asyncio.gather(
            self._servers.restore_region(location), self._caches.restore_region(location)
        )
        self._changed()

    def delay_replication(self, id_: str, seconds: float) -> None:
        """Make the link to a replica late; 0 takes it back.

        Raises:
            ValueError: there is no replica of this id.
        """
        is_server = "/flexibleservers/" in id_.lower()
        services = self._servers if is_server else self._caches
        try:
            services.delay_replication(id_, seconds)
        except errors.DataError as error:
            raise ValueError(error.message) from error

    async def close(self) -> None:
        """End everything."""
        await asyncio.gather(self._servers.close(), self._caches.close(), self.blobs.close())


class Databases:
    """Flexible servers as ARM asks for them: ``backends.DatabaseBackend``."""

    def __init__(self, servers: postgres.FlexibleServers, changed: Changed) -> None:
        self._servers = servers
        self._changed = changed

    async def ensure(self, server: backends.ServerRequest) -> None:
        """Make the server run as requested."""
        if server.source_id is not None:
            replica = postgres_model.ReplicaRequest(server.id, server.location, server.source_id)
            await self._do(self._servers.create_replica(replica))
            return
        request = postgres_model.ServerRequest(
            id=server.id,
            location=server.location,
            administrator_login=server.administrator,
            administrator_password=server.password,
            version=server.version,
        )
        await self._do(self._servers.create_server(request))

    async def delete(self, id_: str) -> None:
        await self._do(self._servers.delete(id_))

    async def stop(self, id_: str) -> None:
        await self._do(self._servers.stop(id_))

    async def start(self, id_: str) -> None:
        await self._do(self._servers.start(id_))

    async def restart(self, id_: str) -> None:
        await self._do(self._servers.restart(id_))

    async def create_database(self, id_: str, name: str) -> None:
        await self._do(
            self._servers.change(id_, lambda one: postgres_roles.ensure_database(one, name))
        )

    async def drop_database(self, id_: str, name: str) -> None:
        await self._do(
            self._servers.change(id_, lambda one: postgres_roles.drop_database(one, name))
        )

    async def promote(
        self, id_: str, mode: Literal["Switchover", "Standalone"], *, forced: bool
    ) -> None:
        is_standalone = mode == "Standalone"
        await self._do(self._servers.promote(id_, is_forced=forced, is_standalone=is_standalone))

    async def measure(self, id_: str) -> dict[str, backends.Replication]:
        return {
            one.id.lower(): backends.Replication(one.state, one.lag_bytes, one.lag_seconds)
            for one in await self._servers.list_replicas(id_)
        }

    async def point(self, host: str, id_: str | None) -> None:
        async def point() -> None:
            self._servers.point(host, id_)

        await self._do(point())

    async def _do(self, work: Awaitable[object]) -> None:
        await _translate(work)
        self._changed()


class Caches:
    """Redis as ARM asks for it: ``backends.CacheBackend``."""

    def __init__(self, caches: valkey.Caches, changed: Changed) -> None:
        self._caches = caches
        self._changed = changed

    async def ensure(self, cache: backends.CacheRequest) -> None:
        """Make the cache run as requested; only Managed Redis has groups that all write."""
        request = valkey_model.CacheRequest(
            id=cache.id,
            host=cache.host,
            port=cache.port,
            location=cache.location,
            memory_mib=cache.memory_mib,
            keys=cache.keys,
            linked_ids=cache.linked_ids,
            is_active="/redisenterprise/" in cache.id.lower(),
            is_writable=cache.is_writable,
        )
        await _translate(self._caches.ensure(request))
        self._changed()

    async def delete(self, id_: str) -> None:
        await _translate(self._caches.delete(id_))
        self._changed()

    async def flush(self, id_: str) -> None:
        await _translate(self._caches.flush(id_))


async def _translate(work: Awaitable[object]) -> None:
    try:
        await work
    except errors.DataError as error:
        raise backends.BackendError(error.code, error.message) from error
