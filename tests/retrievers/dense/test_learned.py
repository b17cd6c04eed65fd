"""Learned parameters in one file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from plackett.errors import CorruptFileError
from plackett.retrievers.dense.learned import read_learned, write_learned


def test_what_was_written_is_read(tmp_path: Path) -> None:
    arrays = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.zeros(0, np.int64)}
    write_learned(tmp_path / "it.npz", "thing", arrays, {"n": 3, "text": "é"})
    found, facts = read_learned(tmp_path / "it.npz", "thing")
    assert facts == {"n": 3, "text": "é"}
    assert set(found) == {"a", "b"}
    np.testing.assert_array_equal(found["a"], arrays["a"])
    before = (tmp_path / "it.npz").read_bytes()
    write_learned(tmp_path / "it.npz", "thing", arrays, {"n": 3, "text": "é"})
    assert (tmp_path / "it.npz").read_bytes() == before


def test_every_cut_and_every_altered_byte_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "it.npz"
    write_learned(path, "thing", {"a": np.arange(4, dtype=np.float32)})
    content = path.read_bytes()
    for length in range(0, len(content), 7):
        path.write_bytes(content[:length])
        with pytest.raises(CorruptFileError):
            read_learned(path, "thing")
    start = content.index(np.arange(4, dtype=np.float32).tobytes())
    for at in range(start, start + 16):
        altered = bytearray(content)
        altered[at] ^= 4
        path.write_bytes(bytes(altered))
        with pytest.raises(CorruptFileError):
            read_learned(path, "thing")


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "it.npz"
    with pytest.raises(CorruptFileError, match="no thing"):
        read_learned(path, "thing")
    write_learned(path, "another", {})
    with pytest.raises(CorruptFileError, match="'another' of version 1; expected 'thing'"):
        read_learned(path, "thing")
    np.savez(path, a=np.zeros(3))
    with pytest.raises(CorruptFileError):
        read_learned(path, "thing")
    np.savez(path, about=np.frombuffer(json.dumps([1]).encode(), np.uint8))
    with pytest.raises(CorruptFileError):
        read_learned(path, "thing")
