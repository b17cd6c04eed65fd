"""Models of transformers written as ONNX networks, also with 8-bit integers."""

from __future__ import annotations

import json
import logging
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from plackett._optional import require
from plackett.encoders.folders import ModelFolder
from plackett.encoders.layers import Layers, checked_layers
from plackett.encoders.onnx_backend import INPUT_NAMES, LAYERS_FILE, OUTPUT_NAMES, OnnxBackend
from plackett.encoders.tokens import Inputs
from plackett.encoders.torch_backend import Task, load_head
from plackett.errors import ConfigurationError, DataError

__all__ = ["to_onnx"]

KEPT = ("*.json", "*.txt", "*.model")
TOLERANCE = 1e-3


def to_onnx(
    model: str | Path,
    folder: str | Path,
    *,
    task: Task,
    int8: bool = True,
    layers: Sequence[int] | Mapping[int, float] | None = None,
) -> Path:
    """Write a model as an ONNX network: a folder that runs without torch and transformers.

    The folder gets the model's configuration and tokenizer, `onnx/model.onnx` in float32 and, with
    `int8`, `onnx/model_int8.onnx`, whose weights are 8-bit integers, one scale a column, and whose
    activations are scaled as they come. The float32 network is run beside the model before the
    folder is given back.

    Parameters
    ----------
    model : the model's folder, or a name in the hub's local cache.
    folder : where to write; it may not hold a network yet.
    task : "pair" for a cross-encoder, "hidden" for dense vectors and token matrices, "lexical" for
        sparse weights, "pooled" for vectors by a trained pooling.
    int8 : whether to write the 8-bit network as well.
    layers : the layers that the encoder will be given, of task "hidden"; None for what the folder
        declares, or the last.

    Raises
    ------
    ConfigurationError : `task` is none of these.
    DataError : the model has no such head, the folder holds a network, or the network does not give
        what the model gives; it is deleted then.
    OptionalDependencyError : torch, transformers, onnx or onnxscript is not installed.
    """
    if task not in OUTPUT_NAMES:
        raise ConfigurationError(f"task = {task!r}; expected one of {', '.join(OUTPUT_NAMES)}.")
    source = ModelFolder.find(model)
    target = Path(folder)
    path = target / "onnx" / "model.onnx"
    if path.exists():
        raise DataError("a network already", remedy="give another folder", path=path)
    # Written out, attention has no look for NaN in every row, which a fused one is exported with.
    wanted = source.layers() if layers is None and task == "hidden" else layers
    if wanted is not None and task != "hidden":
        raise ConfigurationError(f"layers = {layers!r} of task {task!r}; expected 'hidden'.")
    mixture = None if wanted is None else checked_layers(wanted, source.depth)
    head = load_head(source, task, "eager", mixture)
    path.parent.mkdir(parents=True, exist_ok=True)
    if mixture is not None:
        path.with_name(LAYERS_FILE).write_text(json.dumps(mixture), encoding="utf-8")
    for pattern in KEPT:
        for file in source.path.glob(pattern):
            # What a network no longer has, such as a list of modules, must not be declared.
            if file.name != "modules.json":
                shutil.copyfile(file, target / file.name)
    _copy_declarations(source, target)
    _export(head, path, task)
    try:
        _check(head, ModelFolder(target), task, mixture)
    except DataError:
        path.unlink()
        raise
    if int8:
        _quantise(path, path.with_name("model_int8.onnx"))
    return target


def _copy_declarations(source: ModelFolder, target: Path) -> None:
    """Pooling, prompts and the like, with the transformer's files at the top."""
    if not source.modules:
        return
    first, *others = source.modules
    modules = [{**first, "path": ""}, *others]
    (target / "modules.json").write_text(json.dumps(modules), encoding="utf-8")
    prompts = source.root / "config_sentence_transformers.json"
    if prompts.is_file():
        shutil.copyfile(prompts, target / prompts.name)
    for module in others:
        if (source.root / module["path"]).is_dir():
            shutil.copytree(source.root / module["path"], target / module["path"])


def _example(longest: int) -> Inputs:
    ids = np.arange(24, dtype=np.int64).reshape(2, 12)[:, : min(12, longest)]
    mask = np.ones_like(ids)
    mask[1, -2:] = 0
    return Inputs(ids, mask, np.zeros_like(ids))


def _export(head: Any, path: Path, task: Task) -> None:
    torch = require("torch", extra="text", purpose="export a model")
    require("onnxscript", extra="export", purpose="export a model")
    example = tuple(torch.from_numpy(part) for part in _example(12))
    size, length = torch.export.Dim("batch", min=1), torch.export.Dim("length", min=1)
    shape = {0: size, 1: length}
    with _silent():
        torch.onnx.export(
            head,
            example,
            str(path),
            dynamo=True,
            external_data=False,
            verbose=False,
            input_names=list(INPUT_NAMES),
            output_names=[OUTPUT_NAMES[task]],
            dynamic_shapes=(shape, shape, shape),
        )


@contextmanager
def _silent() -> Iterator[None]:
    """The exporter tells of its own inner changes; nobody here can act on them."""
    names = ("torch.onnx", "onnxscript", "onnx_ir", "root")
    levels = [logging.getLogger(name).level for name in names]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for name in names:
                logging.getLogger(name).setLevel(logging.ERROR)
            yield
    finally:
        for name, level in zip(names, levels, strict=True):
            logging.getLogger(name).setLevel(level)


def _check(head: Any, folder: ModelFolder, task: Task, layers: Layers | None) -> None:
    torch = require("torch", extra="text", purpose="export a model")
    example = _example(12)
    longer = Inputs(*(np.tile(part, (3, 2)) for part in example))
    backend = OnnxBackend(folder, task, "onnx", layers=layers)
    for inputs in (example, longer):
        with torch.inference_mode():
            wanted = head(*(torch.from_numpy(part) for part in inputs)).numpy()
        found = backend(inputs)
        if found.shape != wanted.shape:
            raise DataError(
                f"an exported network that gives {found.shape}",
                expected=str(wanted.shape),
                path=folder.path,
            )
        # What stands at padding means nothing.
        real = inputs.mask == 1 if task == "hidden" else slice(None)
        gap = float(np.abs(found - wanted)[real].max())
        if not gap <= TOLERANCE * max(1.0, float(np.abs(wanted).max())):
            raise DataError(
                f"an exported network that is {gap:.2g} away from the model",
                expected=f"at most {TOLERANCE:g}",
                path=folder.path,
            )


def _quantise(path: Path, target: Path) -> None:
    onnx = require("onnx", extra="export", purpose="write 8-bit networks")
    quantisation = require("onnxruntime.quantization", extra="onnx", purpose="write 8-bit networks")
    network = onnx.load(str(path))
    # The exporter's notes on shapes inside can be at odds with what it simplified; they are only
    # notes, and are worked out anew.
    del network.graph.value_info[:]
    with _silent():
        quantisation.quantize_dynamic(
            network,
            str(target),
            weight_type=quantisation.QuantType.QInt8,
            per_channel=True,
            op_types_to_quantize=["MatMul", "Gemm"],
            # A constant times an activation is a layer; two activations are attention, and stay.
            extra_options={"MatMulConstBOnly": True},
        )
