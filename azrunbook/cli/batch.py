"""Several notebooks in order: found, checked together before the first one starts, run, summed up.

Used by ``run`` and ``demo``; imported late, because it brings the runner.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from azrunbook import connect, connection, errors, estate, secrets
from azrunbook.cli import console
from azrunbook.notebooks import parameters, runner
from azrunbook.procedures import folders
from azrunbook.report import html


@dataclass(frozen=True)
class Job:
    """One notebook with the parameters given to it; ``before`` is called just before it."""

    notebook: Path
    given: Mapping[str, str]
    before: Callable[[], None] | None = None


def default_reports() -> Path:
    return estate.find_project() / "reports"


def find_notebook(name: str) -> Path:
    """Find a notebook by its stem in notebooks/, or by its path.

    Raises:
        ParameterError: there is none; names those there are.
    """
    folder = estate.find_project() / "notebooks"
    for candidate in (Path(name), folder / f"{name}.ipynb", folder / name):
        if candidate.is_file() and candidate.suffix == ".ipynb":
            return candidate
    known = ", ".join(sorted(path.stem for path in folder.glob("[0-9]*.ipynb")))
    raise errors.ParameterError(
        f"no notebook '{name}': expected one of {known or 'none'}, or a path. Nothing was started."
    )


def find_run(reports: Path, name: str) -> Path:
    """Find a run; see :func:`folders.find_run`.

    Raises:
        ParameterError: there is none: wrong input, nothing failed.
    """
    try:
        return folders.find_run(reports, name)
    except errors.NotFoundError as error:
        raise errors.ParameterError(str(error)) from error


def check(jobs: Sequence[Job], *, environment: str, target: str) -> None:
    """Check the estate file, the target and the parameters of all notebooks.

    Raises:
        ParameterError: a parameter is wrong, or there is no such target; nothing was started.
        EstateError: the estate file is wrong; nothing was started.
    """
    estate.load(environment)
    require_target(target)
    for job in jobs:
        defaults = {"env": environment, "target": target}
        parameters.check(job.notebook, job.given, defaults=defaults)


def require_target(target: str) -> None:
    """See that a target is described somewhere; a sandbox can be started.

    Raises:
        ParameterError: no such connection file, or no subscription: wrong input, nothing failed.
    """
    if target == "sandbox":
        return
    try:
        connection.find(target)
    except errors.ConnectError as error:
        raise errors.ParameterError(f"{error} Nothing was started.") from error


def run_all(
    jobs: Sequence[Job],
    *,
    environment: str,
    target: str,
    reports: Path,
    deadline_seconds: float = runner.DEADLINE_SECONDS,
) -> list[runner.Outcome]:
    """Run notebooks one after the other; the first that fails, or is stopped, is the last.

    Who presses Ctrl-C while a run that passed writes its report does not want the next one.
    """
    _register_secret(target)
    outcomes = []
    for job in jobs:
        if job.before:
            job.before()
        outcome = runner.run(
            job.notebook,
            job.given,
            environment=environment,
            target=target,
            reports=reports,
            connect=connect.connect,
            deadline_seconds=deadline_seconds,
            tell=console.follow(job.notebook.stem),
        )
        outcomes.append(outcome)
        if outcome.was_stopped or not outcome.succeeded:
            break
    return outcomes


def show(outcomes: Sequence[runner.Outcome], reports: Path, *, as_json: bool = False) -> None:
    """The closing table, and where the index is."""
    if as_json:
        console.print_json([_describe(one) for one in outcomes])
        return
    console.print_table(
        ("procedure", "verdict", "duration", "report"),
        [
            (
                one.folder.parent.name,
                one.judgement.verdict,
                html.say_seconds(one.duration_seconds),
                say_path(one.folder / f"{one.folder.parent.name}.html"),
            )
            for one in outcomes
        ],
    )
    for one in outcomes:
        for reason in one.judgement.reasons:
            console.say(f"{one.folder.parent.name}: {reason}", "red")
    sys.stdout.write(f"{say_path(reports / 'index.html')}\n")


def say_path(path: Path) -> str:
    """Relative to the current folder, where it is inside."""
    try:
        return path.resolve().relative_to(Path.cwd()).as_posix()
    except ValueError:
        return str(path)


def _describe(outcome: runner.Outcome) -> dict[str, object]:
    return {
        "procedure": outcome.folder.parent.name,
        "verdict": outcome.judgement.verdict,
        "reasons": outcome.judgement.reasons,
        "duration_seconds": round(outcome.duration_seconds, 3),
        "report": str(outcome.folder),
    }


def _register_secret(target: str) -> None:
    """Know the target's secret before anything is recorded: it could stand in a parameter."""
    known = connection.find(target).credential
    if known is not None:
        secrets.register(known.client_secret_file.read_text(encoding="utf-8").strip())
