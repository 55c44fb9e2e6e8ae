"""``azrunbook demo``: rehearse the whole estate on a sandbox of its own.

What ``make demo`` runs.
"""

import os
import time
from pathlib import Path
from typing import Annotated

import typer

from azrunbook.cli import console, sandboxes

_ENVIRONMENT = "dv"
_AUDIT = "08_audit_drift"
# What is run, with which parameters: an audit that finds nothing, and one after somebody's hands.
_APPLIED = {"apply": "true"}
_JOBS: tuple[tuple[str, dict[str, str]], ...] = (
    ("00_start_here", {}),
    ("01_provision_estate", _APPLIED),
    ("02_roll_out_ingress", _APPLIED),
    ("03_release_app", _APPLIED),
    ("04_upgrade_and_roll_back_app", _APPLIED),
    ("05_scale", _APPLIED),
    ("06_fail_over_region", _APPLIED),
    ("07_fail_back_region", _APPLIED),
    (_AUDIT, {}),
    (_AUDIT, _APPLIED),
    ("09_tear_down_estate", {**_APPLIED, "confirm": _ENVIRONMENT}),
)


def demo(
    reports: Annotated[Path | None, typer.Option(help="Folder of all reports.")] = None,
) -> None:
    """Provision, release, upgrade, scale, fail over and back, audit, tear down; on a local Azure.

    Uses a sandbox of its own, beside one that a person may have up, and takes it down at the end.

    Example: azrunbook demo
    """
    from azrunbook import connection
    from azrunbook.cli import batch

    started = time.monotonic()
    os.environ["AZRUNBOOK_HOME"] = str(connection.find_home() / "demo")
    jobs = [
        batch.Job(
            batch.find_notebook(name),
            given,
            before=_change_by_hand if (name, given) == (_AUDIT, _APPLIED) else None,
        )
        for name, given in _JOBS
    ]
    folder = reports or batch.default_reports()
    batch.check(jobs, environment=_ENVIRONMENT, target="sandbox")
    with sandboxes.ensured("sandbox"):
        outcomes = batch.run_all(jobs, environment=_ENVIRONMENT, target="sandbox", reports=folder)
    batch.show(outcomes, folder)
    console.say(f"{time.monotonic() - started:.0f} s in all")
    verdicts = [outcome.judgement.verdict for outcome in outcomes]
    if verdicts != ["passed"] * len(jobs):
        raise typer.Exit(1)


def _change_by_hand() -> None:
    """As a colleague in a hurry: one region out of service, one deployment scaled down."""
    from azrunbook import connect, connection

    console.say("a colleague takes an origin out of service and scales a deployment down")
    colleague = connection.find_home() / "sandbox" / "colleague.json"
    clients = connect.connect(_ENVIRONMENT, str(colleague))
    (role, region), app = clients.estate.get_region("secondary"), clients.estate.app
    clients.front_door.set_origin_state(region.location, is_enabled=False)
    clients.region(role).workloads.scale(app.namespace, app.release, 1)
