"""A cross-encoder whose weights bend to one query and spring back (imports torch)."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from plackett.encoders.base import check_texts
from plackett.encoders.folders import ModelFolder
from plackett.encoders.tokens import TextTokenizer
from plackett.encoders.torch_backend import load_head
from plackett.errors import ConfigurationError, DataError

__all__ = ["FeedbackTask", "FewShotScorer", "meta_train"]

Floats = npt.NDArray[np.float64]

LONGEST_QUERY = 64
BATCH = 32
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json")


class FeedbackTask(NamedTuple):
    """One query of meta-training: documents to adapt on, and others to be right about after."""

    query: str
    support: Sequence[str]
    support_labels: Sequence[float]
    others: Sequence[str]
    other_labels: Sequence[float]


class FewShotScorer:
    """A cross-encoder of a folder, with the weights that may be trained.

    Parameters
    ----------
    folder : a sequence classification model with one label, or two (the second for relevant).
    train : "bias", "head" or "all".
    max_tokens : at most so many tokens a pair.

    Raises
    ------
    DataError : the folder holds no such model.
    ConfigurationError : too few tokens for a pair.
    """

    def __init__(
        self, folder: str | Path, *, train: str = "bias", max_tokens: int | None = None
    ) -> None:
        found = ModelFolder.find(folder)
        self._folder = found.path
        self._head = load_head(found, "pair")
        self._tokenizer = TextTokenizer(found.path, found.pad)
        self._template = self._tokenizer.template(2)
        self._longest = min(found.longest, max_tokens or found.longest)
        if self._longest < self._template.overhead + 2:
            raise ConfigurationError(f"{self._longest} tokens are too few for a pair of texts.")
        labels = int(self._head.model.config.num_labels)  # type: ignore[union-attr, arg-type]
        if labels not in (1, 2):
            raise DataError(f"a model of {labels} labels", expected="one or two", path=found.path)
        self.trained = _chosen(self._head.model, train)  # type: ignore[arg-type]
        for weight in self.trained.values():
            weight.requires_grad_(True)

    def logits(self, query: str, texts: Sequence[str]) -> tuple[Tensor, int]:
        """One logit a text, `float32[n]`, and how many texts were shortened."""
        asked = self._tokenizer.encode(check_texts([query], "query"))[0]
        asked = asked[: min(LONGEST_QUERY, self._longest - self._template.overhead - 1)]
        room = self._longest - self._template.overhead - len(asked)
        bodies = self._tokenizer.encode(check_texts(texts))
        pairs = [(asked, body[:room]) for body in bodies]
        width = self._template.overhead + len(asked) + max(len(body) for _, body in pairs)
        inputs = self._tokenizer.padded(self._template, pairs, width)
        found = self._head(*(torch.from_numpy(part) for part in inputs))
        logits = found[:, 0] if found.shape[1] == 1 else found[:, 1] - found[:, 0]
        return logits, sum(len(body) > room for body in bodies)

    def score(self, query: str, texts: Sequence[str]) -> tuple[Floats, int]:
        """`logits` of many texts, in batches, as numpy."""
        scores, truncated = np.zeros(len(texts)), 0
        # Texts of like length together; each result goes back to its own place.
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        with torch.inference_mode():
            for start in range(0, len(order), BATCH):
                rows = order[start : start + BATCH]
                logits, cut = self.logits(query, [texts[i] for i in rows])
                scores[rows] = logits.double().numpy()
                truncated += cut
        return scores, truncated

    @contextmanager
    def adapted(
        self,
        query: str,
        texts: Sequence[str],
        labels: Sequence[float],
        *,
        steps: int,
        learning_rate: float,
    ) -> Iterator[None]:
        """Inside, the weights are fine-tuned on these documents; afterwards they are as before.

        Without documents, or without steps, nothing is changed.
        """
        if not texts or not steps:
            yield
            return
        before = {name: weight.detach().clone() for name, weight in self.trained.items()}
        try:
            optimizer = torch.optim.Adam(list(self.trained.values()), lr=learning_rate)
            self._descend(optimizer, query, texts, labels, steps)
            yield
        finally:
            with torch.no_grad():
                for name, weight in self.trained.items():
                    weight.copy_(before[name])
                    weight.grad = None

    def _descend(
        self,
        optimizer: torch.optim.Optimizer,
        query: str,
        texts: Sequence[str],
        labels: Sequence[float],
        steps: int,
    ) -> None:
        for _ in range(steps):
            optimizer.zero_grad()
            self.loss(query, texts, labels).backward()  # type: ignore[no-untyped-call]
            optimizer.step()

    def loss(self, query: str, texts: Sequence[str], labels: Sequence[float]) -> Tensor:
        """The binary cross-entropy of documents of one query."""
        logits, _ = self.logits(query, texts)
        wanted = torch.tensor(list(labels), dtype=logits.dtype)
        return nn.functional.binary_cross_entropy_with_logits(logits, wanted)

    def save(self, folder: str | Path) -> None:
        """Write the model with its weights of now, and its tokenizer."""
        target = Path(folder)
        self._head.model.save_pretrained(target)  # type: ignore[union-attr, operator]
        for name in TOKENIZER_FILES:
            if (self._folder / name).is_file():
                shutil.copyfile(self._folder / name, target / name)


def meta_train(
    scorer: FewShotScorer,
    tasks: Sequence[FeedbackTask],
    *,
    epochs: int = 1,
    inner_steps: int = 4,
    inner_rate: float = 1e-3,
    outer_rate: float = 1e-4,
    seed: int = 0,
) -> list[float]:
    """Find weights from which a few steps on feedback lead far: first-order MAML.

    For each task the weights are adapted to its support documents; the gradient of the loss on its
    other documents, at the adapted weights, then moves the weights from which all began.

    Finn, Abbeel & Levine, "Model-agnostic meta-learning", ICML 2017, in its first-order form.

    Returns
    -------
    The mean loss on the other documents, after adapting, of each epoch.
    """
    weights = list(scorer.trained.values())
    optimizer = torch.optim.Adam(weights, lr=outer_rate)
    rng = np.random.default_rng(seed)
    history = []
    for _ in range(epochs):
        losses = []
        for number in rng.permutation(len(tasks)).tolist():
            task = tasks[number]
            with scorer.adapted(
                task.query,
                task.support,
                task.support_labels,
                steps=inner_steps,
                learning_rate=inner_rate,
            ):
                loss = scorer.loss(task.query, task.others, task.other_labels)
                gradients = torch.autograd.grad(loss, weights, allow_unused=True)
            for weight, gradient in zip(weights, gradients, strict=True):
                weight.grad = gradient
            optimizer.step()
            optimizer.zero_grad()
            losses.append(float(loss.detach()))
        history.append(float(np.mean(losses)))
    return history


def _chosen(model: nn.Module, train: str) -> dict[str, nn.Parameter]:
    """The weights to train; those of the head are not below the encoder's own prefix."""
    body = f"{model.base_model_prefix}."
    named = dict(model.named_parameters())
    if train == "bias":
        return {name: weight for name, weight in named.items() if name.endswith("bias")}
    if train == "head":
        return {name: weight for name, weight in named.items() if not name.startswith(body)}
    if train == "all":
        return named
    raise ConfigurationError(f"train={train!r} is not one of bias, head, all.")
