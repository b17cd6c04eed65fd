"""Draw what a strategy buys: docs/assets/simulator-*.svg, one picture a family.

    python scripts/simulator_plots.py benchmarks/results/rerankers_simulation.json

Left, nDCG@10 by the number of calls as more of each list is re-ranked, with a judge that is wrong
about one pair in ten; right, by how often the judge is wrong, at the greatest depth. The figures
are those of `benchmarks/rerankers_simulation.py`; the same figures give the same bytes.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from plackett.rerankers import Simulation, SimulationRow

ASSETS = Path(__file__).resolve().parents[1] / "docs" / "assets"
FAMILIES = {
    "pointwise": ("upr", "yes-no", "e-rank", "pro-rank", "rebel"),
    "pairwise": ("prp", "sparse-pairs", "swiss", "knock-out"),
    "listwise": (
        "rank-gpt",
        "first",
        "setwise",
        "rank-r1",
        "group-rank",
        "tour-rank",
        "joint-rank",
        "icr",
    ),
}
# Readable on white and on black.
INK = "#7d8590"
COLOURS = (
    "#3b8eea", "#d9730d", "#2da44e", "#a475f9", "#e5534b", "#c69026", "#1b9e9e", "#d670c0",
)  # fmt: skip
SIGNS = "osD^vP*X"


def draw(axes: Axes, series: dict[str, list[tuple[float, float]]], across: str) -> None:
    """One panel: a line a strategy."""
    for place, (name, points) in enumerate(series.items()):
        horizontal, vertical = zip(*sorted(points), strict=True)
        axes.plot(
            horizontal,
            vertical,
            marker=SIGNS[place],
            markersize=4,
            linewidth=1.3,
            color=COLOURS[place],
            label=name,
        )
    axes.set_xlabel(across, color=INK, fontsize=9)
    axes.tick_params(colors=INK, labelsize=8)
    axes.grid(visible=True, color=INK, alpha=0.2, linewidth=0.6)
    for spine in axes.spines.values():
        spine.set_color(INK)


def picture(rows: list[SimulationRow], names: tuple[str, ...], measure: str) -> Figure:
    """Both panels of a family."""
    deepest = max(row.depth for row in rows if row.depth is not None)
    figure = Figure(figsize=(9.0, 3.4))
    left, right = figure.subplots(1, 2, sharey=True)
    by_calls = {
        name: [(r.calls, r.quality) for r in rows if r.strategy == name and r.noise == 0.1]
        for name in names
    }
    by_noise = {
        name: [(r.noise, r.quality) for r in rows if r.strategy == name and r.depth == deepest]
        for name in names
    }
    draw(left, by_calls, "calls a query (one pair in ten judged wrongly)")
    left.set_xscale("log")
    left.set_ylabel(measure, color=INK, fontsize=9)
    draw(right, by_noise, f"share of pairs judged wrongly ({deepest} candidates)")
    right.set_xticks(sorted({row.noise for row in rows}))
    legend = right.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=8, frameon=False)
    for text in legend.get_texts():
        text.set_color(INK)
    figure.tight_layout()
    return figure


def main() -> None:
    """Draw the families of the figures in the file."""
    mpl.rcParams.update({"svg.hashsalt": "plackett", "svg.fonttype": "none"})
    simulation = Simulation.from_json(Path(sys.argv[1]).read_text(encoding="utf-8"))
    for family, names in FAMILIES.items():
        figure = picture(list(simulation.rows), names, str(simulation.measure))
        target = ASSETS / f"simulator-{family}.svg"
        figure.savefig(target, format="svg", transparent=True, metadata={"Date": None})


if __name__ == "__main__":
    main()
