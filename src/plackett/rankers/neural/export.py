"""A trained network as an ONNX file that takes raw features, checked against the original."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from plackett._optional import require
from plackett.data.dataset import RankingDataset
from plackett.data.formats.atomic import atomic_write
from plackett.errors import ConfigurationError, DataError
from plackett.losses.registry import parse_loss
from plackett.rankers.neural.base import NeuralRanker
from plackett.rankers.neural.torch_inputs import TorchInputs

__all__ = ["export_onnx"]

LISTS_CHECKED = 20
TOLERANCE = 1e-4


class _OneList(nn.Module):
    """Raw features of one list's documents `[N, features]` to scores `[N]`."""

    def __init__(self, ranker: NeuralRanker) -> None:
        super().__init__()
        self.inputs = TorchInputs(ranker.inputs_)
        self.network, self.loss = ranker.network_, parse_loss(ranker.loss)

    def forward(self, features: Tensor) -> Tensor:
        where = torch.ones((1, features.shape[0]), dtype=torch.bool)
        outputs: Tensor = self.network(self.inputs(features), where)
        return outputs if outputs.ndim == 1 else self.loss.relevance(outputs)


def export_onnx(ranker: NeuralRanker, path: str | Path, check: RankingDataset) -> float:
    """Write a fitted network as ONNX, run it on lists of `check`, and give the largest difference.

    The file has one input, `features: float32[documents, features]`, the raw features of the
    documents of one query, in the order of training; and one output, `scores: float32[documents]`.
    The input transform is part of it.

    Parameters
    ----------
    check : rows on which both must agree; up to 20 of its lists are used.

    Raises
    ------
    ConfigurationError : the ranker gives an order and no scores, or has operations ONNX lacks.
    DataError : the exported model's scores differ by more than 1e-4 of their range.
    """
    runtime = require("onnxruntime", extra="export", purpose="check an exported model")
    require("onnxscript", extra="export", purpose="write ONNX")
    ranker._check_usable(check)
    if type(ranker)._list_scores is not NeuralRanker._list_scores:
        raise ConfigurationError(
            f"{type(ranker).__name__} decodes an order step by step; ONNX export is for networks "
            "whose scores come in one pass, such as MLP and SelfAttention."
        )
    module = _OneList(ranker).to("cpu").eval()
    example = torch.from_numpy(np.array(check.X[check.rows_of(check.query_ids[0])]))
    documents = torch.export.Dim("documents", min=1)
    with warnings.catch_warnings(), _quiet("torch.onnx"):
        # torch warns of its own plans, and of torchvision, which networks of ours do not use; the
        # parity check below is what counts.
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module,
            (example if len(example) > 1 else example.repeat(2, 1),),
            input_names=["features"],
            output_names=["scores"],
            dynamic_shapes=({0: documents},),
            dynamo=True,
            verbose=False,
        )
    if program is None:
        raise ConfigurationError("torch exported nothing.")
    content: bytes = program.model_proto.SerializeToString()
    session = runtime.InferenceSession(content, providers=["CPUExecutionProvider"])
    difference = _difference(ranker, session, check)
    with atomic_write(Path(path)) as file:
        file.write(content)
    return difference


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    """Let this logger say nothing below an error for a while."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _difference(ranker: NeuralRanker, session: object, check: RankingDataset) -> float:
    scores = ranker.predict(check)
    span = float(scores.max() - scores.min()) or 1.0
    largest = 0.0
    step = max(1, check.n_queries // LISTS_CHECKED)
    for query in list(check.query_ids)[::step]:
        rows = check.rows_of(query)
        (found,) = session.run(None, {"features": np.array(check.X[rows])})  # type: ignore[attr-defined]
        largest = max(largest, float(np.abs(found - scores[rows]).max()))
    if largest > TOLERANCE * span:
        raise DataError(
            f"an exported model that differs by {largest:g}",
            expected=f"scores equal to {TOLERANCE:g} of their range {span:g}",
        )
    return largest
