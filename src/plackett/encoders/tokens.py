"""Texts to token ids, once each, and inputs put together from them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from plackett._optional import require
from plackett.errors import DataError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["Inputs", "Template", "TextTokenizer"]

Ids = npt.NDArray[np.int32]


class Inputs(NamedTuple):
    """A padded batch as a model takes it, each `int64[b, width]`."""

    ids: npt.NDArray[np.int64]
    mask: npt.NDArray[np.int64]
    types: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Template:
    """How a tokenizer surrounds one text, or two, with special tokens.

    Parameters
    ----------
    specials : token ids before the first text, after it, and (for two) after the second.
    special_types : their token types, likewise.
    text_types : the token types of the texts.
    """

    specials: tuple[tuple[int, ...], ...]
    special_types: tuple[tuple[int, ...], ...]
    text_types: tuple[int, ...]

    @property
    def overhead(self) -> int:
        """How many special tokens there are."""
        return sum(len(part) for part in self.specials)

    def join(self, *texts: Ids) -> tuple[list[int], list[int]]:
        """Token ids and types of an input made of these texts."""
        ids, types = list(self.specials[0]), list(self.special_types[0])
        for i, text in enumerate(texts):
            ids += text.tolist()
            types += [self.text_types[i]] * len(text)
            ids += self.specials[i + 1]
            types += self.special_types[i + 1]
        return ids, types


class TextTokenizer:
    """The tokenizer of a model's folder, as its `tokenizer.json` defines it.

    Special tokens are added by templates, not by the tokenizer, so that a text of many pairs is
    taken apart once.

    Parameters
    ----------
    folder : a model's folder.
    pad : the token id of padding.

    Raises
    ------
    DataError : the folder has no `tokenizer.json`, or one that cannot be read.
    """

    def __init__(self, folder: Path, pad: int = 0) -> None:
        path = folder / "tokenizer.json"
        if not path.is_file():
            raise DataError(
                "no tokenizer.json",
                expected="a fast tokenizer's file",
                remedy="transformers.AutoTokenizer.from_pretrained(folder).save_pretrained(folder)",
                path=folder,
            )
        tokenizers = require("tokenizers", extra="onnx", purpose="cut texts into tokens")
        data = path.read_bytes()
        try:
            self._tokenizer: Tokenizer = tokenizers.Tokenizer.from_buffer(data)
        except ValueError as error:
            raise DataError(f"a tokenizer that cannot be read ({error})", path=path) from error
        # What a folder declares here is for whole inputs; ours are cut on the document's side.
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self.pad = pad

    def encode(self, texts: Sequence[str]) -> list[Ids]:
        """The token ids of each text, without special tokens; each distinct text is read once."""
        distinct = list(dict.fromkeys(texts))
        # The fast one leaves out where tokens lie in the text; older libraries have it not.
        encode = getattr(self._tokenizer, "encode_batch_fast", self._tokenizer.encode_batch)
        found = encode(distinct, add_special_tokens=False)
        ids = {
            text: np.array(encoding.ids, dtype=np.int32)
            for text, encoding in zip(distinct, found, strict=True)
        }
        return [ids[text] for text in texts]

    @property
    def size(self) -> int:
        """One more than the greatest token id."""
        return max(self._tokenizer.get_vocab(with_added_tokens=True).values(), default=-1) + 1

    @property
    def unknown(self) -> int | None:
        """The id of the token that stands for what is not in the vocabulary, if there is one."""
        model = json.loads(self._tokenizer.to_str())["model"]
        if model.get("unk_token") is not None:
            return self._tokenizer.token_to_id(model["unk_token"])
        found = model.get("unk_id")
        return None if found is None else int(found)

    def decode(self, ids: Ids) -> str:
        """The text of token ids, as far as it can be told."""
        return str(self._tokenizer.decode(ids.tolist()))

    def token_ids(self, words: Sequence[str]) -> list[int]:
        """The ids of those of the words that are tokens of the vocabulary."""
        found = [self._tokenizer.token_to_id(word) for word in words]
        return [i for i in found if i is not None]

    def template(self, texts: int) -> Template:
        """How one text, or two, are surrounded."""
        encoding = self._tokenizer.encode("a", "a" if texts == 2 else None)
        specials: list[list[int]] = [[]]
        special_types: list[list[int]] = [[]]
        text_types = [0] * texts
        seen = -1
        for token, kind, sequence in zip(
            encoding.ids, encoding.type_ids, encoding.sequence_ids, strict=True
        ):
            if sequence is None:
                specials[-1].append(token)
                special_types[-1].append(kind)
                continue
            text_types[sequence] = kind
            if sequence != seen:
                seen = sequence
                specials.append([])
                special_types.append([])
        return Template(
            tuple(tuple(part) for part in specials),
            tuple(tuple(part) for part in special_types),
            tuple(text_types),
        )

    def padded(self, template: Template, parts: Sequence[tuple[Ids, ...]], width: int) -> Inputs:
        """A batch of inputs, each made of one text or two, padded on the right.

        Parameters
        ----------
        parts : b inputs, each the token ids of its texts.
        width : the padded length; no input may be longer.
        """
        shape = (len(parts), width)
        inputs = Inputs(
            np.full(shape, self.pad, dtype=np.int64),
            np.zeros(shape, dtype=np.int64),
            np.zeros(shape, dtype=np.int64),
        )
        for row, texts in enumerate(parts):
            ids, types = template.join(*texts)
            inputs.ids[row, : len(ids)] = ids
            inputs.types[row, : len(ids)] = types
            inputs.mask[row, : len(ids)] = 1
        return inputs
