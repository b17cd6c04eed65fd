"""Rank aggregation: one order from many, and labels from noisy rankers."""

from plackett.fusion.kemeny import KemenyOrder, kemeny, kemeny_cost, kemeny_order
from plackett.fusion.kendall import KendallPairs, kendall_distance, kendall_pairs
from plackett.fusion.label_model import RankingLabelModel
from plackett.fusion.mallows import (
    Mallows,
    agreement_by_gap,
    expected_distance,
    fit_mallows,
    log_normaliser,
    sample_mallows,
    theta_of_distance,
)
from plackett.fusion.preferences import pair_signs, preferences, scores_of_rankings
from plackett.fusion.weak_labels import weak_labels

__all__ = [
    "KemenyOrder",
    "KendallPairs",
    "Mallows",
    "RankingLabelModel",
    "agreement_by_gap",
    "expected_distance",
    "fit_mallows",
    "kemeny",
    "kemeny_cost",
    "kemeny_order",
    "kendall_distance",
    "kendall_pairs",
    "log_normaliser",
    "pair_signs",
    "preferences",
    "sample_mallows",
    "scores_of_rankings",
    "theta_of_distance",
    "weak_labels",
]
