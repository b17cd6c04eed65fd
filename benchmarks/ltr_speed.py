"""Training speed beside allRank: each loss, and whole epochs of the same network on the same lists.

    python benchmarks/ltr_speed.py --setup            # once: allRank's own environment
    python benchmarks/ltr_speed.py [--small] [--repeats 5] [--json FILE]

Both run in processes of their own with the same version of torch and the same number of threads,
in turns. A loss is timed forward and backward on 64 lists of 240 documents with grades 0 to 4;
"MB" is how far the peak of resident memory rises during one such call. An epoch is one pass over
the training lists with Adam, for a feed-forward network and for the context-aware ranker of the
same sizes; "uneven" lists have 5 to 240 documents (a long tail), "even" ones 100 each. allRank
pads every list to the longest. Its package imports torchvision for a function that is not called
here; an empty module stands in for it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

HERE = Path(__file__).parent
PEER = HERE / ".venv-ltr" / "bin" / "python"
PACKAGES = (
    "torch==2.13.0",
    "numpy",
    "scipy",
    "pandas",
    "scikit-learn",
    "attrs",
    "flatten_dict",
    "tensorboardX",
    "gcsfs",
    "setuptools<80",
)
LISTS, DOCUMENTS, FEATURES = 64, 240, 136
OURS = {
    "ListNet": "ListNet()",
    "ListMLE": "ListMLE()",
    "ApproxNDCG": "ApproxNDCG()",
    "RankNet": "RankNet()",
    "LambdaRank": "LambdaRank()",
    "NDCGLoss2++": "NDCGLoss2PP()",
    "NeuralNDCG": "NeuralNDCG()",
    "RMSE": "RootMeanSquaredError()",
}
NETWORKS = {"MLP": ([128, 64], 0), "attention": ([128], 2)}


def lists(kind: str, count: int) -> list[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
    """Features and grades of some lists, seeded."""
    random = np.random.default_rng(3)
    made = []
    for _ in range(count):
        tail = 5 + int(min(235, random.exponential(45)))
        length = 100 if kind == "even" else tail
        X = random.standard_normal((length, FEATURES)).astype(np.float32)
        quality = X[:, :8].sum(axis=1) + 2 * random.standard_normal(length)
        made.append((X, np.digitize(quality, [1.0, 3.0, 5.0, 7.0]).astype(np.float32)))
    return made


def timed(work: Callable[[], object], repeats: int, seconds: float = 1.0) -> float:
    """The median seconds of a call: at least `repeats` calls, and more within some seconds."""
    work()
    took: list[float] = []
    while len(took) < repeats or sum(took) < seconds:
        begin = time.perf_counter()
        work()
        took.append(time.perf_counter() - begin)
    return median(took)


def peak_megabytes(work: Callable[[], object]) -> float:
    """How far the peak of resident memory rises above where it stands now."""

    def field(name: str) -> int:
        status = Path("/proc/self/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith(name)).split()[1])

    before = field("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    work()
    return (field("VmHWM") - before) / 1024


def loss_inputs() -> tuple[Any, Any]:
    """Scores that ask for a gradient, and grades with most documents irrelevant."""
    import torch

    torch.manual_seed(0)
    scores = torch.randn(LISTS, DOCUMENTS, requires_grad=True)
    shares = torch.tensor([0.55, 0.2, 0.15, 0.07, 0.03])
    labels = torch.multinomial(shares, LISTS * DOCUMENTS, replacement=True)
    return scores, labels.view(LISTS, DOCUMENTS).float()


def allrank_losses() -> dict[str, Callable[[Any, Any], Any]]:
    """allRank's functions under the names of the table."""
    _stand_in()
    from allrank.models import losses

    return {
        "ListNet": losses.listNet,
        "ListMLE": losses.listMLE,
        "ApproxNDCG": losses.approxNDCGLoss,
        "RankNet": losses.rankNet,
        "LambdaRank": lambda s, y: losses.lambdaLoss(s, y, weighing_scheme="lambdaRank_scheme"),
        "NDCGLoss2++": lambda s, y: losses.lambdaLoss(s, y, weighing_scheme="ndcgLoss2PP_scheme"),
        "NeuralNDCG": losses.neuralNDCG,
        "RMSE": lambda s, y: losses.pointwise_rmse(s, y, 1),
    }


def plackett_losses() -> dict[str, Callable[[Any, Any], Any]]:
    """plackett's losses under the names of the table."""
    from plackett.losses import parse_loss

    return {name: parse_loss(text) for name, text in OURS.items()}


def _stand_in() -> None:
    module = types.ModuleType("torchvision")
    module.transforms = types.ModuleType("torchvision.transforms")  # type: ignore[attr-defined]
    sys.modules["torchvision"] = module
    sys.modules["torchvision.transforms"] = module.transforms
    module.transforms.Compose = list


def time_loss(who: str, name: str, repeats: int) -> dict[str, float]:
    """Milliseconds and megabytes of one loss, forward and backward."""
    loss = (allrank_losses() if who == "allRank" else plackett_losses())[name]
    scores, labels = loss_inputs()

    def once() -> None:
        scores.grad = None
        loss(scores, labels).backward()

    # A small call first: what is loaded or compiled once is not the loss's memory.
    loss(scores[:2, :8], labels[:2, :8]).backward()
    megabytes = peak_megabytes(once)
    return {"ms": 1000 * timed(once, repeats), "MB": megabytes}


def plackett_epochs(network: str, kind: str, count: int) -> Callable[[], object]:
    """One epoch of plackett's trainer."""
    import torch

    from plackett import RankingDataset
    from plackett.rankers.neural import MLP, SelfAttention
    from plackett.rankers.neural.batches import Lists
    from plackett.rankers.neural.inputs import fit_inputs
    from plackett.rankers.neural.training import train

    made = lists(kind, count)
    queries = np.repeat(np.arange(count), [len(y) for _, y in made])
    data = RankingDataset(
        np.concatenate([X for X, _ in made]), np.concatenate([y for _, y in made]), qid=queries
    )
    hidden, blocks = NETWORKS[network]
    common: dict[str, Any] = {"loss": "ListNet", "epochs": 1, "transform": "none", "dropout": 0.1}
    common |= {"clip_gradient": None, "schedule": "constant"}
    ranker: Any = (
        MLP(hidden=tuple(hidden), **common)
        if not blocks
        else SelfAttention(hidden=tuple(hidden), blocks=blocks, heads=2, feed_forward=256, **common)
    )
    inputs = fit_inputs(data.X, data.feature_names, kind="none")
    prepared = Lists(data, inputs, torch.device("cpu"))
    module = ranker._fresh_network(inputs, 1)

    def once() -> object:
        settings = ranker._settings()
        return train(module, prepared, ranker._step_loss, settings, identity="", evaluate=None)

    return once


def allrank_epochs(network: str, kind: str, count: int) -> Callable[[], object]:
    """One epoch of allRank's network and loss over torch's data loader, as its trainer does it."""
    _stand_in()
    import torch
    from allrank.config import TransformerConfig
    from allrank.models.losses import listNet
    from allrank.models.model import make_model
    from torch.utils.data import DataLoader, TensorDataset

    made = lists(kind, count)
    longest = max(len(y) for _, y in made)
    X = np.zeros((count, longest, FEATURES), dtype=np.float32)
    y = np.full((count, longest), -1.0, dtype=np.float32)
    indices = np.full((count, longest), -1, dtype=np.int64)
    for i, (rows, grades) in enumerate(made):
        X[i, : len(grades)], y[i, : len(grades)] = rows, grades
        indices[i, : len(grades)] = np.arange(len(grades))
    hidden, blocks = NETWORKS[network]
    first = {"sizes": list(hidden), "input_norm": False, "activation": "ReLU", "dropout": 0.1}
    encoder = TransformerConfig(N=blocks, d_ff=256, h=2, positional_encoding=None, dropout=0.1)
    model = make_model(
        first, encoder if blocks else None, {"d_output": 1, "output_activation": None}, FEATURES
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    tensors = [torch.from_numpy(array) for array in (X, y, indices)]
    loader = DataLoader(TensorDataset(*tensors), batch_size=LISTS, shuffle=True)

    def once() -> None:
        model.train()
        for rows, grades, order in loader:
            mask = grades == -1
            loss = listNet(model(rows, mask, order), grades)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()

    return once


def child(arguments: argparse.Namespace) -> None:
    """One measurement in this process; prints JSON."""
    import torch

    torch.set_num_threads(arguments.threads)
    who, what, name, kind = arguments.child
    if what == "loss":
        print(json.dumps(time_loss(who, name, arguments.repeats)))
        return
    make = allrank_epochs if who == "allRank" else plackett_epochs
    count = 320 if arguments.small else 1280
    print(json.dumps({"s": timed(make(name, kind, count), arguments.repeats)}))


def measured(arguments: argparse.Namespace, who: str, what: str, name: str, kind: str) -> Any:
    """What a process of its own finds."""
    python = str(PEER) if who == "allRank" else sys.executable
    command = [python, __file__, "--child", who, what, name, kind]
    command += ["--repeats", str(arguments.repeats), "--threads", str(arguments.threads)]
    command += ["--small"] if arguments.small else []
    environment = {**os.environ, "OMP_NUM_THREADS": str(arguments.threads)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        raise SystemExit(f"{who} {what} {name}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description="Training speed beside allRank")
    parser.add_argument("--setup", action="store_true")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.setup:
        subprocess.run([sys.executable, "-m", "venv", str(PEER.parents[1])], check=True)
        pip = [str(PEER), "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, *PACKAGES], check=True)
        subprocess.run([*pip, "--no-deps", "allRank==1.4.3"], check=True)
        return
    if arguments.child:
        child(arguments)
        return
    report: dict[str, Any] = {"losses": {}, "epochs": {}, "threads": arguments.threads}
    print(f"{'loss, 64 x 240':<16}{'plackett ms':>12}{'allRank ms':>12}{'ratio':>7}", end="")
    print(f"{'plackett MB':>13}{'allRank MB':>12}")
    for name in OURS:
        ours = measured(arguments, "plackett", "loss", name, "-")
        theirs = measured(arguments, "allRank", "loss", name, "-")
        report["losses"][name] = {"plackett": ours, "allRank": theirs}
        print(f"{name:<16}{ours['ms']:>12.2f}{theirs['ms']:>12.2f}", end="")
        print(f"{theirs['ms'] / ours['ms']:>7.1f}{ours['MB']:>13.1f}{theirs['MB']:>12.1f}")
    print(f"\n{'epoch':<20}{'plackett s':>12}{'allRank s':>12}{'ratio':>7}")
    for network in NETWORKS:
        for kind in ("uneven", "even"):
            ours = measured(arguments, "plackett", "epoch", network, kind)["s"]
            theirs = measured(arguments, "allRank", "epoch", network, kind)["s"]
            report["epochs"][f"{network}, {kind}"] = {"plackett": ours, "allRank": theirs}
            print(f"{network + ', ' + kind:<20}{ours:>12.3f}{theirs:>12.3f}{theirs / ours:>7.1f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
