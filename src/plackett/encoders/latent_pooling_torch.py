"""A pooler that is trained: latent vectors attend to tokens or to layers (imports torch)."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from plackett.errors import ConfigurationError, DataError

__all__ = ["LatentPooling"]

WEIGHTS, CONFIG = "model.safetensors", "config.json"
LAST_SHARE = 0.9
"""The attention that the last layer begins with."""


class LatentPooling(nn.Module):
    """States of a text, of its tokens or of a model's layers, made into one vector by attention.

    `r` learned latent vectors Q attend to the states X; a feed-forward block follows, and the mean
    of what the latents found is the text's vector:

        A = softmax(Wq Q (Wk LN(X) + e)' / sqrt(d / heads) + b)
        Y = Q + Wo A Wv X
        v = mean over latents of Y + W2 GEGLU(W1 LN(Y))

    Each layer has a learned embedding e and a learned bias b; tokens have none. Values are taken as
    they are and Wv, Wo begin as the identity, W2 as zeros: an untrained pooler is nearly a plain
    mean, over layers one in which the last has nine tenths, and training begins there.

    Parameters
    ----------
    hidden : d, the length of a state.
    over : "layers": the states are one vector a layer, pooled over tokens; "tokens": the states are
        the last layer's token vectors.
    layers : how many states there are, blocks + 1; for "layers" only.
    latents : r.
    heads : in how many parts of d the attention is computed.
    tokens : how tokens are pooled within a layer, for "layers" only: "mean", or "last" for models
        that read from left to right.
    seed : of the initial weights.

    Raises
    ------
    ConfigurationError : parameters that do not fit together.

    >>> pooling = LatentPooling(8, layers=3, latents=2, heads=2)
    >>> pooling(torch.ones(4, 3, 8)).shape
    torch.Size([4, 8])

    Reference: Tang & Yang, "Pooling And Attention: What Are Effective Designs For LLM-Based
    Embedding Models?", 2024.
    """

    def __init__(
        self,
        hidden: int,
        *,
        over: Literal["layers", "tokens"] = "layers",
        layers: int | None = None,
        latents: int = 4,
        heads: int = 4,
        tokens: Literal["mean", "last"] = "mean",
        seed: int = 0,
    ) -> None:
        super().__init__()
        _check(hidden, over, layers, latents, heads, tokens)
        self.hidden, self.over, self.layers = hidden, over, layers
        self.latents, self.heads, self.tokens, self.seed = latents, heads, tokens, seed
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.queries = nn.Parameter(0.02 * torch.randn(latents, hidden))
            self.to_queries = nn.Linear(hidden, hidden, bias=False)
            self.to_keys = nn.Linear(hidden, hidden, bias=False)
            self.to_values = nn.Linear(hidden, hidden, bias=False)
            self.to_output = nn.Linear(hidden, hidden, bias=False)
            self.key_norm, self.block_norm = nn.LayerNorm(hidden), nn.LayerNorm(hidden)
            self.widen = nn.Linear(hidden, 8 * hidden)
            self.narrow = nn.Linear(4 * hidden, hidden)
            if layers is not None:
                self.layer_keys = nn.Parameter(0.02 * torch.randn(layers, hidden))
                self.layer_bias = nn.Parameter(torch.zeros(layers))
        with torch.no_grad():
            nn.init.eye_(self.to_values.weight)
            nn.init.eye_(self.to_output.weight)
            nn.init.zeros_(self.narrow.weight)
            nn.init.zeros_(self.narrow.bias)
            if layers is not None and layers > 1:
                # softmax of it: LAST_SHARE to the last, the rest to the others alike.
                self.layer_bias[-1] = math.log((layers - 1) * LAST_SHARE / (1.0 - LAST_SHARE))

    def forward(self, states: Tensor, mask: Tensor | None = None) -> Tensor:
        """The vectors of texts: `float[b, d]`.

        Parameters
        ----------
        states : `float[b, s, d]`.
        mask : `[b, s]`, 1 for states that count; None for all.
        """
        keys = self.to_keys(self.key_norm(states))
        if self.layers is not None:
            keys = keys + self.layer_keys
        # [b, heads, r or s, d / heads]
        asked = self._parts(self.to_queries(self.queries)[None])
        scores = asked @ self._parts(keys).transpose(2, 3) / math.sqrt(self.hidden / self.heads)
        if self.layers is not None:
            scores = scores + self.layer_bias
        if mask is not None:
            scores = scores.masked_fill(mask[:, None, None, :] == 0, float("-inf"))
        found = scores.softmax(dim=-1) @ self._parts(self.to_values(states))
        mixed = self.queries + self.to_output(found.transpose(1, 2).flatten(2))
        gate, content = self.widen(self.block_norm(mixed)).chunk(2, dim=-1)
        mixed = mixed + self.narrow(nn.functional.gelu(gate) * content)
        return mixed.mean(dim=1)  # type: ignore[no-any-return]

    def _parts(self, values: Tensor) -> Tensor:
        b, n, d = values.shape
        return values.reshape(b, n, self.heads, d // self.heads).transpose(1, 2)

    def save(self, folder: str | Path) -> None:
        """Write `config.json` and `model.safetensors`."""
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        names = ("hidden", "over", "layers", "latents", "heads", "tokens", "seed")
        config = {name: getattr(self, name) for name in names}
        (target / CONFIG).write_text(json.dumps(config, indent=2), encoding="utf-8")
        state = {name: value.contiguous() for name, value in self.state_dict().items()}
        save_file(state, target / WEIGHTS)

    @classmethod
    def load(cls, folder: str | Path) -> LatentPooling:
        """Read what `save` wrote.

        Raises
        ------
        DataError : a file is missing, or is not what it must be.
        """
        source = Path(folder)
        try:
            config: dict[str, Any] = json.loads((source / CONFIG).read_text(encoding="utf-8"))
            made = cls(config.pop("hidden"), **config)
            made.load_state_dict(load_file(source / WEIGHTS))
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise DataError(f"no trained pooling ({error})", path=source) from error
        except (RuntimeError, SafetensorError, ConfigurationError) as error:
            raise DataError(
                f"weights of a pooling that do not fit ({error})", path=source
            ) from error
        for name, value in made.state_dict().items():
            if not torch.isfinite(value).all():
                raise DataError(f"weights {name} that are not finite", path=source)
        return made.eval()


def _check(
    hidden: int, over: str, layers: int | None, latents: int, heads: int, tokens: str
) -> None:
    if over not in ("layers", "tokens") or tokens not in ("mean", "last"):
        raise ConfigurationError(
            f"over = {over!r}, tokens = {tokens!r}; expected 'layers' or 'tokens', and 'mean' or "
            "'last'."
        )
    if (over == "layers") != (layers is not None):
        raise ConfigurationError(
            f"layers = {layers} over {over}; expected a number over layers, None over tokens."
        )
    counts = {"hidden": hidden, "latents": latents, "heads": heads, "layers": layers}
    for name, value in counts.items():
        if value is not None and (
            isinstance(value, bool) or not isinstance(value, int) or value < 1
        ):
            raise ConfigurationError(f"{name} = {value!r}; expected 1 or more.")
    if hidden % heads:
        raise ConfigurationError(f"heads = {heads}; expected a divisor of {hidden}.")
