"""Models run by ONNX Runtime: float32, or with weights and products in 8-bit integers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from plackett._optional import require
from plackett.encoders.folders import ModelFolder
from plackett.encoders.layers import Layers
from plackett.encoders.tokens import Inputs
from plackett.errors import ConfigurationError, DataError

__all__ = ["INPUT_NAMES", "LAYERS_FILE", "OUTPUT_NAMES", "OnnxBackend", "onnx_file"]

INPUT_NAMES = ("input_ids", "attention_mask", "token_type_ids")
OUTPUT_NAMES = {
    "pair": "logits",
    "hidden": "last_hidden_state",
    "lexical": "lexical_weights",
    "pooled": "vectors",
}
LAYERS_FILE = "layers.json"
"""Beside a network that mixes layers: their shares."""
FILES = {"onnx": "model.onnx", "onnx-int8": "model_int8.onnx"}


def onnx_file(folder: ModelFolder, name: Literal["onnx", "onnx-int8"]) -> Path:
    """The network's file in a model's folder: in the folder `onnx`, or beside `config.json`.

    Raises
    ------
    DataError : there is none.
    """
    places = [folder.path / "onnx" / FILES[name], folder.path / FILES[name]]
    for place in places:
        if place.is_file():
            return place
    raise DataError(
        f"no {FILES[name]}",
        expected=f"a network at {places[0]}",
        remedy="plackett.encoders.to_onnx(model, folder, task=...) writes a folder that has it",
        path=folder.path,
    )


class OnnxBackend:
    """A network run by ONNX Runtime on the processor.

    Parameters
    ----------
    folder : the model's folder, as `to_onnx` writes it.
    task : "pair", "hidden", "lexical" or "pooled": what the network must give.
    name : "onnx" (float32) or "onnx-int8".
    threads : how many threads a call may use; None for one a core.
    layers : the mixture of layers that the network must compute; None for the last layer.

    Raises
    ------
    ConfigurationError : the network was written for other layers.
    DataError : there is no such file, ONNX Runtime cannot load it, or it gives something else.
    """

    def __init__(
        self,
        folder: ModelFolder,
        task: str,
        name: Literal["onnx", "onnx-int8"] = "onnx",
        threads: int | None = None,
        layers: Layers | None = None,
    ) -> None:
        self.name = name
        runtime = require("onnxruntime", extra="onnx", purpose="run a model")
        path = onnx_file(folder, name)
        _check_layers(path, layers)
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads or 0
        options.log_severity_level = 3
        # Memory planned for one shape is of no use to batches of many shapes.
        options.enable_mem_pattern = False
        errors = (
            runtime.capi.onnxruntime_pybind11_state.Fail,
            runtime.capi.onnxruntime_pybind11_state.InvalidGraph,
            runtime.capi.onnxruntime_pybind11_state.InvalidProtobuf,
            runtime.capi.onnxruntime_pybind11_state.NotImplemented,
            RuntimeError,
        )
        try:
            self._session = runtime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except errors as error:
            raise DataError(f"a network that cannot be loaded ({error})", path=path) from error
        outputs = [output.name for output in self._session.get_outputs()]
        if OUTPUT_NAMES[task] not in outputs:
            raise DataError(
                f"a network that gives {', '.join(outputs)}",
                expected=OUTPUT_NAMES[task],
                path=path,
            )
        self._output = OUTPUT_NAMES[task]
        self._inputs = [value.name for value in self._session.get_inputs()]
        unknown = sorted(set(self._inputs) - set(INPUT_NAMES))
        if unknown:
            raise DataError(f"inputs {', '.join(unknown)}", expected=str(INPUT_NAMES), path=path)

    @contextmanager
    def running(self) -> Iterator[None]:
        """While batches run; ONNX Runtime needs nothing set."""
        yield

    def __call__(self, inputs: Inputs) -> npt.NDArray[np.float32]:
        """What the network gives for one padded batch."""
        given = dict(zip(INPUT_NAMES, inputs, strict=True))
        (found,) = self._session.run([self._output], {name: given[name] for name in self._inputs})
        return np.asarray(found, dtype=np.float32)


def _check_layers(path: Path, layers: Layers | None) -> None:
    file = path.with_name(LAYERS_FILE)
    written = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None
    found = None if written is None else tuple((int(i), float(share)) for i, share in written)
    if found != layers:
        raise ConfigurationError(
            f"{path} computes layers {found or 'last'}, asked for {layers or 'last'}; write a "
            "network by to_onnx(model, folder, task='hidden', layers=...)."
        )
