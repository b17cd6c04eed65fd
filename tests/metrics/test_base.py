"""Measures are values: they print, parse back, compare, and refuse what they do not know."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plackett.errors import ConfigurationError
from plackett.metrics import AP, ERR, RBP, IPrec, P, Rprec, known_measures, nDCG, parse_measure
from plackett.metrics.base import parse_measures

cutoffs = st.none() | st.integers(1, 10_000)
measures = st.one_of(
    st.builds(lambda k, rel: AP(cutoff=k, rel=rel), cutoffs, st.integers(1, 4)),
    st.builds(
        lambda k, gain: nDCG(cutoff=k, gain=gain),
        cutoffs,
        st.sampled_from(["linear", "exponential", (0, 1, 3), (0.0, 0.5)]),
    ),
    st.builds(lambda p, k: RBP(p=p, cutoff=k), st.floats(0.1, 0.9), cutoffs),
    st.builds(lambda r: IPrec(recall=r), st.floats(0, 1).map(lambda x: round(x, 3))),
    st.builds(lambda g, k: ERR(max_grade=g, cutoff=k), st.integers(1, 10), cutoffs),
    st.sampled_from(sorted(known_measures().values(), key=repr)),
)


@given(measures)
def test_what_a_measure_prints_is_parsed_back(measure: object) -> None:
    again = parse_measure(repr(measure))
    assert again == measure
    assert hash(again) == hash(measure)
    assert str(measure) == repr(measure)


@given(st.lists(measures, min_size=1, max_size=5, unique=True))
def test_a_list_of_measures_is_parsed_back(several: list) -> None:
    assert parse_measures(" ".join(map(repr, several))) == tuple(several)
    assert parse_measures(", ".join(map(repr, several))) == tuple(several)
    assert parse_measures(several) == tuple(several)


def test_measures_are_immutable_and_operators_make_new_ones() -> None:
    assert repr(nDCG @ 10) == "nDCG@10"
    assert repr(AP(rel=2) @ 100) == "AP(rel=2)@100"
    assert nDCG.cutoff is None
    assert nDCG @ 10 != nDCG @ 20
    assert parse_measures(AP) == (AP,)
    with pytest.raises(AttributeError):
        nDCG.cutoff = 10  # type: ignore[misc]


@pytest.mark.parametrize("measure", known_measures().values(), ids=repr)
def test_every_measure_states_its_definition(measure: object) -> None:
    assert len(measure.definition) > 20  # type: ignore[attr-defined]
    assert type(measure).__doc__


@pytest.mark.parametrize(
    ("trec_eval", "ours"),
    [
        ("map", "AP"),
        ("map_cut_5", "AP@5"),
        ("map_cut.5", "AP@5"),
        ("ndcg", "nDCG"),
        ("ndcg_cut_10", "nDCG@10"),
        ("recip_rank", "RR"),
        ("P_10", "P@10"),
        ("recall_100", "R@100"),
        ("success_1", "Success@1"),
        ("iprec_at_recall_0.10", "IPrec@0.1"),
        ("set_P", "P"),
        ("set_recall", "R"),
        ("set_F", "F"),
        ("set_map", "SetAP"),
        ("Rprec", "Rprec"),
        ("bpref", "bpref"),
        ("infAP", "infAP"),
    ],
)
def test_names_of_trec_eval_are_known(trec_eval: str, ours: str) -> None:
    assert repr(parse_measure(trec_eval)) == ours


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nDGC@10", "did you mean 'nDCG'"),
        ("AP(level=2)", "unknown parameter of AP 'level'"),
        ("nDCG@0", "not a positive integer"),
        ("nDCG@1.5", "not a positive integer"),
        ("Rprec@5", "takes no cutoff"),
        ("IPrec@1.2", "not between 0 and 1"),
        ("nDCG(gain='cubic')", "neither 'linear', 'exponential' nor a tuple"),
        ("nDCG(gain=())", "must be finite numbers"),
        ("RBP(p=1)", "does not lie between 0 and 1"),
        ("alpha_nDCG(alpha=2)", "not between 0 and 1"),
        ("AP(2)", "must be written name=value"),
        ("AP(rel=f())", "cannot read the parameters"),
        ("AP(rel=", "cannot read the measure"),
        ("@10", "cannot read the measure"),
        ("nDCG@1.2.3", "cannot read the cutoff"),
        ("", "no measure is given"),
        ("AP AP", "given twice"),
        ([], "no measure is given"),
    ],
)
def test_what_cannot_be_a_measure_is_said(text: object, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        parse_measures(text)  # type: ignore[arg-type]


def test_a_cutoff_where_there_is_none_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="takes no cutoff"):
        Rprec @ 10
    with pytest.raises(ConfigurationError, match="takes no cutoff"):
        Rprec(cutoff=10)
    with pytest.raises(ConfigurationError, match="not a positive integer"):
        P @ True
    with pytest.raises(ConfigurationError, match="needs a recall level"):
        IPrec.of_scores([1.0], [1], np.array([0, 1]))


def test_gains_must_cover_the_grades() -> None:
    offsets = np.array([0, 2])
    with pytest.raises(ConfigurationError, match="gains for the grades 0 to 1, but a grade is 2"):
        nDCG(gain=(0, 1)).of_scores([1, 2], [0, 2], offsets)
    with pytest.raises(ConfigurationError, match="negative gain"):
        nDCG(gain=(0, -1)).of_scores([1, 2], [0, 1], offsets)
    with pytest.raises(ConfigurationError, match=r"write ERR\(max_grade=5\)"):
        ERR.of_scores([1, 2], [0, 5], offsets)
