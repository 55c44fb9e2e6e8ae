"""``azrunbook plan``, ``apply``, ``run``, ``undo``, ``verify``: do it, take it back, prove it."""

import os
from pathlib import Path
from typing import Annotated

import typer

from azrunbook import errors
from azrunbook.cli import completion, console, sandboxes
from azrunbook.cli.estates import Environment, Target

Reports = Annotated[Path | None, typer.Option("--reports", help="Folder of all reports.")]
RunName = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="A run's folder, or a procedure for its newest run.",
        autocompletion=completion.list_runs,
    ),
]
Engine = Annotated[
    str, typer.Option(help="arm, or terraform.", autocompletion=completion.list_engines)
]
_SHORTEST_HASH = 12


def plan(
    env: Environment = "dv",
    target: Target = "sandbox",
    engine: Engine = "arm",
    as_json: Annotated[bool, console.Json] = False,
) -> None:
    """Show what 01, 02 and 03 would change, as one plan with one hash; changes nothing.

    Example: azrunbook plan --env dv --target sandbox --engine terraform --json
    """
    from azrunbook import connect
    from azrunbook.cli import batch
    from azrunbook.procedures import engines, whole_plan

    batch.check([], environment=env, target=target)
    engines.require(engine)
    with sandboxes.ensured(target):
        parts = whole_plan.observe(connect.connect(env, target), engine)
    found = whole_plan.merge(parts.values())
    if as_json:
        hashes = {stem: part.hash for stem, part in parts.items()}
        console.print_json({**found.as_dict(), "parts": hashes})
    else:
        typer.echo(str(found))
        typer.echo(f"hash {found.hash}")


def apply(
    plan_hash: Annotated[
        str,
        typer.Option("--plan", metavar="HASH", help="What azrunbook plan printed, or its start."),
    ],
    env: Environment = "dv",
    target: Target = "sandbox",
    engine: Engine = "arm",
    reports: Reports = None,
    as_json: Annotated[bool, console.Json] = False,
) -> None:
    """Do what a plan showed: run 01, 02 and 03 as far as they change something.

    Plans again first, with the same engine, and refuses with exit 1 when that gives another hash.

    Example: azrunbook apply --env dv --plan 3f2a9c01d4e5
    """
    from azrunbook import connect
    from azrunbook.cli import batch
    from azrunbook.procedures import engines, whole_plan

    if len(plan_hash) < _SHORTEST_HASH:
        raise errors.ParameterError(
            f"--plan {plan_hash}: expected at least {_SHORTEST_HASH} characters of the hash that "
            "azrunbook plan printed. Nothing was started."
        )
    batch.check([], environment=env, target=target)
    engines.require(engine)
    folder = reports or batch.default_reports()
    with sandboxes.ensured(target):
        parts = whole_plan.observe(connect.connect(env, target), engine)
        whole_plan.require_hash(whole_plan.merge(parts.values()), plan_hash)
        needed = [stem for stem, part in parts.items() if not part.is_empty]
        jobs = [
            batch.Job(
                batch.find_notebook(stem), {"apply": "true", **whole_plan.options(stem, engine)}
            )
            for stem in needed
        ]
        batch.check(jobs, environment=env, target=target)
        outcomes = batch.run_all(jobs, environment=env, target=target, reports=folder)
    if not jobs:
        console.say("nothing to change: everything is as declared")
    batch.show(outcomes, folder, as_json=as_json)
    if len(outcomes) < len(jobs) or not all(one.succeeded for one in outcomes):
        raise typer.Exit(1)


def run(
    notebooks: Annotated[
        list[str],
        typer.Argument(
            metavar="NOTEBOOK...",
            help="Stems in notebooks/, or paths; they run in this order.",
            autocompletion=completion.list_notebooks,
        ),
    ],
    env: Environment = "dv",
    target: Target = "sandbox",
    parameter: Annotated[
        list[str] | None,
        typer.Option("-p", "--parameter", metavar="NAME=VALUE", help="For each notebook given."),
    ] = None,
    reports: Reports = None,
    deadline: Annotated[
        float, typer.Option(min=1, help="Seconds that each notebook may take.")
    ] = 7200.0,
    as_json: Annotated[bool, console.Json] = False,
) -> None:
    """Run notebooks headless and leave a report of each; the first that fails ends it.

    Starts a sandbox if the target is one and none is up, and takes that one down again.

    Example: azrunbook run 01_provision_estate -p apply=true
    """
    from azrunbook.cli import batch

    given = _parse(parameter or [])
    env, target = given.get("env", env), given.get("target", target)
    jobs = [batch.Job(batch.find_notebook(name), given) for name in notebooks]
    batch.check(jobs, environment=env, target=target)
    folder = reports or batch.default_reports()
    with sandboxes.ensured(target):
        outcomes = batch.run_all(
            jobs, environment=env, target=target, reports=folder, deadline_seconds=deadline
        )
    batch.show(outcomes, folder, as_json=as_json)
    if len(outcomes) < len(jobs) or not all(one.succeeded for one in outcomes):
        raise typer.Exit(1)


def undo(
    name: RunName,
    reports: Reports = None,
    target: Annotated[
        str | None,
        typer.Option(help="Only if the run's own target is now found elsewhere."),
    ] = None,
) -> None:
    """Take back what a run did, from its journal; also after it was killed.

    Example: azrunbook undo 06_fail_over_region
    """
    from azrunbook import connect, journal, report
    from azrunbook.cli import batch
    from azrunbook.procedures import folders, records, undoing

    folder = batch.find_run(reports or batch.default_reports(), name)
    start = records.get_start(journal.read(folder))
    known = records.find_parameter(journal.read(folder), "target")
    target = target or known or start["target"]
    batch.require_target(target)
    with folders.lease_of(
        folder.parent.parent, start["environment"], start["target"], own=folder
    ) as lease:
        lock = folders.hold(folder)
        lease.give(folder)
    try:
        clients = connect.connect(start["environment"], target)
        judgement = undoing.undo(folder, clients, tell=console.say)
        report.write(folder)
    finally:
        os.close(lock)
    console.say(f"{folder.parent.name}/{folder.name}: {console.say_verdict(judgement.verdict)}")
    for reason in judgement.reasons:
        console.say(f"  {reason}")
    if records.list_pending_undos(journal.read(folder)):
        raise typer.Exit(1)


def verify(
    name: RunName,
    reports: Reports = None,
    as_json: Annotated[bool, console.Json] = False,
) -> None:
    """Prove that nobody changed a run's record, its files, or the runs before it.

    Exit 1 when something was. Example: azrunbook verify 01_provision_estate
    """
    from azrunbook.cli import batch
    from azrunbook.report import verify as verifying

    folder = batch.find_run(reports or batch.default_reports(), name)
    table = verifying.verify(folder)
    head = verifying.find_head(folder)
    if as_json:
        console.print_json(
            {
                "run": f"{folder.parent.name}/{folder.name}",
                "passed": table.passed,
                "head": head,
                "checks": [check.as_dict() for check in table],
            }
        )
    else:
        console.print_table(
            ("", "what", "expected", "found"),
            [
                ("passed" if check.passed else "failed", check.name, check.criterion, check.found)
                for check in table
            ],
            title=f"{folder.parent.name}/{folder.name}",
        )
        typer.echo(f"head {head}")
    if not table.passed:
        raise typer.Exit(1)


def _parse(given: list[str]) -> dict[str, str]:
    values = {}
    for one in given:
        name, separator, value = one.partition("=")
        if not separator or not name:
            raise errors.ParameterError(
                f"'{one}' is not a parameter: expected NAME=VALUE. Example: -p apply=true"
            )
        values[name] = value
    return values
