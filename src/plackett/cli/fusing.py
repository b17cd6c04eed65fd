"""`plackett fuse`: one run of several, and the fusion that judgments prefer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plackett.cli.console import announce, counted, examples, input_file, output_file, show
from plackett.errors import ConfigurationError

if TYPE_CHECKING:
    from plackett.data import Run
    from plackett.fusion import TunedFusion

__all__ = ["fuse", "numbers_of"]


def fuse(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Two run files or more.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where the new run goes (- prints it).")
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(help="rrf (the default), 'rrf(k=10)', \"comb_sum(normalise='z_score')\" ..."),
    ] = None,
    weights: Annotated[
        str | None, typer.Option(help="One a run, with commas: 0.7,0.3; by default equal.")
    ] = None,
    depth: Annotated[
        int | None, typer.Option(help="Cut every run to so many first.", min=1)
    ] = None,
    k: Annotated[int, typer.Option("-k", help="Keep so many documents a query.", min=1)] = 1000,
    tune: Annotated[
        Path | None, typer.Option(help="Judgments: choose method and weights by them.")
    ] = None,
    measure: Annotated[str, typer.Option("--measure", "-m", help="What --tune goes by.")] = (
        "nDCG@10"
    ),
    folds: Annotated[int, typer.Option(help="Of the cross-validation of --tune.", min=2)] = 5,
) -> None:
    """Put several runs together: by ranks, by scores, or by majorities.

    Methods: rrf, isr, log_isr, rbc, borda, comb_sum, comb_mnz, gmnz, comb_anz, comb_min, comb_max,
    comb_med, condorcet, copeland, schulze, kemeny, mc1, mc2, mc3, mc4. With --tune, rrf, comb_sum
    and comb_mnz are tried with many weights, and what the chosen one is worth on queries that did
    not choose it is printed.
    """
    from plackett.data import Qrels
    from plackett.fusion import fusion_grid, parse_fusion, tune_fusion

    if len(runs) < 2:
        raise ConfigurationError("give two runs or more.")
    if tune is not None and not (method is None and weights is None):
        raise ConfigurationError("--tune chooses method and weights: leave --method, --weights.")
    if tune is None and output is None:
        raise ConfigurationError("give --output FILE, or --tune QRELS.")
    read = [_read(path) for path in runs]
    if tune is None:
        fusion = parse_fusion(method or "rrf", weights=numbers_of(weights), depth=depth)
    else:
        with input_file(tune, ".txt") as path:
            qrels = Qrels.read(path)
        grid = fusion_grid(len(read), depth=depth)
        tuned = tune_fusion(read, qrels, measure, candidates=grid, folds=folds)
        show(_choice(tuned))
        fusion = tuned.fusion
    if output is None:
        return
    fused = fusion(read).head(k)
    with output_file(output, ".txt") as path:
        fused.replace(name=fusion.method).write(path)
    announce(f"{counted(len(fused), 'query', 'queries')} of {len(read)} runs: {output}")


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(
        epilog=examples(
            "plackett fuse run.txt ltr.txt -o fused.txt",
            "plackett fuse run.txt ltr.txt --method \"comb_sum(normalise='z_score')\" "
            "--weights 0.3,0.7 --depth 100 -o fused.txt",
            "plackett fuse run.txt ltr.txt --tune qrels.txt -o fused.txt",
        )
    )(fuse)


def numbers_of(text: str | None) -> tuple[float, ...] | None:
    """The numbers of an option such as `--weights 0.7,0.3`; None where it is not given.

    Raises
    ------
    ConfigurationError : the text is no list of numbers.

    >>> numbers_of("0.7, 0.3")
    (0.7, 0.3)
    """
    if text is None:
        return None
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise ConfigurationError(f"weights {text!r}; expected numbers: 0.7,0.3.") from error


def _read(path: Path) -> Run:
    from plackett.data import Run

    with input_file(path, ".txt") as file:
        return Run.read(file)


def _choice(tuned: TunedFusion) -> str:
    """What was chosen, and what to expect of it."""
    fusion = tuned.fusion
    parts = [f"method={fusion.method}"]
    if fusion.normalise is not None:
        parts.append(f"normalise={fusion.normalise}")
    if fusion.method == "rrf":
        parts.append(f"k={fusion.k:g}")
    if fusion.weights is not None:
        parts.append("weights=" + ",".join(f"{weight:g}" for weight in fusion.weights))
    return (
        f"{' '.join(parts)}: {tuned.measure} {tuned.held_out:.4f} held out, "
        f"{tuned.on_all:.4f} on the queries that chose it"
    )
