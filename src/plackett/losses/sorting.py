"""Sorting relaxed: NeuralSort's permutation matrices, made doubly stochastic by Sinkhorn's scaling.

The matrix is never stored for a batch. What leaves this module are its products with columns, and
the gradient is replayed from the scaling vectors.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

__all__ = ["RelaxedSort"]

_CHUNK = 2**20
"""Entries of the matrices computed at a time."""

_SMALLEST = 1e-12
"""Row and column sums are taken to be no smaller; those of a list without far ties never are."""


@dataclass(frozen=True)
class RelaxedSort:
    """A relaxed permutation matrix P of each list, as the products P C and P^T R.

    NeuralSort: row k, for the document at rank k, is the softmax over j of
    ((n + 1 - 2 k) s_j - sum_i |s_i - s_j|) / temperature. Its rows sum to 1, its columns need not.
    Sinkhorn's scaling then divides the columns and the rows by their sums in turn, until all column
    sums are within the tolerance of 1: P = diag(u) K diag(v) with K as above, so that the scaling
    costs products of K with vectors only. Every list stops on its own.

    The backward pass replays the vectors in reverse. Each step adds an outer product of two vectors
    to the gradient of K, so that their sum is one product of two thin matrices.

    Parameters
    ----------
    temperature : in units of the scores.
    iterations : at most; 0 leaves NeuralSort as it is.
    tolerance : of the column sums; those of the rows are exact.

    Grover, Wang, Zweig & Ermon, "Stochastic optimization of sorting networks via continuous
    relaxations", ICLR 2019; Sinkhorn & Knopp, "Concerning nonnegative matrices and doubly
    stochastic matrices", Pacific Journal of Mathematics 1967.

    >>> scores = torch.tensor([[0.0, 2.0, 1.0]])
    >>> where = torch.ones_like(scores, dtype=torch.bool)
    >>> columns = torch.tensor([[[10.0], [20.0], [30.0]]])
    >>> RelaxedSort(temperature=0.01).by_rank(scores, where, columns)[..., 0]
    tensor([[20., 30., 10.]])
    """

    temperature: float = 1.0
    iterations: int = 50
    tolerance: float = 1e-6

    def by_rank(self, scores: Tensor, where: Tensor, columns: Tensor) -> Tensor:
        """P C: what stands at each rank, of `columns[B, L, M]` by document; 0 below the list.

        A gradient passes to the scores only.
        """
        placed: Tensor = _Placed.apply(scores, where, columns, self, False)  # type: ignore[no-untyped-call]
        return placed

    def by_document(self, scores: Tensor, where: Tensor, rows: Tensor) -> Tensor:
        """P^T R: what each document gets, of `rows[B, L, M]` by rank; 0 at padding.

        A gradient passes to the scores only.
        """
        placed: Tensor = _Placed.apply(scores, where, rows, self, True)  # type: ignore[no-untyped-call]
        return placed


class _Part(NamedTuple):
    """Some lists, by index, cut at their last document: scores, documents, ranks, multipliers.

    `multiplier` is n + 1 - 2 k at rank k, `float[b, L, 1]`; `ranks` is True for k up to n.
    """

    lists: Tensor
    scores: Tensor
    where: Tensor
    ranks: Tensor
    multiplier: Tensor


def _parts(scores: Tensor, where: Tensor) -> Iterator[_Part]:
    """The batch in parts of bounded size, lists of a length together."""
    position = torch.arange(1, scores.shape[1] + 1, device=scores.device)
    ends = (where * position).amax(dim=-1) if scores.shape[1] else where.sum(dim=-1)
    order = ends.argsort(descending=True)
    lengths = [length for length in ends[order].tolist() if length]
    start = 0
    while start < len(lengths):
        length = lengths[start]
        chosen = order[start : min(len(lengths), start + max(1, _CHUNK // length**2))]
        real = where[chosen, :length]
        count = real.sum(dim=-1, keepdim=True)
        multiplier = (count + 1 - 2 * position[:length]).to(scores)[..., None]
        yield _Part(chosen, scores[chosen, :length], real, position[:length] <= count, multiplier)
        start += len(chosen)


def _softmax(part: _Part, temperature: float) -> Tensor:
    """NeuralSort's matrix K of each list, `float[b, L, L]`; 0 in padded rows and columns."""
    # A shift of the scores changes nothing but the digits that are left.
    centre = part.scores.sum(dim=-1, keepdim=True) / part.where.sum(dim=-1, keepdim=True)
    scores = (part.scores - centre) * part.where / temperature
    distance = torch.zeros_like(scores)
    matrix = (scores[:, None, :] - scores[:, :, None]).abs_()
    torch.bmm(part.where.to(scores)[:, None, :], matrix, out=distance[:, None, :])
    distance.masked_fill_(~part.where, torch.inf)
    torch.mul(part.multiplier, scores[:, None, :], out=matrix)
    matrix -= distance[:, None, :]
    matrix -= matrix.amax(dim=-1, keepdim=True)
    matrix.exp_()
    matrix *= part.ranks[..., None] / matrix.sum(dim=-1, keepdim=True)
    return matrix


def _softmax_backward(part: _Part, matrix: Tensor, gradient: Tensor, temperature: float) -> Tensor:
    """The gradient of the scores, from that of the matrix; `gradient` is used up."""
    gradient *= matrix
    shares = gradient.sum(dim=-1, keepdim=True)
    logits = gradient.addcmul_(matrix, shares, value=-1.0)
    arrived = torch.bmm(part.multiplier.mT, logits)[:, 0]
    # The sum of distances moves by the signs of the differences; tied documents by none.
    distance = -logits.sum(dim=1)
    signs = torch.sub(part.scores[:, :, None], part.scores[:, None, :], out=logits).sign_()
    signs *= part.where[:, None, :]
    own = signs.sum(dim=-1) * distance
    others = torch.bmm(signs, (distance * part.where)[..., None])[..., 0]
    return (arrived + own + others) / temperature * part.where


class _Scaling(NamedTuple):
    """u and v of P = diag(u) K diag(v), the vectors of every step, and who still moved in it.

    Lists of vectors have one entry a step: `rows` u before and after, `columns` v after, and
    `moving` `float[b, 1]`, 1 where the list took the step.
    """

    rows: list[Tensor]
    columns: list[Tensor]
    moving: list[Tensor]


def _transposed_times(matrix: Tensor, vector: Tensor) -> Tensor:
    """K^T x, `float[b, L]`.

    A product from the left with a contiguous matrix is ten times faster than one from the right,
    so that both K and its transpose are laid out.
    """
    return torch.bmm(vector[:, None, :], matrix)[:, 0]


def _scaling(matrix: Tensor, part: _Part, sort: RelaxedSort) -> _Scaling:
    """Sinkhorn's scaling: v = 1 / (K^T u), u = 1 / (K v), until the columns sum to 1."""
    turned = matrix.mT.contiguous() if sort.iterations else matrix
    row = torch.ones_like(part.scores)
    column = torch.ones_like(part.scores)
    scaling = _Scaling([row], [column], [])
    padded, unranked = (~part.where).to(row), (~part.ranks).to(row)
    for _ in range(sort.iterations):
        # Padding has a sum of 0, and keeps a factor of 1.
        column_sum = _transposed_times(matrix, row) + padded
        error = (column_sum * column - 1.0).abs_().amax(dim=-1, keepdim=True)
        moving = error > sort.tolerance
        if not moving.any():
            break
        column = torch.where(moving, column_sum.clamp(min=_SMALLEST).reciprocal(), column)
        row_sum = _transposed_times(turned, column) + unranked
        row = torch.where(moving, row_sum.clamp(min=_SMALLEST).reciprocal(), row)
        scaling.rows.append(row)
        scaling.columns.append(column)
        scaling.moving.append(moving.to(row))
    return scaling


def _matrix_gradient(matrix: Tensor, scaling: _Scaling, left: Tensor, right: Tensor) -> Tensor:
    """The gradient of sum_m left_m^T P right_m with respect to K, `float[b, L, L]`.

    With a = -u' u^2 for the step u = 1 / (K v), where u' is the gradient of u: K gains a v^T and v
    gains K^T a; with b = -v' v^2 for the step v = 1 / (K^T u): K gains u b^T and u gains K b.
    """
    row, column = scaling.rows[-1], scaling.columns[-1]
    left_scaled, right_scaled = row[..., None] * left, column[..., None] * right
    row_gradient = (left * torch.bmm(matrix, right_scaled)).sum(dim=-1)
    column_gradient = (right * torch.bmm(matrix.mT, left_scaled)).sum(dim=-1)
    turned = matrix.mT.contiguous() if scaling.moving else matrix
    lefts, rights = [*left_scaled.unbind(-1)], [*right_scaled.unbind(-1)]
    for step in reversed(range(len(scaling.moving))):
        moving = scaling.moving[step]
        row, column, previous = (
            scaling.rows[step + 1],
            scaling.columns[step + 1],
            scaling.rows[step],
        )
        above = -(row_gradient * row) * row * moving
        column_gradient = column_gradient + _transposed_times(matrix, above)
        beside = -(column_gradient * column) * column * moving
        lefts += [above, previous]
        rights += [column, beside]
        # A list that took the step forgets what came after it; the others carry it on.
        row_gradient = row_gradient * (1.0 - moving) + _transposed_times(turned, beside)
        column_gradient = column_gradient * (1.0 - moving)
    return torch.bmm(torch.stack(lefts, dim=1).mT, torch.stack(rights, dim=1))


class _Placed(torch.autograd.Function):
    """P C by rank, or P^T R by document, a part of the batch at a time."""

    @staticmethod
    def forward(
        ctx: Any, scores: Tensor, where: Tensor, values: Tensor, sort: RelaxedSort, transposed: bool
    ) -> Tensor:
        result = torch.zeros_like(values)
        saved: list[_Scaling] = []
        for part in _parts(scores, where):
            matrix = _softmax(part, sort.temperature)
            scaling = _scaling(matrix, part, sort)
            row, column = scaling.rows[-1][..., None], scaling.columns[-1][..., None]
            given = values[part.lists, : part.scores.shape[1]]
            if transposed:
                placed = column * torch.bmm(matrix.mT, row * given)
            else:
                placed = row * torch.bmm(matrix, column * given)
            result[part.lists, : part.scores.shape[1]] = placed
            saved.append(scaling)
        ctx.save_for_backward(scores, where, values)
        ctx.scalings, ctx.sort, ctx.transposed = saved, sort, transposed
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None, None]:
        scores, where, values = ctx.saved_tensors
        sort: RelaxedSort = ctx.sort
        result = torch.zeros_like(scores)
        for part, scaling in zip(_parts(scores, where), ctx.scalings, strict=True):
            length = part.scores.shape[1]
            given, arrived = values[part.lists, :length], gradient[part.lists, :length]
            left, right = (given, arrived) if ctx.transposed else (arrived, given)
            matrix = _softmax(part, sort.temperature)
            slope = _matrix_gradient(matrix, scaling, left, right)
            result[part.lists, :length] = _softmax_backward(part, matrix, slope, sort.temperature)
        return result, None, None, None, None
