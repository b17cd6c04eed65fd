"""Losses for labels of which few are positive: soft measures of classification, and dice."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from plackett.errors import ConfigurationError
from plackett.losses.base import ListValues, Loss, Scored
from plackett.losses.pointwise import binary_targets, document_mean, safe_root
from plackett.losses.registry import register

__all__ = ["AnyLoss", "Dice"]

Measure = Literal["accuracy", "f_beta", "geometric_mean", "balanced_accuracy"]
Form = Literal["self_adjusting", "set", "tversky"]
Over = Literal["list", "batch"]

MEASURES = ("accuracy", "f_beta", "geometric_mean", "balanced_accuracy")
FORMS = ("self_adjusting", "set", "tversky")


class Confusion(NamedTuple):
    """Soft counts, `float[B]`."""

    true_positives: Tensor
    false_positives: Tensor
    false_negatives: Tensor
    true_negatives: Tensor


@register
@dataclass(frozen=True, repr=False)
class AnyLoss(Loss):
    """One minus a measure of classification, of counts made smooth.

        p_i = sigmoid(s_i),  A_i = 1 / (1 + exp(-amplification (p_i - 1/2)))
        TP = sum_i t_i A_i,  FP = sum_i (1 - t_i) A_i,  FN = sum_i t_i (1 - A_i),  TN likewise

    accuracy: (TP + TN) / n; f_beta: (1 + b^2) TP / ((1 + b^2) TP + b^2 FN + FP);
    geometric_mean: sqrt(TPR TNR); balanced_accuracy: (TPR + TNR) / 2.

    Scores are log odds; a document is taken for positive from score 0 on. Far from 0 the gradient
    vanishes: begin with `BinaryCrossEntropy`, or a smaller amplification. Lists without a positive
    say nothing to f_beta, and lists of one class nothing to the geometric mean and the balanced
    accuracy.

    Parameters
    ----------
    measure : "accuracy", "f_beta", "geometric_mean" or "balanced_accuracy".
    beta : of f_beta.
    amplification : how sharply p = 1/2 parts the classes.
    threshold : labels from it on are 1 and others 0; without one, labels are in [0, 1].
    over : count in each "list", or in the whole "batch", as the paper does.

    Raises
    ------
    ConfigurationError : parameters out of range.
    DataError : without a threshold, labels outside [0, 1].

    Reference: Han, Moniz, Chawla, "AnyLoss: transforming classification metrics into loss
    functions", KDD 2024.

    >>> import torch
    >>> scores = torch.logit(torch.tensor([0.9, 0.6, 0.4, 0.2], dtype=torch.float64))
    >>> round(AnyLoss(amplification=10.0)(scores, torch.tensor([1, 0, 1, 0])).item(), 6)
    0.379092
    """

    reference: ClassVar[str] = "Han, Moniz, Chawla, KDD 2024"
    shift_invariant: ClassVar[bool] = False

    measure: Measure = "f_beta"
    beta: float = 1.0
    amplification: float = 73.0
    threshold: float | None = None
    over: Over = "list"

    def __post_init__(self) -> None:
        _check_choice("measure", self.measure, MEASURES)
        _check_choice("over", self.over, ("list", "batch"))
        _check_positive("beta", self.beta)
        _check_positive("amplification", self.amplification)

    def _values(self, batch: Scored) -> ListValues:
        targets = binary_targets(batch.labels, self.threshold, self)
        decided = torch.sigmoid(self.amplification * (torch.sigmoid(batch.scores) - 0.5))
        real = _document_weights(batch)

        def total(terms: Tensor) -> Tensor:
            return _summed(real * terms, self.over)

        counts = Confusion(
            total(targets * decided),
            total((1 - targets) * decided),
            total(targets * (1 - decided)),
            total((1 - targets) * (1 - decided)),
        )
        says = self._says(counts) & batch.where.any(dim=-1)
        measure = self._measured(counts)
        return ListValues(torch.where(says, 1 - measure, torch.zeros_like(measure)), says)

    def _says(self, counts: Confusion) -> Tensor:
        positives = counts.true_positives + counts.false_negatives
        negatives = counts.true_negatives + counts.false_positives
        if self.measure == "accuracy":
            return positives + negatives > 0
        if self.measure == "f_beta":
            return positives > 0
        return (positives > 0) & (negatives > 0)

    def _measured(self, counts: Confusion) -> Tensor:
        right, wrong, missed, refused = counts
        if self.measure == "accuracy":
            return _ratio(right + refused, right + refused + wrong + missed)
        if self.measure == "f_beta":
            square = self.beta**2
            found = (1 + square) * right
            return _ratio(found, found + square * missed + wrong)
        sensitivity = _ratio(right, right + missed)
        specificity = _ratio(refused, refused + wrong)
        if self.measure == "geometric_mean":
            return safe_root(sensitivity * specificity)
        return (sensitivity + specificity) / 2


@register
@dataclass(frozen=True, repr=False)
class Dice(Loss):
    """One minus the overlap of the predicted and the true positives, over their sizes.

    With p_i = sigmoid(s_i), targets t_i and the smoothing g:

        self_adjusting: mean_i [1 - (2 q_i t_i + g) / (q_i + t_i + g)],  q_i = (1 - p_i)^focus p_i
        set:            1 - (2 sum p t + g) / (sum p^2 + sum t^2 + g)
        tversky:        1 - (sum p t + g) / (sum p t + a sum p (1 - t) + (1 - a) sum (1 - p) t + g)

    The factor (1 - p)^focus takes weight from documents that are already told apart, of which an
    imbalanced list is full. Keep `focus` small: it keeps the loss of a perfect positive from 0, and
    above p = 1 / (1 + focus) it turns the gradient round.

    Parameters
    ----------
    form : "self_adjusting", "set" or "tversky".
    focus : the exponent of the self-adjusting form, at least 0.
    smoothing : g, above 0.
    false_positive_weight : a of tversky, within [0, 1]; 0.5 is dice with sums instead of squares.
    threshold : labels from it on are 1 and others 0; without one, labels are in [0, 1].
    over : sum the set forms in each "list", or in the whole "batch".

    Raises
    ------
    ConfigurationError : parameters out of range.
    DataError : without a threshold, labels outside [0, 1].

    Reference: Li et al., "Dice loss for data-imbalanced NLP tasks", ACL 2020; set form: Milletari,
    Navab, Ahmadi, 3DV 2016; Tversky: Salehi, Erdogmus, Gholipour, MLMI 2017.

    >>> import torch
    >>> scores = torch.logit(torch.tensor([0.9, 0.6, 0.4, 0.2], dtype=torch.float64))
    >>> round(Dice(form="set")(scores, torch.tensor([1, 0, 1, 0])).item(), 6)
    0.176201
    """

    reference: ClassVar[str] = "Li et al., ACL 2020"
    shift_invariant: ClassVar[bool] = False

    form: Form = "self_adjusting"
    focus: float = 0.01
    smoothing: float = 1.0
    false_positive_weight: float = 0.5
    threshold: float | None = None
    over: Over = "list"

    def __post_init__(self) -> None:
        _check_choice("form", self.form, FORMS)
        _check_choice("over", self.over, ("list", "batch"))
        _check_positive("smoothing", self.smoothing)
        if not (math.isfinite(self.focus) and self.focus >= 0):
            raise ConfigurationError(f"focus={self.focus!r}; expected a number of at least 0.")
        if not 0 <= self.false_positive_weight <= 1:
            raise ConfigurationError(
                f"false_positive_weight={self.false_positive_weight!r}; expected it in [0, 1]."
            )

    def _values(self, batch: Scored) -> ListValues:
        targets = binary_targets(batch.labels, self.threshold, self)
        chances = torch.sigmoid(batch.scores)
        if self.form == "self_adjusting":
            return document_mean(self._document_terms(batch.scores, chances, targets), batch)
        real = _document_weights(batch)

        def total(terms: Tensor) -> Tensor:
            return _summed(real * terms, self.over)

        both = total(chances * targets)
        if self.form == "set":
            overlap, size = 2 * both, total(chances.square()) + total(targets.square())
        else:
            false_positives = self.false_positive_weight * total(chances * (1 - targets))
            missed = (1 - self.false_positive_weight) * total((1 - chances) * targets)
            overlap, size = both, both + false_positives + missed
        values = 1 - (overlap + self.smoothing) / (size + self.smoothing)
        return ListValues(values, batch.where.any(dim=-1))

    def _document_terms(self, scores: Tensor, chances: Tensor, targets: Tensor) -> Tensor:
        # (1 - p)^focus by its logarithm: a power of exactly 0 has no finite derivative.
        flattened = chances * torch.exp(self.focus * logsigmoid(-scores))
        overlap = 2 * flattened * targets + self.smoothing
        return 1 - overlap / (flattened + targets + self.smoothing)


def _document_weights(batch: Scored) -> Tensor:
    """What a document counts: its weight or 1, and 0 at padding."""
    return batch.where.to(batch.scores) if batch.weights is None else batch.weights


def _summed(terms: Tensor, over: Over) -> Tensor:
    """Sums of `[B, L]` by list, or of the batch for each list: `[B]`."""
    return terms.sum(dim=-1) if over == "list" else terms.sum().expand(len(terms))


def _ratio(numerator: Tensor, denominator: Tensor) -> Tensor:
    """0 where the denominator is 0."""
    safe = torch.where(denominator > 0, denominator, torch.ones_like(denominator))
    return numerator / safe


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ConfigurationError(f"{name}={value!r}; expected one of {', '.join(choices)}.")


def _check_positive(name: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise ConfigurationError(f"{name}={value!r}; expected a finite number above 0.")
