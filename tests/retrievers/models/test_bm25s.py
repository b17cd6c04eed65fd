"""BM25S: the scores of the package bm25s."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from plackett import BM25, Corpus, Queries
from plackett.errors import ConfigurationError, UnknownNameError
from plackett.retrievers.models import BM25S, Lexical, parse_term_model
from plackett.retrievers.weighting import VARIANTS

TEXTS = [
    "wing lift wing drag",
    "lift and heat heat heat heat heat heat",
    "wing wing wing flap",
    "heat",
    "flap wing lift heat drag heat",
    "drag",
]
QUERIES = ["wing lift", "heat heat drag", "flap"]
OTHER = (0.9, 0.4, 1.0)  # k1, b, delta
Scores = list[list[float]]
# bm25s 0.3.16, for every document of every query: `model = bm25s.BM25(method=variant)`, and with
# `k1=0.9, b=0.4, delta=1.0`; `model.index([text.split() for text in TEXTS])`;
# `[model.get_scores(query.split()) for query in QUERIES]`.
DEFAULTS_OF_BM25S: dict[str, Scores] = {
    "robertson": [
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        [0.0, 0.0, 0.23511, 0.0, 0.19193, 0.0],
    ],
    "lucene": [
        [0.67334, 0.19121, 0.4621, 0.0, 0.45267, 0.0],
        [0.27726, 0.96438, 0.0, 0.83701, 0.90882, 0.4185],
        [0.0, 0.0, 0.41185, 0.0, 0.3362, 0.0],
    ],
    "atire": [
        [1.68336, 0.47803, 1.15525, 0.0, 1.13167, 0.0],
        [0.69315, 2.41095, 0.0, 2.09252, 2.27204, 1.04626],
        [0.0, 0.0, 1.09861, 0.0, 0.89683, 0.0],
    ],
    "bm25l": [
        [1.94948, 1.15525, 1.64622, 0.86643, 1.55958, 0.86643],
        [1.73287, 2.94132, 1.29965, 2.68595, 2.74067, 1.9928],
        [0.64351, 0.64351, 1.28702, 0.64351, 1.15832, 0.64351],
    ],
    "bm25+": [
        [2.90502, 1.43164, 2.25946, 0.8473, 2.23064, 0.8473],
        [2.11824, 4.21807, 1.27095, 3.82883, 4.04827, 2.54989],
        [0.62638, 0.62638, 1.87914, 0.62638, 1.64904, 0.62638],
    ],
}
OTHERS_OF_BM25S: dict[str, Scores] = {
    "robertson": [
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        [0.0, 0.0, 0.30936, 0.0, 0.28259, 0.0],
    ],
    "lucene": [
        [0.84285, 0.3067, 0.53319, 0.0, 0.66649, 0.0],
        [0.36481, 1.1457, 0.0, 0.85049, 1.23343, 0.42524],
        [0.0, 0.0, 0.5419, 0.0, 0.49501, 0.0],
    ],
    "atire": [
        [1.60141, 0.58273, 1.01306, 0.0, 1.26633, 0.0],
        [0.69315, 2.17683, 0.0, 1.61593, 2.34353, 0.80796],
        [0.0, 0.0, 1.09861, 0.0, 1.00354, 0.0],
    ],
    "bm25l": [
        [1.92132, 1.55674, 1.76823, 1.38629, 1.76668, 1.38629],
        [2.29456, 2.94387, 2.07944, 2.61492, 2.85266, 2.34718],
        [1.02962, 1.02962, 1.34916, 1.02962, 1.31214, 1.02962],
    ],
    "bm25+": [
        [3.65215, 2.40693, 2.93295, 1.6946, 3.24254, 1.6946],
        [3.38919, 5.20283, 2.54189, 4.51719, 5.4066, 3.52954],
        [1.25276, 1.25276, 2.50553, 1.25276, 2.39711, 1.25276],
    ],
}
ASKED = Queries.from_texts({f"q{i}": text for i, text in enumerate(QUERIES)})


@pytest.fixture(scope="module")
def bm25(tmp_path_factory: pytest.TempPathFactory) -> BM25:
    corpus = Corpus.from_texts({f"d{i}": text for i, text in enumerate(TEXTS)})
    return BM25.build(corpus, tmp_path_factory.mktemp("bm25s"), analyzer="whitespace")


def other(variant: str) -> BM25S:
    parameters = OTHER if VARIANTS[variant].delta is not None else OTHER[:2]
    return BM25S(variant, *parameters)


CASES = [
    *((BM25S(variant), scores) for variant, scores in DEFAULTS_OF_BM25S.items()),
    *((other(variant), scores) for variant, scores in OTHERS_OF_BM25S.items()),
]


@pytest.mark.parametrize(("model", "wanted"), CASES, ids=itertools.count())
def test_scores_are_those_of_the_package(model: BM25S, wanted: Scores, bm25: BM25) -> None:
    retriever = Lexical(bm25, model)
    run = retriever.search(ASKED)
    for query, scores in enumerate(wanted):
        found = dict(run[f"q{query}"])
        least = min(scores)  # of documents without a term of the query, which are no results here
        above = {f"d{i}": score for i, score in enumerate(scores) if score > least}
        assert found == pytest.approx(above, abs=1e-5)
        for name, score in found.items():
            why = retriever.explain(QUERIES[query], name)
            assert why.score == score
            assert sum(part.contribution for part in why.terms) == pytest.approx(score, abs=1e-5)


def test_delta_changes_no_ranking_of_bm25_plus(bm25: BM25) -> None:
    """The constant of all documents takes away what delta gives to those that have the term."""
    low, high = (Lexical(bm25, BM25S("bm25+", delta=delta)).search(ASKED) for delta in (0.0, 2.0))
    for query in ASKED.ids:
        names = [name for name, _ in low[query]]
        assert names == [name for name, _ in high[query]]


def test_present_terms_alone_are_as_in_bm25(bm25: BM25) -> None:
    """Without a constant, and where no idf is below 0, the two say the same."""
    for variant in ("lucene", "atire"):
        run = Lexical(bm25, BM25S(variant)).search(ASKED)
        assert (
            run.to_dict() == bm25.with_parameters(variant=variant, k1=1.5).search(ASKED).to_dict()
        )


def test_weighted_terms_weigh_their_constants(bm25: BM25) -> None:
    """A weight of 2 is a word asked twice, the constant included."""
    retriever = Lexical(bm25, BM25S("bm25l"))
    twice = retriever.search(Queries.from_texts({"q": "heat drag heat"}))
    weighted = retriever.search_terms({"q": {"heat": 2.0, "drag": 1}})
    assert weighted.to_dict() == twice.to_dict()


def test_equal_scores_are_ordered_by_id(tmp_path: Path) -> None:
    """Also those that only the constant's rounding makes equal."""
    corpus = Corpus.from_texts({f"d{i:02d}": "a b" if i % 3 else "a" for i in range(40)})
    bm25 = BM25.build(corpus, tmp_path / "i", analyzer="whitespace")
    run = Lexical(bm25, BM25S("bm25+", delta=3e8)).search(Queries.from_texts({"q": "a"}))["q"]
    assert len({score for _, score in run}) == 1
    assert [name for name, _ in run] == sorted((name for name, _ in run), reverse=True)


def test_it_is_read_from_its_text() -> None:
    model = BM25S("bm25l", 1.2, 0.5, 0.25)
    assert parse_term_model(repr(model)) == model
    assert parse_term_model("BM25S") == BM25S("lucene", 1.5, 0.75)
    with pytest.raises(UnknownNameError, match="atire"):
        BM25S("okapi")
    for make in (
        lambda: BM25S("lucene", delta=0.7),
        lambda: BM25S("bm25+", delta=-1.0),
        lambda: BM25S(k1=-1.0),
        lambda: BM25S(b=2.0),
    ):
        with pytest.raises(ConfigurationError):
            make()
