"""`plackett documents`: what an index holds; documents added, deleted and merged."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from plackett.cli.console import announce, counted, examples, input_file, progress_bar, show
from plackett.cli.vectors import columns_of, open_changing
from plackett.errors import ConfigurationError

if TYPE_CHECKING:
    from plackett.retrievers import LiveBM25
    from plackett.retrievers.segments.base import SegmentedRetriever

__all__ = ["add", "delete", "merge", "stats"]

Index = Annotated[
    Path, typer.Argument(metavar="INDEX", help="The folder of an index that can change.")
]
EncoderText = Annotated[
    str | None, typer.Option(help="Where the model is now, if it has moved since.")
]


def add(
    folder: Index,
    corpus: Annotated[Path, typer.Argument(help="Documents: JSONL, TSV, Parquet ...")],
    encoder: EncoderText = None,
) -> None:
    """Add documents; one whose id is there already is replaced.

    The index's encoder or analyzer reads them; its fields and columns are kept. The index stays in
    use. Indexes of vectors change so, and BM25's that were made with --kind live-bm25.
    """
    started = time.perf_counter()
    index = open_changing(folder, encoder)
    before = len(index)
    with input_file(corpus, ".jsonl") as path, progress_bar("adding") as progress:
        index = index.add(path, progress=progress)
    seconds = time.perf_counter() - started
    announce(f"{_held(index)}, {before:,} before, in {seconds:.1f} s: {folder}")


def delete(
    folder: Index,
    ids: Annotated[list[str] | None, typer.Argument(help="The ids of documents.")] = None,
    listed: Annotated[
        Path | None, typer.Option("--ids", help="A file of ids, one a line (- reads them).")
    ] = None,
) -> None:
    """Delete documents; what is known of them stays on disk until `plackett documents merge`."""
    wanted = list(ids or [])
    if listed is not None:
        with input_file(listed, ".txt") as path:
            wanted += [line.strip() for line in path.read_text("utf-8").splitlines()]
    wanted = [name for name in dict.fromkeys(wanted) if name]
    if not wanted:
        raise ConfigurationError("give the ids of documents, or --ids FILE.")
    index = open_changing(folder).delete(wanted)
    announce(f"{counted(len(wanted), 'document')} deleted; {_held(index)}: {folder}")


def merge(folder: Index) -> None:
    """Write all documents to one segment: faster to search, and deleted ones are gone."""
    started = time.perf_counter()
    index = open_changing(folder)
    before = len(index.segments)
    with progress_bar("merging") as progress:
        index = index.merge(progress=progress)
    seconds = time.perf_counter() - started
    announce(f"{counted(before, 'segment')} merged; {_held(index)}, in {seconds:.1f} s: {folder}")


def stats(
    folder: Index,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the kind of an index, its encoder, its columns, its documents and its size."""
    index = open_changing(folder)
    facts = _facts(index)
    if as_json:
        show(json.dumps(facts, ensure_ascii=False))
        return
    for name, value in facts.items():
        if isinstance(value, dict):
            value = ", ".join(f"{column} ({kind})" for column, kind in value.items())
        said = f"{value:,}" if isinstance(value, int) else str("none" if value is None else value)
        show(f"{name:<10}  {said or 'none'}")


def register(app: typer.Typer) -> None:
    """Add the commands to the program, in a group of their own."""
    group = typer.Typer(no_args_is_help=True)
    group.command(epilog=examples("plackett documents add vectors more.jsonl"))(add)
    group.command(
        epilog=examples(
            "plackett documents delete vectors 12 184",
            "plackett documents delete vectors --ids old.txt",
        )
    )(delete)
    group.command(epilog=examples("plackett documents merge vectors"))(merge)
    group.command(epilog=examples("plackett documents stats vectors"))(stats)
    app.add_typer(group, name="documents", help="Add to an index, delete from it, tidy it.")


def _held(index: SegmentedRetriever[Any] | LiveBM25) -> str:
    segments = counted(len(index.segments), "segment")
    return f"{counted(len(index), 'document')} in {segments}"


def _facts(index: SegmentedRetriever[Any] | LiveBM25) -> dict[str, Any]:
    """What there is to say of an index, as plain values."""
    from plackett.retrievers import LiveBM25

    entries = index.manifest.segments
    if isinstance(index, LiveBM25):
        own: dict[str, Any] = {"weighting": repr(index.weighting), "analyzer": repr(index.analyzer)}
        numbers = {}
    else:
        own = {
            "encoder": index.manifest.facts.get("encoder"),
            "structure": repr(index.structure),
        }
        numbers = {
            "truncated": sum(int(entry.facts.get("truncated", 0)) for entry in entries),
            "dimension": index.dimension,
        }
    return {
        "kind": index.manifest.kind,
        **own,
        "columns": {name: str(kind) for name, kind in columns_of(index).items()},
        "documents": len(index),
        "deleted": sum(entry.documents for entry in entries) - len(index),
        **numbers,
        "segments": len(entries),
        "bytes": sum(int(file["bytes"]) for entry in entries for file in entry.files.values()),
    }
