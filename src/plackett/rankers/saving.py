"""A fitted ranker as a folder: a JSON manifest and the arrays it names. Never pickle.

The manifest is replaced last and in one step, and the files it names carry their own checksum in
their names, so that a writer killed at any point leaves either the old model or the new one, whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from plackett.errors import ConfigurationError, CorruptFileError, DataError
from plackett.rankers.parameters import has_text_form

__all__ = ["FORMAT_VERSION", "SavedRanker", "read_folder", "write_folder"]

FORMAT = "plackett ranker"
FORMAT_VERSION = 1
MANIFEST = "manifest.json"

_KEYS = {"kind", "parameters", "features", "missing", "learned", "files", "sha256"}

# A model file is `<part>-<first 16 hex digits of its sha256>.<suffix>`: a plain name in the folder.
_FILE_NAME = re.compile(r"([a-z]+)-[0-9a-f]{16}\.(txt|json|safetensors|ubj|cbm)")


@dataclass(frozen=True)
class SavedRanker:
    """What a ranker's folder holds.

    Parameters
    ----------
    kind : the ranker's registered name.
    parameters : its constructor parameters, as JSON values.
    feature_names : the features it was trained on, in order.
    missing : the missing-value policy of its training data.
    learned : small learned values, as JSON values.
    files : its model files: `{"model.txt": bytes}`.
    libraries : names of the packages whose version matters for the model.
    """

    kind: str
    parameters: Mapping[str, Any]
    feature_names: tuple[str, ...]
    missing: str
    learned: Mapping[str, Any]
    files: Mapping[str, bytes]
    libraries: tuple[str, ...] = ()


def write_folder(folder: str | Path, saved: SavedRanker) -> None:
    """Write a ranker's folder, replacing the ranker that is there, if any.

    Raises
    ------
    DataError : the path is a file.
    ConfigurationError : a parameter has no JSON form.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise DataError("a file", expected="a folder, or nothing", path=folder)
    folder.mkdir(parents=True, exist_ok=True)
    entries = {}
    for part, content in saved.files.items():
        digest = hashlib.sha256(content).hexdigest()
        stem, _, suffix = part.rpartition(".")
        name = f"{stem}-{digest[:16]}.{suffix}"
        entries[part] = {"name": name, "sha256": digest, "bytes": len(content)}
        _write_whole(folder / name, content)
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "kind": saved.kind,
        "versions": {name: version(name) for name in ("plackett", *saved.libraries)},
        "parameters": {
            name: _to_json(name, value)
            for name, value in saved.parameters.items()
            if has_text_form(value) or not callable(value)
        },
        "features": list(saved.feature_names),
        "missing": saved.missing,
        "learned": dict(saved.learned),
        "files": entries,
    }
    manifest["sha256"] = _manifest_digest(manifest)
    text = json.dumps(manifest, indent=1, ensure_ascii=False)
    _write_whole(folder / MANIFEST, text.encode())
    kept = {entry["name"] for entry in entries.values()}
    for path in folder.iterdir():
        if _FILE_NAME.fullmatch(path.name) and path.name not in kept:
            path.unlink()


def read_folder(folder: str | Path) -> SavedRanker:
    """Read and verify a ranker's folder.

    Raises
    ------
    DataError : the folder holds no ranker.
    CorruptFileError : a file is missing, cut or altered, or of a version we do not know.
    """
    folder = Path(folder)
    path = folder / MANIFEST
    if not path.is_file():
        raise DataError("no saved ranker", expected=f"a folder with a {MANIFEST}", path=folder)
    manifest = _read_manifest(path)
    files = {}
    for part, entry in manifest["files"].items():
        files[part] = _read_file(folder, path, part, entry)
    return SavedRanker(
        kind=manifest["kind"],
        parameters={name: _from_json(value) for name, value in manifest["parameters"].items()},
        feature_names=tuple(manifest["features"]),
        missing=manifest["missing"],
        learned=manifest["learned"],
        files=files,
    )


def _read_manifest(path: Path) -> dict[str, Any]:
    remedy = "save the ranker again, or take the folder from a backup"
    try:
        manifest = json.loads(path.read_bytes())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise CorruptFileError(
            f"no JSON ({error})", expected="a ranker's manifest", remedy=remedy, path=path
        ) from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise CorruptFileError(
            "no ranker's manifest", expected=f'"format": "{FORMAT}"', remedy=remedy, path=path
        )
    found = manifest.get("format_version")
    if found != FORMAT_VERSION:
        raise CorruptFileError(
            f"format version {found!r}",
            expected=f"version {FORMAT_VERSION}",
            remedy="load it with the plackett that wrote it "
            f"({manifest.get('versions')}), or save the ranker again",
            path=path,
        )
    lacking = _KEYS - manifest.keys()
    if lacking or manifest.get("sha256") != _manifest_digest(manifest):
        raise CorruptFileError(
            "a manifest that was altered after it was written",
            expected="contents that agree with its checksum",
            remedy=remedy,
            path=path,
        )
    return manifest


def _read_file(folder: Path, manifest: Path, part: str, entry: Mapping[str, Any]) -> bytes:
    name = str(entry.get("name"))
    # The name is used as a path: nothing but a plain file of this folder may pass.
    if not _FILE_NAME.fullmatch(name):
        raise CorruptFileError(
            f"file name {name!r} for {part!r}",
            expected="a plain name that plackett gives",
            remedy="do not load this folder: it was made to read other files",
            path=manifest,
        )
    path = folder / name
    if not path.is_file():
        raise CorruptFileError(
            "nothing",
            expected=f"the file that {MANIFEST} names",
            remedy="copy the folder whole",
            path=path,
        )
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != entry.get("sha256"):
        raise CorruptFileError(
            f"{len(content)} bytes with another checksum",
            expected=f"the {entry.get('bytes')} bytes that {MANIFEST} describes",
            remedy="the file was cut or changed; save the ranker again",
            path=path,
        )
    return content


def _manifest_digest(manifest: Mapping[str, Any]) -> str:
    """sha256 of the manifest's contents, whatever their order and spacing in the file."""
    contents = {key: value for key, value in manifest.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(contents, sort_keys=True).encode()).hexdigest()


def _write_whole(path: Path, content: bytes) -> None:
    """Write a file under another name, force it to the disk, then move it into place."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _to_json(name: str, value: Any) -> Any:
    """A parameter as a JSON value: a measure or a loss as its text, a tuple as a list."""
    if has_text_form(value):
        return repr(value)
    if isinstance(value, Mapping):
        return {str(key): _to_json(name, inner) for key, inner in value.items()}
    if isinstance(value, (tuple, list)):
        return [_to_json(name, inner) for inner in value]
    if hasattr(value, "item"):  # numpy's scalars
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise ConfigurationError(
        f"parameter {name} of type {type(value).__name__} cannot be saved; expected a number, "
        "a string, a measure, a loss, or a tuple or mapping of these."
    )


def _from_json(value: Any) -> Any:
    """Lists become tuples again: no constructor parameter is a list."""
    if isinstance(value, list):
        return tuple(_from_json(inner) for inner in value)
    if isinstance(value, dict):
        return {key: _from_json(inner) for key, inner in value.items()}
    return value
