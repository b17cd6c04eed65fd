"""Encoders of single texts by a transformer: vectors, sparse weights, token matrices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from plackett._optional import require
from plackett.encoders.base import (
    DenseEncoder,
    Encoded,
    Kind,
    SparseEncoder,
    TokenEncoder,
    TokenVectors,
)
from plackett.encoders.cache import Arrays, VectorCache
from plackett.encoders.folders import LATENT_POOLING, ModelFolder, digest_of
from plackett.encoders.layers import Layers, checked_layers
from plackett.encoders.model import BackendName
from plackett.encoders.pooling import Pooling, checked_pooling, normalised, pool
from plackett.encoders.registry import describe_encoder, register_encoder
from plackett.encoders.single import SingleTextModel
from plackett.encoders.tokens import Inputs
from plackett.encoders.torch_backend import Task
from plackett.errors import ConfigurationError

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

__all__ = ["TokenMatrixEncoder", "TransformerEncoder", "TransformerSparseEncoder"]

Floats = npt.NDArray[np.float32]


class _OneModel:
    """What these encoders share: a model of single texts, opened as their parameters say."""

    model: str
    query_prompt: str | None
    document_prompt: str | None
    max_tokens: int | None
    backend: BackendName
    batch_tokens: int
    cache: VectorCache | str | None
    threads: int | None

    def _open(
        self,
        folder: ModelFolder,
        task: Task,
        *,
        size: str,
        settings: str,
        layers: Layers | None = None,
    ) -> None:
        """`size` is the entry of `config.json` that says how long a vector is."""
        declared = folder.prompts()
        prompts: dict[Kind, str] = {
            "query": declared.get("query", "") if self.query_prompt is None else self.query_prompt,
            "document": (
                declared.get("document", "")
                if self.document_prompt is None
                else self.document_prompt
            ),
        }
        self._model = SingleTextModel(
            self.model,
            task,
            backend=self.backend,
            max_tokens=folder.max_tokens() if self.max_tokens is None else self.max_tokens,
            threads=self.threads,
            prompts=prompts,
            batch_tokens=self.batch_tokens,
            cache=self.cache,
            settings=settings,
            layers=layers,
        )
        self._dimension = int(folder.config[size])

    @property
    def dimension(self) -> int:
        """How many numbers a vector has: of sparse weights, the size of the vocabulary."""
        return self._dimension

    @property
    def identity(self) -> str:
        """The model's content, prompts, limits and what is made of its output."""
        return self._model.identity

    def __repr__(self) -> str:
        return describe_encoder(self)


@register_encoder
class TransformerEncoder(_OneModel, DenseEncoder):
    """Texts to vectors: a transformer's token vectors, pooled.

    Folders of sentence-transformers declare pooling, length, prompts and whether vectors have
    length 1; for others, `pooling` must be given, for no model's name tells it. A folder with a
    trained pooling (`write_pooled_model`) is pooled by that.

    Parameters
    ----------
    model : the model's folder, or a name in the hub's local cache. Nothing is downloaded.
    pooling : see `Pooling`; None for what the folder declares.
    layers : whose states are mixed before they are pooled: layers of equal share, such as
        (0, -1), or a weight each, such as {-1: 0.7, -2: 0.3}; 0 is what goes into the first block,
        -1 the last. None for what the folder declares (`WeightedLayerPooling`), or the last.
    normalise : whether vectors are made of length 1; None for what the folder declares.
    query_prompt, document_prompt : put before texts; None for what the folder declares, "" for
        none.
    max_tokens : how many tokens of a text are read at most, special ones and prompt included; None
        for what the folder declares, or as many as the model can.
    backend : "torch", "onnx" or "onnx-int8" (see `to_onnx`, task "hidden", or "pooled" for a
        trained pooling).
    batch_tokens : how many tokens a batch has at most, padding included.
    cache : a file of vectors, or a `VectorCache`; None encodes anew each time.
    threads : how many threads a call may use; None leaves it to the back end.

    Raises
    ------
    ConfigurationError : parameters that do not fit, no pooling, or a folder that declares a module
        that is not computed here.
    DataError : no such model, missing weights, or weights that are not finite.

    Reference: Reimers & Gurevych, "Sentence-BERT", EMNLP 2019.
    """

    def __init__(
        self,
        model: str,
        *,
        pooling: Pooling | None = None,
        layers: Sequence[int] | Mapping[int, float] | None = None,
        normalise: bool | None = None,
        query_prompt: str | None = None,
        document_prompt: str | None = None,
        max_tokens: int | None = None,
        backend: BackendName = "torch",
        batch_tokens: int = 4096,
        cache: VectorCache | str | None = None,
        threads: int | None = None,
    ) -> None:
        self.model, self.pooling, self.normalise = model, pooling, normalise
        self.layers = layers
        self.query_prompt, self.document_prompt = query_prompt, document_prompt
        self.max_tokens, self.backend, self.batch_tokens = max_tokens, backend, batch_tokens
        self.cache, self.threads = cache, threads
        folder = ModelFolder.find(model)
        folder.check_modules(
            {"Transformer", "WeightedLayerPooling", "Pooling", LATENT_POOLING, "Dense", "Normalize"}
        )
        self.normalised = folder.normalises() if normalise is None else normalise
        task, mixture, settings = self._pooled(folder)
        self._projections = folder.projections("texts", int(folder.config["hidden_size"]))
        for projection in self._projections:
            settings += f":{projection.digest}"
        settings = f"dense:{settings}:{self.normalised}"
        self._open(folder, task, size="hidden_size", settings=settings, layers=mixture)
        if self._projections:
            self._dimension = len(self._projections[-1].weight)

    def _pooled(self, folder: ModelFolder) -> tuple[Task, Layers | None, str]:
        """How token vectors become one: what the network does, of which layers, and its name."""
        self._pooling: Pooling | None = None
        learned = folder.module_path(LATENT_POOLING)
        if learned is not None and self.pooling is None:
            if self.layers is not None:
                raise ConfigurationError(
                    f"layers = {self.layers!r}; the trained pooling of {folder.root} chooses them. "
                    "Give pooling= as well to leave it out."
                )
            return "pooled", None, f"latent:{digest_of(learned)}"
        chosen = folder.pooling() if self.pooling is None else self.pooling
        if chosen is None:
            raise ConfigurationError(f"{folder.root} declares no pooling; give pooling=...")
        self._pooling = checked_pooling(chosen)
        wanted = folder.layers() if self.layers is None else self.layers
        if wanted is None:
            return "hidden", None, str(chosen)
        mixture = checked_layers(wanted, folder.depth)
        return "hidden", mixture, str(chosen) if mixture is None else f"{chosen}:{mixture!r}"

    def encode_all(self, texts: Sequence[str], kind: Kind = "document") -> Encoded[Floats]:
        """Vectors of texts: `float32[n, d]`."""
        found, tokens, truncated = self._model.results(texts, kind, self._take)
        values = np.zeros((len(found), self._dimension), dtype=np.float32)
        for row, (vector,) in enumerate(found):
            values[row] = vector
        return Encoded(values, tokens, truncated)

    def _take(self, inputs: Inputs, hidden: Floats) -> list[Arrays]:
        # A trained pooling is part of the network.
        vectors = hidden if self._pooling is None else pool(hidden, inputs.mask, self._pooling)
        for projection in self._projections:
            vectors = projection(vectors)
        if self.normalised:
            vectors = normalised(vectors)
        return [(vector.copy(),) for vector in vectors]


@register_encoder
class TransformerSparseEncoder(_OneModel, SparseEncoder):
    """Texts to weights over the model's vocabulary, by a masked language model (SPLADE).

        w_t = max over the text's tokens i of log(1 + relu(logit_i,t))

    Parameters
    ----------
    model : the model's folder, or a name in the hub's local cache. Nothing is downloaded.
    top_k : keep at most so many weights of a text, the greatest; None keeps all above 0.
    max_tokens, query_prompt, document_prompt, backend, batch_tokens, cache, threads : see
        `TransformerEncoder`; `to_onnx` with task "lexical".

    Raises
    ------
    ConfigurationError : parameters that do not fit.
    DataError : no such model, missing weights, or weights that are not finite.

    Reference: Formal, Piwowarski & Clinchant, "SPLADE: sparse lexical and expansion model for first
    stage ranking", SIGIR 2021; the maximum: "SPLADE v2", 2021.
    """

    def __init__(
        self,
        model: str,
        *,
        top_k: int | None = None,
        query_prompt: str | None = None,
        document_prompt: str | None = None,
        max_tokens: int | None = None,
        backend: BackendName = "torch",
        batch_tokens: int = 1024,
        cache: VectorCache | str | None = None,
        threads: int | None = None,
    ) -> None:
        self.model, self.top_k = model, top_k
        self.query_prompt, self.document_prompt = query_prompt, document_prompt
        self.max_tokens, self.backend, self.batch_tokens = max_tokens, backend, batch_tokens
        self.cache, self.threads = cache, threads
        if top_k is not None and top_k < 1:
            raise ConfigurationError(f"top_k = {top_k}; expected 1 or more, or None for all.")
        folder = ModelFolder.find(model)
        folder.check_modules({"Transformer", "MLMTransformer", "SpladePooling"})
        folder.check_max_pooling()
        self._open(folder, "lexical", size="vocab_size", settings=f"sparse:{top_k}")

    def encode_all(self, texts: Sequence[str], kind: Kind = "document") -> Encoded[csr_matrix]:
        """Weights of texts: CSR of float32, n x v, terms of a text in ascending order."""
        sparse = require("scipy.sparse", extra="text", purpose="hold sparse weights")
        found, tokens, truncated = self._model.results(texts, kind, self._take)
        lengths = [len(terms) for terms, _ in found]
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        empty = np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.float32)
        terms = np.concatenate([empty[0], *(terms for terms, _ in found)])
        weights = np.concatenate([empty[1], *(weights for _, weights in found)])
        matrix = sparse.csr_matrix((weights, terms, offsets), shape=(len(found), self._dimension))
        return Encoded(matrix, tokens, truncated)

    def _take(self, inputs: Inputs, weights: Floats) -> list[Arrays]:
        out: list[Arrays] = []
        for row in weights:
            terms = np.flatnonzero(row > 0.0)
            if self.top_k is not None and len(terms) > self.top_k:
                # Equal weights at the edge: the lower term stays, so that the choice is certain.
                best = np.lexsort((terms, -row[terms]))[: self.top_k]
                terms = np.sort(terms[best])
            out.append((terms.astype(np.int32), row[terms].astype(np.float32)))
        return out


@register_encoder
class TokenMatrixEncoder(_OneModel, TokenEncoder):
    """Texts to the vectors of their tokens, for late interaction.

    Special tokens are left out unless a text has no other. A linear layer over token vectors that
    the folder declares, as ColBERT's, is applied; its query expansion by [MASK] tokens is not.

    Parameters
    ----------
    model : the model's folder, or a name in the hub's local cache. Nothing is downloaded.
    normalise : make each token's vector of length 1, so that products are cosines.
    keep : "all" tokens of the text, or those that are no "punctuation": ASCII punctuation marks.
    max_tokens, query_prompt, document_prompt, backend, batch_tokens, cache, threads : see
        `TransformerEncoder`; `to_onnx` with task "hidden".

    Raises
    ------
    ConfigurationError : parameters that do not fit, or a folder that declares a module that is not
        computed here.
    DataError : no such model, missing weights, or weights that are not finite.

    Reference: Khattab & Zaharia, "ColBERT", SIGIR 2020.
    """

    def __init__(
        self,
        model: str,
        *,
        normalise: bool = True,
        keep: Literal["all", "no-punctuation"] = "all",
        query_prompt: str | None = None,
        document_prompt: str | None = None,
        max_tokens: int | None = None,
        backend: BackendName = "torch",
        batch_tokens: int = 4096,
        cache: VectorCache | str | None = None,
        threads: int | None = None,
    ) -> None:
        self.model, self.normalise, self.keep = model, normalise, keep
        self.query_prompt, self.document_prompt = query_prompt, document_prompt
        self.max_tokens, self.backend, self.batch_tokens = max_tokens, backend, batch_tokens
        self.cache, self.threads = cache, threads
        if keep not in ("all", "no-punctuation"):
            raise ConfigurationError(f"keep = {keep!r}; expected 'all' or 'no-punctuation'.")
        folder = ModelFolder.find(model)
        folder.check_modules({"Transformer", "Pooling", "Dense", "Normalize"})
        self._projections = folder.projections("tokens", int(folder.config["hidden_size"]))
        settings = f"tokens:{normalise}:{keep}"
        for projection in self._projections:
            settings += f":{projection.digest}"
        self._open(folder, "hidden", size="hidden_size", settings=settings)
        if self._projections:
            self._dimension = len(self._projections[-1].weight)
        template = self._model.text.template
        # Where the text's tokens are in an input, and which of them count.
        self._first, self._last = len(template.specials[0]), len(template.specials[1])
        marks = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~" if keep == "no-punctuation" else ""
        self._skipped = np.array(self._model.text.tokenizer.token_ids(list(marks)), dtype=np.int64)

    def encode_all(self, texts: Sequence[str], kind: Kind = "document") -> Encoded[TokenVectors]:
        """The token vectors of texts."""
        found, tokens, truncated = self._model.results(texts, kind, self._take)
        offsets = np.concatenate([[0], np.cumsum([len(one) for (one,) in found])]).astype(np.int64)
        empty = np.zeros((0, self._dimension), dtype=np.float32)
        values = np.concatenate([empty, *(one for (one,) in found)])
        return Encoded(TokenVectors(values, offsets), tokens, truncated)

    def _take(self, inputs: Inputs, hidden: Floats) -> list[Arrays]:
        vectors = hidden
        for projection in self._projections:
            vectors = projection(vectors)
        if self.normalise:
            vectors = normalised(vectors)
        out: list[Arrays] = []
        for row, length in enumerate(inputs.mask.sum(axis=1).tolist()):
            places = np.arange(self._first, length - self._last)
            kept = places[~np.isin(inputs.ids[row, places], self._skipped)]
            if not len(kept):
                kept = places if len(places) else np.arange(length)
            out.append((vectors[row, kept].copy(),))
        return out
