"""What a scripted judge believes: grades, and what noise and a taste for the first make of them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist

__all__ = ["Beliefs", "Relevance", "chance", "log_sigmoid"]

Relevance = Mapping[str, Mapping[str, float]]


def chance(*parts: object) -> float:
    """A number in [0, 1) that depends on the parts only: the same in every process and order.

    >>> chance("seed", 1) == chance("seed", 1), chance("seed", 1) == chance("seed", 2)
    (True, False)
    """
    digest = hashlib.blake2b(repr(parts).encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2.0**64


class Beliefs:
    """Grades by query and document, and comparisons that may be wrong.

    Parameters
    ----------
    relevance : grades by document id, by query; 0 where there is none.
    noise : probability that a pair of documents of unlike grade is judged the wrong way round;
        drawn once for each unordered pair.
    order_bias : probability that of a pair the document shown first is preferred.
    seed : of both.
    """

    def __init__(self, relevance: Relevance, noise: float, order_bias: float, seed: int) -> None:
        self.relevance, self.noise, self.order_bias, self.seed = relevance, noise, order_bias, seed
        grades = [grade for judged in relevance.values() for grade in judged.values()]
        self.top = max([1.0, *grades])
        # Two documents one grade apart, each perturbed, change places with probability `noise`.
        wrong = min(noise, 0.499)
        self._spread = 0.0 if noise == 0 else 1.0 / (2**0.5 * NormalDist().inv_cdf(1.0 - wrong))

    def grade(self, query: str, document: str) -> float:
        """The true grade."""
        return float(self.relevance.get(query, {}).get(document, 0.0))

    def share(self, query: str, document: str) -> float:
        """How relevant a document looks by itself: grade / top grade, perturbed; about 0 to 1."""
        grade = self.grade(query, document)
        if self._spread:
            drawn = chance(self.seed, "grade", query, document)
            grade += self._spread * NormalDist().inv_cdf(min(max(drawn, 1e-12), 1.0 - 1e-12))
        return grade / self.top

    def wins(self, query: str, documents: Sequence[str]) -> list[float]:
        """How many of the others each document beats, a tie for a half; in the order shown.

        With neither noise nor bias, wins order documents as their grades do.
        """
        grades = [self.grade(query, document) for document in documents]
        m = len(documents)
        wins = [0.0] * m
        for i in range(m):
            for j in range(i + 1, m):
                first = self._prefers_first(
                    query, documents[i], documents[j], grades[i] - grades[j]
                )
                wins[i] += first
                wins[j] += 1.0 - first
        return wins

    def order(self, query: str, documents: Sequence[str]) -> list[int]:
        """Positions, best first; of equal ones the one shown first."""
        wins = self.wins(query, documents)
        return sorted(range(len(documents)), key=lambda i: (-wins[i], i))

    def strengths(self, query: str, documents: Sequence[str]) -> list[float]:
        """Logits of the documents: their wins, on the scale of their mean unlikeness in grade."""
        wins = self.wins(query, documents)
        grades = [self.grade(query, document) for document in documents]
        gaps = [abs(a - b) for i, a in enumerate(grades) for b in grades[i + 1 :] if a != b]
        scale = sum(gaps) / len(gaps) if gaps else 1.0
        return [2.0 * scale * won for won in wins]

    def _prefers_first(self, query: str, first: str, second: str, margin: float) -> float:
        """1 if the document shown first wins, 0 if the other one, 0.5 for a tie."""
        low, high = sorted((first, second))
        if self.order_bias and chance(self.seed, "bias", query, low, high) < self.order_bias:
            return 1.0
        if margin == 0.0:
            return 0.5
        flipped = self.noise > 0 and chance(self.seed, "pair", query, low, high) < self.noise
        return float((margin > 0) != flipped)


def log_sigmoid(x: float) -> float:
    """log(1 / (1 + exp(-x))), without overflow."""
    return -math.log1p(math.exp(-x)) if x > -30.0 else x
