"""The formulas of run fusion, on matrices of a row a run and a column a document."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np

from plackett.fusion.borda import borda
from plackett.fusion.kemeny import kemeny_order
from plackett.fusion.majority import condorcet_fuse, schulze
from plackett.fusion.markov_chains import ChainVariant, markov_chain
from plackett.fusion.pair_aggregation import copeland
from plackett.fusion.preferences import Floats, preferences

__all__ = ["ORDER_METHODS", "RANK_METHODS", "SCORE_METHODS", "UNWEIGHTED", "RankConstants"]


class RankConstants(NamedTuple):
    """What the formulas over ranks hold beside ranks and weights."""

    k: float
    sigma: float
    persistence: float


RankMethod: TypeAlias = Callable[[Floats, Floats, RankConstants], Floats]
"""From ranks `[runs, pairs]` (NaN: absent), weights `[runs]` and constants to scores `[pairs]`."""
ScoreMethod: TypeAlias = Callable[[Floats, Floats, Floats, float], Floats]
"""From scores `[runs, pairs]`, weights, how many runs have each pair, and gamma to scores."""
OrderMethod: TypeAlias = Callable[[Floats, Floats], Floats]
"""From the scores of one query `[runs, documents]` and weights to scores `[documents]`."""


def _total(parts: Floats) -> Floats:
    """Sums over the runs, smallest part first: the order of the runs changes no digit of them."""
    return np.asarray(np.nansum(np.sort(parts, axis=0), axis=0))


def _rrf(ranks: Floats, weights: Floats, constants: RankConstants) -> Floats:
    return _total(weights[:, None] / (constants.k + ranks))


def _isr(ranks: Floats, weights: Floats, constants: RankConstants) -> Floats:
    return np.asarray((~np.isnan(ranks)).sum(axis=0) * _total(weights[:, None] / ranks**2))


def _log_isr(ranks: Floats, weights: Floats, constants: RankConstants) -> Floats:
    counts = (~np.isnan(ranks)).sum(axis=0)
    return np.asarray(np.log(counts + constants.sigma) * _total(weights[:, None] / ranks**2))


def _rbc(ranks: Floats, weights: Floats, constants: RankConstants) -> Floats:
    stop = 1.0 - constants.persistence
    return _total(weights[:, None] * stop * constants.persistence ** (ranks - 1.0))


def _comb_sum(values: Floats, weights: Floats, counts: Floats, gamma: float) -> Floats:
    return _total(weights[:, None] * values)


def _comb_mnz(values: Floats, weights: Floats, counts: Floats, gamma: float) -> Floats:
    return np.asarray(counts * _total(weights[:, None] * values))


def _gmnz(values: Floats, weights: Floats, counts: Floats, gamma: float) -> Floats:
    return np.asarray(counts**gamma * _total(weights[:, None] * values))


def _comb_anz(values: Floats, weights: Floats, counts: Floats, gamma: float) -> Floats:
    having = _total(np.where(np.isnan(values), np.nan, weights[:, None]))
    total = _total(weights[:, None] * values)
    # Only runs of weight 0 have it: nothing speaks for it, and it goes below all others.
    least = np.nanmin(values, initial=0.0)
    return np.where(having > 0, total / np.where(having > 0, having, 1.0), least)


def _comb_min(values: Floats, weights: Floats, counts: Floats, gamma: float) -> Floats:
    return np.asarray(np.nanmin(values, axis=0))


def _comb_max(values: Floats, weights: Floats, counts: Floats, gamma: float) -> Floats:
    return np.asarray(np.nanmax(values, axis=0))


def _comb_med(values: Floats, weights: Floats, counts: Floats, gamma: float) -> Floats:
    return np.asarray(np.nanmedian(values, axis=0))


def _votes(scores: Floats, weights: Floats) -> Floats:
    """The weight that prefers each document to each: what a run lacks is below what it has."""
    has_list = ~np.isnan(scores).all(axis=1)
    lowest = np.nanmin(scores[has_list], axis=1, keepdims=True) - 1.0
    ballots = np.where(np.isnan(scores[has_list]), lowest, scores[has_list])
    return preferences(ballots, weights[has_list])


def _places(order: Floats) -> Floats:
    """Points n to 1 for an order of documents."""
    points = np.empty(len(order))
    points[order.astype(np.int64)] = np.arange(len(order), 0, -1)
    return points


def _condorcet(scores: Floats, weights: Floats) -> Floats:
    return _places(condorcet_fuse(_votes(scores, weights)).astype(np.float64))


def _kemeny(scores: Floats, weights: Floats) -> Floats:
    return _places(kemeny_order(_votes(scores, weights)).order.astype(np.float64))


def _chain(variant: ChainVariant) -> OrderMethod:
    def points(scores: Floats, weights: Floats) -> Floats:
        # Rounding: documents that the chain treats alike come out equal to 1e-15 only.
        return np.round(markov_chain(scores, variant, weights), 12)

    return points


def _borda(scores: Floats, weights: Floats) -> Floats:
    has_list = ~np.isnan(scores).all(axis=1)
    return np.round(borda(scores[has_list], weights[has_list]), 9)


RANK_METHODS: dict[str, RankMethod] = {
    "rrf": _rrf,
    "isr": _isr,
    "log_isr": _log_isr,
    "rbc": _rbc,
}
SCORE_METHODS: dict[str, ScoreMethod] = {
    "comb_sum": _comb_sum,
    "comb_mnz": _comb_mnz,
    "gmnz": _gmnz,
    "comb_anz": _comb_anz,
    "comb_min": _comb_min,
    "comb_max": _comb_max,
    "comb_med": _comb_med,
}
UNWEIGHTED = ("comb_min", "comb_max", "comb_med")
ORDER_METHODS: dict[str, OrderMethod] = {
    "borda": _borda,
    "condorcet": _condorcet,
    "copeland": lambda scores, weights: copeland(_votes(scores, weights)),
    "schulze": lambda scores, weights: schulze(_votes(scores, weights)),
    "kemeny": _kemeny,
    "mc1": _chain("MC1"),
    "mc2": _chain("MC2"),
    "mc3": _chain("MC3"),
    "mc4": _chain("MC4"),
}
