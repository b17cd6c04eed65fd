"""Dense retrieval: documents whose vector has the largest product with the query's."""

from plackett.retrievers.dense.alignment import AlignedEncoder, Alignment
from plackett.retrievers.dense.binary_codes import BinaryCodes
from plackett.retrievers.dense.exact import Exact
from plackett.retrievers.dense.hnsw import HNSW
from plackett.retrievers.dense.product_quantisation import Codebook, ProductQuantised
from plackett.retrievers.dense.retriever import Dense
from plackett.retrievers.dense.rocchio import Rocchio
from plackett.retrievers.dense.routing_tree import LearnedTree, RoutingTree
from plackett.retrievers.dense.short_forms import Cut, ScalarQuantised

__all__ = [
    "HNSW",
    "AlignedEncoder",
    "Alignment",
    "BinaryCodes",
    "Codebook",
    "Cut",
    "Dense",
    "Exact",
    "LearnedTree",
    "ProductQuantised",
    "Rocchio",
    "RoutingTree",
    "ScalarQuantised",
]
