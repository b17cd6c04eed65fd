"""The tokenizer over a whole batch of UTF-8 texts, one pass, and its table of distinct words.

The rules are those of `segmentation.py`, which defines them; a property test holds the two equal.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from plackett.retrievers.analysis.segmentation import (
    CONNECTOR,
    DOUBLE_QUOTE,
    EXTEND,
    KEYCAP,
    LETTER,
    MID_LETTER,
)
from plackett.retrievers.analysis.word_kernels import end_of_token, resume

HASH_PRIME = np.uint64(0x100000001B3)
MIXER = np.uint64(0x9E3779B97F4A7C15)
# Bytes of a word that its key holds as they are.
PACKED = 7


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
def is_followed_by_space(data, position, end, classes):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Whether an ASCII character stands here, and behind it the end or an ASCII separator."""
    if data[position] >= 0x80:
        return False
    after = position + 1
    return after == end or (data[after] < 0x80 and classes[data[after]] == 0)


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
    whose words there may be no room: words that are pairs have every byte twice.

    Returns (texts done, words known, tokens written).
    """
    room = min(len(table) // 4, len(ends) - 1)
    for text in range(first_text, len(bounds) - 1):
        position, end = bounds[text], bounds[text + 1]
        most_new = (end - position + 1) // 2 + 1
        if n_words + most_new > room or ends[n_words] + 2 * (end - position) > len(spelling):
            return text, n_words, n_tokens
        before = n_tokens
        while position < end:
            byte = np.uint64(data[position])
            kind = classes[byte]
            if byte < 0x80 and (kind == 0 or EXTEND <= kind < KEYCAP):
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
            # What joins nothing in ASCII closes it; anything else asks for the full rules.
            closed = position > start and (
                position == end
                or (byte < 0x80 and (kind == 0 or kind >= DOUBLE_QUOTE))
                or (kind >= MID_LETTER and is_followed_by_space(data, position, end, classes))
            )
            if not closed:
                position, wordlike = end_of_token(data, start, end, classes, max_length)
                key = np.uint64(0)
                for i in range(position - start if wordlike else 0):
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
            if not closed:
                position = resume(data, start, position, end, classes)
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
