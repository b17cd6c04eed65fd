"""Static embeddings: a table of token vectors and their mean, without a network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from plackett._optional import require
from plackett.encoders.base import DenseEncoder, Encoded, Kind, check_texts
from plackett.encoders.folders import ModelFolder
from plackett.encoders.pooling import normalised
from plackett.encoders.registry import describe_encoder, register_encoder
from plackett.encoders.tokens import TextTokenizer
from plackett.errors import ConfigurationError, DataError

__all__ = ["StaticEncoder"]

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int32]

TEXTS = 4096
"""How many texts are cut into tokens at a time."""

MODEL2VEC_TOKENS = 512
"""What model2vec reads of a text where its folder says nothing."""


@register_encoder
class StaticEncoder(DenseEncoder):
    """Texts to the mean of their tokens' vectors, each looked up in a table.

        v(text) = 1/n sum over its n tokens t of table[t]

    It runs without torch, at the speed at which texts are cut into tokens. Folders of model2vec
    ("potion") and of sentence-transformers' `StaticEmbedding` are read, each by its library's
    rules: model2vec leaves unknown tokens out and reads 512 tokens; weights and the mapping of a
    smaller table are folded in. A text without known tokens is a vector of zeros.

    Parameters
    ----------
    model : the folder, or a name in the hub's local cache. Nothing is downloaded.
    normalise : whether vectors are made of length 1; None for what the folder declares.
    query_prompt, document_prompt : put before texts; None for what the folder declares.
    max_tokens : how many tokens of a text are read at most; None for what the folder declares.

    Raises
    ------
    ConfigurationError : a parameter that does not fit, or a folder with a module that is not
        computed here.
    DataError : no such folder, no table in it, or one that does not fit its tokenizer.

    Reference: Tulkens & van Dongen, "Model2Vec: Fast State-of-the-Art Static Embeddings", 2024; the
    mean of word vectors as a sentence's: Wieting et al., "Towards Universal Paraphrastic Sentence
    Embeddings", ICLR 2016.
    """

    def __init__(
        self,
        model: str,
        *,
        normalise: bool | None = None,
        query_prompt: str | None = None,
        document_prompt: str | None = None,
        max_tokens: int | None = None,
    ) -> None:
        self.model, self.normalise, self.max_tokens = model, normalise, max_tokens
        self.query_prompt, self.document_prompt = query_prompt, document_prompt
        if max_tokens is not None and max_tokens < 1:
            raise ConfigurationError(f"max_tokens = {max_tokens}; expected 1 or more, or None.")
        folder = ModelFolder.find(model)
        folder.check_modules({"StaticEmbedding", "Normalize"})
        self._table, by_model2vec = _read_table(folder.path)
        self._tokenizer = TextTokenizer(folder.path)
        if self._tokenizer.size > len(self._table):
            raise DataError(
                f"a table of {len(self._table):,} vectors",
                expected=f"one for each of the tokenizer's {self._tokenizer.size:,} tokens",
                path=folder.path,
            )
        config = folder.config if by_model2vec and (folder.path / "config.json").is_file() else {}
        declared = bool(config.get("normalize", folder.normalises()))
        self.normalised = declared if normalise is None else normalise
        longest = config.get("max_length", MODEL2VEC_TOKENS) if by_model2vec else None
        self._longest: int | None = longest if max_tokens is None else max_tokens
        self._left_out = self._tokenizer.unknown if by_model2vec else None
        prompts = folder.prompts()
        self._prompts = {
            "query": prompts.get("query", "") if query_prompt is None else query_prompt,
            "document": prompts.get("document", "") if document_prompt is None else document_prompt,
        }
        self._digest = folder.digest

    @property
    def dimension(self) -> int:
        """d."""
        return int(self._table.shape[1])

    @property
    def identity(self) -> str:
        """The folder's content, prompts, limit and whether vectors have length 1."""
        prompts = sorted(self._prompts.items())
        return f"static:{self._digest}:{self._longest}:{prompts!r}:{self.normalised}"

    def encode_all(self, texts: Sequence[str], kind: Kind = "document") -> Encoded[Floats]:
        """Vectors of texts: `float32[n, d]`; the tokens are those that have a vector."""
        if kind not in ("query", "document"):
            raise ConfigurationError(f"kind = {kind!r}; expected 'query' or 'document'.")
        whole = [self._prompts[kind] + text for text in check_texts(texts)]
        read = Encoded(
            np.zeros((len(whole), self.dimension), dtype=np.float32),
            np.zeros(len(whole), dtype=np.int64),
            np.zeros(len(whole), dtype=np.bool_),
        )
        for start in range(0, len(whole), TEXTS):
            part = slice(start, start + TEXTS)
            ids = self._tokenizer.encode(whole[part])
            if self._longest is not None:
                read.truncated[part] = [len(text) > self._longest for text in ids]
            known = [self._known(text[: self._longest]) for text in ids]
            read.tokens[part] = [len(text) for text in known]
            read.values[part] = self._means(known)
        return read

    def __repr__(self) -> str:
        return describe_encoder(self)

    def _known(self, ids: Ids) -> Ids:
        return ids if self._left_out is None else ids[ids != self._left_out]

    def _means(self, ids: Sequence[Ids]) -> Floats:
        """The mean of each text's vectors, by one sparse product with the table."""
        from scipy import sparse

        lengths = np.array([len(text) for text in ids], dtype=np.int64)
        terms = np.concatenate([np.zeros(0, dtype=np.int32), *ids])
        shares = np.repeat(1.0 / np.maximum(lengths, 1), lengths).astype(np.float32)
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        counts = sparse.csr_matrix((shares, terms, offsets), shape=(len(ids), len(self._table)))
        means = np.asarray(counts @ self._table, dtype=np.float32)
        return normalised(means) if self.normalised else means


def _read_table(folder: Path) -> tuple[Floats, bool]:
    """`float32[v, d]`, a row a token, and whether model2vec wrote it."""
    path = folder / "model.safetensors"
    if not path.is_file():
        raise DataError(
            "no model.safetensors",
            expected="a folder of model2vec, or of sentence-transformers' StaticEmbedding",
            path=folder,
        )
    safetensors = require("safetensors", extra="static", purpose="read a table of vectors")
    numpy_door = require("safetensors.numpy", extra="static", purpose="read a table of vectors")
    try:
        found = numpy_door.load_file(path)
    except (safetensors.SafetensorError, TypeError, KeyError) as error:
        raise DataError(f"a table that cannot be read ({error})", path=path) from error
    by_model2vec = "embeddings" in found
    table = found.get("embeddings", found.get("embedding.weight"))
    if table is None or table.ndim != 2:
        raise DataError(
            f"arrays {', '.join(sorted(found)) or 'none'}",
            expected="a matrix 'embeddings' (model2vec) or 'embedding.weight' (StaticEmbedding)",
            path=path,
        )
    if by_model2vec:
        table = _unfolded(table, found.get("mapping"), found.get("weights"), path)
    table = np.ascontiguousarray(table, dtype=np.float32)
    if not np.isfinite(table).all():
        raise DataError("vectors that are not finite", path=path)
    return table, by_model2vec


def _unfolded(
    table: npt.NDArray[np.generic],
    mapping: npt.NDArray[np.int64] | None,
    weights: npt.NDArray[np.generic] | None,
    path: Path,
) -> Floats:
    """A row a token: that of its group, times the token's weight."""
    rows: Floats = table.astype(np.float32)
    if mapping is not None:
        if len(mapping) and not 0 <= int(mapping.min()) <= int(mapping.max()) < len(rows):
            raise DataError(
                f"a mapping to row {int(mapping.max())}",
                expected=f"0 to {len(rows) - 1}",
                path=path,
            )
        rows = rows[mapping]
    if weights is not None:
        if weights.shape != (len(rows),):
            raise DataError(
                f"weights of shape {weights.shape}", expected=f"{len(rows)} numbers", path=path
            )
        rows = rows * weights.astype(np.float32)[:, None]
    return rows
