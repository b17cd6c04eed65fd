"""The page of an experiment: the comparison's report, and how it was made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plackett.experiment.config import ExperimentConfig
from plackett.metrics import Comparison
from plackett.metrics.report import html
from plackett.metrics.report.svg import escape

__all__ = ["render"]

FEATURES_SHOWN = 10


def render(config: ExperimentConfig, comparison: Comparison, manifest: Mapping[str, Any]) -> str:
    """One self-contained HTML page."""
    body = _systems(config) + _times(manifest) + _sources(manifest)
    sections = [
        html.Section("What the rankers rely on", _reliance(manifest.get("reliance", {}))),
        html.Section("How it was made", body),
    ]
    return html.render(comparison, title=config.title, sections=sections)


def _systems(config: ExperimentConfig) -> str:
    first = config.retrieve
    found = (
        f"BM25, {first.variant}, k1={first.k1:g}, b={first.b:g}, analyzer "
        f"{config.index.analyzer}, {first.k} documents a query"
    )
    rows = [[escape(first.name), "first stage", escape(found)]]
    for ranker in config.rankers:
        shown = ", ".join(f"{name}={value!r}" for name, value in ranker.parameters.items())
        rows.append([escape(ranker.name), escape(ranker.kind), escape(shown or "defaults")])
    rows += [[escape(part.name), "pipeline", escape(part.stages)] for part in config.pipelines]
    folds = config.folds
    stopping = (
        f"; {folds.validation:.0%} of the training queries decide when to stop"
        if folds.validation > 0
        else ""
    )
    note = (
        f"<p>Learned rankers re-rank the first stage's documents. They are cross-validated over "
        f"queries: {folds.k} folds, seed {folds.seed}; each query is ranked by a model that never "
        f"saw it{stopping}.</p>"
        if config.rankers
        else ""
    )
    header = ["system", "kind", "parameters"]
    return note + html.table(header, rows, caption="Systems", left=3, texts=(2,))


def _reliance(found: Mapping[str, Mapping[str, float]]) -> str:
    """Each ranker's most important features, with their shares."""
    if not found:
        return ""
    note = (
        "<p>Shares of each ranker's own measure of importance (for trees the gain of the splits on "
        "a feature, for linear rankers the size of its weight), the mean over the folds' models. "
        "They say what a model uses, not what would be lost without it: for that, see "
        "<code>plackett explain MODEL ROWS --ablation nDCG@10</code>.</p>"
    )
    columns = [list(shares.items())[:FEATURES_SHOWN] for shares in found.values()]
    rows = [
        [str(place + 1), *(_shared(column, place) for column in columns)]
        for place in range(max(map(len, columns)))
    ]
    return note + html.table(["", *map(escape, found)], rows, left=len(found) + 1)


def _shared(column: list[tuple[str, float]], place: int) -> str:
    if place >= len(column):
        return ""
    name, share = column[place]
    return f"{escape(name)} {100 * share:.0f} %"


def _times(manifest: Mapping[str, Any]) -> str:
    rows = [
        [escape(step["label"]), "earlier" if step["kept"] else "now", f"{step['seconds']:.2f}"]
        for step in manifest["steps"]
    ]
    rows.append(["this run in total", "now", f"{manifest['seconds_in_total']:.2f}"])
    header = ["step", "done", "seconds"]
    return html.table(header, rows, caption="Wall-clock time", left=2)


def _sources(manifest: Mapping[str, Any]) -> str:
    rows = [[escape(name), f"sha256 {value}"] for name, value in manifest["data_sha256"].items()]
    rows += [[escape(name), escape(value)] for name, value in manifest["libraries"].items()]
    rows += [[name, escape(manifest[name])] for name in ("plackett", "python", "platform")]
    return html.table(
        ["made from", "version"], rows, caption="Data and software", left=2, texts=(1,)
    )
