"""Rankings without labels on MQ2008: some features as noisy rankers, aggregated.

    python benchmarks/weak_supervision.py FOLDER [--json FILE]

FOLDER holds S1.txt ... S5.txt (LETOR 4.0, possibly `.gz`). There are two sets of rankers. "mixed"
has several formulas on the same fields, and links, and was fixed before any figure was seen; its
rankers repeat each other, which the label model takes not to happen. "fields", made after that was
seen, has one ranker a source: BM25 of each field, and PageRank. Their accuracies are estimated on
the training parts without grades; orders of the test parts are made by the weighted Kemeny order,
by the unweighted one, by Borda count and by each ranker alone. Grades serve to judge only:
Kendall's tau over the pairs of different grades, and nDCG@10, mean over the queries of the five
test parts that have two grades. A linear ranker trained on the weak labels of the training part
stands below, beside one that is trained on its grades.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from plackett.data.dataset import RankingDataset
from plackett.data.letor import LetorFold, letor_folds
from plackett.fusion.kendall import kendall_pairs
from plackett.fusion.label_model import LabelMethod, RankingLabelModel
from plackett.fusion.weak_labels import scored_lists, weak_labels
from plackett.metrics.base import parse_measure
from plackett.rankers import LinearRanker

MEASURE = parse_measure("nDCG(gain='exponential')@10")
SETS = {
    "mixed": {
        "BM25 of body": "21",
        "BM25 of anchor": "22",
        "BM25 of title": "23",
        "BM25 of all": "25",
        "LMIR.DIR of all": "35",
        "TF-IDF of title": "13",
        "PageRank": "41",
        "inlinks": "42",
    },
    "fields": {
        "BM25 of body": "21",
        "BM25 of anchor": "22",
        "BM25 of title": "23",
        "BM25 of URL": "24",
        "PageRank": "41",
    },
}
METHODS: tuple[LabelMethod, ...] = ("mallows", "products", "distances")

Scores = npt.NDArray[np.floating[Any]]


def useful_queries(dataset: RankingDataset) -> npt.NDArray[np.bool_]:
    """Which queries have two different grades."""
    low, high = np.full(dataset.n_queries, np.inf), np.full(dataset.n_queries, -np.inf)
    np.minimum.at(low, dataset.query, dataset.y)
    np.maximum.at(high, dataset.query, dataset.y)
    return high > low


def judged(dataset: RankingDataset, scores: Scores) -> tuple[float, float]:
    """Mean tau over pairs of different grades, and mean nDCG@10."""
    useful = useful_queries(dataset)
    taus = []
    for query in np.flatnonzero(useful):
        rows = dataset.rows_of(dataset.query_ids[int(query)])
        found = kendall_pairs(np.stack([scores[rows], dataset.y[rows]]))
        taus.append(found.agreement[0, 1] / found.pairs[1, 1])
    values = MEASURE.of_scores(scores, dataset.y, dataset.offsets, order=dataset.order)
    return float(np.mean(taus)), float(values[useful].mean())


def borda(dataset: RankingDataset, names: list[str]) -> Scores:
    """The mean of each ranker's wins less losses inside the query."""
    scores = np.zeros(len(dataset))
    for query, lists in zip(dataset.query_ids, scored_lists(dataset, names), strict=True):
        wins = np.sign(lists[:, :, None] - lists[:, None, :]).sum(axis=2)
        scores[dataset.rows_of(query)] = wins.mean(axis=0)
    return scores


def unweighted(rankers: int) -> RankingLabelModel:
    """A label model to which all rankers are alike."""
    model = RankingLabelModel()
    model.weights_ = np.ones(rankers)
    return model


def linear(train: RankingDataset, grades: npt.NDArray[np.float32], fold: LetorFold) -> Scores:
    """A linear ranker trained on `grades`, applied to the test part."""
    relabelled = RankingDataset(
        train.X, grades, qid=train.query, feature_names=train.feature_names, missing=train.missing
    )
    ranker = LinearRanker(method="pairwise_logistic", measure=MEASURE)
    return ranker.fit(relabelled).predict(fold.test)


def on_fold(
    fold: LetorFold, rankers: dict[str, str]
) -> tuple[dict[str, tuple[float, float]], dict[str, Any]]:
    """Tau and nDCG@10 of every method, and the accuracies that each label model found."""
    names, test = list(rankers.values()), fold.test
    lists = scored_lists(fold.train, names)
    results: dict[str, tuple[float, float]] = {}
    accuracies: dict[str, Any] = {}
    columns = [test.X[:, test.feature_names.index(name)].astype(np.float64) for name in names]
    for (label, _), column in zip(rankers.items(), columns, strict=True):
        results[f"alone: {label}"] = judged(test, column)
    results["Borda count"] = judged(test, borda(test, names))
    for method in METHODS:
        model = RankingLabelModel(method=method).fit(lists)
        accuracies[method] = dict(zip(rankers, model.accuracies_.tolist(), strict=True))
        results[f"Kemeny, weights by {method}"] = judged(
            test, weak_labels(test, names, model=model)
        )
    plain = unweighted(len(names))
    results["Kemeny, unweighted"] = judged(test, weak_labels(test, names, model=plain))
    model = RankingLabelModel().fit(lists)
    weak = weak_labels(fold.train, names, model=model)
    results["linear on weighted weak labels"] = judged(test, linear(fold.train, weak, fold))
    vote = weak_labels(fold.train, names, model=plain)
    results["linear on unweighted weak labels"] = judged(test, linear(fold.train, vote, fold))
    results["linear on grades"] = judged(test, linear(fold.train, fold.train.y, fold))
    return results, accuracies


def measure(folds: list[LetorFold], rankers: dict[str, str]) -> dict[str, Any]:
    """The means over folds of everything that `on_fold` gives; prints them as two tables."""
    found = [on_fold(fold, rankers) for fold in folds]
    table = {
        name: np.mean([results[name] for results, _ in found], axis=0).tolist()
        for name in found[0][0]
    }
    accuracies = {
        method: {
            label: float(np.mean([of_fold[method][label] for _, of_fold in found]))
            for label in rankers
        }
        for method in METHODS
    }
    for name, (tau, value) in table.items():
        print(f"{name:40}{tau:9.4f}{value:9.4f}")
    print("accuracies estimated without grades, and tau with the grades")
    for label in rankers:
        figures = "".join(f"{method} {accuracies[method][label]:6.3f}  " for method in METHODS)
        print(f"{label:18}{figures}tau {table[f'alone: {label}'][0]:6.3f}")
    return {"table": table, "accuracies": accuracies}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    started = time.perf_counter()
    folds = list(letor_folds(arguments.folder))
    figures = {}
    for name, rankers in SETS.items():
        print(f"{'rankers: ' + name:40}{'tau':>9}{'nDCG@10':>9}")
        figures[name] = measure(folds, rankers)
        print()
    print(f"{time.perf_counter() - started:.1f} s")
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
