"""What the encoders of single texts share: prompts, cutting, batches and the cache."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from plackett.encoders.base import Kind, check_texts
from plackett.encoders.cache import Arrays, Entry, VectorCache, through_cache
from plackett.encoders.layers import Layers
from plackett.encoders.model import BackendName, TextModel, cut_single
from plackett.encoders.tokens import Inputs
from plackett.encoders.torch_backend import Task
from plackett.errors import ConfigurationError

__all__ = ["SingleTextModel"]

Take = Callable[[Inputs, npt.NDArray[np.float32]], list[Arrays]]


class SingleTextModel:
    """A model of single texts whose results are arrays, one tuple a text.

    Parameters
    ----------
    model, task, backend, max_tokens, threads, layers : see `TextModel`.
    prompts : what is put before each kind of text.
    batch_tokens : how many tokens a batch has at most, padding included.
    cache : a file of results, a `VectorCache`, or None.
    settings : what else determines the results, for the cache.
    """

    def __init__(
        self,
        model: str | Path,
        task: Task,
        *,
        backend: BackendName,
        max_tokens: int | None,
        threads: int | None,
        prompts: dict[Kind, str],
        batch_tokens: int,
        cache: VectorCache | str | None,
        settings: str,
        layers: Layers | None = None,
    ) -> None:
        if batch_tokens < 1:
            raise ConfigurationError(f"batch_tokens = {batch_tokens}; expected 1 or more.")
        self.text = TextModel(
            model, task, backend=backend, max_tokens=max_tokens, threads=threads, layers=layers
        )
        self.prompts, self.batch_tokens, self.settings = prompts, batch_tokens, settings
        self.cache = VectorCache(cache) if isinstance(cache, str) else cache

    @property
    def identity(self) -> str:
        """Model, back end, prompts, cut and settings."""
        prompts = sorted(self.prompts.items())
        return f"{self.text.identity}:{self.text.max_tokens}:{prompts!r}:{self.settings}"

    def results(
        self, texts: Sequence[str], kind: Kind, take: Take
    ) -> tuple[list[Arrays], npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """The arrays of each text, the tokens read, and whether some were cut off.

        Parameters
        ----------
        texts, kind : what to encode.
        take : the arrays of each text of a batch, from the padded batch and what the network gave.
        """
        if kind not in ("query", "document"):
            raise ConfigurationError(f"kind = {kind!r}; expected 'query' or 'document'.")
        prompt = self.prompts.get(kind, "")
        checked = [prompt + text for text in check_texts(texts)]
        return through_cache(
            self.cache, self.identity, checked, lambda missing: self._computed(missing, take)
        )

    def _computed(self, texts: list[str], take: Take) -> dict[str, Entry]:
        ids = self.text.tokenizer.encode(texts)
        parts = cut_single(self.text, ids)
        overhead = self.text.template.overhead
        done: dict[str, Entry] = {}

        def collect(
            rows: npt.NDArray[np.int64], inputs: Inputs, output: npt.NDArray[np.float32]
        ) -> None:
            batch = {}
            for row, arrays in zip(rows.tolist(), take(inputs, output), strict=True):
                read = len(parts[row][0])
                batch[texts[row]] = (arrays, read + overhead, read < len(ids[row]))
            # Kept batch by batch: a run that is killed goes on where it stopped.
            if self.cache is not None:
                self.cache.put_many(self.identity, batch)
            done.update(batch)

        self.text.run(parts, self.batch_tokens, collect)
        return done
