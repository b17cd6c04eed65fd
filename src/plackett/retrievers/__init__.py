"""First stages: they find documents for queries."""

from plackett.retrievers.base import get, names, register
from plackett.retrievers.bm25 import BM25, Explanation, TermContribution
from plackett.retrievers.cross_encoder import CrossEncoderNeighbours
from plackett.retrievers.dense import Dense
from plackett.retrievers.expansion import Expanded
from plackett.retrievers.inverted import InvertedIndex
from plackett.retrievers.late import LateInteraction
from plackett.retrievers.living import LiveBM25, MergePolicy
from plackett.retrievers.models import Lexical, SequentialDependence
from plackett.retrievers.opening import open_index
from plackett.retrievers.sparse import Sparse
from plackett.retrievers.syntax import SyntaxSearch
from plackett.retrievers.weighting import VARIANTS, Weighting

__all__ = [
    "BM25",
    "VARIANTS",
    "CrossEncoderNeighbours",
    "Dense",
    "Expanded",
    "Explanation",
    "InvertedIndex",
    "LateInteraction",
    "Lexical",
    "LiveBM25",
    "MergePolicy",
    "SequentialDependence",
    "Sparse",
    "SyntaxSearch",
    "TermContribution",
    "Weighting",
    "get",
    "names",
    "open_index",
    "register",
]
