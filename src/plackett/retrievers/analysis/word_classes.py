"""The classes of characters that decide where a word begins and ends."""

from __future__ import annotations

from functools import cache
from importlib import resources

import numpy as np
import numpy.typing as npt

__all__ = ["CLASSES", "class_table"]

CLASSES = (
    "separator",
    "letter",
    "hebrew",
    "number",
    "connector",
    "katakana",
    "complex",
    "single",
    "paired",
    "pictograph",
    "regional",
    "extend",
    "complex_mark",
    "modifier",
    "joiner",
    "mid_letter",
    "mid_number",
    "mid_both",
    "single_quote",
    "double_quote",
    "keycap",
)
"""The classes in the order of their codes; the file `word_classes.txt` says what each does.

Of class "paired" are the characters that the tokenizer "pairs" joins two by two.
"""

N_CODE_POINTS = 0x110000
HANGUL_SYLLABLES = slice(0xAC00, 0xD7A4)
# Python's str.isspace, of any Unicode version.
WHITESPACE = (
    *range(0x09, 0x0E),
    *range(0x1C, 0x21),
    0x85,
    0xA0,
    0x1680,
    *range(0x2000, 0x200B),
    0x2028,
    0x2029,
    0x202F,
    0x205F,
    0x3000,
)


@cache
def class_table(tokenizer: str) -> npt.NDArray[np.uint8]:
    """The class code of every code point, `uint8[0x110000]`, read-only.

    Parameters
    ----------
    tokenizer : "words" (Unicode words, after UAX #29), "pairs" (the same, but Han, Hiragana,
        Katakana and Hangul characters are paired with their neighbours) or "whitespace".

    >>> [CLASSES[code] for code in class_table("words")[[ord(c) for c in "a7_' "]]]
    ['letter', 'number', 'connector', 'single_quote', 'separator']
    """
    if tokenizer == "whitespace":
        table = np.full(N_CODE_POINTS, CLASSES.index("letter"), dtype=np.uint8)
        table[list(WHITESPACE)] = 0
        table.flags.writeable = False
        return table
    table = np.zeros(N_CODE_POINTS, dtype=np.uint8)
    text = resources.files(__package__).joinpath("word_classes.txt").read_text("ascii")
    for line in text.splitlines():
        if not line.startswith("#"):
            first, last, name = line.split()
            table[int(first, 16) : int(last, 16) + 1] = CLASSES.index(name)
    if tokenizer == "pairs":
        for name in ("single", "katakana"):
            table[table == CLASSES.index(name)] = CLASSES.index("paired")
        table[HANGUL_SYLLABLES] = CLASSES.index("paired")
    table.flags.writeable = False
    return table
