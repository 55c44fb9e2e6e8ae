"""``azrunbook sandbox``: a local Azure that stays up until it is taken down.

All of it goes through ``connect.sandbox_lifecycle()``; nothing here knows how a sandbox works.
"""

import contextlib
import os
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from azrunbook import errors
from azrunbook.cli import console

app = typer.Typer(no_args_is_help=True)


class Timing(StrEnum):
    """How long the operations of the local Azure take."""

    IMMEDIATE = "immediate"
    SECONDS = "seconds"
    MANUAL = "manual"


class Images(StrEnum):
    """What a pod does whose image cannot run here."""

    FAIL = "fail"
    SIMULATE = "simulate"


@app.command("up")
def up(
    timing: Annotated[
        Timing, typer.Option(help="Operations take no time, a fraction of Azure's, or stand still.")
    ] = Timing.SECONDS,
    speed: Annotated[
        float,
        typer.Option(min=1, help="How many times Azure's, of --timing seconds; 1 is Azure's own."),
    ] = 80,
    images: Annotated[
        Images,
        typer.Option(
            help="A pod whose image cannot run here: ErrImagePull, as in a cluster whose registry "
            "lacks it; or Running and Ready without a process, with the label "
            "azrunbook.dev/simulated=true (its Jobs and hooks complete after a moment)."
        ),
    ] = Images.FAIL,
    as_json: Annotated[bool, console.Json] = False,
) -> None:
    """Start a sandbox in the background; one that runs already is used.

    Example: azrunbook sandbox up --images simulate
    """
    from azrunbook import connect, connection

    lifecycle, home = connect.sandbox_lifecycle(), connection.find_home()
    if not lifecycle.is_running(home):
        lifecycle.start(home, timing=timing.value, speed=speed, images=images.value)
    found = lifecycle.status(home)
    if images is Images.SIMULATE and found["images"] != images.value:
        raise errors.ConnectError(
            "the sandbox that runs does not simulate images: expected one started with "
            "--images simulate. azrunbook sandbox down, then up again"
        )
    if as_json:
        console.print_json(found)
        return
    console.say(f"the sandbox is ready (process {found['pid']}, {found['ready_seconds']} s)")
    console.say("next: azrunbook run 01_provision_estate -p apply=true")


@app.command("status")
def status(as_json: Annotated[bool, console.Json] = False) -> None:
    """Show what runs: endpoints, clusters, the edge's origins. Exit 1 when none does.

    Example: azrunbook sandbox status --json
    """
    from azrunbook import connect, connection

    found = connect.sandbox_lifecycle().status(connection.find_home())
    if as_json:
        console.print_json(found)
    elif found["running"]:
        _show_status(found)
    else:
        console.say("no sandbox is running. Start one: azrunbook sandbox up")
    if not found["running"]:
        raise typer.Exit(1)


@app.command("kubeconfig")
def kubeconfig(
    region: Annotated[
        str, typer.Option(help="Make this region's cluster (a role or a location) the current one.")
    ] = "",
) -> None:
    """Print the path of a kubeconfig with a context per cluster, the primary current.

    Example: kubectl --kubeconfig "$(azrunbook sandbox kubeconfig)" get nodes
    """
    from azrunbook import connect, connection

    lifecycle, home = connect.sandbox_lifecycle(), connection.find_home()
    path: Path = lifecycle.kubeconfig_path(home)
    if not lifecycle.is_running(home) or not path.exists():
        raise errors.ConnectError(
            "there is no cluster to reach: expected a running sandbox with clusters in it. "
            "azrunbook sandbox up, then azrunbook run 01_provision_estate -p apply=true"
        )
    typer.echo(str(_select(path, region) if region else path))


@app.command("logs")
def logs(
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=1, help="How many, from the end.")
    ] = 50,
) -> None:
    """Print the end of the sandbox's log.

    Example: azrunbook sandbox logs -n 200
    """
    from azrunbook import connect, connection, secrets

    path: Path = connect.sandbox_lifecycle().log_path(connection.find_home())
    if not path.exists():
        raise errors.ConnectError(f"no sandbox was started here: {path} does not exist.")
    text = path.read_text(encoding="utf-8", errors="replace")
    typer.echo(secrets.scrub("\n".join(text.splitlines()[-lines:])))


@app.command("down")
def down() -> None:
    """Stop the sandbox and everything it started; one that does not run is fine.

    Example: azrunbook sandbox down
    """
    from azrunbook import connect, connection

    stopped = connect.sandbox_lifecycle().stop(connection.find_home())
    console.say("the sandbox is down" if stopped else "no sandbox was running")


@contextlib.contextmanager
def ensured(target: str) -> Iterator[None]:
    """Have a sandbox for as long as this lasts, if the target is one and none is up.

    It ends with this process, also when this process is killed.
    """
    from azrunbook import connect, connection

    lifecycle, home = connect.sandbox_lifecycle(), connection.find_home()
    if target != "sandbox" or lifecycle.is_running(home):
        yield
        return
    console.say("starting a sandbox, for this command only")
    lifecycle.start(home, owner_pid=os.getpid())
    try:
        yield
    finally:
        lifecycle.stop(home)


def _show_status(found: dict[str, Any]) -> None:
    megabytes = found["memory_bytes"] / 1e6
    console.print_table(
        ("endpoint", "address"),
        list(found["endpoints"].items()),
        title=f"sandbox, process {found['pid']}, {megabytes:.0f} MB",
    )
    console.print_table(
        ("cluster", "region", "state", "Kubernetes", "nodes", "pods"),
        [
            (
                one["name"], one["location"], one["power"], one["kubernetes_version"],
                str(one["nodes"]), str(one["pods"]),
            )
            for one in found["clusters"]
        ],
    )  # fmt: skip


def _select(path: Path, region: str) -> Path:
    """Write a kubeconfig beside the other, with another current context."""
    import yaml

    from azrunbook import estate

    known = yaml.safe_load(path.read_text(encoding="utf-8"))
    names = [context["name"] for context in known["contexts"]]
    location = next(
        (
            found.location
            for environment in estate.ENVIRONMENTS
            if (estate.find_project() / "infra" / environment / "estate.yaml").exists()
            for role, found in estate.load(environment).regions.items()
            if region in {role, found.location}
        ),
        region,
    )
    chosen = [name for name in names if name.endswith(f"-{location}")]
    if not chosen:
        raise errors.ParameterError(
            f"no cluster in region '{region}': expected one of {', '.join(names) or 'none yet'}. "
            "Example: --region secondary"
        )
    known["current-context"] = chosen[0]
    selected = path.with_name(f"kubeconfig-{location}")
    selected.touch(mode=0o600)
    selected.write_text(yaml.safe_dump(known), encoding="utf-8")
    return selected
