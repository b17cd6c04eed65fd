"""The rules of `segmentation.py`, over UTF-8 bytes; a property test holds the two equal.

Every function takes the bytes, a place and the place where to stop, and gives the end of what it
looks for, or the start where there is none.
"""

from __future__ import annotations

from numba import njit

from plackett.retrievers.analysis.segmentation import (
    COMPLEX,
    COMPLEX_MARK,
    CONNECTOR,
    DOUBLE_QUOTE,
    EXTEND,
    HEBREW,
    JOINER,
    KATAKANA,
    KEYCAP,
    LETTER,
    MID_LETTER,
    MID_NUMBER,
    MODIFIER,
    NUMBER,
    PAIRED,
    PICTOGRAPH,
    REGIONAL,
    SINGLE,
    SINGLE_QUOTE,
)

TEXT_PRESENTATION = 0xFE0E
EMOJI_PRESENTATION = 0xFE0F
ENCLOSING_KEYCAP = 0x20E3
UNDERSCORE = ord("_")
# The most bytes of a character in UTF-8.
WIDEST = 4


@njit(cache=True, nogil=True)
def code_point(data, position, end):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The code point at `position` and its length in bytes; a stray byte is U+FFFD of length 1."""
    first = int(data[position])
    if first < 0x80:
        return first, 1
    if first < 0xC2 or first > 0xF4:
        return 0xFFFD, 1
    length = 2 + (first >= 0xE0) + (first >= 0xF0)
    if position + length > end:
        return 0xFFFD, 1
    value = first & (0x7F >> length)
    for i in range(1, length):
        byte = int(data[position + i])
        if byte & 0xC0 != 0x80:
            return 0xFFFD, 1
        value = (value << 6) | (byte & 0x3F)
    return (value, length) if value < 0x110000 else (0xFFFD, 1)


@njit(cache=True, nogil=True)
def skip_marks(data, position, stop, classes):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The first place from `position` on that holds no mark and no format character."""
    while position < stop:
        point, length = code_point(data, position, stop)
        if not EXTEND <= classes[point] <= JOINER:
            break
        position += length
    return position


@njit(cache=True, nogil=True)
def joins_around(middle, previous, following):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Whether a character of class `middle` joins its two neighbours."""
    if middle > SINGLE_QUOTE:
        return middle == DOUBLE_QUOTE and previous == HEBREW and following == HEBREW
    if previous in (LETTER, HEBREW):
        return middle != MID_NUMBER and following in (LETTER, HEBREW)
    return middle != MID_LETTER and previous == NUMBER and following == NUMBER


@njit(cache=True, nogil=True)
def behind_middle(middle, previous, following):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The class that `following` counts as, behind a middle."""
    if middle == DOUBLE_QUOTE:
        return middle
    if following == HEBREW and not (middle == SINGLE_QUOTE and previous == HEBREW):
        return LETTER
    return following


@njit(cache=True, nogil=True)
def joins(previous, kind):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Whether two neighbours of these classes lie in one word."""
    if kind == CONNECTOR or previous == CONNECTOR:
        return LETTER <= kind <= KATAKANA
    if kind == KATAKANA or previous == KATAKANA:
        return kind == previous
    return LETTER <= kind <= NUMBER


@njit(cache=True, nogil=True)
def end_of_word(data, start, stop, classes):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The end of the word that begins at `start`, and whether a letter or digit is in it."""
    point, length = code_point(data, start, stop)
    previous = int(classes[point])
    wordlike = previous != CONNECTOR
    end = start + length
    while end < stop:
        point, length = code_point(data, end, stop)
        kind = int(classes[point])
        if EXTEND <= kind <= JOINER:
            end += length
        elif kind >= MID_LETTER:
            after = skip_marks(data, end + length, stop, classes)
            following = 0
            if after < stop:
                point, length = code_point(data, after, stop)
                following = int(classes[point])
            if joins_around(kind, previous, following):
                previous = behind_middle(kind, previous, following)
                end = after + length
            elif kind == SINGLE_QUOTE and previous == HEBREW:
                previous, end = kind, after
            else:
                break
        elif joins(previous, kind):
            previous = kind
            wordlike = wordlike or kind != CONNECTOR
            end += length
        else:
            break
    return end, wordlike


@njit(cache=True, nogil=True)
def skip_plain_marks(data, position, stop, classes):  # type: ignore[no-untyped-def]  # pragma: no cover
    """As `skip_marks`, but a presentation selector ends the marks too; and the last one's point."""
    last = 0
    while position < stop:
        point, length = code_point(data, position, stop)
        if not EXTEND <= classes[point] <= JOINER:
            break
        if point in (TEXT_PRESENTATION, EMOJI_PRESENTATION):
            break
        last = classes[point]
        position += length
    return position, last


@njit(cache=True, nogil=True)
def end_of_keycap(data, start, stop, classes):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The end of "#" or "*" in a keycap; `start` where none encloses it."""
    end, _ = skip_plain_marks(data, start + 1, stop, classes)
    if end < stop:
        point, length = code_point(data, end, stop)
        after = end + length
        if point == EMOJI_PRESENTATION and after < stop:
            point, length = code_point(data, after, stop)
            if point == ENCLOSING_KEYCAP:
                return skip_plain_marks(data, after + length, stop, classes)[0]
    position = start
    while position < end:
        point, length = code_point(data, position, end)
        if point == ENCLOSING_KEYCAP:
            return end
        position += length
    return start


@njit(cache=True, nogil=True)
def skip_joiners(data, position, stop, classes):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Behind zero-width joiners: the place, its class (0 at the stop), and how many there were."""
    count = 0
    kind = 0
    while position < stop:
        point, length = code_point(data, position, stop)
        kind = int(classes[point])
        if kind != JOINER:
            return position, kind, count
        position += length
        count += 1
    return position, 0, count


@njit(cache=True, nogil=True)
def end_of_emoji(data, start, stop, classes):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The end of pictographs with their marks, one joined to the next; `start` where is none."""
    end, kind, _ = skip_joiners(data, start, stop, classes)
    if not (kind == PICTOGRAPH or (kind == MODIFIER and end == start)):
        return start
    while True:
        _, length = code_point(data, end, stop)
        end, last = skip_plain_marks(data, end + length, stop, classes)
        joined = last == JOINER
        if end == stop:
            return end
        point, length = code_point(data, end, stop)
        following = end
        count = 0
        if kind == PICTOGRAPH and point == EMOJI_PRESENTATION:
            end += length
            following, kind, count = skip_joiners(data, end, stop, classes)
            joined = count > 0
        else:
            kind = int(classes[point])
        if not joined:
            return end
        if not (kind == PICTOGRAPH or (kind == MODIFIER and count == 1)):
            return end
        end = following


@njit(cache=True, nogil=True)
def end_of_other(data, start, stop, classes):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The end of a word that begins with no letter or digit."""
    point, length = code_point(data, start, stop)
    kind = classes[point]
    end = start + length
    if kind in (COMPLEX, COMPLEX_MARK):
        while end < stop:
            point, length = code_point(data, end, stop)
            kind = classes[point]
            if kind != COMPLEX and not EXTEND <= kind <= JOINER:
                break
            end += length
        return end
    if kind in (SINGLE, PAIRED):
        end = skip_marks(data, end, stop, classes)
        if kind == PAIRED and end < stop:
            point, length = code_point(data, end, stop)
            if classes[point] == PAIRED:
                end = skip_marks(data, end + length, stop, classes)
        return end
    if kind == REGIONAL:
        end = skip_marks(data, end, stop, classes)
        if end < stop:
            point, length = code_point(data, end, stop)
            if classes[point] == REGIONAL:
                return skip_marks(data, end + length, stop, classes)
        return start
    if kind == KEYCAP:
        return end_of_keycap(data, start, stop, classes)
    if kind in (PICTOGRAPH, MODIFIER, JOINER):
        return end_of_emoji(data, start, stop, classes)
    return start


@njit(cache=True, nogil=True)
def end_of_any(data, start, stop, classes):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The end of the token at `start`, and whether it is a word."""
    point, _ = code_point(data, start, stop)
    if LETTER <= classes[point] <= KATAKANA:
        return end_of_word(data, start, stop, classes)
    end = end_of_other(data, start, stop, classes)
    return end, end > start


@njit(cache=True, nogil=True)
def end_of_token(data, start, end, classes, max_length):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The end of the token at `start`, of `max_length` characters at most, and whether it is one.

    Characters are counted only where the bytes may be too many. Where there is no word, the end is
    where to look on.
    """
    stop = min(end, start + WIDEST * max_length)
    position, wordlike = end_of_any(data, start, stop, classes)
    if position - start > max_length:
        stop = start
        for _ in range(max_length):
            if stop < end:
                stop += code_point(data, stop, end)[1]
        position, wordlike = end_of_any(data, start, stop, classes)
    if not wordlike:
        first = start + code_point(data, start, end)[1]
        position = first
        while data[start] == UNDERSCORE and position < end and data[position] == UNDERSCORE:
            position += 1
        # From no earlier underscore of a long run does a word reach its end.
        position = max(first, position - max_length + 1)
    return position, wordlike


@njit(cache=True, nogil=True)
def resume(data, start, position, end, classes):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Where to go on behind the word from `start` to `position`, in a text up to `end`.

    Behind a pair that is at its second character, where that has one behind it.
    """
    point, length = code_point(data, start, position)
    if classes[point] != PAIRED or position == end:
        return position
    following, _ = code_point(data, position, end)
    second = skip_marks(data, start + length, position, classes)
    return second if second < position and classes[following] == PAIRED else position
