"""Listwise re-ranking of passages that a language model reads as one vector each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from plackett._optional import require
from plackett.encoders.base import DenseEncoder
from plackett.errors import ConfigurationError, DataError
from plackett.llm.local.transformers_model import Transformers
from plackett.llm.registry import parse_model
from plackett.llm.templates import prompt_template
from plackett.rerankers.base import Outcome, TextReranker
from plackett.rerankers.listwise.window_schedule import back_to_front
from plackett.rerankers.ranked import Candidates, Ordering
from plackett.rerankers.registry import describe, register

if TYPE_CHECKING:
    from plackett.rerankers.listwise.passage_decoding import PassageProjector

__all__ = ["PassageEmbeddings", "PassageVectors"]

Floats = npt.NDArray[np.float32]

PassageVectors: TypeAlias = (
    DenseEncoder | str | Callable[[Sequence[str]], npt.ArrayLike] | Mapping[str, npt.ArrayLike]
)
"""Where vectors of passages come from: an encoder, its description, any function of n texts that
gives `float[n, d]`, or vectors computed before, by document id."""

_SLOT = "\u2063"
"""What stands in the prompt where a vector goes: a character that is never shown."""


@register("pe-rank")
class PassageEmbeddings(TextReranker):
    """PE-Rank: each passage is one input embedding of a causal language model, which names them.

    Vectors e_i of an encoder become input embeddings p_i by a trained projector. The prompt has
    p_i where the text of passage i would stand. Then, n times, the passage j with the greatest
    h_t . p_j among those not yet named is named, and its p_j is the next input. So the result is
    always a permutation, and a prompt has about as many tokens as passages. Longer lists are
    ordered by windows from the back to the front: 1 + ceil((n - window) / step) calls.

    Parameters
    ----------
    model : a `Transformers` with a causal model, or its description.
    projector : a `PassageProjector`, or the file of one; trained for this encoder and this model.
    encoder : see `PassageVectors`.
    window, step : passages of one prompt, and how far a window moves.
    template : the prompt's name, or the path of a prompt of your own.

    An untrained projector gives an order that means nothing. For its training see
    `plackett.rerankers.listwise.passage_decoding`: `step_logits`, `list_mle_over_remaining`,
    `two_view_loss`.

    Raises
    ------
    ConfigurationError : a window below 2, a step not from 1 to the window, or no causal model of
        this machine.
    DataError : vectors that are not one a passage, not finite or of another length.

    Paper: Leveraging Passage Embeddings for Efficient Listwise Reranking (2024).
    """

    def __init__(
        self,
        model: Transformers | str,
        *,
        projector: PassageProjector | str,
        encoder: PassageVectors,
        window: int = 20,
        step: int = 10,
        template: str = "pe-rank",
    ) -> None:
        if window < 2 or not 1 <= step <= window:
            raise ConfigurationError(
                f"window = {window}, step = {step}; expected a window of 2 or more and a step "
                "from 1 to the window."
            )
        self.model, self.projector, self.encoder = model, projector, encoder
        self.window, self.step, self.template = window, step, template
        self._ready: tuple[Transformers, PassageProjector, Any] | None = None

    def _parts(self) -> tuple[Transformers, PassageProjector, Any]:
        """Model, projector and encoder; read at first use."""
        if self._ready is None:
            require("safetensors", extra="local", purpose="read a projector")
            from plackett.rerankers.listwise.passage_decoding import PassageProjector

            model = parse_model(self.model) if isinstance(self.model, str) else self.model
            if not isinstance(model, Transformers) or model.config.is_encoder_decoder:
                raise ConfigurationError(
                    f"{model!r} does not take embeddings; expected a causal model of Transformers."
                )
            projector, encoder = self.projector, self.encoder
            if isinstance(projector, str):
                projector = PassageProjector.load(projector)
            if isinstance(encoder, str):
                from plackett.encoders.registry import parse_encoder

                encoder = parse_encoder(encoder)
            self._ready = (model, projector.eval(), encoder)
        return self._ready

    async def _order_many(
        self, queries: Sequence[str], candidates: Sequence[Candidates]
    ) -> list[Outcome]:
        outcomes = []
        for query, given in zip(queries, candidates, strict=True):
            outcome = await self._order(query, given)
            self._tell(outcome)
            outcomes.append(outcome)
        return outcomes

    async def _order(self, query: str, given: Candidates) -> Outcome:
        started = time.perf_counter()
        n = len(given)
        if n == 1:
            return Outcome(Ordering((0,)))
        model, projector, encoder = self._parts()
        vectors = await asyncio.to_thread(_vectors, encoder, given, projector.inputs)
        order = list(range(n))
        calls = tokens = 0
        for start, end in back_to_front(n, self.window, self.step):
            pieces = self._pieces(model, query, end - start)
            rows = vectors[order[start:end]]
            places, read = await model.run(
                partial(_decoded, pieces=pieces, vectors=rows, projector=projector)
            )
            order[start:end] = [order[start + place] for place in places]
            calls, tokens = calls + 1, tokens + read
        return Outcome(
            Ordering(tuple(order)),
            calls=calls,
            tokens=tokens,
            answers={"ok": calls},
            seconds=time.perf_counter() - started,
        )

    def _pieces(self, model: Transformers, query: str, n: int) -> list[list[int]]:
        """The tokens before the first slot, between two, and after the last.

        Raises
        ------
        DataError : the prompt is longer than the model's context.
        """
        template = prompt_template(self.template)
        prompt = template.render(query.replace(_SLOT, " "), [_SLOT] * n)
        text, start = model.prompts.text(prompt)
        parts = (text + start).split(_SLOT)
        leading = [] if model.prompts.chat else model.prompts.leading
        pieces = [model.prompts.ids(part) for part in parts]
        pieces[0] = [*leading, *pieces[0]]
        length = sum(map(len, pieces)) + 2 * n
        if length > model.context:
            raise DataError(
                f"a prompt and answer of {length} tokens",
                expected=f"at most {model.context}",
                remedy="take a smaller window, or a shorter query",
            )
        return pieces

    def __repr__(self) -> str:
        return describe(self)


def _decoded(
    module: Any, *, pieces: list[list[int]], vectors: Floats, projector: PassageProjector
) -> tuple[tuple[int, ...], int]:
    """The order in which the model names the passages, and how many places it has read."""
    import torch

    from plackett.rerankers.listwise.passage_decoding import decode_order

    with torch.inference_mode():
        device = next(projector.parameters()).device
        passages = projector(torch.from_numpy(vectors).to(device))
    return decode_order(module, pieces, passages)


def _vectors(encoder: Any, given: Candidates, dimension: int) -> Floats:
    """One vector a passage, `float32[n, d]`.

    Raises
    ------
    DataError : there is none for a passage, or it is not a finite one of length d.
    """
    if isinstance(encoder, Mapping):
        absent = [name for name in given.ids if name not in encoder]
        if absent:
            raise DataError(f"no vector of document {absent[0]!r}", expected="one a document")
        found: npt.ArrayLike = np.stack([np.asarray(encoder[name]) for name in given.ids])
    elif isinstance(encoder, DenseEncoder):
        found = encoder.encode(given.texts)
    else:
        found = encoder(given.texts)
    vectors = np.array(found, dtype=np.float32)
    if vectors.shape != (len(given), dimension):
        raise DataError(
            f"vectors of shape {vectors.shape}", expected=f"({len(given)}, {dimension})"
        )
    if not np.isfinite(vectors).all():
        raise DataError("a vector with NaN or infinity", expected="finite numbers")
    return vectors
