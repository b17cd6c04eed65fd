"""Heads over transformers: the network that a back end runs or exports (imports torch)."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from plackett.encoders.layers import Layers

__all__ = [
    "HiddenHead",
    "LayerStatesHead",
    "LexicalHead",
    "PackedLinear",
    "PairHead",
    "PooledHead",
    "packed",
]


class _Head(nn.Module):
    def __init__(self, model: nn.Module, takes_types: bool) -> None:
        super().__init__()
        self.model, self.takes_types = model, takes_types

    def _outputs(
        self, ids: Tensor, mask: Tensor, types: Tensor, *, all_layers: bool = False
    ) -> Any:
        given = {"input_ids": ids, "attention_mask": mask}
        if self.takes_types:
            given["token_type_ids"] = types
        return self.model(**given, output_hidden_states=True) if all_layers else self.model(**given)


class PairHead(_Head):
    """Logits of a classification head, `float[b, labels]`."""

    def forward(self, ids: Tensor, mask: Tensor, types: Tensor) -> Tensor:
        """ids, mask, types: `int64[b, l]`."""
        return self._outputs(ids, mask, types).logits  # type: ignore[no-any-return]


class HiddenHead(_Head):
    """Token vectors, `float[b, l, d]`: the last layer's, or a mixture of layers.

    Parameters
    ----------
    layers : see `Layers`; None for the last alone.
    """

    def __init__(self, model: nn.Module, takes_types: bool, layers: Layers | None = None) -> None:
        super().__init__(model, takes_types)
        self.layers = layers

    def forward(self, ids: Tensor, mask: Tensor, types: Tensor) -> Tensor:
        """ids, mask, types: `int64[b, l]`."""
        if self.layers is None:
            return self._outputs(ids, mask, types).last_hidden_state  # type: ignore[no-any-return]
        states = self._outputs(ids, mask, types, all_layers=True).hidden_states
        (first, share), *others = self.layers
        mixed: Tensor = share * states[first]
        for layer, share in others:
            mixed = mixed + share * states[layer]
        return mixed


class LayerStatesHead(_Head):
    """A vector for each layer, its tokens pooled, `float[b, blocks + 1, d]`.

    Parameters
    ----------
    tokens : "mean", or "last" for the last token.
    """

    def __init__(self, model: nn.Module, takes_types: bool, tokens: str = "mean") -> None:
        super().__init__(model, takes_types)
        self.tokens = tokens

    def forward(self, ids: Tensor, mask: Tensor, types: Tensor) -> Tensor:
        """ids, mask, types: `int64[b, l]`."""
        states = self._outputs(ids, mask, types, all_layers=True).hidden_states
        if self.tokens == "mean":
            weights = mask.to(states[0].dtype)
        else:
            # The last token is the one that no other follows.
            follows = torch.nn.functional.pad(mask[:, 1:], (0, 1))
            weights = (mask * (1 - follows)).to(states[0].dtype)
        weights = weights / weights.sum(dim=1, keepdim=True).clamp(min=1.0)
        return torch.stack([(weights[:, :, None] * state).sum(dim=1) for state in states], dim=1)


class PooledHead(_Head):
    """Vectors of texts by a trained pooling, `float[b, d]`.

    Parameters
    ----------
    pooling : a `LatentPooling`.
    """

    def __init__(self, model: nn.Module, takes_types: bool, pooling: Any) -> None:
        super().__init__(model, takes_types)
        self.pooling = pooling
        by_layers = pooling.over == "layers"
        self.states = LayerStatesHead(model, takes_types, pooling.tokens) if by_layers else None

    def forward(self, ids: Tensor, mask: Tensor, types: Tensor) -> Tensor:
        """ids, mask, types: `int64[b, l]`."""
        if self.states is not None:
            return self.pooling(self.states(ids, mask, types))  # type: ignore[no-any-return]
        hidden = self._outputs(ids, mask, types).last_hidden_state
        return self.pooling(hidden, mask)  # type: ignore[no-any-return]


class LexicalHead(_Head):
    """Weights over the vocabulary, `float[b, v]`: max over tokens of log(1 + relu(logit)).

    The logarithm grows with the logit, so the maximum is taken first: over far fewer numbers.
    """

    def forward(self, ids: Tensor, mask: Tensor, types: Tensor) -> Tensor:
        """ids, mask, types: `int64[b, l]`."""
        logits = self._outputs(ids, mask, types).logits  # [b, l, v]
        # relu leaves nothing below 0, so a padded position that says 0 says nothing.
        logits = logits * mask[:, :, None].to(logits.dtype)
        return torch.log1p(torch.relu(logits.amax(dim=1)))


class PackedLinear(nn.Module):
    """y = activation(x W' + b) by oneDNN, with the weights laid out for it once.

    torch's own linear layer lays them out anew at every call, which on some processors costs half
    of the time. Forward only.

    Parameters
    ----------
    linear : the layer to replace.
    activation : "none", or "gelu" (the exact one, computed while the product is in the cache).
    """

    def __init__(self, linear: nn.Linear, activation: str = "none") -> None:
        super().__init__()
        # A weight that is shared, as an output layer's with the embeddings, stays where it is.
        self._weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach(), None)
        self._bias = None if linear.bias is None else linear.bias.detach()
        self._activation = activation
        self._algorithm = "none" if activation == "gelu" else ""

    def forward(self, x: Tensor) -> Tensor:
        """x: `float32[..., in]`; the result: `float32[..., out]`."""
        return torch.ops.mkldnn._linear_pointwise(  # type: ignore[no-any-return]
            x, self._weight, self._bias, self._activation, [], self._algorithm
        )


def packed(module: nn.Module) -> nn.Module:
    """A copy of the module with packed linear layers, where this machine's torch has them.

    Every replaced layer is tried on numbers first; where the results are not the layer's own to
    1e-4, or there is no such operation, the module is given back as it is.
    """
    if not _available() or any(p.dtype != torch.float32 for p in module.parameters()):
        return module
    memory = {id(p): p for p in module.parameters()}  # weights are shared with the copy
    found = copy.deepcopy(module, memory)
    return found if _replace(found) else module


def _available() -> bool:
    operations = torch.ops.mkldnn
    compiled = bool(torch.backends.mkldnn.is_available())  # type: ignore[no-untyped-call]
    return compiled and all(
        hasattr(operations, name) for name in ("_reorder_linear_weight", "_linear_pointwise")
    )


def _replace(module: nn.Module) -> bool:
    for name, child in module.named_children():
        if type(child) is nn.Linear:
            replacement = PackedLinear(child)
            if not _agrees(child, replacement):
                return False
            setattr(module, name, replacement)
        elif _is_gelu_block(child):
            layer: Any = child.dense
            dense = PackedLinear(layer, "gelu")
            if not _agrees(nn.Sequential(layer, nn.GELU()), dense):
                return False
            child.dense, child.intermediate_act_fn = dense, nn.Identity()
        elif not _replace(child):
            return False
    return True


def _is_gelu_block(module: Any) -> bool:
    """Whether this is a linear layer followed by the exact GELU, as in BERT and its kin."""
    children = dict(module.named_children())
    if set(children) != {"dense", "intermediate_act_fn"}:
        return False
    if type(children["dense"]) is not nn.Linear:
        return False
    activation = children["intermediate_act_fn"]
    probe = torch.linspace(-4.0, 4.0, 33)
    try:
        return bool(torch.equal(activation(probe), nn.functional.gelu(probe)))
    except (RuntimeError, TypeError):
        return False


def _agrees(layer: nn.Module, replacement: PackedLinear) -> bool:
    first = layer[0] if isinstance(layer, nn.Sequential) else layer
    width = int(first.in_features)  # type: ignore[arg-type]
    x = torch.linspace(-1.0, 1.0, 8 * width).reshape(8, width)
    with torch.inference_mode():
        try:
            found = replacement(x)
        except (RuntimeError, NotImplementedError):
            return False
        wanted = layer(x)
        scale = float(wanted.abs().max().clamp(min=1.0))
        return bool((found - wanted).abs().max() <= 1e-4 * scale)
