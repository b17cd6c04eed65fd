"""`FeatureSet.full` against `FeatureSet.lexical` with LambdaMART, on Cranfield, CISI and SciFact.

    python benchmarks/full_features.py DATA [--collections cranfield cisi scifact] [--depth 100]
        [--repeats 5] [--threads 1] [--small] [--json FILE] [--html FOLDER]

DATA is the folder of collections (`DATA/cisi`, `DATA/scifact`; Cranfield is in the package). All
judged queries are used: 225 of Cranfield, 76 of CISI, and 1,109 of SciFact (its 809 training and
300 test claims). The first `depth` documents of BM25 (analyzer "english", k1 1.2, b 0.75, title
and text) are ordered anew by

- `lexical`: LambdaMART on the features of `FeatureSet.lexical`;
- `full`: LambdaMART on those of `FeatureSet.full`.

Both sets are scaled inside each query by "query_zscore", and the forests' parameters are the same
on both sides and on all collections: those of `cranfield_ltr.py`, few, small, strongly
regularised trees. Nothing was tuned for one side. Every document's score comes from a forest that
has seen no judgment of its query: cross-validation by query in 5 folds, repeated with other folds
and seeds, the same for both sides; a query's value is the mean over the repeats. p is of the
two-sided paired t-test over queries, with Holm's correction over the systems. The pooled rows take
all queries of the three collections as one set, where SciFact has most of the weight.

What was looked at before: the families of features that make `full` were chosen with these
collections in sight, so the gains are somewhat flattering; a fourth collection would tell.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cascades import cisi
from plackett import BM25, FeatureSet, LambdaMART, Qrels, Queries, Run, evaluate
from plackett.data.collections import Collection, load_collection
from plackett.metrics.comparison import compare_evaluations
from plackett.metrics.comparison_result import Comparison
from plackett.metrics.evaluation import Evaluation

MEASURES = "nDCG@10 AP"
FIELDS = ("title", "text")
BASELINE = "lexical"
FOLDS = 5


def scifact(folder: Path) -> Collection:
    """SciFact with all its claims, those of the training and of the test judgments."""
    parts = [load_collection(folder, split=split) for split in ("train", "test")]
    judged = {query: grades for part in parts for query, grades in part.qrels.to_dict().items()}
    qrels = Qrels.from_dict(judged)
    queries = Queries.read(folder / "queries.jsonl").select(qrels.queries)
    return Collection("scifact", parts[0].corpus, queries, qrels)


def collection(name: str, data: Path) -> Collection:
    """One of the three."""
    if name == "cranfield":
        return load_collection(name)
    return cisi(data / name) if name == "cisi" else scifact(data / name)


def forest(seed: int, threads: int) -> LambdaMART:
    """The ranker of both sides."""
    return LambdaMART(
        trees=150,
        leaves=6,
        learning_rate=0.05,
        min_documents_in_leaf=50,
        l2=5.0,
        feature_fraction=0.5,
        bagging_fraction=0.7,
        bagging_frequency=1,
        truncation=20,
        gain="linear",
        seed=seed,
        threads=threads,
    )


def cross_validated(
    features: FeatureSet, run: Run, qrels: Qrels, *, repeats: int, threads: int
) -> tuple[Evaluation, dict[str, Any]]:
    """Mean values a query over the repeats; columns, seconds, and the mean of every repeat."""
    start = time.perf_counter()
    dataset = features.extract(run, qrels)
    extraction = time.perf_counter() - start
    rows_query = dataset.query_ids.strings(dataset.query).to_numpy(zero_copy_only=False)
    found, start = [], time.perf_counter()
    for repeat in range(repeats):
        scores = np.full(len(dataset), np.nan, dtype=np.float32)
        for train, test in dataset.folds(FOLDS, seed=repeat):
            held_out = set(test.query_ids.strings(np.unique(test.query)).to_pylist())
            rows = np.fromiter((query in held_out for query in rows_query), bool, len(rows_query))
            scores[rows] = forest(repeat, threads).fit(train).predict(test)
        found.append(evaluate(run.with_scores(scores), qrels, MEASURES))
    values = np.mean([evaluation.values for evaluation in found], axis=0)
    facts = {
        "columns": len(features),
        "extraction_seconds": extraction,
        "training_seconds": time.perf_counter() - start,
        "repeats": [evaluation.mean for evaluation in found],
    }
    return replace(found[0], values=values), facts


def measured(
    name: str, data: Path, *, depth: int, repeats: int, threads: int
) -> tuple[dict[str, Evaluation], dict[str, Any]]:
    """The values of all systems on one collection, and facts about them."""
    source = collection(name, data)
    with tempfile.TemporaryDirectory() as folder:
        bm25 = BM25.build(source.corpus, Path(folder) / "index", fields=FIELDS)
        run = bm25.search(source.queries, k=depth)
        sets = {
            BASELINE: FeatureSet.lexical(bm25, normalise="query_zscore", threads=threads),
            "full": FeatureSet.full(bm25, normalise="query_zscore", threads=threads),
        }
        evaluations = {"bm25": evaluate(run, source.qrels, MEASURES)}
        facts: dict[str, Any] = {"documents": len(source.corpus), "queries": len(source.queries)}
        for system, features in sets.items():
            evaluations[system], facts[system] = cross_validated(
                features, run, source.qrels, repeats=repeats, threads=threads
            )
    return evaluations, facts


def pooled(by_collection: Mapping[str, Mapping[str, Evaluation]]) -> dict[str, Evaluation]:
    """The queries of all collections as one set."""
    first = next(iter(by_collection.values()))
    return {
        system: replace(
            evaluation,
            query_ids=tuple(
                f"{name} {query}"
                for name, systems in by_collection.items()
                for query in systems[system].query_ids
            ),
            values=np.concatenate(
                [systems[system].values for systems in by_collection.values()], axis=1
            ),
        )
        for system, evaluation in first.items()
    }


def summary(comparison: Comparison) -> list[dict[str, Any]]:
    """A row for each measure: the means, and `full` against `lexical`."""
    rows = []
    for measure in (one.name for one in comparison.measures):
        difference = comparison.difference(measure, "full")
        if difference is None:
            raise SystemExit("full was not compared with lexical")
        rows.append(
            {
                "measure": measure,
                **{name: comparison.mean(measure, name).mean for name in comparison.systems},
                "wins": difference.wins,
                "losses": difference.losses,
                "p": difference.p_value,
                "p_holm": difference.p_corrected,
            }
        )
    return rows


def shown(name: str, queries: int, rows: Sequence[Mapping[str, Any]]) -> str:
    """The table of one collection."""
    return "\n".join(
        f"{name:10}{queries:>8}  {row['measure']:8}{row['bm25']:>8.4f}{row[BASELINE]:>9.4f}"
        f"{row['full']:>8.4f}{row['full'] - row[BASELINE]:>+9.4f}"
        f"{row['wins']:>6}:{row['losses']:<6}{row['p']:>7.4f}{row['p_holm']:>8.4f}"
        for row in rows
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="The full features against the lexical ones")
    parser.add_argument("data", type=Path)
    names = ("cranfield", "cisi", "scifact")
    parser.add_argument("--collections", nargs="+", choices=names, default=list(names))
    parser.add_argument("--depth", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--small", action="store_true", help="Cranfield once: proves nothing")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--html", type=Path, help="a folder for a page a collection, and all.html")
    arguments = parser.parse_args()
    repeats = 1 if arguments.small else arguments.repeats
    chosen = ["cranfield"] if arguments.small else arguments.collections
    print(
        f"{'':10}{'queries':>8}  {'measure':8}{'bm25':>8}{'lexical':>9}{'full':>8}{'gain':>9}"
        "  wins:losses       p  (Holm)"
    )
    report: dict[str, Any] = {"depth": arguments.depth, "repeats": repeats, "folds": FOLDS}
    by_collection: dict[str, dict[str, Evaluation]] = {}
    for name in chosen:
        by_collection[name], report[name] = measured(
            name,
            arguments.data,
            depth=arguments.depth,
            repeats=repeats,
            threads=arguments.threads,
        )
        show(name, by_collection[name], report, arguments.html)
    if len(chosen) > 1:
        show("all", pooled(by_collection), report, arguments.html)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def show(
    name: str, evaluations: Mapping[str, Evaluation], report: dict[str, Any], html: Path | None
) -> None:
    """Print a collection's table, enter it into the report, and write its page."""
    comparison = compare_evaluations(evaluations, baseline=BASELINE)
    rows = summary(comparison)
    report.setdefault(name, {})["rows"] = rows
    print(shown(name, len(comparison.query_ids), rows), flush=True)
    if html is not None:
        html.mkdir(parents=True, exist_ok=True)
        title = f"All features against the lexical ones: {name}"
        comparison.to_html(html / f"{name}.html", title=title)


if __name__ == "__main__":
    main()
