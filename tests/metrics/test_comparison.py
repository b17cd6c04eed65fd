"""Comparing systems: what is tested, what is marked, what is kept, what is refused."""

from __future__ import annotations

import json
import math
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
from scipy import stats

from plackett.data.cost import Cost
from plackett.data.qrels import Qrels
from plackett.data.run import Run
from plackett.data.texts import Queries
from plackett.errors import ConfigurationError, DataError, UnknownNameError
from plackett.metrics.base import parse_measures
from plackett.metrics.comparison import compare, compare_evaluations
from plackett.metrics.comparison_result import Comparison, letter
from plackett.metrics.corrections import holm
from plackett.metrics.evaluation import Evaluation, evaluate
from plackett.metrics.tukey import tukey_hsd

QUERIES = 30
DOCUMENTS = 12


def a_run(quality: float, seed: int, name: str) -> Run:
    """Scores that are the grades plus noise: the higher the quality the better the order."""
    noise = np.random.default_rng(seed).normal(size=(QUERIES, DOCUMENTS))
    return Run.from_dict(
        {
            f"q{i}": {
                f"d{j}": quality * (j % 3 == 0) + float(noise[i, j]) for j in range(DOCUMENTS)
            }
            for i in range(QUERIES)
        },
        name=name,
    )


@pytest.fixture(scope="module")
def qrels() -> Qrels:
    return Qrels.from_dict(
        {f"q{i}": {f"d{j}": int(j % 3 == 0) for j in range(DOCUMENTS)} for i in range(QUERIES)}
    )


@pytest.fixture(scope="module")
def runs() -> dict[str, Run]:
    return {
        "plain": a_run(0.2, 1, "plain"),
        "good": a_run(3.0, 2, "good").replace(costs=(Cost("search", 1.5, QUERIES, 360),)),
        "same": a_run(0.2, 1, "same"),
        "bad": a_run(-3.0, 3, "bad"),
    }


@pytest.fixture(scope="module")
def against(runs, qrels) -> Comparison:
    return compare(runs, qrels, "nDCG@10 AP", baseline="plain")


@pytest.fixture(scope="module")
def everyone(runs, qrels) -> Comparison:
    return compare(runs, qrels, "nDCG@10 AP")


def test_means_are_those_of_evaluate(against, runs, qrels):
    for name, run in runs.items():
        expected = evaluate(run, qrels, "nDCG@10 AP").mean
        for measure, value in expected.items():
            found = against.mean(measure, name)
            assert found.mean == pytest.approx(value)
            assert found.low <= found.mean <= found.high


def test_tests_are_paired_t_with_holm_within_a_measure(against, runs, qrels):
    values = {name: evaluate(run, qrels, "AP")["AP"] for name, run in runs.items()}
    raw = [stats.ttest_rel(values[name], values["plain"]).pvalue for name in ("good", "bad")]
    found = [against.difference("AP", name) for name in ("good", "same", "bad")]
    assert [found[0].p_value, found[2].p_value] == pytest.approx(raw)
    assert found[1].p_value == 1
    assert [entry.p_corrected for entry in found] == pytest.approx(holm([raw[0], 1, raw[1]]))
    assert against.comparisons == 3


def test_marks_against_a_baseline(against):
    marks = {name: against.mean("nDCG@10", name).mark for name in against.systems}
    assert marks == {"plain": "", "good": "▲", "same": "", "bad": "▼"}


def test_letters_without_a_baseline(everyone):
    marks = {name: everyone.mean("nDCG@10", name).mark for name in everyone.systems}
    assert everyone.letters == {"plain": "a", "good": "b", "same": "c", "bad": "d"}
    assert marks == {"plain": "d", "good": "acd", "same": "d", "bad": ""}
    assert everyone.comparisons == 6


def test_letters_go_on_after_z():
    assert [letter(i) for i in (0, 25, 26, 51, 52, 701, 702)] == [
        "a", "z", "aa", "az", "ba", "zz", "aaa",
    ]  # fmt: skip


def test_a_difference_agrees_with_its_values(against):
    entry = against.difference("AP", "good")
    difference = against.per_query("AP", "good") - against.per_query("AP", "plain")
    assert entry.difference == pytest.approx(difference.mean())
    assert entry.low < entry.difference < entry.high
    assert entry.wins == (difference > 0).sum()
    assert entry.wins + entry.ties + entry.losses == QUERIES
    assert entry.cohens_d == pytest.approx(difference.mean() / difference.std(ddof=1))
    assert 0 < entry.detectable < 0.5


def test_identical_systems_do_not_differ(against):
    same = against.difference("AP", "same")
    assert (same.difference, same.low, same.high, same.p_value) == (0, 0, 0, 1)
    assert (same.wins, same.ties, same.losses, same.detectable) == (0, QUERIES, 0, 0)


@pytest.mark.parametrize("test", ["t", "wilcoxon", "randomisation", "tukey", "randomised_tukey"])
def test_every_test_sees_the_obvious_and_repeats_itself(test, runs, qrels):
    options = {"baseline": "plain", "test": test, "permutations": 2_000, "seed": 5}
    found = compare(runs, qrels, "AP", **options)
    assert found.difference("AP", "good").significant
    assert not found.difference("AP", "same").significant
    assert found.to_json() == compare(runs, qrels, "AP", **options).to_json()
    assert str(found)


def test_tukey_tests_all_systems_and_needs_no_correction(runs, qrels):
    found = compare(runs, qrels, "AP", baseline="plain", test="tukey", correction="holm")
    p = tukey_hsd(found.values[0])
    assert found.settings.correction == "none"
    assert found.difference("AP", "bad").p_corrected == pytest.approx(p[3, 0])
    assert "Tukey HSD over 4 systems" in found.verdict


def test_the_order_of_the_runs_is_not_evidence(runs, qrels, against):
    backwards = compare(dict(reversed(runs.items())), qrels, "nDCG@10 AP", baseline="plain")
    for entry in against.differences:
        other = backwards.difference(entry.measure, entry.system)
        assert other.p_corrected == pytest.approx(entry.p_corrected)
        assert (other.low, other.high) == pytest.approx((entry.low, entry.high))


def test_runs_bring_their_names_costs_and_hashes(runs, qrels, against):
    listed = compare(list(runs.values()), qrels, "AP", baseline="plain")
    assert listed.systems == ("plain", "good", "same", "bad")
    assert listed.costs["good"] == (Cost("search", 1.5, QUERIES, 360),)
    sums = listed.provenance
    assert sums["sha256 of run plain"] == sums["sha256 of run same"]
    assert sums["sha256 of run plain"] != sums["sha256 of run good"]
    assert sums["sha256 of qrels"] == against.provenance["sha256 of qrels"]
    assert {"python", "plackett", "numpy", "scipy"} <= set(sums)


def test_hashes_see_content_not_row_order():
    one = Run.from_arrays(["q1", "q2", "q2"], ["a", "b", "c"], [1.0, 2.0, 3.0])
    other = Run.from_arrays(["q2", "q1", "q2"], ["c", "a", "b"], [3.0, 1.0, 2.0])
    third = Run.from_arrays(["q1", "q2", "q2"], ["a", "b", "c"], [1.0, 2.0, 3.5])
    judged = Qrels.from_dict({"q1": {"a": 1}, "q2": {"b": 1}})
    found = compare({"one": one, "other": other, "third": third}, judged, "AP").provenance
    assert found["sha256 of run one"] == found["sha256 of run other"]
    assert found["sha256 of run one"] != found["sha256 of run third"]
    swapped = Qrels.from_dict({"q2": {"b": 1}, "q1": {"a": 1}})
    again = compare({"one": one}, swapped, "AP").provenance
    assert again["sha256 of qrels"] == found["sha256 of qrels"]


def test_query_texts_come_along(runs, qrels):
    queries = Queries.from_records([{"id": "q1", "text": "boundary layer"}])
    linked = {"good": runs["good"].replace(queries=queries)}
    assert compare(linked, qrels, "AP").query_texts == {"q1": "boundary layer"}


def test_curves_follow_the_measures_with_a_cutoff(against, runs, qrels):
    (curve,) = against.curves
    assert curve.measure == "nDCG"
    at = curve.cutoffs.index(10)
    assert curve.means["good"][at] == pytest.approx(against.mean("nDCG@10", "good").mean)
    assert compare(runs, qrels, "AP").curves == ()


def test_lower_is_better_turns_marks_and_wins(runs, qrels, against):
    evaluations = {name: evaluate(runs[name], qrels, "AP") for name in ("plain", "good", "bad")}
    (measure,) = parse_measures("ARP")
    assert not measure.higher_is_better
    costs = {
        name: replace(evaluation, measures=(measure,), values=1 - evaluation.values)
        for name, evaluation in evaluations.items()
    }
    found = compare_evaluations(costs, baseline="plain")
    assert [found.mean("ARP", name).mark for name in costs] == ["", "▲", "▼"]
    assert found.difference("ARP", "good").difference < 0
    assert found.difference("ARP", "good").wins == against.difference("AP", "good").wins
    assert found.verdict.startswith("On ARP, good")
    assert "**" in found.to_markdown()


def test_evaluations_are_aligned_by_query(runs, qrels):
    first = evaluate(runs["plain"], qrels, "AP")
    second = evaluate(runs["good"], qrels, "AP")
    turned = Evaluation(
        second.name,
        second.measures,
        second.query_ids[::-1],
        second.values[:, ::-1],
        second.settings,
    )
    straight = compare_evaluations({"a": first, "b": second})
    crossed = compare_evaluations({"a": first, "b": turned})
    assert straight.to_json() == crossed.to_json()


def test_json_round_trip(against, everyone):
    for comparison in (against, everyone):
        again = Comparison.from_json(comparison.to_json())
        assert again.to_json() == comparison.to_json()
        assert np.array_equal(again.values, comparison.values)
        assert again.differences == comparison.differences
        assert again.settings == comparison.settings
        assert str(again) == str(comparison)
        assert again.to_html() == comparison.to_html()


def test_json_holds_infinities_and_stays_standard():
    evaluation = Evaluation("x", parse_measures("AP"), ("1",), np.array([[0.5]]), {})
    better = replace(evaluation, values=np.array([[0.75]]))
    found = compare_evaluations({"a": evaluation, "b": better}, baseline="a")
    assert found.difference("AP", "b").cohens_d == math.inf
    text = found.to_json()
    json.loads(text, parse_constant=pytest.fail)
    assert Comparison.from_json(text).differences == found.differences


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 1}', "null", '{"version": 99}'])
def test_json_that_is_no_comparison(text):
    with pytest.raises(DataError):
        Comparison.from_json(text)


def test_frames(against, everyone):
    pytest.importorskip("pandas")
    frame = against.to_frame()
    assert len(frame) == 8
    assert frame.set_index(["measure", "system"]).loc[("AP", "good"), "difference"] > 0
    assert len(everyone.to_frame()) == 8
    assert len(everyone.to_frame(pairs=True)) == 12
    assert set(against.table[0]) == set(against.table[1])


def test_nothing_can_be_changed(against):
    with pytest.raises(FrozenInstanceError):
        against.baseline = "good"
    with pytest.raises(ValueError, match="read-only"):
        against.values[0, 0, 0] = 1


def test_unknown_names(runs, qrels, against):
    with pytest.raises(UnknownNameError, match="did you mean 'plain'"):
        compare(runs, qrels, "AP", baseline="plan")
    with pytest.raises(UnknownNameError, match="tukey"):
        compare(runs, qrels, "AP", test="anova")
    with pytest.raises(UnknownNameError, match="holm"):
        compare(runs, qrels, "AP", correction="sidak")
    with pytest.raises(UnknownNameError, match="measure"):
        against.mean("RR", "good")
    with pytest.raises(UnknownNameError, match="system"):
        against.mean("AP", "nobody")


def test_bad_parameters(runs, qrels):
    with pytest.raises(ConfigurationError, match="alpha"):
        compare(runs, qrels, "AP", alpha=5)
    with pytest.raises(ConfigurationError, match="confidence"):
        compare(runs, qrels, "AP", confidence=95)
    with pytest.raises(ConfigurationError, match="no system"):
        compare({}, qrels, "AP")
    with pytest.raises(ConfigurationError, match="same name"):
        compare([runs["plain"], runs["plain"]], qrels, "AP")


def test_only_the_same_queries_and_measures_compare(runs, qrels):
    full = evaluate(runs["plain"], qrels, "AP")
    fewer = replace(full, query_ids=full.query_ids[1:], values=full.values[:, 1:])
    with pytest.raises(DataError, match="'q0' for only one"):
        compare_evaluations({"full": full, "fewer": fewer})
    with pytest.raises(DataError, match="different measures"):
        compare_evaluations({"full": full, "other": evaluate(runs["plain"], qrels, "RR")})
    with pytest.raises(DataError, match="options"):
        compare_evaluations({"full": full, "other": replace(full, settings={"ties": "average"})})
    nothing = replace(full, query_ids=(), values=full.values[:, :0])
    with pytest.raises(DataError, match="no query"):
        compare_evaluations({"nothing": nothing})
