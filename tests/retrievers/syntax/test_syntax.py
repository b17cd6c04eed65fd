"""Queries with signs: how they are read, and what they find, against a plain reading of texts."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plackett import BM25, Corpus, Queries
from plackett.errors import ConfigurationError
from plackett.retrievers.syntax import Clause, SyntaxSearch, parse_query, suggestions
from plackett.retrievers.syntax.spelling import Spelling

WORDS = ["wing", "wind", "lift", "heat", "flow", "boundary", "layer", "layers", "shock", "wave"]


def texts() -> dict[str, str]:
    generator = np.random.default_rng(11)
    return {
        f"d{i:02d}": " ".join(generator.choice(WORDS, generator.integers(1, 12))) for i in range(60)
    }


TEXTS = texts()
TOKENS = {name: text.split() for name, text in TEXTS.items()}
MEAN = sum(map(len, TOKENS.values())) / len(TOKENS)


@pytest.fixture(scope="module")
def bm25(tmp_path_factory: pytest.TempPathFactory) -> BM25:
    folder = tmp_path_factory.mktemp("index")
    return BM25.build(Corpus.from_texts(TEXTS), folder, analyzer="whitespace")


@pytest.mark.parametrize(
    ("text", "clauses"),
    [
        ("", ()),
        ("wing", (Clause("wing"),)),
        ("+wing", (Clause("wing", need="must"),)),
        ("-wing", (Clause("wing", need="must_not"),)),
        ("wing^2", (Clause("wing", weight=2.0),)),
        ("wing^.5", (Clause("wing", weight=0.5),)),
        ('"a b"', (Clause("a b", "phrase"),)),
        ('+"a b"^3', (Clause("a b", "phrase", "must", 3.0),)),
        ("aero*", (Clause("aero", "prefix"),)),
        ("visc~", (Clause("visc", "fuzzy"),)),
        ("visc~1", (Clause("visc", "fuzzy", distance=1),)),
        ("-visc~2^4", (Clause("visc", "fuzzy", "must_not", 4.0, 2),)),
        ("wi-fi C++", (Clause("wi-fi"), Clause("C++"))),
        ('never "closed quote', (Clause("never"), Clause("closed quote", "phrase"))),
        ("~ ^ * - +", (Clause("-"), Clause("+"))),
        ("a~3", (Clause("a"), Clause("3"))),
    ],
)
def test_signs_are_read(text: str, clauses: tuple[Clause, ...]) -> None:
    assert parse_query(text) == clauses


@given(st.text(st.sampled_from('ab "+-*~^1.'), max_size=30))
def test_no_query_is_an_error(text: str) -> None:
    for clause in parse_query(text):
        assert clause.weight >= 0
        assert clause.distance in (None, 1, 2)


def occurrences(phrase: list[str], tokens: list[str]) -> int:
    return sum(tokens[i : i + len(phrase)] == phrase for i in range(len(tokens)))


def edits(a: str, b: str) -> int:
    """Optimal string alignment, by its definition."""
    table = [
        [max(i, j) if not min(i, j) else 0 for j in range(len(b) + 1)] for i in range(len(a) + 1)
    ]
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            table[i][j] = min(
                table[i - 1][j] + 1,
                table[i][j - 1] + 1,
                table[i - 1][j - 1] + (a[i - 1] != b[j - 1]),
            )
            if i > 1 and j > 1 and a[i - 1] == b[j - 2] and a[i - 2] == b[j - 1]:
                table[i][j] = min(table[i][j], table[i - 2][j - 2] + 1)
    return table[-1][-1]


def terms_of(clause: Clause) -> dict[str, float]:
    """The terms that a clause stands for, and their weights."""
    known = {word for tokens in TOKENS.values() for word in tokens}
    if clause.kind == "prefix":
        return {word: 1.0 for word in known if word.startswith(clause.text)}
    if clause.kind == "fuzzy":
        most = clause.distance
        if most is None:
            most = (len(clause.text) > 3) + (len(clause.text) > 6)
        near = {word: edits(clause.text, word) for word in known}
        return {w: 1 - d / len(clause.text) for w, d in near.items() if d <= most}
    return {word: 1.0 for word in clause.text.split() if word in known}


def weight(tf: float, idf: float, name: str) -> float:
    return idf * tf / (tf + 1.2 * (0.25 + 0.75 * len(TOKENS[name]) / MEAN)) if tf else 0.0


def idf(word: str) -> float:
    df = sum(word in tokens for tokens in TOKENS.values())
    return math.log(1 + (len(TOKENS) - df + 0.5) / (df + 0.5))


def contribution(clause: Clause, name: str) -> float | None:
    """What a clause adds to a document's score; None where it does not match."""
    tokens = TOKENS[name]
    phrase = clause.text.split()
    if clause.kind == "phrase" and len(phrase) > 1:
        tf = occurrences(phrase, tokens)
        return clause.weight * weight(tf, sum(map(idf, phrase)), name) if tf else None
    found = {word: w for word, w in terms_of(clause).items() if word in tokens}
    if not found:
        return None
    return clause.weight * sum(w * weight(tokens.count(t), idf(t), name) for t, w in found.items())


def expected(text: str) -> dict[str, float]:
    """The scores of all results."""
    scores = {}
    for name in TOKENS:
        parts = [(clause.need, contribution(clause, name)) for clause in parse_query(text)]
        if any(part is None for need, part in parts if need == "must"):
            continue
        if any(part is not None for need, part in parts if need == "must_not"):
            continue
        total = [part for need, part in parts if need != "must_not" and part is not None]
        if total and sum(total) > 0:
            scores[name] = sum(total)
    return scores


def check(bm25: BM25, text: str, k: int) -> None:
    found = dict(SyntaxSearch(bm25).search(Queries.from_texts({"q": text}), k)["q"])
    wanted = expected(text)
    assert len(found) == min(k, len(wanted))
    for name, score in found.items():
        assert score == pytest.approx(wanted[name], rel=1e-5)
    left = [score for name, score in wanted.items() if name not in found]
    assert max(left, default=0.0) <= min(found.values(), default=math.inf) + 1e-5
    assert list(found.values()) == sorted(found.values(), reverse=True)


@pytest.mark.parametrize("k", [1, 5, 1000])
@pytest.mark.parametrize(
    "text",
    [
        "wing lift",
        "+wing lift",
        "+wing +lift -heat",
        "-heat",
        "wing -wing",
        '"boundary layer"',
        '"boundary layer" wing',
        '+"boundary layer" -"layer wing"',
        '"wing wing"',
        '"boundary layer"^3 "layer boundary" flow^.5',
        "la* wi*",
        "+wi* -wind",
        "boundray~ wign~1",
        "-wign~1 heat",
        "unknown",
        "+unknown wing",
        '"wing unknown"',
        '"flow"',
        "wing^0",
        "nothing* heat",
        "",
    ],
)
def test_results_are_those_of_a_plain_reading(text: str, k: int, bm25: BM25) -> None:
    check(bm25, text, k)


CLAUSES = st.builds(
    lambda sign, body, weight: f"{sign}{body}{weight}",
    st.sampled_from(["", "", "+", "-"]),
    st.one_of(
        st.sampled_from(WORDS),
        st.lists(st.sampled_from(WORDS), min_size=2, max_size=3).map(lambda w: f'"{" ".join(w)}"'),
        st.sampled_from(["wi*", "l*", "x*", "wave~", "shokc~1", "layer~2"]),
    ),
    st.sampled_from(["", "", "^2", "^0.5"]),
)


@given(st.lists(CLAUSES, min_size=1, max_size=5).map(" ".join), st.sampled_from([1, 3, 100]))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_query_is_read_as_plainly(bm25: BM25, text: str, k: int) -> None:
    check(bm25, text, k)


def test_words_without_signs_are_bm25s(bm25: BM25) -> None:
    queries = Queries.from_texts({"q1": "wing lift shock", "q2": "heat heat", "q3": "moon"})
    signs, plain = SyntaxSearch(bm25).search(queries, 20), bm25.search(queries, 20)
    assert signs.to_dict() == plain.to_dict()
    assert signs.name == "syntax"
    assert signs.costs[0].queries == 3


def test_phrases_do_not_cross_fields(tmp_path: Path) -> None:
    corpus = Corpus.from_records([{"id": "d1", "title": "boundary", "text": "layer flow"}])
    bm25 = BM25.build(corpus, tmp_path / "i", analyzer="whitespace")
    run = SyntaxSearch(bm25).search(
        Queries.from_texts({"across": '"boundary layer"', "inside": '"layer flow"'})
    )
    assert run["across"] == []
    assert [name for name, _ in run["inside"]] == ["d1"]


def test_stop_words_and_case_are_the_analyzers(tmp_path: Path) -> None:
    texts = {"d1": "The Boundary of Layers", "d2": "heat"}
    signs = SyntaxSearch(BM25.build(Corpus.from_texts(texts), tmp_path / "i"))
    asked = {
        "stop": "+the boundary",
        "case": "BOUND*",
        "stem": '"boundary layer"',
        "no": "-the heat",
    }
    run = signs.search(Queries.from_texts(asked))
    assert {name: [d for d, _ in run[name]] for name in asked} == {
        "stop": ["d1"],
        "case": ["d1"],
        "stem": ["d1"],
        "no": ["d2"],
    }


@given(st.text("abc", max_size=6), st.lists(st.text("abc", min_size=1, max_size=6), max_size=8))
@settings(max_examples=100, deadline=None)
def test_edits_are_counted_by_their_definition(word: str, terms: list[str]) -> None:
    from plackett.retrievers.syntax.spelling_kernels import edit_distances

    offsets = np.cumsum([0, *map(len, terms)]).astype(np.int64)
    letters = np.frombuffer("".join(terms).encode("utf-32-le"), dtype=np.uint32)
    query = np.frombuffer(word.encode("utf-32-le"), dtype=np.uint32)
    for most in (0, 1, 2):
        found = np.empty(len(terms), dtype=np.int8)
        edit_distances(query, letters, offsets, most, found)
        assert found.tolist() == [min(edits(word, term), most + 1) for term in terms]


def test_suggestions_are_near_and_frequent(bm25: BM25) -> None:
    found = suggestions(bm25.index, "wign")
    assert [(s.term, s.distance) for s in found] == [("wing", 1)]
    assert found[0].documents == sum("wing" in tokens for tokens in TOKENS.values())
    assert suggestions(bm25.index, "wing")[0].distance == 0
    assert [s.distance for s in suggestions(bm25.index, "layerss")] == [1, 2]
    assert suggestions(bm25.index, "layerss", count=1)[0].term == "layers"
    assert suggestions(bm25.index, "zzzzzzzz") == suggestions(bm25.index, "") == []


def test_what_does_not_fit_is_told(bm25: BM25, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="most_terms=0"):
        SyntaxSearch(bm25, most_terms=0)
    with pytest.raises(ConfigurationError, match="most=3"):
        Spelling(bm25.index).near("wing", 3)
    without = BM25.build(Corpus.from_texts({"d": "a wing"}), tmp_path / "i", forward=False)
    signs = SyntaxSearch(without, most_terms=3)
    with pytest.raises(ConfigurationError, match="forward"):
        signs.search(Queries.from_texts({"q": '"wing wing"'}))
    assert repr(signs).endswith(", most_terms=3)")
    assert repr(SyntaxSearch(without)).startswith("SyntaxSearch(BM25.open(")
