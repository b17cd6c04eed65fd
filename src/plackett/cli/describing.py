"""`plackett features`, `plackett drift`: rows of features, and whether they changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from plackett.cli.console import (
    announce,
    counted,
    examples,
    input_file,
    output_file,
    show,
    split_names,
)
from plackett.cli.ranking import Data, Format, read_rows
from plackett.cli.retrieving import read_queries
from plackett.errors import ConfigurationError, UnknownNameError

if TYPE_CHECKING:
    from plackett.features import FeatureSet
    from plackett.retrievers import BM25

__all__ = ["drift", "features"]


def features(
    folder: Annotated[Path, typer.Argument(metavar="INDEX", help="The folder of an index.")],
    run: Annotated[Path, typer.Argument(help="The candidates.")],
    queries: Annotated[Path, typer.Option(help="The query texts; or cranfield.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the rows go.")],
    qrels: Annotated[Path | None, typer.Option(help="Judgments; grades are 0 without.")] = None,
    family: Annotated[
        str, typer.Option(help="lexical; full, all of an index; letor or mslr, the public sets.")
    ] = "lexical",
    names: Annotated[
        str | None, typer.Option(help="Features, with commas, in place of a family.")
    ] = None,
    normalise: Annotated[
        str | None,
        typer.Option(help="none, query_minmax or query_zscore; by default as the family has it."),
    ] = None,
) -> None:
    """Describe the candidates of a run by features, for training or ranking."""
    from plackett.data import Qrels, Run
    from plackett.retrievers import BM25

    chosen = _feature_set(BM25.open(folder), family, split_names(names), normalise)
    with input_file(run, ".txt") as path:
        candidates = Run.read(path)
    judged = None if qrels is None else Qrels.read(qrels)
    dataset = chosen.extract(candidates, judged, queries=read_queries(queries))
    with output_file(output, ".svm") as path:
        dataset.write(path)
    announce(f"{counted(len(dataset), 'row')} of {counted(len(chosen), 'feature')}: {output}")


def _feature_set(
    bm25: BM25, family: str, names: list[str] | None, normalise: str | None
) -> FeatureSet:
    from plackett.features import FeatureSet

    scaling: Any = {} if normalise is None else {"normalise": normalise}
    make: dict[str, Callable[..., FeatureSet]] = {
        "lexical": FeatureSet.lexical,
        "full": FeatureSet.full,
        "letor": FeatureSet.letor,
        "mslr": FeatureSet.mslr,
    }
    if family not in make:
        raise UnknownNameError("family of features", family, make)
    if names is None:
        return make[family](bm25, **scaling)
    if family != "lexical":
        raise ConfigurationError(f"give either --names or --family {family}.")
    return FeatureSet.of(names, bm25, **scaling)


def drift(
    before: Data,
    after: Annotated[Path, typer.Argument(help="Rows of the same features, later.")],
    names: Annotated[str | None, typer.Option(help="Only these features, with commas.")] = None,
    by_row: Annotated[
        bool, typer.Option("--by-row", help="Count rows as independent, not queries.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    format_name: Format = None,
) -> None:
    """Compare the distribution of every feature in two files of rows.

    Exit code 1 where a feature drifted, so that a job can stop.
    """
    from plackett.features import feature_drift

    report = feature_drift(
        read_rows(before, format_name),
        read_rows(after, format_name),
        names=split_names(names),
        unit="row" if by_row else "query",
    )
    show(report.to_json() if as_json else str(report))
    if report.drifted:
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command(
        epilog=examples(
            "plackett features idx run.txt --queries queries.tsv --qrels qrels.txt "
            "-o train.parquet",
            "plackett features idx run.txt --queries queries.tsv --family mslr -o rows.svm",
        )
    )(features)
    app.command(epilog=examples("plackett drift valid.parquet test.parquet"))(drift)
