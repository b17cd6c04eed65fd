"""Rankers of features."""

from plackett.rankers.ablation import Ablation, feature_ablation
from plackett.rankers.base import Ranker, load_ranker
from plackett.rankers.catboost_ranker import CatBoostRanker
from plackett.rankers.distillation import Distilled, distil
from plackett.rankers.explain import Contributions, Explanation, FeatureEffect
from plackett.rankers.lambdamart import LambdaMART
from plackett.rankers.linear import LinearRanker
from plackett.rankers.on_features import FeatureReranker
from plackett.rankers.ordinal_metric import OrderMDS
from plackett.rankers.registry import get, names, parse, register
from plackett.rankers.xgboost_ranker import XGBoostRanker

__all__ = [
    "Ablation",
    "CatBoostRanker",
    "Contributions",
    "Distilled",
    "Explanation",
    "FeatureEffect",
    "FeatureReranker",
    "LambdaMART",
    "LinearRanker",
    "OrderMDS",
    "Ranker",
    "XGBoostRanker",
    "distil",
    "feature_ablation",
    "get",
    "load_ranker",
    "names",
    "parse",
    "register",
]
