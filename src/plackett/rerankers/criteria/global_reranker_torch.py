"""The encoder that reads a query and all its candidates as one text (imports torch)."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from plackett.data.formats.atomic import atomic_write
from plackett.encoders.base import check_texts
from plackett.encoders.folders import POSITIONS_AFTER_PADDING, ModelFolder
from plackett.encoders.tokens import TextTokenizer
from plackett.encoders.torch_backend import load_head
from plackett.errors import CorruptFileError, DataError

if TYPE_CHECKING:
    from plackett.rerankers.criteria.global_reranker import GlobalExample

__all__ = ["GlobalScorer"]

Floats = npt.NDArray[np.float64]

FORMAT = "plackett global re-ranker"
VERSION = 1
SETTINGS, HEAD = "global.json", "global-head.safetensors"
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json")
LONGEST_QUERY_SHARE = 0.5


class _Joint(NamedTuple):
    """One text: `int64[l]` each; `part` is 0 for the query and j for candidate j (from 1)."""

    ids: Tensor
    types: Tensor
    part: Tensor
    separators: Tensor


class GlobalScorer:
    """An encoder and the linear layer over its separators.

    Parameters
    ----------
    folder : the encoder's.
    settings : loss, block, max_tokens.
    """

    def __init__(self, folder: str | Path, settings: dict[str, Any]) -> None:
        found = ModelFolder.find(folder)
        self._folder, self._settings = found.path, settings
        self.loss: str = settings["loss"]
        self._encoder: nn.Module = load_head(found, "hidden", "eager").model  # type: ignore[assignment]
        self._takes_types = found.takes_types
        after_padding = found.config.get("model_type") in POSITIONS_AFTER_PADDING
        self._first_position = found.pad + 1 if after_padding else 0
        self._tokenizer = TextTokenizer(found.path, found.pad)
        self._template = self._tokenizer.template(2)
        if not self._template.specials[2]:
            raise DataError(
                "a tokenizer without a separator at the end",
                expected="an encoder's tokenizer, which puts one behind a pair",
                path=found.path,
            )
        self._longest = min(found.longest, settings["max_tokens"] or found.longest)
        self.head = nn.Linear(int(found.config["hidden_size"]), 1)

    @classmethod
    def new(
        cls,
        encoder: str | Path,
        *,
        loss: str,
        block: bool,
        max_tokens: int | None,
        seed: int,
    ) -> GlobalScorer:
        """A scorer whose linear layer is drawn."""
        scorer = cls(encoder, {"loss": loss, "block": block, "max_tokens": max_tokens})
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            scorer.head.weight.normal_(0.0, 0.02, generator=generator)
            scorer.head.bias.zero_()
        return scorer

    @classmethod
    def load(cls, folder: str | Path) -> GlobalScorer:
        """Read what `save` wrote.

        Raises
        ------
        CorruptFileError : files are missing or are not what was written.
        """
        path = Path(folder)
        try:
            content = json.loads((path / SETTINGS).read_bytes())
            if (content.pop("format"), content.pop("version")) != (FORMAT, VERSION):
                raise ValueError("another format or version")
            scorer = cls(path, content)
            scorer.head.load_state_dict(load_file(path / HEAD))
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            raise CorruptFileError(
                f"no global re-ranker ({error})",
                expected="what train_global_reranker writes",
                path=path,
            ) from error
        return scorer

    def save(self, folder: str | Path) -> None:
        """Write encoder, tokenizer, linear layer and settings; the settings last."""
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        self._encoder.save_pretrained(target)  # type: ignore[operator]
        for name in TOKENIZER_FILES:
            if (self._folder / name).is_file():
                shutil.copyfile(self._folder / name, target / name)
        save_file({k: v.contiguous() for k, v in self.head.state_dict().items()}, target / HEAD)
        content = {"format": FORMAT, "version": VERSION, **self._settings}
        with atomic_write(target / SETTINGS) as file:
            file.write(json.dumps(content).encode())

    def score(self, query: str, texts: Sequence[str], *, least: int = 16) -> tuple[Floats, int]:
        """One score a text, `float64[n]`, and how many texts were shortened.

        Raises
        ------
        DataError : not even one candidate has room.
        """
        asked, bodies = self._tokens(query, texts)
        size = max(1, self._room(asked) // (least + len(self._template.specials[2])))
        scores, truncated = np.zeros(len(texts)), 0
        with torch.inference_mode():
            for start in range(0, len(bodies), size):
                group = bodies[start : start + size]
                logits, cut = self._logits(asked, group)
                scores[start : start + size] = logits.double().numpy()
                truncated += cut
        return scores, truncated

    def fit(
        self,
        examples: Sequence[GlobalExample],
        epochs: int,
        learning_rate: float,
        rng: np.random.Generator,
    ) -> list[float]:
        """Train encoder and layer; the mean loss of each epoch."""
        weights = list(self._encoder.parameters())
        for weight in weights:
            weight.requires_grad_(True)
        optimizer = torch.optim.AdamW(
            [
                {"params": weights, "lr": learning_rate},
                {"params": list(self.head.parameters()), "lr": 10 * learning_rate},
            ],
            weight_decay=0.01,
        )
        history = []
        for _ in range(epochs):
            losses = []
            for number in rng.permutation(len(examples)).tolist():
                optimizer.zero_grad()
                loss = self.example_loss(examples[number], rng)
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                losses.append(float(loss.detach()))
            history.append(float(np.mean(losses)))
        for weight in weights:
            weight.requires_grad_(False)
        return history

    def example_loss(self, example: GlobalExample, rng: np.random.Generator) -> Tensor:
        """The loss of one example whose candidates are shown in an order drawn now."""
        order = rng.permutation(len(example.candidates)).tolist()
        asked, bodies = self._tokens(example.query, [example.candidates[i] for i in order])
        logits, _ = self._logits(asked, bodies)
        labels = torch.tensor([example.labels[i] for i in order], dtype=logits.dtype)
        if self.loss == "binary":
            wanted = (labels > 0).to(logits.dtype)
            return nn.functional.binary_cross_entropy_with_logits(logits, wanted)
        return -(labels / labels.sum() * torch.log_softmax(logits, dim=0)).sum()

    def _tokens(
        self, query: str, texts: Sequence[str]
    ) -> tuple[npt.NDArray[np.int32], list[npt.NDArray[np.int32]]]:
        asked = self._tokenizer.encode(check_texts([query], "query"))[0]
        most = int(LONGEST_QUERY_SHARE * self._longest)
        return asked[:most], self._tokenizer.encode(check_texts(texts))

    def _room(self, asked: npt.NDArray[np.int32]) -> int:
        specials = self._template.specials
        return self._longest - len(specials[0]) - len(asked) - len(specials[1])

    def _logits(
        self, asked: npt.NDArray[np.int32], bodies: Sequence[npt.NDArray[np.int32]]
    ) -> tuple[Tensor, int]:
        share = self._room(asked) // len(bodies) - len(self._template.specials[2])
        if share < 1:
            raise DataError(
                f"{len(bodies)} candidates for {self._room(asked)} tokens",
                expected="room for a token of each",
                remedy="fewer candidates, a shorter query, or a model that reads more",
            )
        joint = self._joined(asked, [body[:share] for body in bodies])
        hidden = self._hidden(joint)  # [l, d]
        logits = self.head(hidden[joint.separators])[:, 0]
        return logits, sum(len(body) > share for body in bodies)

    def _joined(
        self, asked: npt.NDArray[np.int32], bodies: Sequence[npt.NDArray[np.int32]]
    ) -> _Joint:
        before, between, after = self._template.specials
        ids = [*before, *asked.tolist(), *between]
        part, separators = [0] * len(ids), []
        first, second = self._template.text_types
        for number, body in enumerate(bodies, start=1):
            ids += [*body.tolist(), *after]
            part += [number] * (len(body) + len(after))
            separators.append(len(ids) - 1)
        types = [first if number == 0 else second for number in part]
        return _Joint(*(torch.tensor(values) for values in (ids, types, part, separators)))

    def _hidden(self, joint: _Joint) -> Tensor:
        length = len(joint.ids)
        given = {
            "input_ids": joint.ids[None],
            "position_ids": self._positions(joint)[None],
            "attention_mask": torch.ones((1, length), dtype=torch.long),
        }
        if self._takes_types:
            given["token_type_ids"] = joint.types[None]
        if self._settings["block"]:
            own = joint.part[:, None] == joint.part[None, :]
            seen = own | (joint.part[None, :] == 0)  # everything may look at the query
            hidden_from = torch.zeros((1, 1, length, length))
            given["attention_mask"] = hidden_from.masked_fill(~seen, torch.finfo(torch.float32).min)
        return self._encoder(**given).last_hidden_state[0]  # type: ignore[no-any-return]

    def _positions(self, joint: _Joint) -> Tensor:
        places = torch.arange(len(joint.ids))
        if self._settings["block"]:
            begins = int((joint.part == 0).sum())
            firsts = torch.cat([torch.tensor([0, begins]), joint.separators[:-1] + 1])
            places = places - firsts[joint.part] + torch.where(joint.part > 0, begins, 0)
        return places + self._first_position
