"""Which fusion of some runs is best, told by judgments it was not chosen on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Literal

import numpy as np

from plackett.data.qrels import Qrels
from plackett.data.run import Run
from plackett.data.splits import fold_of_groups
from plackett.errors import ConfigurationError, DataError
from plackett.fusion.preferences import Floats
from plackett.fusion.run_blocks import end_to_end
from plackett.fusion.run_fusion import Fusion
from plackett.fusion.run_methods import SCORE_METHODS, UNWEIGHTED
from plackett.fusion.run_normalisation import Normalisation
from plackett.metrics.evaluation import evaluate

__all__ = ["TunedFusion", "fusion_grid", "tune_fusion"]


@dataclass(frozen=True, eq=False)
class TunedFusion:
    """The fusion that was chosen, and what to expect of it.

    Attributes
    ----------
    fusion : the best on all judged queries; `tuned.fusion(runs)` fuses.
    measure : by which it was chosen.
    held_out : the mean of the measure over the queries, each fused as chosen without its fold: what
        new queries can expect.
    on_all : the mean of `fusion` on the queries that chose it, which flatters it.
    chosen : the fusion of each fold.
    folds : the fold of each judged query, from 0.
    candidates, means : all that were tried, and the mean of each on all queries, `float64[c]`.
    """

    fusion: Fusion
    measure: str
    held_out: float
    on_all: float
    chosen: tuple[Fusion, ...]
    folds: Mapping[str, int]
    candidates: tuple[Fusion, ...]
    means: Floats

    def held_out_run(self, runs: Sequence[Run]) -> Run:
        """The run whose mean is `held_out`: each judged query is fused as chosen without its fold.

        Queries that the judgments lack chose nothing: `fusion` fuses them.

        Parameters
        ----------
        runs : those that were tuned on, in the same order.
        """
        whole = self.fusion(runs)
        asked = whole.query_names
        parts = [whole.select([query for query in asked if query not in self.folds])]
        for number, fusion in enumerate(self.chosen):
            own = [query for query in asked if self.folds.get(query) == number]
            parts.append(fusion(runs).select(own))
        return end_to_end(parts).select(asked).replace(name=f"tuned {whole.name}")


def fusion_grid(
    runs: int,
    *,
    methods: Sequence[str] = ("rrf", "comb_sum", "comb_mnz"),
    normalisations: Sequence[Normalisation] = ("min_max", "z_score"),
    ks: Sequence[float] = (10.0, 60.0),
    steps: int = 4,
    depth: int | None = None,
) -> list[Fusion]:
    """All fusions of some methods, normalisations and weights.

    Parameters
    ----------
    runs : how many runs are fused.
    methods, normalisations : their product; a normalisation only where the method takes it.
    ks : of rrf.
    steps : weights are multiples of 1 / steps that sum to 1, runs of weight 0 included; 0 for equal
        weights only. There are (steps + runs - 1)! / (steps! (runs - 1)!) of them.
    depth : of all.

    >>> len(fusion_grid(2, methods=["rrf"], ks=[60.0], steps=4))
    5
    """
    if runs < 1 or steps < 0:
        raise ConfigurationError(f"runs={runs}, steps={steps}; expected runs from 1, steps from 0.")
    shares: list[tuple[float, ...] | None] = [None]
    if steps:
        # Bars between stars: where runs - 1 bars stand among steps + runs - 1 places.
        shares = []
        for bars in combinations(range(steps + runs - 1), runs - 1):
            edges = (-1, *bars, steps + runs - 1)
            shares.append(tuple((right - left - 1) / steps for left, right in pairwise(edges)))
    found: list[Fusion] = []
    for method in methods:
        scales: Sequence[Normalisation | Literal["depth"] | None] = [None]
        if method in SCORE_METHODS:
            scales = normalisations
        weights = [None] if method in UNWEIGHTED else shares
        for scale in scales:
            if method in ("comb_mnz", "gmnz") and scale in ("none", "z_score", "logit"):
                continue
            found += [
                Fusion(method, scale, share, k=k, depth=depth)
                for share in weights
                for k in (ks if method == "rrf" else (60.0,))
            ]
    return found


def tune_fusion(
    runs: Sequence[Run],
    qrels: Qrels,
    measure: str = "nDCG@10",
    *,
    candidates: Sequence[Fusion] | None = None,
    folds: int = 5,
    seed: int = 0,
) -> TunedFusion:
    """The best fusion of some runs by a measure, by cross-validation over the judged queries.

    Every candidate fuses all runs once. In each fold the candidate with the best mean over the
    other folds' queries is chosen, the earliest of equal ones, and scored on the fold's own.

    Parameters
    ----------
    runs : to be fused.
    qrels : judgments.
    measure : one, such as "nDCG@10".
    candidates : by default `fusion_grid(len(runs))`.
    folds : at most as many as there are judged queries.
    seed : of the folds.

    Raises
    ------
    DataError : no runs, or fewer judged queries than folds. ConfigurationError : no candidates.

    >>> runs = [Run.from_dict({q: {"a": 2.0, "b": 1.0} for q in "xy"}),
    ...         Run.from_dict({q: {"b": 2.0, "a": 1.0} for q in "xy"})]
    >>> qrels = Qrels.from_dict({q: {"b": 1} for q in "xy"})
    >>> tuned = tune_fusion(runs, qrels, "RR", folds=2)
    >>> tuned.held_out, tuned.fusion.weights[1] > 0.5
    (1.0, True)
    """
    if len(runs) == 0:
        raise DataError("no runs", expected="at least one")
    tried = fusion_grid(len(runs)) if candidates is None else list(candidates)
    if not tried:
        raise ConfigurationError("no candidates to choose from.")
    evaluations = [evaluate(fusion(runs), qrels, measure) for fusion in tried]
    values = np.stack([evaluation.values[0] for evaluation in evaluations])
    fold = fold_of_groups(np.ones(values.shape[1]), folds, seed)
    # Means that differ by rounding only are equal: the earlier candidate stands.
    picks = [int(np.round(values[:, fold != f].mean(axis=1), 12).argmax()) for f in range(folds)]
    held_out = float(np.concatenate([values[picks[f], fold == f] for f in range(folds)]).mean())
    means = values.mean(axis=1)
    best = int(np.round(means, 12).argmax())
    return TunedFusion(
        tried[best],
        measure,
        held_out,
        float(means[best]),
        tuple(tried[pick] for pick in picks),
        dict(zip(evaluations[0].query_ids, fold.tolist(), strict=True)),
        tuple(tried),
        means,
    )
