"""plackett: ranking, proven.

>>> import plackett as pk
>>> run = pk.Run.from_dict({"q1": {"d1": 2.0, "d2": 1.0}})
>>> pk.evaluate(run, pk.Qrels.from_dict({"q1": {"d2": 1}}), "RR@10").mean
{'RR@10': 0.5}

Importing plackett does no work: every name is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

_HOME = {
    "plackett.data": (
        "ClickLog",
        "Corpus",
        "Ids",
        "Qrels",
        "Queries",
        "QueryKFold",
        "RankingDataset",
        "Run",
        "letor_folds",
        "load_collection",
    ),
    "plackett.features": ("FeatureSet", "feature_drift"),
    "plackett.metrics": (
        "AP",
        "ARP",
        "DCG",
        "ERR",
        "ERR_IA",
        "RBP",
        "RR",
        "F",
        "IPrec",
        "Judged",
        "P",
        "PairAccuracy",
        "R",
        "Rprec",
        "SetAP",
        "StRecall",
        "Success",
        "alpha_nDCG",
        "bpref",
        "compare",
        "evaluate",
        "infAP",
        "nDCG",
        "nERR",
    ),
    "plackett.rankers": (
        "CatBoostRanker",
        "Distilled",
        "LambdaMART",
        "LinearRanker",
        "XGBoostRanker",
        "load_ranker",
    ),
    "plackett.rankers.neural": ("MLP", "SelfAttention", "SetRanker"),
    "plackett.rerankers": ("Candidates", "Reranker"),
    "plackett.retrievers": ("BM25",),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}
_ROOMS = (
    "clicks",
    "data",
    "encoders",
    "errors",
    "experiment",
    "features",
    "fusion",
    "llm",
    "losses",
    "metrics",
    "pipeline",
    "rankers",
    "rerankers",
    "retrievers",
    "selection",
    "transport",
)

__all__ = [
    "AP",
    "ARP",
    "BM25",
    "DCG",
    "ERR",
    "ERR_IA",
    "MLP",
    "RBP",
    "RR",
    "Candidates",
    "CatBoostRanker",
    "ClickLog",
    "Corpus",
    "Distilled",
    "F",
    "FeatureSet",
    "IPrec",
    "Ids",
    "Judged",
    "LambdaMART",
    "LinearRanker",
    "P",
    "PairAccuracy",
    "Qrels",
    "Queries",
    "QueryKFold",
    "R",
    "RankingDataset",
    "Reranker",
    "Rprec",
    "Run",
    "SelfAttention",
    "SetAP",
    "SetRanker",
    "StRecall",
    "Success",
    "XGBoostRanker",
    "__version__",
    "alpha_nDCG",
    "bpref",
    "compare",
    "evaluate",
    "feature_drift",
    "infAP",
    "letor_folds",
    "load_collection",
    "load_ranker",
    "nDCG",
    "nERR",
]

if TYPE_CHECKING:
    from plackett.data import (
        ClickLog,
        Corpus,
        Ids,
        Qrels,
        Queries,
        QueryKFold,
        RankingDataset,
        Run,
        letor_folds,
        load_collection,
    )
    from plackett.features import FeatureSet, feature_drift
    from plackett.metrics import (
        AP,
        ARP,
        DCG,
        ERR,
        ERR_IA,
        RBP,
        RR,
        F,
        IPrec,
        Judged,
        P,
        PairAccuracy,
        R,
        Rprec,
        SetAP,
        StRecall,
        Success,
        alpha_nDCG,
        bpref,
        compare,
        evaluate,
        infAP,
        nDCG,
        nERR,
    )
    from plackett.rankers import (
        CatBoostRanker,
        Distilled,
        LambdaMART,
        LinearRanker,
        XGBoostRanker,
        load_ranker,
    )
    from plackett.rankers.neural import MLP, SelfAttention, SetRanker
    from plackett.rerankers import Candidates, Reranker
    from plackett.retrievers import BM25


def __getattr__(name: str) -> object:
    if name in _ROOMS:
        return importlib.import_module(f"plackett.{name}")
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'plackett' has no attribute {name!r}")
    value = getattr(importlib.import_module(_MODULE_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*__all__, *_ROOMS})
