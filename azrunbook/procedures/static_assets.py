"""The application's static files in the storage accounts from which Front Door serves them.

Named by what they hold, as the application names them in its pages: a file that is there is never
uploaded again, and pages of an older release go on finding theirs. So they are uploaded before the
release whose pages need them, to each region's account. Nothing happens where the application
serves them itself.
"""

import hashlib
import mimetypes
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from azrunbook import checks, connect, errors, estate, plan as plans
from azrunbook.procedures import actions
from azrunbook.resources import storage

GROUP = "static assets"
_FOLDER = Path("app/src/static")
_LIFETIME = "public, max-age=31536000, immutable"
_DIGITS = 12
_SERVED_SECONDS = 120.0


@dataclass(frozen=True)
class Region:
    """What one region's account has of the files.

    Attributes:
        missing: names of those it has not.
        refusal: why it cannot be looked into from here; empty: it was.
    """

    role: estate.RegionName
    location: str
    missing: tuple[str, ...] = ()
    refusal: str = ""


@dataclass(frozen=True)
class Facts:
    """The files' names, and what each region has of them; no region: no storage serves them."""

    names: tuple[str, ...] = ()
    regions: tuple[Region, ...] = ()


NONE = Facts()


def list_files(project: Path) -> dict[str, Path]:
    """Find each file by its name in the container, which is that of ``app/src/main.py``."""
    return {
        f"{hashlib.sha256(path.read_bytes()).hexdigest()[:_DIGITS]}/{path.name}": path
        for path in sorted((project / _FOLDER).iterdir())
    }


def list_contents(project: Path) -> dict[str, bytes]:
    """What a container shall hold, by name: the files, and what Front Door's probe asks for."""
    files = {name: path.read_bytes() for name, path in list_files(project).items()}
    return {**files, storage.PROBE_NAME: b"ok\n"}


def observe(clients: connect.Clients) -> Facts:
    """Ask every region's account which of the files it has."""
    static = clients.estate.front_door.static_assets
    if static is None or static.source != "storage":
        return NONE
    names = tuple(list_contents(clients.project))

    def look(role: estate.RegionName) -> Region:
        location = clients.estate.regions[role].location
        try:
            there = clients.static_container(role).list_names()
        except errors.StepError as error:
            return Region(role, location, refusal=str(error))
        return Region(role, location, tuple(name for name in names if name not in there))

    return Facts(names, tuple(clients.for_each(look, list(clients.estate.regions))))


def plan_uploads(facts: Facts) -> tuple[tuple[plans.Change, ...], tuple[plans.Step, ...]]:
    """Upload what is missing; pure."""
    changes = tuple(
        plans.Change("create", "static asset", name, one.location)
        for one in facts.regions
        for name in one.missing
    )
    steps = []
    for one in facts.regions:
        arguments = {"role": one.role, "names": list(one.missing)}
        steps.append(
            plans.Step(
                name=f"upload static assets to {one.location}",
                group=GROUP,
                action="upload_assets",
                arguments=arguments,
                undo=(plans.Undo("delete_assets", arguments),),
                timeout_seconds=600,
            )
        )
    return changes, tuple(step for step in steps if step.arguments["names"])


def list_notes(facts: Facts) -> tuple[str, ...]:
    """What could not be looked at; pure."""
    return tuple(
        f"static assets in {one.location} are not known: {one.refusal}"
        for one in facts.regions
        if one.refusal
    )


def check_reachable(facts: Facts) -> list[checks.CheckResult]:
    """Each account can be looked into from here; pure."""
    return [
        checks.CheckResult(
            name=f"static assets in {one.location}",
            passed=not one.refusal,
            criterion="the container can be listed from here",
            found=one.refusal or f"{len(one.missing)} of {len(facts.names)} missing",
            advice="it has no public access: run where its private endpoint is reached",
        )
        for one in facts.regions
    ]


def check_served(clients: connect.Clients, facts: Facts) -> list[checks.CheckResult]:
    """Every account has every file, and the public endpoint serves them."""
    if not facts.regions:
        return []
    now = observe(clients)
    missing = [f"{name} in {one.location}" for one in now.regions for name in one.missing]
    stored = checks.CheckResult(
        name="static assets stored",
        passed=not missing and not list_notes(now),
        criterion=f"{len(now.names)} in each region's account",
        found=", ".join((*missing, *list_notes(now))) or "all of them",
        advice="run this notebook again",
    )
    return [stored, *(_check_public(clients, name) for name in now.names)]


def _check_public(clients: connect.Clients, name: str) -> checks.CheckResult:
    path = f"/static/{name}"

    def ask() -> checks.CheckResult:
        with clients.prober(path, rate_per_second=2) as prober:
            prober.wait_for(
                lambda seen: bool(seen) and seen[-1].status == 200,  # noqa: PLR2004 - OK
                what=f"{path} served",
                timeout_seconds=_SERVED_SECONDS,
            )
        return checks.CheckResult(f"served {path}", True, "status 200", "status 200")

    return checks.look(f"served {path}", "status 200", ask, "look at Front Door's static route")


@actions.action("upload_assets")
def upload_assets(
    clients: connect.Clients,
    progress: actions.Progress,
    *,
    role: estate.RegionName,
    names: Sequence[str],
) -> str:
    """Upload files of the project to one region's account.

    Raises:
        StepError: a file is another one than was planned with, or the account refuses.
    """
    contents, container = list_contents(clients.project), clients.static_container(role)
    if gone := [name for name in names if name not in contents]:
        raise errors.StepError(
            f"{', '.join(gone)} not in {_FOLDER}: expected the files that were planned with. Run "
            "the notebook again to plan with what is there now."
        )
    for name in names:
        progress(f"uploading {name}")
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        container.put(name, contents[name], content_type=kind, cache_control=_LIFETIME)
    return f"{len(names)} uploaded"


@actions.action("delete_assets")
def delete_assets(
    clients: connect.Clients,
    progress: actions.Progress,
    *,
    role: estate.RegionName,
    names: Sequence[str],
) -> None:
    """Delete files that were not there before; those that are gone already are as good."""
    container = clients.static_container(role)
    for name in names:
        progress(f"deleting {name}")
        container.delete(name)
