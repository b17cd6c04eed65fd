"""Every expansion equals its formula: the second search, of the terms that the first one gave."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plackett.retrievers.expansion import Expanded, expansion_names

Ranked = list[tuple[str, float]]
Query = dict[str, float]


def relevance_model(
    c: Any, query: Query, first: Ranked, *, terms: int, original: float, common: float
) -> Query:
    """RM3, of the documents that were found first."""
    summed: dict[str, float] = {}
    for name, score in first:
        counts = Counter(w for part in c.texts[c.ids.index(name)] for w in part)
        fit = [w for w in counts if c.df[c.code[w]] <= common * c.n and re.match("[a-z]{2,}$", w)]
        kept = sorted(fit, key=lambda w: (-counts[w], w))[:terms]
        for word in kept:
            share = counts[word] / sum(counts[w] for w in kept)
            summed[word] = summed.get(word, 0.0) + score * share
    heaviest = sorted(summed, key=lambda w: (-summed[w], w))[:terms]
    whole, tokens = float(np.array([summed[w] for w in heaviest]).sum()), sum(query.values())
    mixed = {word: original * (count / tokens) for word, count in query.items()}
    if not heaviest:
        return {word: count / tokens for word, count in query.items()}
    for word in heaviest:
        mixed[word] = mixed.get(word, 0.0) + (1 - original) * (summed[word] / whole)
    return {word: weight for word, weight in mixed.items() if weight > 0}


Weigh = Callable[[float, float, float], float]


def bose_einstein(c: Any) -> Weigh:
    def weigh(within: float, everywhere: float, tokens: float) -> float:
        p = everywhere / c.n
        return float(within * np.log2((1 + p) / p) + np.log2(1 + p))

    return weigh


def kullback_leibler(c: Any) -> Weigh:
    def weigh(within: float, everywhere: float, tokens: float) -> float:
        p, share = within / tokens, everywhere / c.total
        return float(p * np.log2(p / share)) if p > share else 0.0

    return weigh


def divergence(
    c: Any, query: Query, first: Ranked, weigh: Weigh, *, terms: int, beta: float | None
) -> Query:
    """Bo1 and KL, of the documents that were found first, read as one."""
    counts = [Counter(w for part in c.texts[c.ids.index(name)] for w in part) for name, _ in first]
    merged: Counter[str] = sum(counts, Counter())
    tokens = float(merged.total())
    fit = [
        w
        for w in merged
        if w in query or (terms > 0 and sum(w in one for one in counts) >= min(2, len(counts)))
    ]
    weights = {w: weigh(merged[w], c.cf[c.code[w]], tokens) for w in fit}
    kept = sorted(weights, key=lambda w: (-weights[w], w))[: terms or None]
    kept = [word for word in kept if weights[word] > 0]
    most = max(query.values(), default=1.0)
    longer = {word: count / most for word, count in query.items()}
    for word in kept:
        first_one = merged[kept[0]]
        if beta is None:
            added = weights[word] / weigh(first_one, first_one, tokens)
        else:
            added = beta * weights[word] / weights[kept[0]]
        longer[word] = longer.get(word, 0.0) + added
    return longer


Longer = Callable[[Any, Query, Ranked], Query]
EXPANSIONS: dict[str, tuple[int, Longer]] = {
    "RM3()": (
        10,
        lambda c, q, first: relevance_model(c, q, first, terms=10, original=0.5, common=0.1),
    ),
    "RM3(documents=2, terms=3, original=0.8, common=1.0)": (
        2,
        lambda c, q, first: relevance_model(c, q, first, terms=3, original=0.8, common=1.0),
    ),
    "RM3(documents=3, original=0.0, common=0.5)": (
        3,
        lambda c, q, first: relevance_model(c, q, first, terms=10, original=0.0, common=0.5),
    ),
    "Bo1()": (3, lambda c, q, f: divergence(c, q, f, bose_einstein(c), terms=10, beta=None)),
    "Bo1(documents=2, terms=0)": (
        2,
        lambda c, q, f: divergence(c, q, f, bose_einstein(c), terms=0, beta=None),
    ),
    "KL()": (3, lambda c, q, f: divergence(c, q, f, kullback_leibler(c), terms=10, beta=None)),
    "KL(documents=5, terms=2, beta=0.4)": (
        5,
        lambda c, q, f: divergence(c, q, f, kullback_leibler(c), terms=2, beta=0.4),
    ),
}


def in_order_of_codes(c: Any, query: dict[str, float]) -> dict[str, float]:
    """The terms as an expansion hands them on: those of equal bounds are added in this order."""
    return dict(sorted(query.items(), key=lambda pair: c.code[pair[0]]))


def test_no_expansion_is_left_out() -> None:
    assert {text.split("(")[0] for text in EXPANSIONS} == set(expansion_names())


@given(st.data())
@settings(max_examples=15)
def test_every_expansion_equals_its_formula(exact: Any, data: st.DataObject) -> None:
    records, texts = data.draw(exact.collections()), data.draw(exact.queries)
    k, inside, threads = data.draw(exact.ks), data.draw(exact.years), data.draw(st.integers(1, 3))
    c = exact.Plain(records)
    queries = [c.terms(text) for text in texts]
    with exact.indexed(records) as lucene:
        for options in exact.VARIANTS[:6:2]:
            bm25, scores = lucene.with_parameters(**options), exact.Scores(c.bm25(**options))
            for name, (depth, longer) in EXPANSIONS.items():
                firsts = c.rankings(scores, queries, depth, inside)
                asked = [
                    in_order_of_codes(c, longer(c, *both))
                    for both in zip(queries, firsts, strict=True)
                ]
                found = exact.asking(Expanded(bm25, name), texts, k, inside, threads)
                assert found == c.rankings(scores, asked, k, inside), name


@pytest.mark.parametrize("name", EXPANSIONS)
def test_the_terms_that_are_told_are_those_that_are_searched(name: str, exact: Any) -> None:
    texts = [["aa", "bb cc"], ["", "aa aab ee"], ["bb aa", "cc cc aab"], ["ü", "gg"]]
    records = [
        {"id": f"d{i}", "title": title, "text": text, "year": 0}
        for i, (title, text) in enumerate(texts)
    ]
    c = exact.Plain(records)
    depth, longer = EXPANSIONS[name]
    scores = exact.Scores(c.bm25(variant="lucene", k1=1.2, b=0.75))
    queries = [c.terms("aa cc"), c.terms("ü"), {}]
    firsts = c.rankings(scores, queries, depth)
    with exact.indexed(records) as bm25:
        told = Expanded(bm25, name).queries(["aa cc", "ü", "unknown"])
    for weights, query, first in zip(told, queries, firsts, strict=True):
        assert weights == pytest.approx(longer(c, query, first))
