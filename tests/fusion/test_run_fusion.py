"""Fusion of runs: worked examples, formulas by hand, what must not change them, bad input."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plackett.data.cost import Cost
from plackett.data.qrels import Qrels
from plackett.data.run import Run
from plackett.data.texts import Queries
from plackett.errors import ConfigurationError, DataError, UnknownNameError
from plackett.fusion import (
    Fusion,
    fuse,
    fusion_grid,
    fusion_methods,
    mean_ranks,
    normalised,
    tune_fusion,
)
from plackett.metrics import evaluate

A = Run.from_dict({"q": {"a": 3.0, "b": 2.0, "c": 1.0}}, name="A")
B = Run.from_dict({"q": {"b": 9.0, "d": 5.0}}, name="B")

METHODS = fusion_methods()
SCORES = ("comb_sum", "comb_mnz", "gmnz", "comb_anz", "comb_min", "comb_max", "comb_med")
RANKS = ("rrf", "isr", "log_isr", "rbc")


def random_runs(seed: int, runs: int, *, ties: bool = False) -> list[Run]:
    rng = np.random.default_rng(seed)
    result = []
    for _ in range(runs):
        lists = {}
        for query in ("q1", "q2", "q3")[: rng.integers(1, 4)]:
            documents = rng.permutation(8)[: rng.integers(1, 8)]
            scores = rng.integers(0, 4, len(documents)) if ties else rng.random(len(documents))
            lists[query] = {f"d{d}": float(s) for d, s in zip(documents, scores, strict=True)}
        result.append(Run.from_dict(lists))
    return result


def ids(run: Run, query: str = "q") -> list[str]:
    return [document for document, _ in run[query]]


def test_reciprocal_ranks_of_the_worked_example() -> None:
    found = fuse([A, B])["q"]
    assert [document for document, _ in found] == ["b", "a", "d", "c"]
    expected = [0.032522, 0.016393, 0.016129, 0.015873]
    np.testing.assert_allclose([score for _, score in found], expected, atol=5e-7)


def ranks_of(run: Run, query: str) -> dict[str, float]:
    if query not in run.query_names:
        return {}
    scores = dict(run[query])
    return {
        d: np.mean([r for r, (_, s) in enumerate(run[query], 1) if s == score])
        for d, score in scores.items()
    }


@given(st.integers(0, 10_000), st.integers(1, 4), st.sampled_from(RANKS), st.booleans())
@settings(max_examples=60, deadline=None)
def test_rank_methods_by_hand(seed: int, count: int, method: str, ties: bool) -> None:
    runs = random_runs(seed, count, ties=ties)
    weights = np.random.default_rng(seed).random(count) + 0.1
    found = fuse(runs, method, weights=weights, k=10.0).to_dict()
    queries = list(dict.fromkeys(q for run in runs for q in run.query_names))
    assert list(found) == queries
    for query in queries:
        ranks = [ranks_of(run, query) for run in runs]
        for document, score in found[query].items():
            where = [(w, r[document]) for w, r in zip(weights, ranks, strict=True) if document in r]
            h = len(where)
            expected = {
                "rrf": sum(w / (10.0 + r) for w, r in where),
                "isr": h * sum(w / r**2 for w, r in where),
                "log_isr": np.log(h + 0.01) * sum(w / r**2 for w, r in where),
                "rbc": sum(w * 0.2 * 0.8 ** (r - 1) for w, r in where),
            }[method]
            assert score == pytest.approx(expected, rel=1e-5)
        assert set(found[query]) == {d for r in ranks for d in r}


@given(st.integers(0, 10_000), st.integers(1, 4), st.sampled_from(SCORES))
@settings(max_examples=60, deadline=None)
def test_score_methods_by_hand(seed: int, count: int, method: str) -> None:
    runs = random_runs(seed, count)
    found = fuse(runs, method, normalise="none", gamma=2.0, absent="nothing").to_dict()
    for query, documents in found.items():
        for document, score in documents.items():
            values = [
                dict(run[query])[document]
                for run in runs
                if query in run.query_names and document in dict(run[query])
            ]
            h = len(values)
            expected = {
                "comb_sum": sum(values),
                "comb_mnz": h * sum(values),
                "gmnz": h**2 * sum(values),
                "comb_anz": sum(values) / h,
                "comb_min": min(values),
                "comb_max": max(values),
                "comb_med": float(np.median(values)),
            }[method]
            assert score == pytest.approx(expected, rel=1e-5)


def test_sigma_of_zero_gives_nothing_for_one_run_alone() -> None:
    found = dict(fuse([A, B], "log_isr", sigma=0.0)["q"])
    assert found == pytest.approx({"b": np.log(2) * 1.25, "a": 0, "c": 0, "d": 0}, rel=1e-6)


def test_a_centroid_is_an_expected_weight_of_places() -> None:
    """All places of one long list are worth 1 together; persistence moves worth to the end."""
    long = Run.from_dict({"q": {f"d{i:03}": float(-i) for i in range(300)}})
    for persistence in (0.5, 0.9):
        scores = [score for _, score in fuse([long], "rbc", persistence=persistence)["q"]]
        assert sum(scores) == pytest.approx(1 - persistence**300, rel=1e-5)
        assert scores[1] / scores[0] == pytest.approx(persistence, rel=1e-5)
    one = Run.from_dict({"q": {"a": 2.0, "b": 1.0}})
    two = Run.from_dict({"q": {"b": 2.0, "c": 1.0}})
    # b: 0.2 (0.8 + 1), a: 0.2, c: 0.2 x 0.8
    found = dict(fuse([one, two], "rbc")["q"])
    assert found == pytest.approx({"b": 0.36, "a": 0.2, "c": 0.16}, rel=1e-6)


@pytest.mark.parametrize("wrong", [{"sigma": -1.0}, {"persistence": 1.0}, {"persistence": 0.0}])
def test_constants_out_of_range(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match="persistence between 0 and 1"):
        fuse([A, B], "rbc", **wrong)  # type: ignore[arg-type]


def test_three_deviations_reach_from_zero_to_one() -> None:
    scores = np.array([100.0, *np.zeros(99)])
    found = normalised(scores, np.array([0, 100]), "three_sigma")
    deviation = scores.std()
    assert found[0] == 1.0  # it is 9.9 deviations above the mean
    np.testing.assert_allclose(found[1:], 0.5 - 1.0 / (6 * deviation))
    shifted = normalised(3.0 * scores - 7.0, np.array([0, 100]), "three_sigma")
    np.testing.assert_allclose(shifted, found)
    assert normalised([2.0, 2.0], np.array([0, 2]), "three_sigma").tolist() == [0.5, 0.5]


def test_gamma_of_one_is_mnz_and_of_zero_is_sum() -> None:
    runs = random_runs(1, 3)
    assert fuse(runs, "gmnz").to_dict() == fuse(runs, "comb_mnz").to_dict()
    assert fuse(runs, "gmnz", gamma=0.0).to_dict() == fuse(runs, "comb_sum").to_dict()


@given(st.integers(0, 10_000), st.integers(2, 4), st.sampled_from(METHODS), st.booleans())
@settings(max_examples=150, deadline=None)
def test_the_order_of_the_runs_changes_nothing(
    seed: int, count: int, method: str, ties: bool
) -> None:
    runs = random_runs(seed, count, ties=ties)
    order = np.random.default_rng(seed).permutation(count)
    first = fuse(runs, method).to_dict()
    second = fuse([runs[i] for i in order], method).to_dict()
    assert {q: list(second[q].items()) for q in first} == {q: list(first[q].items()) for q in first}


@given(st.integers(0, 10_000), st.integers(1, 3), st.sampled_from(METHODS))
@settings(max_examples=100, deadline=None)
def test_every_run_twice_is_the_same_order(seed: int, count: int, method: str) -> None:
    if method == "log_isr":  # log(h + 0.01) is not in proportion to h
        return
    runs = random_runs(seed, count)
    once, twice = fuse(runs, method), fuse([*runs, *runs], method)
    for query in once.query_names:
        assert ids(once, query) == ids(twice, query)


@pytest.mark.parametrize("method", METHODS)
def test_one_run_stays_in_its_order(method: str) -> None:
    run = random_runs(3, 1)[0]
    found = fuse([run], method)
    for query in run.query_names:
        assert ids(found, query) == ids(run, query)


@pytest.mark.parametrize("method", METHODS)
def test_first_in_all_runs_is_first(method: str) -> None:
    for seed in range(10):
        runs = [
            Run.from_dict({q: {**run.to_dict()[q], "best": 9.0} for q in run.query_names})
            for run in random_runs(seed, 3)
        ]
        found = fuse(runs, method)
        for query in found.query_names:
            if all(query in run.query_names for run in runs):
                assert ids(found, query)[0] == "best"


@pytest.mark.parametrize("method", [m for m in METHODS if m not in SCORES])
def test_methods_of_ranks_ignore_what_keeps_the_order(method: str) -> None:
    runs = random_runs(5, 3)
    bent = [run.with_scores(np.exp(3.0 * run.score.astype(np.float64)) - 7.0) for run in runs]
    assert fuse(runs, method).to_dict() == fuse(bent, method).to_dict()


@pytest.mark.parametrize("normalise", ["min_max", "sum", "z_score", "rank", "borda"])
def test_units_of_scores_do_not_matter_once_normalised(normalise: str) -> None:
    runs = random_runs(6, 3)
    scaled = [run.with_scores(run.score * 4.0 + 2.0) for run in runs]
    one, other = (fuse(r, "comb_sum", normalise=normalise).to_dict() for r in (runs, scaled))
    for query in one:
        assert list(one[query]) == list(other[query])


def test_ranks_count_from_one() -> None:
    single = fuse([Run.from_dict({"q": {"a": 1.0}})], k=60.0)
    assert single["q"][0][1] == pytest.approx(1 / 61)


def test_equal_scores_share_their_ranks_unless_told_otherwise() -> None:
    run = Run.from_dict({"q": {"a": 1.0, "b": 1.0, "c": 0.5}})
    shared = dict(fuse([run])["q"])
    assert shared["a"] == shared["b"] == pytest.approx(1 / 61.5)
    ordered = dict(fuse([run], ties="order")["q"])
    assert ordered["b"] == pytest.approx(1 / 61)
    assert ordered["a"] == pytest.approx(1 / 62)


def test_absence_is_no_reward_where_scores_can_be_negative() -> None:
    # b is far below the mean of both runs; c is in one only, at its end. Adding nothing for the
    # other run would put c above b; adding its least score does not.
    first = Run.from_dict({"q": {"a": 10.0, "x": 9.0, "b": 1.0, "e": 0.0}})
    second = Run.from_dict({"q": {"a": 10.0, "x": 9.0, "b": 1.0, "c": 0.9, "e": 0.0}})
    careless = ids(fuse([first, second], "comb_sum", normalise="z_score", absent="nothing"))
    careful = ids(fuse([first, second], "comb_sum", normalise="z_score"))
    assert careless.index("c") < careless.index("b")
    assert careful.index("b") < careful.index("c")


def test_depth_cuts_before_anything_else() -> None:
    long = Run.from_dict({"q": {f"d{i}": 100.0 - i for i in range(50)}})
    short = Run.from_dict({"q": {"d3": 2.0, "d1": 1.0}})
    for method in ("rrf", "comb_sum", "borda"):
        found = fuse([long, short], method, depth=2)
        assert found.to_dict() == fuse([long.head(2), short], method).to_dict()


def test_depth_normalised_ranks() -> None:
    same = random_runs(8, 2)
    equal = [
        Run.from_dict({"q": dict(zip("abcd", row, strict=True))})
        for row in ([4.0, 3.0, 2.0, 1.0], [1.0, 4.0, 2.0, 3.0])
    ]
    assert fuse(equal, normalise="depth").to_dict() == fuse(equal).to_dict()
    found = dict(fuse([A, B], normalise="depth")["q"])
    assert found["d"] == pytest.approx(1 / (60 + 2 * 3 / 2))  # the last of any list: rank R
    assert found["c"] == pytest.approx(1 / 63)
    padded = Run.from_dict({"q": {**A.to_dict()["q"], "junk": 0.5, "junk2": 0.4}})
    worse = dict(fuse([padded, B], normalise="depth")["q"])
    assert worse["d"] < found["d"]  # the other list's effective ranks grow
    assert fuse(same, normalise="depth").query_names == fuse(same).query_names


def test_weights_choose_between_runs_and_zero_switches_off() -> None:
    x, y = Run.from_dict({"q": {"a": 2.0, "b": 1.0}}), Run.from_dict({"q": {"b": 2.0, "a": 1.0}})
    weighted = [m for m in METHODS if m not in ("comb_min", "comb_max", "comb_med")]
    for method in weighted:
        assert ids(fuse([x, y], method, weights=[2, 1])) == ["a", "b"], method
        assert ids(fuse([x, y], method, weights=[1, 2])) == ["b", "a"], method
    only_zero = Run.from_dict({"q": {"new": 9.0}})
    assert ids(fuse([x, only_zero], "comb_anz", weights=[1, 0])) == ["a", "new", "b"]


def test_majorities_count_the_missing_below() -> None:
    runs = [Run.from_dict({"q": lists}) for lists in ({"a": 1.0}, {"a": 2.0, "b": 1.0}, {"b": 1.0})]
    for method in ("condorcet", "copeland", "schulze", "kemeny"):
        # a against b: two votes to one; each found document against those a run lacks.
        assert ids(fuse(runs, method)) == ["a", "b"], method


def test_what_the_result_carries() -> None:
    queries = Queries.from_texts({"q": "text"})
    first = A.replace(queries=queries, costs=(Cost("one", 1.0, 1, 3),))
    second = B.replace(costs=(Cost("two", 2.0, 1, 2),))
    found = fuse([first, second])
    assert found.name == "rrf(A, B)"
    assert [cost.stage for cost in found.costs] == ["one", "two"]
    assert found.queries is queries
    assert A.to_dict() == {"q": {"a": 3.0, "b": 2.0, "c": 1.0}}


def test_queries_of_any_run_are_kept_even_if_empty() -> None:
    empty = Run.from_dict({"q0": {}, "q": {"a": 1.0}})
    found = fuse([empty, Run.from_dict({"q2": {"z": 1.0}})])
    assert found.query_names == ["q0", "q", "q2"]
    for method in METHODS:
        nothing = fuse([Run.from_dict({"q": {}})], method)
        assert nothing.to_dict() == {"q": {}}


def test_scores_that_float32_cannot_tell_apart_keep_their_order() -> None:
    big = Run.from_dict({"q": {f"d{i}": 16777216.0 - 2 * i for i in range(3)}})
    tiny = Run.from_dict({"q": {"d2": 0.5, "d1": 0.25, "d0": 0.0}})
    found = fuse([big, tiny], "comb_sum", normalise="none")
    assert ids(found) == ["d0", "d1", "d2"]
    close = [
        Run.from_dict({"q": {"a": 1e8, "b": 1e8, "c": 1e8}}),
        Run.from_dict({"q": {"c": 1.0, "a": 0.5, "b": 0.5}}),
    ]
    scores = dict(fuse(close, "comb_sum", normalise="none")["q"])
    assert scores["c"] > scores["a"] == scores["b"]


def test_constant_lists_leak_no_nan() -> None:
    flat = Run.from_dict({"q": {"a": 2.0, "b": 2.0}})
    for normalise, value in (("min_max", 0.5), ("sum", 0.5), ("z_score", 0.0), ("max", 1.0)):
        found = normalised(flat.score, flat.offsets, normalise)
        assert found.tolist() == [value, value]
    assert len(normalised([], np.array([0, 0]), "min_max")) == 0
    assert len(mean_ranks([], np.array([0, 0]))) == 0


def test_normalisations_by_hand() -> None:
    scores, offsets = np.array([4.0, 3.0, 1.0, 5.0]), np.array([0, 3, 3, 4])
    one = scores[:3]
    for method, expected in (
        ("none", one),
        ("min_max", (one - 1) / 3),
        ("max", one / 4),
        ("sum", (one - 1) / 5),
        ("z_score", (one - one.mean()) / one.std()),
        ("rank", np.array([1, 2 / 3, 1 / 3])),
        ("sigmoid", 1 / (1 + np.exp(-one))),
    ):
        np.testing.assert_allclose(normalised(scores, offsets, method)[:3], expected, atol=1e-12)
    odds = normalised([0.9, 0.5, 0.0], np.array([0, 3]), "logit")
    np.testing.assert_allclose(odds, [np.log(9), 0.0, np.log(1e-6 / (1 - 1e-6))])
    assert normalised([-800.0, 800.0][::-1], np.array([0, 2]), "sigmoid").tolist() == [1.0, 0.0]
    borda = dict(fuse([A, B], "comb_max", normalise="borda")["q"])
    assert borda == pytest.approx({"a": 1.0, "b": 1.0, "d": 0.75, "c": 0.5})


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        ("rrf", {"normalise": "min_max"}),
        ("borda", {"normalise": "depth"}),
        ("comb_sum", {"normalise": "depth"}),
        ("comb_max", {"weights": [1, 2]}),
        ("rrf", {"weights": [1]}),
        ("rrf", {"weights": [0, 0]}),
        ("rrf", {"weights": [-1, 2]}),
        ("rrf", {"weights": [float("nan"), 2]}),
        ("rrf", {"k": -1.0}),
        ("gmnz", {"gamma": float("inf")}),
        ("rrf", {"depth": 0}),
        ("rrf", {"ties": "random"}),
        ("rrf", {"absent": "minimum"}),
        ("comb_sum", {"absent": "zero"}),
        ("comb_sum", {"normalise": "minmax"}),
    ],
)
def test_parameters_that_do_not_go_together_are_refused(method: str, parameters: dict) -> None:
    with pytest.raises(ConfigurationError):
        fuse([A, B], method, **parameters)


def test_data_that_cannot_be_used_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="comb_mnz"):
        fuse([A], "mnz")
    with pytest.raises(DataError, match="no runs"):
        fuse([])
    negative = Run.from_dict({"q": {"a": -1.0, "b": -2.0}})
    with pytest.raises(DataError, match="multiplies"):
        fuse([A, negative], "comb_mnz", normalise="none")
    with pytest.raises(DataError, match="largest score"):
        fuse([negative], "comb_sum", normalise="max")
    with pytest.raises(DataError, match="probabilities"):
        fuse([A], "comb_sum", normalise="logit")
    infinite = Run.from_dict({"q": {"a": float("inf"), "b": 1.0}})
    with pytest.raises(DataError, match="infinite"):
        fuse([infinite], "comb_sum")
    assert ids(fuse([infinite])) == ["a", "b"]


def test_a_fusion_is_a_value() -> None:
    assert Fusion("comb_sum", weights=(1.0, 2.0)) == Fusion("comb_sum", weights=(1.0, 2.0))
    assert Fusion()([A, B]).to_dict() == fuse([A, B]).to_dict()
    assert repr(Fusion("borda")).startswith("Fusion(method='borda'")


@pytest.mark.shared_data
def test_fusions_of_the_first_stages_on_dl19(shared_data: Path) -> None:
    folder = shared_data / "dl19"
    qrels = Qrels.read(folder / "qrels.dl19-passage.txt")
    runs = []
    for name in ("bm25", "tasb", "splade"):
        lists = json.loads(gzip.decompress((folder / name / "candidates.json.gz").read_bytes()))
        hits = [hit for row in lists for hit in row["hits"]]
        runs.append(
            Run.from_arrays(
                [str(hit["qid"]) for hit in hits],
                [str(hit["docid"]) for hit in hits],
                [hit["score"] for hit in hits],
                name=name,
            )
        )

    def quality(run: Run) -> float:
        return evaluate(run, qrels, "nDCG@10").mean["nDCG@10"]

    single = [quality(run) for run in runs]
    for method in METHODS:
        fused = fuse([run.head(20) for run in runs], method)
        assert quality(fused) > min(single), method
    tuned = tune_fusion(runs, qrels, "nDCG@10", candidates=fusion_grid(3, steps=2))
    assert max(single) - 0.01 < tuned.held_out <= tuned.on_all
