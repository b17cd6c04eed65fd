"""Re-rankers of texts: a better order for the candidates of a query."""

from plackett.rerankers.base import Documents, Outcome, TextReranker
from plackett.rerankers.bi_encoder import BiEncoderReranker
from plackett.rerankers.block_designs import Blocks, block_design, connected, coverage
from plackett.rerankers.calibration import (
    Calibrated,
    CalibrationReport,
    calibration_report,
    fit_calibrator,
    judged_scores,
)
from plackett.rerankers.calibrator_reading import calibrator_names, get_calibrator, load_calibrator
from plackett.rerankers.calibrators import Calibrator, Isotonic, Platt, Temperature
from plackett.rerankers.comparators import Comparator, PromptComparator
from plackett.rerankers.cross_encoder import CrossEncoderReranker
from plackett.rerankers.decomposition import Decomposition
from plackett.rerankers.diversity import DPP, MMR, VectorSimilarity, XQuAD
from plackett.rerankers.estimating import CallEstimate, estimate_calls
from plackett.rerankers.feedback_data import (
    Feedback,
    judged_feedback,
    read_feedback,
    residual_qrels,
)
from plackett.rerankers.global_reranker import GlobalExample, GlobalReranker, train_global_reranker
from plackett.rerankers.graded import ERank, InteRank, ProRank
from plackett.rerankers.group_rank import GroupRank
from plackett.rerankers.hosted import Hosted
from plackett.rerankers.hosted_services import Service, services
from plackett.rerankers.in_context import InContext
from plackett.rerankers.intra_document_cascade import IntraDocumentCascade
from plackett.rerankers.joint_rank import JointRank
from plackett.rerankers.judges import Judge, JudgeComparator, ask_on_terminal
from plackett.rerankers.late_interaction import LateInteractionReranker
from plackett.rerankers.learned_sparse import LearnedSparseReranker
from plackett.rerankers.listwise_rewards import cube_reward, group_rank_reward, rank_r1_reward
from plackett.rerankers.passage_embeddings import PassageEmbeddings, PassageVectors
from plackett.rerankers.planning import Limits, Plan, plan
from plackett.rerankers.pointwise_rewards import erank_reward, inte_rank_weights, pro_rank_reward
from plackett.rerankers.prp import PRP
from plackett.rerankers.query_likelihood import UPR, RankingGPT
from plackett.rerankers.rank_fusion import RankFusion
from plackett.rerankers.ranked import Candidates, Ordering, Ranked, RankedDocument, ScoreKind
from plackett.rerankers.rebel import Rebel
from plackett.rerankers.recency import AutoCast
from plackett.rerankers.recency_curve import RecencyCurve
from plackett.rerankers.registry import Reranker, describe, get, names, parse, register
from plackett.rerankers.relevance_feedback import FeedbackNeighbours, FewShotCrossEncoder
from plackett.rerankers.reliability_plot import reliability_svg
from plackett.rerankers.setwise import RankR1, Setwise
from plackett.rerankers.simulated_time import Latency
from plackett.rerankers.simulator import Simulation, SimulationRow, simulate
from plackett.rerankers.sliding_window import First, RankGPT, RankK, SlidingWindow
from plackett.rerankers.sparse_pairs import SparsePairs
from plackett.rerankers.strategy import (
    Asking,
    MalformedAnswerError,
    Policy,
    Steps,
    StrategyReranker,
)
from plackett.rerankers.tournament import KnockOut, Swiss, TourRank
from plackett.rerankers.word_overlap import WordOverlap
from plackett.rerankers.yes_no import MonoT5, YesNo

__all__ = [
    "DPP",
    "MMR",
    "PRP",
    "UPR",
    "Asking",
    "AutoCast",
    "BiEncoderReranker",
    "Blocks",
    "Calibrated",
    "CalibrationReport",
    "Calibrator",
    "CallEstimate",
    "Candidates",
    "Comparator",
    "CrossEncoderReranker",
    "Decomposition",
    "Documents",
    "ERank",
    "Feedback",
    "FeedbackNeighbours",
    "FewShotCrossEncoder",
    "First",
    "GlobalExample",
    "GlobalReranker",
    "GroupRank",
    "Hosted",
    "InContext",
    "InteRank",
    "IntraDocumentCascade",
    "Isotonic",
    "JointRank",
    "Judge",
    "JudgeComparator",
    "KnockOut",
    "LateInteractionReranker",
    "Latency",
    "LearnedSparseReranker",
    "Limits",
    "MalformedAnswerError",
    "MonoT5",
    "Ordering",
    "Outcome",
    "PassageEmbeddings",
    "PassageVectors",
    "Plan",
    "Platt",
    "Policy",
    "ProRank",
    "PromptComparator",
    "RankFusion",
    "RankGPT",
    "RankK",
    "RankR1",
    "Ranked",
    "RankedDocument",
    "RankingGPT",
    "Rebel",
    "RecencyCurve",
    "Reranker",
    "ScoreKind",
    "Service",
    "Setwise",
    "Simulation",
    "SimulationRow",
    "SlidingWindow",
    "SparsePairs",
    "Steps",
    "StrategyReranker",
    "Swiss",
    "Temperature",
    "TextReranker",
    "TourRank",
    "VectorSimilarity",
    "WordOverlap",
    "XQuAD",
    "YesNo",
    "ask_on_terminal",
    "block_design",
    "calibration_report",
    "calibrator_names",
    "connected",
    "coverage",
    "cube_reward",
    "describe",
    "erank_reward",
    "estimate_calls",
    "fit_calibrator",
    "get",
    "get_calibrator",
    "group_rank_reward",
    "inte_rank_weights",
    "judged_feedback",
    "judged_scores",
    "load_calibrator",
    "names",
    "parse",
    "plan",
    "pro_rank_reward",
    "rank_r1_reward",
    "read_feedback",
    "register",
    "reliability_svg",
    "residual_qrels",
    "services",
    "simulate",
    "train_global_reranker",
]
