"""The part of an answer that answers: without thinking, tags, and characters that nobody sees."""

from __future__ import annotations

import re
import unicodedata

from plackett.llm.parsing.words import REFUSAL

__all__ = ["LONGEST", "answer_part", "cleaned", "is_refusal", "plain_characters"]

LONGEST = 60_000
"""Characters of an answer that are read; of a longer one half from each end."""

_THINKING = re.compile(
    r"<\s{0,3}(/?)\s{0,3}(?:think|thinking|thought|thoughts|reasoning|reflection|analysis)"
    r"\s{0,3}>|(◁)(/?)think▷|\[(/?)THINK\]",
    re.IGNORECASE,
)
_ANSWER = re.compile(
    r"<\s{0,3}(/?)\s{0,3}(?:answer|output|final_answer|final)\s{0,3}>", re.IGNORECASE
)
_MARKUP = re.compile(r"[*_`~#]{1,3}|</?(?:b|i|strong|em|code|p|br|li|ul|ol|div|span)\s{0,3}/?>")
_BLANK = "\x00 \t\r\n\ufeff"
_FENCE = re.compile(r"```[ \t]{0,3}[A-Za-z0-9_+-]{0,20}")
_JOINING = {
    "\ufe0f": "",
    "\u20e3": "",
    "\u200b": " ",
    "\u200c": " ",
    "\u200d": " ",
    "\u2028": "\n",
    "\u2029": "\n",
}
_BRACKETS = dict(zip("【〔「『〖⟦《〈", "[" * 8, strict=True)) | dict(
    zip("】〕」』〗⟧》〉", "]" * 8, strict=True)
)
_SIGNS = {
    "≻": ">", "›": ">", "»": ">", "→": ">", "⇒": ">", "➔": ">", "➜": ">", "≫": ">", "⟩": ">",
    "≥": ">", "−": "-", "‐": "-", "‑": "-", "‒": "-", "–": "-", "—": "-",
    "’": "'", "‘": "'", "ʼ": "'", "“": '"', "”": '"', "„": '"', "≈": "=", "、": ",", "，": ",",
    "：": ":", "。": ".",
}  # fmt: skip


class _Plain(dict[int, str]):
    """Characters as their plain ASCII counterparts, found one by one.

    Whole texts are not normalised: sorting a long run of combining marks takes quadratic time.
    """

    def __missing__(self, code: int) -> str:
        plain = _plain(chr(code))
        self[code] = plain
        return plain


def _plain(character: str) -> str:
    if character in "\n\t\r":
        return character
    for table in (_JOINING, _BRACKETS, _SIGNS):
        if character in table:
            return table[character]
    kind = unicodedata.category(character)
    if kind in ("Cc", "Cs", "Zs"):
        return " "
    if kind == "Cf":
        return ""
    if kind == "Nd":
        return str(unicodedata.decimal(character))
    return unicodedata.normalize("NFKC", character) if kind != "Mn" else character


def plain_characters(text: str) -> str:
    """Digits of any script, full-width letters, brackets and arrows in their ASCII form.

    Marks of direction and other invisible characters go; control characters become spaces.

    >>> plain_characters("［３］ ≻ 【١】 \\u200f> ²")
    '[3] > [1] > 2'
    """
    return text.translate(_Plain())


def answer_part(text: str) -> tuple[str, str]:
    """What an answer says beside its thinking and in its answer tags, and the fault where nothing.

    >>> answer_part("<think>[1] or [2]?</think> [2] > [1]")
    ('[2] > [1]', '')
    >>> answer_part("<think>[1] or [2]?")
    ('', 'unfinished_thinking')
    """
    outside, unfinished = _outside_thinking(text)
    if len(outside) > LONGEST:
        outside = outside[: LONGEST // 2] + "\n" + outside[-LONGEST // 2 :]
    part = _in_answer_tags(outside).strip(_BLANK)
    if part or not text.strip(_BLANK):
        return part, "" if part else "empty"
    return "", "unfinished_thinking" if unfinished else "only_thinking"


def _outside_thinking(text: str) -> tuple[str, bool]:
    """The text outside of thinking; whether thinking has not ended."""
    pieces: list[str] = []
    start, inside = 0, False
    for tag in _THINKING.finditer(text):
        closes = "/" in tag.group()
        if not inside and closes and not pieces:
            pass  # the prompt had begun the thinking: all before is thinking
        elif not inside:
            pieces.append(text[start : tag.start()])
        if not inside or closes:
            start = tag.end()
        inside = not closes
    if not inside:
        pieces.append(text[start:])
    return "\n".join(pieces), inside


def _in_answer_tags(text: str) -> str:
    """The content of the last answer tags; the whole text where they hold nothing."""
    found, start = "", -1
    for tag in _ANSWER.finditer(text):
        if not tag.group(1):
            start = tag.end()
        elif start >= 0:
            if text[start : tag.start()].strip():
                found = text[start : tag.start()]
            start = -1
    if start >= 0 and text[start:].strip():
        return text[start:]
    return found or _ANSWER.sub("", text)


def _without_markup(text: str) -> str:
    """A text without the marks of bold and code."""
    return _MARKUP.sub("", _FENCE.sub("", text))


def cleaned(text: str) -> tuple[str, list[str]]:
    """A text in plain characters and without markup, and the faults that this mended.

    >>> cleaned("**［3］**")
    ('[3]', ['characters', 'markup'])
    """
    plain = plain_characters(text)
    clean = _without_markup(plain)
    faults = ["characters"] if plain != text else []
    if clean != plain:
        faults.append("markup")
    return clean, faults


def is_refusal(text: str, *, at_start: bool = False) -> bool:
    """Whether an answer says, near its beginning or right there, that it is none.

    >>> is_refusal("Es tut mir leid, das kann ich nicht."), is_refusal("[2] > [1]")
    (True, False)
    """
    beginning = plain_characters(text[:300]).lstrip()
    found = REFUSAL.match(beginning) if at_start else REFUSAL.search(beginning)
    return found is not None
