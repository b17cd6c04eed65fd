"""The inverted index: postings and forward tokens on disk, memory-mapped."""

from plackett.retrievers.inverted.index import EncodedQueries, InvertedIndex

__all__ = ["EncodedQueries", "InvertedIndex"]
