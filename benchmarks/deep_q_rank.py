"""DeepQRank on the five folds of MQ2008: Q-learning, the published code's target, a linear ranker.

    python benchmarks/deep_q_rank.py FOLDER [--json FILE] [--epochs 60] [--seeds 1]

FOLDER holds S1.txt ... S5.txt (LETOR 4.0, possibly `.gz`). The code published with the paper reads
the next value at the document that was just placed; `target="maximum"` is Q-learning as the paper
describes it, and discount 0 is regression of the discounted grade, what is left of both without a
future. All train alike, with settings tried on the first fold's validation part, and keep the epoch
of the best nDCG@10 on the validation part. nDCG@1 and @10 gain 2^grade - 1; the means are over the
queries of the five test parts with a relevant document.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from plackett.data.letor import LetorFold, letor_folds
from plackett.metrics.base import parse_measure
from plackett.rankers import LinearRanker, Ranker
from plackett.rankers.neural.deep_q_rank import DeepQRank

MEASURES = tuple(parse_measure(f"nDCG(gain='exponential')@{cutoff}") for cutoff in (1, 10))


def rankers(epochs: int, seed: int) -> dict[str, Ranker]:
    """What is compared, untrained."""
    shared: dict[str, Any] = {
        "epochs": epochs,
        "learning_rate": 0.03,
        "batch_lists": 16,
        "transitions": 16,
        "target_rate": 0.05,
        "early_stopping": None,
        "measure": MEASURES[1],
        "seed": seed,
    }
    return {
        "DeepQRank, maximum": DeepQRank(**shared),
        "DeepQRank, published": DeepQRank(target="published", **shared),
        "DeepQRank, discount 0": DeepQRank(discount=0.0, **shared),
        "LinearRanker, pairwise logistic": LinearRanker(
            method="pairwise_logistic", measure=MEASURES[1]
        ),
    }


def values_of(ranker: Ranker, fold: LetorFold) -> npt.NDArray[np.float64]:
    """nDCG@1 and @10 of the fold's test queries with a relevant document, `[2, queries]`."""
    scores, test = ranker.fit(fold.train, fold.valid).predict(fold.test), fold.test
    relevant = np.bincount(test.query, weights=test.y > 0, minlength=test.n_queries) > 0
    return np.stack(
        [m.of_scores(scores, test.y, test.offsets, order=test.order)[relevant] for m in MEASURES]
    )


def measure(folds: list[LetorFold], epochs: int, seeds: int) -> dict[str, Any]:
    """The means over all test queries and seeds; prints them as a table."""
    table = {}
    print(f"{'':34}{'nDCG@1':>9}{'nDCG@10':>9}{'s a fold':>10}")
    for name in rankers(epochs, 0):
        found, started = [], time.perf_counter()
        # The linear ranker has no random choices.
        repeats = 1 if name.startswith("Linear") else seeds
        for seed in range(repeats):
            ranker = rankers(epochs, seed)[name]
            found.append(np.concatenate([values_of(ranker, fold) for fold in folds], axis=1))
        seconds = (time.perf_counter() - started) / len(folds) / repeats
        first, tenth = np.mean([values.mean(axis=1) for values in found], axis=0).tolist()
        spread = np.ptp([values[1].mean() for values in found])
        table[name] = {"nDCG@1": first, "nDCG@10": tenth, "range": float(spread), "s": seconds}
        print(f"{name:34}{first:9.4f}{tenth:9.4f}{seconds:10.1f}", flush=True)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--seeds", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    folds = list(letor_folds(arguments.folder))
    figures = measure(folds, arguments.epochs, arguments.seeds)
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
