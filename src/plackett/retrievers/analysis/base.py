"""An analyzer turns a text into the terms that an index holds."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib import resources
from typing import Any, Protocol, runtime_checkable

from plackett.errors import ConfigurationError, DataError, UnknownNameError
from plackett.retrievers.analysis.segmentation import split_ascii, split_words
from plackett.retrievers.analysis.stemming import STEMMERS, stemmer
from plackett.retrievers.analysis.word_classes import class_table
from plackett.retrievers.parameters import check_count

__all__ = [
    "ANALYZERS",
    "Analyzer",
    "FunctionAnalyzer",
    "TextAnalyzer",
    "get_analyzer",
    "register_analyzer",
]

TOKENIZERS = ("words", "pairs", "whitespace")
LANGUAGES = (
    "danish",
    "dutch",
    "finnish",
    "french",
    "german",
    "greek",
    "hungarian",
    "italian",
    "norwegian",
    "portuguese",
    "romanian",
    "russian",
    "spanish",
    "swedish",
    "turkish",
)
"""Those with an analyzer of their name: their stop words, then Snowball's stems."""
STOP_LISTS = ("english", *LANGUAGES)
APOSTROPHES = ("'", "\u2019", "\uff07")
SHORTEST_MAX_LENGTH = 16


@runtime_checkable
class TextAnalyzer(Protocol):
    """What an index asks of its analyzer."""

    def __call__(self, text: str) -> list[str]:
        """The terms of a text, in reading order."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """A description that `analyzer_from_dict` turns back into the analyzer."""
        ...


@dataclass(frozen=True)
class Analyzer:
    """A tokenizer, then a chain of filters on each word.

    The chain runs in this order: lower-case, drop what is elided, drop a final 's, drop stop words,
    stem. It sees one word at a time, so that a build runs it once a *distinct* word.

    Parameters
    ----------
    tokenizer : "words" (Unicode words, UAX #29, as Lucene's), "pairs" (the same, but every Han,
        Hiragana, Katakana or Hangul character is paired with each neighbour) or "whitespace".
    lower : write words in lower case.
    possessive : drop a final "'s".
    stopwords : "english" (Lucene's 33 words), another language's name, a tuple of words of your
        own, or None.
    stemmer : "porter", the name of one of Snowball's (extra "languages"), or None.
    max_length : a longer word is cut into pieces of that many characters; 16 or more.
    elision : drop a stop word that an apostrophe joins to the next: "l'avion" becomes "avion".

    >>> Analyzer(possessive=True, stopwords="english", stemmer="porter")("The pilot's wings")
    ['pilot', 'wing']
    """

    tokenizer: str = "words"
    lower: bool = True
    possessive: bool = False
    stopwords: str | tuple[str, ...] | None = None
    stemmer: str | None = None
    max_length: int = 255
    elision: bool = False

    def __post_init__(self) -> None:
        if self.tokenizer not in TOKENIZERS:
            raise UnknownNameError("tokenizer", str(self.tokenizer), TOKENIZERS)
        if self.stemmer is not None and self.stemmer not in STEMMERS:
            raise UnknownNameError("stemmer", str(self.stemmer), STEMMERS)
        if isinstance(self.stopwords, str) and self.stopwords not in STOP_LISTS:
            raise UnknownNameError("stop list", self.stopwords, STOP_LISTS)
        if not (self.stopwords is None or isinstance(self.stopwords, str)):
            _check_words(self.stopwords)
        for name in ("lower", "possessive", "elision"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigurationError(f"{name}={getattr(self, name)!r}; expected True or False.")
        check_count("max_length", self.max_length, SHORTEST_MAX_LENGTH)

    @cached_property
    def _stopped(self) -> frozenset[str]:
        if self.stopwords is None:
            return frozenset()
        if isinstance(self.stopwords, str):
            name = f"stopwords_{self.stopwords}.txt"
            return frozenset(resources.files(__package__).joinpath(name).read_text("utf-8").split())
        return frozenset(self.stopwords)

    def normalise(self, word: str) -> str | None:
        """The term of one word of the tokenizer, or None for a word that is dropped."""
        if self.lower:
            # Unicode gives the capital I with a dot two characters; no text in lower case has them.
            word = word.replace("\u0130", "i").lower()
        if self.elision:
            word = self._without_elided(word)
        if self.possessive and len(word) > 2 and word[-1] in "sS" and word[-2] in APOSTROPHES:
            word = word[:-2]
        if word in self._stopped:
            return None
        return self._stem(word)

    def _without_elided(self, word: str) -> str:
        """The word behind the first apostrophe where a stop word stands before it."""
        for place, letter in enumerate(word):
            if letter in APOSTROPHES:
                return word[place + 1 :] if word[:place] in self._stopped else word
        return word

    @cached_property
    def _stem(self) -> Callable[[str], str]:
        return str if self.stemmer is None else stemmer(self.stemmer)

    def __call__(self, text: str) -> list[str]:
        """The terms of `text`, in reading order."""
        if len(text) > self.max_length or not text.isascii():
            words = split_words(text, class_table(self.tokenizer), self.max_length)
        else:  # as most queries are
            words = text.split() if self.tokenizer == "whitespace" else split_ascii(text)
        return [term for term in map(self.normalise, words) if term is not None]

    def to_dict(self) -> dict[str, Any]:
        """The parameters, as JSON holds them."""
        values = asdict(self)
        if isinstance(self.stopwords, tuple):
            values["stopwords"] = list(self.stopwords)
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Analyzer:
        """The analyzer that `to_dict` described."""
        if not isinstance(values, Mapping):
            raise ConfigurationError(f"the analyzer {values!r}; expected its parameters by name.")
        known = dict(values)
        if isinstance(known.get("stopwords"), list):
            known["stopwords"] = tuple(known["stopwords"])
        try:
            return cls(**known)
        except TypeError as error:
            raise ConfigurationError(f"an analyzer with {', '.join(known)}: {error}") from error


def _check_words(words: Any) -> None:
    """Refuse a stop list that is no collection of words."""
    if not isinstance(words, Collection) or not all(isinstance(word, str) for word in words):
        raise ConfigurationError(f"stopwords={words!r}; expected a tuple of words.")


@dataclass(frozen=True)
class FunctionAnalyzer:
    """A function of yours, `text -> list of terms`, as an analyzer.

    A function cannot be saved: an index that was built with one asks for it when it is opened.

    >>> FunctionAnalyzer(str.split)("a b")
    ['a', 'b']
    """

    function: Callable[[str], list[str]]

    def __call__(self, text: str) -> list[str]:
        """The terms that the function makes of `text`.

        Raises
        ------
        DataError : they are no texts that UTF-8 can hold.
        """
        made = self.function(text)
        try:
            terms = list(made)
            "".join(terms).encode()
        except (TypeError, UnicodeEncodeError) as error:
            raise DataError(
                f"{made!r:.80} of the function that is the analyzer", expected="a list of terms"
            ) from error
        return terms

    def to_dict(self) -> dict[str, Any]:
        """The function's name, for error messages only."""
        return {"function": getattr(self.function, "__qualname__", type(self.function).__name__)}


ANALYZERS: dict[str, TextAnalyzer] = {}


def register_analyzer(name: str, analyzer: TextAnalyzer) -> TextAnalyzer:
    """Give an analyzer a name; a name that is taken is an error."""
    if name in ANALYZERS:
        raise ConfigurationError(f"the analyzer {name!r} exists already")
    ANALYZERS[name] = analyzer
    return analyzer


register_analyzer("english", Analyzer(possessive=True, stopwords="english", stemmer="porter"))
register_analyzer("cjk", Analyzer(tokenizer="pairs", stopwords="english"))
register_analyzer("english_unstemmed", Analyzer(possessive=True, stopwords="english"))
register_analyzer("unicode", Analyzer())
register_analyzer("whitespace", Analyzer(tokenizer="whitespace", lower=False))
for language in LANGUAGES:
    elided = language in ("french", "italian")
    register_analyzer(language, Analyzer(stopwords=language, stemmer=language, elision=elided))


def get_analyzer(analyzer: str | TextAnalyzer | Callable[[str], list[str]]) -> TextAnalyzer:
    """An analyzer from its name, itself, or a function `text -> list of terms`.

    Raises
    ------
    UnknownNameError : no analyzer has that name.

    >>> get_analyzer("english")("Running the tests")
    ['run', 'test']
    """
    if isinstance(analyzer, str):
        if analyzer not in ANALYZERS:
            raise UnknownNameError("analyzer", analyzer, ANALYZERS)
        return ANALYZERS[analyzer]
    if isinstance(analyzer, TextAnalyzer):
        return analyzer
    if not callable(analyzer):
        raise ConfigurationError(
            f"an analyzer is a name, an Analyzer or a function, not {analyzer!r}"
        )
    return FunctionAnalyzer(analyzer)
