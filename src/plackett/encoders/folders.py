"""A model's folder: where it is, what it declares, what its content is. Nothing is downloaded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from plackett._optional import require
from plackett.encoders.projection import Projection, read_projection
from plackett.errors import ConfigurationError, DataError

__all__ = ["LATENT_POOLING", "NO_LIMIT", "ModelFolder", "digest_of", "find_folder"]

# Position embeddings of these begin after the padding index, so that fewer can be used.
POSITIONS_AFTER_PADDING = frozenset(
    {"camembert", "mpnet", "roberta", "roberta-prelayernorm", "xlm-roberta", "xlm-roberta-xl"}
)
NO_LIMIT = 1 << 20
LATENT_POOLING = "LatentPooling"
"""The module that `write_pooled_model` declares."""
WEIGHTS = ("*.safetensors", "pytorch_model*.bin", "*.onnx", "onnx/*.onnx")


def find_folder(model: str | Path) -> Path:
    """The folder of a model: a path, or a name of the hub that is in the local cache.

    Raises
    ------
    DataError : there is no such folder, and none of that name in the cache.
    """
    path = Path(model).expanduser()
    if path.is_dir():
        return path
    hub = require("huggingface_hub", extra="text", purpose="look into its cache of models")
    try:
        return Path(hub.snapshot_download(str(model), local_files_only=True))
    except (hub.errors.LocalEntryNotFoundError, hub.errors.HFValidationError) as error:
        raise DataError(
            f"no model {str(model)!r}",
            expected="a folder, or a name that is in the hub's local cache",
            remedy="fetch it once, for example by `hf download NAME`: plackett downloads nothing",
        ) from error


@dataclass(frozen=True)
class ModelFolder:
    """A model's folder in the layout of transformers or sentence-transformers.

    Parameters
    ----------
    root : the folder.

    Raises
    ------
    DataError : a file that is not what it must be, when it is looked at.
    """

    root: Path

    @classmethod
    def find(cls, model: str | Path) -> ModelFolder:
        """The folder of this model: a path, or a name of the hub that is in the local cache."""
        return cls(find_folder(model))

    @cached_property
    def path(self) -> Path:
        """Where `config.json` and `tokenizer.json` are: the first module's, if there are any."""
        return self.root / self.modules[0]["path"] if self.modules else self.root

    @cached_property
    def config(self) -> dict[str, Any]:
        """`config.json`."""
        found = _read(self.path / "config.json")
        if not isinstance(found, dict):
            raise DataError("no model's folder: no config.json", path=self.path)
        return found

    @cached_property
    def modules(self) -> list[dict[str, str]]:
        """What `modules.json` of sentence-transformers declares; empty without it."""
        return list(_read(self.root / "modules.json") or [])

    def check_modules(self, known: Collection[str]) -> None:
        """Refuse a module that is not computed: to leave it out would give other vectors.

        Raises
        ------
        ConfigurationError : a declared module is none of `known`.
        """
        for module in self.modules:
            kind = _class_name(module)
            if kind not in known:
                hint = " StaticEncoder reads such a folder." if kind == "StaticEmbedding" else ""
                raise ConfigurationError(
                    f"{self.root}: module {kind!r}; expected {', '.join(sorted(known))}.{hint}"
                )

    def module_path(self, kind: str) -> Path | None:
        """The folder of the first declared module of a class, or None."""
        for module in self.modules:
            if _class_name(module) == kind:
                return self.root / module["path"]
        return None

    @cached_property
    def tokenizer_config(self) -> dict[str, Any]:
        """`tokenizer_config.json`, or nothing."""
        return dict(_read(self.path / "tokenizer_config.json") or {})

    @property
    def pad(self) -> int:
        """The token id of padding."""
        declared = self.config.get("pad_token_id")
        return 0 if declared is None else int(declared)

    @property
    def takes_types(self) -> bool:
        """Whether inputs have token types that mean something."""
        names = self.tokenizer_config.get("model_input_names")
        declared = names is None or "token_type_ids" in names
        return declared and int(self.config.get("type_vocab_size") or 0) > 1

    @property
    def longest(self) -> int:
        """How many tokens the model reads at most: the least of what its files say."""
        limits = [NO_LIMIT]
        positions = self.config.get("max_position_embeddings")
        if positions:
            after = self.config.get("model_type") in POSITIONS_AFTER_PADDING
            limits.append(int(positions) - (self.pad + 1 if after else 0))
        declared = self.tokenizer_config.get("model_max_length")
        if declared:
            limits.append(int(min(declared, NO_LIMIT)))
        return min(limits)

    def pooling(self) -> str | None:
        """What `1_Pooling/config.json` declares, or None."""
        path = self.module_path("Pooling")
        if path is None:
            return None
        return _declared_pooling(_read(path / "config.json") or {}, self.root)

    def check_max_pooling(self) -> None:
        """Refuse sparse weights that are made otherwise than by max and log(1 + relu).

        Raises
        ------
        ConfigurationError : `SpladePooling` declares a sum, or two logarithms.
        """
        path = self.module_path("SpladePooling")
        found = {} if path is None else _read(path / "config.json") or {}
        for name, known in (("pooling_strategy", "max"), ("activation_function", "relu")):
            if found.get(name, known) != known:
                raise ConfigurationError(f"{path}: {name} {found[name]!r}; expected {known!r}.")

    def projections(self, of: Literal["texts", "tokens"], width: int) -> list[Projection]:
        """The linear layers that vectors of texts, or of tokens, go through one after the other.

        Raises
        ------
        ConfigurationError, DataError : see `read_projection`.
        """
        found: list[Projection] = []
        for module in self.modules:
            if _class_name(module) == "Dense":
                path = self.root / module["path"]
                config = _read(path / "config.json") or {}
                found.append(read_projection(path, config, digest_of(path), of, width))
                width = len(found[-1].weight)
        return found

    @property
    def depth(self) -> int:
        """How many blocks the transformer has."""
        for name in ("num_hidden_layers", "n_layers", "n_layer", "num_layers"):
            if isinstance(self.config.get(name), int):
                return int(self.config[name])
        raise DataError("no num_hidden_layers", path=self.path / "config.json")

    def layers(self) -> dict[int, float] | None:
        """The weights of layers that a module `WeightedLayerPooling` declares, or None.

        The library mixes layers only where the transformer is told to hand them out.
        """
        path = self.module_path("WeightedLayerPooling")
        if path is None or not self.config.get("output_hidden_states"):
            return None
        first = int((_read(path / "config.json") or {}).get("layer_start", 4))
        door = require("safetensors.numpy", extra="static", purpose="read the weights of layers")
        file = path / "model.safetensors"
        if not file.is_file():
            raise DataError("no weights of layers", expected="model.safetensors", path=path)
        weights = door.load_file(file).get("layer_weights")
        if weights is None or weights.shape != (self.depth + 1 - first,):
            raise DataError(
                "no weights of layers that fit",
                expected=f"layer_weights, {self.depth + 1 - first} numbers",
                path=file,
            )
        return {first + i: float(weight) for i, weight in enumerate(weights)}

    def max_tokens(self) -> int | None:
        """How many tokens sentence-transformers is told to read, or None."""
        found = _read(self.path / "sentence_bert_config.json") or {}
        declared = found.get("max_seq_length")
        return None if declared is None else int(declared)

    def normalises(self) -> bool:
        """Whether the last declared module makes vectors of length 1."""
        return any(_class_name(module) == "Normalize" for module in self.modules)

    def prompts(self) -> dict[str, str]:
        """What `config_sentence_transformers.json` puts before queries and documents."""
        found = _read(self.root / "config_sentence_transformers.json") or {}
        return {str(k): str(v) for k, v in (found.get("prompts") or {}).items()}

    @cached_property
    def digest(self) -> str:
        """The SHA-256 digest of configuration, tokenizer and weights: the model's identity."""
        files = {self.path / "config.json", self.path / "tokenizer.json"}
        for pattern in WEIGHTS:
            files.update(self.path.glob(pattern))
        return digest_of(self.path, *files)


def digest_of(folder: Path, *files: Path) -> str:
    """The SHA-256 digest of the names and content of files; by default of all in the folder."""
    chosen = files or tuple(folder.iterdir())
    whole = hashlib.sha256()
    for file in sorted(file for file in chosen if file.is_file()):
        whole.update(f"{file.name}\0".encode())
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                whole.update(block)
    return whole.hexdigest()


def _class_name(module: dict[str, str]) -> str:
    return str(module["type"]).rpartition(".")[2]


def _declared_pooling(config: dict[str, Any], path: Path) -> str:
    named = {
        "pooling_mode_cls_token": "cls",
        "pooling_mode_mean_tokens": "mean",
        "pooling_mode_max_tokens": "max",
        "pooling_mode_lasttoken": "last",
        "pooling_mode_weightedmean_tokens": "weighted-mean",
    }
    chosen = [named[key] for key, value in config.items() if value is True and key in named]
    mode = config.get("pooling_mode")
    if isinstance(mode, str):
        chosen = ["last" if mode == "lasttoken" else mode.replace("weightedmean", "weighted-mean")]
    if len(chosen) != 1:
        raise ConfigurationError(f"{path}: pooling {chosen}; expected one, give pooling=...")
    return chosen[0]


def _read(path: Path) -> Any:
    if not path.is_file():
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"no JSON ({error})", path=path) from error
