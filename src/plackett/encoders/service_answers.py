"""What an embedding service answers, read without trust."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import numpy as np
import numpy.typing as npt

from plackett.errors import PlackettError

__all__ = ["UnusableAnswerError", "read_embeddings"]

Floats = npt.NDArray[np.float32]


class UnusableAnswerError(PlackettError, ValueError):
    """JSON that does not hold what was asked for."""


def read_embeddings(
    content: object, n: int, dimension: int | None = None
) -> tuple[Floats, int | None]:
    """The vectors of an answer in the order of the request, and the tokens it tells of.

    Parameters
    ----------
    content : the JSON of the answer: `{"data": [{"index": 0, "embedding": [...]}, ...]}`. A vector
        is a list of numbers, or base64 of little-endian float32.
    n : how many texts were sent.
    dimension : how long each vector must be; None for all alike.

    Returns
    -------
    `float32[n, d]`, and `usage.prompt_tokens` (or `total_tokens`), None where it is not told.

    Raises
    ------
    UnusableAnswerError : another number of vectors, places that are not those of the texts, vectors
        of another length, or values that are no finite numbers.

    >>> answer = {"data": [{"index": 1, "embedding": [0, 2]}, {"index": 0, "embedding": [1, 0]}]}
    >>> read_embeddings(answer, 2)[0].tolist()
    [[1.0, 0.0], [0.0, 2.0]]
    """
    rows = content.get("data") if isinstance(content, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UnusableAnswerError("no list of vectors under 'data'")
    if len(rows) != n:
        raise UnusableAnswerError(f"{len(rows)} vectors for {n} texts")
    vectors = [_vector(row.get("embedding")) for row in rows]
    length = len(vectors[0]) if dimension is None and vectors else dimension
    wrong = sorted({len(vector) for vector in vectors} - {length})
    if wrong:
        raise UnusableAnswerError(f"a vector of {wrong[0]} numbers in place of {length}")
    values = np.zeros((n, length or 0), dtype=np.float32)
    values[_places(rows)] = vectors
    return values, _tokens(content)


def _places(rows: list[dict[str, Any]]) -> list[int]:
    """Which text each row is about; in order where no row says it."""
    told = [row.get("index") for row in rows]
    if all(place is None for place in told):
        return list(range(len(rows)))
    places = [place for place in told if isinstance(place, int) and not isinstance(place, bool)]
    if sorted(places) != list(range(len(rows))):
        raise UnusableAnswerError(f"places {told[:8]!r}, not those of {len(rows)} texts")
    return places


def _vector(found: object) -> Floats:
    if isinstance(found, str):
        try:
            data = base64.b64decode(found, validate=True)
            values = np.frombuffer(data, dtype="<f4").astype(np.float32)
        except (binascii.Error, ValueError) as error:
            raise UnusableAnswerError(f"a vector in base64 that is broken ({error})") from error
    else:
        values = _numbers(found)
    if not len(values):
        raise UnusableAnswerError("a vector without numbers")
    if not np.isfinite(values).all():
        raise UnusableAnswerError("a vector with numbers that are not finite")
    return values


def _numbers(found: object) -> Floats:
    try:
        values = np.asarray(found)
    except ValueError as error:
        raise UnusableAnswerError("a vector that is no list of numbers") from error
    if not isinstance(found, list) or values.ndim != 1 or (found and values.dtype.kind not in "fi"):
        raise UnusableAnswerError("a vector that is no list of numbers")
    # A number beyond float32 becomes infinite, and is refused as such.
    with np.errstate(over="ignore"):
        return np.asarray(values, dtype=np.float32)


def _tokens(content: object) -> int | None:
    usage = content.get("usage") if isinstance(content, dict) else None
    for name in ("prompt_tokens", "total_tokens"):
        told = usage.get(name) if isinstance(usage, dict) else None
        if isinstance(told, bool) or not isinstance(told, int | float):
            continue
        if 0 <= told < 1e15:  # neither NaN nor infinite
            return int(told)
    return None
