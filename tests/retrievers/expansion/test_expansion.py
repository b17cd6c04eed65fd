"""Expansions: the cards' numbers, what holds for all of them, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from plackett import BM25, Corpus, Queries
from plackett.errors import ConfigurationError, UnknownNameError
from plackett.retrievers.expansion import (
    KL,
    RM3,
    Bo1,
    Expanded,
    Expansion,
    expansion_names,
    parse_expansion,
)
from plackett.retrievers.expansion.base import WeightedTerms
from plackett.retrievers.expansion.feedback import Feedback, heaviest, read_feedback

ALL: list[Expansion] = [
    RM3(),
    RM3(documents=2, terms=3, original=0.8, common=1.0),
    Bo1(),
    Bo1(beta=0.4, terms=5),
    Bo1(terms=0),
    KL(),
    KL(beta=0.4, documents=5),
]
WORDS = [f"w{i:02d}" for i in range(40)]


@pytest.fixture(scope="module")
def bm25(tmp_path_factory: pytest.TempPathFactory) -> BM25:
    generator = np.random.default_rng(3)
    chances = 1 / np.arange(1, 41)
    texts = {
        f"d{i:03d}": " ".join(generator.choice(WORDS, 12, p=chances / chances.sum()))
        for i in range(300)
    }
    folder = tmp_path_factory.mktemp("index")
    return BM25.build(Corpus.from_texts(texts), folder, analyzer="whitespace")


@pytest.fixture(scope="module")
def letters(tmp_path_factory: pytest.TempPathFactory) -> BM25:
    """The documents of the card: aa aa bb cc, aa cc cc cc; and one of everything."""
    texts = {"d1": "aa aa bb cc", "d2": "aa cc cc cc", "d3": "zz"}
    folder = tmp_path_factory.mktemp("letters")
    return BM25.build(Corpus.from_texts(texts), folder, analyzer="whitespace")


def terms_of(bm25: BM25, names: str) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    return np.array([bm25.index.term_code(name) for name in names.split()], dtype=np.int32)


def named(bm25: BM25, query: WeightedTerms) -> dict[str, float]:
    names = bm25.index.terms.strings(query.terms).to_pylist()
    return dict(zip(names, query.weights.tolist(), strict=True))


def test_rm3_gives_the_numbers_of_the_card(letters: BM25) -> None:
    documents = np.array([0, 1], dtype=np.int32)
    feedback = read_feedback(letters.index, documents, np.array([3, 1], dtype=np.float32))
    query = WeightedTerms(terms_of(letters, "aa"), np.array([1.0]))
    found = named(letters, RM3(common=1.0).expand(letters.index, query, feedback))
    assert found == pytest.approx({"aa": 0.71875, "bb": 0.09375, "cc": 0.1875})
    model = named(letters, RM3(common=1.0, original=0.0).expand(letters.index, query, feedback))
    assert model == pytest.approx({"aa": 0.4375, "bb": 0.1875, "cc": 0.375})
    # Of each document two terms, then of the sum two.
    two = RM3(common=1.0, original=0.0, terms=2).expand(letters.index, query, feedback)
    assert named(letters, two) == pytest.approx({"aa": 2.25 / 3.25, "bb": 1 / 3.25})


def test_bo1_and_kl_give_the_numbers_of_the_card(bm25: BM25) -> None:
    p = 50 / 1000
    weight = 6 * np.log2((1 + p) / p) + np.log2(1 + p)
    g = 6 / 1000
    normaliser = 6 * np.log2((1 + g) / g) + np.log2(1 + g)
    assert weight == pytest.approx(26.424294, abs=1e-5)
    assert normaliser == pytest.approx(44.345343, abs=1e-5)
    assert weight / normaliser == pytest.approx(0.595875, abs=1e-5)

    class Index:
        n_documents, n_tokens = 1000, 20_000

    index: object = Index()
    found = Bo1().weigh(np.array([6.0]), np.array([50.0]), 100.0, index)  # type: ignore[arg-type]
    assert found[0] == pytest.approx(weight)
    part = KL().weigh(
        np.array([6.0, 1.0]),
        np.array([50.0, 9000.0]),
        100.0,
        index,  # type: ignore[arg-type]
    )
    assert part.tolist() == pytest.approx([0.06 * np.log2(0.06 / 0.0025), 0.0])


@pytest.mark.parametrize("expansion", ALL, ids=repr)
def test_what_holds_for_every_expansion(expansion: Expansion, bm25: BM25) -> None:
    longer = Expanded(bm25, expansion)
    assert parse_expansion(repr(expansion)) == expansion
    texts = ["w03 w10", "w20 w20 w05", "unknown", ""]
    queries = longer.queries(texts)
    for text, query in zip(texts, queries, strict=True):
        known = {word for word in text.split() if word in WORDS}
        assert known <= set(query)  # the query's own terms stay
        assert all(weight > 0 and np.isfinite(weight) for weight in query.values())
        assert list(query.values()) == sorted(query.values(), reverse=True)
        if isinstance(expansion, RM3) and known:
            assert sum(query.values()) == pytest.approx(1.0)
        elif known:
            assert max(query.values()) >= 1.0
        if getattr(expansion, "terms", 1) == 0:
            assert set(query) == known
    asked = Queries.from_texts({f"q{i}": text for i, text in enumerate(texts)})
    run = longer.search(asked, k=20)
    assert run["q2"] == run["q3"] == []
    assert longer.search(asked, k=20, threads=2).to_dict() == run.to_dict()
    # A query alone gives what it gives among others.
    alone = longer.search(Queries.from_texts({"q1": texts[1]}), k=20)
    assert alone["q1"] == run["q1"]
    assert "expansion" not in run.name
    assert run.costs[0].queries == 4


@pytest.mark.parametrize("expansion", [RM3(original=1.0), RM3(original=1.0, documents=3)], ids=repr)
def test_the_original_alone_gives_the_first_ranking(expansion: RM3, bm25: BM25) -> None:
    queries = Queries.from_texts({"q1": "w03 w10 w07", "q2": "w30"})
    run, first = Expanded(bm25, expansion).search(queries), bm25.search(queries)
    for name in ("q1", "q2"):
        ours, theirs = dict(run[name]), dict(first[name])
        assert set(ours) == set(theirs)
        share = 1 / 3 if name == "q1" else 1.0
        assert [ours[d] for d in theirs] == pytest.approx(
            [share * score for score in theirs.values()], rel=1e-5
        )


def test_one_document_gives_its_own_terms(letters: BM25) -> None:
    feedback = read_feedback(letters.index, np.array([1], np.int32), np.array([7], np.float32))
    query = WeightedTerms(terms_of(letters, "aa"), np.array([2.0]))
    found = RM3(common=1.0, original=0.0).expand(letters.index, query, feedback)
    assert named(letters, found) == pytest.approx({"aa": 0.25, "cc": 0.75})


def test_terms_that_may_not_be_added(tmp_path: Path) -> None:
    texts = {"d1": "wing x überlang " + "y" * 21 + " flap", "d2": "the wing", "d3": "the"}
    bm25 = BM25.build(Corpus.from_texts(texts), tmp_path / "i", analyzer="whitespace")
    plain = Expanded(bm25, RM3(common=0.5)).queries(["wing"])[0]
    assert set(plain) == {"wing", "flap"}
    other = Expanded(bm25, RM3(common=1.0, plain=False, shortest=1)).queries(["wing"])[0]
    assert set(other) == {"wing", "flap", "the", "x", "überlang"}


def test_a_new_term_must_occur_in_two_documents(letters: BM25) -> None:
    documents = np.array([0, 1], dtype=np.int32)
    feedback = read_feedback(letters.index, documents, np.array([3, 1], dtype=np.float32))
    query = WeightedTerms(terms_of(letters, "aa"), np.array([1.0]))
    assert "bb" not in named(letters, Bo1().expand(letters.index, query, feedback))
    assert "bb" in named(letters, Bo1(least=1).expand(letters.index, query, feedback))
    of_query = WeightedTerms(terms_of(letters, "bb"), np.array([1.0]))
    assert named(letters, Bo1().expand(letters.index, of_query, feedback))["bb"] > 1


def test_no_feedback_leaves_the_query(letters: BM25) -> None:
    nothing = Feedback(np.zeros(0), np.zeros(0, np.int64), np.zeros(0, np.int32), np.zeros(0))
    query = WeightedTerms(terms_of(letters, "aa cc"), np.array([1.0, 3.0]))
    for expansion in ALL:
        found = expansion.expand(letters.index, query, nothing)
        assert found.terms.tolist() == query.terms.tolist()
        assert found.weights / found.weights.sum() == pytest.approx([0.25, 0.75])


def test_ties_are_taken_by_the_alphabet(letters: BM25) -> None:
    terms = terms_of(letters, "zz cc aa bb")
    weights = np.array([1.0, 1.0, 1.0, 2.0])
    chosen = terms[heaviest(letters.index, terms, weights, 3)]
    assert letters.index.terms.strings(chosen).to_pylist() == ["bb", "aa", "cc"]


def test_expansion_helps_where_relevant_documents_share_words(tmp_path: Path) -> None:
    texts = {f"r{i}": "gust load alleviation" for i in range(3)}
    texts |= {"hidden": "load alleviation control", "other": "heat control"}
    bm25 = BM25.build(Corpus.from_texts(texts), tmp_path / "i")
    queries = Queries.from_texts({"q": "gust"})
    assert "hidden" not in dict(bm25.search(queries)["q"])
    for expansion in ("RM3(common=1.0)", "Bo1", "KL(beta=0.5)"):
        assert "hidden" in dict(Expanded(bm25, expansion).search(queries)["q"])


def test_what_does_not_fit_is_told(bm25: BM25, tmp_path: Path) -> None:
    assert expansion_names() == ("Bo1", "KL", "RM3")
    with pytest.raises(UnknownNameError, match="RM3"):
        Expanded(bm25, "RM4")
    for make in (
        lambda: RM3(documents=0),
        lambda: RM3(original=1.5),
        lambda: Bo1(terms=-1),
        lambda: KL(beta=0.0),
        lambda: Bo1(least=0),
    ):
        with pytest.raises(ConfigurationError, match="expected"):
            make()
    without = BM25.build(Corpus.from_texts({"d": "wing"}), tmp_path / "i", forward=False)
    with pytest.raises(ConfigurationError, match="forward"):
        Expanded(without, "RM3").search(Queries.from_texts({"q": "wing"}))
    assert repr(Expanded(bm25, "KL")).startswith("Expanded(BM25.open(")
