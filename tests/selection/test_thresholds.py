"""Cutoffs by rule: what they keep, their limits, and lists that are odd."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plackett.data import Qrels, Run
from plackett.errors import ConfigurationError, DataError, UnknownNameError
from plackett.selection import (
    Elbow,
    FixedCutoff,
    LargestGap,
    MarginThreshold,
    RelativeThreshold,
    ScoreThreshold,
    cut,
    get,
    judged_lists,
    names,
    parse_selector,
    register,
)
from plackett.selection.base import Cutoff, Selector

RULES = [
    FixedCutoff(3),
    ScoreThreshold(0.5),
    RelativeThreshold(0.5),
    MarginThreshold(1.0),
    LargestGap(),
    Elbow(),
]
LISTS = st.lists(st.floats(0, 100, width=32), max_size=20).map(lambda s: sorted(s, reverse=True))


@pytest.mark.parametrize("rule", RULES, ids=repr)
@given(scores=LISTS, at_least=st.integers(0, 5), more=st.integers(0, 5))
def test_every_rule_keeps_to_its_limits_and_never_splits_a_tie_by_score(
    rule: Cutoff, scores: list[float], at_least: int, more: int
) -> None:
    if isinstance(rule, FixedCutoff):
        assert rule.cutoff(scores) == min(3, len(scores))
        return
    fields = {**vars(rule), "at_least": at_least, "at_most": at_least + more}
    limited = type(rule)(**fields)
    k = limited.cutoff(scores)
    assert min(at_least, len(scores)) <= k <= min(at_least + more, len(scores))
    assert 0 <= rule.cutoff(scores) <= len(scores)


@given(scores=LISTS, minimum=st.floats(0, 100, width=32))
def test_a_threshold_keeps_exactly_what_reaches_it(scores: list[float], minimum: float) -> None:
    assert ScoreThreshold(minimum).cutoff(scores) == sum(score >= minimum for score in scores)


@given(scores=LISTS.filter(len), scale=st.sampled_from([0.5, 2.0, 1024.0]))
def test_relative_rules_do_not_see_the_unit_of_the_scores(
    scores: list[float], scale: float
) -> None:
    scaled = [score * scale for score in scores]
    assert RelativeThreshold(0.5).cutoff(scaled) == RelativeThreshold(0.5).cutoff(scores)
    assert LargestGap().cutoff(scaled) == LargestGap().cutoff(scores)


def test_the_largest_gap_is_found_between_the_limits() -> None:
    scores = [9.0, 5.0, 4.0, 1.0]
    assert LargestGap().cutoff(scores) == 1
    assert LargestGap(at_least=2).cutoff(scores) == 3
    assert LargestGap(at_most=2).cutoff(scores) == 1
    assert LargestGap().cutoff([1.0, 1.0]) == 2
    assert LargestGap().cutoff([]) == 0
    assert LargestGap().cutoff([np.inf, 1.0, -np.inf]) == 1


def test_a_straight_line_has_no_elbow_and_a_broken_one_has_its_corner() -> None:
    assert Elbow().cutoff([5.0, 4.0, 3.0, 2.0, 1.0]) == 5
    assert Elbow().cutoff([10.0, 6.0, 2.0, 1.9, 1.8, 1.7, 1.6]) == 2
    assert Elbow().cutoff([3.0, 2.9, 2.8, 0.0]) == 4  # it lies above the line throughout
    assert Elbow().cutoff([2.0, 2.0, 2.0]) == 3


def test_a_threshold_that_was_stored_as_float32_is_still_reached() -> None:
    run = Run.from_dict({"q": {"a": 0.7, "b": 0.1}})
    assert ScoreThreshold(0.7)(run).to_dict()["q"].keys() == {"a"}


def test_shares_of_negative_scores_are_refused_with_a_remedy() -> None:
    with pytest.raises(DataError, match="MarginThreshold"):
        RelativeThreshold(0.5).cutoff([1.0, -1.0])
    assert MarginThreshold(2.0).cutoff([1.0, -1.0]) == 2


@pytest.mark.parametrize("scores", [[1.0, 2.0], [np.nan], [[1.0]]])
def test_what_is_no_ranked_list_is_refused(scores: object) -> None:
    with pytest.raises(DataError, match="no ranked list"):
        LargestGap().cutoff(scores)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "make",
    [
        lambda: FixedCutoff(-1),
        lambda: ScoreThreshold(float("nan")),
        lambda: ScoreThreshold(float("inf")),
        lambda: ScoreThreshold(0.5, at_least=3, at_most=2),
        lambda: RelativeThreshold(1.5),
        lambda: MarginThreshold(-1.0),
    ],
)
def test_parameters_out_of_range_are_refused(make: object) -> None:
    with pytest.raises(ConfigurationError):
        make()  # type: ignore[operator]


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_descriptions_are_read_back(rule: Selector) -> None:
    assert repr(parse_selector(repr(rule))) == repr(rule)
    assert type(rule).__name__ in names()


def test_selectors_are_stages_that_may_drop() -> None:
    run = Run.from_dict({"q1": {"a": 3.0, "b": 1.0}, "q2": {"c": 0.2}})
    stage = ScoreThreshold(0.5) % 5 >> FixedCutoff(1)
    assert stage(run).to_dict() == {"q1": {"a": 3.0}, "q2": {}}
    assert run.to_dict() == {"q1": {"a": 3.0, "b": 1.0}, "q2": {"c": pytest.approx(0.2)}}


def test_cut_checks_its_lengths() -> None:
    run = Run.from_dict({"q": {"a": 1.0}})
    assert cut(run, [9]).to_dict() == run.to_dict()
    for lengths in ([1, 1], [-1]):
        with pytest.raises(DataError, match="cutoffs"):
            cut(run, lengths)


def test_the_registry_knows_exact_names_only() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'Elbow'"):
        get("Elbo")
    with pytest.raises(ConfigurationError, match="expected one selector"):
        parse_selector("Elbow() >> Elbow()")
    with pytest.raises(ConfigurationError, match="two selectors named"):
        register(type("Elbow", (Elbow,), {"__module__": "elsewhere"}))


def test_judged_lists_join_by_id_and_count_what_the_list_lacks() -> None:
    run = Run.from_dict({"q1": {"a": 2.0, "b": 1.0}, "q2": {"a": 1.0}, "q3": {}})
    qrels = Qrels.from_dict({"q3": {"a": 1}, "q1": {"b": 2, "z": 1, "a": 0}, "q9": {"a": 1}})
    lists = judged_lists(run, qrels)
    assert [(each.query, each.segment, each.total) for each in lists] == [
        ("q1", 0, 2),
        ("q3", 2, 1),
    ]
    assert lists[0].relevant.tolist() == [False, True]
    assert judged_lists(run, qrels, relevant=2)[0].total == 1
    with pytest.raises(DataError, match="among those judged"):
        judged_lists(run, Qrels.from_dict({"other": {"a": 1}}))
