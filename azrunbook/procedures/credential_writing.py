"""Write, restore and remove the Secret that :mod:`.credentials` looks at, and let the pods know.

Pods read the Secret when they start, so whoever rewrites it restarts them: a new password ends
their sign-ins at once, and waiting for the next release would be an outage until then. The restart
is the annotation that the chart itself renders (a digest of the Secret), so a release that comes
later changes nothing more, and one that finds another Secret rolls by itself.

The journal keeps no secret, so what a rewrite replaces is kept in the cluster, as the Secret
``<release>-data-former``, until the next rewrite or the undo, which knows it by a digest.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from azrunbook import connect, errors, estate, kube_secrets
from azrunbook.procedures import actions, credentials, placing
from azrunbook.resources import model, postgres

# As in the chart, templates/deployment.yaml.
_CHECKSUM = "checksum/credentials"
_ROLLOUT_SECONDS = 300.0


@actions.action("write_credentials")
def write_credentials(
    clients: connect.Clients, progress: actions.Progress, *, former: Mapping[str, str]
) -> str:
    """Write the Secret into these regions' clusters, with the password there is or a new one.

    Args:
        clients: of the estate.
        progress: is told of restarts.
        former: by role, the digest of what is there and may be replaced; empty for nothing.

    Raises:
        StepError: a cluster cannot be asked, or something else is there than was planned with.
    """
    found = credentials.look(clients, clients.estate.regions)
    if problems := [one.problem for one in found if one.problem and one.role in former]:
        raise errors.StepError("; ".join(problems))
    password = credentials.choose_password(found)
    is_new = not password.value
    due = [one for one in found if one.role in former and not one.is_stopped]
    if is_new:
        for one in due:
            _distrust(clients, one)
        password = _set_password(clients, progress)

    def replace(seen: credentials.Seen) -> None:
        _replace(clients, progress, seen, password, former[seen.role])

    clients.for_each(replace, due)
    return "a new password was set" if is_new else "the password of before"


def _distrust(clients: connect.Clients, seen: credentials.Seen) -> None:
    """Let nobody believe what is there, should this run not come to writing what is true."""
    if seen.stored:
        pending = kube_secrets.Stored(seen.stored.values, {credentials.SET_AT: credentials.PENDING})
        _write(clients, seen.role, pending, credentials.name_of(clients.estate))


def _replace(
    clients: connect.Clients,
    progress: actions.Progress,
    seen: credentials.Seen,
    password: credentials.Password,
    planned: str,
) -> None:
    name = credentials.name_of(clients.estate)
    if seen.data is None:
        raise errors.NotFoundError(
            f"{seen.role} has no database or no cache yet: expected both to be complete. Run the "
            "notebook again."
        )
    values = credentials.make_values(seen.data, password.value)
    there = credentials.digest(seen.stored.values) if seen.stored else ""
    if there != credentials.digest(values):
        if there != planned:
            raise errors.StepError(
                f"the Secret {name} in {seen.role} is another one than when the plan was made: "
                "left as it is. Run the notebook again to plan with what is there now."
            )
        if seen.stored:
            _write(clients, seen.role, seen.stored, _former_name(clients.estate))
    notes = {credentials.SET_AT: password.set_at} if password.set_at else {}
    _write(clients, seen.role, kube_secrets.Stored(values, notes), name)
    _restart(clients, progress, seen.role, values)


def _former_name(declared: estate.Estate) -> str:
    return f"{credentials.name_of(declared)}-former"


def _write(clients: connect.Clients, role: str, content: kube_secrets.Stored, name: str) -> None:
    """Write the two keys and when the password was set; what else others keep there is theirs."""
    clients.region(role).secrets.write(
        clients.estate.app.namespace,
        name,
        {key: one for key, one in content.values.items() if key in credentials.KEYS},
        {key: one for key, one in content.annotations.items() if key == credentials.SET_AT},
    )


def _restart(
    clients: connect.Clients, progress: actions.Progress, role: str, values: Mapping[str, str]
) -> None:
    """Restart the application's pods unless they were started with these values."""
    app, workloads = clients.estate.app, clients.region(role).workloads
    annotations = {_CHECKSUM: credentials.digest(values)}
    if not workloads.annotate_pods(app.namespace, release=app.release, annotations=annotations):
        return
    progress(f"restarting {app.release} in {role}")
    workloads.wait_for_rollout(
        app.namespace,
        release=app.release,
        timeout=min(progress.remaining_seconds, _ROLLOUT_SECONDS),
        progress=progress,
    )


@actions.action("restore_credentials")
def restore_credentials(
    clients: connect.Clients, progress: actions.Progress, *, former: Mapping[str, str]
) -> str:
    """Bring back what was in the Secret, by its digest for each role; it may be there already.

    Raises:
        StepError: what was there before is not kept any more.
    """
    return "; ".join(
        f"{role}: {_restore(clients, progress, role, digest)}" for role, digest in former.items()
    )


def _restore(clients: connect.Clients, progress: actions.Progress, role: str, digest: str) -> str:
    declared = clients.estate
    store, namespace = clients.region(role).secrets, declared.app.namespace
    name = credentials.name_of(declared)
    now = store.find(namespace, name)
    if now and credentials.digest(now.values) == digest:
        return "as before"
    kept = store.find(namespace, _former_name(declared))
    if kept is None or credentials.digest(kept.values) != digest:
        raise errors.StepError(
            f"the former content of {name} in {role} is not kept any "
            "more: expected the one of this run. Left as it is; run 01_provision_estate, which "
            "writes what Azure has."
        )
    values, said = dict(kept.values), "restored"
    set_at = credentials.SET_AT
    if now and now.annotations.get(set_at, "") > kept.annotations.get(set_at, ""):
        # The server takes the former password no more, and nobody could tell it was right.
        values[credentials.DATABASE_KEY] = now.values[credentials.DATABASE_KEY]
        kept = kube_secrets.Stored(values, now.annotations)
        said = "restored but for the password, which was set anew on the server"
    _write(clients, role, kept, name)
    store.delete(namespace, _former_name(declared))
    _restart(clients, progress, role, values)
    return said


@actions.action("delete_credentials")
def delete_credentials(
    clients: connect.Clients, progress: actions.Progress, *, roles: list[str]
) -> None:
    """Remove the Secret from these clusters; one that is gone is as good."""
    declared = clients.estate
    for role in roles:
        try:
            held = clients.region(role).secrets
        except errors.NotFoundError:
            progress(f"the cluster of {role} is gone")
            continue
        held.delete(declared.app.namespace, credentials.name_of(declared))


def _set_password(clients: connect.Clients, progress: actions.Progress) -> credentials.Password:
    """Give the administrator a new password."""
    server = _find_primary(clients)
    password = placing.make_password()
    poller = clients.arm.begin_patch(
        str(server["id"]),
        model.get_api_version(model.SERVER),
        {"properties": {"administratorLoginPassword": password}},
        patience=progress.remaining_seconds,
        progress=progress,
    )
    clients.arm.wait(
        poller,
        what=f"set the password of {server['name']}",
        timeout=progress.remaining_seconds,
        progress=progress,
    )
    return credentials.Password(password, dt.datetime.now(tz=dt.UTC).isoformat(timespec="seconds"))


def _find_primary(clients: connect.Clients) -> Mapping[str, Any]:
    """The server that takes writes; after a switchover it is not the primary region's.

    Raises:
        NotFoundError: there is none.
    """
    for region in clients.estate.regions.values():
        id_ = postgres.server_id(clients.estate, clients.subscription_id, region)
        body = clients.arm.find(id_, model.get_api_version(model.SERVER))
        if body and body["properties"].get("replicationRole") in {None, "Primary"}:
            return body
    raise errors.NotFoundError(
        "no PostgreSQL server of this estate takes writes: expected one to be the primary. Run "
        "the provisioning notebook, or promote the replica."
    )
