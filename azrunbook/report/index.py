"""reports/index.html: every run of a reports folder, the newest first, from their journals."""

from pathlib import Path
from typing import Any

from azrunbook import errors
from azrunbook.procedures import folders
from azrunbook.report import html, result

FILE_NAME = "index.html"
_CARD_METRICS = 3


def write(reports: Path) -> Path:
    """Write the index of all runs; returns its path."""
    path = reports / FILE_NAME
    result.replace_text(path, html.render("index.html.j2", runs=_list(reports)))
    return path


def _list(reports: Path) -> list[dict[str, Any]]:
    """The runs as rows, the newest first; ``is_latest`` marks each procedure's newest."""
    rows: list[dict[str, Any]] = []
    seen = set()
    for folder in reversed(folders.list_runs(reports)):
        row = _describe(folder, reports)
        row["is_latest"] = row["procedure"] not in seen
        seen.add(row["procedure"])
        rows.append(row)
    return rows


def _describe(folder: Path, reports: Path) -> dict[str, Any]:
    link = folder.relative_to(reports).as_posix()
    page = folder / f"{folder.parent.name}.html"
    try:
        found = result.build(folder)
    except errors.JournalError as error:
        return {
            "procedure": folder.parent.name, "verdict": "damaged", "link": f"{link}/",
            "name": folder.name, "note": str(error), "target": "", "environment": "",
            "started_at": "", "duration_seconds": None, "metrics": [], "checks": "",
        }  # fmt: skip
    is_running = found["verdict"] == "interrupted" and folders.is_alive(folder)
    passed = sum(check["passed"] for check in found["checks"])
    return {
        "procedure": found["procedure"],
        "verdict": "running" if is_running else found["verdict"],
        "link": f"{link}/{page.name}" if page.exists() else f"{link}/",
        "name": folder.name,
        "note": found["reasons"][0] if found["reasons"] and not is_running else "",
        "target": found["target"],
        "environment": found["environment"],
        "started_at": found["started_at"],
        "duration_seconds": found["duration_seconds"],
        "metrics": _choose_metrics(found["metrics"]),
        "checks": f"{passed} of {len(found['checks'])}" if found["checks"] else "",
    }


def _choose_metrics(metrics: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The figures that a card has room for: what was predicted says most."""
    return sorted(metrics, key=lambda metric: metric["predicted"] is None)[:_CARD_METRICS]
