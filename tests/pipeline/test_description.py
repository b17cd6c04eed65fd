"""Pipelines as text: what `repr` writes is read back, and nothing else is."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plackett.data.run import Run
from plackett.data.texts import Queries
from plackett.errors import ConfigurationError, UnknownNameError
from plackett.pipeline import Reranker, Retriever, parse_pipeline


class Find(Retriever):
    def __init__(self, name: str = "x", depth: int = 5) -> None:
        self.name, self.depth = name, depth

    @classmethod
    def open(cls, name: str, depth: int = 5) -> "Find":
        return cls(name, depth)

    def search(self, queries: Queries, k: int = 1000) -> Run:
        names = [f"{self.name}{i}" for i in range(self.depth)]
        results = {name: -float(i) for i, name in enumerate(names)}
        return Run.from_dict({query: results for query, _ in queries}).head(k)

    def __repr__(self) -> str:
        return f"Find.open({self.name!r}, depth={self.depth})"


class Shift(Reranker):
    def __init__(self, by: float = 1.0) -> None:
        self.by = by

    def rerank(self, run: Run) -> Run:
        return run.with_scores(run.score + self.by)

    def __repr__(self) -> str:
        return f"Shift({self.by})"


STAGES: dict[str, Any] = {"Find.open": Find.open, "Shift": Shift, "find": Find(), "shift": Shift()}

retrievers = st.builds(Find, st.sampled_from(["a", "b", "it's % >> 1"]), st.integers(1, 9))
rerankers = st.builds(Shift, st.floats(allow_nan=False, allow_infinity=False, width=16))
cutoffs = st.integers(1, 50)
later = st.recursive(
    rerankers,
    lambda inner: (
        st.builds(lambda a, b: a >> b, inner, inner) | st.builds(lambda a, k: a % k, inner, cutoffs)
    ),
    max_leaves=4,
)
pipelines = st.recursive(
    retrievers,
    lambda inner: (
        st.builds(lambda a, k: a % k, inner, cutoffs)
        | st.builds(lambda a, b: a >> b, inner, later)
        | st.builds(lambda a, b: a | b, inner, inner)
    ),
    max_leaves=5,
)


@given(pipelines)
def test_the_text_of_a_pipeline_is_read_back(pipeline: Retriever) -> None:
    again = parse_pipeline(repr(pipeline), STAGES)
    assert repr(again) == repr(pipeline)
    assert isinstance(again, Retriever)
    queries = Queries.from_texts({"q": "text"})
    assert again.search(queries).to_dict() == pipeline.search(queries).to_dict()


@given(later)
def test_so_is_that_of_rerankers(stage: Reranker) -> None:
    assert repr(parse_pipeline(repr(stage), STAGES)) == repr(stage)


def test_names_stand_for_stages() -> None:
    pipeline = parse_pipeline(" find % 3 >> shift ", STAGES)
    assert repr(pipeline) == "Find.open('x', depth=5) % 3 >> Shift(1.0)"


def test_an_unknown_stage_is_named_with_the_closest() -> None:
    with pytest.raises(UnknownNameError, match="unknown stage 'fnid'; did you mean 'find'"):
        parse_pipeline("fnid % 3", STAGES)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cannot read the pipeline"),
        ("find %", "cannot read the pipeline"),
        ("find % 0", "positive integer"),
        ("find % 2.5", "cannot read '2.5'"),
        ("find % find", "cannot read 'find'"),
        ("find + shift", "cannot read 'find \\+ shift'"),
        ("3 % 4", "cannot read '3'"),
        ("find >> find", ">> needs a re-ranker on its right"),
        ("shift >> find", ">> needs a re-ranker on its right"),
        ("find | shift", r"\| needs retrievers on both sides"),
        ("shift | shift", r"\| needs retrievers on both sides"),
        ("Shift", "needs its arguments"),
        ("shift()", "made already"),
        ("Shift(width=2)", "cannot make stage 'Shift'.*width"),
        ("Shift(1, 2)", "cannot make stage 'Shift'"),
        ("Shift(by=open('x'))", r"cannot read \"open\('x'\)\""),
        ("Shift(**{'by': 2})", "cannot read .Shift"),
        ("Shift(*[2])", "cannot read"),
        ("find().__class__", "cannot read"),
        ("(lambda: find)()", "cannot read"),
        ("[find][0]", "cannot read"),
        ("(" * 500 + "find" + ")" * 500, "cannot read the pipeline"),
    ],
)
def test_anything_else_is_an_error(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        parse_pipeline(text, STAGES)
