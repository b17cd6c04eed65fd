"""What the commands share: where output goes, progress, and how errors look."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from plackett.errors import ConfigurationError

__all__ = ["announce", "examples", "parse_settings", "progress_bar", "show", "write_text"]


def show(text: str) -> None:
    """Print a result on standard output."""
    typer.echo(text)


def announce(text: str) -> None:
    """Say something beside the result, on standard error."""
    typer.echo(text, err=True)


def examples(*lines: str) -> str:
    """The epilogue of a command's help."""
    return "\n\n".join(["Examples:", *lines])


def write_text(target: str, text: str) -> None:
    """Write a text to a file, atomically, or to standard output for "-"."""
    if target == "-":
        show(text)
        return
    from plackett.data.formats.atomic import atomic_write

    with atomic_write(Path(target)) as file:
        file.write(text.encode())
    announce(f"wrote {target}")


@contextmanager
def progress_bar(label: str) -> Iterator[Callable[[int, int | None], None]]:
    """A function `(done, total)` that moves a bar on standard error, where that is a screen."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def parse_settings(settings: list[str]) -> dict[str, object]:
    """`["trees=300", "gain=linear"]` as parameters: Python literals, or else plain texts.

    >>> parse_settings(["trees=300", "gain=linear"])
    {'trees': 300, 'gain': 'linear'}
    """
    import ast

    parsed: dict[str, object] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or not name:
            raise ConfigurationError(f"cannot read the setting {setting!r}; write name=value.")
        try:
            parsed[name.strip()] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            parsed[name.strip()] = value
    return parsed
