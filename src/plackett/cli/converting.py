"""`plackett convert`, `plackett collection`: files of one format into another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from plackett.cli.console import announce, counted, examples, input_file, output_file
from plackett.errors import UnknownNameError

__all__ = ["collection", "convert"]

SUFFIXES = {
    "run": ".txt",
    "qrels": ".txt",
    "dataset": ".svm",
    "corpus": ".jsonl",
    "queries": ".tsv",
}
"""What each kind of data is on standard input and output."""


def _door(kind: str) -> Any:
    """The class whose `read` and `write` know the kind."""
    from plackett.data import Corpus, Qrels, Queries, RankingDataset, Run

    doors: dict[str, Callable[..., Any]] = {
        "run": Run,
        "qrels": Qrels,
        "dataset": RankingDataset,
        "corpus": Corpus,
        "queries": Queries,
    }
    if kind not in doors:
        raise UnknownNameError("kind of data", kind, doors)
    return doors[kind]


def convert(
    kind: Annotated[str, typer.Argument(help="run, qrels, dataset, corpus or queries.")],
    source: Annotated[Path, typer.Argument(help="The file to read.")],
    target: Annotated[Path, typer.Argument(help="The file to write; its suffix says the format.")],
    format_name: Annotated[
        str | None, typer.Option("--from", help="Format of the source, where the suffix is silent.")
    ] = None,
) -> None:
    """Convert runs, judgments, rows of features, documents or queries to another format."""
    door = _door(kind)
    with input_file(source, SUFFIXES[kind]) as path:
        data = door.read(path, format=format_name)
    with output_file(target, SUFFIXES[kind]) as path:
        data.write(path)
    announce(f"{data!r}: {target}")


def collection(
    name: Annotated[str, typer.Argument(help="A packaged collection: cranfield.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder to write.")],
) -> None:
    """Write a packaged collection as files: docs.jsonl, queries.tsv and qrels.txt."""
    from plackett.data import load_collection

    found = load_collection(name)
    output.mkdir(parents=True, exist_ok=True)
    found.corpus.write(output / "docs.jsonl")
    found.queries.write(output / "queries.tsv")
    found.qrels.write(output / "qrels.txt")
    documents = counted(len(found.corpus), "document")
    announce(f"{documents}, {counted(len(found.queries), 'query', 'queries')}: {output}")


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command(
        epilog=examples(
            "plackett convert run run.txt run.parquet",
            "plackett convert dataset train.parquet train.svm",
            "plackett convert qrels qrels.txt - ",
        )
    )(convert)
    app.command(epilog=examples("plackett collection cranfield -o cranfield"))(collection)
