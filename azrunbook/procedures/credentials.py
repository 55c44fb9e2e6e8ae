"""How the application signs in to its data: one Secret per cluster, and no other copy anywhere.

``<release>-data`` in the application's namespace holds DATABASE_URL and REDIS_URL. It is where the
password is found again: there is no state file, and Azure shows no password. Lost in one cluster,
it is copied from the other; lost in both (or never known here, because another engine made the
server), a new one is set on the server. So nothing has to be kept that a rehearsal, a second
engine or a cleaned disk could lose.

Looking compares each Secret, in memory, with what Azure says now (hosts, ports, keys) and with the
password that was set last, of which each Secret notes when. Two clusters with different passwords
of the same time were edited by hand: neither can be believed, and a new one is set. So it is when a
password was changed on the server alone, of which the pods' logs tell: the server is private, and
only they can sign in. Writing is :mod:`.credential_writing`.
"""

import base64
import contextlib
import hashlib
import json
import urllib.parse
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from azrunbook import checks, connect, errors, estate, kube_secrets, outputs, plan as plans, secrets

GROUP = "credentials"
KEYS = DATABASE_KEY, CACHE_KEY = "DATABASE_URL", "REDIS_URL"
# When the password in a Secret was set on the server (RFC 3339, UTC: it sorts by its letters).
SET_AT = "azrunbook.dev/password-set-at"
# Stands there instead while a new one is being set: whoever is killed then leaves it, and what the
# Secret holds is believed no more. Later than any time.
PENDING = "pending"
TYPE = "v1/Secret"
_STEP = "write the application's credentials"
_HIDDEN = "(hidden)"
_REFUSAL = "password authentication failed"
_LATELY_SECONDS = 600
State = Literal["held", "differs", "absent", "stopped", "unknown"]


@dataclass(frozen=True)
class Seen:
    """What one region's cluster holds and what its pods need; made and judged in memory only.

    Attributes:
        data: None: Azure has not both a database and a cache for it yet.
        is_stopped: the cluster was not asked.
        is_refused: the server has refused the password that its pods have.
        problem: why nothing can be said; empty when something can.
    """

    role: str
    stored: kube_secrets.Stored | None = None
    data: tuple[outputs.Database, outputs.Cache] | None = None
    is_stopped: bool = False
    is_refused: bool = False
    problem: str = ""


@dataclass(frozen=True)
class Fact:
    """One region's Secret, without its content.

    Attributes:
        differing: the keys whose values are not as they should be.
        digest: of the content as it is; empty: there is none, or it is unknown.
        detail: why its state is unknown.
    """

    role: str
    location: str
    state: State
    differing: tuple[str, ...] = ()
    digest: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Facts:
    """The Secret's name, and its state in each region; ``is_torn``: passwords contradict."""

    name: str
    regions: tuple[Fact, ...]
    is_torn: bool = False

    @property
    def to_write(self) -> tuple[Fact, ...]:
        return tuple(one for one in self.regions if one.state not in {"held", "stopped"})


@dataclass(frozen=True)
class Password:
    """A password and when it was set, both empty when no Secret can be believed."""

    value: str = ""
    set_at: str = ""


def observe(clients: connect.Clients) -> Facts | None:
    """Ask Azure and all running clusters; None: the estate has not both a database and a cache."""
    declared = clients.estate
    if not find_name(declared):
        return None
    found = look(clients, declared.regions)
    password = choose_password(found)
    return Facts(
        name=name_of(declared),
        regions=tuple(
            judge(one, declared.regions[estate.RegionName(one.role)].location, password.value)
            for one in found
        ),
        is_torn=not password.value and any(one.stored for one in found),
    )


def look(clients: connect.Clients, roles: Collection[str]) -> list[Seen]:
    """Look at these regions, all at once; a cluster that is stopped or not there is not asked."""
    return clients.for_each(lambda role: _look(clients, role), roles)


def _look(clients: connect.Clients, role: str) -> Seen:
    declared = clients.estate
    _, region = declared.get_region(role)
    try:
        cluster = clients.clusters.find(region.resource_group, declared.cluster.name)
        if cluster is None:
            return Seen(role)
        if cluster.is_stopped:
            return Seen(role, is_stopped=True)
        stored = clients.region(role).secrets.find(declared.app.namespace, name_of(declared))
        is_refused = stored is not None and _is_refused(clients, role)
        return Seen(role, stored, _read_data(clients, region), is_refused=is_refused)
    except errors.AzrunbookError as error:
        return Seen(role, problem=str(error))


def _is_refused(clients: connect.Clients, role: str) -> bool:
    """Whether a pod that is ready and stays has said lately that the server refuses it."""
    app, workloads = clients.estate.app, clients.region(role).workloads
    for pod in workloads.list_pods(app.namespace, release=app.release):
        with contextlib.suppress(errors.NotFoundError):  # it has gone meanwhile
            if not pod.is_ready or pod.is_leaving:
                continue
            log = workloads.read_log(app.namespace, pod.name, since_seconds=_LATELY_SECONDS)
            if tells_refusal(log):
                return True
    return False


def tells_refusal(log: str) -> bool:
    """Find PostgreSQL's refusal in the messages of the application's log; pure.

    Not in the rest of a line, where a request's path stands, which anybody may choose.
    """
    for line in log.splitlines():
        with contextlib.suppress(ValueError, AttributeError):  # not a line of the application
            if _REFUSAL in str(json.loads(line).get("message", "")):
                return True
    return False


def _read_data(
    clients: connect.Clients, region: estate.Region
) -> tuple[outputs.Database, outputs.Cache] | None:
    try:
        database, cache = outputs.read_data(
            clients.arm, clients.estate, clients.subscription_id, region.location
        )
    except errors.NotFoundError:
        return None
    return (database, cache) if database and cache else None


def make_values(data: tuple[outputs.Database, outputs.Cache], password: str) -> dict[str, str]:
    """The content of a region's Secret; without the database's part when no password is known."""
    database, cache = data
    found = {DATABASE_KEY: database.make_url(password).reveal()} if password else {}
    return {**found, CACHE_KEY: cache.url.reveal()}


def judge(seen: Seen, location: str, password: str) -> Fact:
    """Compare what a cluster holds with what it should; pure."""
    if seen.is_stopped:
        return Fact(seen.role, location, "stopped")
    if seen.problem:
        return Fact(seen.role, location, "unknown", detail=seen.problem)
    if seen.stored is None:
        return Fact(seen.role, location, "absent")
    wanted = make_values(seen.data, password) if seen.data else {}
    differing = tuple(key for key in KEYS if seen.stored.values.get(key) != wanted.get(key))
    state: State = "differs" if differing else "held"
    return Fact(seen.role, location, state, differing, digest(seen.stored.values))


def digest(values: Mapping[str, str]) -> str:
    """Tell contents apart, exactly as the chart does (``app.dataDigest``).

    The cache's key, which Azure made, keeps the content from being guessed.
    """
    encoded = (base64.b64encode(values.get(key, "").encode()).decode() for key in KEYS)
    return hashlib.sha256(" ".join(encoded).encode()).hexdigest()


def choose_password(found: Iterable[Seen]) -> Password:
    """The password that was set last, if no other claims the same and the server takes it."""
    found = list(found)
    if any(one.is_refused for one in found):
        return Password()
    known = set()
    for one in found:
        stored = one.stored
        if stored and (value := _read_password(stored.values.get(DATABASE_KEY, ""))):
            known.add((stored.annotations.get(SET_AT, ""), value))
    newest = max((set_at for set_at, _ in known), default="")
    values = [value for set_at, value in known if set_at == newest]
    is_known = len(values) == 1 and newest != PENDING
    return Password(values[0], newest) if is_known else Password()


def _read_password(url: str) -> str:
    try:
        password = urllib.parse.unquote(urllib.parse.urlsplit(url).password or "")
    except ValueError:  # somebody wrote what is no URL
        return ""
    if len(password) < secrets.MINIMUM_CHARACTERS:
        return ""
    return secrets.register(password)


def plan_changes(facts: Facts | None) -> list[plans.Change]:
    """Say per region what happens to the Secret; of a stopped cluster, only the notes tell."""
    if facts is None:
        return []
    return [
        plans.Change(
            action=_ACTIONS[one.state],
            type=TYPE,
            name=facts.name,
            region=one.location,
            properties=tuple(
                plans.PropertyChange(f"data.{key}", _HIDDEN, f"{_HIDDEN[:-1]}, another value)")
                for key in one.differing
            ),
        )
        for one in facts.regions
        if one.state != "stopped"
    ]


_ACTIONS: Mapping[State, plans.Action] = {
    "held": "no_change",
    "differs": "update",
    "absent": "create",
    "unknown": "create",
}


def plan_steps(facts: Facts | None) -> list[plans.Step]:
    """One step for all clusters, because they hold the same password."""
    if facts is None or not facts.to_write:
        return []
    former = {one.role: one.digest for one in facts.to_write}
    # No way back is needed where it is unknown: what is found there later is not overwritten.
    made = [one.role for one in facts.to_write if one.state == "absent"]
    changed = {role: digest for role, digest in former.items() if digest}
    return [
        plans.Step(
            name=_STEP,
            group=GROUP,
            action="write_credentials",
            arguments={"former": former},
            undo=(
                *((plans.Undo("delete_credentials", {"roles": made}),) if made else ()),
                *((plans.Undo("restore_credentials", {"former": changed}),) if changed else ()),
            ),
            timeout_seconds=900,
        )
    ]


def list_notes(facts: Facts | None) -> list[str]:
    """What a person should know of it before applying."""
    if facts is None:
        return []
    notes = []
    if stopped := [one.location for one in facts.regions if one.state == "stopped"]:
        notes.append(
            f"{', '.join(stopped)}: the cluster is stopped, so its Secret {facts.name} is left "
            "out, and its pods will come up with what it holds. Start it (azrunbook run "
            "07_fail_back_region) and run this again."
        )
    if any(one.state == "differs" for one in facts.regions):
        notes.append(
            f"{facts.name} is rewritten and the application's pods are restarted, one after the "
            "other, because they read it only when they start; 03_release_app then puts it on the "
            "release's record, and restarts nothing more"
        )
    if facts.is_torn:
        notes.append(
            f"the database's password in {facts.name} cannot be believed (missing, another one in "
            "each cluster, or refused by the server): a new one is set on the server"
        )
    notes += [f"{one.location}: {one.detail}" for one in facts.regions if one.state == "unknown"]
    return notes


def name_of(declared: estate.Estate) -> str:
    return f"{declared.app.release}-data"


def find_name(declared: estate.Estate) -> str:
    """The Secret that a release refers to; empty where the estate has not both kinds of data."""
    return name_of(declared) if declared.postgres and declared.redis else ""


def check_held(facts: Facts | None) -> list[checks.CheckResult]:
    """A release's pods cannot start in a cluster without the Secret, nor work with a wrong one."""
    if facts is None:
        return []
    words = {"absent": "not in", "differs": "not as Azure has it in", "unknown": "not found out in"}
    found = "; ".join(
        f"{words[one.state]} {one.location}" + (f" ({one.detail})" if one.detail else "")
        for one in facts.to_write
    )
    return [
        checks.CheckResult(
            name="credentials",
            passed=not facts.to_write,
            criterion=f"the Secret {facts.name} is in every running cluster, as Azure has it",
            found=found or "in every running cluster",
            advice="azrunbook run 01_provision_estate",
        )
    ]
