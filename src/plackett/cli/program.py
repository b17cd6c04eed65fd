"""The program `plackett`: its commands, and one clean message for each error."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import plackett
from plackett.cli import (
    caching,
    choosing,
    converting,
    describing,
    documents,
    experimenting,
    fusing,
    measuring,
    ranking,
    reranking,
    retrieving,
)
from plackett.cli.clicks import program as clicking
from plackett.cli.console import announce, show
from plackett.errors import PlackettError

__all__ = ["app", "main"]

WRONG, INTERRUPTED = 2, 130

app = typer.Typer(
    name="plackett",
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
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version."),
    ] = False,
    traceback: Annotated[
        bool,
        typer.Option("--traceback", help="Show where in the code an error arose (any place)."),
    ] = False,
) -> None:
    """Ranking, proven: retrieve, learn to rank, evaluate, and compare with evidence.

    Start with `plackett demo`. Wherever a command takes a file, - is standard input or output.
    """


for _commands in (
    experimenting,
    retrieving,
    documents,
    fusing,
    describing,
    ranking,
    reranking,
    choosing,
    measuring,
    converting,
    caching,
    clicking,
):
    _commands.register(app)


def main() -> None:
    """Run the program on `sys.argv`.

    Exit codes: 0 done, 1 a defect of plackett, 2 wrong usage, data or configuration, 130 Ctrl-C.
    """
    arguments = [argument for argument in sys.argv[1:] if argument != "--traceback"]
    try:
        app(arguments, prog_name="plackett")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except (PlackettError, OSError) as error:
        if len(arguments) < len(sys.argv) - 1:
            raise
        announce(f"plackett: {error}")
        sys.exit(WRONG)
