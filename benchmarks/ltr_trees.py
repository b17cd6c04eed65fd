"""Seconds a tree, side by side: LightGBM, XGBoost, CatBoost and plackett's own LambdaRank gradient.

    python benchmarks/ltr_trees.py [--json benchmarks/results/ltr_trees.json]

All learn from the same synthetic lists (3,000 queries x 122 documents x 136 features, grades 0 to 4
in the proportions of MSLR-WEB30K) with 31 leaves, or depth 5 where trees are symmetric or grown by
level. The methods take turns, a few trees each round, so that what else the machine does falls on
all alike; the median and the least over all trees are given, and their ratios to rank_xendcg's. The
first trees of a round are left out: they include the making of bins, or the compiling of loops.
nDCG@10 (exponential gain) is of a longer training on the same lists, on 500 other queries.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from plackett.data.dataset import RankingDataset
from plackett.metrics.base import parse_measure
from plackett.rankers import LambdaMART, Ranker
from plackett.rankers.catboost_ranker import CatBoostRanker
from plackett.rankers.xgboost_ranker import XGBoostRanker

MEASURE = parse_measure("nDCG(gain='exponential')@10")
SHARES = np.cumsum([0.52, 0.32, 0.13, 0.02])
UNTIMED = 2  # trees at the start of each round
BASE = "LightGBM rank_xendcg"


def synthetic(queries: int, documents: int, features: int, seed: int) -> RankingDataset:
    """Lists whose grades are a noisy function of some features, with effects of the query."""
    generator = np.random.default_rng(seed)
    rows = queries * documents
    X = generator.standard_normal((rows, features), dtype=np.float32)
    weights = np.random.default_rng(12345).normal(size=features) * (np.arange(features) % 4 == 0)
    signal = X @ weights.astype(np.float32) / 4 + np.sin(2 * X[:, 1]) + X[:, 2] * X[:, 3]
    signal += np.repeat(generator.normal(size=queries), documents)
    signal += 1.5 * generator.standard_normal(rows, dtype=np.float32)
    y = np.digitize(signal, np.quantile(signal, SHARES))
    return RankingDataset(X, y, qid=np.repeat(np.arange(queries), documents))


def methods(threads: int, losses: list[str]) -> dict[str, Callable[..., Ranker]]:
    """The rankers, each as a function of what `set_params` takes."""
    common: dict[str, Any] = {"threads": threads, "learning_rate": 0.1, "early_stopping": None}
    made: dict[str, Ranker] = {
        "LightGBM lambdarank": LambdaMART(**common),
        BASE: LambdaMART(objective="rank_xendcg", **common),
        "plackett fast_lambdarank": LambdaMART(objective="fast_lambdarank", **common),
        "XGBoost rank:ndcg": XGBoostRanker(max_depth=5, **common),
        "CatBoost YetiRank": CatBoostRanker(max_depth=5, **common),
    }
    for loss in losses:
        made[f"LightGBM, loss {loss}"] = LambdaMART(loss=loss, **common)
    return {
        name: lambda ranker=ranker, **changes: type(ranker)(**{**ranker.get_params(), **changes})
        for name, ranker in made.items()
    }


def seconds_a_tree(ranker: Callable[..., Ranker], data: RankingDataset, trees: int) -> list[float]:
    """The seconds of each tree but the first."""
    marks: list[float] = []
    ranker(trees=trees + UNTIMED, progress=lambda *_: marks.append(time.perf_counter())).fit(data)
    return [float(seconds) for seconds in np.diff(marks)[UNTIMED - 1 :]]


def main() -> None:
    """Time all methods in turn, measure their quality, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--queries", type=int, default=3000)
    parser.add_argument("--documents", type=int, default=122)
    parser.add_argument("--features", type=int, default=136)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--trees", type=int, default=10, help="timed in each round")
    parser.add_argument("--quality-trees", type=int, default=60)
    parser.add_argument("--loss", action="append", default=[], help="a loss for LightGBM's trees")
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    train = synthetic(options.queries, options.documents, options.features, 0)
    test = synthetic(500, options.documents, options.features, 1)
    rankers = methods(options.threads, options.loss)
    times: dict[str, list[float]] = {name: [] for name in rankers}
    load = [os.getloadavg()[0]]
    for _ in range(options.rounds):
        for name, ranker in rankers.items():
            times[name] += seconds_a_tree(ranker, train, options.trees)
        load.append(os.getloadavg()[0])
    table: dict[str, dict[str, float]] = {}
    base, least = statistics.median(times[BASE]), min(times[BASE])
    print(f"{'method':28} {'s a tree':>9} {'ratio':>7} {'least':>9} {'ratio':>7} {'nDCG@10':>8}")
    for name, ranker in rankers.items():
        median = statistics.median(times[name])
        quality = ranker(trees=options.quality_trees, measure=MEASURE).fit(train).score(test)
        table[name] = {
            "median_seconds": median,
            "least_seconds": min(times[name]),
            f"ratio_to_{BASE}": median / base,
            f"ratio_of_least_to_{BASE}": min(times[name]) / least,
            "nDCG@10": quality,
        }
        print(
            f"{name:28} {median:9.4f} {median / base:7.3f} {min(times[name]):9.4f} "
            f"{min(times[name]) / least:7.3f} {quality:8.4f}"
        )
    print(f"load of the machine over the rounds: {', '.join(f'{value:.1f}' for value in load)}")
    if options.json:
        settings = {k: v for k, v in vars(options).items() if k != "json"}
        figures = {"settings": settings, "cores": os.cpu_count(), "load": load, "methods": table}
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
