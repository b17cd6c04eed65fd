"""What writes queries from queries: decompositions, conversations, a language model."""

from plackett.retrievers.query_writing.given import GivenQueries
from plackett.retrievers.query_writing.history import History
from plackett.retrievers.query_writing.model_writer import ModelWriter

__all__ = ["GivenQueries", "History", "ModelWriter"]
