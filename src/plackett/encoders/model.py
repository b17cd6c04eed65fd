"""A model's folder, its tokenizer and a back end, which run texts in batches of tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from plackett.encoders.batches import token_batches
from plackett.encoders.folders import NO_LIMIT, ModelFolder
from plackett.encoders.layers import Layers
from plackett.encoders.onnx_backend import OnnxBackend
from plackett.encoders.tokens import Inputs, Template, TextTokenizer
from plackett.encoders.torch_backend import Task, TorchBackend
from plackett.errors import ConfigurationError

__all__ = ["Backend", "BackendName", "TextModel", "cut_single"]

BackendName = Literal["torch", "onnx", "onnx-int8"]
Ids = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
Collect = Callable[[npt.NDArray[np.int64], Inputs, Floats], None]


class Backend(Protocol):
    """What runs a network."""

    @property
    def name(self) -> str:
        """What a model's identity says of it: results differ a little between back ends."""

    def running(self) -> AbstractContextManager[None]:
        """A context in which batches may be run."""

    def __call__(self, inputs: Inputs) -> Floats:
        """What the network gives for one padded batch."""


class TextModel:
    """A model that reads one text, or two, as tokens.

    Parameters
    ----------
    model : the model's folder, or a name in the hub's local cache.
    task : which head, see `Task`.
    backend : "torch", "onnx" or "onnx-int8" (see `to_onnx`).
    texts : how many texts an input has, 1 or 2.
    max_tokens : how many tokens of an input are read at most, special ones included; None for as
        many as the model can.
    threads : how many threads a call may use; None leaves it to the back end.
    layers : which layers speak for a token, of task "hidden"; None for the last.

    Raises
    ------
    ConfigurationError : a parameter that does not fit, or more tokens than the model can read.
    DataError : no such folder, or one whose files or weights are not what they must be.
    """

    def __init__(
        self,
        model: str | Path,
        task: Task,
        *,
        backend: BackendName = "torch",
        texts: int = 1,
        max_tokens: int | None = None,
        threads: int | None = None,
        layers: Layers | None = None,
    ) -> None:
        if backend not in ("torch", "onnx", "onnx-int8"):
            raise ConfigurationError(
                f"backend = {backend!r}; expected 'torch', 'onnx' or 'onnx-int8'."
            )
        if threads is not None and threads < 1:
            raise ConfigurationError(f"threads = {threads}; expected 1 or more, or None.")
        self.folder = ModelFolder.find(model)
        self.tokenizer = TextTokenizer(self.folder.path, self.folder.pad)
        self.template: Template = self.tokenizer.template(texts)
        self.max_tokens = _checked_limit(max_tokens, self.folder, self.template)
        self.backend: Backend
        if backend == "torch":
            self.backend = TorchBackend(self.folder, task, threads, layers)
        else:
            self.backend = OnnxBackend(self.folder, task, backend, threads, layers)

    @property
    def identity(self) -> str:
        """The model's content, and what ran it."""
        return f"{self.backend.name}:{self.folder.digest}"

    def run(self, parts: Sequence[tuple[Ids, ...]], budget: int, collect: Collect) -> None:
        """Run inputs in batches of similar length, the longest first.

        Parameters
        ----------
        parts : the token ids of each input's texts, short enough for `max_tokens`.
        budget : how many tokens a batch has at most, padding included.
        collect : told of each batch: which inputs, the padded batch, what the network gave.
        """
        overhead = self.template.overhead
        lengths = np.array([sum(map(len, part)) + overhead for part in parts], dtype=np.int64)
        with self.backend.running():
            for batch in token_batches(lengths, budget, longest=self.max_tokens):
                chosen = [parts[row] for row in batch.rows.tolist()]
                inputs = self.tokenizer.padded(self.template, chosen, batch.width)
                collect(batch.rows, inputs, self.backend(inputs))


def cut_single(model: TextModel, ids: Sequence[Ids]) -> list[tuple[Ids, ...]]:
    """Inputs of one text each, cut at the end to what the model reads."""
    room = model.max_tokens - model.template.overhead
    return [(text[:room],) for text in ids]


def _checked_limit(max_tokens: int | None, folder: ModelFolder, template: Template) -> int:
    least = template.overhead + len(template.text_types)
    if max_tokens is None:
        return folder.longest
    if max_tokens < least or (folder.longest < NO_LIMIT and max_tokens > folder.longest):
        raise ConfigurationError(
            f"max_tokens = {max_tokens}; expected {least} to {folder.longest}, "
            f"which is what {folder.root} can read."
        )
    return max_tokens
