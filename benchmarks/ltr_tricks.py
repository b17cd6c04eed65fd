"""The comparison of "Which tricks are important for learning to rank?" on small collections.

    python benchmarks/ltr_tricks.py FOLDER [--json FILE]

Lyzhin, Ustimenko, Gulin and Prokhorenkova, ICML 2023, compare LambdaMART, YetiRank with weights of
several measures, and StochasticRank. FOLDER holds `mq2008` (S1.txt ... S5.txt, possibly `.gz`; its
five folds) and `mslr_sample` (the first rows of MSLR-WEB30K's fold 1: the training file gives four
fifths of its queries to training and one to validation). Trees stop 50 after the best nDCG@10 on
the validation part. The measures are means over the queries of the test parts with a relevant
document; of MRR and MAP a document is relevant from grade 1. These collections are small: by the
standard error that stands beside nDCG@10 most differences between methods are noise.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from plackett.data.dataset import RankingDataset
from plackett.data.letor import letor_folds
from plackett.metrics.base import parse_measure
from plackett.rankers import LambdaMART, Ranker
from plackett.rankers.catboost_ranker import CatBoostRanker
from plackett.rankers.xgboost_ranker import XGBoostRanker

STOP = "nDCG(gain='exponential')@10"
MEASURES = {"nDCG@10": parse_measure(STOP), "MRR": parse_measure("RR"), "MAP": parse_measure("AP")}


class Fold(NamedTuple):
    train: RankingDataset
    valid: RankingDataset
    test: RankingDataset


def rankers(trees: int, threads: int) -> dict[str, Ranker]:
    """The methods compared; all gain 2^grade - 1 where they have a gain."""
    common: dict[str, Any] = {"trees": trees, "threads": threads, "measure": STOP}
    yeti: dict[str, Any] = {**common, "max_depth": 6}
    return {
        "LambdaMART (LightGBM)": LambdaMART(**common),
        "LambdaMART (plackett's gradient)": LambdaMART(objective="fast_lambdarank", **common),
        "rank_xendcg (LightGBM)": LambdaMART(objective="rank_xendcg", **common),
        "rank:ndcg (XGBoost)": XGBoostRanker(min_hessian_in_leaf=0.1, **common),
        "LambdaMart (CatBoost)": CatBoostRanker(objective="LambdaMart", gain="exponential", **yeti),
        "YetiRank": CatBoostRanker(**yeti),
        "YetiRank mode=NDCG": CatBoostRanker(target="NDCG", gain="exponential", **yeti),
        "YetiRank mode=MRR": CatBoostRanker(target="MRR", **yeti),
        "YetiRank mode=MAP": CatBoostRanker(target="MAP", **yeti),
        "YetiRankPairwise": CatBoostRanker(objective="YetiRankPairwise", **yeti),
        "StochasticRank NDCG": CatBoostRanker(
            objective="StochasticRank", gain="exponential", **yeti
        ),
    }


def mslr(folder: Path) -> Fold:
    """The sample; the last query of each file may be cut and is left out."""
    parts = []
    for part in ("train", "test"):
        data = RankingDataset.read(folder / f"msn1.fold1.{part}.5k.txt.gz", format="svmlight")
        parts.append(data.select_queries(np.arange(data.n_queries - 1)))
    train, valid = parts[0].split(0.8, seed=0)
    return Fold(train, valid, parts[1])


def collections(folder: Path) -> Iterator[tuple[str, list[Fold]]]:
    """Each collection's name and folds."""
    yield "MQ2008", [Fold(f.train, f.valid, f.test) for f in letor_folds(folder / "mq2008")]
    yield "MSLR sample", [mslr(folder / "mslr_sample")]


def of_queries(ranker: Ranker, fold: Fold) -> dict[str, list[float]]:
    """Each measure of each test query with a relevant document."""
    test = fold.test
    scores = ranker.fit(fold.train, fold.valid).predict(test)
    relevant = np.bincount(test.query, weights=test.y > 0, minlength=test.n_queries) > 0
    return {
        name: measure.of_scores(scores, test.y, test.offsets, order=test.order)[relevant].tolist()
        for name, measure in MEASURES.items()
    }


def main() -> None:
    """Train every method on every fold, print a table a collection."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--trees", type=int, default=300)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    results: dict[str, Any] = {}
    for name, folds in collections(options.folder):
        print(f"{name:36}" + "".join(f"{m:>10}" for m in MEASURES) + f"{'error':>10}{'seconds':>9}")
        results[name] = {}
        for method, ranker in rankers(options.trees, options.threads).items():
            started = time.perf_counter()
            parts = [of_queries(ranker, fold) for fold in folds]
            seconds = time.perf_counter() - started
            values = {m: np.concatenate([part[m] for part in parts]) for m in MEASURES}
            error = float(values["nDCG@10"].std(ddof=1) / np.sqrt(len(values["nDCG@10"])))
            means = {m: float(v.mean()) for m, v in values.items()}
            results[name][method] = {**means, "error of nDCG@10": error, "seconds": seconds}
            figures = "".join(f"{value:10.4f}" for value in means.values())
            print(f"{method:36}{figures}{error:10.4f}{seconds:9.1f}", flush=True)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
