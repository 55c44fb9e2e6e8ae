"""``azrunbook doctor``: what this machine has, what is missing, and what to do about it."""

import platform
import sys
from dataclasses import asdict, dataclass
from typing import Annotated

import typer

from azrunbook import errors
from azrunbook.cli import console

_OPTIONAL = {"terraform"}  # only the second engine needs it
_PYTHON = (3, 11)


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; ``ok``, ``missing`` (needed) or ``optional``."""

    name: str
    state: str
    version: str
    where: str
    advice: str = ""


def doctor(
    install: Annotated[
        bool, typer.Option("--install", help="Fetch what is missing, where a wheel carries it.")
    ] = False,
    as_json: Annotated[bool, console.Json] = False,
) -> None:
    """Look for everything this needs: where, which version, what to do about a missing one.

    Exit 1 when something needed is missing. Example: azrunbook doctor --install
    """
    findings = [
        _look_at_python(),
        *_look_at_tools(install=install),
        *_look_at_builders(),
        _look_at_estate(),
        _sandbox(),
    ]
    if as_json:
        console.print_json([asdict(finding) for finding in findings])
    else:
        console.print_table(
            ("", "what", "version", "where", "what to do"),
            [(one.state, one.name, one.version, one.where, one.advice) for one in findings],
        )
    if any(finding.state == "missing" for finding in findings):
        raise typer.Exit(1)


def _look_at_python() -> Finding:
    is_fit = sys.version_info >= _PYTHON
    return Finding(
        name="python",
        state="ok" if is_fit else "missing",
        version=platform.python_version(),
        where=sys.executable,
        advice="" if is_fit else "install Python 3.11 or newer",
    )


def _look_at_tools(*, install: bool) -> list[Finding]:
    from azrunbook import binaries

    return [_look_at_tool(name, install=install) for name in binaries.TOOLS]


def _look_at_tool(name: str, *, install: bool) -> Finding:
    from azrunbook import binaries

    found, problem = binaries.find(name), ""
    if found is None and install and binaries.TOOLS[name].wheels:
        try:
            found = binaries.install(name)
        except errors.AzrunbookError as error:
            problem = str(error)
    if found is not None:
        return Finding(name, "ok", found.version, f"{found.path} ({found.origin})")
    seen = "; ".join(f"{one.path}: {one.problem}" for one in binaries.list_candidates(name))
    advice = problem or binaries.TOOLS[name].advice
    if binaries.TOOLS[name].wheels and not install:
        advice = f"azrunbook doctor --install. Or: {advice}"
    state = "optional" if name in _OPTIONAL else "missing"
    return Finding(name, state, "", seen or "not found", advice)


def _look_at_builders() -> list[Finding]:
    """Who could build images here; the registry itself needs none of them."""
    from azrunbook import local_builds

    found = map(local_builds.look, local_builds.PROBES)
    return [
        Finding(
            one.name,
            "optional" if one.problem else "ok",
            one.version,
            one.path,
            f"only for -p builder={one.name}: {one.problem}" if one.problem else "",
        )
        for one in found
    ]


def _look_at_estate() -> Finding:
    from azrunbook import estate

    try:
        project = estate.find_project()
        names = [
            environment
            for environment in estate.ENVIRONMENTS
            if (project / "infra" / environment / "estate.yaml").exists()
        ]
        for name in names:
            estate.load(name, project)
    except errors.EstateError as error:
        return Finding("estate files", "missing", "", "", str(error))
    return Finding("estate files", "ok", ", ".join(names), str(project / "infra"))


def _sandbox() -> Finding:
    from azrunbook import connect, connection

    try:
        home = connection.find_home()
        is_running = connect.sandbox_lifecycle().is_running(home)
    except (errors.AzrunbookError, ImportError) as error:
        advice = f"pip install 'azrunbook[sandbox]' ({error})"
        return Finding("sandbox", "optional", "", "not available", advice)
    advice = "" if is_running else "azrunbook sandbox up"
    where = str(home / "sandbox")
    return Finding("sandbox", "ok", "running" if is_running else "not running", where, advice)
