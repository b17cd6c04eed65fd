"""Query-document features, computed from an index."""

from plackett.features.base import BoundFeature, Feature
from plackett.features.candidates import Candidates
from plackett.features.feature_set import FeatureSet
from plackett.features.registry import get, names, register

__all__ = [
    "BoundFeature",
    "Candidates",
    "Feature",
    "FeatureSet",
    "get",
    "names",
    "register",
]
