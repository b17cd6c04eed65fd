"""BM25 over an index that lives: documents are added, replaced, deleted and merged."""

from plackett.retrievers.living.live_bm25 import LiveBM25
from plackett.retrievers.living.merge_policy import MergePolicy

__all__ = ["LiveBM25", "MergePolicy"]
