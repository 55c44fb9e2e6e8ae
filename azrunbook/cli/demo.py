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
_PROCEDURES = (
    "01_provision_estate",
    "02_roll_out_ingress",
    "03_release_app",
    "04_upgrade_and_roll_back_app",
    "05_scale",
    "06_fail_over_region",
    "07_fail_back_region",
    "09_tear_down_estate",
)
_EXTRA = {"09_tear_down_estate": {"confirm": _ENVIRONMENT}}


def demo(
    reports: Annotated[Path | None, typer.Option(help="Folder of all reports.")] = None,
) -> None:
    """Provision, release, upgrade, scale, fail over and back, and tear down, on a local Azure.

    Uses a sandbox of its own, beside one that a person may have up, and takes it down at the end.

    Example: azrunbook demo
    """
    from azrunbook import connection
    from azrunbook.cli import batch

    started = time.monotonic()
    os.environ["AZRUNBOOK_HOME"] = str(connection.find_home() / "demo")
    jobs = [
        batch.Job(batch.find_notebook(name), {"apply": "true", **_EXTRA.get(name, {})})
        for name in _PROCEDURES
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
