"""What commands show: tables and messages for people, JSON for programs, nothing unscrubbed.

Data goes to standard output, everything said about it to standard error, so that
``azrunbook … --json | jq`` works while progress is shown.
"""

import json
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import typer

from azrunbook import secrets

if TYPE_CHECKING:
    from azrunbook import journal

_COLOURS = {
    "passed": "green", "planned": "blue", "undone": "yellow", "interrupted": "yellow",
    "failed": "red",
}  # fmt: skip

_FILE_COLUMNS = 160  # of a table that goes into a file or a log

# One line per entry that a person waits for: its form, filled from the entry's data, and colour.
_LINES: dict[str, tuple[str, str | None]] = {
    "start": ("goes on after {resumes}, which was interrupted", "yellow"),
    "step_started": ("> {step}", None),
    "progress": ("  {step}: {message}", "bright_black"),
    "step_done": ("+ {step} ({seconds:.1f} s)", "green"),
    "step_failed": ("! {step} ({seconds:.1f} s): {error}", "red"),
    "check": ("! check {name}: {found}", "red"),
    "metric": ("= {name}: {value:g} {unit}", "cyan"),
    "failure": ("! {reason}: {error}", "red"),
    "undo_started": ("< undo {step} (press Ctrl-C twice to give up)", "yellow"),
    "undo_done": ("< undone {step}", "yellow"),
    "undo_failed": ("! undo {step}: {error}", "red"),
}

Json = typer.Option("--json", help="Print JSON instead of a table.")


def print_json(value: Any) -> None:
    typer.echo(json.dumps(secrets.scrub_json(value), indent=2, ensure_ascii=False, default=str))


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]], title: str = "") -> None:
    from rich import box, console, table, text

    shown = table.Table(
        box=box.SIMPLE_HEAD, title=title or None, title_justify="left", pad_edge=False
    )
    for heading in headings:
        shown.add_column(heading, overflow="fold")
    for row in rows:
        cells = [text.Text(secrets.scrub(cell), style=_COLOURS.get(cell, "")) for cell in row]
        shown.add_row(*cells)
    screen = console.Console()
    if not screen.is_terminal:
        screen.width = _FILE_COLUMNS
    screen.print(shown)


def say(message: str, colour: str | None = None) -> None:
    """Tell a person something that is not the command's data."""
    typer.secho(secrets.scrub(message), err=True, fg=colour)


def say_error(message: str) -> None:
    say(f"error: {message}", "red")


def say_verdict(verdict: str) -> str:
    return typer.style(verdict, fg=_COLOURS.get(verdict), bold=True)


def follow(procedure: str) -> "Callable[[journal.Entry], None]":
    """A listener that turns the entries of one run into a line per step on standard error."""

    def tell(entry: "journal.Entry") -> None:
        line, colour = _describe(entry.kind, entry.data)
        if line:
            say(f"{time.strftime('%H:%M:%S')}  {procedure}  {line}", colour)

    return tell


def _describe(kind: str, data: dict[str, Any]) -> tuple[str, str | None]:
    if kind == "plan":
        count = sum(change["action"] != "no_change" for change in data["changes"])
        return f"plan {data['hash'][:12]}: {count} changes, {len(data['steps'])} steps", None
    if kind == "end":
        return data["verdict"], _COLOURS.get(data["verdict"])
    if kind == "start" and data.get("took_over"):
        return "takes over from {took_over}, which never ended".format(**data), "yellow"
    is_silent = (kind == "start" and not data["resumes"]) or (
        kind == "check" and (data["passed"] or not data["required"])
    )
    form, colour = ("", None) if is_silent else _LINES.get(kind, ("", None))
    return form.format(**data), colour
