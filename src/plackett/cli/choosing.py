"""`plackett grid`, `tune`, `losses`: which ranker with which loss, on evidence."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plackett.cli.console import announce, examples, parse_settings, progress_bar, show
from plackett.cli.ranking import Data, Format, described_ranker, read_rows
from plackett.errors import ConfigurationError

if TYPE_CHECKING:
    from plackett.experiment.grid import Fold
    from plackett.rankers.base import Ranker

__all__ = ["grid", "losses", "tune"]

Folds = Annotated[int, typer.Option(help="Cross-validate over so many folds of queries.", min=2)]
Test = Annotated[Path | None, typer.Option(help="Rows to measure on, instead of folds.")]
Valid = Annotated[Path | None, typer.Option(help="Rows that decide when to stop; with --test.")]
Output = Annotated[Path, typer.Option("--output", "-o", help="A folder; the same one resumes.")]


def grid(
    data: Data,
    output: Output,
    models: Annotated[
        list[str],
        typer.Option("--model", help="A ranker such as MLP or 'MLP(epochs=20)'; repeatable."),
    ],
    losses: Annotated[
        list[str] | None, typer.Option("--loss", help="A loss (`plackett losses`); repeatable.")
    ] = None,
    seeds: Annotated[int, typer.Option(help="So many seeds: 0, 1, ...", min=1)] = 3,
    folds: Folds = 5,
    valid: Valid = None,
    test: Test = None,
    measures: Annotated[str, typer.Option(help="The first decides.")] = "nDCG@10",
    baseline: Annotated[str | None, typer.Option(help="The system to test against.")] = None,
    workers: Annotated[int, typer.Option(help="So many processes.", min=1)] = 1,
    format_name: Format = None,
) -> None:
    """Train every model with every loss and every seed; one table with evidence and costs."""
    from plackett.experiment.grid import grid_systems, run_grid
    from plackett.losses import parse_loss
    from plackett.rankers import registry

    systems = grid_systems(
        [registry.parse(model) for model in models], [parse_loss(loss) for loss in losses or []]
    )
    parts = _folds(data, valid, test, folds, format_name)
    try:
        with progress_bar("cells") as progress:
            result = run_grid(
                parts,
                systems,
                output,
                seeds=range(seeds),
                measures=measures,
                baseline=baseline,
                workers=workers,
                progress=progress,
            )
    except KeyboardInterrupt:
        announce(f"stopped; finished cells are kept in {output / 'cells'}: run it again to go on.")
        raise
    report = result.write(output)
    show(str(result))
    show(f"\nreport  {report}")


def tune(
    data: Data,
    output: Output,
    model: Annotated[
        str, typer.Option("--model", "--ranker", help="The ranker to tune.")
    ] = "LambdaMART",
    search: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=SPACE", help="low..high, low..high:log or a|b|c; repeatable."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A fixed parameter; repeatable."),
    ] = None,
    trials: Annotated[int, typer.Option(help="In all, earlier runs included.", min=1)] = 50,
    seed: Annotated[int, typer.Option(help="Of the proposals.")] = 0,
    folds: Folds = 5,
    valid: Valid = None,
    test: Test = None,
    format_name: Format = None,
) -> None:
    """Search for a ranker's parameters; writes the best ones and a model trained with them."""
    from plackett.experiment.search_space import parse_space
    from plackett.experiment.tuning import tune as search_for

    wanted = {name: str(value) for name, value in parse_settings(search or []).items()}
    ranker: Ranker = described_ranker(model).set_params(**parse_settings(settings or []))
    parts = _folds(data, valid, test, folds, format_name)
    try:
        with progress_bar("trials") as progress:
            result = search_for(
                ranker,
                parts,
                output,
                space=parse_space(wanted) if wanted else None,
                trials=trials,
                seed=seed,
                progress=progress,
            )
    except KeyboardInterrupt:
        announce(f"stopped; finished trials are kept in {output}: run it again to go on.")
        raise
    show(str(result))
    training, validation = (
        parts[0][:2] if test is not None else read_rows(data, format_name).split(0.8, seed=0)
    )
    result.best.fit(training, validation).save(output / "model")
    announce(f"the best ranker, trained: {output / 'model'}")


def _folds(
    data: Path, valid: Path | None, test: Path | None, folds: int, format_name: str | None
) -> list[Fold]:
    from plackett.experiment.grid import Fold, cross_validation

    train = read_rows(data, format_name)
    if test is None:
        if valid is not None:
            raise ConfigurationError("--valid goes with --test; folds make their own.")
        return cross_validation(train, folds)
    validation = None if valid is None else read_rows(valid, format_name)
    return [Fold(train, validation, read_rows(test, format_name))]


def losses(
    name: Annotated[str | None, typer.Argument(help="One loss.")] = None,
) -> None:
    """List the losses and their parameters, for --loss."""
    import dataclasses
    import inspect

    from plackett.losses import registry

    for known in registry.names() if name is None else [name]:
        kind = registry.get(known)
        show(f"{known}: {(inspect.getdoc(kind) or '').splitlines()[0]}")
        for field in dataclasses.fields(kind):
            if field.default is dataclasses.MISSING:
                show(f"    {field.name} (required)")
            else:
                show(f"    {field.name}={field.default!r}")
        if name is not None:
            show("\n" + (inspect.getdoc(kind) or ""))


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command(
        epilog=examples(
            "plackett grid train.parquet --model 'MLP(epochs=20)' --model 'LambdaMART(trees=50)' "
            "--loss ListNet --loss 'LambdaRank(truncation=10)' --folds 3 -o grid",
            "plackett grid train.parquet --valid valid.parquet --test test.parquet "
            "--model 'MLP(epochs=20)' --loss 'ListNet + 0.5 * Approx(nDCG@10)' --seeds 5 -o blend",
        )
    )(grid)
    app.command(
        epilog=examples(
            "plackett tune train.parquet --model 'LambdaMART(trees=50)' --trials 30 -o tuned",
            "plackett tune train.parquet --model MLP --search learning_rate=0.0001..0.01:log "
            "--search 'loss=ListNet|RankNet' --set epochs=20 --trials 30 --folds 3 -o tuned-mlp",
        )
    )(tune)
    app.command(epilog=examples("plackett losses", "plackett losses LambdaRank"))(losses)
