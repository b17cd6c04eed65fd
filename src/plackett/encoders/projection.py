"""Linear layers that a folder declares behind its transformer: shorter vectors, or other spaces."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from plackett._optional import require
from plackett.errors import ConfigurationError, DataError

__all__ = ["Projection", "read_projection"]

Floats = npt.NDArray[np.float32]

ACTIVATIONS = {"Identity": None, "Tanh": np.tanh}
INPUTS = {"texts": "sentence_embedding", "tokens": "token_embeddings"}


@dataclass(frozen=True, eq=False)
class Projection:
    """y = activation(W x + b), along the last axis.

    Parameters
    ----------
    weight : `float32[out, in]`.
    bias : `float32[out]`, or None.
    activation : "Identity" or "Tanh".
    digest : of the files it came from.

    >>> weight = np.array([[0.0, 1.0], [1.0, 0.0]], dtype=np.float32)
    >>> turn = Projection(weight, None, "Identity", "")
    >>> turn(np.array([[3.0, 4.0]], dtype=np.float32)).tolist()
    [[4.0, 3.0]]
    """

    weight: Floats
    bias: Floats | None
    activation: str
    digest: str

    def __call__(self, vectors: Floats) -> Floats:
        """The projected vectors, `float32[..., out]`."""
        found = vectors @ self.weight.T
        if self.bias is not None:
            found = found + self.bias
        activation = ACTIVATIONS[self.activation]
        return np.asarray(found if activation is None else activation(found), dtype=np.float32)


def read_projection(
    folder: Path, config: dict[str, Any], digest: str, of: Literal["texts", "tokens"], width: int
) -> Projection:
    """The projection of a module `Dense` of sentence-transformers.

    Parameters
    ----------
    folder : the module's.
    config : what its `config.json` says.
    digest : of its files.
    of : whether vectors of texts or of tokens are to be projected.
    width : how long those are.

    Raises
    ------
    ConfigurationError : it projects something else, or by an activation that is not computed here.
    DataError : its weights are missing or do not fit.
    """
    given = config.get("module_input_name", INPUTS["texts"])
    written = config.get("module_output_name") or given
    if given != INPUTS[of] or written != given:
        raise ConfigurationError(
            f"{folder}: a layer from {given!r} to {written!r}; expected one of {INPUTS[of]!r}."
        )
    activation = str(config.get("activation_function", "Tanh")).rpartition(".")[2]
    if activation not in ACTIVATIONS or config.get("use_residual"):
        residual = " with a residual" if config.get("use_residual") else ""
        raise ConfigurationError(
            f"{folder}: activation {activation!r}{residual}; expected {' or '.join(ACTIVATIONS)}."
        )
    door = require("safetensors.numpy", extra="static", purpose="read a layer's weights")
    file = folder / "model.safetensors"
    if not file.is_file():
        raise DataError("no weights of a layer", expected="model.safetensors", path=folder)
    arrays = door.load_file(file)
    weight, bias = arrays.get("linear.weight"), arrays.get("linear.bias")
    if weight is None or weight.ndim != 2 or weight.shape[1] != width:
        shape = None if weight is None else weight.shape
        raise DataError(
            f"a layer of shape {shape}", expected=f"one from {width} numbers", path=file
        )
    if bias is not None and bias.shape != weight.shape[:1]:
        raise DataError(f"a bias of shape {bias.shape}", expected=str(weight.shape[:1]), path=file)
    for values in (weight, bias):
        if values is not None and not np.isfinite(values).all():
            raise DataError("weights of a layer that are not finite", path=file)
    return Projection(
        weight.astype(np.float32),
        None if bias is None else bias.astype(np.float32),
        activation,
        digest,
    )
