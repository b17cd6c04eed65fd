"""Models run by torch, in float32, on the processor."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from plackett._optional import require
from plackett.encoders.folders import LATENT_POOLING, ModelFolder
from plackett.encoders.layers import Layers
from plackett.encoders.tokens import Inputs
from plackett.errors import DataError

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Task", "TorchBackend", "load_head"]

Task = Literal["pair", "hidden", "lexical", "pooled", "layer-means", "layer-ends"]
"""What a network gives: a pair's logits; token vectors; weights over the vocabulary; vectors by the
folder's trained pooling; or a vector for each layer, the mean of its tokens or its last token."""

CLASSES = {"pair": "AutoModelForSequenceClassification", "lexical": "AutoModelForMaskedLM"}
# No result of ours passes through these, so that drawing them at random harms nothing.
UNUSED = {"pair": (), "lexical": ()}


def load_head(
    folder: ModelFolder,
    task: Task,
    attention: str | None = None,
    layers: Layers | None = None,
) -> nn.Module:
    """The network of a folder with the head for a task, in float32, ready to run or export.

    Parameters
    ----------
    folder : the model's folder.
    task : the head.
    attention : the implementation that transformers shall use, such as "eager"; None for its own
        choice.
    layers : which layers speak for a token, of task "hidden"; None for the last.

    Raises
    ------
    DataError : weights are missing, of another shape or not finite. transformers would draw missing
        ones at random and warn; scores of such a head mean nothing.
    """
    transformers = require("transformers", extra="text", purpose="run a model")
    modules = require("plackett.encoders.torch_modules", extra="text", purpose="run a model")
    model = _load(transformers, folder, task, attention)
    if task == "hidden":
        head = modules.HiddenHead(model, folder.takes_types, layers)
    elif task == "pooled":
        learned = require(
            "plackett.encoders.latent_pooling_torch", extra="text", purpose="run a model"
        )
        pooling = learned.LatentPooling.load(folder.module_path(LATENT_POOLING))
        head = modules.PooledHead(model, folder.takes_types, pooling)
    elif task in ("layer-means", "layer-ends"):
        tokens = "mean" if task == "layer-means" else "last"
        head = modules.LayerStatesHead(model, folder.takes_types, tokens)
    else:
        kinds = {"pair": modules.PairHead, "lexical": modules.LexicalHead}
        head = kinds[task](model, folder.takes_types)
    return head.eval()  # type: ignore[no-any-return]


def _load(transformers: Any, folder: ModelFolder, task: Task, attention: str | None) -> Any:
    torch = require("torch", extra="text", purpose="run a model")
    # What is drawn for weights that are missing, and then refused, must not disturb the caller's
    # random numbers.
    kind = CLASSES.get(task, "AutoModel")
    with _quiet(transformers), torch.random.fork_rng(devices=[]):
        broken = require("safetensors", extra="text", purpose="read weights").SafetensorError
        try:
            model, report = getattr(transformers, kind).from_pretrained(
                folder.path,
                output_loading_info=True,
                local_files_only=True,
                trust_remote_code=False,
                dtype=torch.float32,
                attn_implementation=attention,
            )
        except (OSError, ValueError, KeyError, RuntimeError, broken) as error:
            raise DataError(
                f"a model that transformers cannot load ({error})", path=folder.path
            ) from error
    unused = UNUSED.get(task, ("pooler.",))
    missing = sorted(name for name in report["missing_keys"] if not name.startswith(unused))
    wrong = sorted(str(name) for name in report["mismatched_keys"])
    if missing or wrong:
        raise DataError(
            f"no weights for {', '.join(missing + wrong)}",
            expected=f"a model with everything that {kind} has",
            remedy="give a model that was trained for this task",
            path=folder.path,
        )
    for name, values in model.named_parameters():
        if not torch.isfinite(values).all():
            raise DataError(f"weights {name} that are not finite", path=folder.path)
    return model.eval().requires_grad_(False)


@contextmanager
def _quiet(transformers: Any) -> Iterator[None]:
    """transformers says nothing meanwhile: what matters of its report becomes an error."""
    logging = transformers.utils.logging
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


class TorchBackend:
    """A network run by torch.

    Parameters
    ----------
    folder : the model's folder.
    task : the head.
    threads : how many threads a call may use; None for as many as torch is set to.
    layers : see `load_head`.

    Raises
    ------
    DataError : see `load_head`.
    """

    name = "torch"

    def __init__(
        self,
        folder: ModelFolder,
        task: Task,
        threads: int | None = None,
        layers: Layers | None = None,
    ) -> None:
        modules = require("plackett.encoders.torch_modules", extra="text", purpose="run a model")
        self._module = modules.packed(load_head(folder, task, layers=layers))
        self._threads = threads

    @contextmanager
    def running(self) -> Iterator[None]:
        """While batches run: no gradients, and as many threads as were asked for."""
        torch = require("torch", extra="text", purpose="run a model")
        before = torch.get_num_threads()
        if self._threads is not None:
            torch.set_num_threads(self._threads)
        try:
            with torch.inference_mode():
                yield
        finally:
            torch.set_num_threads(before)

    def __call__(self, inputs: Inputs) -> npt.NDArray[np.float32]:
        """What the head gives for one padded batch; call it inside `running`."""
        torch = require("torch", extra="text", purpose="run a model")
        found = self._module(*(torch.from_numpy(part) for part in inputs))
        return np.asarray(found.numpy(), dtype=np.float32)
