"""Draw what each loss does to a small list: docs/assets/loss-gradients.svg.

    python scripts/loss_plots.py

One panel a loss: the direction in which it moves the score of each document. The same code gives
the same bytes.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from plackett.errors import DataError
from plackett.losses.base import Loss
from plackett.losses.registry import get, names, parse_loss

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "assets" / "loss-gradients.svg"

SCORES = (2.0, 1.0, 0.5, -1.0)
GRADES = (1, 3, 0, 2)
# Readable on white and on black.
INK, UP, DOWN = "#7d8590", "#3b8eea", "#d9730d"
COLUMNS = 6

SHOWN = {
    "AnyLoss": "AnyLoss(amplification=5.0)",
    "Approx": "Approx(ERR@10)",
    "Gumbel": "Gumbel(ApproxNDCG(), samples=64)",
    "MultiObjective": "MultiObjective((RankNet(), SquaredError()))",
    "NeuralSort": "NeuralSort(ERR@10)",
    "Ordinal": "Ordinal(thresholds=(-1.0, 0.0, 1.0))",
    "PLRank": "PLRank(nDCG@10, samples=1000)",
    "Pairwise": "Pairwise(Hinge(), LabelDifference())",
    "PolicyGradient": "PolicyGradient(RR@10, samples=1000)",
}
"""Losses that need a parameter, or more samples than for training, to be drawn."""

LEFT_OUT = {
    "ContextualSimilarity": "it is of similarities of pairs",
    "Reweighted": "of one list it is the loss itself",
}


def movement(loss: Loss) -> list[float]:
    """Minus the gradient by the scores of the list, in units of its largest entry."""
    scores = torch.tensor(SCORES, dtype=torch.float64, requires_grad=True)
    grades = torch.tensor(GRADES)
    try:
        value = loss(scores, grades)
    except DataError:  # labels of two classes
        value = loss(scores, (grades >= 2).long())
    (gradient,) = torch.autograd.grad(value, scores)
    largest = float(gradient.abs().max())
    return [-entry / largest for entry in gradient.tolist()] if largest else [0.0] * len(SCORES)


def draw(axes: Axes, title: str, heights: list[float], labelled: bool) -> None:
    """One panel: a bar a document, up where its score rises."""
    axes.bar(range(len(heights)), heights, color=[UP if height > 0 else DOWN for height in heights])
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.set_ylim(-1.15, 1.15)
    axes.set_yticks([])
    axes.set_title(title, fontsize=9, color=INK)
    axes.set_xticks(range(len(heights)))
    axes.set_xticklabels([str(grade) for grade in GRADES], fontsize=8, color=INK)
    axes.tick_params(length=0)
    if labelled:
        axes.set_xlabel("grade", fontsize=8, color=INK)
    for spine in axes.spines.values():
        spine.set_visible(False)


def picture(path: Path) -> None:
    """Draw all losses to an SVG file."""
    shown = [name for name in names() if name not in LEFT_OUT]
    rows = -(-len(shown) // COLUMNS)
    figure = Figure(figsize=(11, 1.45 * rows))
    panels = list(figure.subplots(rows, COLUMNS, squeeze=False).flat)
    for place, (axes, name) in enumerate(zip(panels, shown, strict=False)):
        loss = parse_loss(SHOWN[name]) if name in SHOWN else get(name)()
        draw(axes, name, movement(loss), labelled=place + COLUMNS >= len(shown))
    for axes in panels[len(shown) :]:
        axes.set_visible(False)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context({"svg.hashsalt": "plackett", "svg.fonttype": "none"}):
        figure.savefig(path, format="svg", transparent=True, metadata={"Date": None})


if __name__ == "__main__":
    torch.set_num_threads(1)
    picture(PICTURE)
