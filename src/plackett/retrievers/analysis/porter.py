"""The Porter stemmer, with the two later edits of its author.

Porter, M. F., 1980. An algorithm for suffix stripping. Program 14(3). The edits, in step 2, are
"bli -> ble" (in place of "abli -> able") and "logi -> log"; words of one or two letters stay. This
is the stemmer of Lucene's `PorterStemFilter`.
"""

from __future__ import annotations

__all__ = ["stem"]

VOWELS = frozenset("aeiou")

# Each step's suffixes, grouped by the letter before the last; a longer suffix stands first.
STEP_2 = {
    "a": (("ational", "ate"), ("tional", "tion")),
    "c": (("enci", "ence"), ("anci", "ance")),
    "e": (("izer", "ize"),),
    "l": (("bli", "ble"), ("alli", "al"), ("entli", "ent"), ("eli", "e"), ("ousli", "ous")),
    "o": (("ization", "ize"), ("ation", "ate"), ("ator", "ate")),
    "s": (("alism", "al"), ("iveness", "ive"), ("fulness", "ful"), ("ousness", "ous")),
    "t": (("aliti", "al"), ("iviti", "ive"), ("biliti", "ble")),
    "g": (("logi", "log"),),
}
STEP_3 = {
    "e": (("icate", "ic"), ("ative", ""), ("alize", "al")),
    "i": (("iciti", "ic"),),
    "l": (("ical", "ic"), ("ful", "")),
    "s": (("ness", ""),),
}
STEP_4 = {
    "a": ("al",),
    "c": ("ance", "ence"),
    "e": ("er",),
    "i": ("ic",),
    "l": ("able", "ible"),
    "n": ("ant", "ement", "ment", "ent"),
    "o": ("ion", "ou"),
    "s": ("ism",),
    "t": ("ate", "iti"),
    "u": ("ous",),
    "v": ("ive",),
    "z": ("ize",),
}


def stem(word: str) -> str:
    """The stem of a lower-case word; letters other than a-z count as consonants.

    >>> [stem(word) for word in ["running", "ponies", "relational", "generically", "possibly"]]
    ['run', 'poni', 'relat', 'gener', 'possibl']
    """
    if len(word) <= 2:
        return word
    if word[-1] == "s":
        word = _step_1a(word)
    word = _step_1b(word)
    if word[-1] == "y" and _has_vowel(word[:-1]):
        word = word[:-1] + "i"
    word = _replace(word, STEP_2.get(word[-2:-1], ()))
    word = _replace(word, STEP_3.get(word[-1], ()))
    word = _step_4(word)
    return _step_5(word)


def _consonants(word: str) -> str:
    """One letter a character: "c" for a consonant, "v" for a vowel."""
    kinds = []
    previous = ""
    for letter in word:
        is_vowel = letter in VOWELS or (letter == "y" and previous == "c")
        previous = "v" if is_vowel else "c"
        kinds.append(previous)
    return "".join(kinds)


def _measure(word: str) -> int:
    """How often a vowel is followed by a consonant: Porter's m."""
    return _consonants(word).count("vc")


def _has_vowel(word: str) -> bool:
    return "v" in _consonants(word)


def _ends_double(word: str) -> bool:
    return len(word) >= 2 and word[-1] == word[-2] and _consonants(word)[-1] == "c"


def _ends_short(word: str) -> bool:
    """Consonant, vowel, consonant, where the last is not w, x or y."""
    return word[-1:] not in ("w", "x", "y") and _consonants(word).endswith("cvc")


def _step_1a(word: str) -> str:
    if word.endswith(("sses", "ies")):
        return word[:-2]
    if word.endswith("ss"):
        return word
    return word[:-1]


def _step_1b(word: str) -> str:
    if word.endswith("eed"):
        return word[:-1] if _measure(word[:-3]) > 0 else word
    if word.endswith("ed"):
        base = word[:-2]
    elif word.endswith("ing"):
        base = word[:-3]
    else:
        return word
    if not _has_vowel(base):
        return word
    if base.endswith(("at", "bl", "iz")):
        return base + "e"
    if _ends_double(base):
        return base if base[-1] in "lsz" else base[:-1]
    if _measure(base) == 1 and _ends_short(base):
        return base + "e"
    return base


def _replace(word: str, suffixes: tuple[tuple[str, str], ...]) -> str:
    """The first suffix that fits is replaced where the rest has a positive measure."""
    for suffix, replacement in suffixes:
        if word.endswith(suffix):
            base = word[: -len(suffix)]
            return base + replacement if _measure(base) > 0 else word
    return word


def _step_4(word: str) -> str:
    for suffix in STEP_4.get(word[-2:-1], ()):
        if word.endswith(suffix):
            base = word[: -len(suffix)]
            if suffix == "ion" and base[-1:] not in ("s", "t"):
                # "ion" does not fit here; no other suffix of its group ends this word.
                return word
            return base if _measure(base) > 1 else word
    return word


def _step_5(word: str) -> str:
    if word[-1:] == "e":
        base = word[:-1]
        measure = _measure(base)
        if measure > 1 or (measure == 1 and not _ends_short(base)):
            word = base
    if word.endswith("ll") and _measure(word) > 1:
        word = word[:-1]
    return word
