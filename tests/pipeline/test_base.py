"""The algebra of stages: cutoffs, sequences, unions, their text, and what a stage may not do."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plackett.data.cost import Cost
from plackett.data.run import Run
from plackett.data.texts import Corpus, Queries
from plackett.errors import ConfigurationError, DataError
from plackett.pipeline import Reranker, Retriever, interleave

QUERIES = Queries.from_texts({"q1": "one", "q2": "two"})


class Fixed(Retriever):
    """Finds what it was told to, and remembers how much it was asked for."""

    def __init__(self, results: dict[str, dict[str, float]], name: str = "Fixed") -> None:
        self.results, self.name = results, name
        self.asked: list[int] = []

    def search(self, queries: Queries, k: int = 1000) -> Run:
        self.asked.append(k)
        return Run.from_dict({q: self.results[q] for q, _ in queries}, name=self.name).head(k)

    def __repr__(self) -> str:
        return self.name


class Reverse(Reranker):
    """Turns every list round."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def rerank(self, run: Run) -> Run:
        self.seen.append(len(run.document))
        return run.with_scores(-run.score)

    def __repr__(self) -> str:
        return "Reverse()"


class Give(Reranker):
    """Returns one run whatever it is given."""

    def __init__(self, run: Run, may_drop: bool = False) -> None:
        self.run, self.may_drop = run, may_drop

    def rerank(self, run: Run) -> Run:
        return self.run

    def __repr__(self) -> str:
        return "Give()"


def letters(n: int, first: int = 0) -> dict[str, float]:
    return {f"d{i:02}": float(n + first - i) for i in range(first, first + n)}


def found(run: Run, query: str) -> list[str]:
    return [document for document, _ in run[query]]


@pytest.fixture
def first() -> Fixed:
    return Fixed({"q1": letters(10), "q2": letters(5)}, "first")


def test_a_cutoff_is_told_to_the_retriever(first: Fixed) -> None:
    run = (first % 3).search(QUERIES)
    assert first.asked == [3]
    assert found(run, "q1") == ["d00", "d01", "d02"]
    (first % 3 % 7).search(QUERIES, k=5)
    assert first.asked == [3, 3]


def test_percent_binds_more_tightly_than_shift(first: Fixed) -> None:
    early, late = Reverse(), Reverse()
    pipeline = first % 4 >> early % 2 >> late
    run = pipeline.search(QUERIES)
    assert repr(pipeline) == "first % 4 >> Reverse() % 2 >> Reverse()"
    assert (early.seen, late.seen) == ([8], [4])
    assert found(run, "q1") == ["d02", "d03"]


def test_k_of_a_search_cuts_only_the_end(first: Fixed) -> None:
    stage = Reverse()
    run = (first >> stage).search(QUERIES, k=1)
    assert stage.seen == [15]
    assert found(run, "q1") == ["d09"]
    assert found(run, "q2") == ["d04"]


def test_sequence_is_associative(first: Fixed) -> None:
    a, b = Reverse(), Reverse() % 2
    left, right = (first >> a) >> b, first >> (a >> b)
    assert left.search(QUERIES).to_dict() == right.search(QUERIES).to_dict()
    assert repr(left) == repr(right)


def test_parentheses_are_written_where_they_matter(first: Fixed) -> None:
    stage = Reverse()
    assert repr((first >> stage) % 5) == "(first >> Reverse()) % 5"
    assert repr((stage >> stage) % 5) == "(Reverse() >> Reverse()) % 5"
    assert repr((first | first % 2) % 3 >> stage) == "(first | first % 2) % 3 >> Reverse()"


@pytest.mark.parametrize("k", [0, -1, 2.5, "10", None, True])
def test_a_cutoff_must_be_a_positive_integer(first: Fixed, k: object) -> None:
    for stage in (first, Reverse()):
        with pytest.raises(ConfigurationError, match="positive integer"):
            stage % k  # type: ignore[operator]
    assert repr(first % np.int64(3)) == "first % 3"


def test_what_is_no_stage_cannot_be_joined(first: Fixed) -> None:
    for attempt in (lambda: first >> first, lambda: first | Reverse(), lambda: Reverse() >> first):
        with pytest.raises(TypeError, match="unsupported operand"):
            attempt()


def test_union_takes_turns_and_keeps_every_document_once() -> None:
    one = Fixed({"q1": {"a": 9, "b": 8, "c": 7}, "q2": {}}, "one")
    two = Fixed({"q1": {"b": 0.3, "d": 0.2}, "q2": {"z": 1}}, "two")
    union = (one | two).search(QUERIES)
    assert union.to_dict() == {"q1": {"a": -1, "b": -2, "d": -3, "c": -4}, "q2": {"z": -1}}
    assert union.name == "one|two"
    assert [cost.stage for cost in union.costs] == ["one", "two"]
    assert found((one | two).search(QUERIES, k=2), "q1") == ["a", "b"]


lists = st.lists(st.sampled_from("abcdefgh"), unique=True, max_size=6)


@given(lists, lists)
def test_union_against_the_definition(one: list[str], two: list[str]) -> None:
    def run(names: list[str]) -> Run:
        return Run.from_dict({"q": {name: -float(i) for i, name in enumerate(names)}})

    turns = [(i, side, name) for side, row in enumerate((one, two)) for i, name in enumerate(row)]
    expected = list(dict.fromkeys(name for _, _, name in sorted(turns)))
    assert found(interleave(run(one), run(two)), "q") == expected


def test_interleaving_keeps_the_queries_of_both_and_no_others() -> None:
    wide = Run.from_dict({"a": {"x": 1.0}, "b": {"x": 1.0}, "c": {"x": 1.0}})
    joined = interleave(wide.select(["b"]), Run.from_dict({"n": {"y": 1.0}}))
    assert joined.query_names == ["b", "n"]


def test_costs_are_recorded_in_order_and_the_texts_are_handed_on(first: Fixed) -> None:
    pipeline = first % 4 >> Reverse() % 2 >> Reverse()
    run = pipeline.search(QUERIES)
    assert [cost.stage for cost in run.costs] == ["first", "Reverse()", "Reverse()"]
    assert [cost.documents for cost in run.costs] == [8, 8, 4]
    assert all(cost.queries == 2 and cost.seconds >= 0 for cost in run.costs)
    assert run.queries is QUERIES


def test_a_stage_may_count_its_own_costs() -> None:
    before, own = Cost("before", 1, 1, 1), Cost("model", 2.0, 1, 1, calls=3, tokens=50)
    corpus = Corpus.from_texts({"a": "text"})
    run = Run.from_dict({"q": {"a": 1.0}}).replace(costs=(before,), corpus=corpus)
    alone = Give(Run.from_dict({"q": {"a": 1.0}}).replace(costs=(own,)))
    added = Give(run.replace(costs=(before, own)))
    for stage in (alone, added):
        result = stage(run)
        assert result.costs == (before, own)
        assert result.corpus is corpus


def test_nothing_given_is_changed(first: Fixed) -> None:
    run = first.search(QUERIES)
    shown = (run.to_dict(), run.costs, run.queries)
    (Reverse() % 2 >> Reverse())(run)
    assert (run.to_dict(), run.costs, run.queries) == shown


GIVEN = Run.from_dict({"q1": {"a": 2.0, "b": 1.0}, "q2": {"c": 1.0}})


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ({"q1": {"a": 2, "b": 1}}, "other queries from Give"),
        ({"q2": {"c": 1}, "q1": {"a": 2, "b": 1}}, "other queries from Give"),
        ({"q1": {"a": 2, "b": 1, "x": 0}, "q2": {"c": 1}}, "document 'x', which it was not given"),
        ({"q1": {"a": 2, "c": 1}, "q2": {"c": 1}}, "'c', which it was not given, in .* 'q1'"),
        ({"q1": {"a": 2, "b": 1}, "q2": {"a": 1}}, "'a', which it was not given, in .* 'q2'"),
        ({"q1": {"b": 1}, "q2": {"c": 1}}, "1 of 2 documents lost, 'a' among them, in .* 'q1'"),
        ({"q1": {"a": 2, "b": 1}, "q2": {}}, "1 of 1 documents lost"),
    ],
)
def test_a_reranker_returns_what_it_was_given(
    returned: dict[str, dict[str, float]], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        Give(Run.from_dict(returned))(GIVEN)


def test_a_document_twice_is_an_error() -> None:
    twice = Run(
        GIVEN.query_ids,
        GIVEN.document_ids,
        GIVEN.query,
        np.array([0, 2, 3]),
        GIVEN.document[[0, 0, 2]],
        GIVEN.score,
    )
    with pytest.raises(DataError, match="document 'a' twice"):
        Give(twice)(GIVEN)


def test_a_stage_that_may_drop_returns_any_part_but_nothing_else() -> None:
    part = Run.from_dict({"q1": {"b": 1.0}, "q2": {}})
    assert (Give(part, may_drop=True) >> Give(part))(GIVEN).to_dict() == part.to_dict()
    with pytest.raises(DataError, match="was not given"):
        Give(Run.from_dict({"q1": {"x": 1}, "q2": {}}), may_drop=True)(GIVEN)
    nothing = Run.from_dict({"q1": {}, "q2": {}})
    assert Give(nothing)(nothing).to_dict() == {"q1": {}, "q2": {}}


@given(st.permutations(list("abcdef")), st.integers(0, 6), st.integers(1, 8))
def test_cutting_keeps_the_best(order: list[str], n: int, k: int) -> None:
    run = Run.from_dict({"q": {name: -float(i) for i, name in enumerate(order[:n])}})
    assert found((Reverse() % k)(run), "q") == order[:n][::-1][:k]


def test_three_runs_taken_in_turn() -> None:
    runs = [Run.from_dict({"q": dict.fromkeys(names, 1.0)}) for names in ("ax", "by", "az")]
    joined = interleave(*runs)
    assert found(joined, "q") == ["x", "y", "z", "a", "b"]  # equal scores: the later id first
    assert joined.parts == tuple(runs)
    assert joined.name == "run|run|run"
    assert interleave(runs[0]).to_dict() == {"q": {"x": -1.0, "a": -2.0}}


def test_nothing_is_cut_that_nobody_asked_to_cut() -> None:
    many = Fixed({"q1": {f"a{i}": -float(i) for i in range(1500)}, "q2": {}}, "many")
    others = Fixed({"q1": {f"b{i}": -float(i) for i in range(1500)}, "q2": {}}, "others")
    deep = many % 1200 >> Reverse()
    assert len(deep.search(QUERIES)["q1"]) == 1200
    assert len((deep >> Reverse()).search(QUERIES)["q1"]) == 1200
    union = many % 1200 | others % 1100
    assert len(union.search(QUERIES)["q1"]) == 2300
    assert len((union >> Reverse()).search(QUERIES)["q1"]) == 2300
    assert len((union % 700).search(QUERIES)["q1"]) == 700
    assert len((many >> Reverse()).search(QUERIES)["q1"]) == 1000  # what a retriever finds alone


def test_the_parts_of_a_union_stay_with_its_run() -> None:
    one, two = (
        Fixed({"q1": letters(4), "q2": {}}, "one"),
        Fixed({"q1": {}, "q2": letters(3)}, "two"),
    )
    run = (one % 3 | two).search(QUERIES)
    assert [part.to_dict() for part in run.parts] == [
        one.search(QUERIES, 3).to_dict(),
        two.search(QUERIES).to_dict(),
    ]
    for kept in (
        run.head(1),
        run.select(["q2"]),
        run.with_scores(-run.score),
        run.replace(name="other"),
        (Reverse() % 2)(run),
    ):
        assert kept.parts == run.parts
    assert run.replace(parts=()).parts == one.search(QUERIES).parts == ()
