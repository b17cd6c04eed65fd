"""Retrievers by terms: weighted queries."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plackett import BM25, Corpus, Queries
from plackett.errors import DataError
from plackett.retrievers.expansion import RM3, Expanded
from plackett.retrievers.models import Dirichlet, Lexical
from plackett.retrievers.term_retriever import TermRetriever, encode_weighted

TEXTS = {
    "d1": "lift of a wing",
    "d2": "wings and wing flaps",
    "d3": "heat transfer",
    "d4": "lifting heat",
    "d5": "boundary layers of wings",
}


class ByTerms(TermRetriever):
    """No more than what is shared, over the lists of BM25, which are filled when asked for."""

    def __init__(self, bm25: BM25) -> None:
        self.index, self.lists, self.corpus = bm25.index, bm25.lists, bm25.corpus
        self.run_name = "terms"

    def __repr__(self) -> str:
        return "ByTerms()"


@pytest.fixture(scope="module")
def bm25(tmp_path_factory: pytest.TempPathFactory) -> BM25:
    records = [
        {"id": name, "text": text, "year": 1990 + i} for i, (name, text) in enumerate(TEXTS.items())
    ]
    corpus = Corpus.from_records(records, fields=["text"])
    return BM25.build(corpus, tmp_path_factory.mktemp("terms"), metadata=["year"])


RETRIEVERS: list[Callable[[BM25], TermRetriever]] = [
    ByTerms,
    lambda bm25: Lexical(bm25, Dirichlet(mu=50)),
]


@pytest.mark.parametrize("make", RETRIEVERS, ids=["sums", "smoothed"])
@settings(max_examples=40, deadline=None)
@given(
    asked=st.lists(
        st.dictionaries(
            st.sampled_from(["wings", "lift", "heat", "flap", "boundary layer", "unheardof"]),
            st.integers(0, 3),
            max_size=4,
        ),
        min_size=1,
        max_size=4,
    ),
    k=st.integers(1, 6),
)
def test_a_whole_weight_repeats_a_word(make, bm25, asked, k) -> None:
    retriever = make(bm25)
    queries = {f"q{i}": words for i, words in enumerate(asked)}
    texts = {
        name: " ".join(word for word, times in words.items() for _ in range(times))
        for name, words in queries.items()
    }
    by_weights = retriever.search_terms(queries, k, threads=2)
    assert by_weights.to_dict() == retriever.search(Queries.from_texts(texts), k).to_dict()
    assert by_weights.query_names == list(queries)


def test_scores_grow_with_their_weight(bm25: BM25) -> None:
    retriever = ByTerms(bm25)
    once, thrice = (
        dict(retriever.search_terms({"q": {"wing": weight}})["q"]) for weight in (0.5, 1.5)
    )
    assert thrice == pytest.approx({name: 3 * score for name, score in once.items()})


def test_what_is_shared_is_what_bm25_says(bm25: BM25) -> None:
    queries = Queries.from_texts({"a": "wings lift wings", "b": "heat", "c": "unheardof"})
    retriever = ByTerms(bm25)
    assert retriever.search(queries).to_dict() == bm25.search(queries).to_dict()
    for document in TEXTS:
        for query in ("wings lift wings unheardof", "heat", "unheardof"):
            assert retriever.explain(query, document) == bm25.explain(query, document)


def test_words_are_analysed_unless_they_are_terms(bm25: BM25) -> None:
    retriever = ByTerms(bm25)
    assert len(retriever.search_terms({"q": {"Wings": 1.0}})["q"]) == 3
    assert retriever.search_terms({"q": {"Wings": 1.0}}, analyze=False)["q"] == []
    assert len(retriever.search_terms({"q": {"wing": 1.0}}, analyze=False)["q"]) == 3
    two = encode_weighted(bm25.index, {"q": {"boundary layers": 2.0}})
    assert two.weights.tolist() == [2.0, 2.0]


def test_what_an_expansion_asked_can_be_asked_again(bm25: BM25) -> None:
    expanded = Expanded(bm25, RM3(documents=2, common=1.0))
    queries = Queries.from_texts({"q": "wings"})
    again = ByTerms(bm25).search_terms({"q": expanded.queries(["wings"])[0]}, analyze=False)
    assert again.to_dict()["q"] == pytest.approx(expanded.search(queries).to_dict()["q"], rel=1e-6)


def test_runs_carry_their_queries(bm25: BM25) -> None:
    run = ByTerms(bm25).search_terms({"q1": {"wing": 2.0, "lift": 0.5}, "q2": {}})
    assert run.queries is not None
    assert run.queries.text("q1") == "wing lift"
    assert run["q2"] == []
    assert run.name == "terms"
    assert len(ByTerms(bm25).search_terms({})) == 0


def test_documents_are_filtered(bm25: BM25) -> None:
    run = ByTerms(bm25).search_terms({"q": {"wing": 1.0}}, where={"year": (1991, None)})
    assert {name for name, _ in run["q"]} == {"d2", "d5"}


@pytest.mark.parametrize("weight", [-1.0, math.nan, math.inf, "2", None, 1e39])
def test_a_weight_must_be_one(weight: float, bm25: BM25) -> None:
    with pytest.raises(DataError, match="weight"):
        ByTerms(bm25).search_terms({"q": {"wing": weight}})


def test_words_must_be_texts(bm25: BM25, tmp_path: Path) -> None:
    words: dict[str, dict[str, float]] = {"q": {3: 1.0}}  # type: ignore[dict-item]
    with pytest.raises(DataError, match="word 3"):
        ByTerms(bm25).search_terms(words)
