"""The Plackett-Luce likelihood of an order of documents, and the losses made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from plackett.errors import ConfigurationError, DataError
from plackett.losses.base import ListValues, Loss, Scored
from plackett.losses.registry import register

__all__ = [
    "ListMLE",
    "PListMLE",
    "Stages",
    "label_order",
    "labels_differ",
    "plackett_luce_log_likelihood",
]

_LONGEST = 2**16
"""Lists up to this length leave 16 bits or more of 32 to random numbers."""

_SAFE_RANGE = 60.0
"""Scores of a list so far apart still have exponentials, and inverses of their sums, in float32."""


def label_order(labels: Tensor, where: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """The documents by descending label, padding last, `int64[B, L]`.

    Equal labels take the order in which they come or, with a generator, a random one that is drawn
    for every list on its own.
    """
    single = labels.detach().float()
    length = labels.shape[-1]
    if length > _LONGEST or (
        single.dtype != labels.dtype and not torch.equal(single.to(labels), labels)
    ):
        return _order_by_two_sorts(labels, where, generator)
    # One number holds the label, the random number and the place; to sort whole numbers is several
    # times as fast as to sort places by them.
    bits = single.add(0.0).view(torch.int32)  # adding 0 turns -0 into 0
    descending = torch.bitwise_not(bits ^ ((bits >> 31) & 0x7FFFFFFF))
    keys = descending.masked_fill(~where, 0x7FFFFFFF).long() << 32
    width = max(1, (length - 1).bit_length())
    if generator is not None:
        drawn = torch.randint(
            2 ** (32 - width), labels.shape, generator=generator, device=generator.device
        )
        keys |= drawn.to(keys) << width
    keys |= torch.arange(length, device=keys.device)
    if keys.device.type == "cpu":
        keys = torch.from_numpy(np.sort(keys.numpy(), axis=-1))
    else:
        keys = keys.sort(dim=-1).values
    return torch.bitwise_and(keys, 2**width - 1)


def _order_by_two_sorts(labels: Tensor, where: Tensor, generator: torch.Generator | None) -> Tensor:
    """The same as `label_order`, for labels that need float64 and for very long lists."""
    keys = labels.masked_fill(~where, -torch.inf)
    if generator is None:
        return keys.sort(dim=-1, descending=True, stable=True).indices
    drawn = torch.rand(labels.shape, generator=generator, device=generator.device)
    shuffle = drawn.to(labels.device).argsort(dim=-1)
    order = keys.gather(-1, shuffle).sort(dim=-1, descending=True, stable=True).indices
    return shuffle.gather(-1, order)


def labels_differ(batch: Scored) -> Tensor:
    """Which lists have two documents of different labels, `bool[B]`."""
    if batch.labels.shape[-1] == 0:
        return torch.zeros_like(batch.where.any(dim=-1))
    highest = batch.labels.masked_fill(~batch.where, -torch.inf).amax(dim=-1)
    return highest > batch.labels.masked_fill(~batch.where, torch.inf).amin(dim=-1)


class Stages:
    """The choices of a Plackett-Luce order: at stage k, one of the documents that are left.

    Parameters
    ----------
    scores, where : `[B, L]`, in the order of the documents' places.
    order : `int64[B, L]`, the documents best first, padding last.
    """

    def __init__(self, scores: Tensor, where: Tensor, order: Tensor) -> None:
        self.order = order
        self.where = where.gather(-1, order)
        # Far below every score, yet with finite differences.
        lowest = torch.finfo(scores.dtype).min / 4
        self.scores = scores.gather(-1, order).masked_fill(~self.where, lowest)

    def by_stage(self, values: Tensor) -> Tensor:
        """`values[B, L]` of the documents by the stage in which they are chosen, 0 at padding."""
        return torch.where(self.where, values.gather(-1, self.order), torch.zeros_like(values))

    def loss(self, factors: Tensor) -> Tensor:
        """sum over k of factor_k (log sum_{l >= k} exp(s_l) - s_k), `float[B]`; factors >= 0."""
        found: Tensor = _StageSum.apply(self.scores, factors)  # type: ignore[no-untyped-call]
        return found

    def curvature(self, factors: Tensor) -> Tensor:
        """sum over k of factor_k q (1 - q), `float[B, L]` by place, q the chance at stage k."""
        remaining = _suffix_log_sums(self.scores)
        once = (factors.log() - remaining).logcumsumexp(dim=-1)
        twice = (factors.log() - 2.0 * remaining).logcumsumexp(dim=-1)
        curvature = (self.scores + once).exp() - (2.0 * self.scores + twice).exp()
        curvature = torch.where(self.where, curvature.clamp(min=0.0), torch.zeros_like(curvature))
        return torch.zeros_like(curvature).scatter(-1, self.order, curvature)


def _suffix_log_sums(scores: Tensor) -> Tensor:
    """log sum_{l >= k} exp(s_l), `float[B, L]`."""
    return scores.flip(-1).logcumsumexp(dim=-1).flip(-1)


class _StageSum(torch.autograd.Function):
    """`Stages.loss`, with its gradient: exp(s_j) sum_{k <= j} factor_k / Z_k - factor_j.

    Z_k is the sum of the exponentials of what is left. Sums of logarithms keep their digits for any
    scores. Where the scores of a list are close, as they nearly always are, plain sums do too.
    """

    @staticmethod
    def forward(ctx: Any, scores: Tensor, factors: Tensor) -> Tensor:
        if scores.shape[-1] == 0:
            chosen = torch.zeros_like(scores)
            remaining = chosen
        else:
            highest = scores.amax(dim=-1, keepdim=True)
            shifted = scores - highest
            remaining, chosen = (
                _plain_stages(shifted, factors)
                if _is_narrow(shifted)
                else _logarithmic_stages(shifted, factors)
            )
            remaining = remaining - shifted
        ctx.save_for_backward(chosen.sub_(factors))
        return torch.where(factors > 0, factors * remaining, torch.zeros_like(remaining)).sum(-1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (slopes,) = ctx.saved_tensors
        return gradient[:, None] * slopes, None


def _is_narrow(shifted: Tensor) -> bool:
    """Whether all real scores of each list are within the safe range of its highest."""
    if shifted.device.type != "cpu":  # there, to ask costs more than the sums
        return False
    padding = torch.finfo(shifted.dtype).min / 8
    far = (shifted < -_SAFE_RANGE) & (shifted > padding)
    return not bool(far.any())


def _plain_stages(shifted: Tensor, factors: Tensor) -> tuple[Tensor, Tensor]:
    """log Z_k, and exp(s_j) sum_{k <= j} factor_k / Z_k, by plain sums."""
    powers = shifted.exp()
    sums = powers.flip(-1).cumsum(dim=-1).flip(-1).clamp_(min=torch.finfo(powers.dtype).tiny)
    return sums.log(), (factors / sums).cumsum(dim=-1).mul_(powers)


def _logarithmic_stages(shifted: Tensor, factors: Tensor) -> tuple[Tensor, Tensor]:
    """The same as `_plain_stages`, by sums of logarithms."""
    remaining = _suffix_log_sums(shifted)
    inverse = (factors.log() - remaining).logcumsumexp(dim=-1)
    return remaining, (shifted + inverse).exp()


def plackett_luce_log_likelihood(
    scores: Tensor,
    order: Tensor,
    where: Tensor | None = None,
    *,
    cutoff: int | None = None,
) -> Tensor:
    """The log-probability of an order of the documents under Plackett and Luce, `float[B]`.

        sum_k [s_{o(k)} - log sum_{l >= k} exp(s_{o(l)})]

    Over all orders of a list the probabilities sum to 1. Differentiable once by the scores.

    Parameters
    ----------
    scores : `float[B, L]`.
    order : `int64[B, L]`, the places of the documents, best first; those of padding last.
    where : `bool[B, L]`, by place, True for real documents; default: all.
    cutoff : only who takes the first ranks counts; default: all ranks.

    Raises
    ------
    DataError : shapes that differ.
    ConfigurationError : a cutoff below 1.

    Plackett, "The analysis of permutations", Journal of the Royal Statistical Society C, 1975.

    >>> plackett_luce_log_likelihood(torch.zeros(1, 3), torch.tensor([[2, 0, 1]])).exp()
    tensor([0.1667])
    """
    _check_cutoff(cutoff)
    if where is None:
        where = torch.ones_like(order, dtype=torch.bool)
    if not scores.shape == order.shape == where.shape or scores.ndim != 2:
        raise DataError(
            f"scores, order and where of shapes {tuple(scores.shape)}, {tuple(order.shape)} and "
            f"{tuple(where.shape)}",
            expected="one shape, [lists, documents]",
        )
    stages = Stages(scores, where, order)
    return -stages.loss(_within(stages.where.to(scores), cutoff))


def _within(factors: Tensor, cutoff: int | None) -> Tensor:
    """The factors of the first `cutoff` stages; 0 for the rest."""
    if cutoff is None or cutoff >= factors.shape[-1]:
        return factors
    ranks = torch.arange(factors.shape[-1], device=factors.device)
    return torch.where(ranks < cutoff, factors, torch.zeros_like(factors))


def _check_cutoff(cutoff: int | None) -> None:
    if cutoff is not None and cutoff < 1:
        raise ConfigurationError(f"cutoff={cutoff!r}; expected None or at least 1.")


@dataclass(frozen=True, repr=False)
class _LabelOrder(Loss):
    """Minus the likelihood of the order by label, stage by stage, with factors."""

    ties: Literal["random", "index"] = "random"

    def __post_init__(self) -> None:
        if self.ties not in ("random", "index"):
            raise ConfigurationError(f"ties={self.ties!r}; expected 'random' or 'index'.")

    @property
    def stochastic(self) -> bool:  # type: ignore[override]
        """Ties are broken at random."""
        return self.ties == "random"

    def _values(self, batch: Scored) -> ListValues:
        stages, factors = self._stages(batch)
        return ListValues(stages.loss(factors), labels_differ(batch))

    def _curvature(self, batch: Scored) -> Tensor | None:
        stages, factors = self._stages(batch)
        curvature = stages.curvature(factors)
        counted = labels_differ(batch)[:, None]
        return torch.where(counted, curvature, torch.zeros_like(curvature))

    def _stages(self, batch: Scored) -> tuple[Stages, Tensor]:
        generator = batch.generator if self.stochastic else None
        order = label_order(batch.labels, batch.where, generator)
        stages = Stages(batch.scores, batch.where, order)
        factors = self._factors(stages)
        if batch.weights is not None:
            factors = factors * stages.by_stage(batch.weights)
        return stages, factors

    def _factors(self, stages: Stages) -> Tensor:
        raise NotImplementedError


@register
@dataclass(frozen=True, repr=False)
class ListMLE(_LabelOrder):
    """Minus the log-likelihood, under Plackett and Luce, of the order by descending label.

        loss = sum_k [log sum_{l >= k} exp(s_{o(l)}) - s_{o(k)}]

    Convex. With two documents it is `RankNet`. Lists whose labels are all equal are left out.
    Document weights multiply the factor of the stage in which a document is chosen.

    Parameters
    ----------
    ties : of labels, which the likelihood must order: "random", drawn at every call and for every
        list on its own, so that the loss is an unbiased estimate of the mean over the orders; or
        "index", as they come.
    cutoff : only the choices of the first ranks count; default: all.

    Raises
    ------
    ConfigurationError : unknown `ties`, or a cutoff below 1.

    Reference: Xia, Liu, Wang, Zhang & Li, "Listwise approach to learning to rank: theory and
    algorithm", ICML 2008.

    >>> loss = ListMLE()(torch.tensor([2.0, 1.0, 0.5, -1.0]), torch.tensor([1, 3, 0, 2]))
    >>> round(loss.item(), 5)
    4.93791
    """

    reference: ClassVar[str] = "Xia et al., ICML 2008"

    cutoff: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_cutoff(self.cutoff)

    def _factors(self, stages: Stages) -> Tensor:
        return _within(stages.where.to(stages.scores), self.cutoff)


@register
@dataclass(frozen=True, repr=False)
class PListMLE(_LabelOrder):
    """`ListMLE` in which the first choices count most.

        loss = sum_k a_k [log sum_{l >= k} exp(s_{o(l)}) - s_{o(k)}] / sum_k a_k

    Prefer it to `ListMLE` where the top of the list matters. Divided by the sum of its weights, the
    loss of a long list is of the size of a short one's; n is the number of real documents.

    Parameters
    ----------
    ties : as in `ListMLE`.
    weights : "exponential", a_k = 2^(n - k) - 1, the paper's, which hardly looks beyond the first
        ten ranks; or "logarithmic", a_k = 1 / log2(1 + k), the discount of nDCG.

    Raises
    ------
    ConfigurationError : unknown `ties` or `weights`.

    Reference: Lan, Zhu, Guo, Niu & Cheng, "Position-aware ListMLE: a sequential learning process
    for ranking", UAI 2014.

    >>> loss = PListMLE()(torch.tensor([2.0, 1.0, 0.5, -1.0]), torch.tensor([1, 3, 0, 2]))
    >>> round(loss.item(), 5)
    1.85378
    """

    reference: ClassVar[str] = "Lan et al., UAI 2014"

    weights: Literal["exponential", "logarithmic"] = "exponential"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.weights not in ("exponential", "logarithmic"):
            raise ConfigurationError(
                f"weights={self.weights!r}; expected 'exponential' or 'logarithmic'."
            )

    def _factors(self, stages: Stages) -> Tensor:
        scores = stages.scores
        ranks = torch.arange(1, scores.shape[-1] + 1, dtype=scores.dtype, device=scores.device)
        if self.weights == "exponential":
            # Times 2^-n, so that nothing overflows: 2^-k - 2^-n is 0 from the last rank on.
            count = stages.where.sum(dim=-1, keepdim=True).to(scores)
            raw = torch.exp2(-ranks) - torch.exp2(-count)
        else:
            raw = 1.0 / torch.log2(1.0 + ranks).expand_as(scores)
        raw = torch.where(stages.where, raw.clamp(min=0.0), torch.zeros_like(scores))
        total = raw.sum(dim=-1, keepdim=True)
        return raw / torch.where(total > 0, total, torch.ones_like(total))
