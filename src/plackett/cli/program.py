"""The program `plackett`: its commands, and one clean message for each error."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import plackett
from plackett.cli import experimenting, measuring, ranking, retrieving
from plackett.cli.console import announce, show
from plackett.errors import PlackettError

__all__ = ["app", "main"]

app = typer.Typer(
    name="plackett",
    help="Ranking, proven: retrieve, learn to rank, evaluate, and compare with evidence.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        show(f"plackett {plackett.__version__}")
        raise typer.Exit


@app.callback()
def _program(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print it.")
    ] = False,
    traceback: Annotated[
        bool, typer.Option("--traceback", help="Show where in the code an error arose.")
    ] = False,
) -> None:
    """Ranking, proven: retrieve, learn to rank, evaluate, and compare with evidence."""


for _commands in (experimenting, retrieving, ranking, measuring):
    _commands.register(app)


def main() -> None:
    """Run the program on `sys.argv`.

    Exit codes: 0 done, 1 a defect of plackett, 2 wrong usage, data or configuration, 130 Ctrl-C.
    """
    try:
        app()
    except (PlackettError, OSError) as error:
        if "--traceback" in sys.argv:
            raise
        announce(f"plackett: {error}")
        sys.exit(2)
