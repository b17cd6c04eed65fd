"""Networks that rank (needs the extra `neural`)."""

from plackett._optional import require

require("torch", extra="neural", purpose="train networks")
require("safetensors", extra="neural", purpose="save networks")

from plackett.rankers.neural.base import NeuralRanker  # noqa: E402
from plackett.rankers.neural.bayesian import BayesianMLP  # noqa: E402
from plackett.rankers.neural.deep_q_rank import DeepQRank  # noqa: E402
from plackett.rankers.neural.export import export_onnx  # noqa: E402
from plackett.rankers.neural.finest import RankPreserving  # noqa: E402
from plackett.rankers.neural.grow_net import GrowNet  # noqa: E402
from plackett.rankers.neural.mlp import MLP  # noqa: E402
from plackett.rankers.neural.pointer import PointerRanker  # noqa: E402
from plackett.rankers.neural.policy_gradient import PGRank  # noqa: E402
from plackett.rankers.neural.profit_aware import ProfitAwareRanker  # noqa: E402
from plackett.rankers.neural.self_attention import SelfAttention  # noqa: E402
from plackett.rankers.neural.set_ranker import SetRanker  # noqa: E402
from plackett.rankers.neural.soups import greedy_soup, uniform_soup  # noqa: E402
from plackett.rankers.neural.tsp_rank import TSPRank  # noqa: E402

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
