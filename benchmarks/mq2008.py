"""LambdaMART and LightGBM's own API, side by side on MQ2008's five folds.

    python benchmarks/mq2008.py FOLDER [--json FILE]

FOLDER holds S1.txt ... S5.txt (LETOR 4.0, possibly `.gz`). Both grow at most 300 trees of 31 leaves
at a learning rate of 0.05, stop 50 trees after the best nDCG@10 on the validation part, and gain
2^grade - 1. Mean nDCG@10 on the test parts is given under all three conventions for queries without
a relevant document: they count 0 (as trec_eval does), count 1 (as LightGBM does), or are left out.
The linear rankers stand below for comparison.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import numpy.typing as npt

from plackett.data.letor import LetorFold, letor_folds
from plackett.metrics.base import parse_measure
from plackett.rankers import LambdaMART, LinearRanker, Ranker

MEASURE = parse_measure("nDCG(gain='exponential')@10")
CONVENTIONS = ("empty = 0", "empty = 1", "without empty")

Scores = npt.NDArray[np.floating[Any]]


def lightgbm_api(fold: LetorFold) -> Scores:
    """LightGBM alone, stopping on its own nDCG."""
    parameters = {
        "objective": "lambdarank",
        "num_leaves": 31,
        "learning_rate": 0.05,
        "metric": "ndcg",
        "eval_at": [10],
        "verbosity": -1,
        "seed": 0,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
    }
    data = lightgbm.Dataset(fold.train.X, fold.train.y, group=np.diff(fold.train.offsets))
    valid = lightgbm.Dataset(
        fold.valid.X, fold.valid.y, group=np.diff(fold.valid.offsets), reference=data
    )
    stop = lightgbm.early_stopping(50, verbose=False)
    booster = lightgbm.train(parameters, data, 300, valid_sets=[valid], callbacks=[stop])
    return np.asarray(booster.predict(fold.test.X)).astype(np.float32)


def by(ranker: Ranker) -> Callable[[LetorFold], Scores]:
    """Fit a ranker on a fold and score the fold's test part."""
    return lambda fold: ranker.fit(fold.train, fold.valid).predict(fold.test)


METHODS: dict[str, Callable[[LetorFold], Scores]] = {
    "plackett LambdaMART": by(LambdaMART(measure=MEASURE, threads=1)),
    "LightGBM's API": lightgbm_api,
    "plackett LambdaMART, rank_xendcg": by(
        LambdaMART(measure=MEASURE, objective="rank_xendcg", threads=1)
    ),
    "plackett LinearRanker, coordinate ascent": by(LinearRanker(measure=MEASURE)),
    "plackett LinearRanker, pairwise logistic": by(
        LinearRanker(measure=MEASURE, method="pairwise_logistic")
    ),
}


def conventions(fold: LetorFold, scores: Scores) -> list[float]:
    """Mean nDCG@10 under each of `CONVENTIONS`."""
    test = fold.test
    values = MEASURE.of_scores(scores, test.y, test.offsets, order=test.order)
    relevant = np.bincount(test.query, weights=test.y > 0, minlength=test.n_queries) > 0
    return [
        float(np.where(relevant, values, 0.0).mean()),
        float(np.where(relevant, values, 1.0).mean()),
        float(values[relevant].mean()),
    ]


def measure(folds: list[LetorFold]) -> dict[str, Any]:
    """The figures and seconds of every method."""
    results: dict[str, Any] = {}
    first: list[Scores] = []
    for name, method in METHODS.items():
        started = time.perf_counter()
        scores = [method(fold) for fold in folds]
        seconds = time.perf_counter() - started
        table = [conventions(fold, s) for fold, s in zip(folds, scores, strict=True)]
        first = first or scores
        results[name] = {
            "nDCG@10": dict(zip(CONVENTIONS, np.mean(table, axis=0).tolist(), strict=True)),
            "folds": table,
            "seconds": seconds,
            "scores equal the first method's": all(
                np.array_equal(a, b) for a, b in zip(scores, first, strict=True)
            ),
        }
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    folds = list(letor_folds(arguments.folder))
    # The first fit of each kind compiles or loads what later ones reuse.
    for ranker in (
        LinearRanker(),
        LinearRanker(method="pairwise_logistic"),
        LambdaMART(trees=1, threads=1),
    ):
        ranker.fit(folds[0].test)
    results = measure(folds)
    print(f"{'mean nDCG@10':42}" + "".join(f"{name:>15}" for name in (*CONVENTIONS, "seconds")))
    for name, result in results.items():
        figures = "".join(f"{result['nDCG@10'][c]:15.4f}" for c in CONVENTIONS)
        print(f"{name:42}{figures}{result['seconds']:15.2f}")
    equal = results["LightGBM's API"]["scores equal the first method's"]
    print(f"LambdaMART and LightGBM's API give {'equal' if equal else 'DIFFERENT'} scores.")
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
