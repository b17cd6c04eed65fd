"""How much do a network's test lists change on MQ2008 when its training data change a little?

    python benchmarks/stability.py FOLDER [--json FILE]

FOLDER holds S1.txt ... S5.txt (LETOR 4.0, possibly `.gz`); the first fold is used. A change deletes
1 % of the training queries, or 1 % of the grades above 0, or gives 10 % of the rows another grade.
Each row compares the test lists of a ranker of the whole data with those of its successor on the
changed data, by RBO (p = 0.9) and Jaccard of the first ten documents, over the test queries with
more than ten documents, where alone Jaccard can change; nDCG@10 is that of the successor, over all
test queries. The two share their seed, so that nothing but the data moves.

- "trained again": both are trained from the start, without fine-tuning.
- "both with FINEST": each is then fine-tuned under simulated damage with its own lists as the
  reference; the setting of the paper. "both, strength 0": the same without the regulariser.
- "updated with FINEST": the network of the whole data is fine-tuned on the changed data with its
  lists as the reference. "updated, strength 0": the same without the regulariser.

Strength and learning rate of the fine-tuning were chosen on the validation part with other seeds
and the first two changes. Figures are medians over the seeds, and the paper's strength of 1 stands
beside the chosen one. A row's ratio is the mean over seeds of 1 - RBO, the part of the lists that
changes, over that of the row of strength 0: below 1, the regulariser makes the lists more stable.
"won" counts the seeds in which it did.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from plackett.data.dataset import RankingDataset
from plackett.data.letor import LetorFold, letor_folds
from plackett.metrics.base import parse_measure
from plackett.metrics.stability import stability
from plackett.rankers.base import Ranker
from plackett.rankers.neural.finest import RankPreserving
from plackett.rankers.neural.mlp import MLP
from plackett.rankers.perturbation import delete_judgments, delete_queries, flip_grades

MEASURE = parse_measure("nDCG(gain='exponential')@10")
SEEDS = range(5)
CUTOFF = 10
CHANGES: dict[str, Callable[..., RankingDataset]] = {
    "1 % of the queries deleted": partial(delete_queries, share=0.01),
    "1 % of the judgments deleted": partial(delete_judgments, share=0.01),
    "10 % of the grades changed": partial(flip_grades, share=0.1),
}
NETWORK = MLP(
    hidden=(64, 32),
    loss="ListNet",
    transform="query",
    epochs=30,
    learning_rate=2e-3,
    batch_lists=32,
    measure=MEASURE,
)
STRENGTHS = {0.0: "strength 0", 0.1: "FINEST, strength 0.1", 1.0: "FINEST, strength 1"}
PLAIN = STRENGTHS[0.0]

Figures = tuple[float, float, float]


def compared(first: Ranker, second: Ranker, test: RankingDataset) -> Figures:
    """RBO and Jaccard of the two rankers' lists, and nDCG@10 of the second."""
    long = test.select_queries(np.flatnonzero(np.diff(test.offsets) > CUTOFF))
    found = stability(first.rank(long), second.rank(long), cutoff=CUTOFF, depth=CUTOFF)
    values = MEASURE.of_scores(second.predict(test), test.y, test.offsets, order=test.order)
    return found.mean_rbo, found.mean_jaccard, float(values.mean())


def with_seed(fold: LetorFold, seed: int) -> dict[str, dict[str, Figures]]:
    """For each change the figures of every row."""

    def trained(train: RankingDataset) -> MLP:
        return MLP(**NETWORK.get_params()).set_params(seed=seed).fit(train, fold.valid)

    def tuned(base: MLP, train: RankingDataset, strength: float) -> RankPreserving:
        settings = RankPreserving(fine_tune_epochs=15, strength=strength, seed=seed)
        return settings.around(base).updated(train)

    first = trained(fold.train)
    whole = {strength: tuned(first, fold.train, strength) for strength in STRENGTHS}
    figures = {}
    for name, change in CHANGES.items():
        train = change(fold.train, seed=seed)
        again = trained(train)
        rows = {"trained again": compared(first, again, fold.test)}
        for strength, label in STRENGTHS.items():
            both = tuned(again, train, strength)
            rows[f"both, {label}"] = compared(whole[strength], both, fold.test)
            updated = tuned(first, train, strength)
            rows[f"updated, {label}"] = compared(first, updated, fold.test)
        figures[name] = rows
    return figures


def table(found: list[dict[str, Figures]]) -> dict[str, dict[str, Any]]:
    """The medians of each row, and how much of the lists changes next to the row without it."""
    values = {row: np.array([of_seed[row] for of_seed in found]) for row in found[0]}
    made = {}
    for row in sorted(values, key=lambda row: row.partition(",")[0] == "updated"):
        kind = row.partition(",")[0]
        plain = values[row if kind == "trained again" else f"{kind}, {PLAIN}"][:, 0]
        rbo, jaccard, value = np.median(values[row], axis=0).tolist()
        made[row] = {
            "rbo": rbo,
            "jaccard": jaccard,
            "ndcg": value,
            "ratio": float((1.0 - values[row][:, 0]).mean() / (1.0 - plain).mean()),
            "won": int((values[row][:, 0] > plain).sum()),
            "seeds": values[row].tolist(),
        }
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    started = time.perf_counter()
    fold = next(iter(letor_folds(arguments.folder)))
    found = [with_seed(fold, seed) for seed in SEEDS]
    figures = {name: table([of_seed[name] for of_seed in found]) for name in CHANGES}
    for name, rows in figures.items():
        heads = f"{'RBO@10':>9}{'Jaccard@10':>12}{'nDCG@10':>9}{'ratio':>8}{'won':>5}"
        print(f"{name:30}{heads}")
        for row, of in rows.items():
            line = f"{row:30}{of['rbo']:9.4f}{of['jaccard']:12.4f}{of['ndcg']:9.4f}"
            print(line + (f"{of['ratio']:8.2f}{of['won']:5d}" if "FINEST" in row else ""))
        print()
    print(f"medians of {len(SEEDS)} seeds, {time.perf_counter() - started:.1f} s")
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
