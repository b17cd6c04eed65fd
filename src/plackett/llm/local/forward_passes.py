"""Forward passes of a local model over batches of uneven prompts."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

__all__ = ["ForwardPasses", "Row", "State", "batches"]


class Row(NamedTuple):
    """What a model reads for one request.

    Parameters
    ----------
    source : what the encoder reads; empty for a model without one.
    target : what the model goes on from.
    """

    source: list[int]
    target: list[int]


def batches(
    rows: Sequence[Row], tokens: int, *, extra: Sequence[int] | None = None
) -> list[list[int]]:
    """Positions of rows that are read together: longest first, of like length.

    Parameters
    ----------
    tokens : a batch holds at most so many, padding and `extra` included; always one row.
    extra : tokens that each row may still write.

    Rows of an encoder-decoder are together only where their targets are of one length: a decoder's
    padding would move its positions.
    """
    more = [0] * len(rows) if extra is None else extra
    size = [len(row.source) + len(row.target) + add for row, add in zip(rows, more, strict=True)]
    apart = [len(row.target) if row.source else 0 for row in rows]
    found: list[list[int]] = []
    for i in sorted(range(len(rows)), key=lambda i: (-apart[i], -size[i], i)):
        last = found[-1] if found else None
        if last and apart[last[0]] == apart[i] and size[last[0]] * (len(last) + 1) <= tokens:
            last.append(i)
        else:
            found.append([i])
    return found


@dataclass(frozen=True)
class State:
    """Where a batch stands between two steps.

    Parameters
    ----------
    cache : keys and values of what was read.
    mask : `int64[B, T]`, 1 for what is no padding; of the source for an encoder-decoder.
    positions : `int64[B]`, the position of the next token.
    encoded : what the encoder made of the source.
    """

    cache: Any
    mask: Tensor
    positions: Tensor
    encoded: Any = None


class ForwardPasses:
    """Logits of a causal or encoder-decoder model, the same whoever is in the batch.

    Prompts are padded on the left, so that all end in the same place; what is padding is masked,
    and the positions count from the first token that is none. (An encoder's side is padded on the
    right, a decoder's not at all: see `batches`.)

    Parameters
    ----------
    model : a model of the `transformers` library with a language-model head.
    pad : any token; padding is never looked at.
    """

    def __init__(self, model: Any, pad: int) -> None:
        self.model, self.pad = model, pad
        self.encoder_decoder = bool(model.config.is_encoder_decoder)
        self._takes = frozenset(inspect.signature(model.forward).parameters)

    @property
    def device(self) -> torch.device:
        """Where the model's weights are."""
        found: torch.device = next(self.model.parameters()).device
        return found

    def read(
        self, rows: Sequence[Row], keep: int, *, go_on: bool = False
    ) -> tuple[Tensor, State | None]:
        """Read the rows of one batch.

        Parameters
        ----------
        keep : how many of the last places are wanted.
        go_on : whether further steps follow.

        Returns
        -------
        `float[B, keep, V]` logits after each of the last `keep` tokens, and where the batch stands.
        """
        if self.encoder_decoder:
            return self._read_pair(rows, keep, go_on=go_on)
        width = max(len(row.target) for row in rows)
        tokens, mask = self._padded([row.target for row in rows], width, left=True)
        positions = (mask.cumsum(1) - 1).clamp(min=0)
        given = self._given(mask=mask, positions=positions, keep=keep)
        found = self.model(input_ids=tokens, use_cache=go_on, return_dict=True, **given)
        logits = found.logits[:, -keep:]
        if not go_on:
            return logits, None
        return logits, State(found.past_key_values, mask, positions[:, -1] + 1)

    def _read_pair(
        self, rows: Sequence[Row], keep: int, *, go_on: bool
    ) -> tuple[Tensor, State | None]:
        width = max(len(row.source) for row in rows)
        source, mask = self._padded([row.source for row in rows], width, left=False)
        target = torch.tensor([row.target for row in rows], device=self.device)
        found = self.model(
            input_ids=source,
            attention_mask=mask,
            decoder_input_ids=target,
            use_cache=go_on,
            return_dict=True,
        )
        logits = found.logits[:, -keep:]
        if not go_on:
            return logits, None
        encoded = (found.encoder_last_hidden_state,)
        end = torch.full((len(rows),), target.shape[1], device=self.device)
        return logits, State(found.past_key_values, mask, end, encoded)

    def step(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """Read one more token a row, `int64[B]`; the logits after it, `float[B, V]`."""
        if self.encoder_decoder:
            found = self.model(
                encoder_outputs=state.encoded,
                attention_mask=state.mask,
                decoder_input_ids=tokens[:, None],
                past_key_values=state.cache,
                use_cache=True,
                return_dict=True,
            )
            after = replace(state, cache=found.past_key_values, positions=state.positions + 1)
            return found.logits[:, -1], after
        mask = torch.cat([state.mask, state.mask.new_ones(len(tokens), 1)], dim=1)
        given = self._given(mask=mask, positions=state.positions[:, None], keep=1)
        found = self.model(
            input_ids=tokens[:, None],
            past_key_values=state.cache,
            use_cache=True,
            return_dict=True,
            **given,
        )
        return found.logits[:, -1], State(found.past_key_values, mask, state.positions + 1)

    def drops_rows(self, state: State) -> bool:
        """Whether rows can leave the batch; older releases keep some caches as plain tuples."""
        return hasattr(state.cache, "batch_select_indices")

    def keep_rows(self, state: State, rows: Sequence[int]) -> State:
        """The state of some rows of the batch only; the state given is used up."""
        chosen = torch.tensor(list(rows), device=self.device)
        state.cache.batch_select_indices(chosen)
        encoded = None if state.encoded is None else tuple(part[chosen] for part in state.encoded)
        return State(state.cache, state.mask[chosen], state.positions[chosen], encoded)

    def _given(self, *, mask: Tensor, positions: Tensor, keep: int) -> dict[str, Any]:
        """What the model takes of these; not every one takes positions or leaves logits out."""
        given: dict[str, Any] = {"attention_mask": mask}
        if "position_ids" in self._takes:
            given["position_ids"] = positions
        if "logits_to_keep" in self._takes:
            given["logits_to_keep"] = keep
        return given

    def _padded(
        self, rows: Sequence[list[int]], width: int, *, left: bool
    ) -> tuple[Tensor, Tensor]:
        """Tokens and mask, both `int64[B, width]`."""
        tokens = torch.full((len(rows), width), self.pad, dtype=torch.int64)
        mask = torch.zeros((len(rows), width), dtype=torch.int64)
        for i, row in enumerate(rows):
            place = slice(width - len(row), width) if left else slice(0, len(row))
            tokens[i, place] = torch.tensor(row, dtype=torch.int64)
            mask[i, place] = 1
        return tokens.to(self.device), mask.to(self.device)
