"""Put one declared resource: fill in what only Azure knows, make secrets, wait until it is there.

What Azure answers as done is not always: the databases of a replication group go on linking after
both operations have ended, so they are watched.
"""

import secrets as random
from collections.abc import Mapping
from typing import Any

from azrunbook import connect, errors, resources, secrets, wait
from azrunbook.procedures import actions
from azrunbook.resources import model, references

_LOOK_SECONDS = 1.0
_SECRET_BYTES = 24


def put(
    clients: connect.Clients, progress: actions.Progress, resource_id: str, *, writer: str
) -> None:
    """Put a resource of the estate by its id; ``writer`` is where its database takes writes.

    Raises:
        NotFoundError: what it refers to does not exist.
        StepError: Azure refused.
    """
    desired = resources.desired_resources(clients.estate, clients.subscription_id, writer=writer)
    by_id = {one.id: one for one in desired}
    one = by_id[resource_id]
    actual = clients.arm.find(one.id, one.api_version)
    body: Any = one.body if actual else resources.create_body(one)
    targets = {
        id_: clients.arm.get(id_, by_id[id_].api_version)
        for id_ in references.list_references(body)
    }
    body = references.fill_secrets(references.resolve(body, targets.get), make_password)
    if left := list(references.list_references(body)):
        raise errors.NotFoundError(
            f"{', '.join(left)} do not have yet what {one.name} needs of them: expected them to be "
            "complete. Run the notebook again."
        )
    if actual and _is_apart(one, actual):
        _join(clients, progress, one)
    else:
        clients.put(
            one.id, one.api_version, body, timeout=progress.remaining_seconds, progress=progress
        )
    if _list_members(one.body):
        _wait_until_linked(clients, progress, one)


def make_password() -> str:
    """Make a password that Azure accepts; known to be a secret before anybody sees it."""
    return secrets.register(f"Aa1-{random.token_urlsafe(_SECRET_BYTES)}")


def _list_members(body: Mapping[str, Any]) -> list[str]:
    geo = (body.get("properties") or {}).get("geoReplication") or {}
    return [str(one["id"]).lower() for one in geo.get("linkedDatabases") or []]


def _is_apart(one: resources.DesiredResource, actual: Mapping[str, Any]) -> bool:
    """Whether a database exists outside its replication group, which no update mends."""
    if one.type != model.MANAGED_CACHE_DATABASE:
        return False
    return bool(set(_list_members(one.body)) - set(_list_members(actual)))


def _join(
    clients: connect.Clients, progress: actions.Progress, one: resources.DesiredResource
) -> None:
    """Link a database with its group again; what it holds by itself is given up for theirs."""
    poller = clients.arm.begin_post(
        f"{one.id}/forceLinkToReplicationGroup",
        one.api_version,
        {"geoReplication": one.body["properties"]["geoReplication"]},
        patience=progress.remaining_seconds,
        progress=progress,
    )
    clients.arm.wait(
        poller, what=f"link {one.path_name}", timeout=progress.remaining_seconds, progress=progress
    )


def _wait_until_linked(
    clients: connect.Clients, progress: actions.Progress, one: resources.DesiredResource
) -> None:
    def look() -> wait.Seen[None]:
        body = clients.arm.get(one.id, one.api_version)
        linked = body["properties"]["geoReplication"]["linkedDatabases"]
        states = sorted({str(member.get("state")) for member in linked})
        return wait.Seen(None, states == ["Linked"], f"links {', '.join(states)}")

    wait.wait_until(
        look,
        what=f"link {one.path_name}",
        timeout=progress.remaining_seconds,
        interval=_LOOK_SECONDS,
        progress=progress,
    )
