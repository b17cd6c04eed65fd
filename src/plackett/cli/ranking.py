"""`plackett train`, `rank`, `explain`, `rankers`: learned rankers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plackett.cli.console import (
    announce,
    counted,
    examples,
    input_file,
    output_file,
    parse_settings,
    progress_bar,
    show,
)
from plackett.errors import ConfigurationError

if TYPE_CHECKING:
    from plackett.data import RankingDataset
    from plackett.rankers.base import Ranker

__all__ = [
    "Data",
    "Format",
    "described_ranker",
    "distil",
    "explain",
    "export",
    "rank",
    "ranker_kind",
    "rankers",
    "read_rows",
    "train",
]

Data = Annotated[Path, typer.Argument(help="Rows of features: SVMlight, Parquet, Arrow or npz.")]
Model = Annotated[Path, typer.Argument(metavar="MODEL", help="The folder of a trained model.")]
Format = Annotated[
    str | None, typer.Option("--format", help="File format, where the suffix does not tell.")
]


def read_rows(path: Path, format_name: str | None) -> RankingDataset:
    """The rows of a file, or of standard input for "-"."""
    from plackett.data import RankingDataset

    with input_file(path, ".svm") as file:
        return RankingDataset.read(file, format=format_name)


def ranker_kind(name: str) -> type[Ranker]:
    """A ranker's class by its name, in capitals or not."""
    from plackett.rankers import registry

    exact = {known.lower(): known for known in registry.names()}
    return registry.get(exact.get(name.lower(), name))


def described_ranker(text: str) -> Ranker:
    """The ranker of a description such as LambdaMART or 'MLP(epochs=20)'."""
    from plackett.rankers import registry

    name, bracket, parameters = text.partition("(")
    return registry.parse(f"{ranker_kind(name.strip()).__name__}{bracket}{parameters}")


def train(
    data: Data,
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder of the model.")],
    ranker: Annotated[
        str,
        typer.Option(
            "--model", "--ranker", help="LambdaMART, 'MLP(epochs=20)' ... (see `plackett rankers`)."
        ),
    ] = "LambdaMART",
    loss: Annotated[
        str | None, typer.Option(help="What to minimise (see `plackett losses`).")
    ] = None,
    valid: Annotated[Path | None, typer.Option(help="Rows that decide when to stop.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A parameter; repeatable."),
    ] = None,
    format_name: Format = None,
) -> None:
    """Train a ranker on judged rows and save it."""
    chosen = parse_settings(settings or [])
    if loss is not None:
        chosen["loss"] = loss
    model = described_ranker(ranker).set_params(**chosen)
    training = read_rows(data, format_name)
    validation = None if valid is None else read_rows(valid, format_name)
    with progress_bar("training") as progress:
        reports = "progress" in model.get_params()
        if reports:
            model.set_params(progress=progress)
        model.fit(training, validation)
        if reports:
            model.set_params(progress=None)
    model.save(output)
    announce(f"trained {model!r} on {counted(training.n_queries, 'query', 'queries')}: {output}")
    show(f"{model.measure} on the training rows: {model.score(training):.4f}")


def rank(
    model: Model,
    data: Data,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Where the run goes (- prints it).")
    ],
    format_name: Format = None,
) -> None:
    """Rank rows of features with a trained model."""
    from plackett.rankers import load_ranker

    run = load_ranker(model).rank(read_rows(data, format_name))
    with output_file(output, ".txt") as path:
        run.replace(name=model.resolve().name).write(path)
    announce(f"{counted(len(run), 'query', 'queries')}: {output}")


def explain(
    model: Model,
    data: Annotated[
        Path | None, typer.Argument(help="Rows of features, which hold the query.")
    ] = None,
    query: Annotated[str | None, typer.Option(help="The query's id.")] = None,
    above: Annotated[str | None, typer.Option(help="A document; by default the best.")] = None,
    below: Annotated[str | None, typer.Option(help="Another document.")] = None,
    ablation: Annotated[
        str | None,
        typer.Option(metavar="MEASURE", help="What each feature is worth by a measure, on DATA."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    format_name: Format = None,
) -> None:
    """Why does one document stand above another? Without --query: what the model relies on."""
    from plackett.rankers import load_ranker
    from plackett.rankers.ablation import feature_ablation

    loaded = load_ranker(model)
    if ablation is not None:
        if data is None:
            raise ConfigurationError("--ablation needs rows that the model has not seen.")
        worth = feature_ablation(loaded, read_rows(data, format_name), ablation)
        show(worth.to_json() if as_json else str(worth))
        return
    if query is None:
        shares = loaded.importance()
        width = max((len(name) for name in shares), default=0)
        table = "\n".join(f"{name:<{width}}  {share:12.4f}" for name, share in shares.items())
        show(json.dumps(shares, indent=2) if as_json else table)
        return
    if data is None:
        raise ConfigurationError("explaining a query needs the rows of features that hold it.")
    answer = loaded.explain(read_rows(data, format_name), query, above=above, below=below)
    show(answer.to_json() if as_json else str(answer))


def rankers(
    name: Annotated[str | None, typer.Argument(help="One ranker.")] = None,
) -> None:
    """List the rankers and their parameters, which `train --set` takes."""
    import inspect

    from plackett.rankers import registry

    kinds = (
        [registry.get(known) for known in registry.names()] if name is None else [ranker_kind(name)]
    )
    for kind in kinds:
        show(f"{kind.__name__}: {(inspect.getdoc(kind) or '').splitlines()[0]}")
        for parameter, value in kind().get_params().items():
            if parameter != "progress":
                show(f"    {parameter}={value!r}")


def export(
    model: Model,
    data: Annotated[Path, typer.Argument(help="Rows on which both must agree.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The ONNX file.")],
    format_name: Format = None,
) -> None:
    """Write a neural ranker as ONNX that takes raw features, and check that it scores alike."""
    from plackett.rankers import load_ranker
    from plackett.rankers.neural import NeuralRanker
    from plackett.rankers.neural.export import export_onnx

    loaded = load_ranker(model)
    if not isinstance(loaded, NeuralRanker):
        raise ConfigurationError(
            f"{type(loaded).__name__} is no network; its folder holds the library's own format."
        )
    difference = export_onnx(loaded, output, read_rows(data, format_name))
    announce(f"{output}: scores differ by at most {difference:.2g}")


def distil(
    teacher: Model,
    data: Data,
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder of the student.")],
    student: Annotated[
        str, typer.Option("--model", help="A ranker such as 'MLP(hidden=(32,))'.")
    ] = "MLP",
    loss: Annotated[str | None, typer.Option(help="Of the student.")] = None,
    valid: Annotated[Path | None, typer.Option(help="Judged rows: when to stop.")] = None,
    format_name: Format = None,
) -> None:
    """Teach a ranker the scores of another one: a forest as a network, or a network as a forest."""
    from plackett.rankers import load_ranker, registry
    from plackett.rankers.distillation import distil as teach

    pupil = registry.parse(student)
    if loss is not None:
        pupil.set_params(loss=loss)
    validation = None if valid is None else read_rows(valid, format_name)
    taught = teach(load_ranker(teacher), pupil, read_rows(data, format_name), validation)
    taught.save(output)
    announce(f"taught {taught!r}: {output}")


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command(
        epilog=examples(
            "plackett train train.parquet --set trees=50 --set leaves=15 -o model",
            "plackett train train.parquet --valid valid.parquet --model linearranker -o linear",
            "plackett train train.parquet --valid valid.parquet --model SelfAttention "
            "--loss 'LambdaRank(truncation=10)' --set epochs=20 "
            "--set checkpoint=state -o attention",
        )
    )(train)
    app.command(epilog=examples("plackett rank model test.parquet -o ltr.txt"))(rank)
    app.command(
        epilog=examples(
            "plackett explain model test.parquet --query 1 --above 184 --below 486",
            "plackett explain model test.parquet --ablation nDCG@10",
            "plackett explain model",
        )
    )(explain)
    app.command(epilog=examples("plackett export network test.parquet -o network.onnx"))(export)
    app.command(
        epilog=examples(
            "plackett distil model train.parquet --model 'MLP(epochs=20)' --loss ListNet -o student"
        )
    )(distil)
    app.command(epilog=examples("plackett rankers", "plackett rankers LambdaMART"))(rankers)
