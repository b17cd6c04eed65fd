"""What a trained fold relies on, what its features are worth, and one order explained."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from plackett.data.dataset import RankingDataset
from plackett.errors import ConfigurationError
from plackett.rankers import Ranker
from plackett.rankers.ablation import feature_ablation

__all__ = ["Explained", "explain_fold", "join_explained"]

FILE = "explained.json"
MOST_QUERIES = 200


class Explained(NamedTuple):
    """A ranker explained, over its folds.

    Attributes
    ----------
    reliance : the share of each feature in the ranker's own measure of importance.
    worth : how far `measure` falls on held-out queries when the feature's values are shuffled.
    measure : the ranker's own.
    example : why one document stands above the next, as text; empty where the ranker has no such
        parts.
    """

    reliance: dict[str, float]
    worth: dict[str, float]
    measure: str
    example: str


def explain_fold(model: Ranker, test: RankingDataset, folder: Path) -> None:
    """Write what `join_explained` reads; `test` is what the model has not seen.

    At most 200 queries are looked at.
    """
    some = test.select_queries(list(test.query_ids)[:MOST_QUERIES])
    importance = {name: abs(float(value)) for name, value in model.importance().items()}
    whole = sum(importance.values()) or 1.0
    ablation = feature_ablation(model, some, repeats=1)
    found = Explained(
        {name: value / whole for name, value in importance.items()},
        {worth.feature: worth.loss for worth in ablation.features},
        ablation.measure,
        _example(model, some),
    )
    text = json.dumps(found._asdict(), ensure_ascii=False)
    (folder / FILE).write_text(text, encoding="utf-8")


def _example(model: Ranker, test: RankingDataset) -> str:
    """The first query's two best documents; empty where it cannot be said."""
    rows = test.rows_of(test.query_ids[0])
    if len(rows) < 2:
        return ""
    best = rows[np.argsort(-model.predict(test)[rows], kind="stable")[:2]]
    try:
        why = model.explain(test, test.query_ids[0], above=int(best[0]), below=int(best[1]))
    except ConfigurationError:  # a ranker whose scores are no sums of parts
        return ""
    return str(why)


def join_explained(folders: Sequence[Path]) -> Explained:
    """The means over folds, largest first, and the first fold's example."""
    parts = [json.loads((folder / FILE).read_text(encoding="utf-8")) for folder in folders]
    return Explained(
        _mean([part["reliance"] for part in parts]),
        _mean([part["worth"] for part in parts]),
        str(parts[0]["measure"]),
        str(parts[0]["example"]),
    )


def _mean(parts: list[dict[str, float]]) -> dict[str, float]:
    mean = {name: sum(part[name] for part in parts) / len(parts) for name in parts[0]}
    return dict(sorted(mean.items(), key=lambda item: -item[1]))
