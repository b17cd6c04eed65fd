"""Cutting one text into words, in Python: for queries, and as the definition the kernel follows.

The rules are those of Unicode's word boundaries (UAX #29) as far as search needs them:

- letters, digits and connectors (the underscore) join;
- an apostrophe, a full stop or a colon joins two letters ("don't", "u.s.a"), an apostrophe, a full
  stop or a comma two digits ("3.14", "1,000");
- a combining mark or a format character belongs to the character before it;
- Katakana joins Katakana; a Han or Hiragana character and a pictograph are a word each;
- a word without a letter or a digit ("__") is none;
- a word longer than `max_length` characters is cut there.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from plackett.retrievers.analysis.word_classes import CLASSES

__all__ = ["split_words"]

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


def split_words(text: str, classes: npt.NDArray[np.uint8], max_length: int) -> list[str]:
    """The words of `text`, in order, as they are written there.

    Parameters
    ----------
    classes : `uint8[0x110000]`, the class of every code point (`class_table`).
    max_length : the most characters of a word.

    >>> from plackett.retrievers.analysis.word_classes import class_table
    >>> split_words("The U.S.A.'s wi-fi: 3.14, don't!", class_table("words"), 255)
    ['The', 'U.S.A', 's', 'wi', 'fi', '3.14', "don't"]
    """
    kinds: list[int] = classes[
        np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    ].tolist()
    n = len(kinds)
    words = []
    position = 0
    while position < n:
        kind = kinds[position]
        if kind == SINGLE:
            end = _end_of_single(text, kinds, position, max_length)
            words.append(text[position:end])
            position = end
        elif LETTER <= kind <= RUN:
            end, wordlike = _end_of_word(kinds, position, max_length)
            if wordlike:
                words.append(text[position:end])
            position = end
        else:
            position += 1
    return words


def _end_of_single(text: str, kinds: list[int], start: int, max_length: int) -> int:
    """The end of a one-character word with its marks; a joiner adds the next pictograph."""
    end = start + 1
    while end < len(kinds) and end - start < max_length:
        joined = kinds[end] == SINGLE and ord(text[end - 1]) == ZERO_WIDTH_JOINER
        if kinds[end] != EXTEND and not joined:
            break
        end += 1
    return end


def _end_of_word(kinds: list[int], start: int, max_length: int) -> tuple[int, bool]:
    """The end of the word that begins at `start`, and whether a letter or digit is in it."""
    n = len(kinds)
    previous = kinds[start]
    wordlike = previous != CONNECTOR
    end = start + 1
    while end < n and end - start < max_length:
        kind = kinds[end]
        if kind == EXTEND:
            end += 1
            continue
        if kind >= MID_LETTER:
            after = end + 1
            while after < n and kinds[after] == EXTEND:
                after += 1
            if after == n or not _joins_around(kind, previous, kinds[after]):
                break
            end = after + 1
            continue
        if not _joins(previous, kind):
            break
        previous = kind
        wordlike = wordlike or kind != CONNECTOR
        end += 1
    return end, wordlike


def _joins(previous: int, kind: int) -> bool:
    """Whether two neighbours of these classes lie in one word."""
    if kind == CONNECTOR or previous == CONNECTOR:
        return LETTER <= kind <= RUN
    if kind == RUN or previous == RUN:
        return kind == previous
    return kind in (LETTER, NUMBER)


def _joins_around(middle: int, previous: int, following: int) -> bool:
    """Whether a character of class `middle` joins its two neighbours."""
    if previous != following:
        return False
    if previous == LETTER:
        return middle != MID_NUMBER
    return previous == NUMBER and middle != MID_LETTER
