"""Queries with signs equal a plain reading of them, for every variant of BM25."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from hypothesis import given, settings
from hypothesis import strategies as st

from plackett.retrievers.syntax import SyntaxSearch

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Ranked = list[tuple[str, float]]
Query = dict[str, float]


class Part(NamedTuple):
    """A clause of a query with signs."""

    sign: str
    kind: str
    words: list[str]
    weight: float
    edits: int = 0

    def __str__(self) -> str:
        body = {
            "word": self.words[0],
            "phrase": '"' + " ".join(self.words) + '"',
            "prefix": self.words[0][:1] + "*",
            "fuzzy": f"{self.words[0]}~{self.edits}",
        }[self.kind]
        return f"{self.sign}{body}^{self.weight:g}"


def edits_between(a: str, b: str) -> int:
    """Optimal string alignment, by its definition."""
    if not a or not b:
        return len(a) + len(b)
    best = min(
        edits_between(a[:-1], b) + 1,
        edits_between(a, b[:-1]) + 1,
        edits_between(a[:-1], b[:-1]) + (a[-1] != b[-1]),
    )
    if a[-2:] == b[-2:][::-1] and len(a) > 1 and len(b) > 1:
        best = min(best, edits_between(a[:-2], b[:-2]) + 1)
    return best


def stands_for(c: Any, part: Part, most: int) -> Query:
    """The terms that a clause stands for, and the weight of each."""
    known = sorted(c.names, key=lambda w: (-c.df[c.code[w]], c.code[w]))
    word = part.words[0]
    if part.kind == "prefix":
        return dict.fromkeys([w for w in known if w.startswith(word[:1])][:most], 1.0)
    if part.kind == "fuzzy":
        far = {w: edits_between(word, w) for w in known}
        near = sorted([w for w in known if far[w] <= part.edits], key=lambda w: far[w])[:most]
        return {w: max(1 - far[w] / len(word), 0.0) for w in near}
    return {word: 1.0} if word in c.code else {}


def occurrences(c: Any, words: list[str]) -> Floats:
    """How often the fields of each document have these words one after the other."""
    return np.array(
        [
            sum(part[i : i + len(words)] == words for part in text for i in range(len(part)))
            for text in c.texts
        ],
        dtype=float,
    )


def plainly(
    c: Any, parts: Sequence[Part], options: dict[str, Any], most: int
) -> tuple[Singles, npt.NDArray[np.bool_]]:
    """The score of every document, and which ones the signs allow."""
    impacts = c.bm25(**options)
    extra, weights, allowed = np.zeros(c.n), {}, np.ones(c.n, dtype=bool)
    for part in parts:
        if part.kind == "phrase" and len(part.words) > 1:
            tf = occurrences(c, part.words)
            matched = tf > 0
            if matched.any() and part.sign != "-":
                extra += part.weight * phrase_impacts(c, part.words, tf, options)
        else:
            terms = stands_for(c, part, most)
            matched = sum((c.tf[c.code[w]] for w in terms), np.zeros(c.n)) > 0
            for word, weight in terms.items() if part.sign != "-" else ():
                one = np.float32(weight) * np.float32(part.weight)
                weights[word] = weights.get(word, np.float32(0)) + one
        if part.sign:
            allowed &= matched == (part.sign == "+")
    return extra.astype(np.float32) + c.sums(impacts, weights), allowed


def phrase_impacts(c: Any, words: list[str], tf: Floats, options: dict[str, Any]) -> Singles:
    """What a term with the frequencies `tf` and the sum of the words' idf would add."""
    one = copy(c)
    one.tf = tf[None]
    total = np.zeros(c.n)
    for word in words:
        # Every formula is idf times something: so the sum over words is one of idf.
        one.df = c.df[[c.code[word]]]
        total += one.bm25(**options)[0]
    return total.astype(np.float32)


words = st.sampled_from(["aa", "bb", "cc", "aab", "ee", "unknown"])
clauses = st.lists(
    st.builds(
        Part,
        st.sampled_from(["", "", "+", "-"]),
        st.sampled_from(["word", "phrase", "phrase", "prefix", "fuzzy"]),
        st.lists(words, min_size=1, max_size=3),
        st.sampled_from([1.0, 1.0, 2.0, 0.5, 0.0]),
        st.sampled_from([1, 2]),
    ),
    max_size=4,
)


def close(found: list[Ranked], wanted: list[Ranked]) -> bool:
    """The same documents in the same order; a sum of three idf may be rounded otherwise."""
    return all(
        [name for name, _ in a] == [name for name, _ in b]
        and np.allclose([s for _, s in a], [s for _, s in b], rtol=1e-6)
        for a, b in zip(found, wanted, strict=True)
    )


@given(st.data())
@settings(max_examples=25)
def test_queries_with_signs(exact: Any, data: st.DataObject) -> None:
    records, asked = data.draw(exact.collections()), data.draw(st.lists(clauses, max_size=4))
    k, inside, threads = data.draw(exact.ks), data.draw(exact.years), data.draw(st.integers(1, 3))
    most = data.draw(st.sampled_from([1, 2, 50]))
    c = exact.Plain(records)
    texts = [" ".join(map(str, parts)) for parts in asked]
    with exact.indexed(records) as bm25:
        for options in exact.VARIANTS:
            wanted = []
            for parts in asked:
                scores, allowed = plainly(c, parts, options, most)
                wanted.append(c.best(scores, c.within(inside) & allowed & (scores > 0), k))
            way = SyntaxSearch(bm25.with_parameters(**options), most_terms=most)
            assert close(exact.asking(way, texts, k, inside, threads), wanted), options
