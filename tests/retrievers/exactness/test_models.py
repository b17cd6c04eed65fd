"""Every variant of BM25 and every registered model equals its formula, scores bit for bit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plackett import BM25
from plackett.retrievers.models import Lexical, term_model_names

Floats = npt.NDArray[np.float64]
FIELDS = ("title", "text")


def bits_of_length(n: int) -> int:
    """A length as Lucene keeps it: exact to 24, then 24 + a number of four significant bits."""
    if n < 24:
        return n
    rest = n - 24
    shift = max(rest.bit_length() - 4, 0)
    return 24 + (rest >> shift << shift)


def coarse(lengths: Floats) -> Floats:
    return np.array([bits_of_length(int(n)) for n in lengths], dtype=float)


def lucene(c: Any, k1: float, b: float) -> Floats:
    norm = 1 - b + b * (coarse(c.dl) / (c.mean or 1.0))
    return c.present(c.idf(c.n, c.df[:, None]) * (c.tf / (k1 * norm + c.tf)))


def together(c: Any, weights: dict[str, float], k1: float, b: dict[str, float]) -> Floats:
    x = np.zeros_like(c.tf)
    for name, weight in weights.items():
        tf = c.in_field[:, FIELDS.index(name)]
        lengths = tf.sum(axis=0)
        share = b.get(name, 0.75)
        norm = 1 - share + share * lengths / max(lengths.mean(), 1e-12)
        x += np.where(tf > 0, weight * tf / norm, 0.0)
    return np.where(x > 0, c.idf(c.n, c.df)[:, None] * x / (k1 + x), 0.0)


def apart(c: Any, weights: dict[str, float], k1: float, b: float) -> Floats:
    total = np.zeros(c.tf.shape, dtype=np.float32)
    for name, weight in weights.items():
        tf = c.in_field[:, FIELDS.index(name)]
        lengths = tf.sum(axis=0)
        having, df = (lengths > 0).sum(), (tf > 0).sum(axis=1).astype(float)
        norm = 1 - b + b * (coarse(lengths) / (lengths.sum() / max(having, 1) or 1.0))
        field_idf = np.where(df > 0, weight * c.idf(having, np.maximum(df, 1)), 0.0)
        saturated = tf / np.where(tf > 0, tf + k1 * norm, 1.0)
        total += (field_idf[:, None] * saturated).astype(np.float32)
    return total.astype(float)


def dirichlet(c: Any, mu: float) -> list[Floats]:
    return [np.log1p(c.tf / (mu * (c.cf / c.total)[:, None])), np.log(mu / (c.dl + mu))]


def jelinek_mercer(c: Any, share: float) -> Floats:
    odds = (1 - share) / share
    return np.log1p(odds * c.tf / np.maximum(c.dl, 1) / (c.cf / c.total)[:, None])


def absolute(c: Any, delta: float) -> list[Floats]:
    distinct = (c.tf > 0).sum(axis=0).astype(float)
    given_away = delta * distinct * (c.cf / c.total)[:, None]
    gained = np.log1p((c.tf - delta) / np.where(distinct > 0, given_away, 1.0))
    kept = np.where(c.dl > 0, delta * distinct / np.maximum(c.dl, 1), 1.0)
    return [c.present(gained), np.log(kept)]


def dph(c: Any) -> Floats:
    share = c.tf / np.maximum(c.dl, 1)
    r = np.minimum(share, 0.99999)
    inside = c.tf * np.log2(share * c.mean * (c.n / c.cf)[:, None])
    inside += 0.5 * np.log2(2 * np.pi * c.tf * (1 - r))
    return c.present((1 - r) ** 2 / (c.tf + 1) * inside)


def second_normalisation(c: Any, factor: float) -> Floats:
    return c.tf * np.log2(1 + factor * c.mean / np.maximum(c.dl, 1))


def pl2(c: Any, factor: float) -> Floats:
    tfn, f = second_normalisation(c, factor), (c.cf / c.n)[:, None]
    inside = tfn * np.log2(tfn / np.e / f) + f * np.log2(np.e) + 0.5 * np.log2(2 * np.pi * tfn)
    return c.present(inside / (tfn + 1))


def inl2(c: Any, factor: float) -> Floats:
    tfn = second_normalisation(c, factor)
    return tfn / (tfn + 1) * np.log2((c.n + 1) / (c.df + 0.5))[:, None]


def as_bm25s(c: Any, variant: str, k1: float, b: float, delta: float = 0.5) -> list[Any]:
    """As bm25s: no idf below 0, and the formulas of two variants also for tf = 0."""
    impacts = c.bm25(variant=variant, k1=k1, b=b, delta=delta).astype(np.float32)
    if variant in ("robertson", "lucene", "atire"):
        return [np.maximum(impacts, 0.0)]
    df = c.df[:, None]
    idf = np.log((c.n + 1) / (df + 0.5 if variant == "bm25l" else df))
    raised = (k1 + 1) / (k1 + delta) if variant == "bm25l" else 1.0
    everywhere = (idf * delta * raised).astype(np.float32)
    if variant == "bm25+":  # what all get is left out, not added and taken away again
        above = c.bm25(variant=variant, k1=k1, b=b, delta=0.0).astype(np.float32)
    else:
        above = impacts - everywhere
    return [c.present(above), None, everywhere[:, 0]]


Formula = Callable[[Any], Any]
MODELS: dict[str, Formula] = {
    "Dirichlet(mu=1000.0)": lambda c: dirichlet(c, 1000.0),
    "Dirichlet(mu=0.5)": lambda c: dirichlet(c, 0.5),
    "JelinekMercer(share=0.1)": lambda c: jelinek_mercer(c, 0.1),
    "JelinekMercer(share=0.9)": lambda c: jelinek_mercer(c, 0.9),
    "AbsoluteDiscounting(delta=0.7)": lambda c: absolute(c, 0.7),
    "DPH()": dph,
    "PL2(c=1.0)": lambda c: pl2(c, 1.0),
    "PL2(c=7.0)": lambda c: pl2(c, 7.0),
    "InL2(c=1.0)": lambda c: inl2(c, 1.0),
    "LuceneBM25()": lambda c: lucene(c, 0.9, 0.4),
    "BM25F()": lambda c: together(c, {"title": 1.0, "text": 1.0}, 1.2, {}),
    "BM25F({'title': 3.0, 'text': 0.5}, k1=0.0, b={'title': 1.0})": lambda c: together(
        c, {"title": 3.0, "text": 0.5}, 0.0, {"title": 1.0}
    ),
    "FieldBM25()": lambda c: apart(c, {"title": 1.0, "text": 1.0}, 0.9, 0.4),
    "FieldBM25({'title': 2.5}, k1=2.0, b=1.0)": lambda c: apart(c, {"title": 2.5}, 2.0, 1.0),
    "BM25S('robertson')": lambda c: as_bm25s(c, "robertson", 1.5, 0.75),
    "BM25S('lucene', b=0.1)": lambda c: as_bm25s(c, "lucene", 1.5, 0.1),
    "BM25S('bm25l', delta=0.7)": lambda c: as_bm25s(c, "bm25l", 1.5, 0.75, 0.7),
    "BM25S('bm25+', k1=0.9)": lambda c: as_bm25s(c, "bm25+", 0.9, 0.75),
}


def test_no_model_is_left_out() -> None:
    assert {text.split("(")[0] for text in MODELS} == set(term_model_names())


def ways_of(exact: Any, bm25: BM25, c: Any) -> Iterator[tuple[Any, Any]]:
    """Every way to search an index by terms, and what its formula gives."""
    for options in exact.VARIANTS:
        yield bm25.with_parameters(**options), exact.Scores(c.bm25(**options))
    for name, formula in MODELS.items():
        with np.errstate(all="ignore"):
            made = formula(c)
        yield Lexical(bm25, name), exact.Scores(*(made if isinstance(made, list) else [made]))


@given(st.data())
@settings(max_examples=25)
def test_every_model_equals_its_formula(exact: Any, data: st.DataObject) -> None:
    records = data.draw(exact.collections())
    texts, k, inside = (data.draw(one) for one in (exact.queries, exact.ks, exact.years))
    threads = data.draw(st.integers(1, 3))
    c = exact.Plain(records)
    queries = [c.terms(text) for text in texts]
    with exact.indexed(records) as bm25:
        for way, scores in ways_of(exact, bm25, c):
            found = exact.asking(way, texts, k, inside, threads)
            assert found == c.rankings(scores, queries, k, inside), way


@given(st.data())
@settings(max_examples=15)
def test_weighted_terms_equal_the_formula(exact: Any, data: st.DataObject) -> None:
    records = data.draw(exact.collections())
    weights = st.sampled_from([0.0, 0.25, 1.0, 2.0, 4.0])
    word = st.sampled_from([*exact.WORDS, "unknown"])
    asked = data.draw(st.lists(st.dictionaries(word, weights, max_size=5), max_size=3))
    k, inside = data.draw(exact.ks), data.draw(exact.years)
    c = exact.Plain(records)
    queries = [{name: w for name, w in query.items() if name in c.code} for query in asked]
    where = {"year": inside} if inside else None
    named = {f"q{i}": query for i, query in enumerate(asked)}
    with exact.indexed(records) as bm25:
        for way, scores in ways_of(exact, bm25, c):
            run = way.search_terms(named, k, where=where)
            assert [run[name] for name in named] == c.rankings(scores, queries, k, inside), way


@pytest.mark.parametrize("seed", [1, 2])
def test_more_than_a_thousand_results(seed: int, exact: Any) -> None:
    generator = np.random.default_rng(seed)
    drawn = [" ".join(generator.choice(exact.WORDS, generator.integers(0, 9))) for _ in range(40)]
    ids = generator.permutation(2300)
    records = [
        {"id": f"d{ids[i]}", "title": drawn[i % 3], "text": drawn[i % 40], "year": i % 4}
        for i in range(2300)
    ]
    c = exact.Plain(records)
    texts = ["aa bb", "ee ee ü aab", " ".join(exact.WORDS), "unknown"]
    queries = [c.terms(text) for text in texts]
    with exact.indexed(records) as bm25:
        for way, scores in ways_of(exact, bm25, c):
            for k, inside, threads in ((1, None, 1), (999, None, 2), (1001, (1, 2), 1)):
                found = exact.asking(way, texts, k, inside, threads)
                assert found == c.rankings(scores, queries, k, inside), way
            every = exact.asking(way, texts, 10**12, threads=3)
            assert every == c.rankings(scores, queries, len(records)), way
