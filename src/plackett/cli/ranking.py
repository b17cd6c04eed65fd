"""`plackett features`, `train`, `rank`, `explain`: learned rankers from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plackett.cli.console import announce, examples, parse_settings, show

if TYPE_CHECKING:
    from plackett.data import RankingDataset

__all__ = ["explain", "features", "rank", "train"]

Data = Annotated[Path, typer.Argument(help="Rows of features: SVMlight, Parquet or npz.")]
Format = Annotated[
    str | None, typer.Option("--format", help="File format, where the suffix does not tell.")
]


def _read(path: Path, format_name: str | None) -> RankingDataset:
    from plackett.data import RankingDataset

    return RankingDataset.read(path, format=format_name)


def features(
    folder: Annotated[Path, typer.Argument(metavar="INDEX", help="The folder of an index.")],
    run: Annotated[Path, typer.Argument(help="The candidates.")],
    queries: Annotated[str, typer.Option(help="The query texts; or cranfield.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the rows go.")],
    qrels: Annotated[Path | None, typer.Option(help="Judgments; grades are 0 without.")] = None,
    names: Annotated[str | None, typer.Option(help="Features, with commas.")] = None,
    normalise: Annotated[str, typer.Option(help="none, query_minmax or query_zscore.")] = "none",
) -> None:
    """Describe the candidates of a run by features."""
    from plackett.data import Qrels, Queries, Run, load_collection
    from plackett.features import FeatureSet
    from plackett.retrievers import BM25

    texts = load_collection("cranfield").queries if queries == "cranfield" else None
    chosen = FeatureSet.lexical(
        BM25.open(folder),
        names=None if names is None else [name.strip() for name in names.split(",")],
        normalise=normalise,  # type: ignore[arg-type]
    )
    dataset = chosen.extract(
        Run.read(run),
        None if qrels is None else Qrels.read(qrels),
        queries=Queries.read(queries) if texts is None else texts,
    )
    dataset.write(output)
    announce(f"{len(dataset):,} rows of {len(chosen)} features: {output}")


def train(
    data: Data,
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder of the model.")],
    ranker: Annotated[str, typer.Option(help="LambdaMART, LinearRanker, ...")] = "LambdaMART",
    valid: Annotated[Path | None, typer.Option(help="Rows that decide when to stop.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="A parameter: name=value; repeatable.")
    ] = None,
    format_name: Format = None,
) -> None:
    """Train a ranker on judged rows and save it."""
    from plackett.rankers import registry

    model = registry.get(ranker)().set_params(**parse_settings(settings or []))
    training = _read(data, format_name)
    model.fit(training, None if valid is None else _read(valid, format_name))
    model.save(output)
    announce(f"trained {model!r} on {training.n_queries} queries: {output}")
    show(f"{model.measure} on the training rows: {model.score(training):.4f}")


def rank(
    model: Annotated[Path, typer.Argument(help="The folder of a model.")],
    data: Data,
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the run goes.")],
    format_name: Format = None,
) -> None:
    """Rank rows of features with a trained model."""
    from plackett.rankers import load_ranker

    run = load_ranker(model).rank(_read(data, format_name))
    run.replace(name=model.name or "run").write(output)
    announce(f"{len(run)} queries: {output}")


def explain(
    model: Annotated[Path, typer.Argument(help="The folder of a model.")],
    data: Data,
    query: Annotated[str | None, typer.Option(help="The query's id.")] = None,
    above: Annotated[str | None, typer.Option(help="A document.")] = None,
    below: Annotated[str | None, typer.Option(help="Another document.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    format_name: Format = None,
) -> None:
    """Why does one document stand above another? Without --query: what does the model rely on?"""
    from plackett.rankers import load_ranker

    loaded = load_ranker(model)
    if query is None:
        for name, share in loaded.importance().items():
            show(f"{share:12.4f}  {name}")
        return
    answer = loaded.explain(_read(data, format_name), query, above=above, below=below)
    show(answer.to_json() if as_json else str(answer))


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command(
        epilog=examples(
            "plackett features idx run.txt --queries queries.tsv --qrels qrels.txt -o train.parquet"
        )
    )(features)
    app.command(
        epilog=examples(
            "plackett train train.parquet -o model",
            "plackett train train.svm --valid valid.svm --set trees=500 --set leaves=15 -o model",
        )
    )(train)
    app.command(epilog=examples("plackett rank model test.parquet -o run.txt"))(rank)
    app.command(
        epilog=examples(
            "plackett explain model test.parquet --query q1 --above d7 --below d2",
            "plackett explain model test.parquet",
        )
    )(explain)
