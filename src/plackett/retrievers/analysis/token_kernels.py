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

# FNV-1a of 64 bits; `term_table.py` repeats it in Python for the few words of a query.
HASH_START = np.uint64(0xCBF29CE484222325)
HASH_PRIME = np.uint64(0x100000001B3)


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
        value = (value << 6) | (np.int64(data[position + i]) & 0x3F)
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
                joins = kind == LETTER or kind == NUMBER
            if not joins:
                break
            previous = kind
            wordlike = wordlike or kind != CONNECTOR
            position += length
            count += 1
    return position, wordlike


@njit(cache=True, nogil=True)
def refill(slots, hashes, n_words):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Enter the words 0..n_words into an empty table `slots`, int32[power of two], -1 = free."""
    mask = np.uint64(len(slots) - 1)
    for word in range(n_words):
        slot = hashes[word] & mask
        while slots[slot] >= 0:
            slot = (slot + np.uint64(1)) & mask
        slots[slot] = word


@njit(cache=True, nogil=True)
def code_words(  # type: ignore[no-untyped-def]
    data,
    bounds,
    first_text,
    classes,
    fold,
    max_length,
    slots,
    hashes,
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
    Stops before a text for whose words the table may lack room.

    Returns (texts done, words known, tokens written).
    """
    mask = np.uint64(len(slots) - 1)
    room = min(len(slots) // 2, len(hashes))
    for text in range(first_text, len(bounds) - 1):
        position, end = bounds[text], bounds[text + 1]
        most_new = (end - position + 1) // 2 + 1
        if n_words + most_new > room or ends[n_words] + (end - position) > len(spelling):
            return text, n_words, n_tokens
        before = n_tokens
        while position < end:
            byte = data[position]
            kind = classes[byte]
            if byte < 0x80 and (kind == 0 or kind >= EXTEND):
                position += 1
                continue
            start = position
            wordlike = False
            # Fast path: a run of ASCII letters, digits and underscores.
            while byte < 0x80 and LETTER <= kind <= CONNECTOR and position - start < max_length:
                wordlike = wordlike or kind != CONNECTOR
                position += 1
                if position == end:
                    break
                byte = data[position]
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
            if not wordlike:
                continue
            size = position - start
            write = ends[n_words]
            digest = HASH_START
            for i in range(size):
                letter = data[start + i]
                if fold and 65 <= letter <= 90:
                    letter = np.uint8(letter + 32)
                spelling[write + i] = letter
                digest = (digest ^ np.uint64(letter)) * HASH_PRIME
            digest ^= digest >> np.uint64(32)
            slot = digest & mask
            code = slots[slot]
            while code >= 0:
                if hashes[code] == digest and ends[code + 1] - ends[code] == size:
                    known = ends[code]
                    same = True
                    for i in range(size):
                        if spelling[known + i] != spelling[write + i]:
                            same = False
                            break
                    if same:
                        break
                slot = (slot + np.uint64(1)) & mask
                code = slots[slot]
            if code < 0:
                code = n_words
                slots[slot] = code
                hashes[code] = digest
                ends[code + 1] = write + size
                n_words += 1
            tokens[n_tokens] = code
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
