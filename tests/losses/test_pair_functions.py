"""Each pair function: closed forms, derivatives against differences, extreme margins."""

from __future__ import annotations

import math

import pytest
import torch

from plackett.errors import ConfigurationError
from plackett.losses.pair_functions import (
    Exponential,
    Fidelity,
    Hinge,
    Logistic,
    PairFunction,
    Squared,
)

FUNCTIONS = [
    Logistic(),
    Logistic(sigma=2.5, base=2.0),
    Logistic(margin=0.3),
    Hinge(),
    Hinge(margin=0.25),
    Exponential(),
    Exponential(limit=1.0),
    Squared(),
    Squared(margin=2.0),
    Fidelity(),
    Fidelity(variance=1.0),
    Fidelity("gap"),
    Fidelity("gap", variance=1.0),
]
every_function = pytest.mark.parametrize("function", FUNCTIONS, ids=repr)


@every_function
def test_derivatives_are_those_of_the_value(function: PairFunction) -> None:
    # Margins away from the corners of the hinge and the end of the exponential.
    margin = torch.linspace(-14.03, 14.07, 57, dtype=torch.float64)
    gap = torch.linspace(0.1, 3.0, 57, dtype=torch.float64)
    step = 1e-4
    up, down = margin + step, margin - step
    slope = (function.value(up, gap) - function.value(down, gap)) / (2 * step)
    torch.testing.assert_close(function.slope(margin, gap), slope, rtol=1e-6, atol=1e-8)
    curvature = (function.slope(up, gap) - function.slope(down, gap)) / (2 * step)
    torch.testing.assert_close(function.curvature(margin, gap), curvature, rtol=1e-6, atol=1e-8)


@every_function
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_extreme_margins_are_finite(function: PairFunction, dtype: torch.dtype) -> None:
    margin = torch.tensor([-2e4, -1e3, -40.0, -10.0, 0.0, 10.0, 40.0, 1e3, 2e4], dtype=dtype)
    for gap in (torch.zeros_like(margin), torch.full_like(margin, 3.0)):
        for part in (function.value, function.slope, function.curvature):
            assert torch.isfinite(part(margin, gap)).all()


@every_function
def test_a_function_that_is_called_convex_is(function: PairFunction) -> None:
    margin = torch.linspace(-30, 30, 601, dtype=torch.float64)
    curvature = function.curvature(margin, torch.ones_like(margin))
    assert not function.convex or bool((curvature >= 0).all() and (curvature > 0).any())


def test_logistic_bounds_the_count_of_wrong_pairs_in_base_2() -> None:
    margin = torch.linspace(-5, 5, 101, dtype=torch.float64)
    value = Logistic(base=2.0).value(margin, margin)
    assert (value >= (margin <= 0).to(value) - 1e-15).all()
    assert Logistic().value(torch.zeros(1), torch.ones(1)).item() == pytest.approx(math.log(2))


def test_fidelity_has_the_cards_values() -> None:
    margin, gap = torch.tensor([0.8], dtype=torch.float64), torch.tensor([1.0], dtype=torch.float64)
    assert Fidelity("gap").value(margin, gap).item() == pytest.approx(0.00137056, abs=1e-8)
    assert Fidelity().value(margin, gap).item() == pytest.approx(0.154899, abs=1e-6)
    # Where p is 1, the loss is 1 - sqrt(q).
    for d, q in ((0.8, 0.714196), (1.0, 0.760250)):
        value = Fidelity().value(torch.tensor([d], dtype=torch.float64), gap).item()
        assert (1 - value) ** 2 == pytest.approx(q, abs=1e-6)


def test_fidelity_is_bounded_and_0_where_the_probabilities_agree() -> None:
    margin = torch.linspace(-30, 30, 121, dtype=torch.float64)
    for function in (Fidelity(), Fidelity("gap")):
        value = function.value(margin, margin.abs())
        assert (value >= 0).all()
        assert (value <= 1).all()
    agreeing = torch.linspace(-3, 3, 13, dtype=torch.float64)
    nothing = torch.zeros_like(agreeing)
    torch.testing.assert_close(Fidelity("gap").value(agreeing, agreeing), nothing)
    torch.testing.assert_close(Fidelity("gap").slope(agreeing, agreeing), nothing)


def test_fidelity_of_tied_labels_is_least_at_equal_scores() -> None:
    margin = torch.tensor([-1.0, 0.0, 1.0], dtype=torch.float64)
    value = Fidelity().value(margin, torch.zeros_like(margin))
    assert value[1] == pytest.approx(0.0, abs=1e-15)
    assert value[0] == pytest.approx(value[2].item())
    assert value[0] > 0


def test_the_two_conventions_of_thurstone_differ_by_the_scale_of_scores() -> None:
    margin = torch.linspace(-3, 3, 13, dtype=torch.float64)
    narrow = Fidelity(variance=1.0).value(margin, margin.abs() + 1)
    wide = Fidelity().value(margin * math.sqrt(2), margin.abs() + 1)
    torch.testing.assert_close(narrow, wide)


def test_fidelity_is_smooth_where_its_series_begins() -> None:
    margin = torch.tensor([-10.0, -10.000001], dtype=torch.float64)
    gap = torch.ones(2, dtype=torch.float64)
    function = Fidelity(variance=1.0)
    for part in (function.slope, function.curvature):
        below, above = part(margin, gap)
        assert below == pytest.approx(above.item(), rel=1e-4)


def test_the_exponential_goes_on_as_its_tangent() -> None:
    function = Exponential(limit=1.0)
    margin = torch.tensor([-1.0, -3.0], dtype=torch.float64)
    value = function.value(margin, margin)
    torch.testing.assert_close(value, math.e * torch.tensor([1.0, 3.0], dtype=torch.float64))


@pytest.mark.parametrize(
    "make",
    [
        lambda: Logistic(sigma=0),
        lambda: Logistic(base=1),
        lambda: Logistic(margin=math.inf),
        lambda: Hinge(margin=-1),
        lambda: Exponential(limit=math.nan),
        lambda: Squared(margin=0),
        lambda: Fidelity(variance=0),
        lambda: Fidelity("label"),
    ],
)
def test_bad_parameters_are_refused(make: object) -> None:
    with pytest.raises(ConfigurationError):
        make()  # type: ignore[operator]
