"""The fusing stage: what it makes of a union is what `fuse` makes of the union's runs."""

import dataclasses
import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plackett.data.run import Run
from plackett.data.texts import Queries
from plackett.errors import ConfigurationError, DataError, UnknownNameError
from plackett.fusion import Fusing, Fusion, fuse, fusion_methods
from plackett.pipeline import Reranker, Retriever, interleave, parse_pipeline

QUERIES = Queries.from_texts({"q1": "one", "q2": "two"})


class Fixed(Retriever):
    def __init__(self, results: dict[str, dict[str, float]], name: str) -> None:
        self.results, self.name = results, name

    def search(self, queries: Queries, k: int = 1000) -> Run:
        return Run.from_dict({q: self.results[q] for q, _ in queries}, name=self.name).head(k)

    def __repr__(self) -> str:
        return self.name


class Reverse(Reranker):
    def rerank(self, run: Run) -> Run:
        return run.with_scores(-run.score)

    def __repr__(self) -> str:
        return "Reverse()"


def numbered(count: int, first: int = 0, step: int = 1) -> dict[str, float]:
    return {f"d{first + step * i:02}": float(count - i) for i in range(count)}


BM25 = Fixed({"q1": numbered(12), "q2": numbered(3)}, "bm25")
DENSE = Fixed({"q1": numbered(9, 3, 2), "q2": {}}, "dense")
SPARSE = Fixed({"q1": numbered(4, 20), "q2": {"d01": 7.0, "d99": 1.0}}, "sparse")

scores = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 5), max_size=6)
runs = st.lists(st.fixed_dictionaries({"q1": scores, "q2": scores}), min_size=2, max_size=3)


@given(runs, st.sampled_from(["rrf", "comb_sum", "comb_mnz", "borda", "isr", "condorcet"]))
def test_a_union_fused_is_its_runs_fused(results: list[dict[str, dict[str, float]]], method: str):
    parts = [Run.from_dict(one, name=str(i)) for i, one in enumerate(results)]
    fused = fuse(parts, method)
    stage = Fusing(method)(interleave(*parts))
    assert stage.to_dict() == fused.to_dict()
    assert stage.name == fused.name


def test_the_pipeline_of_the_issue() -> None:
    rrf = Fusing("rrf")
    pipeline = (BM25 % 8 | DENSE % 4) >> rrf % 5 >> Reverse() % 2
    assert repr(pipeline) == "(bm25 % 8 | dense % 4) >> Fusing('rrf') % 5 >> Reverse() % 2"
    expected = fuse([BM25.search(QUERIES, 8), DENSE.search(QUERIES, 4)]).head(5)
    run = pipeline.search(QUERIES)
    assert run.to_dict() == Reverse()(expected).head(2).to_dict()
    assert [cost.stage for cost in run.costs] == ["bm25", "dense", "Fusing('rrf')", "Reverse()"]
    stages = {"bm25": BM25, "dense": DENSE, "rrf": rrf, "Fusing": Fusing, "Reverse": Reverse}
    read = parse_pipeline("(bm25 % 8 | dense % 4) >> rrf % 5 >> Reverse() % 2", stages)
    assert isinstance(read, Retriever)
    assert repr(read) == repr(pipeline)
    again = parse_pipeline(repr(pipeline), stages)
    assert isinstance(again, Retriever)
    assert again.search(QUERIES).to_dict() == run.to_dict()


def test_a_union_of_three_has_three_parts() -> None:
    union = (BM25 | DENSE | SPARSE).search(QUERIES)
    assert [part.name for part in union.parts] == ["bm25", "dense", "sparse"]
    weights = (1.0, 0.5, 2.0)
    whole = [stage.search(QUERIES) for stage in (BM25, DENSE, SPARSE)]
    fused = Fusing("comb_sum", weights=weights)(union)
    assert fused.to_dict() == fuse(whole, "comb_sum", weights=weights).to_dict()
    right = (BM25 | (DENSE | SPARSE)).search(QUERIES)
    assert Fusing("comb_sum", weights=weights)(right).to_dict() == fused.to_dict()


def test_what_was_fused_or_cut_is_one_part() -> None:
    fused = (BM25 | DENSE) >> Fusing() % 4
    union = (fused | SPARSE).search(QUERIES)
    assert len(union.parts) == 2
    assert union.parts[0].to_dict() == fused.search(QUERIES).to_dict()
    assert len((((BM25 | DENSE) % 4) | SPARSE).search(QUERIES).parts) == 2


def test_a_cut_union_keeps_the_ranks_of_its_parts() -> None:
    cut = ((BM25 | DENSE) % 3).search(QUERIES)
    whole = fuse([BM25.search(QUERIES), DENSE.search(QUERIES)])
    for query, found in Fusing()(cut).to_dict().items():
        assert found == {d: s for d, s in whole.to_dict()[query].items() if d in found}
        assert set(found) == set(cut.to_dict()[query])


def test_parts_survive_other_stages() -> None:
    reversed_first = (BM25 | DENSE) >> Reverse() >> Fusing()
    assert reversed_first.search(QUERIES).to_dict() == (
        ((BM25 | DENSE) >> Fusing()).search(QUERIES).to_dict()
    )
    # Also one that makes a run of its own.

    class Anew(Reranker):
        def rerank(self, run: Run) -> Run:
            return Run.from_dict(run.to_dict())

        def __repr__(self) -> str:
            return "Anew()"

    assert len(((BM25 | DENSE) >> Anew()).search(QUERIES).parts) == 2


def test_a_run_that_is_no_union() -> None:
    with pytest.raises(DataError, match="put the fusing stage behind the union"):
        (BM25 >> Fusing()).search(QUERIES)
    with pytest.raises(ConfigurationError, match="3 weights for 2 runs"):
        Fusing(weights=[1, 2, 3])((BM25 | DENSE).search(QUERIES))
    foreign = Run.from_dict({"q1": {"zz": 1.0}}).replace(parts=(BM25.search(QUERIES),))
    with pytest.raises(DataError, match="'zz' in run 'run', which no part of it found"):
        Fusing()(foreign)
    nothing = Run.from_dict({"q1": {}})
    assert Fusing()(interleave(nothing, nothing)).to_dict() == {"q1": {}}


@pytest.mark.parametrize("method", fusion_methods())
def test_the_description_of_every_method_is_read_back(method: str) -> None:
    stage = Fusing(method, depth=7, ties="order")
    again = parse_pipeline(repr(stage), {"Fusing": Fusing})
    assert isinstance(again, Fusing)
    assert again.fusion == stage.fusion
    assert Fusing.of(stage.fusion).fusion == Fusion(method, depth=7, ties="order")


def test_parameters_are_those_of_a_fusion() -> None:
    taken = {name: one.default for name, one in inspect.signature(Fusing).parameters.items()}
    assert taken == {field.name: field.default for field in dataclasses.fields(Fusion)}
    made = Fusing("rbc", persistence=0.5)
    assert repr(made) == "Fusing('rbc', persistence=0.5)"
    with pytest.raises(UnknownNameError, match="rrf"):
        Fusing("rff")
    with pytest.raises(ConfigurationError, match="ranks only"):
        Fusing("rrf", normalise="z_score")
    assert repr(Fusing("gmnz", gamma=2.0, normalise="max")) == (
        "Fusing('gmnz', normalise='max', gamma=2.0)"
    )
