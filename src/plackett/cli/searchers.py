"""What `plackett search` asks: one index of any kind, with its filters and its parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from plackett.cli.vectors import columns_of, open_vectors, parse_where
from plackett.errors import ConfigurationError

if TYPE_CHECKING:
    import pyarrow as pa

    from plackett.data import Queries, Run
    from plackett.retrievers import (
        BM25,
        Expanded,
        Lexical,
        LiveBM25,
        SequentialDependence,
        SyntaxSearch,
    )

__all__ = ["Searcher", "searcher"]

WAYS = ("model", "expand", "signs", "proximity")

Searcher: TypeAlias = "Callable[[Queries, int], Run]"
"""From queries and how many documents each to a run."""


def searcher(
    folder: Path,
    where: list[str],
    options: Mapping[str, str | None],
    weighting: Mapping[str, float | str | None],
    threads: int,
    *,
    alone: bool = True,
) -> Searcher:
    """The search of an index, with what the options say.

    Parameters
    ----------
    where : filters as texts; see `parse_where`.
    options : of an index of vectors: "encoder", where its model is now, and "structure", how to
        search it; None for the index's own.
    weighting : k1, b and variant of BM25, another "model", how to "expand" queries, whether they
        have "signs", whether "proximity" counts; None for the index's own, or no.
    alone : an option that the index cannot heed is an error. Of several indexes, each takes what is
        for its kind; a filter holds for all.

    Raises
    ------
    ConfigurationError : an option is not for the index's kind.
    """
    from plackett.retrievers.descriptions import described_structure
    from plackett.retrievers.opening import index_kind

    kind = index_kind(folder)
    if kind in ("bm25", "live-bm25"):
        _refuse(options if alone else {}, folder)
        return _words(folder, where, weighting, threads, kind)
    if alone and any(value is not None for value in weighting.values()):
        given = ", ".join(f"--{name}" for name, value in weighting.items() if value is not None)
        raise ConfigurationError(f"{given} is for BM25; {folder} has vectors.")
    index = open_vectors(folder, options["encoder"])
    if options["structure"] is not None:
        structure = described_structure(options["structure"])
        if alone or structure.of == index.vectors.name:
            index = index.with_structure(structure)
    wanted = parse_where(where, columns_of(index)) if index.segments else {}
    return lambda queries, k: index.search(queries, k, where=wanted or None, threads=threads)


def _refuse(options: Mapping[str, str | None], folder: Path) -> None:
    for name, value in options.items():
        if value is not None:
            raise ConfigurationError(f"--{name} is for an index of vectors; {folder} is BM25's.")


def _wanted(where: list[str], columns: dict[str, pa.DataType], folder: Path) -> dict[str, Any]:
    if where and not columns:
        raise ConfigurationError(
            f"--where needs an index with columns, and {folder} keeps none; build it with "
            "plackett index --metadata."
        )
    return parse_where(where, columns)


def _words(
    folder: Path,
    where: list[str],
    weighting: Mapping[str, float | str | None],
    threads: int,
    kind: str,
) -> Searcher:
    from plackett.retrievers import BM25, LiveBM25

    k1, b, variant = (weighting[name] for name in ("k1", "b", "variant"))
    given: dict[str, Any] = {"k1": k1, "b": b, "variant": variant}
    bm25: BM25 | LiveBM25
    if kind == "bm25":
        bm25 = BM25.open(folder, **given)
        columns = {field.name: field.type for field in bm25.index.metadata.schema}
        wanted = _wanted(where, columns, folder) if bm25.index.n_documents else {}
    else:
        bm25 = LiveBM25.open(folder, **given)
        wanted = _wanted(where, columns_of(bm25), folder) if bm25.segments else {}
    other = _other_way(bm25, weighting)
    if other is None:
        return lambda queries, k: bm25.search(queries, k, where=wanted, threads=threads)
    return lambda queries, k: other.search(queries, k, where=wanted)


def _other_way(
    bm25: BM25 | LiveBM25, weighting: Mapping[str, float | str | None]
) -> Lexical | Expanded | SequentialDependence | SyntaxSearch | None:
    """Another model over the index, longer queries, or queries with signs; None for plain BM25."""
    from plackett.retrievers import Expanded, Lexical, SequentialDependence, SyntaxSearch

    model, expand, signs, proximity = (weighting[name] for name in WAYS)
    if sum(weighting[name] is not None for name in WAYS) > 1:
        ways = ", ".join(f"--{name}" for name in WAYS)
        raise ConfigurationError(f"{ways} do not go together; give one.")
    if proximity is not None:
        return SequentialDependence(bm25)
    if model is not None:
        return Lexical(bm25, str(model))
    if expand is not None:
        return Expanded(bm25, str(expand))
    return None if signs is None else SyntaxSearch(bm25)
