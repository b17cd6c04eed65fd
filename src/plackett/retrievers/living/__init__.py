"""BM25 over an index that lives: documents are added, replaced, deleted and merged."""

from plackett.retrievers.living.live_bm25 import LiveBM25

__all__ = ["LiveBM25"]
