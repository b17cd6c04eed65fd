"""Networks that rank (needs the extra `neural`)."""

from plackett._optional import require

require("torch", extra="neural", purpose="train networks")
require("safetensors", extra="neural", purpose="save networks")

from plackett.rankers.neural.base import NeuralRanker
from plackett.rankers.neural.bayesian import BayesianMLP
from plackett.rankers.neural.deep_q_rank import DeepQRank
from plackett.rankers.neural.export import export_onnx
from plackett.rankers.neural.finest import RankPreserving
from plackett.rankers.neural.grow_net import GrowNet
from plackett.rankers.neural.mlp import MLP
from plackett.rankers.neural.pointer import PointerRanker
from plackett.rankers.neural.policy_gradient import PGRank
from plackett.rankers.neural.profit_aware import ProfitAwareRanker
from plackett.rankers.neural.self_attention import SelfAttention
from plackett.rankers.neural.set_ranker import SetRanker
from plackett.rankers.neural.soups import greedy_soup, uniform_soup
from plackett.rankers.neural.tsp_rank import TSPRank

__all__ = [
    "MLP",
    "BayesianMLP",
    "DeepQRank",
    "GrowNet",
    "NeuralRanker",
    "PGRank",
    "PointerRanker",
    "ProfitAwareRanker",
    "RankPreserving",
    "SelfAttention",
    "SetRanker",
    "TSPRank",
    "export_onnx",
    "greedy_soup",
    "uniform_soup",
]
