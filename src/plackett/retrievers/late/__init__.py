"""Late interaction: documents whose tokens best match the query's tokens."""

from plackett.retrievers.late.exact import ExactMaxSim, HalfMaxSim
from plackett.retrievers.late.plaid import PLAID
from plackett.retrievers.late.pooling import PooledTokens, pool_tokens
from plackett.retrievers.late.retriever import LateInteraction

__all__ = [
    "PLAID",
    "ExactMaxSim",
    "HalfMaxSim",
    "LateInteraction",
    "PooledTokens",
    "pool_tokens",
]
