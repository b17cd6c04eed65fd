"""What a pointer network minimises: a likelihood, per-step losses, or the expected nDCG."""

from __future__ import annotations

import torch
from torch import Tensor

from plackett.rankers.neural.pointer_decoding import (
    PADDING,
    Memory,
    Pointer,
    greedy_order,
    order_logits,
)

__all__ = [
    "label_order",
    "order_log_probability",
    "policy_loss",
    "search_loss",
    "searched_order",
    "stepwise_loss",
    "teacher_loss",
]


def label_order(labels: Tensor, where: Tensor, generator: torch.Generator) -> Tensor:
    """Each list's documents by label, highest first, equal labels in random order: `int64[B, L]`.

    Padding stands last.
    """
    noise = torch.rand(labels.shape, generator=generator, device=labels.device)
    shuffled = noise.argsort(dim=1)
    keys = labels.masked_fill(~where, -torch.inf).gather(1, shuffled)
    return shuffled.gather(1, keys.argsort(dim=1, descending=True, stable=True))


def order_log_probability(network: Pointer, memory: Memory, order: Tensor) -> Tensor:
    """log p of the documents in the first T positions being `order[B, T]`: `float[B]`."""
    logits = order_logits(network, memory, order).log_softmax(dim=2)
    each = logits.gather(2, order[:, :, None]).squeeze(2)
    return torch.where(memory.where.gather(1, order), each, torch.zeros_like(each)).sum(dim=1)


def teacher_loss(
    network: Pointer, memory: Memory, labels: Tensor, steps: int, generator: torch.Generator
) -> Tensor:
    """The mean over lists of -log p of the order by label, of its first `steps` positions."""
    order = label_order(labels, memory.where, generator)[:, :steps]
    return _mean(-order_log_probability(network, memory, order), _graded(labels, memory.where))


def search_loss(
    network: Pointer,
    memory: Memory,
    labels: Tensor,
    steps: int,
    generator: torch.Generator,
    samples: int,
) -> Tensor:
    """`teacher_loss` of the likeliest order that a search among those by label finds."""
    order = searched_order(network, memory, labels, steps, generator, samples)
    return _mean(-order_log_probability(network, memory, order), _graded(labels, memory.where))


@torch.no_grad()
def searched_order(
    network: Pointer,
    memory: Memory,
    labels: Tensor,
    steps: int,
    generator: torch.Generator,
    samples: int,
) -> Tensor:
    """The first `steps` places of the likeliest order by label that is found, `int64[B, steps]`.

    Looked at are `samples` orders in which equal labels stand at random, the first of them the one
    that `teacher_loss` would draw, and the order that places the likeliest document of the highest
    label left at every step.
    """
    orders = [label_order(labels, memory.where, generator)[:, :steps] for _ in range(samples)]
    orders.append(greedy_order(network, memory, steps, grades=labels)[0])
    chances = torch.stack([order_log_probability(network, memory, order) for order in orders])
    lists = torch.arange(len(labels), device=labels.device)
    return torch.stack(orders)[chances.argmax(dim=0), lists]


def stepwise_loss(
    network: Pointer,
    memory: Memory,
    labels: Tensor,
    steps: int,
    generator: torch.Generator,
    *,
    each_step: str = "cross_entropy",
    rollout: str = "sample",
    step_weights: str = "discounted",
) -> Tensor:
    """Seq2Slate's loss: along an order of the model's own, a loss of every step, weighed.

    The weighed sum over the steps that have a loss is divided by the sum of their weights.

    Parameters
    ----------
    each_step : "cross_entropy" to y_i / sum of y over the documents left, where a step without any
        is left out; "hinge", max(0, 1 - min of u over P + max of u over N), where P are the
        documents of the highest label left and N the others left, and a step without N is left out.
    rollout : the order is drawn, "sample", or takes the likeliest document each time, "greedy".
    step_weights : "discounted", 1 / log2(1 + t) for step t = 1, 2, ..., or "uniform".
    """
    drawn = generator if rollout == "sample" else None
    order, _ = greedy_order(network, memory, steps, drawn)
    logits = order_logits(network, memory, order)
    losses = _hinges if each_step == "hinge" else _cross_entropies
    each, counted = losses(logits, torch.where(memory.where, labels, torch.zeros_like(labels)))
    weights = counted.to(each.dtype)
    if step_weights == "discounted":
        places = torch.arange(2, order.shape[1] + 2, device=labels.device)
        weights = weights / torch.log2(places.to(each.dtype))
    lists = (each * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1e-12)
    return _mean(lists, _graded(labels, memory.where))


def _cross_entropies(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Each step's cross-entropy, `float[B, T]`, and which steps have a positive label left."""
    left = labels.clamp(min=0)[:, None, :].masked_fill(logits <= PADDING, 0.0)  # [B, T, L]
    total = left.sum(dim=2)
    each = -(left * logits.log_softmax(dim=2)).sum(dim=2) / total.clamp(min=1e-12)
    return each, total > 0


def _hinges(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Each step's hinge, `float[B, T]`, and which steps have two different labels left."""
    left = logits > PADDING  # [B, T, L]
    grades = labels[:, None, :].masked_fill(~left, -torch.inf)
    highest = left & (grades == grades.amax(dim=2, keepdim=True))
    lower = left & ~highest
    worst = logits.masked_fill(~highest, -PADDING).amin(dim=2)
    rival = logits.masked_fill(~lower, PADDING).amax(dim=2)
    counted = lower.any(dim=2)
    hinge = (1 - worst + rival).clamp(min=0)
    return torch.where(counted, hinge, torch.zeros_like(hinge)), counted


def policy_loss(
    network: Pointer,
    memory: Memory,
    labels: Tensor,
    steps: int,
    generator: torch.Generator,
    samples: int,
) -> Tensor:
    """A loss whose gradient estimates that of minus the expected nDCG of a drawn order.

    Of each list `samples` orders are drawn; the baseline of one is the mean nDCG of the others,
    which leaves the estimate unbiased. The loss's value has no meaning by itself.
    """
    drawn = [greedy_order(network, memory, steps, generator)[0] for _ in range(samples)]
    rewards = torch.stack([_ndcg(labels, memory.where, order) for order in drawn])  # [samples, B]
    baseline = (rewards.sum(dim=0) - rewards) / (samples - 1)
    advantage = rewards - baseline
    total = torch.zeros_like(rewards[0])
    for order, gain in zip(drawn, advantage, strict=True):
        total = total - gain * order_log_probability(network, memory, order) / samples
    return _mean(total, _graded(labels, memory.where))


def _ndcg(labels: Tensor, where: Tensor, order: Tensor) -> Tensor:
    """nDCG of the first T documents, `float[B]`, with gain 2^y - 1; 0 without a relevant one."""
    labels = torch.where(where, labels, torch.zeros_like(labels)).clamp(min=0)
    # All gains of a list by 2^(its highest label): labels of 1000 do not overflow.
    highest = labels.amax(dim=1, keepdim=True)
    gains = torch.exp2(labels - highest) - torch.exp2(-highest)
    steps = order.shape[1]
    discounts = 1 / torch.log2(torch.arange(2, steps + 2, device=labels.device).float())
    ideal = (gains.sort(dim=1, descending=True).values[:, :steps] * discounts).sum(dim=1)
    return (gains.gather(1, order) * discounts).sum(dim=1) / ideal.clamp(min=1e-12)


def _graded(labels: Tensor, where: Tensor) -> Tensor:
    """Which lists have two different labels, `bool[B]`."""
    highest = labels.masked_fill(~where, -torch.inf).amax(dim=1)
    lowest = labels.masked_fill(~where, torch.inf).amin(dim=1)
    return highest > lowest


def _mean(values: Tensor, counts: Tensor) -> Tensor:
    kept = torch.where(counts, values, torch.zeros_like(values))
    return kept.sum() / counts.sum().clamp(min=1)
