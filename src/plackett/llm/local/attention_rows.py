"""Attention that the end of a prompt pays to each token before it, without full attention maps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
import transformers
from torch import Tensor
from transformers import AttentionInterface

from plackett.errors import ConfigurationError

__all__ = ["AttentionRows", "attention_of_ends"]

_NAME = "plackett_attention_rows"


class AttentionRows:
    """Adds up attention while a model runs: `sum_layers sum_heads mean_{i in Q} A[l, h, i, t]`.

    Parameters
    ----------
    tokens : T, how many tokens there are in all.
    attending : |Q|, how many of the last ones attend.

    Attributes
    ----------
    total : `float32[T]`.
    layers : how many layers were added.

    A layer's weights are made for the tokens that are read only, h x |Q| x T numbers, and dropped
    as soon as they are added.
    """

    def __init__(self, tokens: int, attending: int, device: torch.device) -> None:
        self.tokens, self.attending = tokens, attending
        self.total = torch.zeros(tokens, dtype=torch.float32, device=device)
        self.layers = 0

    def add(self, weights: Tensor) -> None:
        """Add the weights of a layer, `float[1, h, rows, T]`.

        Raises
        ------
        ConfigurationError : the layer does not see all tokens at once.
        """
        if weights.shape[0] != 1 or weights.shape[-1] != self.tokens:
            raise ConfigurationError(
                f"a layer's attention is over {weights.shape[-1]} of {self.tokens} tokens; this "
                "model's attention cannot be read. Take another model or another strategy."
            )
        rows = weights[0, :, -self.attending :].float()
        self.total += rows.mean(dim=1).sum(dim=0)
        self.layers += 1


_COLLECTING: ContextVar[AttentionRows | None] = ContextVar("attention rows", default=None)


def _attend(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    softcap: float | None = None,
    s_aux: Tensor | None = None,
    position_bias: Tensor | None = None,
    **_others: object,
) -> tuple[Tensor, None]:
    """Attention as the library asks for it: `query` is `float[1, h, Q, d]`, `key` `[1, g, T, d]`.

    Each of the g heads of keys serves h / g heads of queries. The arguments that other models pass
    on do not change the weights.
    """
    batch, heads, rows, depth = query.shape
    groups, length = key.shape[1], key.shape[2]
    grouped = query.reshape(batch, groups, heads // groups * rows, depth)
    scale = depth**-0.5 if scaling is None else scaling
    logits = (grouped @ key.transpose(2, 3)).mul_(scale).view(batch, heads, rows, length)
    if softcap is not None:
        logits = torch.tanh(logits / softcap) * softcap
    if position_bias is not None:
        logits = logits + position_bias
    if attention_mask is None:
        places = torch.arange(length, device=query.device)
        hidden = places[None, :] > places[length - rows :, None]
        logits = logits.masked_fill(hidden, torch.finfo(logits.dtype).min)
    elif attention_mask.shape[-1] < length:
        raise ConfigurationError(
            f"this release of transformers, {transformers.__version__}, hides tokens beyond a "
            "sliding window from the attention that is read; update it, or take a model without "
            "windows."
        )
    else:
        logits = logits + attention_mask[..., :length]
    if s_aux is not None:  # a sink that takes a share of the attention and stands for no token
        sink = s_aux.reshape(1, -1, 1, 1).expand(batch, heads, rows, 1)
        weights = torch.softmax(torch.cat([logits, sink], dim=-1), -1, dtype=torch.float32)
        weights = weights[..., :-1]
    else:
        weights = torch.softmax(logits, dim=-1, dtype=torch.float32)
    collecting = _COLLECTING.get()
    if collecting is not None:
        collecting.add(weights)
    shares = weights.to(value.dtype).view(batch, groups, heads // groups * rows, length)
    output = (shares @ value).view(batch, heads, rows, value.shape[-1])
    return output.transpose(1, 2).contiguous(), None


def _register() -> None:
    AttentionInterface.register(_NAME, _attend)
    masks = getattr(transformers, "AttentionMaskInterface", None)
    if masks is not None:  # older releases make this kind of mask by themselves
        from transformers.masking_utils import eager_mask

        masks.register(_NAME, eager_mask)


@contextmanager
def _collected(model: Any, rows: AttentionRows) -> Iterator[None]:
    """While this lasts, the model's attention is added to `rows`."""
    _register()
    usual = model.config._attn_implementation
    _choose(model, _NAME)
    token = _COLLECTING.set(rows)
    try:
        yield
    finally:
        _COLLECTING.reset(token)
        _choose(model, usual)


def _choose(model: Any, implementation: str) -> None:
    if hasattr(model, "set_attn_implementation"):
        model.set_attn_implementation(implementation)
    else:
        model.config._attn_implementation = implementation


def attention_of_ends(
    model: Any, prompts: Sequence[list[int]], attending: Sequence[int]
) -> list[Tensor]:
    """Attention that the last tokens of each prompt pay to every token of it.

    What the prompts have in common at their beginning is read once; its keys and values are kept
    for all of them.

    Parameters
    ----------
    model : a causal model of the `transformers` library, whose attention it lets be replaced.
    prompts : tokens; prompts of the same documents.
    attending : |Q| of each prompt, at least 1.

    Returns
    -------
    One `float32[T]` a prompt: the sum over layers and heads of the mean over the attending tokens.

    Raises
    ------
    ConfigurationError : the model makes its attention by itself.
    """
    from transformers import DynamicCache

    body = model.base_model
    device = next(model.parameters()).device
    ends = [len(prompt) - count for prompt, count in zip(prompts, attending, strict=True)]
    shared = _shared(prompts, min(ends))
    # All layers keep all keys: a window is the mask's matter, and then what was read can be kept.
    cache = DynamicCache()
    if shared:
        body(
            input_ids=torch.tensor([prompts[0][:shared]], device=device),
            past_key_values=cache,
            use_cache=True,
        )
    found: list[Tensor] = []
    for prompt, count in zip(prompts, attending, strict=True):
        rows = AttentionRows(len(prompt), count, device)
        with _collected(model, rows):
            body(
                input_ids=torch.tensor([prompt[shared:]], device=device),
                attention_mask=torch.ones((1, len(prompt)), dtype=torch.int64, device=device),
                position_ids=torch.arange(shared, len(prompt), device=device)[None],
                past_key_values=cache,
                use_cache=True,
            )
        if not rows.layers:
            raise ConfigurationError(
                f"{type(model).__name__} makes its attention by itself; it cannot be read. Take "
                "another model or another strategy."
            )
        # A negative number is how many to remove, in all releases.
        cache.crop(-(len(prompt) - shared))
        found.append(rows.total)
    return found


def _shared(prompts: Sequence[list[int]], most: int) -> int:
    """How many first tokens all prompts have in common, `most` at the most."""
    for place, tokens in enumerate(zip(*(prompt[:most] for prompt in prompts), strict=True)):
        if len(set(tokens)) > 1:
            return place
    return most
