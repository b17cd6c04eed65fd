"""Passages as input embeddings of a language model: projection, decoding over them, losses."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from plackett.errors import CorruptFileError, DataError

__all__ = [
    "PassageProjector",
    "decode_order",
    "list_mle_over_remaining",
    "step_logits",
    "two_view_loss",
]

_KIND, _VERSION = "plackett.PassageProjector", 1

_CHOSEN = -1e9
"""The logit of a passage that was chosen before: no share of the softmax, and yet a number."""


class PassageProjector(nn.Module):
    """Vectors of an encoder as input embeddings of a language model: W2 gelu(W1 e + b1) + b2.

    Parameters
    ----------
    inputs : d, the length of the encoder's vectors.
    outputs : h, the length of the language model's input embeddings.
    seed : of the first weights.

    >>> PassageProjector(3, 5)(torch.zeros(2, 3)).shape
    torch.Size([2, 5])
    """

    def __init__(self, inputs: int, outputs: int, *, seed: int = 0) -> None:
        super().__init__()
        self.inputs, self.outputs = inputs, outputs
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.first, self.second = nn.Linear(inputs, outputs), nn.Linear(outputs, outputs)

    def forward(self, vectors: Tensor) -> Tensor:
        """`float[n, d]` to `float[n, h]`."""
        found: Tensor = self.second(nn.functional.gelu(self.first(vectors)))
        return found

    def save(self, path: str | Path) -> None:
        """Write the weights to a safetensors file that says what it holds."""
        about = {"kind": _KIND, "version": _VERSION, "inputs": self.inputs, "outputs": self.outputs}
        weights = {name: value.contiguous() for name, value in self.state_dict().items()}
        save_file(weights, str(path), metadata={"plackett": json.dumps(about)})

    @classmethod
    def load(cls, path: str | Path) -> PassageProjector:
        """The projector that `save` wrote.

        Raises
        ------
        DataError : there is no such file.
        CorruptFileError : it holds something else, or is cut or changed.
        """
        if not Path(path).is_file():
            raise DataError("no file", expected="a projector saved before", path=path)
        try:
            with safe_open(str(path), framework="pt") as opened:
                about = json.loads((opened.metadata() or {}).get("plackett", "{}"))
                weights = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        except (SafetensorError, ValueError) as error:
            raise CorruptFileError(str(error), expected="a projector", path=path) from error
        if about.get("kind") != _KIND or about.get("version") != _VERSION:
            raise CorruptFileError(
                f"a file of kind {about.get('kind')!r}, version {about.get('version')!r}",
                expected=f"{_KIND}, version {_VERSION}",
                path=path,
            )
        made = cls(int(about["inputs"]), int(about["outputs"]))
        try:
            made.load_state_dict(weights)
        except RuntimeError as error:
            raise CorruptFileError(str(error), expected="a projector", path=path) from error
        return made


def _prompt(model: Any, pieces: Sequence[Sequence[int]], passages: Sequence[Tensor]) -> Tensor:
    """The prompt's input embeddings, `float[1, T, h]`: tokens, with a passage after each piece."""
    table = model.get_input_embeddings()
    parts: list[Tensor] = []
    for i, piece in enumerate(pieces):
        if len(piece):
            parts.append(table(torch.tensor(list(piece), device=table.weight.device)))
        if i < len(passages):
            parts.append(passages[i][None])
    return torch.cat(parts)[None]


def _as_inputs(model: Any, passages: Tensor) -> Tensor:
    """Passages as the model's own input embeddings, in its type and on its device.

    Raises
    ------
    DataError : they are not of its width.
    """
    weight = model.get_input_embeddings().weight
    if passages.shape[-1] != weight.shape[-1]:
        raise DataError(
            f"passage embeddings of length {passages.shape[-1]}",
            expected=f"{weight.shape[-1]}, as the language model's",
            remedy="take a projector that was made for this model",
        )
    return passages.to(weight)


@torch.inference_mode()
def decode_order(
    model: Any, pieces: Sequence[Sequence[int]], passages: Tensor
) -> tuple[tuple[int, ...], int]:
    """Name all passages, best first, each by the likeliest of those not yet named.

    At each step the logits are h_t . p_j over the passages j that are left; the one chosen is the
    next input. The order is a permutation whatever the model says.

    Parameters
    ----------
    model : a causal model of the `transformers` library.
    pieces : the prompt's tokens before the first passage, between two, and after the last.
    passages : `float[n, h]`, projected.

    Returns
    -------
    The order, and how many places the model has read.
    """
    embedded = _as_inputs(model, passages)
    n = len(embedded)
    taken = torch.zeros(n, dtype=torch.bool, device=embedded.device)
    order: list[int] = []
    inputs, cache, read = _prompt(model, pieces, list(embedded)), None, 0
    while len(order) < n - 1:
        found = model.base_model(
            inputs_embeds=inputs, past_key_values=cache, use_cache=True, return_dict=True
        )
        cache, read = found.past_key_values, read + inputs.shape[1]
        logits = embedded @ found.last_hidden_state[0, -1]
        chosen = int(logits.masked_fill(taken, -torch.inf).argmax())
        if bool(taken[chosen]):  # all that are left are minus infinity: then as they came
            chosen = int((~taken).nonzero()[0])
        taken[chosen] = True
        order.append(chosen)
        inputs = embedded[chosen][None, None]
    # The last one needs no question.
    return (*order, *(i for i in range(n) if not bool(taken[i]))), read


def step_logits(
    model: Any, pieces: Sequence[Sequence[int]], passages: Tensor, order: Sequence[int]
) -> Tensor:
    """Logits of all passages at each step of naming them in a teacher's order, `float[n, n]`.

    Row k is h . p_j after the prompt and the first k passages of the order. Gradients reach the
    model and the passages.

    Parameters
    ----------
    model, pieces, passages : see `decode_order`; pieces may hold the passages' texts.
    order : positions of passages, the teacher's best first.
    """
    embedded = _as_inputs(model, passages)
    n = len(embedded)
    named = [embedded[place][None] for place in order[:-1]]
    slots = list(embedded) if len(pieces) > 1 else []
    inputs = torch.cat([_prompt(model, pieces, slots)[0], *named])[None]
    hidden = model.base_model(inputs_embeds=inputs, return_dict=True).last_hidden_state
    found: Tensor = hidden[0, -n:] @ embedded.T
    return found


def _remaining(logits: Tensor, order: Tensor) -> Tensor:
    """Logits with those of passages named at an earlier step masked."""
    places = torch.empty_like(order)
    places[order] = torch.arange(len(order), device=order.device)
    named = places[None, :] < torch.arange(len(order), device=order.device)[:, None]
    return logits.masked_fill(named, _CHOSEN)


def list_mle_over_remaining(logits: Tensor, order: Sequence[int]) -> Tensor:
    """ListMLE whose scores change from step to step: mean cross-entropy over what is left.

    L = -1/n sum_k log softmax_{j not in o_1..o_{k-1}}(logits[k, j])[o_k]

    Parameters
    ----------
    logits : `float[n, n]`, one row a step; see `step_logits`.
    order : the teacher's, best first.

    >>> same = torch.zeros(3, 3)
    >>> round(float(list_mle_over_remaining(same, [2, 0, 1])) * 3, 4)   # log 3 + log 2 + log 1
    1.7918
    """
    targets = torch.as_tensor(list(order), device=logits.device)
    return nn.functional.cross_entropy(_remaining(logits, targets), targets)


def two_view_loss(
    with_text: Tensor, vectors_only: Tensor, order: Sequence[int], *, weight: float = 0.2
) -> Tensor:
    """L = L_vectors + L_text + weight * KL(p_text || p_vectors), over what is left at each step.

    Parameters
    ----------
    with_text : `float[n, n]` step logits of a prompt that shows the passages' texts too.
    vectors_only : those of the prompt that is used in the end.
    order : the teacher's, best first.

    Paper: Leveraging Passage Embeddings for Efficient Listwise Reranking (2024).
    """
    targets = torch.as_tensor(list(order), device=with_text.device)
    text = _remaining(with_text, targets).log_softmax(dim=-1)
    vectors = _remaining(vectors_only, targets).log_softmax(dim=-1)
    divergence = nn.functional.kl_div(vectors, text, log_target=True, reduction="batchmean")
    losses = nn.functional.nll_loss(text, targets) + nn.functional.nll_loss(vectors, targets)
    return losses + weight * divergence
