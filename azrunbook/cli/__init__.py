"""The command line: what a person or CI types. Reads arguments, calls one function, shows a table.

Heavy imports are inside the commands, because ``azrunbook --help`` and shell completion must
answer before an SDK could be loaded. Exit status: 0 done, 1 failed, 2 wrong input.
"""

import sys

import typer

from azrunbook import errors
from azrunbook.cli import console, demo, doctor, estates, running, sandboxes

app = typer.Typer(
    name="azrunbook",
    help="Runbook for a two-region AKS estate, and a local Azure to rehearse it on.",
    no_args_is_help=True,
    rich_markup_mode=None,  # its help needs a quarter of a second to be imported
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(estates.app, name="estate", help="The estate file.")
app.add_typer(sandboxes.app, name="sandbox", help="A local Azure, in the background.")
app.command("doctor")(doctor.doctor)
app.command("outputs")(estates.outputs)
app.command("plan")(running.plan)
app.command("apply")(running.apply)
app.command("run")(running.run)
app.command("undo")(running.undo)
app.command("verify")(running.verify)
app.command("demo", hidden=True)(demo.demo)

_WRONG_INPUT = (errors.EstateError, errors.ParameterError)


def main() -> None:
    """Run the command line; the entry point of the package."""
    try:
        app()
    except errors.AzrunbookError as error:
        console.say_error(str(error))
        sys.exit(2 if isinstance(error, _WRONG_INPUT) else 1)
