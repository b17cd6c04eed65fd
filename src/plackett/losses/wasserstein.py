"""Distances of Wasserstein between the softmaxes of scores and of labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from plackett.errors import ConfigurationError
from plackett.losses.base import ListValues, Loss, Scored
from plackett.losses.listnet import real_log_softmax
from plackett.losses.plackett_luce import label_order, labels_differ
from plackett.losses.registry import register
from plackett.losses.soft_measures import check_temperature

__all__ = ["Wasserstein", "gaussian_distance"]


@register
@dataclass(frozen=True, repr=False)
class Wasserstein(Loss):
    """How far the softmax of the scores is from that of the labels, by moving chances.

    Over "batch", the paper's: the lists' softmaxes X, and Y of the labels, are samples of two
    Gaussians in as many dimensions as a list has places, and

        loss = |mean X - mean Y|^2 + tr(C_X) + tr(C_Y) - 2 tr((C_X C_Y)^(1/2)),

    the square of the 2-Wasserstein distance, C the covariances. A list's loss depends on the others
    and, with two lists or more, on the places of its documents: let the same place have the same
    grade in every list, as in a batch of made-up documents, so many of each grade. It is reported
    for each list, so that their mean is the batch's loss. With one list it is |X - Y|^2.

    Over each "list" (of this library):

        loss = sum over k of |P(X <= k) - P(Y <= k)|,

    the 1-Wasserstein distance along the documents by label; equal labels are one step. Lists whose
    labels are all equal are left out there; in a batch, those of one document. Document weights
    multiply the labels' softmax. In it each document of label 0 has the weight exp(0): where most
    documents are such, as those of the other queries of a batch, multiply the labels by a number,
    or mask some.

    Parameters
    ----------
    over : "batch" or "list".
    temperature : of the scores; labels are taken as they are.

    Raises
    ------
    ConfigurationError : unknown `over`, or a `temperature` that is not above 0.

    Reference: Esfandiarpoor, Zerveas, Zhang, Mgonzo, Eickhoff & Bach, "Beyond contrastive learning:
    synthetic data enables list-wise training with multiple levels of relevance", 2025, arXiv
    2503.23239.

    >>> scores = torch.tensor([[2.0, 1.0, 0.5], [1.0, 1.5, 0.0], [0.0, 2.0, 1.0]])
    >>> labels = torch.tensor([[3, 2, 0], [3, 1, 0], [2, 1, 0]])
    >>> round(Wasserstein()(scores, labels).item(), 5)
    0.29243
    """

    reference: ClassVar[str] = "Esfandiarpoor et al. 2025"

    over: Literal["batch", "list"] = "batch"
    temperature: float = 1.0

    def __post_init__(self) -> None:
        check_temperature(self.temperature)
        if self.over not in ("batch", "list"):
            raise ConfigurationError(f"over={self.over!r}; expected 'batch' or 'list'.")

    def _values(self, batch: Scored) -> ListValues:
        found = _chances(batch.scores / self.temperature, batch.where)
        aimed = _chances(batch.labels, batch.where)
        if batch.weights is not None:
            aimed = aimed * batch.weights
        if self.over == "list":
            return ListValues(_along_labels(found - aimed, batch), labels_differ(batch))
        counted = batch.where.sum(dim=-1) > 1
        distance = gaussian_distance(found[counted], aimed[counted])
        return ListValues(distance.expand(len(batch.scores)), counted)


def _chances(values: Tensor, where: Tensor) -> Tensor:
    chances = real_log_softmax(values, where).exp()
    return torch.where(where, chances, torch.zeros_like(chances))


def _along_labels(excess: Tensor, batch: Scored) -> Tensor:
    """sum of |excess up to k| over the last k of each label but the lowest, `float[B]`."""
    order = label_order(batch.labels, batch.where)
    labels = batch.labels.gather(-1, order)
    where = batch.where.gather(-1, order)
    last = (labels[:, :-1] > labels[:, 1:]) & where[:, 1:]
    moved = excess.gather(-1, order).cumsum(dim=-1)[:, :-1].abs()
    return torch.where(last, moved, torch.zeros_like(moved)).sum(dim=-1)


def gaussian_distance(samples: Tensor, aims: Tensor) -> Tensor:
    """The squared 2-Wasserstein distance of Gaussians with the samples' means and covariances.

    `samples[N, D]` and `aims[N, D]` are as many points in as many dimensions; N = 0 gives 0. No
    gradient goes to the aims. Computed in float64 from the singular values of a matrix of N x N or
    D x D entries, whichever is smaller.

    >>> points = torch.tensor([[0.0, 0.0], [2.0, 0.0]])
    >>> gaussian_distance(points, points + 3.0)
    tensor(18.)
    """
    if len(samples) == 0:
        return samples.sum()
    distance: Tensor
    wide, goal = samples.double(), aims.detach().double()
    distance = (wide.mean(dim=0) - goal.mean(dim=0)).square().sum()
    if len(samples) > 1:
        scale = (len(samples) - 1) ** -0.5
        found, aimed = ((x - x.mean(dim=0)) * scale for x in (wide, goal))
        shared: Tensor = _SharedSpread.apply(found, aimed)  # type: ignore[no-untyped-call]
        distance = distance + found.square().sum() + aimed.square().sum() - 2.0 * shared
    # Rounding can leave a number just below 0 where the two are equal.
    distance = distance + (distance.detach().clamp(min=0.0) - distance.detach())
    return distance.to(samples)


class _SharedSpread(torch.autograd.Function):
    """tr((A^T A C^T C)^(1/2)) of `float[N, D]` matrices: the sum of the singular values of A C^T.

    Its gradient by A is U V^T C of the singular vectors, those of singular value 0 left out, so
    that it is finite where the matrix has no full rank, as centred samples never have.
    """

    @staticmethod
    def forward(ctx: Any, found: Tensor, aimed: Tensor) -> Tensor:
        samples, dimensions = found.shape
        if samples <= dimensions:
            left, values, right = torch.linalg.svd(found @ aimed.T, full_matrices=False)
        else:
            # A = Q R: the small matrix R_A R_C^T has the same singular values.
            basis, small = torch.linalg.qr(found)
            other_basis, other = torch.linalg.qr(aimed)
            left, values, right = torch.linalg.svd(small @ other.T, full_matrices=False)
            left, right = basis @ left, right @ other_basis.T
        kept = values > values.amax() * 1e-12 if len(values) else values > 0
        left = left * kept
        ctx.save_for_backward(left @ (right @ aimed))
        total: Tensor = values.sum()
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (slope,) = ctx.saved_tensors
        return gradient * slope, None
