"""Losses x models x seeds on MQ2008 (five folds) and the MSLR sample: one table each.

    python benchmarks/ltr_quality.py DATA [--output FOLDER] [--seeds 3] [--workers 2] [--quick]

DATA is a folder that holds `mq2008/S1.txt.gz` to `S5.txt.gz` (LETOR 4.0) and `mslr_sample/` with
`train.txt.gz` and `test.txt.gz` (MSLR-WEB30K, fold 1, the first rows of each). A query's value is
its mean over the seeds; p-values pair the queries, with Holm's correction. nDCG@10 has exponential
gain; queries without a relevant document count 0. The early-stopping set is MQ2008's own validation
fold, and for the MSLR sample a fifth of the training queries. The hyperparameters were set once for
each model, by eye, and are the same for all losses: the table compares losses, and says little
about what a model could reach by tuning.
"""

from __future__ import annotations

import argparse
from pathlib import Path

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
    """The sample's own split; its last queries may be cut and are left out."""
    train, test = (
        RankingDataset.read(next(folder.glob(f"*.{name}.*gz"))) for name in ("train", "test")
    )
    train, test = (part.select_queries(list(part.query_ids)[:-1]) for part in (train, test))
    learn, valid = train.split(0.8, seed=0)
    return Fold(learn, valid, test)


def systems(losses: tuple[str, ...], epochs: int, trees: int, transform: str) -> list[System]:
    """Every model with every loss, LightGBM's own lambdarank, and networks taught by a forest."""
    common = {"epochs": epochs, "early_stopping": 15, "batch_lists": 32, "learning_rate": 2e-3}
    common |= {"transform": transform}
    measure = "nDCG(gain='exponential')@10"
    networks = [
        MLP(hidden=(64, 32), measure=measure, **common),
        SelfAttention(hidden=(64,), blocks=2, feed_forward=128, measure=measure, **common),
        SetRanker(hidden=(64,), blocks=2, feed_forward=128, measure=measure, **common),
    ]
    forest = LambdaMART(trees=trees, leaves=15, threads=1, measure=measure)
    made = grid_systems(networks, losses)
    made += grid_systems([forest], [loss for loss in losses if loss not in NOT_FOR_TREES])
    for loss in ("ListNet", "RootMeanSquaredError", "RankNet"):
        student = MLP(hidden=(64, 32), measure=measure, loss=loss, **common)
        made.append(
            System(
                f"MLP taught by a forest, {loss}", Distilled(teacher=repr(forest), student=student)
            )
        )
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
    epochs, trees = (3, 10) if arguments.quick else (60, 150)
    jobs = {
        "mq2008": (lambda: [Fold(*f) for f in letor_folds(arguments.data / "mq2008")], "query"),
        "mslr": (lambda: [mslr_fold(arguments.data / "mslr_sample")], "log1p"),
    }
    for name, (folds, transform) in jobs.items():
        if arguments.only not in (None, name):
            continue
        found = run_grid(
            folds(),
            systems(LOSSES, epochs, trees, transform),
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
