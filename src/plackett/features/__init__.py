"""Query-document features, computed from an index."""

from plackett.features.base import BoundFeature, Feature
from plackett.features.candidates import Candidates
from plackett.features.drift import feature_drift
from plackett.features.drift_report import FeatureDrift, FeatureShift
from plackett.features.feature_set import FeatureSet
from plackett.features.registry import get, names, register
from plackett.features.streams import StreamParameters

__all__ = [
    "BoundFeature",
    "Candidates",
    "Feature",
    "FeatureDrift",
    "FeatureSet",
    "FeatureShift",
    "StreamParameters",
    "feature_drift",
    "get",
    "names",
    "register",
]
