"""Training a pooling on texts that belong together, over a transformer that stays as it is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from plackett._optional import require
from plackett.encoders.base import Kind, check_texts
from plackett.encoders.folders import LATENT_POOLING, ModelFolder
from plackett.encoders.model import TextModel, cut_single
from plackett.encoders.tokens import Inputs
from plackett.encoders.torch_backend import Task
from plackett.errors import ConfigurationError, DataError

if TYPE_CHECKING:
    from plackett.encoders.latent_pooling_torch import LatentPooling

__all__ = ["PoolingStates", "pooling_states", "train_pooling", "write_pooled_model"]

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class PoolingStates:
    """What a pooling makes vectors of, for n texts.

    Parameters
    ----------
    values : `float32[n, s, d]`: a state for each layer, or for each token, padded on the right.
    mask : `bool[n, s]`, which states count.
    """

    values: Floats
    mask: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.values)


def pooling_states(
    model: str | Path,
    texts: Sequence[str],
    pooling: LatentPooling,
    *,
    kind: Kind = "document",
    max_tokens: int | None = None,
    batch_tokens: int = 4096,
    threads: int | None = None,
) -> PoolingStates:
    """The states of texts by a model that is not trained: computed once, for all epochs.

    Parameters
    ----------
    model : the transformer's folder, or a name in the hub's local cache.
    texts : n texts.
    pooling : says whether they are of layers or of tokens.
    kind : which of the folder's prompts is put before them.
    max_tokens : how many tokens of a text are read at most; None for what the folder declares.
    batch_tokens, threads : see `TransformerEncoder`.

    Raises
    ------
    ConfigurationError : the pooling is for another model.
    """
    folder = ModelFolder.find(model)
    check_fit(folder, pooling)
    task: Task = "hidden"
    if pooling.over == "layers":
        task = "layer-means" if pooling.tokens == "mean" else "layer-ends"
    limit = folder.max_tokens() if max_tokens is None else max_tokens
    network = TextModel(model, task, max_tokens=limit, threads=threads)
    prompt = folder.prompts().get(kind, "")
    ids = network.tokenizer.encode([prompt + text for text in check_texts(texts)])
    found: list[Floats] = [np.zeros((0, pooling.hidden), dtype=np.float32)] * len(ids)

    def collect(rows: npt.NDArray[np.int64], inputs: Inputs, states: Floats) -> None:
        for i, row in enumerate(rows.tolist()):
            length = states.shape[1] if pooling.over == "layers" else int(inputs.mask[i].sum())
            found[row] = states[i, :length].copy()

    network.run(cut_single(network, ids), batch_tokens, collect)
    longest = max(map(len, found), default=0)
    values = np.zeros((len(found), longest, pooling.hidden), dtype=np.float32)
    mask = np.zeros((len(found), longest), dtype=np.bool_)
    for row, states in enumerate(found):
        values[row, : len(states)], mask[row, : len(states)] = states, True
    return PoolingStates(values, mask)


def train_pooling(
    pooling: LatentPooling,
    queries: PoolingStates,
    documents: PoolingStates,
    pairs: npt.ArrayLike,
    *,
    epochs: int = 3,
    batch: int = 128,
    temperature: float = 0.05,
    learning_rate: float = 1e-4,
    weight_decay: float = 0.01,
    seed: int = 0,
    told: Callable[[int, float], None] | None = None,
) -> list[float]:
    """Train a pooling so that a query is nearest to its document among those of a batch.

    The loss is InfoNCE over cosines, by AdamW, with the documents of the other pairs of a batch as
    negatives; those that belong to the query too are no negatives. The pooling is changed in place.
    It has some 16 d^2 weights and learns a thousand pairs by heart in a few epochs: look at queries
    whose documents it was not trained on.

    Parameters
    ----------
    queries, documents : their states, see `pooling_states`.
    pairs : `int[p, 2]`, rows of a query and of a document that belong together.
    epochs, batch, temperature, learning_rate, weight_decay : of the training.
    seed : of the order of pairs.
    told : called as `told(epoch, mean loss)`.

    Returns
    -------
    The mean loss of each epoch.

    Raises
    ------
    DataError : no pairs, or one of a row that is not there.
    ConfigurationError : a parameter that cannot be used.

    Reference: van den Oord et al., "Representation Learning with Contrastive Predictive Coding",
    2018.
    """
    torch = require("torch", extra="text", purpose="train a pooling")
    known = _checked_pairs(pairs, len(queries), len(documents))
    if epochs < 1 or batch < 2 or not temperature > 0 or not learning_rate > 0:
        raise ConfigurationError(
            f"epochs = {epochs}, batch = {batch}, temperature = {temperature}, learning_rate = "
            f"{learning_rate}; expected 1, 2 or more, and numbers above 0."
        )
    belongs = {(int(query), int(document)) for query, document in known}
    rng = np.random.default_rng(seed)
    optimiser = torch.optim.AdamW(pooling.parameters(), lr=learning_rate, weight_decay=weight_decay)
    losses: list[float] = []
    pooling.train()
    for epoch in range(epochs):
        order = rng.permutation(len(known))
        total = 0.0
        for start in range(0, len(order), batch):
            chosen = known[order[start : start + batch]]
            loss = _loss(torch, pooling, queries, documents, chosen, belongs, temperature)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += float(loss.detach()) * len(chosen)
        losses.append(total / len(known))
        if told is not None:
            told(epoch, losses[-1])
    pooling.eval()
    return losses


def _loss(
    torch: Any,
    pooling: LatentPooling,
    queries: PoolingStates,
    documents: PoolingStates,
    pairs: npt.NDArray[np.int64],
    belongs: set[tuple[int, int]],
    temperature: float,
) -> Any:
    """InfoNCE of a batch of pairs."""
    vectors = []
    for states, rows in ((queries, pairs[:, 0]), (documents, pairs[:, 1])):
        values = torch.from_numpy(states.values[rows])
        found = pooling(values, torch.from_numpy(states.mask[rows]))
        vectors.append(torch.nn.functional.normalize(found, dim=1))
    scores = vectors[0] @ vectors[1].T / temperature
    others = [
        [i != j and (int(pairs[i, 0]), int(pairs[j, 1])) in belongs for j in range(len(pairs))]
        for i in range(len(pairs))
    ]
    scores = scores.masked_fill(torch.tensor(others), float("-inf"))
    return torch.nn.functional.cross_entropy(scores, torch.arange(len(pairs)))


def write_pooled_model(model: str | Path, pooling: LatentPooling, folder: str | Path) -> Path:
    """Write a model's folder with a trained pooling in place of the one it declares.

    Linear layers behind that one are left out as well: the pooling was trained without them.
    `TransformerEncoder(folder)` then pools by it, and `to_onnx(folder, ..., task="pooled")` writes
    a network that holds it.

    Parameters
    ----------
    model : the transformer's folder, or a name in the hub's local cache.
    pooling : the trained pooling.
    folder : where to write; it may not exist, or must be empty.

    Raises
    ------
    ConfigurationError : the pooling is for another model.
    DataError : the folder holds something.
    """
    source, target = ModelFolder.find(model), Path(folder)
    check_fit(source, pooling)
    if target.exists() and any(target.iterdir()):
        raise DataError("a folder that is not empty", remedy="give another folder", path=target)
    target.mkdir(parents=True, exist_ok=True)
    for file in source.path.iterdir():
        # Not its sub-folders: other modules are declared anew, and a network was not of this.
        if file.is_file() and file.name not in ("modules.json", "README.md"):
            shutil.copyfile(file, target / file.name)
    prompts = source.root / "config_sentence_transformers.json"
    if prompts.is_file():
        shutil.copyfile(prompts, target / prompts.name)
    library = "sentence_transformers.models"
    modules = [
        {"idx": 0, "name": "0", "path": "", "type": f"{library}.Transformer"},
        {
            "idx": 1,
            "name": "1",
            "path": f"1_{LATENT_POOLING}",
            "type": f"plackett.{LATENT_POOLING}",
        },
    ]
    if source.normalises() or not source.modules:
        modules.append(
            {"idx": 2, "name": "2", "path": "2_Normalize", "type": f"{library}.Normalize"}
        )
    pooling.save(target / f"1_{LATENT_POOLING}")
    # Last, so that a folder that was not finished is not taken for one.
    (target / "modules.json").write_text(json.dumps(modules, indent=2), encoding="utf-8")
    return target


def check_fit(folder: ModelFolder, pooling: LatentPooling) -> None:
    """Refuse a pooling for states of another number or length.

    Raises
    ------
    ConfigurationError : it is one.
    """
    states = folder.depth + 1 if pooling.over == "layers" else None
    wanted = (int(folder.config["hidden_size"]), states)
    if (pooling.hidden, pooling.layers) != wanted:
        raise ConfigurationError(
            f"a pooling of hidden = {pooling.hidden}, layers = {pooling.layers}; expected hidden = "
            f"{wanted[0]}, layers = {wanted[1]} for {folder.root}."
        )


def _checked_pairs(pairs: npt.ArrayLike, queries: int, documents: int) -> npt.NDArray[np.int64]:
    found = np.asarray(pairs, dtype=np.int64)
    if found.ndim != 2 or found.shape[1] != 2 or not len(found):
        raise DataError(f"pairs of shape {found.shape}", expected="rows of a query and a document")
    if found.min() < 0 or found[:, 0].max() >= queries or found[:, 1].max() >= documents:
        raise DataError(
            f"rows up to {found.max(axis=0).tolist()}",
            expected=f"0 to {queries - 1} of queries, 0 to {documents - 1} of documents",
        )
    return found
