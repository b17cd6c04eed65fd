"""Training a routing tree on pairs, with torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from plackett._optional import require

__all__ = ["trained"]

Floats = npt.NDArray[np.float32]


def trained(
    queries: Floats,
    documents: Floats,
    weights: Floats,
    biases: Floats,
    *,
    steps: int,
    batch: int,
    temperature: float,
    rate: float,
    seed: int,
) -> tuple[Floats, Floats]:
    """Weights and biases after InfoNCE on the negative total variation distance.

    The parameters are those of `LearnedTree.learn`; the arrays that are given stay as they are.
    """
    torch = require("torch", extra="neural", purpose="train a routing tree")
    rng = np.random.default_rng(seed)
    depth = len(biases).bit_length()
    split = torch.nn.Parameter(torch.tensor(weights))
    shift = torch.nn.Parameter(torch.tensor(biases))
    optimiser = torch.optim.Adam([split, shift], lr=rate)
    size = min(batch, len(queries))
    for step in range(steps):
        rows = np.sort(rng.choice(len(queries), size, replace=False))
        level = int(rng.integers(1, depth + 1))
        for group in optimiser.param_groups:
            group["lr"] = rate * (1 - step / steps)
        some, answers = (
            _distributions(torch, torch.from_numpy(values[rows]), split, shift, level)
            for values in (queries, documents)
        )
        distances = 0.5 * torch.cdist(some, answers, p=1)
        loss = torch.nn.functional.cross_entropy(
            -distances / temperature, torch.arange(len(rows), device=distances.device)
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return split.detach().numpy().copy(), shift.detach().numpy().copy()


def _distributions(torch: Any, vectors: Any, weights: Any, biases: Any, level: int) -> Any:
    """The probabilities of the nodes of a level, `[n, 2^level]`; sums of logarithms inside."""
    logits = vectors @ weights[: 2**level - 1].T + biases[: 2**level - 1]
    chances = torch.zeros(len(vectors), 1)
    for step in range(level):
        mine = logits[:, 2**step - 1 : 2 ** (step + 1) - 1]
        left = chances + torch.nn.functional.logsigmoid(mine)
        right = chances + torch.nn.functional.logsigmoid(-mine)
        chances = torch.stack([left, right], dim=2).flatten(1)
    return chances.exp()
