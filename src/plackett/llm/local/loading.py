"""Models and tokenizers of a local folder, checked before they answer anything."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from plackett._optional import require
from plackett.errors import ConfigurationError

__all__ = [
    "content_digest",
    "find_folder",
    "read_config",
    "read_model",
    "read_tokenizer",
    "sampled_digest",
]

_PURPOSE = "run language models"
_CONTENT = {".json", ".safetensors", ".bin", ".model", ".txt", ".jinja", ".gguf", ".py"}
_SAMPLE = 1 << 20
"""Of a large file, its size and so many bytes of its beginning, middle and end are its content."""

_DTYPES = ("float32", "bfloat16", "float16")


def find_folder(path: str, *, revision: str | None, download: bool) -> Path:
    """The folder of a model: `path` itself, or where the hub's cache keeps the model so named.

    Raises
    ------
    ConfigurationError : there is none, or it is a file.
    """
    folder = Path(path).expanduser()
    if folder.is_dir():
        return folder
    if folder.is_file():
        raise ConfigurationError(
            f"{path!r} is a file; expected the folder of a model. LlamaCpp reads GGUF files."
        )
    hub = require("huggingface_hub", extra="local", purpose=_PURPOSE)
    try:
        kept = hub.snapshot_download(path, revision=revision, local_files_only=not download)
    except (OSError, ValueError) as error:
        remedy = "" if download else " download=True fetches a model that is named as on the hub."
        raise ConfigurationError(
            f"no model {path!r} on this machine; expected a folder with config.json.{remedy}"
        ) from error
    return Path(kept)


def content_digest(folder: Path) -> str:
    """A digest of a model's files: names, sizes, small files whole, large ones by samples."""
    total = hashlib.sha256()
    for file in sorted(folder.iterdir()):
        if file.suffix in _CONTENT and file.is_file():
            total.update(f"{file.name}:".encode())
            sampled_digest(file, total)
    return total.hexdigest()[:32]


def sampled_digest(file: Path, total: hashlib._Hash) -> None:
    """Add a file to a digest: its size and, of a large one, samples; of a small one, all."""
    size = file.stat().st_size
    total.update(f"{size}:".encode())
    with file.open("rb") as opened:
        if size <= 4 * _SAMPLE:
            total.update(opened.read())
            return
        for start in (0, size // 2, size - _SAMPLE):
            opened.seek(start)
            total.update(opened.read(_SAMPLE))


def read_config(folder: Path, *, trust_remote_code: bool) -> Any:
    """The configuration of the model in `folder`, of a class that writes text.

    Raises
    ------
    ConfigurationError : no configuration, or the architecture has no language-model head.
    """
    transformers = require("transformers", extra="local", purpose=_PURPOSE)
    try:
        config = transformers.AutoConfig.from_pretrained(
            str(folder), local_files_only=True, trust_remote_code=trust_remote_code
        )
    except (OSError, ValueError, KeyError) as error:
        raise ConfigurationError(f"the configuration in {str(folder)!r}: {error}") from error
    named = tuple(getattr(config, "architectures", None) or ())
    if named and not trust_remote_code and not set(named) & _with_head():
        raise ConfigurationError(
            f"the model in {str(folder)!r} is {named[0]}, which has no language-model head; "
            "expected one that writes text, such as LlamaForCausalLM or "
            "T5ForConditionalGeneration."
        )
    return config


def _with_head() -> set[str]:
    """The classes that the library loads as causal or encoder-decoder language models."""
    auto = require("transformers.models.auto.modeling_auto", extra="local", purpose=_PURPOSE)
    found: set[str] = set()
    for table in (
        auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES,
    ):
        for names in table.values():
            found |= {names} if isinstance(names, str) else set(names)
    return found


def read_tokenizer(folder: Path, *, trust_remote_code: bool) -> Any:
    """The tokenizer in `folder`, one that tells which characters each token stands for.

    Raises
    ------
    ConfigurationError : no tokenizer, or one without that.
    """
    transformers = require("transformers", extra="local", purpose=_PURPOSE)
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            str(folder), local_files_only=True, trust_remote_code=trust_remote_code
        )
    except (OSError, ValueError, KeyError) as error:
        raise ConfigurationError(f"the tokenizer in {str(folder)!r}: {error}") from error
    if not tokenizer.is_fast:
        raise ConfigurationError(
            f"the tokenizer in {str(folder)!r} does not tell which characters a token stands for; "
            "expected a folder with tokenizer.json."
        )
    return tokenizer


def read_model(
    folder: Path, config: Any, *, dtype: str, device: str, trust_remote_code: bool
) -> Any:
    """The model in `folder`, with all its weights, ready to answer.

    Raises
    ------
    ConfigurationError : weights that the files lack, such as those of a head; or of other shapes.
    """
    transformers = require("transformers", extra="local", purpose=_PURPOSE)
    torch = require("torch", extra="local", purpose=_PURPOSE)
    if dtype not in _DTYPES:
        raise ConfigurationError(f"dtype = {dtype!r}; expected one of {', '.join(_DTYPES)}.")
    if config.is_encoder_decoder:
        kind = transformers.AutoModelForSeq2SeqLM
    else:
        kind = transformers.AutoModelForCausalLM
    try:
        model, report = kind.from_pretrained(
            str(folder),
            config=config,
            local_files_only=True,
            trust_remote_code=trust_remote_code,
            output_loading_info=True,
            dtype=getattr(torch, dtype),
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise ConfigurationError(f"the weights in {str(folder)!r}: {error}") from error
    absent = sorted(str(key) for key in [*report["missing_keys"], *report["mismatched_keys"]])
    if absent:
        raise ConfigurationError(
            f"the files in {str(folder)!r} lack {len(absent)} weights of {type(model).__name__}, "
            f"such as {absent[0]}; it would answer by chance. Save the model with its head."
        )
    return model.eval().to(device)
