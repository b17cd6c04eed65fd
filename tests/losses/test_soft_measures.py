"""The relaxed forms are the measures themselves where the order is exact."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from plackett.errors import ConfigurationError
from plackett.losses.base import Scored
from plackett.losses.soft_measures import (
    AtRanks,
    check_relaxable,
    measure_of_order,
    relaxable_measures,
    target_of,
)
from plackett.metrics import (
    AP,
    ARP,
    DCG,
    ERR,
    RBP,
    RR,
    F,
    IPrec,
    P,
    PairAccuracy,
    R,
    Rprec,
    Success,
    nDCG,
    nERR,
)

MEASURES = [
    AP, AP(rel=2) @ 3, ARP, DCG, DCG @ 2, DCG(gain=(0.0, 1.0, 1.5, 7.0)) @ 3, ERR,
    ERR(max_grade=3) @ 2, F @ 3, F(beta=0.5, rel=2) @ 2, P @ 2, P(rel=3) @ 9, R @ 3, RBP,
    RBP(p=0.5, rel=2) @ 3, RR, RR(rel=2), RR @ 2, Rprec, Success @ 1, Success(rel=2) @ 3, nDCG,
    nDCG @ 3, nDCG(gain="exponential"), nERR, nERR @ 2,
]  # fmt: skip

grades = st.lists(st.integers(0, 3), min_size=1, max_size=9)


def batch_of(labels: list[list[float]], weights: list[list[float]] | None = None) -> Scored:
    y = torch.tensor(labels, dtype=torch.float64)
    where = y >= 0
    y = y * where
    w = None if weights is None else torch.tensor(weights, dtype=torch.float64)
    return Scored(torch.zeros_like(y), y, where, w, torch.Generator())


@pytest.mark.parametrize("measure", MEASURES, ids=repr)
@given(labels=grades)
def test_an_exact_order_has_the_exact_value(measure, labels: list[int]) -> None:
    exact = measure.of_scores(-np.arange(len(labels)), labels, np.array([0, len(labels)]))
    target = target_of(measure, batch_of([[*labels, -1, -1]]))
    found = measure_of_order(measure, AtRanks(target.worth, target.events), target)
    if target.informative[0]:
        assert found.item() == pytest.approx(exact[0], abs=1e-12)
    else:
        assert len(labels) == 1 or exact[0] == 0


@pytest.mark.parametrize("measure", MEASURES, ids=repr)
def test_normalised_measures_do_not_change_with_a_common_weight(measure) -> None:
    labels = [[1.0, 3.0, 0.0, 2.0]]
    plain, doubled = batch_of(labels), batch_of(labels, [[2.0] * 4])
    values = []
    for batch in (plain, doubled):
        target = target_of(measure, batch)
        values.append(measure_of_order(measure, AtRanks(target.worth, target.events), target))
    if measure.name in ("nDCG", "nERR", "AP", "ARP", "R"):
        assert values[1].item() == pytest.approx(values[0].item())
    elif measure.name in ("DCG", "ERR", "RBP", "RR", "P"):
        assert values[1].item() == pytest.approx(2 * values[0].item())


def test_what_cannot_be_learned_from_is_refused_with_the_list_of_what_can() -> None:
    for measure in (IPrec @ 0.1, PairAccuracy):
        with pytest.raises(ConfigurationError, match=", ".join(relaxable_measures())):
            check_relaxable(measure)
    for measure in (P, R, F, Success):
        with pytest.raises(ConfigurationError, match="same in every order"):
            check_relaxable(measure)
    with pytest.raises(ConfigurationError, match="not a measure"):
        check_relaxable("nDCG@10")
    with pytest.raises(ConfigurationError, match="max_grade=5"):
        target_of(ERR, batch_of([[5.0, 0.0]]))
    with pytest.raises(ConfigurationError, match="gains for the grades 0 to 1"):
        target_of(DCG(gain=(0.0, 1.0)), batch_of([[2.0, 0.0]]))
    with pytest.raises(ConfigurationError, match="negative gain"):
        target_of(DCG(gain=(0.0, -1.0)), batch_of([[1.0, 0.0]]))


def test_lists_that_say_nothing_are_marked() -> None:
    batch = batch_of([[0.0, 0.0], [1.0, 0.0], [1.0, -1.0], [-1.0, -1.0]])
    assert target_of(nDCG, batch).informative.tolist() == [False, True, False, False]
