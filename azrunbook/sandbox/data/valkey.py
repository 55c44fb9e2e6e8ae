"""Redis in Azure: Managed Redis and Premium caches of one sandbox, each a Valkey process.

What is real: the protocol, access keys, replication between regions, its lag and loss. What is
emulated: TLS in front, and active geo-replication. There, Azure lets every region write to its own
copy and merges; here one cache of the group leads, the others are its replicas, and a client of
any of them is led to the leader. So both regions can write and read, and a lost region leaves the
other one writable with what had arrived. What cannot be seen here: a conflict, a partition in
which both regions go on writing, local latency. A passive link (Premium) is as in Azure: the
secondary is read-only until it is unlinked. Not there: clusters (a cluster-aware client needs the
policy EnterpriseCluster), persistence, modules, Entra's login.
"""

import asyncio
import ipaddress
import secrets
import shutil
from pathlib import Path

from azrunbook.sandbox import processes, tls
from azrunbook.sandbox.data import errors, valkey_cache, valkey_model as model, valkey_server


class Caches:
    """The caches of a sandbox, by ARM id in any case. One change at a time."""

    def __init__(
        self,
        *,
        folder: Path,
        network: ipaddress.IPv4Network,
        authority: tls.Authority,
        supervisor: processes.Supervisor,
    ) -> None:
        """Take what caches need: as :class:`azrunbook.sandbox.data.postgres.FlexibleServers`."""
        self._folder = folder
        self._free = [str(address) for address in network.hosts()]
        self._authority = authority
        self._supervisor = supervisor
        self._secret = secrets.token_hex(32)
        self._caches: dict[str, valkey_cache.Cache] = {}
        self._changing = asyncio.Lock()

    async def ensure(self, request: model.CacheRequest) -> None:
        """Make a cache run as requested, keys and links included.

        Active: a cache that newly names others joins their group and what it holds is discarded, as
        with ``forceLinkToReplicationGroup``; one that others replicate goes on leading. Passive:
        the one that is writable leads. A cache that is no longer named by its leader, or names
        nobody, leaves with what it holds (``forceUnlink``).

        Raises:
            DataError: the port is in use, a program is missing.
        """
        async with self._changing:
            cache = self._caches.get(request.id.lower()) or await self._add(request)
            cache.request = request
            await self._link(cache)
            await self._allow()

    async def _add(self, request: model.CacheRequest) -> valkey_cache.Cache:
        folder = self._folder / "-".join(request.id.lower().split("/")[-3:])
        server = valkey_server.ValkeyServer(
            folder, self._supervisor, secret=self._secret, memory_mib=request.memory_mib
        )
        cache = valkey_cache.Cache(request, self._free.pop(0), server, self._authority)
        try:
            await cache.start()
        except BaseException:  # also cancelled: aborting the creation ends it
            await self._discard(cache)
            raise
        self._caches[request.id.lower()] = cache
        return cache

    async def _link(self, cache: valkey_cache.Cache) -> None:
        named = {id_.lower() for id_ in cache.request.linked_ids} - {cache.request.id.lower()}
        followers = self._list_followers(cache)
        for follower in followers:
            if follower.request.id.lower() not in named:
                await follower.lead()
        peers = [one for id_, one in self._caches.items() if id_ in named]
        leads = any(follower.request.id.lower() in named for follower in followers)
        leads = leads or (cache.request.is_writable and not cache.request.is_active)
        leader = next((one.leader or one for one in peers if one.leader is not cache), None)
        if leader is None or leads:
            if cache.leader is not None:
                await cache.lead()
        elif cache.leader is not leader:
            await cache.follow(leader)

    async def _allow(self) -> None:
        """Give each leader the keys of its whole group: its clients come by any of the names."""
        for cache in self._caches.values():
            group = [cache, *self._list_followers(cache)]
            if cache.leader is not None:
                group = [cache, cache.leader, *self._list_followers(cache.leader)]
            active = [one for one in group if one is cache or one.request.is_writable]
            await cache.allow(key for one in active for key in one.request.keys)

    def _list_followers(self, cache: valkey_cache.Cache) -> list[valkey_cache.Cache]:
        return [one for one in self._caches.values() if one.leader is cache]

    async def delete(self, id_: str) -> None:
        """Remove a cache with its keys; its replicas go on by themselves."""
        async with self._changing:
            cache = self._caches.pop(id_.lower(), None)
            if cache is not None:
                await self._succeed(cache)
                await self._discard(cache)
                await self._allow()

    async def _discard(self, cache: valkey_cache.Cache) -> None:
        await cache.stop()
        shutil.rmtree(cache.server.folder, ignore_errors=True)
        self._free.append(cache.address)

    async def _succeed(self, cache: valkey_cache.Cache) -> None:
        """Let a replica lead in place of a cache that is gone; the others replicate it."""
        heirs = self._list_followers(cache)
        heirs.sort(key=lambda one: one.is_lost)
        for index, heir in enumerate(heirs):
            await (heir.follow(heirs[0]) if index else heir.lead())

    async def flush(self, id_: str) -> None:
        """Remove all keys of a cache and of those linked with it.

        Raises:
            DataError: there is none of this id.
        """
        cache = self._get(id_)
        await (cache.leader or cache).server.ask("FLUSHALL")

    async def describe(self, id_: str) -> model.CacheStatus:
        """Return what a cache is now, and how far it is behind its leader.

        Raises:
            DataError: there is none of this id.
        """
        cache = self._get(id_)
        state, lag = await self._measure(cache)
        return model.CacheStatus(
            id=cache.request.id,
            location=cache.request.location,
            is_running=cache.server.is_running,
            leader_id=(cache.leader or cache).request.id,
            link_state=state,
            lag_bytes=lag,
        )

    @staticmethod
    async def _measure(cache: valkey_cache.Cache) -> tuple[model.LinkState, int | None]:
        leader = cache.leader
        if leader is None:
            return "Linked", None
        if not (cache.server.is_running and leader.server.is_running):
            return "LinkFailed", None
        own = await cache.server.read_replication()
        if own.get("master_link_status") != "up":
            return "Linking", None
        its = await leader.server.read_replication()
        lag = int(its["master_repl_offset"]) - int(own["slave_repl_offset"])
        return "Linked", max(0, lag)

    def list_names(self) -> dict[str, str]:
        """Return the address of each public host name."""
        return {cache.request.host: cache.address for cache in self._caches.values()}

    def delay_replication(self, id_: str, seconds: float) -> None:
        """Make the link to a replica late by this much; 0 takes it back.

        Raises:
            DataError: there is none of this id.
        """
        self._get(id_).link.delay_seconds = seconds

    async def lose_region(self, location: str) -> None:
        """End every cache of a region; of an active group the other region leads on."""
        async with self._changing:
            lost = [one for one in self._caches.values() if one.request.location == location]
            for cache in lost:
                cache.is_lost = True
                await cache.stop()
            for cache in lost:
                heirs = self._list_followers(cache)
                if any(one.request.is_writable and not one.is_lost for one in heirs):
                    await self._succeed(cache)
                    await cache.follow(next(one for one in heirs if not one.is_lost))

    async def restore_region(self, location: str) -> None:
        """Bring a region's caches back, empty; those of a group get everything from its leader."""
        async with self._changing:
            for cache in self._caches.values():
                if cache.is_lost and cache.request.location == location:
                    cache.is_lost = False
                    await cache.start()
                    if cache.leader is not None:
                        await cache.follow(cache.leader)
            await self._allow()

    async def close(self) -> None:
        """End every cache."""
        async with self._changing:
            for cache in self._caches.values():
                await self._discard(cache)
            self._caches.clear()

    def _get(self, id_: str) -> valkey_cache.Cache:
        cache = self._caches.get(id_.lower())
        if cache is None:
            raise errors.DataError("ResourceNotFound", f"there is no cache {id_}")
        return cache
