"""The tokenizer over a whole batch of UTF-8 texts, one pass, and its table of distinct words.

The rules are those of `segmentation.py`, which defines them; a property test holds the two equal.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from plackett.retrievers.analysis.word_classes import CLASSES

LETTER = CLASSES.index("letter")
NUMBER = CLASSES.index("number")
CONNECTOR = CLASSES.index("connector")
RUN = CLASSES.index("run")
SINGLE = CLASSES.index("single")
EXTEND = CLASSES.index("extend")
MID_LETTER = CLASSES.index("mid_letter")
MID_NUMBER = CLASSES.index("mid_number")
MID_BOTH = CLASSES.index("mid_both")
ZERO_WIDTH_JOINER = 0x200D

HASH_PRIME = np.uint64(0x100000001B3)
MIXER = np.uint64(0x9E3779B97F4A7C15)
# Bytes of a word that its key holds as they are.
PACKED = 7


@njit(cache=True, nogil=True)
def code_point(data, position, end):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The code point at `position` and its length in bytes; a stray byte is U+FFFD of length 1."""
    first = np.int64(data[position])
    if first < 0x80:
        return first, 1
    if first < 0xC2 or first > 0xF4:
        return 0xFFFD, 1
    length = 2 + (first >= 0xE0) + (first >= 0xF0)
    if position + length > end:
        return 0xFFFD, 1
    value = first & (0x7F >> length)
    for i in range(1, length):
        byte = np.int64(data[position + i])
        if byte & 0xC0 != 0x80:
            return 0xFFFD, 1
        value = (value << 6) | (byte & 0x3F)
    return (value, length) if value < 0x110000 else (0xFFFD, 1)


@njit(cache=True, nogil=True)
def end_of_single(data, start, end, classes, max_length):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The end of a one-character word with its marks; a joiner adds the next pictograph."""
    last, length = code_point(data, start, end)
    position = start + length
    count = 1
    while position < end and count < max_length:
        point, length = code_point(data, position, end)
        kind = classes[point]
        if kind != EXTEND and not (kind == SINGLE and last == ZERO_WIDTH_JOINER):
            break
        last = point
        position += length
        count += 1
    return position


@njit(cache=True, nogil=True)
def end_of_word(data, start, end, classes, max_length):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The end of the word that begins at `start`, and whether a letter or digit is in it."""
    point, length = code_point(data, start, end)
    previous = classes[point]
    wordlike = previous != CONNECTOR
    position = start + length
    count = 1
    while position < end and count < max_length:
        point, length = code_point(data, position, end)
        kind = classes[point]
        if kind == EXTEND:
            position += length
            count += 1
        elif kind >= MID_LETTER:
            after = position + length
            skipped = 1
            following = 0
            while after < end:
                point, length = code_point(data, after, end)
                following = classes[point]
                after += length
                skipped += 1
                if following != EXTEND:
                    break
            joins = following == previous and (
                (previous == LETTER and kind != MID_NUMBER)
                or (previous == NUMBER and kind != MID_LETTER)
            )
            if not joins:
                break
            position = after
            count += skipped
        else:
            if kind == CONNECTOR or previous == CONNECTOR:
                joins = LETTER <= kind <= RUN
            elif kind == RUN or previous == RUN:
                joins = kind == previous
            else:
                joins = kind in (LETTER, NUMBER)
            if not joins:
                break
            previous = kind
            wordlike = wordlike or kind != CONNECTOR
            position += length
            count += 1
    return position, wordlike


@njit(cache=True, nogil=True)
def lower_byte(byte, fold):  # type: ignore[no-untyped-def]  # pragma: no cover
    """An ASCII capital in lower case, where `fold`; any other byte as it is."""
    return byte + np.uint64(32) if fold and np.uint64(65) <= byte <= np.uint64(90) else byte


@njit(cache=True, nogil=True)
def extend_key(key, count, byte):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The key of `count` bytes and one more: seven are packed, those after them hashed in."""
    if count < PACKED:
        return key | (byte << np.uint64(8 * count))
    return (key ^ byte) * HASH_PRIME


@njit(cache=True, nogil=True)
def slot_of(key, mask):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Where a table looks for a key first."""
    mixed = (key ^ (key >> np.uint64(29))) * MIXER
    return (mixed >> np.uint64(32)) & mask


@njit(cache=True, nogil=True)
def move_entries(old, new):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Enter the words of one table into an empty one."""
    mask = np.uint64(len(new) // 2 - 1)
    for i in range(0, len(old), 2):
        if old[i + 1] == 0:
            continue
        slot = slot_of(old[i], mask)
        while new[2 * slot + np.uint64(1)] != 0:
            slot = (slot + np.uint64(1)) & mask
        new[2 * slot] = old[i]
        new[2 * slot + np.uint64(1)] = old[i + 1]


@njit(cache=True, nogil=True)
def find_word(table, key, data, start, size, fold, spelling, ends):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The slot of a word, or the free one where it belongs."""
    mask = np.uint64(len(table) // 2 - 1)
    slot = slot_of(key, mask)
    while True:
        entry = table[2 * slot + np.uint64(1)]
        if entry == 0:
            return slot
        if table[2 * slot] == key:
            if size <= PACKED:
                return slot
            code = np.int64(entry) - 1
            known = ends[code]
            same = ends[code + 1] - known == size
            for i in range(size):
                if not same:
                    break
                same = spelling[known + i] == lower_byte(np.uint64(data[start + i]), fold)
            if same:
                return slot
        slot = (slot + np.uint64(1)) & mask


@njit(cache=True, nogil=True)
def code_words(  # type: ignore[no-untyped-def]
    data,
    bounds,
    first_text,
    classes,
    fold,
    max_length,
    table,
    spelling,
    ends,
    n_words,
    tokens,
    n_tokens,
    counts,
):  # pragma: no cover
    """Cut texts into words and write the code of each; new words enter the table.

    Text i is `data[bounds[i]:bounds[i + 1]]`. A word's code is its rank of first appearance; its
    bytes, ASCII letters in lower case where `fold`, lie in `spelling[ends[code]:ends[code + 1]]`.
    `table`, uint64[2 * power of two], holds pairs of a key and a code plus 1; the key of a word of
    up to seven bytes is the word itself, with its length in the last byte. Stops before a text for
    whose words there may be no room.

    Returns (texts done, words known, tokens written).
    """
    room = min(len(table) // 4, len(ends) - 1)
    for text in range(first_text, len(bounds) - 1):
        position, end = bounds[text], bounds[text + 1]
        most_new = (end - position + 1) // 2 + 1
        if n_words + most_new > room or ends[n_words] + (end - position) > len(spelling):
            return text, n_words, n_tokens
        before = n_tokens
        while position < end:
            byte = np.uint64(data[position])
            kind = classes[byte]
            if byte < 0x80 and (kind == 0 or kind >= EXTEND):
                position += 1
                continue
            start = position
            wordlike = False
            key = np.uint64(0)
            # Fast path: a run of ASCII letters, digits and underscores.
            while byte < 0x80 and LETTER <= kind <= CONNECTOR and position - start < max_length:
                wordlike = wordlike or kind != CONNECTOR
                key = extend_key(key, position - start, lower_byte(byte, fold))
                position += 1
                if position == end:
                    break
                byte = np.uint64(data[position])
                kind = classes[byte]
            # A separator (or the end) closes it; anything else asks for the full rules.
            if not (position > start and (position == end or (byte < 0x80 and kind == 0))):
                point, length = code_point(data, start, end)
                kind = classes[point]
                if kind == SINGLE:
                    position = end_of_single(data, start, end, classes, max_length)
                    wordlike = True
                elif LETTER <= kind <= RUN:
                    position, wordlike = end_of_word(data, start, end, classes, max_length)
                else:
                    position = start + length
                    continue
                key = np.uint64(0)
                for i in range(position - start):
                    key = extend_key(key, i, lower_byte(np.uint64(data[start + i]), fold))
            if not wordlike:
                continue
            size = position - start
            # The last byte tells words of up to seven bytes from longer ones.
            key |= np.uint64(size if size <= PACKED else 255) << np.uint64(56)
            slot = find_word(table, key, data, start, size, fold, spelling, ends)
            entry = table[2 * slot + np.uint64(1)]
            if entry == 0:
                write = ends[n_words]
                for i in range(size):
                    spelling[write + i] = lower_byte(np.uint64(data[start + i]), fold)
                ends[n_words + 1] = write + size
                n_words += 1
                entry = np.uint64(n_words)
                table[2 * slot] = key
                table[2 * slot + np.uint64(1)] = entry
            tokens[n_tokens] = np.int64(entry) - 1
            n_tokens += 1
        counts[text] = n_tokens - before
    return len(bounds) - 1, n_words, n_tokens


@njit(cache=True, nogil=True)
def keep_terms(tokens, counts, term_of_word):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Replace each word code by its term, in place; words of term -1 go. Returns tokens left."""
    read = 0
    write = 0
    for text in range(len(counts)):
        kept = 0
        for _ in range(counts[text]):
            term = term_of_word[tokens[read]]
            read += 1
            if term >= 0:
                tokens[write] = term
                write += 1
                kept += 1
        counts[text] = kept
    return write
