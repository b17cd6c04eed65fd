"""Compiled loops over the bytes of text files. Imported only where a file is large.

Every kernel works on `uint8` bytes and releases the interpreter lock. A token that needs more care
than a kernel takes (a 19-digit number, "inf", rubbish) is listed as slow, and a line that cannot be
split is handed back by its position; plain Python then decides, so that both paths agree.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["intern_tokens", "parse_svmlight", "rebuild_table", "split_rows"]

Bytes = npt.NDArray[np.uint8]
Longs = npt.NDArray[np.int64]
Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
Keys = npt.NDArray[np.uint64]

_POWERS = np.array([10.0**exponent for exponent in range(23)])
_INLINE = 15
_EIGHTEEN_DIGITS = 10**17
_NEWLINE, _SPACE, _HASH, _COLON, _EQUALS = 10, 32, 35, 58, 61


@njit(cache=True, nogil=True)
def _is_space(byte: int) -> bool:  # pragma: no cover
    return byte <= _SPACE and (byte == _SPACE or 9 <= byte <= 13)


@njit(cache=True, nogil=True)
def _decimal(data: Bytes, start: int, stop: int) -> tuple[np.float32, bool]:  # pragma: no cover
    """The float32 that `data[start:stop]` writes, and whether it is surely rounded correctly.

    Up to 18 digits are collected in an integer and scaled by an exact power of ten, which is right
    to 1.5 units of a double. Where that could round to another float32, the answer is "not sure".
    """
    zero = np.float32(0.0)
    position = start
    negative = False
    if position < stop and (data[position] == 45 or data[position] == 43):
        negative = data[position] == 45
        position += 1
    mantissa = np.int64(0)
    digits = 0
    scale = 0
    fraction = False
    while position < stop:
        byte = np.int64(data[position])
        if 48 <= byte <= 57:
            if mantissa >= _EIGHTEEN_DIGITS:
                return zero, False
            digits += 1
            mantissa = mantissa * 10 + (byte - 48)
            if fraction:
                scale -= 1
        elif byte == 46 and not fraction:
            fraction = True
        else:
            break
        position += 1
    if digits == 0:
        return zero, False
    if position < stop:
        if data[position] != 101 and data[position] != 69:
            return zero, False
        position += 1
        down = False
        if position < stop and (data[position] == 45 or data[position] == 43):
            down = data[position] == 45
            position += 1
        if position == stop or stop - position > 4:
            return zero, False
        exponent = 0
        while position < stop:
            byte = np.int64(data[position])
            if byte < 48 or byte > 57:
                return zero, False
            exponent = exponent * 10 + (byte - 48)
            position += 1
        scale += -exponent if down else exponent
    value = np.float64(mantissa)
    if mantissa == 0:
        scale = 0
    if scale > 22 or scale < -22:
        return zero, False
    if scale < 0:
        value /= _POWERS[-scale]
    else:
        value *= _POWERS[scale]
    rounded = np.float32(value)
    if np.float32(value * (1.0 - 1e-15)) != np.float32(value * (1.0 + 1e-15)):
        return zero, False
    return -rounded if negative else rounded, True


@njit(cache=True, nogil=True)
def split_rows(
    data: Bytes,
    position: int,
    n_columns: int,
    picked: Longs,
    number_column: int,
    starts: Longs,
    lengths: Ints,
    numbers: Floats,
    slow: Longs,
) -> tuple[int, int, int, bool]:  # pragma: no cover
    """Split lines at white space until `numbers` is full, the data end or a line is wrong.

    `starts[j, row]`, `lengths[j, row]` say where column `picked[j]` lies; `numbers[row]` is the
    number in `number_column`, or is listed in `slow[i] = (row, start, stop)`. Blank lines and lines
    that begin with "#" are passed over. Returns the rows, the slow ones, the position reached, and
    whether it stopped before a line without exactly `n_columns` columns.
    """
    rows, n_slow = 0, 0
    end = len(data)
    first = np.empty(n_columns, np.int64)
    last = np.empty(n_columns, np.int64)
    while position < end and rows < len(numbers):
        line = position
        if data[position] == _HASH:
            while position < end and data[position] != _NEWLINE:
                position += 1
            position += 1
            continue
        column = 0
        while True:
            while position < end and data[position] != _NEWLINE and _is_space(data[position]):
                position += 1
            if position >= end or data[position] == _NEWLINE:
                break
            begin = position
            while position < end and not _is_space(data[position]):
                position += 1
            if column < n_columns:
                first[column] = begin
                last[column] = position
            column += 1
        position += 1
        if column == 0:
            continue
        if column != n_columns:
            return rows, n_slow, line, True
        for j in range(len(picked)):
            starts[j, rows] = first[picked[j]]
            lengths[j, rows] = last[picked[j]] - first[picked[j]]
        value, sure = _decimal(data, first[number_column], last[number_column])
        numbers[rows] = value
        if not sure:
            slow[n_slow, 0] = rows
            slow[n_slow, 1] = first[number_column]
            slow[n_slow, 2] = last[number_column]
            n_slow += 1
        rows += 1
    return rows, n_slow, min(position, end), False


@njit(cache=True, nogil=True)
def _mix(low: np.uint64, high: np.uint64) -> np.uint64:  # pragma: no cover
    """A hash of a key of 16 bytes, whose high bits are the good ones."""
    h = (low ^ (low >> np.uint64(32))) * np.uint64(0x9E3779B97F4A7C15)
    h ^= (high ^ (h >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed: np.uint64 = (h ^ (h >> np.uint64(32))) * np.uint64(0x94D049BB133111EB)
    return mixed


@njit(cache=True, nogil=True)
def _pack(data: Bytes, starts: Longs, lengths: Ints, keys: Keys) -> None:  # pragma: no cover
    """The key of every token: up to 15 bytes themselves and their number, of more a hash."""
    for i in range(len(starts)):
        start, length = starts[i], np.int64(lengths[i])
        low, high = np.uint64(0), np.uint64(0)
        if length <= _INLINE:
            for k in range(min(length, 8)):
                low |= np.uint64(data[start + k]) << np.uint64(8 * k)
            for k in range(8, length):
                high |= np.uint64(data[start + k]) << np.uint64(8 * (k - 8))
            high |= np.uint64(length) << np.uint64(56)
        else:
            low = np.uint64(14695981039346656037)
            for k in range(start, start + length):
                low = (low ^ np.uint64(data[k])) * np.uint64(1099511628211)
            high = np.uint64(length) | np.uint64(255) << np.uint64(56)
        keys[i, 0], keys[i, 1] = low, high


@njit(cache=True, nogil=True)
def intern_tokens(
    data: Bytes,
    starts: Longs,
    lengths: Ints,
    table: Ints,
    keys: Keys,
    offsets: Longs,
    store: Bytes,
    count: int,
    out: Ints,
) -> int:  # pragma: no cover
    """Give every token `data[starts[i]:starts[i] + lengths[i]]` its code, `out[i]`.

    `table` is an open-addressing table of codes (-1 = free) whose length is a power of two; the
    key of code c is `keys[c]` and its bytes are `store[offsets[c]:offsets[c + 1]]`. A new token
    takes the next code. The caller has made room. Returns the new count of codes.
    """
    shift = np.uint64(64 - _log2(len(table)))
    last = len(table) - 1
    asked = np.empty((len(starts), 2), np.uint64)
    _pack(data, starts, lengths, asked)
    # Two short loops first: their loads do not wait for each other, so that most tokens that are
    # known already cost no stall. What they leave at -1 is looked up with care.
    for i in range(len(starts)):
        out[i] = table[np.int64(_mix(asked[i, 0], asked[i, 1]) >> shift)]
    for i in range(len(starts)):
        guess = out[i]
        if guess >= 0 and not (
            keys[guess, 0] == asked[i, 0]
            and keys[guess, 1] == asked[i, 1]
            and lengths[i] <= _INLINE
        ):
            out[i] = -1
    code = np.int64(-1)
    for i in range(len(starts)):
        if out[i] >= 0:
            continue
        low, high = asked[i, 0], asked[i, 1]
        length = np.int64(lengths[i])
        slot = np.int64(_mix(low, high) >> shift)
        while True:
            code = np.int64(table[slot])
            if code < 0:
                code = count
                table[slot] = code
                keys[code, 0], keys[code, 1] = low, high
                begin = offsets[code]
                for k in range(length):
                    store[begin + k] = data[starts[i] + k]
                offsets[code + 1] = begin + length
                count += 1
                break
            if keys[code, 0] == low and keys[code, 1] == high:
                same = length if length <= _INLINE else 0
                begin = offsets[code]
                while same < length and data[starts[i] + same] == store[begin + same]:
                    same += 1
                if same == length:
                    break
            slot = (slot + 1) & last
        out[i] = code
    return count


@njit(cache=True, nogil=True)
def _log2(power: int) -> int:  # pragma: no cover
    bits = 0
    while 1 << bits < power:
        bits += 1
    return bits


@njit(cache=True, nogil=True)
def rebuild_table(table: Ints, keys: Keys, count: int) -> None:  # pragma: no cover
    """Enter the codes 0 ... count - 1 in an empty table."""
    shift = np.uint64(64 - _log2(len(table)))
    last = len(table) - 1
    for code in range(count):
        slot = np.int64(_mix(keys[code, 0], keys[code, 1]) >> shift)
        while table[slot] >= 0:
            slot = (slot + 1) & last
        table[slot] = code


@njit(cache=True, nogil=True)
def _find_document(data: Bytes, position: int, end: int) -> tuple[int, int]:  # pragma: no cover
    """The id in a comment `docid = X` that begins at `position`: its start and length, or -1."""
    name = (100, 111, 99, 105, 100)  # "docid"
    while position < end and _is_space(data[position]):
        position += 1
    for byte in name:
        if position >= end or data[position] != byte:
            return 0, -1
        position += 1
    while position < end and _is_space(data[position]):
        position += 1
    if position >= end or data[position] != _EQUALS:
        return 0, -1
    position += 1
    while position < end and _is_space(data[position]):
        position += 1
    start = position
    while position < end and not _is_space(data[position]):
        position += 1
    return start, position - start if position > start else -1


@njit(cache=True, nogil=True)
def parse_svmlight(
    data: Bytes,
    position: int,
    X: Floats,
    y: Floats,
    starts: Longs,
    lengths: Ints,
    slow: Longs,
) -> tuple[int, int, int, int, int]:  # pragma: no cover
    """Parse lines `label qid:Q index:value ... # comment` into rows of X, which holds zeros.

    `starts[0]`, `lengths[0]` locate the query id, `starts[1]`, `lengths[1]` the document id (length
    -1 where there is none). `slow[i] = (row, feature, start, stop)` lists the numbers left to
    Python; feature -1 is the label. Returns the rows, the slow numbers, the position reached, the
    highest feature number, and why it stopped: 0 full or at the end, 1 before a line that has a
    feature beyond X's width, 2 before a line that is wrong.
    """
    rows, n_slow, highest = 0, 0, 0
    end, width = len(data), X.shape[1]
    while position < end and rows < len(y) and n_slow + width + 1 < len(slow):
        line, line_slow = position, n_slow
        while position < end and data[position] != _NEWLINE and _is_space(data[position]):
            position += 1
        if position < end and data[position] == _HASH:
            while position < end and data[position] != _NEWLINE:
                position += 1
        if position >= end or data[position] == _NEWLINE:
            position += 1
            continue
        begin = position
        while position < end and data[position] != _HASH and not _is_space(data[position]):
            position += 1
        value, sure = _decimal(data, begin, position)
        if sure and value < 0:
            return rows, line_slow, line, highest, 2
        y[rows] = value
        if not sure:
            slow[n_slow, 0], slow[n_slow, 1] = rows, -1
            slow[n_slow, 2], slow[n_slow, 3] = begin, position
            n_slow += 1
        while position < end and data[position] != _NEWLINE and _is_space(data[position]):
            position += 1
        if (
            position + 4 >= end
            or data[position] != 113
            or data[position + 1] != 105
            or data[position + 2] != 100
            or data[position + 3] != _COLON
        ):
            return rows, line_slow, line, highest, 2
        position += 4
        begin = position
        while position < end and data[position] != _HASH and not _is_space(data[position]):
            position += 1
        if position == begin:
            return rows, line_slow, line, highest, 2
        starts[0, rows], lengths[0, rows] = begin, position - begin
        starts[1, rows], lengths[1, rows] = begin, -1
        previous = np.int64(0)
        while True:
            while position < end and data[position] != _NEWLINE and _is_space(data[position]):
                position += 1
            if position >= end or data[position] == _NEWLINE:
                break
            if data[position] == _HASH:
                stop = position
                while stop < end and data[stop] != _NEWLINE:
                    stop += 1
                begin, length = _find_document(data, position + 1, stop)
                starts[1, rows], lengths[1, rows] = begin, length
                position = stop
                break
            index = np.int64(0)
            begin = position
            while position < end and 48 <= data[position] <= 57:
                if index < 1 << 40:
                    index = index * 10 + (np.int64(data[position]) - 48)
                position += 1
            if position >= end or data[position] != _COLON or index <= previous:
                return rows, line_slow, line, highest, 2
            position += 1
            begin = position
            while position < end and data[position] != _HASH and not _is_space(data[position]):
                position += 1
            if index > width:
                return rows, line_slow, line, max(highest, index), 1
            previous = index
            value, sure = _decimal(data, begin, position)
            X[rows, index - 1] = value
            if not sure:
                slow[n_slow, 0], slow[n_slow, 1] = rows, index - 1
                slow[n_slow, 2], slow[n_slow, 3] = begin, position
                n_slow += 1
        highest = max(highest, previous)
        position += 1
        rows += 1
    return rows, n_slow, min(position, end), highest, 0
