"""The page of an experiment: the comparison's report, and how it was made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plackett.experiment.config import ExperimentConfig
from plackett.metrics import Comparison
from plackett.metrics.report import html
from plackett.metrics.report.svg import escape

__all__ = ["render"]


def render(config: ExperimentConfig, comparison: Comparison, manifest: Mapping[str, Any]) -> str:
    """One self-contained HTML page."""
    return html.render(
        comparison,
        title=config.title,
        sections=[html.Section("How it was made", _systems(config) + _times(manifest))],
    )


def _systems(config: ExperimentConfig) -> str:
    first = config.retrieve
    rows = [
        [
            escape(first.name),
            "first stage",
            escape(
                f"BM25, {first.variant}, k1={first.k1:g}, b={first.b:g}, analyzer "
                f"{config.index.analyzer}, {first.k} documents a query"
            ),
        ]
    ]
    for ranker in config.rankers:
        shown = ", ".join(f"{name}={value!r}" for name, value in ranker.parameters.items())
        rows.append([escape(ranker.name), escape(ranker.kind), escape(shown or "defaults")])
    folds = config.folds
    note = (
        f"<p>Learned rankers re-rank the first stage's documents. They are cross-validated over "
        f"queries: {folds.k} folds, seed {folds.seed}; each query is ranked by a model that never "
        f"saw it, and {folds.validation:.0%} of the training queries decide when to stop.</p>"
        if config.rankers
        else ""
    )
    header = ["system", "kind", "parameters"]
    return note + html.table(header, rows, caption="Systems", left=3, texts=(2,))


def _times(manifest: Mapping[str, Any]) -> str:
    rows = [[escape(label), f"{seconds:.2f}"] for label, seconds in manifest["seconds"].items()]
    if not rows:
        return "<p>Every step was kept from an earlier run.</p>"
    rows.append(["in total", f"{manifest['seconds_in_total']:.2f}"])
    return html.table(["step", "seconds"], rows, caption="Wall-clock time of the steps done now")
