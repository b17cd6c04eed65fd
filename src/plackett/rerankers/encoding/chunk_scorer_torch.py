"""A small network that guesses which chunks of a document deserve to be read (imports torch)."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from plackett._optional import require
from plackett.encoders.batches import token_batches
from plackett.encoders.folders import ModelFolder
from plackett.encoders.torch_backend import load_head
from plackett.errors import ConfigurationError, CorruptFileError, DataError
from plackett.losses import SquaredError, parse_loss
from plackett.losses.base import Loss

__all__ = ["ChunkExample", "ChunkScorer", "fit_weights", "graded", "load_chunk_scorer"]

Ids = npt.NDArray[np.int32]
KERNELS = (1.0, 0.9, 0.7, 0.5, 0.3, 0.1, -0.1, -0.3, -0.5, -0.7, -0.9)
WIDTH = 0.1
FORMAT = "plackett chunk scorer"


class ChunkExample(NamedTuple):
    """A query, the chunks of one document, and what a cross-encoder thinks of each chunk.

    Attributes
    ----------
    query : token ids.
    chunks : token ids of m chunks.
    scores : m scores of the teacher.
    """

    query: Ids
    chunks: Sequence[Ids]
    scores: Sequence[float]


def graded(scores: Sequence[float], top: int) -> Tensor:
    """Labels of a ranking loss from a teacher's scores: `top` for its best, down to 1; then 0.

    Equal scores: the earlier chunk is the better.

    >>> graded([0.5, 3.0, 1.0, -1.0], 2)
    tensor([0., 2., 1., 0.])
    """
    order = np.argsort(-np.asarray(scores, dtype=np.float64), kind="stable")[:top]
    labels = torch.zeros(len(scores))
    labels[order.copy()] = torch.arange(top, top - len(order), -1, dtype=torch.float32)
    return labels


class ChunkScorer(nn.Module):
    """The first stage of an intra-document cascade: convolutions and kernels over similarities.

        c = relu(conv(E)), each of length 1              E: frozen word vectors, of query and chunk
        K_k(j) = a_k sum over chunk tokens t of exp(-(c_j . c_t - mu_k)^2 / (2 sigma^2))
        score = b + sum_k v_k sum over query tokens j of log max(K_k(j), 1e-4)

    with 11 kernels, mu = 1, 0.9, 0.7, ..., -0.9 and sigma = 0.1.

    Parameters
    ----------
    embeddings : `float32[v, e]`, word vectors; they are not trained, and not saved.
    dimension : of the convolved vectors.
    seed : of the first weights.

    Reference: Hofstätter et al., "Intra-document cascading: learning to select passages for neural
    document ranking", SIGIR 2021; the kernels: Dai et al., "Convolutional neural networks for
    soft-matching n-grams in ad-hoc search", WSDM 2018.
    """

    def __init__(self, embeddings: Tensor, dimension: int = 32, seed: int = 0) -> None:
        super().__init__()
        self.dimension = dimension
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.convolution = nn.Conv1d(embeddings.shape[1], dimension, kernel_size=3)
            self.combine = nn.Linear(len(KERNELS), 1)
        with torch.no_grad():
            # A sum over tokens of logarithms is far from 0: small weights keep the first scores so.
            self.combine.weight.mul_(0.1)
        self.kernel_scale = nn.Parameter(torch.full((len(KERNELS),), 0.1))
        self.register_buffer("embeddings", embeddings.detach(), persistent=False)
        self.register_buffer("centres", torch.tensor(KERNELS), persistent=False)

    def _vectors(self, ids: Tensor, mask: Tensor) -> Tensor:
        words = self.get_buffer("embeddings")[ids] * mask[:, :, None]  # [b, l, e]
        padded = nn.functional.pad(words.transpose(1, 2), (0, 2))
        found = torch.relu(self.convolution(padded)).transpose(1, 2)  # [b, l, d]
        return nn.functional.normalize(found, dim=-1)

    def forward(self, query: Tensor, query_mask: Tensor, chunk: Tensor, mask: Tensor) -> Tensor:
        """Scores of b pairs, `float[b]`; ids `int64[b, m]` and `[b, l]`, masks alike."""
        left, right = self._vectors(query, query_mask), self._vectors(chunk, mask)
        similarity = left @ right.transpose(1, 2)  # [b, m, l]
        gaps = similarity[..., None] - self.get_buffer("centres")
        kernels = torch.exp(-(gaps**2) / (2 * WIDTH**2)) * mask[:, None, :, None]
        counts = kernels.sum(dim=2) * self.kernel_scale  # [b, m, k]
        matched = torch.log(counts.clamp(min=1e-4)) * query_mask[:, :, None]
        scores: Tensor = self.combine(matched.sum(dim=1))[:, 0]
        return scores

    def score(
        self, pairs: Sequence[tuple[Ids, Ids]], batch_tokens: int = 16_384
    ) -> npt.NDArray[np.float32]:
        """Scores of pairs of token ids: `float32[n]`."""
        out = np.zeros(len(pairs), dtype=np.float32)
        lengths = [len(query) + len(chunk) for query, chunk in pairs]
        with torch.inference_mode():
            for batch in token_batches(lengths, batch_tokens):
                chosen = [pairs[row] for row in batch.rows.tolist()]
                out[batch.rows] = self(*_padded(chosen)).numpy()
        return out

    def fit(
        self,
        examples: Sequence[ChunkExample],
        *,
        loss: Loss | str = "NDCGLoss2()",
        top: int = 4,
        epochs: int = 3,
        learning_rate: float = 1e-3,
        seed: int = 0,
        watch: Callable[[int, float], None] | None = None,
    ) -> ChunkScorer:
        """Learn to order chunks as a cross-encoder does, and return self.

        Parameters
        ----------
        examples : documents with their chunks' scores.
        loss : any loss of `plackett.losses`. A ranking loss sees grades, `top` for the teacher's
            best chunk down to 1; "SquaredError()" the teacher's scores themselves.
        top : how many chunks count.
        epochs, learning_rate, seed : of Adam, one document a step.
        watch : told the epoch and its mean loss.

        Raises
        ------
        DataError : no examples with more than one chunk.
        """
        chosen = parse_loss(loss)
        usable = [example for example in examples if len(example.chunks) > 1]
        if not usable:
            raise DataError("no document of more than one chunk", expected="at least one")
        raw = isinstance(chosen, SquaredError)
        optimiser = torch.optim.Adam(self.parameters(), lr=learning_rate)
        draws = np.random.default_rng(seed)
        for epoch in range(epochs):
            total = 0.0
            for row in draws.permutation(len(usable)).tolist():
                example = usable[row]
                scores = self(*_padded([(example.query, chunk) for chunk in example.chunks]))
                labels = (
                    torch.tensor(list(example.scores), dtype=torch.float32)
                    if raw
                    else graded(example.scores, top)
                )
                value = chosen(scores[None], labels[None])
                optimiser.zero_grad()
                value.backward()  # type: ignore[no-untyped-call]
                optimiser.step()
                total += float(value.detach())
            if watch is not None:
                watch(epoch, total / len(usable))
        return self

    def save(self, folder: str | Path, weights: Sequence[float] = ()) -> None:
        """Write the network, and the weights of chunks by rank (see `fit_weights`).

        The word vectors are those of the cross-encoder, and are not written.
        """
        safetensors = require("safetensors.torch", extra="local", purpose="save a network")
        path = Path(folder)
        path.mkdir(parents=True, exist_ok=True)
        safetensors.save_file(self.state_dict(), path / "chunk_scorer.safetensors")
        manifest = {
            "format": FORMAT,
            "version": 1,
            "dimension": self.dimension,
            "embeddings": list(self.get_buffer("embeddings").shape),
            "weights": [float(weight) for weight in weights],
        }
        (path / "chunk_scorer.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")


def load_chunk_scorer(
    folder: str | Path | None, model: str, seed: int = 0
) -> tuple[ChunkScorer, list[float]]:
    """A saved network over the word vectors of a cross-encoder, and its weights by rank.

    Parameters
    ----------
    folder : what `save` wrote; None for a new network.
    model : the cross-encoder's folder.
    seed : of a new network's weights.

    Raises
    ------
    CorruptFileError : the folder is not what was written.
    ConfigurationError : it was trained over other word vectors.
    """
    head = load_head(ModelFolder.find(model), "pair")
    source: nn.Module = head.model  # type: ignore[assignment]
    vectors: Tensor = source.get_input_embeddings().weight  # type: ignore[operator]
    if folder is None:
        return ChunkScorer(vectors, seed=seed).eval(), []
    safetensors = require("safetensors.torch", extra="local", purpose="load a network")
    errors = require("safetensors", extra="local", purpose="load a network").SafetensorError
    path = Path(folder)
    try:
        manifest = json.loads((path / "chunk_scorer.json").read_text(encoding="utf-8"))
        if manifest["format"] != FORMAT or manifest["version"] != 1:
            raise CorruptFileError(f"format {manifest['format']!r}", expected=FORMAT, path=path)
        shape = list(manifest["embeddings"])
        scorer = ChunkScorer(vectors, int(manifest["dimension"]))
        weights = [float(weight) for weight in manifest["weights"]]
        if shape != list(vectors.shape):
            raise ConfigurationError(
                f"{path} was trained over word vectors of shape {shape}; those of {model} are "
                f"{list(vectors.shape)}."
            )
        scorer.load_state_dict(safetensors.load_file(path / "chunk_scorer.safetensors"))
    except (OSError, ValueError, KeyError, RuntimeError, TypeError, errors) as error:
        if isinstance(error, ConfigurationError | CorruptFileError):
            raise
        raise CorruptFileError(f"no chunk scorer ({error})", path=path) from error
    return scorer.eval(), weights


def fit_weights(
    chunk_scores: Sequence[Sequence[Sequence[float]]],
    labels: Sequence[Sequence[float]],
    top: int,
    *,
    loss: Loss | str = "RankNet()",
    epochs: int = 200,
    learning_rate: float = 0.05,
) -> list[float]:
    """Weights w_j of a document's best chunks by rank: score = sum_j w_j s_(j), j <= `top`.

    Parameters
    ----------
    chunk_scores : a cross-encoder's scores: for each query, for each document, of its chunks.
    labels : the documents' judgments.
    top : how many chunks count; a document with fewer has 0 for the others.
    loss, epochs, learning_rate : of Adam over all queries at once, from w = 1.

    >>> fit_weights([[[2.0, 0.0], [1.0, 5.0]]], [[0, 1]], top=1, epochs=1)[0] > 1.0
    True
    """
    if len(chunk_scores) != len(labels):
        raise DataError(f"{len(chunk_scores)} queries and {len(labels)} lists of labels")
    chosen = parse_loss(loss)
    width = max(len(documents) for documents in chunk_scores)
    best = torch.zeros(len(chunk_scores), width, top)
    grades = torch.zeros(len(chunk_scores), width)
    where = torch.zeros(len(chunk_scores), width, dtype=torch.bool)
    for i, (documents, judged) in enumerate(zip(chunk_scores, labels, strict=True)):
        where[i, : len(documents)] = True
        grades[i, : len(documents)] = torch.tensor([float(grade) for grade in judged])
        for j, scores in enumerate(documents):
            found = sorted(scores, reverse=True)[:top]
            best[i, j, : len(found)] = torch.tensor(found)
    weights = nn.Parameter(torch.ones(top))
    optimiser = torch.optim.Adam([weights], lr=learning_rate)
    for _ in range(epochs):
        value = chosen(best @ weights, grades, where=where)
        optimiser.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return [float(weight) for weight in weights.detach()]


def _padded(pairs: Sequence[tuple[Ids, Ids]]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    out = []
    for side in (0, 1):
        width = max(1, *(len(pair[side]) for pair in pairs))
        ids = torch.zeros(len(pairs), width, dtype=torch.int64)
        mask = torch.zeros(len(pairs), width)
        for row, pair in enumerate(pairs):
            ids[row, : len(pair[side])] = torch.from_numpy(pair[side].astype(np.int64))
            mask[row, : len(pair[side])] = 1.0
        out += [ids, mask]
    return out[0], out[1], out[2], out[3]
