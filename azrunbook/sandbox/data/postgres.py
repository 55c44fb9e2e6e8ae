"""Azure Database for PostgreSQL, flexible servers: those of one sandbox, and what is done to them.

The host passes ARM's wishes on to :class:`FlexibleServers`. What is real: the server (16), its
roles and databases, streaming replication, promotion, the way back of an old primary by
``pg_rewind``. What is emulated: TLS and Entra's login (``postgres_front``), the names. What is a
flag only: high availability. Not there: backups, restores, logical replication, extensions that
the wheel does not have.
"""

import asyncio
import ipaddress
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

from azrunbook.sandbox import processes, tls
from azrunbook.sandbox.data import (
    certificates,
    errors,
    postgres_front,
    postgres_member as members,
    postgres_model as model,
    postgres_promotion as promotion,
    postgres_replication as replication,
    postgres_roles as roles,
    postgres_server,
    programs,
)


class FlexibleServers:
    """The flexible servers of a sandbox, by their ARM id in any case. One change at a time."""

    def __init__(
        self,
        *,
        folder: Path,
        network: ipaddress.IPv4Network,
        authority: tls.Authority,
        supervisor: processes.Supervisor,
        check_token: Callable[[str], bool] = lambda _token: False,
    ) -> None:
        """Take what the servers need.

        Args:
            folder: for data folders and logs; made when needed.
            network: loopback addresses of their own, one for each server.
            authority: signs the certificates.
            supervisor: started; ends the processes with the sandbox.
            check_token: whether an Entra access token is valid now.
        """
        self._folder = folder
        self._free = [str(address) for address in network.hosts()]
        self._authority = authority
        self._supervisor = supervisor
        self._check_token = check_token
        self._members: dict[str, members.Member] = {}
        self._pointers: dict[str, str] = {}
        self._changing = asyncio.Lock()

    async def create_server(self, request: model.ServerRequest) -> None:
        """Create a primary, or bring an existing one's administrator and logins to the request.

        Raises:
            DataError: another version than 16, port 5432 in use, a program missing; one that is
                there is stopped.
        """
        if request.version != model.VERSION:
            raise errors.DataError(
                "ServerVersionNotSupported",
                f"PostgreSQL {request.version} is not there; expected {model.VERSION}",
            )

        async def fill(member: members.Member) -> None:
            await member.server.initialize()
            await member.server.start()
            await roles.prepare(member.server)
            await self._declare(member, request)

        async with self._changing:
            if request.id.lower() in self._members:
                await self._declare(self._get(request.id), request)
            else:
                await self._add(request.id, request.location, fill)

    @staticmethod
    async def _declare(member: members.Member, request: model.ServerRequest) -> None:
        if not member.server.is_running:
            raise errors.DataError(
                "ServerIsNotReady", f"{member.name} is {member.state}; start it, then change it"
            )
        await roles.ensure_administrator(
            member.server, request.administrator_login, request.administrator_password
        )
        member.logins.is_password_allowed = request.is_password_allowed
        member.is_highly_available = request.is_highly_available

    async def create_replica(self, request: model.ReplicaRequest) -> None:
        """Create a replica: a copy of its source, then a stream from it.

        Raises:
            DataError: the source is unknown, a replica itself, or does not run.
        """
        async with self._changing:
            if request.id.lower() in self._members:
                return
            source = self._get(request.source_id)
            if source.role != "Primary" or source.state != "Ready":
                raise errors.DataError(
                    "ReplicaSourceInvalid",
                    f"{source.name} is {source.role} and {source.state}; "
                    "a replica is made of a primary that is Ready",
                )

            async def fill(member: members.Member) -> None:
                member.logins.principals |= source.logins.principals
                member.logins.is_password_allowed = source.logins.is_password_allowed
                await member.copy(source)

            await self._add(request.id, request.location, fill)

    async def _add(
        self, id_: str, location: str, fill: Callable[[members.Member], Awaitable[None]]
    ) -> None:
        postgres = programs.find_postgres()
        address = self._free.pop(0)
        name = id_.rpartition("/")[2].lower()
        server = postgres_server.PostgresServer(self._folder / name, postgres, self._supervisor)
        logins = postgres_front.Logins(self._check_token)
        context = self._authority.server_context(*certificates.name_postgres(address))
        front = postgres_front.PostgresFront(address, context, server.connect, logins)
        member = members.Member(id_, location, server, front, logins)
        try:
            await fill(member)
            await front.start()
        except BaseException:  # also cancelled: aborting the creation ends it
            await self._discard(member)
            raise
        self._members[id_.lower()] = member

    async def delete(self, id_: str) -> None:
        """Delete a server with its data; its replicas become servers of their own, as in Azure."""
        async with self._changing:
            member = self._members.pop(id_.lower(), None)
            if member is None:
                return
            for other in self._list_replicas(member):
                if other.server.is_running:
                    await promotion.stand_alone(other, member, is_forced=True)
            source = member.source
            await self._discard(member)
            if source is not None and source.server.is_running:
                await replication.drop_slot(source.server, member.slot)

    async def _discard(self, member: members.Member) -> None:
        await member.crash()
        await member.unlink()
        shutil.rmtree(member.server.folder, ignore_errors=True)
        self._free.append(member.front.address)

    async def stop(self, id_: str) -> None:
        """Stop a server in good order; its data stays."""
        async with self._changing:
            await self._get(id_).stop()

    async def start(self, id_: str) -> None:
        """Start a stopped server in the role that it has now.

        Raises:
            DataError: its region is lost.
        """
        async with self._changing:
            member = self._get(id_)
            if member.is_lost:
                raise errors.DataError("RegionUnavailable", f"{member.location} is lost")
            if not member.server.is_running:
                await member.start()

    async def restart(self, id_: str) -> None:
        """Stop and start."""
        await self.stop(id_)
        await self.start(id_)

    async def promote(
        self, replica_id: str, *, is_forced: bool = False, is_standalone: bool = False
    ) -> model.Promotion:
        """Promote a replica: swap roles with its primary, or leave the set (``is_standalone``).

        Names that lead to them (:meth:`point`) are swapped too. An old primary whose region is not
        lost comes back as a replica before this returns; a lost one when its region is restored.

        Raises:
            DataError: not a replica that is Ready, or (planned) it cannot catch up.
        """
        async with self._changing:
            member = self._get(replica_id)
            promotion.require_standby(member)
            old = member.source
            assert old is not None  # noqa: S101 - what has a standby has a source
            if is_standalone:
                return await promotion.stand_alone(member, old, is_forced=is_forced)
            if is_forced:
                report = await promotion.take_over(member, old)
            else:
                report = await promotion.switch_over(member, old)
            await self._swap(member, old)
            return report

    async def _swap(self, new: members.Member, old: members.Member) -> None:
        swapped = {old.id.lower(): new.id, new.id.lower(): old.id}
        self._pointers = {
            host: swapped.get(id_.lower(), id_) for host, id_ in self._pointers.items()
        }
        for other in self._list_replicas(old):
            await other.server.stop("fast")
            await other.follow(new)
        old.source = new
        if not old.is_lost:
            await old.front.stop()
            await old.follow(new)
            await old.front.start()

    async def add_principal(self, id_: str, principal: str) -> None:
        """Let an Entra principal log in as administrator, with a token as password."""
        async with self._changing:
            member = self._get(id_)
            await roles.ensure_principal(member.server, principal)
            for one in (member, *self._list_replicas(member)):
                one.logins.principals.add(principal)

    def get_server(self, id_: str) -> postgres_server.PostgresServer:
        """Return a server for :mod:`postgres_roles`: databases and parameters.

        Raises:
            DataError: there is none of this id.
        """
        return self._get(id_).server

    async def change(
        self, id_: str, work: Callable[[postgres_server.PostgresServer], Awaitable[object]]
    ) -> None:
        """Change a server's databases or parameters: something of :mod:`postgres_roles`.

        Raises:
            DataError: there is none of this id, or the server refuses.
        """
        async with self._changing:
            await work(self._get(id_).server)

    def describe(self, id_: str) -> model.ServerStatus:
        """Return what a server is now.

        Raises:
            DataError: there is none of this id.
        """
        member = self._get(id_)
        return model.ServerStatus(
            id=member.id,
            location=member.location,
            role=member.role,
            state=member.state,
            source_id=member.source.id if member.source else None,
            host_name=f"{member.name}.{certificates.POSTGRES_DOMAIN}",
            address=member.front.address,
            is_highly_available=member.is_highly_available,
        )

    async def list_replicas(self, id_: str) -> list[model.ReplicaStatus]:
        """Return a primary's replicas with their lag."""
        member = self._get(id_)
        return [await self._measure(one, member) for one in self._list_replicas(member)]

    @staticmethod
    async def _measure(one: members.Member, primary: members.Member) -> model.ReplicaStatus:
        lag = await replication.read_lag(primary.server, one.slot)
        states: dict[str, model.ReplicationState] = {"streaming": "Active", "": "Broken"}
        state = states.get(lag.state, "Catchup")
        return model.ReplicaStatus(one.id, one.location, state, lag.bytes, lag.seconds)

    def _list_replicas(self, member: members.Member) -> list[members.Member]:
        return [one for one in self._members.values() if one.source is member]

    def point(self, host: str, id_: str | None) -> None:
        """Let a virtual endpoint's name lead to a server; None: to none any more.

        A promotion that swaps two servers swaps the names that lead to them.

        Raises:
            DataError: there is no server of this id.
        """
        if id_ is None:
            self._pointers.pop(host, None)
        else:
            self._pointers[host] = self._get(id_).id

    def list_names(self) -> dict[str, str]:
        """Return the address of each public host name: servers, and virtual endpoints."""
        names = {
            f"{one.name}.{certificates.POSTGRES_DOMAIN}": one.front.address
            for one in self._members.values()
        }
        for host, id_ in self._pointers.items():
            if id_.lower() in self._members:
                names[host] = self._members[id_.lower()].front.address
        return names

    def delay_replication(self, replica_id: str, seconds: float) -> None:
        """Make the link to a replica late by this much; 0 takes it back.

        Raises:
            DataError: it is no replica.
        """
        promotion.require_standby(self._get(replica_id)).link.delay_seconds = seconds

    async def lose_region(self, location: str) -> None:
        """Crash every server of a region; they stay away until it is restored."""
        async with self._changing:
            for member in self._members.values():
                if member.location == location:
                    member.is_lost = True
                    await member.crash()

    async def restore_region(self, location: str) -> None:
        """Bring a region's servers back: each in the role that it has now."""
        async with self._changing:
            lost = [one for one in self._members.values() if one.location == location]
            for member in sorted(lost, key=lambda one: one.source is not None):
                if member.is_lost:
                    member.is_lost = False
                    await member.start()

    async def close(self) -> None:
        """End every server and remove its data."""
        async with self._changing:
            for member in self._members.values():
                await self._discard(member)
            self._members.clear()

    def _get(self, id_: str) -> members.Member:
        member = self._members.get(id_.lower())
        if member is None:
            raise errors.DataError("ResourceNotFound", f"there is no flexible server {id_}")
        return member
