"""Losses: pure functions of scores and labels, for any model (needs the extra `neural`)."""

from plackett._optional import require

require("torch", extra="neural", purpose="compute losses")

from plackett.losses.aggregate import AggregateResponse
from plackett.losses.approx import Approx, ApproxMRR, ApproxNDCG, approximate_ranks
from plackett.losses.base import ListValues, Loss, Scored
from plackett.losses.combining import MultiObjective, WeightedSum
from plackett.losses.distillation_list import PLD, KLDistillation, MarginMSE
from plackett.losses.fidelity_rewards import fidelity_rewards, group_advantages
from plackett.losses.finest import FINEST
from plackett.losses.i_divergence import IDivergence
from plackett.losses.imbalance import AnyLoss, Dice
from plackett.losses.listnet import ListNet, SoftmaxCrossEntropy
from plackett.losses.metric_learning import ContextualSimilarity, MultiSimilarity
from plackett.losses.neural_sort import NeuralNDCG, NeuralSort
from plackett.losses.noise import Gumbel
from plackett.losses.pair_functions import (
    Exponential,
    Fidelity,
    Hinge,
    Logistic,
    PairFunction,
    Squared,
)
from plackett.losses.pair_swaps import ERRWeight, MAPWeight, MRRWeight
from plackett.losses.pair_weights import (
    ARPLoss1Weight,
    LabelDifference,
    LambdaWeight,
    NDCGLoss1Weight,
    NDCGLoss2PPWeight,
    NDCGLoss2Weight,
    PairWeight,
    ProfitWeight,
    Uniform,
)
from plackett.losses.pairwise import Pairwise
from plackett.losses.pairwise_named import (
    ARPLoss1,
    ARPLoss2,
    FidelityLoss,
    LambdaRank,
    NDCGLoss1,
    NDCGLoss2,
    NDCGLoss2PP,
    RankNet,
)
from plackett.losses.pairwise_value import PABCE, WelfareLoss
from plackett.losses.pareto import pareto_front, simplex_weights
from plackett.losses.plackett_luce import ListMLE, PListMLE, plackett_luce_log_likelihood
from plackett.losses.pointwise import (
    BinaryCrossEntropy,
    Ordinal,
    RootMeanSquaredError,
    SquaredError,
)
from plackett.losses.preferences import DPO, DPOPL, IPO, LiPOLambda, SLiC, implicit_rewards
from plackett.losses.private_bags import gaussian_scale, private_means
from plackett.losses.rank_list import RankList
from plackett.losses.registry import get, names, parse_loss, register
from plackett.losses.regression_compatible import RCR
from plackett.losses.reweighted import Reweighted
from plackett.losses.reweighting import GroupRobust, LossReweighting
from plackett.losses.robust_softmax import ALDRKL, LDR
from plackett.losses.sampling import PLRank, PolicyGradient, sample_rankings
from plackett.losses.soft_rank import SoftNDCG
from plackett.losses.wasserstein import Wasserstein
from plackett.losses.z_loss import ZLoss

__all__ = [
    "ALDRKL",
    "DPO",
    "DPOPL",
    "FINEST",
    "IPO",
    "LDR",
    "PABCE",
    "PLD",
    "RCR",
    "ARPLoss1",
    "ARPLoss1Weight",
    "ARPLoss2",
    "AggregateResponse",
    "AnyLoss",
    "Approx",
    "ApproxMRR",
    "ApproxNDCG",
    "BinaryCrossEntropy",
    "ContextualSimilarity",
    "Dice",
    "ERRWeight",
    "Exponential",
    "Fidelity",
    "FidelityLoss",
    "GroupRobust",
    "Gumbel",
    "Hinge",
    "IDivergence",
    "KLDistillation",
    "LabelDifference",
    "LambdaRank",
    "LambdaWeight",
    "LiPOLambda",
    "ListMLE",
    "ListNet",
    "ListValues",
    "Logistic",
    "Loss",
    "LossReweighting",
    "MAPWeight",
    "MRRWeight",
    "MarginMSE",
    "MultiObjective",
    "MultiSimilarity",
    "NDCGLoss1",
    "NDCGLoss1Weight",
    "NDCGLoss2",
    "NDCGLoss2PP",
    "NDCGLoss2PPWeight",
    "NDCGLoss2Weight",
    "NeuralNDCG",
    "NeuralSort",
    "Ordinal",
    "PLRank",
    "PListMLE",
    "PairFunction",
    "PairWeight",
    "Pairwise",
    "PolicyGradient",
    "ProfitWeight",
    "RankList",
    "RankNet",
    "Reweighted",
    "RootMeanSquaredError",
    "SLiC",
    "Scored",
    "SoftNDCG",
    "SoftmaxCrossEntropy",
    "Squared",
    "SquaredError",
    "Uniform",
    "Wasserstein",
    "WeightedSum",
    "WelfareLoss",
    "ZLoss",
    "approximate_ranks",
    "fidelity_rewards",
    "gaussian_scale",
    "get",
    "group_advantages",
    "implicit_rewards",
    "names",
    "pareto_front",
    "parse_loss",
    "plackett_luce_log_likelihood",
    "private_means",
    "register",
    "sample_rankings",
    "simplex_weights",
]
