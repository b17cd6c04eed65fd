"""From batches of texts to term codes: the build's side of analysis."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from plackett.errors import DataError
from plackett.retrievers.analysis.base import Analyzer, TextAnalyzer
from plackett.retrievers.analysis.word_classes import class_table

__all__ = ["TermCoder", "coder_for"]

Coded = tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]


class TermCoder(Protocol):
    """Codes terms in order of first appearance, over as many batches as come.

    Attributes
    ----------
    terms : the terms so far; a term's code is its position.
    """

    terms: list[str]

    def code(self, texts: pa.Array) -> Coded:
        """`(tokens int32[t], counts int32[n])` of `n` texts: all term codes, and how many each."""
        ...


def coder_for(analyzer: TextAnalyzer) -> TermCoder:
    """The fastest coder for an analyzer."""
    return _KernelCoder(analyzer) if isinstance(analyzer, Analyzer) else _PythonCoder(analyzer)


class _PythonCoder:
    """Any analyzer, one text at a time."""

    def __init__(self, analyzer: TextAnalyzer) -> None:
        self.analyzer = analyzer
        self.terms: list[str] = []
        self._codes: dict[str, int] = {}

    def code(self, texts: pa.Array) -> Coded:
        tokens: list[int] = []
        counts: list[int] = []
        for text in texts.to_pylist():
            terms = self.analyzer(text or "")
            for term in terms:
                code = self._codes.setdefault(term, len(self.terms))
                if code == len(self.terms):
                    self.terms.append(term)
                tokens.append(code)
            counts.append(len(terms))
        return np.array(tokens, dtype=np.int32), np.array(counts, dtype=np.int32)


class _KernelCoder:
    """The kernel cuts texts into words; Python sees each distinct word once."""

    def __init__(self, analyzer: Analyzer) -> None:
        self.analyzer = analyzer
        self.terms: list[str] = []
        self._codes: dict[str, int] = {}
        self._classes = class_table(analyzer.tokenizer)
        self._n_words = 0
        self._table = np.zeros(1 << 13, dtype=np.uint64)
        self._spelling = np.zeros(1 << 16, dtype=np.uint8)
        self._ends = np.zeros((1 << 11) + 1, dtype=np.int64)
        self._term_of_word = np.zeros(0, dtype=np.int32)

    def code(self, texts: pa.Array) -> Coded:
        from plackett.retrievers.analysis.token_kernels import code_words, keep_terms

        data, bounds = text_buffers(texts)
        n = len(bounds) - 1
        counts = np.zeros(n, dtype=np.int32)
        tokens = np.empty((int(bounds[-1] - bounds[0]) + n) // 2 + 1, dtype=np.int32)
        done, n_tokens = 0, 0
        while done < n:
            first = done
            done, self._n_words, n_tokens = code_words(
                data,
                bounds,
                first,
                self._classes,
                self.analyzer.lower,
                self.analyzer.max_length,
                self._table,
                self._spelling,
                self._ends,
                self._n_words,
                tokens,
                n_tokens,
                counts,
            )
            if done < n:
                self._grow(int(bounds[done + 1] - bounds[done]))
        self._analyze_new_words()
        n_tokens = keep_terms(tokens, counts, self._term_of_word)
        return tokens[:n_tokens], counts

    def _grow(self, text_bytes: int) -> None:
        """Make room for the words of a text of so many bytes, and at least twice what there was."""
        from plackett.retrievers.analysis.token_kernels import move_entries

        words = max(2 * len(self._ends), self._n_words + text_bytes)
        self._ends = np.resize(self._ends, words + 1)
        used = int(self._ends[self._n_words])
        self._spelling = np.resize(
            self._spelling, max(2 * len(self._spelling), used + 2 * text_bytes)
        )
        table = np.zeros(2 << (2 * words - 1).bit_length(), dtype=np.uint64)
        move_entries(self._table, table)
        self._table = table

    def _analyze_new_words(self) -> None:
        """Run the filters over the words that this batch brought."""
        first = len(self._term_of_word)
        if first == self._n_words:
            return
        ends = self._ends[first : self._n_words + 1]
        try:
            words = pa.Array.from_buffers(
                pa.large_string(),
                len(ends) - 1,
                [None, pa.py_buffer(np.ascontiguousarray(ends)), pa.py_buffer(self._spelling)],
            ).to_pylist()
        except UnicodeDecodeError as error:
            raise DataError(f"a text that is no UTF-8 ({error})", expected="UTF-8") from error
        new = np.empty(len(words), dtype=np.int32)
        normalise, codes, terms = self.analyzer.normalise, self._codes, self.terms
        for position, word in enumerate(words):
            term = normalise(word)
            if term is None:
                new[position] = -1
                continue
            code = codes.setdefault(term, len(terms))
            if code == len(terms):
                terms.append(term)
            new[position] = code
        self._term_of_word = np.concatenate([self._term_of_word, new])


def text_buffers(texts: pa.Array) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """The UTF-8 bytes of an Arrow string array, and the bounds `int64[n + 1]` of each text.

    The bytes are not copied; a missing text is empty.
    """
    if texts.null_count:
        texts = texts.fill_null("")
    wide = pa.types.is_large_string(texts.type)
    _, offsets, data = texts.buffers()
    if len(texts) == 0 or offsets is None:
        return np.zeros(0, dtype=np.uint8), np.zeros(1, dtype=np.int64)
    bounds = np.frombuffer(offsets, dtype=np.int64 if wide else np.int32)
    bounds = bounds[texts.offset : texts.offset + len(texts) + 1].astype(np.int64)
    if data is None:
        return np.zeros(0, dtype=np.uint8), bounds
    return np.frombuffer(data, dtype=np.uint8), bounds
