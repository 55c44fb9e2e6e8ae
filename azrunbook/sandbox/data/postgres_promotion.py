"""Promote a replica: three ways, each with what it costs measured.

* planned switchover: the primary stops, the replica gets everything, roles swap: nothing is lost;
* forced switchover: what the replica has is what there is; a primary that still runs is ended
  first, so that there are never two; it comes back as a replica, rewound;
* stand-alone: the replica leaves the set and the primary goes on.
"""

import asyncio
import time

from azrunbook.sandbox.data import (
    errors,
    postgres_member as members,
    postgres_model as model,
    postgres_replication as replication,
)

_DRAIN_SECONDS = 60.0


async def switch_over(member: members.Member, old: members.Member) -> model.Promotion:
    """Swap roles and lose nothing.

    Raises:
        DataError: the replica does not stream, or did not catch up; nothing has changed.
    """
    standby = require_standby(member)
    began = time.monotonic()
    await replication.hand_over(old.server, standby)
    _, committed_at = await replication.read_received(member.server)
    await _lead(member)
    return model.Promotion(0, committed_at, time.monotonic() - began)


async def take_over(member: members.Member, old: members.Member) -> model.Promotion:
    """Promote with what the replica has; measure what it has not."""
    standby = require_standby(member)
    began = time.monotonic()
    await old.front.stop()
    written = await replication.read_written(old.server)
    await standby.link.cut()
    await old.server.stop("immediate")
    received, committed_at = await replication.read_received(member.server)
    await replication.promote(standby.server)
    await _lead(member)
    old.is_diverged = True
    lost = None if written is None else replication.subtract(written, received)
    return model.Promotion(lost, committed_at, time.monotonic() - began)


async def stand_alone(
    member: members.Member, primary: members.Member, *, is_forced: bool
) -> model.Promotion:
    """Make the replica a server of its own; planned waits until it has everything of now.

    Raises:
        DataError: planned, and the replica did not catch up within a minute.
    """
    standby = require_standby(member)
    began = time.monotonic()
    written = await replication.read_written(primary.server)
    if not is_forced:
        await _wait_for(member, primary, written)
    received, committed_at = await replication.read_received(member.server)
    await replication.promote(standby.server)
    await _lead(member)
    if primary.server.is_running:
        await replication.drop_slot(primary.server, member.slot)
    lost = None if written is None else replication.subtract(written, received)
    return model.Promotion(lost, committed_at, time.monotonic() - began)


def require_standby(member: members.Member) -> replication.Standby:
    """Return the replica's standby.

    Raises:
        DataError: it is no replica, or does not run.
    """
    if member.standby is None or not member.server.is_running:
        raise errors.DataError(
            "ReplicaPromoteInvalid",
            f"{member.name} is {member.role} and {member.state}; "
            "only a replica that is Ready can be promoted",
        )
    return member.standby


async def _lead(member: members.Member) -> None:
    await member.unlink()
    member.server.configure({})
    await member.server.reload()


async def _wait_for(member: members.Member, primary: members.Member, written: str | None) -> None:
    try:
        async with asyncio.timeout(_DRAIN_SECONDS):
            while written is None or replication.subtract(
                written, (await replication.read_received(member.server))[0]
            ):
                await asyncio.sleep(0.05)
                written = written or await replication.read_written(primary.server)
    except TimeoutError:
        raise errors.DataError(
            "ReplicaNotInSync",
            f"{member.name} does not have everything of {primary.name} after "
            f"{_DRAIN_SECONDS:g} s; nothing has changed. Wait, or force it",
        ) from None
