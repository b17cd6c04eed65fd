"""Soft measures of classification and dice against their hard limits and published numbers."""

from __future__ import annotations

import pytest
import torch
from sklearn.metrics import accuracy_score, balanced_accuracy_score, fbeta_score, recall_score

from plackett.errors import ConfigurationError, DataError
from plackett.losses.imbalance import AnyLoss, Dice

P = torch.tensor([0.9, 0.6, 0.4, 0.2], dtype=torch.float64)
S = torch.logit(P)
Y = torch.tensor([1, 0, 1, 0])


def test_anyloss_examples() -> None:
    assert AnyLoss()(S, Y).item() == pytest.approx(0.499662, abs=1e-6)
    assert AnyLoss(amplification=10.0)(S, Y).item() == pytest.approx(0.379092, abs=1e-6)


def test_anyloss_decides_by_the_amplified_chances() -> None:
    decided = torch.tensor([1.0, 0.999325, 0.000675, 0.0], dtype=torch.float64)
    right, wrong, missed = decided[0] + decided[2], decided[1] + decided[3], 2 - decided[0]
    missed = missed - decided[2]
    expected = {
        "f_beta": 1 - 2 * right / (2 * right + missed + wrong),
        "accuracy": 1 - (right + 2 - wrong) / 4,
        "balanced_accuracy": 1 - (right / 2 + (2 - wrong) / 2) / 2,
        "geometric_mean": 1 - (right / 2 * (2 - wrong) / 2).sqrt(),
    }
    for measure, value in expected.items():
        found = AnyLoss(measure)(S, Y)  # type: ignore[arg-type]
        torch.testing.assert_close(found, value, rtol=0, atol=2e-6)


@pytest.mark.parametrize("seed", range(5))
def test_anyloss_tends_to_the_hard_measure(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(30, generator=generator, dtype=torch.float64)
    labels = (torch.rand(30, generator=generator) < 0.3).long()
    hard = (scores > 0).long().numpy()
    truth = labels.numpy()
    rates = [recall_score(truth, hard, pos_label=label) for label in (0, 1)]
    expected = {
        AnyLoss("accuracy", amplification=1e6): accuracy_score(truth, hard),
        AnyLoss("f_beta", amplification=1e6): fbeta_score(truth, hard, beta=1),
        AnyLoss("f_beta", beta=2.0, amplification=1e6): fbeta_score(truth, hard, beta=2),
        AnyLoss("balanced_accuracy", amplification=1e6): balanced_accuracy_score(truth, hard),
        AnyLoss("geometric_mean", amplification=1e6): (rates[0] * rates[1]) ** 0.5,
    }
    for loss, measure in expected.items():
        assert loss(scores, labels).item() == pytest.approx(1 - measure, abs=1e-9)


def test_a_list_of_one_class_says_nothing() -> None:
    scores = torch.stack([S, S])
    labels = torch.tensor([[1, 0, 1, 0], [0, 0, 0, 0]])
    for measure in ("f_beta", "geometric_mean", "balanced_accuracy"):
        loss = AnyLoss(measure)
        torch.testing.assert_close(loss(scores, labels), loss(S, Y))


@pytest.mark.parametrize("loss", [AnyLoss(over="batch"), Dice(form="set", over="batch")])
def test_over_the_batch_all_documents_are_one_list(loss: AnyLoss | Dice) -> None:
    scores = S.view(2, 2)
    alone = type(loss)(form="set") if isinstance(loss, Dice) else AnyLoss()
    torch.testing.assert_close(loss(scores, Y.view(2, 2)), alone(S, Y))


def test_weights_count_as_copies() -> None:
    weights = torch.tensor([1.0, 2.0, 3.0, 1.0], dtype=torch.float64)
    copies = torch.tensor([0, 1, 1, 2, 2, 2, 3])
    for loss in (AnyLoss(), AnyLoss("accuracy"), Dice(form="set"), Dice(form="tversky")):
        torch.testing.assert_close(loss(S, Y, weights=weights), loss(S[copies], Y[copies]))


def test_dice_examples() -> None:
    by_document = Dice(focus=1.0)(S[:, None], Y[:, None], reduction="none")
    assert by_document.tolist() == pytest.approx([0.435407, 0.193548, 0.339286, 0.137931], abs=1e-6)
    assert Dice(focus=1.0)(S, Y).item() == pytest.approx(0.276543, abs=1e-6)
    assert Dice(focus=0.0)(S, Y).item() == pytest.approx(0.206537, abs=1e-6)
    assert Dice(form="set")(S, Y).item() == pytest.approx(0.176201, abs=1e-6)
    tversky = Dice(form="tversky", false_positive_weight=0.3)
    assert tversky(S, Y).item() == pytest.approx(0.240924, abs=1e-6)


def test_halves_of_tversky_are_dice_of_sums() -> None:
    both, size = (P * Y).sum(), P.sum() + Y.sum()
    expected = 1 - (2 * both + 2) / (size + 2)
    torch.testing.assert_close(Dice(form="tversky")(S, Y), expected)


def test_a_perfect_positive_is_not_free_under_the_focus() -> None:
    sure = torch.tensor([40.0], dtype=torch.float64)
    assert Dice(focus=1.0)(sure, torch.tensor([1])).item() == pytest.approx(0.5)
    assert Dice(focus=0.0)(sure, torch.tensor([1])).item() == pytest.approx(0.0)


@pytest.mark.parametrize("loss", [AnyLoss(), Dice()])
def test_grades_need_a_threshold(loss: AnyLoss | Dice) -> None:
    grades = torch.tensor([3, 0, 2, 1])
    with pytest.raises(DataError, match="set a threshold"):
        loss(S, grades)
    torch.testing.assert_close(type(loss)(threshold=2)(S, grades), loss(S, Y))


def test_parameters_out_of_range() -> None:
    for wrong in ("f1", ""):
        with pytest.raises(ConfigurationError, match="expected one of"):
            AnyLoss(wrong)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="above 0"):
        AnyLoss(amplification=0.0)
    with pytest.raises(ConfigurationError, match="above 0"):
        Dice(smoothing=0.0)
    with pytest.raises(ConfigurationError, match="at least 0"):
        Dice(focus=-1.0)
    with pytest.raises(ConfigurationError, match=r"in \[0, 1\]"):
        Dice(false_positive_weight=1.5)
