"""Measures of ranked lists, and the evidence that one is better than another."""

from plackett.metrics.base import Measure, known_measures, parse_measure, parse_measures
from plackett.metrics.binary import AP, RR, F, IPrec, P, R, Rprec, SetAP, Success
from plackett.metrics.calibration import (
    ReliabilityCurve,
    brier_score,
    expected_calibration_error,
    log_loss,
    reliability_curve,
)
from plackett.metrics.comparison import compare, compare_evaluations
from plackett.metrics.comparison_result import Comparison
from plackett.metrics.diversity import ERR_IA, StRecall, alpha_nDCG
from plackett.metrics.evaluation import Evaluation, evaluate
from plackett.metrics.graded import DCG, ERR, RBP, nDCG, nERR
from plackett.metrics.judged import JudgedLists
from plackett.metrics.judgement import Judged, bpref, infAP
from plackett.metrics.pairs import ARP, PairAccuracy
from plackett.metrics.rank_correlation import (
    kendall_tau,
    rank_biased_overlap,
    run_correlation,
    tau_ap,
)

__all__ = [
    "AP",
    "ARP",
    "DCG",
    "ERR",
    "ERR_IA",
    "RBP",
    "RR",
    "Comparison",
    "Evaluation",
    "F",
    "IPrec",
    "Judged",
    "JudgedLists",
    "Measure",
    "P",
    "PairAccuracy",
    "R",
    "ReliabilityCurve",
    "Rprec",
    "SetAP",
    "StRecall",
    "Success",
    "alpha_nDCG",
    "bpref",
    "brier_score",
    "compare",
    "compare_evaluations",
    "evaluate",
    "expected_calibration_error",
    "infAP",
    "kendall_tau",
    "known_measures",
    "log_loss",
    "nDCG",
    "nERR",
    "parse_measure",
    "parse_measures",
    "rank_biased_overlap",
    "reliability_curve",
    "run_correlation",
    "tau_ap",
]
