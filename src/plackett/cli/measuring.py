"""`plackett evaluate`, `plackett compare`, `plackett measures`: numbers and what they prove."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from plackett.cli.console import announce, examples, show, write_text
from plackett.errors import ConfigurationError

__all__ = ["compare", "evaluate", "measures"]

MEASURES = "nDCG@10 AP RR@10 R@100"
Measures = Annotated[
    str, typer.Option("--measures", "-m", help="Measures, as in `plackett measures`.")
]
Ties = Annotated[str, typer.Option(help="Equal scores: trec_eval, error or average.")]
Unjudged = Annotated[str, typer.Option(help="Unjudged documents: nonrelevant or remove.")]
Missing = Annotated[str, typer.Option(help="Judged queries without results: zero or skip.")]
Format = Annotated[
    str | None, typer.Option("--format", help="File format, where the suffix does not tell.")
]


def evaluate(
    qrels: Annotated[Path, typer.Argument(help="Judgments (TREC, TSV, JSONL, Parquet).")],
    runs: Annotated[list[Path], typer.Argument(help="Runs to evaluate.")],
    measures: Measures = MEASURES,
    per_query: Annotated[bool, typer.Option("--per-query", "-q", help="Every query too.")] = False,
    json_file: Annotated[
        str | None, typer.Option("--json", metavar="FILE", help="Write JSON; - is the screen.")
    ] = None,
    ties: Ties = "trec_eval",
    unjudged: Unjudged = "nonrelevant",
    missing: Missing = "zero",
    format_name: Format = None,
) -> None:
    """Evaluate runs against judgments, as trec_eval does."""
    from plackett.data import Qrels, Run
    from plackett.metrics.evaluation import evaluate as evaluate_run

    judged = Qrels.read(qrels, format=format_name)
    evaluations = []
    for path in runs:
        run = Run.read(path, format=format_name, name=path.stem)
        evaluations.append(
            evaluate_run(
                run,
                judged,
                measures,
                ties=ties,  # type: ignore[arg-type]
                unjudged=unjudged,  # type: ignore[arg-type]
                missing=missing,  # type: ignore[arg-type]
            )
        )
    if json_file is not None:
        objects = [json.loads(evaluation.to_json()) for evaluation in evaluations]
        content = objects[0] if len(objects) == 1 else objects
        write_text(json_file, json.dumps(content, indent=2, ensure_ascii=False))
        if json_file == "-":
            return
    if per_query:
        for evaluation in evaluations:
            for query, values in evaluation.per_query.items():
                for name, value in values.items():
                    show(f"{evaluation.name}\t{query}\t{name}\t{value:.4f}")
    width = max(len(name) for name in ["measure", *evaluations[0].mean])
    names = [evaluation.name for evaluation in evaluations]
    columns = [max(len(name), 6) for name in names]
    head = "  ".join(f"{name:>{size}}" for name, size in zip(names, columns, strict=True))
    show(f"{'measure':<{width}}  {head}")
    for measure in evaluations[0].mean:
        cells = "  ".join(
            f"{evaluation.mean[measure]:>{size}.4f}"
            for evaluation, size in zip(evaluations, columns, strict=True)
        )
        show(f"{measure:<{width}}  {cells}")
    announce(f"(mean over {len(evaluations[0].query_ids)} queries)")


def compare(
    qrels: Annotated[Path, typer.Argument(help="Judgments.")],
    runs: Annotated[list[Path], typer.Argument(help="Runs; each is called as its file's stem.")],
    measures: Measures = MEASURES,
    baseline: Annotated[
        str | None, typer.Option("--baseline", "-b", help="Test all others against this one.")
    ] = None,
    test: Annotated[
        str, typer.Option(help="t, wilcoxon, randomisation, tukey or randomised_tukey.")
    ] = "t",
    correction: Annotated[
        str, typer.Option(help="holm, bonferroni, benjamini_hochberg or none.")
    ] = "holm",
    alpha: Annotated[float, typer.Option(help="Level of significance.")] = 0.05,
    seed: Annotated[int, typer.Option(help="Of permutations and bootstrap.")] = 0,
    html: Annotated[str | None, typer.Option(metavar="FILE", help="Write the report.")] = None,
    latex: Annotated[str | None, typer.Option(metavar="FILE", help="Write the table.")] = None,
    markdown: Annotated[str | None, typer.Option(metavar="FILE", help="Write the table.")] = None,
    json_file: Annotated[
        str | None, typer.Option("--json", metavar="FILE", help="Write everything.")
    ] = None,
    ties: Ties = "trec_eval",
    unjudged: Unjudged = "nonrelevant",
    missing: Missing = "zero",
    format_name: Format = None,
) -> None:
    """Compare runs on the same judgments and test their differences."""
    from plackett.data import Qrels, Run
    from plackett.metrics.comparison import compare as compare_runs

    stems = [path.stem for path in runs]
    repeated = [stem for i, stem in enumerate(stems) if stem in stems[:i]]
    if repeated:
        raise ConfigurationError(f"two runs are called {repeated[0]!r}; rename a file.")
    found = compare_runs(
        {path.stem: Run.read(path, format=format_name, name=path.stem) for path in runs},
        Qrels.read(qrels, format=format_name),
        measures,
        baseline=baseline,
        test=test,
        correction=correction,
        alpha=alpha,
        seed=seed,
        ties=ties,  # type: ignore[arg-type]
        unjudged=unjudged,  # type: ignore[arg-type]
        missing=missing,  # type: ignore[arg-type]
    )
    if html is not None:
        write_text(html, found.to_html())
    if latex is not None:
        write_text(latex, found.to_latex())
    if markdown is not None:
        write_text(markdown, found.to_markdown())
    if json_file is not None:
        write_text(json_file, found.to_json())
    if "-" not in (html, latex, markdown, json_file):
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
        )
    )(evaluate)
    app.command(
        epilog=examples(
            "plackett compare qrels.txt bm25.txt ltr.txt --baseline bm25 --html report.html",
            "plackett compare qrels.txt a.txt b.txt c.txt --test tukey --latex -",
        )
    )(compare)
    app.command(epilog=examples("plackett measures", "plackett measures 'AP(rel=2)@100'"))(measures)
