"""Why a document has its score: what each term of the query adds."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Explanation", "TermContribution"]


@dataclass(frozen=True)
class TermContribution:
    """What one term of the query adds to a document's score.

    Parameters
    ----------
    term : as the analyzer writes it.
    occurrences : how often the query holds it.
    frequency : how often the document holds it.
    document_frequency : how many documents hold it; 0 where the index lacks the term.
    contribution : what it adds.
    """

    term: str
    occurrences: int
    frequency: int
    document_frequency: int
    contribution: float


@dataclass(frozen=True)
class Explanation:
    """Why a document has its score; `terms` are in the order in which they are added."""

    query: str
    document: str
    score: float
    terms: tuple[TermContribution, ...]

    def __str__(self) -> str:
        lines = [f"{self.score:.6f}  {self.document}"]
        lines += [
            f"{entry.contribution:10.6f}  {entry.term}  (in the query {entry.occurrences}, in the "
            f"document {entry.frequency}, in {entry.document_frequency} documents)"
            for entry in self.terms
        ]
        return "\n".join(lines)
