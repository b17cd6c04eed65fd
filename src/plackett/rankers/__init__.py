"""Rankers of features."""

from plackett.rankers.base import Ranker, load_ranker
from plackett.rankers.explain import Contributions, Explanation, FeatureEffect
from plackett.rankers.lambdamart import LambdaMART
from plackett.rankers.linear import LinearRanker
from plackett.rankers.on_features import FeatureReranker
from plackett.rankers.registry import get, names, parse, register

__all__ = [
    "Contributions",
    "Explanation",
    "FeatureEffect",
    "FeatureReranker",
    "LambdaMART",
    "LinearRanker",
    "Ranker",
    "get",
    "load_ranker",
    "names",
    "parse",
    "register",
]
