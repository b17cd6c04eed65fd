"""How many documents to keep, and which: thresholds, predicted and guaranteed cutoffs, sets."""

from plackett.selection.base import Cutoff, JudgedList, Selector, cut, judged_lists
from plackett.selection.conformal import ConformalCutoff, hoeffding_bentkus
from plackett.selection.cutoff_prediction import (
    FittedThreshold,
    GreedyCutoff,
    mean_cutoff_value,
    oracle_cutoffs,
    standardise,
)
from plackett.selection.cutoff_values import best_cutoff, cutoff_values
from plackett.selection.evidence import (
    SelectionExample,
    SetReport,
    SetScores,
    selection_examples,
    set_report,
    set_scores,
)
from plackett.selection.learned_cutoff import LearnedCutoff, cutoff_features, expected_loss
from plackett.selection.multi_hop import MultiHopCollection, multi_hop_collection
from plackett.selection.passage_selector import PassageSelector, Selection
from plackett.selection.registry import get, names, parse_selector, register, stages
from plackett.selection.thresholds import (
    Elbow,
    FixedCutoff,
    LargestGap,
    MarginThreshold,
    RelativeThreshold,
    ScoreThreshold,
)
from plackett.selection.token_budget import Packed, TokenBudget, pack, pack_texts

__all__ = [
    "ConformalCutoff",
    "Cutoff",
    "Elbow",
    "FittedThreshold",
    "FixedCutoff",
    "GreedyCutoff",
    "JudgedList",
    "LargestGap",
    "LearnedCutoff",
    "MarginThreshold",
    "MultiHopCollection",
    "Packed",
    "PassageSelector",
    "RelativeThreshold",
    "ScoreThreshold",
    "Selection",
    "SelectionExample",
    "Selector",
    "SetReport",
    "SetScores",
    "TokenBudget",
    "best_cutoff",
    "cut",
    "cutoff_features",
    "cutoff_values",
    "expected_loss",
    "get",
    "hoeffding_bentkus",
    "judged_lists",
    "mean_cutoff_value",
    "multi_hop_collection",
    "names",
    "oracle_cutoffs",
    "pack",
    "pack_texts",
    "parse_selector",
    "register",
    "selection_examples",
    "set_report",
    "set_scores",
    "stages",
    "standardise",
]
