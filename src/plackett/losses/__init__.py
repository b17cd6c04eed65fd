"""Losses: pure functions of scores and labels, for any model (needs the extra `neural`)."""

from plackett._optional import require

require("torch", extra="neural", purpose="compute losses")

from plackett.losses.aggregate import AggregateResponse  # noqa: E402
from plackett.losses.approx import Approx, ApproxMRR, ApproxNDCG, approximate_ranks  # noqa: E402
from plackett.losses.base import ListValues, Loss, Scored  # noqa: E402
from plackett.losses.combining import MultiObjective, WeightedSum  # noqa: E402
from plackett.losses.distillation_list import PLD, KLDistillation, MarginMSE  # noqa: E402
from plackett.losses.fidelity_rewards import fidelity_rewards, group_advantages  # noqa: E402
from plackett.losses.finest import FINEST  # noqa: E402
from plackett.losses.i_divergence import IDivergence  # noqa: E402
from plackett.losses.imbalance import AnyLoss, Dice  # noqa: E402
from plackett.losses.listnet import ListNet, SoftmaxCrossEntropy  # noqa: E402
from plackett.losses.metric_learning import ContextualSimilarity, MultiSimilarity  # noqa: E402
from plackett.losses.neural_sort import NeuralNDCG, NeuralSort  # noqa: E402
from plackett.losses.noise import Gumbel  # noqa: E402
from plackett.losses.pair_functions import (  # noqa: E402
    Exponential,
    Fidelity,
    Hinge,
    Logistic,
    PairFunction,
    Squared,
)
from plackett.losses.pair_swaps import ERRWeight, MAPWeight, MRRWeight  # noqa: E402
from plackett.losses.pair_weights import (  # noqa: E402
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
from plackett.losses.pairwise import Pairwise  # noqa: E402
from plackett.losses.pairwise_named import (  # noqa: E402
    ARPLoss1,
    ARPLoss2,
    FidelityLoss,
    LambdaRank,
    NDCGLoss1,
    NDCGLoss2,
    NDCGLoss2PP,
    RankNet,
)
from plackett.losses.pairwise_value import PABCE, WelfareLoss  # noqa: E402
from plackett.losses.pareto import pareto_front, simplex_weights  # noqa: E402
from plackett.losses.plackett_luce import ListMLE, PListMLE, plackett_luce_log_likelihood  # noqa: E402
from plackett.losses.pointwise import (  # noqa: E402
    BinaryCrossEntropy,
    Ordinal,
    RootMeanSquaredError,
    SquaredError,
)
from plackett.losses.preferences import DPO, DPOPL, IPO, LiPOLambda, SLiC, implicit_rewards  # noqa: E402
from plackett.losses.private_bags import gaussian_scale, private_means  # noqa: E402
from plackett.losses.rank_list import RankList  # noqa: E402
from plackett.losses.registry import get, names, parse_loss, register  # noqa: E402
from plackett.losses.regression_compatible import RCR  # noqa: E402
from plackett.losses.reweighted import Reweighted  # noqa: E402
from plackett.losses.reweighting import GroupRobust, LossReweighting  # noqa: E402
from plackett.losses.robust_softmax import ALDRKL, LDR  # noqa: E402
from plackett.losses.sampling import PLRank, PolicyGradient, sample_rankings  # noqa: E402
from plackett.losses.soft_rank import SoftNDCG  # noqa: E402
from plackett.losses.wasserstein import Wasserstein  # noqa: E402
from plackett.losses.z_loss import ZLoss  # noqa: E402

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
