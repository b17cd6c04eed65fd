"""The page of an experiment: the comparison's report, and how it was made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from plackett.experiment.config import ExperimentConfig
from plackett.experiment.fusing import said_fusion
from plackett.experiment.sections import FusionConfig, RetrieveConfig
from plackett.metrics import Comparison
from plackett.metrics.report import html
from plackett.metrics.report.svg import escape

__all__ = ["render"]

FEATURES_SHOWN = 10


def render(config: ExperimentConfig, comparison: Comparison, manifest: Mapping[str, Any]) -> str:
    """One self-contained HTML page."""
    body = _systems(config, manifest) + _times(manifest) + _sources(manifest)
    sections = [
        html.Section("What the rankers rely on", _explained(manifest.get("explained", {}))),
        html.Section("How it was made", body),
    ]
    return html.render(comparison, title=config.title, sections=sections)


def _systems(config: ExperimentConfig, manifest: Mapping[str, Any]) -> str:
    rows = []
    for first in config.retrieve:
        found = _vectors(first, manifest) if first.of_vectors else _words(config, first)
        said = f"{found}, {first.k} documents a query"
        rows.append([escape(first.name), "first stage", escape(said)])
    rows += [
        [escape(fusion.name), "fusion", escape(_fusion(fusion, manifest))]
        for fusion in config.fusions
    ]
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
        f"<p>Learned rankers re-rank the documents of {escape(config.candidates)}. They "
        f"are cross-validated over queries: {folds.k} folds, seed {folds.seed}; each query is "
        f"ranked by a model that never saw it{stopping}.</p>"
        if config.rankers
        else ""
    )
    header = ["system", "kind", "parameters"]
    return note + html.table(header, rows, caption="Systems", left=3, texts=(2,))


def _words(config: ExperimentConfig, first: RetrieveConfig) -> str:
    if first.index is not None:
        return f"BM25 over the living index {first.index}"
    return (
        f"BM25, {first.variant}, k1={first.k1:g}, b={first.b:g}, analyzer {config.index.analyzer}"
    )


def _vectors(first: RetrieveConfig, manifest: Mapping[str, Any]) -> str:
    """What an index of vectors is made with; texts that were not read to the end are named."""
    facts = manifest["first_stages"][first.name]
    said = f"{first.kind}, {first.encoder}, {first.structure or 'compared with all'}"
    cut = facts["truncated"]
    return f"{said}, {cut:,} of {facts['documents']:,} texts cut short" if cut else said


def _fusion(wanted: FusionConfig, manifest: Mapping[str, Any]) -> str:
    names = ", ".join(wanted.of)
    if not wanted.tuned:
        return f"{said_fusion(wanted.fusion())} of {names}, {wanted.k} documents a query"
    choice = manifest["fusions"][wanted.name]
    return (
        f"{choice['chosen']} of {names}, {wanted.k} documents a query; chosen by "
        f"{choice['measure']}, for each query on those of the other folds"
    )


def _explained(found: Mapping[str, Mapping[str, Any]]) -> str:
    """What each ranker relies on, what features are worth to it, and an order explained."""
    if not found:
        return ""
    reliance = (
        "<p>Shares of each ranker's own measure of importance (for trees the gain of the splits on "
        "a feature, for linear rankers the size of its weight), the mean over the folds' models. "
        "They say what a model uses, not what would be lost without it.</p>"
    )
    measures = sorted({str(part["measure"]) for part in found.values()})
    worth = (
        f"<p>What would be lost: how far the mean {escape(', '.join(measures))} of held-out "
        "queries falls when a feature's values are shuffled among all rows. A feature whose "
        "content another one has as well loses little.</p>"
    )
    examples = "".join(
        f"<h3>Why this order? {escape(name)}, one query</h3><pre>{escape(part['example'])}</pre>"
        for name, part in found.items()
        if part["example"]
    )
    return "".join(
        [
            reliance,
            _columns(found, "reliance", lambda share: f"{100 * share:.0f} %"),
            worth,
            _columns(found, "worth", lambda loss: f"{-loss:+.4f}".replace("-", "−")),
            examples,
        ]
    )


def _columns(
    found: Mapping[str, Mapping[str, Any]], what: str, shown: Callable[[float], str]
) -> str:
    """A column a ranker: its first features, each with its number."""
    columns = [list(part[what].items())[:FEATURES_SHOWN] for part in found.values()]
    rows = [
        [
            str(place + 1),
            *(
                f"{escape(column[place][0])} {shown(column[place][1])}"
                if place < len(column)
                else ""
                for column in columns
            ),
        ]
        for place in range(max(map(len, columns)))
    ]
    return html.table(["", *map(escape, found)], rows, left=len(found) + 1)


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
