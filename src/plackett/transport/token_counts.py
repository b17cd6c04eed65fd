"""How many tokens a text has: by the model's tokenizer, or estimated from above without it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Protocol

from plackett._optional import require
from plackett.errors import DataError

__all__ = ["EstimatedTokens", "TokenCounter", "TokenizerFile", "token_counter"]

LETTERS_A_TOKEN = 4
"""English words have five letters a token and more, rare ones and names about four."""

# What is a token each: up to four letters, several spaces, any other sign; one space is none.
_PIECES = re.compile(rf"[A-Za-z]{{1,{LETTERS_A_TOKEN}}}|[ \t]{{2,}}|[^ ]")


class TokenCounter(Protocol):
    """Counts the tokens of a text, and cuts a text at a number of them."""

    def count(self, text: str) -> int:
        """How many tokens `text` has."""

    def truncate(self, text: str, tokens: int) -> str:
        """The longest beginning of `text` with at most `tokens` tokens."""


class EstimatedTokens:
    """An estimate that is meant to err upwards, for models whose tokenizer is not at hand.

    A token for four letters of a word, for each digit, sign and line break, and one less than its
    bytes in UTF-8 for every other character; single spaces belong to their word. Byte-level
    tokenizers stay below it on running text; it is no bound for texts made to break them.

    >>> counter = EstimatedTokens()
    >>> counter.count("Ranking, proven 42"), counter.truncate("Ranking, proven 42", 4)
    (7, 'Ranking, prov')
    """

    def count(self, text: str) -> int:
        """How many tokens `text` has, estimated."""
        pieces = len(_PIECES.findall(text))
        if text.isascii():
            return pieces
        others = len(text) - len(text.encode("ascii", "ignore"))
        return pieces + len(text.encode("utf-8", "surrogatepass")) - len(text) - others

    def truncate(self, text: str, tokens: int) -> str:
        """The longest beginning of `text` that is estimated at no more than `tokens` tokens."""
        left = tokens
        for match in _PIECES.finditer(text):
            piece = match.group()
            left -= 1 if piece.isascii() else len(piece.encode("utf-8", "surrogatepass")) - 1
            if left < 0:
                return text[: match.start() + piece.startswith(" ")]
        return text


class TokenizerFile:
    """The tokens of a `tokenizer.json`, special ones left out.

    Parameters
    ----------
    path : the file.

    Raises
    ------
    DataError : there is no such file, or it is no tokenizer.
    OptionalDependencyError : the package `tokenizers` is not installed.
    """

    def __init__(self, path: str | Path) -> None:
        library = require("tokenizers", extra="onnx", purpose="count tokens by a tokenizer file")
        if not Path(path).is_file():
            raise DataError("no file", expected="a tokenizer.json", path=path)
        content = Path(path).read_text(encoding="utf-8", errors="replace")
        try:
            known = "model" in json.loads(content)
        except (ValueError, TypeError):
            known = False
        if not known:
            raise DataError("no tokenizer", expected="a tokenizer.json", path=path)
        self._tokenizer: Any = library.Tokenizer.from_str(content)
        # A file may say to fill or cut every text to one length.
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()

    def count(self, text: str) -> int:
        """How many tokens `text` has."""
        return len(self._encode(text).ids)

    def truncate(self, text: str, tokens: int) -> str:
        """The longest beginning of `text` with at most `tokens` tokens."""
        if tokens <= 0:
            return ""
        encoded = self._encode(text)
        keep = tokens
        while len(encoded.ids) > tokens and keep > 0:
            # A beginning may be cut into more tokens than it was inside the whole.
            shorter = text[: encoded.offsets[keep - 1][1]]
            if self.count(shorter) <= tokens:
                return shorter
            keep -= 1
        return text if len(encoded.ids) <= tokens else ""

    def _encode(self, text: str) -> Any:
        # Half a character, as a broken file may hold, is no text to the library.
        whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return self._tokenizer.encode(whole, add_special_tokens=False)


def token_counter(path: str | Path | None) -> TokenCounter:
    """The counter of a tokenizer file, or the estimate where none is given."""
    return EstimatedTokens() if path is None else TokenizerFile(path)
