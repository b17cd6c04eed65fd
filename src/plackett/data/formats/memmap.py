"""Matrices in `.npy` files, written atomically and memory-mapped."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from plackett.data.formats.atomic import atomic_write
from plackett.errors import DataError

__all__ = ["map_matrix", "move_to_file", "write_matrix"]


def write_matrix(
    path: Path,
    shape: tuple[int, ...],
    dtype: npt.DTypeLike,
    parts: Iterable[npt.NDArray[np.generic]],
) -> None:
    """Write an array of known shape to a `.npy` file, a part (some rows) at a time."""
    header = {"descr": np.lib.format.dtype_to_descr(np.dtype(dtype)), "fortran_order": False}
    with atomic_write(path) as file:
        np.lib.format.write_array_header_2_0(file, {**header, "shape": shape})
        for part in parts:
            file.write(np.ascontiguousarray(part, dtype=dtype).data)


def map_matrix(path: Path) -> npt.NDArray[np.generic]:
    """A `.npy` file as a read-only memory-mapped array; an empty one is plain memory.

    Raises
    ------
    DataError : the file is missing, cut or no array.
    """
    try:
        with open(path, "rb") as file:
            version = np.lib.format.read_magic(file)
            reader = (
                np.lib.format.read_array_header_1_0
                if version == (1, 0)
                else np.lib.format.read_array_header_2_0
            )
            shape, _, dtype = reader(file)
            if 0 in shape:
                return np.empty(shape, dtype)
        array: npt.NDArray[np.generic] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(
            f"no readable .npy file ({error})", expected="a whole array file", path=path
        ) from error
    return array


def move_to_file(X: npt.NDArray[np.float32], path: Path) -> npt.NDArray[np.float32]:
    """Write a matrix to `path` and return the memory-mapped file."""
    write_matrix(path, X.shape, np.float32, [X])
    mapped: npt.NDArray[np.float32] = map_matrix(path).view(np.float32)
    return mapped
