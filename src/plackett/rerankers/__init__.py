"""Re-rankers of texts: a better order for the candidates of a query."""

from plackett.rerankers.base import Documents, Outcome, TextReranker
from plackett.rerankers.calibration.calibrated import (
    Calibrated,
    CalibrationReport,
    calibration_report,
    fit_calibrator,
    judged_scores,
)
from plackett.rerankers.calibration.calibrators import (
    Calibrator,
    Isotonic,
    Platt,
    Temperature,
)
from plackett.rerankers.calibration.reading import (
    calibrator_names,
    get_calibrator,
    load_calibrator,
)
from plackett.rerankers.calibration.reliability_plot import reliability_svg
from plackett.rerankers.criteria.decomposition import Decomposition
from plackett.rerankers.criteria.diversity import DPP, MMR, VectorSimilarity, XQuAD
from plackett.rerankers.criteria.feedback_data import (
    Feedback,
    judged_feedback,
    read_feedback,
    residual_qrels,
)
from plackett.rerankers.criteria.global_reranker import (
    GlobalExample,
    GlobalReranker,
    train_global_reranker,
)
from plackett.rerankers.criteria.rebel import Rebel
from plackett.rerankers.criteria.recency import AutoCast
from plackett.rerankers.criteria.recency_curve import RecencyCurve
from plackett.rerankers.criteria.relevance_feedback import FeedbackNeighbours, FewShotCrossEncoder
from plackett.rerankers.encoding.bi_encoder import BiEncoderReranker
from plackett.rerankers.encoding.cross_encoder import CrossEncoderReranker
from plackett.rerankers.encoding.intra_document_cascade import IntraDocumentCascade
from plackett.rerankers.encoding.late_interaction import LateInteractionReranker
from plackett.rerankers.encoding.learned_sparse import LearnedSparseReranker
from plackett.rerankers.listwise.block_designs import Blocks, block_design, connected, coverage
from plackett.rerankers.listwise.group_rank import GroupRank
from plackett.rerankers.listwise.in_context import InContext
from plackett.rerankers.listwise.joint_rank import JointRank
from plackett.rerankers.listwise.passage_embeddings import PassageEmbeddings, PassageVectors
from plackett.rerankers.listwise.rewards import cube_reward, group_rank_reward, rank_r1_reward
from plackett.rerankers.listwise.setwise import RankR1, Setwise
from plackett.rerankers.listwise.sliding_window import First, RankGPT, RankK, SlidingWindow
from plackett.rerankers.listwise.tournament import KnockOut, Swiss, TourRank
from plackett.rerankers.pairwise.comparators import Comparator, PromptComparator
from plackett.rerankers.pairwise.judges import Judge, JudgeComparator, ask_on_terminal
from plackett.rerankers.pairwise.prp import PRP
from plackett.rerankers.pairwise.rank_fusion import RankFusion
from plackett.rerankers.pairwise.sparse_pairs import SparsePairs
from plackett.rerankers.planning.budget_plan import Limits, Plan, plan
from plackett.rerankers.planning.estimating import CallEstimate, estimate_calls
from plackett.rerankers.planning.simulated_time import Latency
from plackett.rerankers.planning.simulator import Simulation, SimulationRow, simulate
from plackett.rerankers.pointwise.graded import ERank, InteRank, ProRank
from plackett.rerankers.pointwise.hosted import Hosted
from plackett.rerankers.pointwise.hosted_services import Service, services
from plackett.rerankers.pointwise.query_likelihood import UPR, RankingGPT
from plackett.rerankers.pointwise.rewards import (
    erank_reward,
    inte_rank_weights,
    pro_rank_reward,
)
from plackett.rerankers.pointwise.yes_no import MonoT5, YesNo
from plackett.rerankers.ranked import Candidates, Ordering, Ranked, RankedDocument, ScoreKind
from plackett.rerankers.registry import Reranker, describe, get, names, parse, register
from plackett.rerankers.strategy import (
    Asking,
    MalformedAnswerError,
    Policy,
    Steps,
    StrategyReranker,
)
from plackett.rerankers.word_overlap import WordOverlap

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
