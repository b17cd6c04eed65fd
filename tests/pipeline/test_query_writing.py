"""Stages that write queries: what is asked, what comes back under the query's own id."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plackett.data.run import Run
from plackett.data.texts import Corpus, Queries
from plackett.errors import ConfigurationError, DataError
from plackett.fusion import Fusing, fuse
from plackett.pipeline import QueryWriter, Reranker, Retriever, WrittenQueries, parse_pipeline

CORPUS = Corpus.from_texts({letter: letter for letter in "abcdefgh"})


class Letters(Retriever):
    """Finds the letters of the text, the first one best; notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def search(self, queries: Queries, k: int = 1000) -> Run:
        self.asked.append([text for _, text in queries])
        found = {
            query: {letter: -float(place) for place, letter in enumerate(dict.fromkeys(text))}
            for query, text in queries
        }
        return Run.from_dict(found, name="letters").replace(corpus=CORPUS).head(k)

    def __repr__(self) -> str:
        return "Letters()"


class Words(QueryWriter):
    """The words of the text."""

    def __init__(self, most: int | None = None) -> None:
        self.most = most

    def write(self, queries: Queries) -> WrittenQueries:
        return WrittenQueries.of([text.split(" ") for _, text in queries], calls=2, tokens=9)

    def __repr__(self) -> str:
        return f"Words(most={self.most})"


class Scripted(QueryWriter):
    def __init__(self, texts: Sequence[Sequence[str]], most: int | None = None) -> None:
        self.texts, self.most = texts, most

    def write(self, queries: Queries) -> WrittenQueries:
        return WrittenQueries.of(self.texts)

    def __repr__(self) -> str:
        return "Scripted()"


QUERIES = Queries.from_texts({"q2": "abc", "q1": "cd bd", "q3": "bd ha ae"})


def test_every_written_query_is_asked_once() -> None:
    letters = Letters()
    run = (Words() >> letters % 2).search(QUERIES)
    assert letters.asked == [["abc", "cd", "bd", "ha", "ae"]]
    assert run.query_names == ["q2", "q1", "q3"]
    assert list(run.to_dict()["q3"]) == ["b", "h", "a", "d", "e"]
    assert [part.to_dict() for part in run.parts] == [
        {"q2": {"a": 0, "b": -1}, "q1": {"c": 0, "d": -1}, "q3": {"b": 0, "d": -1}},
        {"q1": {"b": 0, "d": -1}, "q3": {"h": 0, "a": -1}},
        {"q3": {"a": 0, "e": -1}},
    ]
    assert run.queries is QUERIES
    assert run.corpus is CORPUS
    first, second = run.costs
    assert (first.stage, first.calls, first.tokens, first.queries) == ("Words(most=None)", 2, 9, 3)
    assert (second.stage, second.queries) == ("Letters()", 5)


texts = st.lists(
    st.lists(st.text("abcdefgh", min_size=1, max_size=5), min_size=1, max_size=4),
    min_size=1,
    max_size=4,
)


@given(texts, st.integers(1, 5))
def test_fused_it_is_the_fusion_of_all_that_was_asked(written: list[list[str]], k: int) -> None:
    queries = Queries.from_texts({f"q{i}": "x" for i in range(len(written))})
    run = (Scripted(written) >> Letters() % k >> Fusing("comb_sum")).search(queries)
    for name, ones in zip(queries.ids, written, strict=True):
        lists = [Letters().search(Queries.from_texts({name: text}), k) for text in ones]
        assert run.to_dict()[name] == pytest.approx(fuse(lists, "comb_sum").to_dict()[name])


def test_one_text_a_query_keeps_the_scores() -> None:
    plain = Queries.from_texts({"q1": "ab", "q2": "c"})
    run = (Words() >> Letters()).search(plain)
    assert run.to_dict() == {"q1": {"a": 0.0, "b": -1.0}, "q2": {"c": 0.0}}
    assert (Words() >> Letters()).search(plain, 1).to_dict() == {"q1": {"a": 0}, "q2": {"c": 0}}


def test_a_writer_that_says_how_many_has_so_many_parts() -> None:
    run = (Words(most=4) >> Letters()).search(QUERIES)
    assert len(run.parts) == 4
    assert run.parts[3].to_dict() == {}
    weighted = Fusing("comb_sum", weights=(1, 0, 0, 0))(run)
    assert weighted.to_dict()["q1"] == {"c": 1.0, "d": 0.0, "b": 0.0}


def test_over_a_union_every_part_of_it_is_one() -> None:
    union = Letters() % 1 | Letters() % 2
    run = (Words() >> union).search(QUERIES)
    assert len(run.parts) == 6
    assert run.parts[0].to_dict()["q1"] == {"c": 0}
    assert run.parts[3].to_dict()["q1"] == {"c": 0, "d": -1}


def test_queries_without_results_stay() -> None:
    class Nothing(Retriever):
        def search(self, queries: Queries, k: int = 1000) -> Run:
            return Run.from_dict({})  # does not even name them

        def __repr__(self) -> str:
            return "Nothing()"

    run = (Words() >> Nothing()).search(QUERIES)
    assert run.to_dict() == {"q2": {}, "q1": {}, "q3": {}}
    assert (Words() >> Letters()).search(Queries.from_texts({})).to_dict() == {}


def test_later_stages_see_the_original_queries() -> None:
    class Seen(Reranker):
        def rerank(self, run: Run) -> Run:
            assert run.queries is QUERIES
            return run

        def __repr__(self) -> str:
            return "Seen()"

    assert len((Words() >> Letters() >> Seen() % 1).search(QUERIES)) == 3


@pytest.mark.parametrize(
    ("written", "most", "message"),
    [
        ([["a"], [], ["b"]], None, "0 texts for query 'q1'"),
        ([["a"], ["b"]], None, "2 texts from Scripted"),
        ([["a"], ["b"], ["c", "d", "e"]], 2, "3 texts for query 'q3'"),
    ],
)
def test_a_writer_that_breaks_the_contract(written: object, most: int | None, message: str) -> None:
    with pytest.raises(DataError, match=message):
        (Scripted(written, most) >> Letters()).search(QUERIES)  # type: ignore[arg-type]


def test_descriptions() -> None:
    stages = {"Words": Words, "letters": Letters(), "Letters": Letters, "rrf": Fusing()}
    pipeline = Words(most=3) >> Letters() % 2 >> Fusing() % 1
    read = parse_pipeline(repr(pipeline), {**stages, "Fusing": Fusing})
    assert repr(read) == repr(pipeline)
    assert isinstance(
        parse_pipeline("Words() >> (letters | letters % 1) >> rrf", stages), Retriever
    )
    for text, message in {
        "Words()": "put a retriever behind it",
        "Words() >> rrf": "cannot join",
        "Words() >> Words()": "cannot join",
        "letters >> Words()": "cannot join",
        "Words() % 3 >> letters": "cannot read|cannot join",
        "Words": "needs its arguments",
    }.items():
        with pytest.raises(ConfigurationError, match=message):
            parse_pipeline(text, stages)
    with pytest.raises(ConfigurationError, match="is made already"):
        parse_pipeline("words() >> letters", {**stages, "words": Words()})
    with pytest.raises(TypeError, match="unsupported operand"):
        Words() >> Fusing()  # type: ignore[operator]


def test_written_queries_are_ragged() -> None:
    written = WrittenQueries.of([["a", "b"], ["c"]])
    assert written.texts == ("a", "b", "c")
    np.testing.assert_array_equal(written.offsets, [0, 2, 3])
