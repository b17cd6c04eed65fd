"""One query's candidates scored by a forest, side by side: plackett against the forests' libraries.

    python benchmarks/forest_scoring.py [--json benchmarks/results/forest_scoring.json]

Forests of 200 trees (31 leaves, or depth 6 where trees are grown by level or symmetric) over 136
features, grown by LightGBM, XGBoost and CatBoost on 20,000 random documents. The candidates of one
query, 1,000, 100 and 10 of them, are scored with one thread, by the library's own quickest call and
by `plackett.rankers.forests`, in turn; the median of the calls is given, and the greatest
difference of the scores. The sorting and checking that a ranker adds is not in the times.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import catboost
import lightgbm
import numpy as np
import numpy.typing as npt
import xgboost

from plackett.rankers.forests import Forest, read_catboost, read_lightgbm, read_xgboost

Score = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float64]]
SIZES = (1_000, 100, 10)


def grown(trees: int, leaves: int, X: npt.NDArray[np.float32]) -> dict[str, tuple[Score, Forest]]:
    """For each library, its own way to score, and the forest that is read from its model."""
    y = X[:, :20].sum(axis=1) + X[:, 3] * X[:, 5]
    booster = lightgbm.train(
        {"num_leaves": leaves, "verbosity": -1, "num_threads": 2}, lightgbm.Dataset(X, y), trees
    )
    boosted = xgboost.train(
        {"max_depth": 6, "verbosity": 0, "nthread": 2}, xgboost.DMatrix(X, y), trees
    )
    boosted.set_param({"nthread": 1})
    model = catboost.CatBoost(
        {"depth": 6, "iterations": trees, "logging_level": "Silent", "allow_writing_files": False}
    ).fit(X, y)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        model.save_model(str(path), format="json")
        symmetric = read_catboost(path.read_bytes())
    return {
        "LightGBM": (
            lambda rows: booster.predict(rows, num_threads=1),
            read_lightgbm(booster.model_to_string()),
        ),
        "XGBoost": (
            lambda rows: boosted.inplace_predict(rows, predict_type="margin"),
            read_xgboost(bytes(boosted.save_raw("json"))),
        ),
        "CatBoost": (lambda rows: model.predict(rows, thread_count=1), symmetric),
    }


def milliseconds(ways: list[Score], rows: npt.NDArray[np.float32], calls: int) -> list[float]:
    """The median of each way's calls, which take turns."""
    taken: list[list[float]] = [[] for _ in ways]
    for turn in range(calls + 2):
        for way, times in zip(ways, taken, strict=True):
            start = time.perf_counter()
            way(rows)
            if turn >= 2:
                times.append(1000 * (time.perf_counter() - start))
    return [statistics.median(times) for times in taken]


def main() -> None:
    """Grow the forests, score by both ways, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trees", type=int, default=200)
    parser.add_argument("--leaves", type=int, default=31)
    parser.add_argument("--calls", type=int, default=101)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    X = np.random.default_rng(0).standard_normal((20_000, 136), dtype=np.float32)
    table = []
    print("library   documents  library ms  plackett ms  ratio  greatest difference")
    for library, (score, forest) in grown(chosen.trees, chosen.leaves, X).items():
        for size in SIZES:
            rows = X[:size].copy()
            theirs, ours = milliseconds([score, forest.score], rows, chosen.calls)
            difference = float(np.abs(score(rows) - forest.score(rows)).max())
            print(
                f"{library:<9} {size:>9,}  {theirs:>10.3f}  {ours:>11.3f}  {theirs / ours:>5.1f}"
                f"  {difference:.1e}",
                flush=True,
            )
            table.append(
                {
                    "library": library,
                    "documents": size,
                    "library_ms": theirs,
                    "plackett_ms": ours,
                    "difference": difference,
                }
            )
    if chosen.json:
        chosen.json.parent.mkdir(parents=True, exist_ok=True)
        chosen.json.write_text(json.dumps({"trees": chosen.trees, "rows": table}, indent=1))


if __name__ == "__main__":
    main()
