"""Sorting numbers with the pointer ranker: how often a whole list comes out right.

    python benchmarks/pointer_sorting.py [--json FILE] [--seeds 2] [--small]

The small check of "Order matters: sequence to sequence for sets" on lists of 5, 10 and 15 numbers,
uniform on [0, 1). Task "value": the greatest first. What is chosen already is masked here, so a
pointwise score solves it. Task "distance": the nearest to the mean of the list first, which asks to
read the list before the first choice. A pointer network learns on some lists and is read greedily
on others; counted are the lists without a single mistake, and Kendall's tau over all pairs. The
process block reads the numbers 0, 1 or 5 times. Below stand the other trainings at 5 reads. Every
row is the mean over the seeds.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from plackett.data.dataset import RankingDataset
from plackett.rankers.neural.pointer import TRAININGS, PointerRanker

LENGTHS = (5, 10, 15)
STEPS = (0, 1, 5)
TRAINED = {"value": 500, "distance": 4000}  # lists
TESTED = 1000


def numbers(task: str, lists: int, length: int, seed: int) -> RankingDataset:
    """Lists of uniform numbers; the grade of a number is how many of its list come after it."""
    values = np.random.default_rng(seed).random((lists, length)).astype(np.float32)
    wanted = values if task == "value" else -abs(values - values.mean(axis=1, keepdims=True))
    grades = wanted.argsort(axis=1).argsort(axis=1)
    return RankingDataset(
        values.reshape(-1, 1), grades.ravel(), qid=np.repeat(np.arange(lists), length)
    )


def sorted_share(ranker: PointerRanker, tested: RankingDataset, length: int) -> tuple[float, float]:
    """The share of lists that are sorted exactly, and the mean of Kendall's tau."""
    scores = ranker.predict(tested).reshape(-1, length)
    grades = tested.y.reshape(-1, length)
    upper = np.triu_indices(length, 1)
    agree = np.sign(scores[:, upper[0]] - scores[:, upper[1]]) == np.sign(
        grades[:, upper[0]] - grades[:, upper[1]]
    )
    return float(agree.all(axis=1).mean()), float(2 * agree.mean() - 1)


def measured(
    task: str, training: str, steps: int, length: int, seeds: int, share: int
) -> dict[str, float]:
    """One row: the means over seeds, and the seconds of one training."""
    tested = numbers(task, TESTED, length, 10_000)
    found, started = [], time.perf_counter()
    for seed in range(seeds):
        ranker = PointerRanker(
            process_steps=steps,
            hidden=(32, 32),
            dropout=0.0,
            epochs=8,
            learning_rate=0.01,
            batch_lists=32,
            seed=seed,
        )
        ranker.set_params(training=training).fit(
            numbers(task, TRAINED[task] // share, length, seed)
        )
        found.append(sorted_share(ranker, tested, length))
    exact, tau = np.mean(found, axis=0).tolist()
    return {"exact": exact, "tau": tau, "seconds": (time.perf_counter() - started) / seeds}


def measure(seeds: int, share: int) -> list[dict[str, Any]]:
    """Every row, printed as it comes."""
    rows = []
    plans = [
        (task, "teacher", steps, length)
        for task in TRAINED
        for length in LENGTHS
        for steps in STEPS
    ]
    plans += [("value", training, 5, 10) for training in TRAININGS if training != "teacher"]
    print(f"{'task':10}{'training':18}{'reads':>6}{'n':>4}{'exact':>9}{'tau':>9}{'s':>7}")
    for task, training, steps, length in plans:
        row = measured(task, training, steps, length, seeds, share)
        named = {"task": task, "training": training, "process_steps": steps, "length": length}
        rows.append({**named, **row})
        print(
            f"{task:10}{training:18}{steps:6}{length:4}{row['exact']:9.3f}{row['tau']:9.4f}"
            f"{row['seconds']:7.1f}",
            flush=True,
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--seeds", type=int, default=2, help="trainings of each row")
    parser.add_argument("--small", action="store_true", help="a quick look that proves nothing")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    started = time.perf_counter()
    seeds, share = (1, 4) if arguments.small else (arguments.seeds, 1)
    figures = {"rows": measure(seeds, share), "seeds": seeds}
    print(f"{time.perf_counter() - started:.1f} s")
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
