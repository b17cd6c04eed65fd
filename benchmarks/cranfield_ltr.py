"""BM25 against learned rankers on Cranfield, cross-validated by query. Prints JSON.

    python benchmarks/cranfield_ltr.py [--depth 200] [--folds 5] [--out FILE]

Every document's score comes from a ranker that has seen no judgment of its query. p-values are of
the two-sided paired t-test over the 225 queries against BM25 (k1 1.2, b 0.75), with Holm's
correction over all comparisons of the table.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.stats import ttest_rel

from plackett.data.collections import load_collection
from plackett.data.dataset import RankingDataset
from plackett.data.run import Run
from plackett.features import FeatureSet
from plackett.metrics.evaluation import evaluate
from plackett.rankers import LambdaMART, LinearRanker
from plackett.rankers.base import Ranker
from plackett.retrievers.bm25 import BM25

MEASURES = ("nDCG@10", "AP")
BASELINE = "bm25"
FIELDS = ("title", "text")


def rankers() -> dict[str, Callable[[], Ranker]]:
    """Few, small, strongly regularised trees: there are 180 training queries."""
    return {
        "lambdamart": lambda: LambdaMART(
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
            seed=1,
            threads=1,  # with rows this few, waiting for other threads costs more than they give
        ),
        "coordinate_ascent": lambda: LinearRanker(),
        "pairwise_logistic": lambda: LinearRanker(method="pairwise_logistic"),
    }


def cross_validated(
    make: Callable[[], Ranker], dataset: RankingDataset, run: Run, folds: int
) -> Run:
    """The run that the folds' rankers give together."""
    rows_query = dataset.query_ids.strings(dataset.query).to_numpy(zero_copy_only=False)
    scores = np.full(len(dataset), np.nan, dtype=np.float32)
    for train, test in dataset.folds(folds, seed=0):
        held_out = set(test.query_ids.strings(np.unique(test.query)).to_pylist())
        rows = np.fromiter((query in held_out for query in rows_query), bool, len(rows_query))
        scores[rows] = make().fit(train).predict(test)
    return run.with_scores(scores)


def holm(p_values: list[float]) -> list[float]:
    """Holm's step-down correction."""
    order = np.argsort(p_values)
    scaled = np.asarray(p_values)[order] * np.arange(len(p_values), 0, -1)
    corrected = np.empty(len(p_values))
    corrected[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return [float(p) for p in corrected]


def timings(features: FeatureSet, run: Run) -> dict[str, float]:
    """Seconds of the first extraction in this process, and the median of five more."""
    seconds = []
    for _ in range(6):
        start = time.perf_counter()
        features.extract(run)
        seconds.append(time.perf_counter() - start)
    return {"first": seconds[0], "median": statistics.median(seconds[1:])}


def main() -> None:
    parser = argparse.ArgumentParser(description="BM25 against learned rankers on Cranfield")
    parser.add_argument("--depth", type=int, default=200)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()

    collection = load_collection("cranfield")
    report: dict[str, object] = {"collection": "cranfield", "depth": arguments.depth}
    with tempfile.TemporaryDirectory() as folder:
        bm25 = BM25.build(collection.corpus, Path(folder) / "index", fields=FIELDS)
        run = bm25.search(collection.queries, k=arguments.depth)
        baseline = evaluate(run, collection.qrels, " ".join(MEASURES))
        report["rows"] = len(run.document)
        report["extraction_seconds"] = timings(FeatureSet.lexical(bm25), run)
        report[BASELINE] = dict(baseline.mean)
        sets = {
            "lexical": FeatureSet.lexical(bm25, feedback=False, normalise="query_zscore"),
            "lexical+feedback, raw": FeatureSet.lexical(bm25),
            "lexical+feedback": FeatureSet.lexical(bm25, normalise="query_zscore"),
        }
        results = []
        for set_name, features in sets.items():
            dataset = features.extract(run, collection.qrels)
            for ranker_name, make in rankers().items():
                start = time.perf_counter()
                learned = cross_validated(make, dataset, run, arguments.folds)
                seconds = time.perf_counter() - start
                found = evaluate(learned, collection.qrels, " ".join(MEASURES))
                results.extend(
                    {
                        "features": set_name,
                        "columns": len(features),
                        "ranker": ranker_name,
                        "measure": measure,
                        "bm25": baseline.mean[measure],
                        "learned": found.mean[measure],
                        "p": float(ttest_rel(found[measure], baseline[measure]).pvalue),
                        "wins": int((found[measure] > baseline[measure]).sum()),
                        "losses": int((found[measure] < baseline[measure]).sum()),
                        "cross_validation_seconds": seconds,
                    }
                    for measure in MEASURES
                )
        corrected = holm([float(row["p"]) for row in results])
        report["results"] = [
            {**row, "p_holm": p} for row, p in zip(results, corrected, strict=True)
        ]
    text = json.dumps(report, indent=1)
    print(text)
    if arguments.out is not None:
        arguments.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
