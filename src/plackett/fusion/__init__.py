"""Rank aggregation: one order or run from many, strengths, and labels from noisy rankers."""

from plackett.fusion.borda import borda, borda_order
from plackett.fusion.bradley_terry import (
    BradleyTerry,
    bradley_terry,
    bradley_terry_log_likelihood,
    bradley_terry_standard_errors,
)
from plackett.fusion.consistency import (
    Inconsistency,
    calibrated_preference,
    cyclic_triads,
    inconsistency,
)
from plackett.fusion.elo import elo, elo_of_strengths, elo_of_wins
from plackett.fusion.fusion_stage import Fusing
from plackett.fusion.fusion_text import parse_fusion
from plackett.fusion.fusion_tuning import TunedFusion, fusion_grid, tune_fusion
from plackett.fusion.kemeny import KemenyOrder, kemeny, kemeny_cost, kemeny_order
from plackett.fusion.kendall import KendallPairs, kendall_distance, kendall_pairs
from plackett.fusion.label_model import RankingLabelModel
from plackett.fusion.majority import (
    condorcet_components,
    condorcet_fuse,
    condorcet_winner,
    locally_sorted,
    schulze,
)
from plackett.fusion.mallows import (
    Mallows,
    agreement_by_gap,
    expected_distance,
    fit_mallows,
    log_normaliser,
    sample_mallows,
    theta_of_distance,
)
from plackett.fusion.markov_chains import (
    chain_of_rankings,
    eigenvector,
    markov_chain,
    pagerank,
    rank_centrality,
    stationary,
)
from plackett.fusion.pair_aggregation import (
    additive,
    aggregate,
    aggregator,
    aggregator_names,
    copeland,
    greedy,
    kwiksort,
    win_rate,
)
from plackett.fusion.pair_counts import is_strongly_connected, wins_of_pairs
from plackett.fusion.plackett_luce import PlackettLuce, plackett_luce, plackett_luce_log_likelihood
from plackett.fusion.preferences import pair_signs, preferences, scores_of_rankings
from plackett.fusion.run_fusion import Fusion, fuse, fusion_methods
from plackett.fusion.run_normalisation import mean_ranks, normalised
from plackett.fusion.weak_labels import weak_labels

__all__ = [
    "BradleyTerry",
    "Fusing",
    "Fusion",
    "Inconsistency",
    "KemenyOrder",
    "KendallPairs",
    "Mallows",
    "PlackettLuce",
    "RankingLabelModel",
    "TunedFusion",
    "additive",
    "aggregate",
    "aggregator",
    "aggregator_names",
    "agreement_by_gap",
    "borda",
    "borda_order",
    "bradley_terry",
    "bradley_terry_log_likelihood",
    "bradley_terry_standard_errors",
    "calibrated_preference",
    "chain_of_rankings",
    "condorcet_components",
    "condorcet_fuse",
    "condorcet_winner",
    "copeland",
    "cyclic_triads",
    "eigenvector",
    "elo",
    "elo_of_strengths",
    "elo_of_wins",
    "expected_distance",
    "fit_mallows",
    "fuse",
    "fusion_grid",
    "fusion_methods",
    "greedy",
    "inconsistency",
    "is_strongly_connected",
    "kemeny",
    "kemeny_cost",
    "kemeny_order",
    "kendall_distance",
    "kendall_pairs",
    "kwiksort",
    "locally_sorted",
    "log_normaliser",
    "markov_chain",
    "mean_ranks",
    "normalised",
    "pagerank",
    "pair_signs",
    "parse_fusion",
    "plackett_luce",
    "plackett_luce_log_likelihood",
    "preferences",
    "rank_centrality",
    "sample_mallows",
    "schulze",
    "scores_of_rankings",
    "stationary",
    "theta_of_distance",
    "tune_fusion",
    "weak_labels",
    "win_rate",
    "wins_of_pairs",
]
