"""Cutting one text into words, in Python: for queries, and as the definition the kernel follows.

The rules are those of Unicode's word boundaries (UAX #29) as Lucene's StandardTokenizer has them:

- letters, digits and connectors (the underscore) join;
- an apostrophe, a full stop or a colon joins two letters ("don't", "u.s.a"), an apostrophe, a full
  stop or a comma two digits ("3.14", "1,000"); a double quote joins two Hebrew letters, and a
  single quote stays behind one;
- a combining mark or a format character belongs to the character before it;
- Katakana joins Katakana; Thai, Lao, Khmer, Myanmar and their like, which are written without
  spaces and are cut only by a dictionary, join among themselves;
- a Han or Hiragana character is a word, and so is an emoji with what belongs to it: a flag of two
  letters, a keycap, a sequence with joiners;
- in the class table of the tokenizer "pairs", Han, Hiragana, Katakana and Hangul characters are
  words two by two, each one with the one before and with the one behind it;
- a word without a letter or a digit ("__") is none;
- a word longer than `max_length` characters is cut where it ends if no more of them are read.
"""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

from plackett.retrievers.analysis.word_classes import CLASSES

__all__ = ["split_ascii", "split_words"]

LETTER = CLASSES.index("letter")
HEBREW = CLASSES.index("hebrew")
NUMBER = CLASSES.index("number")
CONNECTOR = CLASSES.index("connector")
KATAKANA = CLASSES.index("katakana")
COMPLEX = CLASSES.index("complex")
SINGLE = CLASSES.index("single")
PAIRED = CLASSES.index("paired")
PICTOGRAPH = CLASSES.index("pictograph")
REGIONAL = CLASSES.index("regional")
EXTEND = CLASSES.index("extend")
COMPLEX_MARK = CLASSES.index("complex_mark")
MODIFIER = CLASSES.index("modifier")
JOINER = CLASSES.index("joiner")
MID_LETTER = CLASSES.index("mid_letter")
MID_NUMBER = CLASSES.index("mid_number")
SINGLE_QUOTE = CLASSES.index("single_quote")
DOUBLE_QUOTE = CLASSES.index("double_quote")
KEYCAP = CLASSES.index("keycap")
LETTERS = (LETTER, HEBREW)
TEXT_PRESENTATION, EMOJI_PRESENTATION = "\ufe0e", "\ufe0f"
ENCLOSING_KEYCAP = "\u20e3"
# The same rules for ASCII: what is alphanumeric joins, and a middle between two letters or digits.
ASCII_WORD = re.compile(
    r"\w+(?:(?:(?<=[a-zA-Z])[.':](?=[a-zA-Z])|(?<=[0-9])[.,;'](?=[0-9]))\w+)*", re.ASCII
)


def split_ascii(text: str) -> list[str]:
    """The words of a text of ASCII characters, where none is too long: `split_words`, but faster.

    >>> split_ascii("The U.S.A.'s wi-fi: 3.14, don't!")
    ['The', 'U.S.A', 's', 'wi', 'fi', '3.14', "don't"]
    """
    words: list[str] = ASCII_WORD.findall(text)
    return [word for word in words if word.strip("_")] if "_" in text else words


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
        stop = min(n, position + max_length)
        if LETTER <= kind <= KATAKANA:
            end, wordlike = _end_of_word(kinds, position, stop)
        else:
            end = _end_of_other(text, kinds, position, stop)
            wordlike = end > position
        if wordlike:
            words.append(text[position:end])
            position = _resume(kinds, position, end) if kind == PAIRED else end
            continue
        # Marks behind connectors that are no word may begin one: only connectors go, and of a run
        # longer than a word those from which no word can reach its end.
        position += 1
        first = position
        while kind == CONNECTOR and position < n and kinds[position] == CONNECTOR:
            position += 1
        if end == stop:
            position = max(first, position - max_length + 1)
    return words


def _end_of_word(kinds: list[int], start: int, stop: int) -> tuple[int, bool]:
    """The end of the word that begins at `start`, and whether a letter or digit is in it."""
    previous = kinds[start]
    wordlike = previous != CONNECTOR
    end = start + 1
    while end < stop:
        kind = kinds[end]
        if EXTEND <= kind <= JOINER:
            end += 1
        elif kind >= MID_LETTER:
            after = _skip_marks(kinds, end + 1, stop)
            if after < stop and _joins_around(kind, previous, kinds[after]):
                previous = _behind_middle(kind, previous, kinds[after])
                end = after + 1
            elif kind == SINGLE_QUOTE and previous == HEBREW:
                previous, end = kind, after
            else:
                break
        elif _joins(previous, kind):
            previous = kind
            wordlike = wordlike or kind != CONNECTOR
            end += 1
        else:
            break
    return end, wordlike


def _joins(previous: int, kind: int) -> bool:
    """Whether two neighbours of these classes lie in one word."""
    if kind == CONNECTOR or previous == CONNECTOR:
        return LETTER <= kind <= KATAKANA
    if kind == KATAKANA or previous == KATAKANA:
        return kind == previous
    return LETTER <= kind <= NUMBER


def _joins_around(middle: int, previous: int, following: int) -> bool:
    """Whether a character of class `middle` joins its two neighbours."""
    if middle > SINGLE_QUOTE:
        return middle == DOUBLE_QUOTE and previous == HEBREW and following == HEBREW
    if previous in LETTERS:
        return middle != MID_NUMBER and following in LETTERS
    return middle != MID_LETTER and previous == NUMBER and following == NUMBER


def _behind_middle(middle: int, previous: int, following: int) -> int:
    """The class that `following` counts as, behind a middle: Lucene's grammar has it thus.

    Behind a double quote only a neighbour joins; a Hebrew letter takes quotes of its own where it
    stands behind a Hebrew letter and a single quote, and else is a letter as any other.
    """
    if middle == DOUBLE_QUOTE:
        return middle
    if following == HEBREW and not (middle == SINGLE_QUOTE and previous == HEBREW):
        return LETTER
    return following


def _end_of_other(text: str, kinds: list[int], start: int, stop: int) -> int:
    """The end of a word that begins with no letter or digit; `start` where there is none."""
    kind = kinds[start]
    if kind in (COMPLEX, COMPLEX_MARK):
        end = start + 1
        while end < stop and (kinds[end] == COMPLEX or EXTEND <= kinds[end] <= JOINER):
            end += 1
        return end
    if kind in (SINGLE, PAIRED):
        end = _skip_marks(kinds, start + 1, stop)
        if kind == PAIRED and end < stop and kinds[end] == PAIRED:
            end = _skip_marks(kinds, end + 1, stop)
        return end
    if kind == REGIONAL:
        after = _skip_marks(kinds, start + 1, stop)
        if after < stop and kinds[after] == REGIONAL:
            return _skip_marks(kinds, after + 1, stop)
        return start
    if kind == KEYCAP:
        return _end_of_keycap(text, kinds, start, stop)
    if kind in (PICTOGRAPH, MODIFIER, JOINER):
        return _end_of_emoji(text, kinds, start, stop)
    return start


def _resume(kinds: list[int], start: int, end: int) -> int:
    """Where the word behind a pair begins: at its second character, where that has one behind."""
    second = _skip_marks(kinds, start + 1, end)
    return second if second < end < len(kinds) and kinds[end] == PAIRED else end


def _skip_marks(kinds: list[int], position: int, stop: int) -> int:
    """The first place from `position` on that holds no mark and no format character."""
    while position < stop and EXTEND <= kinds[position] <= JOINER:
        position += 1
    return position


def _skip_plain_marks(text: str, kinds: list[int], position: int, stop: int) -> int:
    """The same, but a presentation selector ends the marks too."""
    while position < stop and EXTEND <= kinds[position] <= JOINER:
        if text[position] in (TEXT_PRESENTATION, EMOJI_PRESENTATION):
            break
        position += 1
    return position


def _end_of_keycap(text: str, kinds: list[int], start: int, stop: int) -> int:
    """The end of "#" or "*" in a keycap; `start` where none encloses it."""
    end = _skip_plain_marks(text, kinds, start + 1, stop)
    if text[end : min(end + 2, stop)] == EMOJI_PRESENTATION + ENCLOSING_KEYCAP:
        return _skip_plain_marks(text, kinds, end + 2, stop)
    return end if ENCLOSING_KEYCAP in text[start:end] else start


def _end_of_emoji(text: str, kinds: list[int], start: int, stop: int) -> int:
    """The end of pictographs with their marks, one joined to the next; `start` where is none."""
    end = start
    while end < stop and kinds[end] == JOINER:
        end += 1
    if end == stop or not (kinds[end] == PICTOGRAPH or (kinds[end] == MODIFIER and end == start)):
        return start
    while True:
        is_pictograph = kinds[end] == PICTOGRAPH
        end = _skip_plain_marks(text, kinds, end + 1, stop)
        following = end
        joined = kinds[end - 1] == JOINER
        if is_pictograph and end < stop and text[end] == EMOJI_PRESENTATION:
            end += 1
            following = end
            while following < stop and kinds[following] == JOINER:
                following += 1
            joined = following > end
        if not joined or following == stop:
            return end
        if not (
            kinds[following] == PICTOGRAPH
            or (kinds[following] == MODIFIER and following == end + 1)
        ):
            return end
        end = following
