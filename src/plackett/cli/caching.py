"""`plackett cache`: what a cache of answers holds, its upkeep, and its contents as JSONL."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plackett.cli.console import announce, counted, examples, show
from plackett.errors import ConfigurationError, DataError

if TYPE_CHECKING:
    from plackett.transport.cache import AnswerCache, CachedAnswer

__all__ = ["answers", "export", "parse_age", "parse_size", "prune", "stats", "verify"]

AGES = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 7 * 86400.0}
SIZES = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9}

CachePath = Annotated[Path, typer.Argument(metavar="CACHE", help="The file of the cache.")]
Kind = Annotated[str | None, typer.Option(help="Only answers of this kind, such as generate.")]
Model = Annotated[str | None, typer.Option(help="Only answers of models whose name holds this.")]


def parse_age(text: str) -> float:
    """A time span in seconds.

    >>> parse_age("90s"), parse_age("30d")
    (90.0, 2592000.0)
    """
    return _measured(text, AGES, "a time such as 12h or 30d")


def parse_size(text: str) -> int:
    """A size in bytes.

    >>> parse_size("1.5MB"), parse_size("0B")
    (1500000, 0)
    """
    return int(_measured(text, SIZES, "a size such as 500MB or 2GB"))


def stats(path: CachePath) -> None:
    """Print how many answers there are of each kind and model, their size and age."""
    with _opened(path) as cache:
        groups = cache.stats()
    rows = [["kind", "model", "answers", "size", "oldest", "newest"]]
    for group in groups:
        days = [_day(group.oldest), _day(group.newest)]
        rows.append([group.kind, group.model, f"{group.answers:,}", _shown(group.size), *days])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows if groups else []:
        cells = zip(row, widths, (str.ljust, str.ljust, str.rjust, str.rjust, str.ljust, str.ljust),
                    strict=True)  # fmt: skip
        show("  ".join(pad(cell, width) for cell, width, pad in cells).rstrip())
    size = _shown(sum(group.size for group in groups))
    announce(f"{counted(sum(group.answers for group in groups), 'answer')}, {size}: {path}")


def answers(path: CachePath, kind: Kind = None, model: Model = None) -> None:
    """Print a line for each answer, the oldest first: time, kind, key, beginning."""
    with _opened(path) as cache:
        for answer in _chosen(cache, kind, model):
            text = json.dumps(answer.answer, ensure_ascii=False)
            begin = text if len(text) <= 80 else f"{text[:77]}..."
            when = datetime.fromtimestamp(answer.made).strftime("%Y-%m-%d %H:%M:%S")
            show(f"{when}  {answer.kind}  {answer.key[:16]}  {begin}")


def prune(
    path: CachePath,
    older_than: Annotated[
        str | None, typer.Option(help="Remove what is older: a number and s, min, h, d or w.")
    ] = None,
    largest_size: Annotated[
        str | None,
        typer.Option(help="Remove the oldest down to so many bytes: a number and B, kB, MB, GB."),
    ] = None,
) -> None:
    """Remove the oldest answers, and give their room back."""
    if older_than is None and largest_size is None:
        raise ConfigurationError(
            "nothing says what to remove; give --older-than or --largest-size."
        )
    age = None if older_than is None else parse_age(older_than)
    size = None if largest_size is None else parse_size(largest_size)
    with _opened(path) as cache:
        removed = cache.prune(older_than=age, largest_size=size)
        left = len(cache)
    announce(f"removed {counted(removed, 'answer')}, {left:,} left: {path}")


def verify(
    path: CachePath,
    drop: Annotated[bool, typer.Option("--drop", help="Remove what is damaged.")] = False,
) -> None:
    """Check the file and every answer in it; damaged ones are listed, and end with code 2."""
    with _opened(path) as cache:
        damaged = cache.verify(drop=drop)
        count = len(cache)
    for key in damaged:
        show(key)
    if damaged and not drop:
        raise DataError(
            counted(len(damaged), "damaged answer"),
            expected="each as it was kept",
            remedy="--drop removes them",
            path=path,
        )
    removed = f", {counted(len(damaged), 'damaged one')} removed" if damaged else ""
    announce(f"{counted(count, 'sound answer')}{removed}: {path}")


def export(
    path: CachePath,
    target: Annotated[str, typer.Argument(help="The file to write, or - for standard output.")],
    kind: Kind = None,
    model: Model = None,
) -> None:
    """Write the sound answers as JSONL: key, kind, model, answer, made (seconds since 1970)."""
    count = 0
    with _opened(path) as cache:
        lines = (
            json.dumps(answer._asdict(), ensure_ascii=False)
            for answer in _chosen(cache, kind, model)
        )
        if target == "-":
            for line in lines:
                show(line)
            return
        from plackett.data.formats.atomic import atomic_write

        with atomic_write(Path(target)) as file:
            for line in lines:
                file.write(line.encode("utf-8", "replace") + b"\n")
                count += 1
    announce(f"{counted(count, 'answer')}: {target}")


def register(app: typer.Typer) -> None:
    """Add the commands to the program, in a group of their own."""
    group = typer.Typer(no_args_is_help=True)
    group.command(epilog=examples("plackett cache stats answers.sqlite"))(stats)
    group.command("list", epilog=examples("plackett cache list answers.sqlite --kind generate"))(
        answers
    )
    group.command(
        epilog=examples(
            "plackett cache prune answers.sqlite --older-than 30d",
            "plackett cache prune answers.sqlite --largest-size 2GB",
        )
    )(prune)
    group.command(epilog=examples("plackett cache verify answers.sqlite --drop"))(verify)
    group.command(epilog=examples("plackett cache export answers.sqlite answers.jsonl"))(export)
    app.add_typer(group, name="cache", help="Look into and tidy a file of kept model answers.")


@contextmanager
def _opened(path: Path) -> Iterator[AnswerCache]:
    from plackett.transport.cache import AnswerCache

    if not path.is_file():
        raise DataError("no file", expected="a cache of answers", path=path)
    with AnswerCache(path) as cache:
        yield cache


def _chosen(cache: AnswerCache, kind: str | None, model: str | None) -> Iterator[CachedAnswer]:
    for answer in cache.answers():
        if kind in (None, answer.kind) and (model is None or model in answer.model):
            yield answer


def _measured(text: str, units: dict[str, float] | dict[str, int], expected: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?) *([A-Za-z]+)", text.strip())
    if found is None or found[2] not in units:
        raise ConfigurationError(f"{text!r}; expected {expected} ({', '.join(units)}).")
    return float(found[1]) * units[found[2]]


def _shown(size: int) -> str:
    unit = max((name for name in SIZES if SIZES[name] <= max(size, 1)), key=SIZES.__getitem__)
    return f"{size / SIZES[unit]:.{0 if unit == 'B' else 1}f} {unit}"


def _day(seconds: float) -> str:
    return time.strftime("%Y-%m-%d", time.localtime(seconds))
