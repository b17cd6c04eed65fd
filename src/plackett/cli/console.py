"""What the commands share: where output goes, progress, and the form of their options."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from plackett.errors import ConfigurationError, DataError

__all__ = [
    "announce",
    "counted",
    "examples",
    "input_file",
    "output_file",
    "parse_settings",
    "progress_bar",
    "run_name",
    "show",
    "split_names",
    "write_text",
]

STREAM = Path("-")
WORDS = {"true": True, "false": False, "none": None}


def show(text: str) -> None:
    """Print a result on standard output."""
    typer.echo(text)


def announce(text: str) -> None:
    """Say something beside the result, on standard error."""
    typer.echo(text, err=True)


def examples(*lines: str) -> str:
    """The epilogue of a command's help."""
    return "\n\n".join(["EXAMPLES", *lines])


def counted(number: int, noun: str, plural: str = "") -> str:
    """
    >>> counted(1, "query", "queries"), counted(1400, "document")
    ('1 query', '1,400 documents')
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def split_names(names: str | None) -> list[str] | None:
    """
    >>> split_names("title, text"), split_names(None)
    (['title', 'text'], None)
    """
    return None if names is None else [name.strip() for name in names.split(",")]


def run_name(path: Path) -> str:
    """What tables call the run of a file: its stem, without `.gz` and the format's suffix.

    >>> run_name(Path("runs/bm25.v2.txt.gz")), run_name(Path("-"))
    ('bm25.v2', 'stdin')
    """
    if path == STREAM:
        return "stdin"
    return Path(path.stem).stem if path.suffix.lower() == ".gz" else path.stem


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
def input_file(path: Path, suffix: str) -> Iterator[Path]:
    """The path itself, or for "-" that of a passing copy of standard input, ending in `suffix`."""
    if path != STREAM:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="plackett-") as folder:
        copy = Path(folder) / f"stdin{suffix}"
        with copy.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        try:
            yield copy
        except DataError as error:
            if error.path != str(copy):
                raise
            raise DataError(
                error.found,
                expected=error.expected,
                remedy=error.remedy,
                path="standard input",
                line=error.line,
            ) from error


@contextmanager
def output_file(path: Path, suffix: str) -> Iterator[Path]:
    """The path itself, or for "-" one ending in `suffix` whose bytes then go to standard output."""
    if path != STREAM:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="plackett-") as folder:
        copy = Path(folder) / f"stdout{suffix}"
        yield copy
        with copy.open("rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer)
        sys.stdout.flush()


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

    >>> parse_settings(["trees=300", "measure=nDCG@10", "early_stopping=none"])
    {'trees': 300, 'measure': 'nDCG@10', 'early_stopping': None}
    """
    import ast

    parsed: dict[str, object] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        name, value = name.strip(), value.strip()
        if not equals or not name:
            raise ConfigurationError(f"cannot read the setting {setting!r}; write name=value.")
        if name in parsed:
            raise ConfigurationError(f"{name!r} is set twice; leave one out.")
        try:
            parsed[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            parsed[name] = WORDS.get(value.lower(), value)
    return parsed
