"""`plackett evaluate`, `plackett compare`, `plackett measures`: numbers and what they prove."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from plackett.cli.console import announce, counted, examples, input_file, run_name, show, write_text
from plackett.errors import ConfigurationError

if TYPE_CHECKING:
    from plackett.data import Qrels, Run
    from plackett.metrics.evaluation import Evaluation

__all__ = ["compare", "evaluate", "measures"]

MEASURES = "nDCG@10 AP RR@10 R@100"

Judgments = Annotated[Path, typer.Argument(help="Judgments: TREC, TSV, JSONL or Parquet.")]
Runs = Annotated[
    list[Path], typer.Argument(metavar="RUN...", help="Runs; each is called as its file.")
]
Measures = Annotated[
    str, typer.Option("--measures", "-m", help="Measures, as in `plackett measures`.")
]
Ties = Annotated[str, typer.Option(help="Equal scores: trec_eval, error or average.")]
Unjudged = Annotated[str, typer.Option(help="Unjudged documents: nonrelevant or remove.")]
Missing = Annotated[str, typer.Option(help="Judged queries without results: zero or skip.")]
Empty = Annotated[str, typer.Option(help="Queries without a relevant one: zero, one or skip.")]
Format = Annotated[
    str | None, typer.Option("--format", help="File format, where the suffix does not tell.")
]


def _read_qrels(path: Path, format_name: str | None) -> Qrels:
    from plackett.data import Qrels

    with input_file(path, ".txt") as file:
        return Qrels.read(file, format=format_name)


def _read_runs(paths: list[Path], format_name: str | None) -> dict[str, Run]:
    """The runs by name; two of one name are an error, for tables could not tell them apart."""
    from plackett.data import Run

    runs: dict[str, Run] = {}
    for path in paths:
        name = run_name(path)
        if name in runs:
            raise ConfigurationError(f"two runs are called {name!r}; rename a file.")
        with input_file(path, ".txt") as file:
            runs[name] = Run.read(file, format=format_name, name=name)
    return runs


def evaluate(
    qrels: Judgments,
    runs: Runs,
    measures: Measures = MEASURES,
    per_query: Annotated[
        bool, typer.Option("--per-query", "-q", help="Print every query's values too.")
    ] = False,
    json_file: Annotated[
        str | None, typer.Option("--json", metavar="FILE", help="Write JSON; - prints it.")
    ] = None,
    ties: Ties = "trec_eval",
    unjudged: Unjudged = "nonrelevant",
    missing: Missing = "zero",
    empty: Empty = "zero",
    format_name: Format = None,
) -> None:
    """Evaluate runs against judgments, as trec_eval does.

    Means are over all judged queries, as trec_eval -c. The JSON of one run is an object with
    "measures" and "per_query"; of several, {"runs": {name: such an object}}.
    """
    from plackett.metrics.base import parse_measures
    from plackett.metrics.evaluation import evaluate as evaluate_run

    wanted = parse_measures(measures)
    options: dict[str, Any] = {
        "ties": ties,
        "unjudged": unjudged,
        "missing": missing,
        "empty": empty,
    }
    judged = _read_qrels(qrels, format_name)
    evaluations = [
        evaluate_run(run, judged, wanted, **options)
        for run in _read_runs(runs, format_name).values()
    ]
    if json_file is not None:
        write_text(json_file, _as_json(evaluations))
    if json_file == "-":
        return
    if per_query:
        _print_queries(evaluations)
    _print_means(evaluations)


def _as_json(evaluations: list[Evaluation]) -> str:
    if len(evaluations) == 1:
        return evaluations[0].to_json()
    content = {evaluation.name: json.loads(evaluation.to_json()) for evaluation in evaluations}
    return json.dumps({"runs": content}, indent=2, ensure_ascii=False)


def _print_queries(evaluations: list[Evaluation]) -> None:
    """One line a run, query and measure, with tabs, as trec_eval -q."""
    for evaluation in evaluations:
        for query, values in evaluation.per_query.items():
            for name, value in values.items():
                show(f"{evaluation.name}\t{query}\t{name}\t{value:.4f}")


def _print_means(evaluations: list[Evaluation]) -> None:
    """A table of one row a measure and one column a run."""
    means = [evaluation.mean for evaluation in evaluations]
    rows = [["measure", *(evaluation.name for evaluation in evaluations)]]
    rows += [[name, *(f"{mean[name]:.4f}" for mean in means)] for name in means[0]]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *cells in rows:
        aligned = "".join(
            f"  {cell:>{width}}" for cell, width in zip(cells, widths[1:], strict=True)
        )
        show(f"{first:<{widths[0]}}{aligned}")
    counts = [counted(len(one.query_ids), "query", "queries") for one in evaluations]
    if len(set(counts)) == 1:
        announce(f"(mean over {counts[0]})")
        return
    for evaluation, count in zip(evaluations, counts, strict=True):
        announce(f"({evaluation.name}: mean over {count})")


def compare(
    qrels: Judgments,
    runs: Runs,
    measures: Measures = MEASURES,
    baseline: Annotated[
        str | None, typer.Option("--baseline", "-b", help="Test all others against this run.")
    ] = None,
    test: Annotated[
        str, typer.Option(help="t, wilcoxon, randomisation, tukey or randomised_tukey.")
    ] = "t",
    correction: Annotated[
        str, typer.Option(help="holm, bonferroni, benjamini_hochberg or none.")
    ] = "holm",
    alpha: Annotated[float, typer.Option(help="Level of significance.")] = 0.05,
    seed: Annotated[int, typer.Option(help="Of permutations and bootstrap.")] = 0,
    html: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write the report with its plots.")
    ] = None,
    latex: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write the table as LaTeX.")
    ] = None,
    markdown: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write the table as Markdown.")
    ] = None,
    json_file: Annotated[
        str | None, typer.Option("--json", metavar="FILE", help="Write everything as JSON.")
    ] = None,
    ties: Ties = "trec_eval",
    unjudged: Unjudged = "nonrelevant",
    missing: Missing = "zero",
    empty: Empty = "zero",
    format_name: Format = None,
) -> None:
    """Compare runs on the same judgments and test their differences."""
    from plackett.metrics.base import parse_measures
    from plackett.metrics.comparison import compare as compare_runs

    wanted = parse_measures(measures)
    options: dict[str, Any] = {
        "ties": ties,
        "unjudged": unjudged,
        "missing": missing,
        "empty": empty,
    }
    found = compare_runs(
        _read_runs(runs, format_name),
        _read_qrels(qrels, format_name),
        wanted,
        baseline=baseline,
        test=test,
        correction=correction,
        alpha=alpha,
        seed=seed,
        **options,
    )
    outputs = (
        (html, found.to_html),
        (latex, found.to_latex),
        (markdown, found.to_markdown),
        (json_file, found.to_json),
    )
    for target, render in outputs:
        if target is not None:
            write_text(target, render())
    if all(target != "-" for target, _ in outputs):
        show(str(found))


def measures(
    name: Annotated[str | None, typer.Argument(help="One measure, such as nDCG@10.")] = None,
) -> None:
    """List the measures and their exact definitions."""
    from plackett.metrics.base import known_measures, parse_measure

    chosen = known_measures().values() if name is None else [parse_measure(name)]
    for measure in chosen:
        show(f"{measure!r}: {measure.definition}")


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command(
        epilog=examples(
            'plackett evaluate qrels.txt run.txt -m "nDCG@10 AP RR@10 R@100"',
            "plackett evaluate qrels.txt bm25.txt ltr.txt --json scores.json",
            "plackett evaluate qrels.txt - --per-query < run.txt",
        )
    )(evaluate)
    app.command(
        epilog=examples(
            "plackett compare qrels.txt bm25.txt ltr.txt --baseline bm25 --html report.html",
            "plackett compare qrels.txt bm25.txt ltr.txt run.txt --test tukey --latex -",
        )
    )(compare)
    app.command(epilog=examples("plackett measures", "plackett measures 'AP(rel=2)@100'"))(measures)
