"""Orders out of a pointer network: its probabilities along given orders, samples, greedy, beam."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
from torch import Tensor

__all__ = ["Memory", "Pointer", "beam_order", "greedy_order", "order_logits", "placed_order"]

PADDING = -1e9  # the logit of padding
CHOSEN = -2e9  # of what is placed already: even padding goes before it, so orders stay permutations

State = tuple[Tensor, Tensor]  # hidden and cell of the decoder, each [1, B, d]


class Memory(NamedTuple):
    """What a pointer network knows of a batch of lists before it decodes.

    Attributes
    ----------
    documents : `float[B, L, d]`, the documents, 0 at padding.
    keys : `float[B, L, d]`, W1 of the documents, computed once.
    where : `bool[B, L]`.
    state : of the decoder before its first step.
    """

    documents: Tensor
    keys: Tensor
    where: Tensor
    state: State


class Pointer(Protocol):
    """What decoding needs of a network."""

    def first_input(self, lists: int) -> Tensor:
        """The input of the decoder's first step, `float[B, 1, d]`."""

    def advance(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """Decoder states after inputs `[B, T, d]`, one after the other: `[B, T, d]`."""

    def logits(self, states: Tensor, keys: Tensor) -> Tensor:
        """u of every document after each state: `[B, T, d], [B, L, d] -> [B, T, L]`."""


def order_logits(network: Pointer, memory: Memory, order: Tensor) -> Tensor:
    """The logits of every step along an order, `float[B, T, L]`: what is placed is masked.

    Parameters
    ----------
    order : `int64[B, T]`, a prefix of a permutation of each list's L places, documents first.
    """
    lists, steps = order.shape
    width = memory.documents.shape[2]
    chosen = memory.documents.gather(1, order[:, :-1, None].expand(-1, -1, width))
    inputs = torch.cat([network.first_input(lists).to(chosen.dtype), chosen], dim=1)
    states, _ = network.advance(inputs, memory.state)
    logits = network.logits(states, memory.keys).float()
    place = torch.full(memory.where.shape, steps, device=order.device)
    place = place.scatter(1, order, torch.arange(steps, device=order.device).expand_as(order))
    placed = place[:, None, :] < torch.arange(steps, device=order.device)[None, :, None]
    return logits.masked_fill(~memory.where[:, None, :], PADDING).masked_fill(placed, CHOSEN)


@torch.no_grad()
def greedy_order(
    network: Pointer,
    memory: Memory,
    steps: int,
    generator: torch.Generator | None = None,
    grades: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """The likeliest document step by step; or, with a generator, one drawn by its probability.

    With grades, `float[B, L]`, each choice is among the documents of the highest grade left. Gives
    the order, `int64[B, steps]`, and the first step's logits, `float[B, L]`.
    """
    lists, width = memory.where.shape[0], memory.documents.shape[2]
    inputs, state = network.first_input(lists), memory.state
    barred = torch.zeros(memory.where.shape, device=memory.where.device)
    barred = barred.masked_fill(~memory.where, PADDING)
    order, first = [], barred
    for step in range(steps):
        states, state = network.advance(inputs, state)
        logits = network.logits(states, memory.keys)[:, 0].float()
        if step == 0:
            first = logits
        if generator is not None:  # the largest of logits plus Gumbel noise is a draw
            noise = torch.rand(logits.shape, generator=generator, device=logits.device)
            logits = logits - (-noise.clamp(min=1e-12).log()).clamp(min=1e-12).log()
        if grades is not None:
            highest = grades.masked_fill(barred < 0, -torch.inf).amax(dim=1, keepdim=True)
            logits = logits.masked_fill(grades < highest, CHOSEN)
        # A placed document is out, whatever the logits are; so is padding while others are left.
        choice = torch.where(barred < 0, barred, logits).argmax(dim=1, keepdim=True)
        barred = barred.scatter(1, choice, CHOSEN)
        order.append(choice)
        inputs = memory.documents.gather(1, choice[:, :, None].expand(-1, -1, width))
    return torch.cat(order, dim=1), first


@torch.no_grad()
def beam_order(network: Pointer, memory: Memory, steps: int, beam: int) -> tuple[Tensor, Tensor]:
    """The likeliest order that a beam search of this width finds; as `greedy_order` otherwise."""
    lists, longest = memory.where.shape
    width = memory.documents.shape[2]
    tiled = Memory(
        memory.documents.repeat_interleave(beam, dim=0),
        memory.keys.repeat_interleave(beam, dim=0),
        memory.where.repeat_interleave(beam, dim=0),
        (
            memory.state[0].repeat_interleave(beam, dim=1),
            memory.state[1].repeat_interleave(beam, dim=1),
        ),
    )
    base = torch.arange(lists, device=memory.where.device)[:, None] * beam
    barred = torch.zeros(tiled.where.shape, device=memory.where.device)
    barred = barred.masked_fill(~tiled.where, PADDING)
    order = torch.zeros((lists * beam, 0), dtype=torch.int64, device=memory.where.device)
    total = torch.full((lists, beam), PADDING, device=memory.where.device)
    total[:, 0] = 0.0  # all hypotheses are the same empty one; one of them counts
    inputs, state, first = network.first_input(lists * beam), tiled.state, barred[::beam]
    for step in range(steps):
        states, state = network.advance(inputs, state)
        logits = network.logits(states, tiled.keys)[:, 0].float()
        if step == 0:
            first = logits[::beam]
        left = torch.where(barred < 0, barred, logits).log_softmax(dim=1)
        reached = total[:, :, None] + left.view(lists, beam, longest)
        total, best = reached.flatten(1).topk(beam, dim=1)
        parent = (base + best // longest).flatten()
        choice = (best % longest).view(lists * beam, 1)
        order = torch.cat([order[parent], choice], dim=1)
        barred = barred[parent].scatter(1, choice, CHOSEN)
        state = (state[0][:, parent], state[1][:, parent])
        inputs = tiled.documents.gather(1, choice[:, :, None].expand(-1, -1, width))
    return order[::beam], first


def placed_order(order: Tensor, first: Tensor, where: Tensor) -> Tensor:
    """Scores `float[B, L]` that rank by `order`, then the rest by the first step's logits.

    The scores are minus the position; padding stands last.
    """
    rest = first.masked_fill(~where, PADDING)
    ahead = torch.arange(order.shape[1], 0, -1, device=order.device).expand_as(order)
    # Two stable sorts: by the first step's logits, then the decoded ones to the front in order.
    by_first = rest.argsort(dim=1, descending=True, stable=True)
    decoded = torch.zeros_like(first).scatter(1, order, ahead.to(first.dtype))
    again = decoded.gather(1, by_first).argsort(dim=1, descending=True, stable=True)
    full = by_first.gather(1, again)
    positions = torch.arange(where.shape[1], device=order.device).expand_as(full)
    return torch.zeros_like(first).scatter(1, full, (-positions).to(first.dtype))
