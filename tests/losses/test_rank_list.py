"""RankList against its definition, ListMLE and RankNet."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import softplus

from plackett.errors import ConfigurationError
from plackett.losses.plackett_luce import ListMLE
from plackett.losses.rank_list import RankList

S = torch.tensor([2.0, 1.0, 0.5, -1.0], dtype=torch.float64)
SORTED = torch.tensor([3, 2, 1, 0])


def by_definition(
    scores: list[float], labels: list[float], width: int, margin: float, later: bool
) -> float:
    """One term of the sum over w, by loops; equal labels stay as they come."""
    order = sorted(range(len(scores)), key=lambda place: -labels[place])
    terms = []
    for k, place in enumerate(order):
        rivals = order[k + width :] if later else order[k + width : k + width + 1]
        below = [
            scores[rival]
            for rival in rivals
            if labels[place] > labels[rival] and labels[place] - labels[rival] >= margin
        ]
        if below:
            exponentials = sum(math.exp(score - scores[place]) for score in below)
            terms.append(math.log1p(exponentials))
    return sum(terms) / max(len(terms), 1)


def test_the_numbers_of_the_sorted_example() -> None:
    first = RankList()(S, SORTED).item()
    assert 3 * first == pytest.approx(1.251552, abs=1e-6)
    assert 3 * RankList(against="next")(S, SORTED).item() == pytest.approx(0.988752, abs=1e-6)
    second = RankList(skip=2)(S, SORTED).item() - first
    assert 2 * second == pytest.approx(0.368239, abs=1e-6)
    third = RankList(skip=3)(S, SORTED).item() - first - second
    assert third == pytest.approx(0.048587, abs=1e-6)


def test_without_skips_the_sum_is_that_of_listmle() -> None:
    labels = torch.tensor([1, 3, 0, 2])
    torch.testing.assert_close(3 * RankList()(S, labels), ListMLE()(S, labels))
    torch.testing.assert_close(RankList()(S[:2], labels[:2]), softplus(S[0] - S[1]))


def test_it_is_at_most_the_sum_over_pairs() -> None:
    pairs = sum(softplus(S[j] - S[i]).item() for i in range(4) for j in range(i + 1, 4))
    assert pairs == pytest.approx(1.365681, abs=1e-6)
    assert 3 * RankList()(S, SORTED).item() <= pairs


@pytest.mark.parametrize("skip", [1, 2, 3, 9])
@pytest.mark.parametrize("margin", [0.0, 1.0, 1.5])
@pytest.mark.parametrize("against", ["later", "next"])
def test_the_definition_with_ties_and_margins(skip: int, margin: float, against: str) -> None:
    generator = torch.Generator().manual_seed(7)
    loss = RankList(skip=skip, margin=margin, against=against)  # type: ignore[arg-type]
    for _ in range(10):
        scores = torch.randn(7, generator=generator, dtype=torch.float64)
        labels = torch.randint(0, 4, (7,), generator=generator)
        expected = sum(
            by_definition(scores.tolist(), labels.tolist(), width, margin, against == "later")
            for width in range(1, min(skip, 6) + 1)
        )
        assert loss(scores, labels).item() == pytest.approx(expected, abs=1e-9)


def test_ties_may_come_in_any_order() -> None:
    labels = torch.tensor([1, 0, 1, 0, 2, 1])
    scores = torch.randn(6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    turned = torch.tensor([5, 3, 0, 4, 1, 2])
    torch.testing.assert_close(
        RankList()(scores[turned], labels[turned]), RankList()(scores, labels)
    )


def test_the_gradient_and_weights() -> None:
    generator = torch.Generator().manual_seed(2)
    scores = torch.randn(3, 6, generator=generator, dtype=torch.float64, requires_grad=True)
    labels = torch.randint(0, 4, (3, 6), generator=generator)
    weights = torch.rand(3, 6, generator=generator, dtype=torch.float64)
    loss = RankList(skip=3)
    assert torch.autograd.gradcheck(lambda s: loss(s, labels, weights=weights), scores)
    only = torch.tensor([[0.0, 1.0, 0.0, 0.0]], dtype=torch.float64)
    expected = torch.stack([S[2], S[3]]).logsumexp(0) - S[1]
    found = 3 * RankList()(S[None], SORTED[None], weights=only)
    torch.testing.assert_close(found, softplus(expected))


def test_nothing_to_compare() -> None:
    assert RankList()(S, torch.ones(4)) == 0
    assert RankList(margin=5.0)(S, SORTED) == 0
    assert RankList()(torch.zeros(2, 0), torch.zeros(2, 0)) == 0
    assert RankList()(torch.zeros(2, 1), torch.ones(2, 1)) == 0


def test_wrong_parameters() -> None:
    with pytest.raises(ConfigurationError, match="skip"):
        RankList(skip=0)
    with pytest.raises(ConfigurationError, match="margin"):
        RankList(margin=-1.0)
    with pytest.raises(ConfigurationError, match="against"):
        RankList(against="all")  # type: ignore[arg-type]
