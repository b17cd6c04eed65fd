"""Losses x models x seeds on MQ2008 (five folds) and the MSLR sample: one table each.

    python benchmarks/ltr_quality.py DATA [--output FOLDER] [--seeds 3] [--workers 2] [--quick]

DATA is a folder that holds `mq2008/S1.txt.gz` to `S5.txt.gz` (LETOR 4.0) and `mslr_sample/` (the
first rows of MSLR-WEB30K's fold 1, training and test: 42 queries each). A query's value is its mean
over the seeds; p-values pair the queries, with Holm's correction. nDCG@10 has exponential gain;
queries without a relevant document count 0.

On MQ2008 training stops early by the fold's own validation part. The MSLR sample has too few
queries to spare some for that: all are learned from, for a number of epochs and trees that was
chosen, with dropout and learning rate, by cross-validation within the training file. Parameters are
the same for all losses and all networks: the table compares losses and models, and says little
about what one of them could reach by tuning.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, NamedTuple

from plackett import RankingDataset
from plackett.data.letor import letor_folds
from plackett.experiment.grid import Fold, System, grid_systems, run_grid
from plackett.rankers import LambdaMART
from plackett.rankers.distillation import Distilled
from plackett.rankers.neural import MLP, SelfAttention, SetRanker

LOSSES = (
    "RootMeanSquaredError",
    "Ordinal",
    "RankNet",
    "LambdaRank",
    "NDCGLoss2PP",
    "ListNet",
    "SoftmaxCrossEntropy",
    "ListMLE",
    "PListMLE",
    "ApproxNDCG",
    "NeuralNDCG",
    "RankList",
    "PLRank(nDCG@10, samples=16)",
)
NOT_FOR_TREES = ("Ordinal",)  # several outputs a document
MEASURES = "nDCG(gain='exponential')@10 nDCG(gain='exponential')@5 AP RR@10"


def mslr_fold(folder: Path) -> Fold:
    """The sample's own split, without validation; its last queries may be cut and are left out."""
    train, test = (
        RankingDataset.read(next(folder.glob(f"*.{name}.*gz"))) for name in ("train", "test")
    )
    train, test = (part.select_queries(list(part.query_ids)[:-1]) for part in (train, test))
    return Fold(train, None, test)


class Setting(NamedTuple):
    """What the networks and trees of a collection have in common."""

    network: dict[str, Any]
    attention: dict[str, Any]
    forest: dict[str, Any]


SETTINGS = {
    "mq2008": Setting(
        {
            "epochs": 40,
            "early_stopping": 8,
            "batch_lists": 32,
            "learning_rate": 2e-3,
            "transform": "query",
        },
        {"hidden": (64,), "blocks": 2, "feed_forward": 128},
        {"trees": 150, "leaves": 15},
    ),
    "mslr": Setting(
        {
            "epochs": 60,
            "batch_lists": 8,
            "learning_rate": 3e-3,
            "weight_decay": 1e-2,
            "dropout": 0.4,
            "average": "ema",
            "average_decay": 0.95,
            "transform": "log1p",
        },
        {"hidden": (64,), "blocks": 1, "feed_forward": 128},
        {
            "trees": 300,
            "leaves": 15,
            "feature_fraction": 0.5,
            "bagging_fraction": 0.8,
            "bagging_frequency": 1,
        },
    ),
}


def systems(setting: Setting, quick: bool) -> list[System]:
    """Every model with every loss, LightGBM's own lambdarank, and networks taught by a forest."""
    common = {"measure": "nDCG(gain='exponential')@10"}
    network = setting.network | common | ({"epochs": 2} if quick else {})
    trees = setting.forest | common | {"threads": 1} | ({"trees": 5} if quick else {})
    networks = [
        MLP(hidden=(64, 32), **network),
        SelfAttention(**setting.attention, **network),
        SetRanker(**setting.attention, **network),
    ]
    forest = LambdaMART(**trees)
    made = grid_systems(networks, LOSSES)
    made += grid_systems([forest], [loss for loss in LOSSES if loss not in NOT_FOR_TREES])
    for loss in ("ListNet", "RootMeanSquaredError", "RankNet"):
        student = MLP(hidden=(64, 32), loss=loss, **network)
        taught = Distilled(teacher=repr(forest), student=student)
        made.append(System(f"MLP taught by a forest, {loss}", taught))
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description="Losses x models x seeds on real judgments")
    parser.add_argument("data", type=Path)
    parser.add_argument("--output", type=Path, default=Path("ltr-quality"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", choices=("mq2008", "mslr"))
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    jobs = {
        "mslr": lambda: [mslr_fold(arguments.data / "mslr_sample")],
        "mq2008": lambda: [Fold(*parts) for parts in letor_folds(arguments.data / "mq2008")],
    }
    for name, folds in jobs.items():
        if arguments.only not in (None, name):
            continue
        found = run_grid(
            folds(),
            systems(SETTINGS[name], arguments.quick),
            arguments.output / name,
            seeds=range(arguments.seeds),
            measures=MEASURES,
            baseline="LambdaMART",
            workers=arguments.workers,
            progress=lambda done, total: print(f"\r{done} of {total} cells", end="", flush=True),
        )
        report = found.write(arguments.output / name)
        print(f"\n{name}\n{found}\n{report}")


if __name__ == "__main__":
    main()
