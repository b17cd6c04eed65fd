"""Queries that a language model writes: the parts of a question, or a turn made whole."""

from __future__ import annotations

import re

from plackett.data.texts import Queries
from plackett.errors import ConfigurationError
from plackett.llm.base import LanguageModel
from plackett.llm.door import Door, Usage
from plackett.llm.requests import Generate, Generation, Message, Prompt
from plackett.pipeline.query_writing import QueryWriter, WrittenQueries
from plackett.retrievers.query_texts import main_texts
from plackett.retrievers.query_writing.given import distinct_texts
from plackett.retrievers.query_writing.history import earlier_turns
from plackett.transport.budget import Budget
from plackett.transport.cache import AnswerCache
from plackett.transport.event_loop import run_blocking
from plackett.transport.records import CallLog

__all__ = ["QUERY_PROMPTS", "ModelWriter", "queries_in"]

QUERY_PROMPTS = {
    "decompose": (
        "A question is to be answered from several documents. Write the simpler questions that a "
        "search engine should be asked to find them, one a line and nothing else, at most {most}. "
        "If the question is simple already, repeat it.\n\nQuestion: {query}"
    ),
    "paraphrase": (
        "Write {most} other wordings of a search query that mean the same, one a line and nothing "
        "else.\n\nQuery: {query}"
    ),
    "rewrite": (
        "Below is a conversation with a search engine and its last turn. Write that turn as one "
        "question that can be understood without the conversation, on one line and nothing else."
        "\n\nConversation:\n{history}\n\nLast turn: {query}"
    ),
}
"""What a model is asked, by name."""

_NUMBERING = re.compile(r"^\s*(?:[-*\u2022]+|\(?\d{1,2}[.):](?=\s)|[Qq]\d{1,2}[.:](?=\s))\s*")
_MOST_TOKENS = 60


class ModelWriter(QueryWriter):
    """Asks a language model, once a query, for other queries.

    An answer that holds none leaves the query alone: the pipeline then finds what it would find
    without this stage.

    Parameters
    ----------
    model : a `LanguageModel` that can generate, or its description, such as
        "OpenAI('gpt-4o-mini')".
    prompt : a name of `QUERY_PROMPTS`, or a text with the places {query}, {most} and {history}.
    most : at most so many queries besides the original.
    original : ask the query itself too, first.
    column : where {history} comes from; see `History`.
    temperature : 0 for the likeliest answer.
    cache : a file of answers, or an `AnswerCache`; None asks anew each time.
    budget : what all calls together may cost.

    Raises
    ------
    ConfigurationError : parameters that do not go together, a prompt without {query}.
    BudgetExceededError, MissingAnswerError : as for any question to a model.

    >>> from plackett.llm.base import LanguageModel
    >>> class Parrot(LanguageModel):
    ...     powers, identity = frozenset({"generate"}), "parrot"
    ...     async def answer(self, requests):
    ...         return [Generation("1. wing lift\\n2. wing drag") for _ in requests]
    ...     def count_tokens(self, text):
    ...         return len(text.split())
    ...     def truncate(self, text, tokens):
    ...         return " ".join(text.split()[:tokens])
    ...     def __repr__(self):
    ...         return "Parrot()"
    >>> ModelWriter(Parrot()).write(Queries.from_texts({"q": "lift and drag of wings"})).texts
    ('lift and drag of wings', 'wing lift', 'wing drag')
    """

    def __init__(
        self,
        model: LanguageModel | str,
        *,
        prompt: str = "decompose",
        most: int = 5,
        original: bool = True,
        column: str = "conversation",
        temperature: float = 0.0,
        cache: AnswerCache | str | None = None,
        budget: Budget | None = None,
    ) -> None:
        template = QUERY_PROMPTS.get(prompt, prompt)
        if "{query}" not in template:
            known = ", ".join(QUERY_PROMPTS)
            raise ConfigurationError(
                f"prompt={prompt!r}; expected a text with {{query}} in it, or one of {known}."
            )
        if most < 1 or temperature < 0:
            raise ConfigurationError(
                f"most={most}, temperature={temperature}; expected most from 1, temperature from 0."
            )
        self.model, self.prompt, self.original, self.column = model, prompt, original, column
        self.limit, self.temperature = most, temperature
        self.cache, self.budget, self.log = cache, budget, CallLog()
        self.most = most + original
        self._template = template
        self._door: Door | None = None

    def write(self, queries: Queries) -> WrittenQueries:
        """What the model writes for each query."""
        asked = main_texts(queries)
        histories = [""] * len(asked)
        if "{history}" in self._template:
            histories = ["\n".join(turns) for turns in earlier_turns(queries, self.column)]
        requests = [
            Generate(
                Prompt((Message("user", self._filled(query, history)),)),
                max_tokens=_MOST_TOKENS * self.limit,
                temperature=self.temperature,
            )
            for query, history in zip(asked, histories, strict=True)
        ]
        usage = Usage()
        # All at once: the door puts them into the batches that the model takes.
        answers = run_blocking(self._opened().ask(requests, usage))
        written = []
        for query, answer in zip(asked, answers, strict=True):
            others = queries_in(answer.text) if isinstance(answer, Generation) else []
            texts = distinct_texts([query, *others] if self.original else others)
            written.append(texts[: self.most] or [query])
        return WrittenQueries.of(written, calls=usage.calls, tokens=usage.tokens)

    def _filled(self, query: str, history: str) -> str:
        """The prompt for one query; braces in the texts stay as they are."""
        values = {"{most}": str(self.limit), "{history}": history or "(none)", "{query}": query}
        places = re.compile("|".join(map(re.escape, values)))
        return places.sub(lambda place: values[place[0]], self._template)

    def _opened(self) -> Door:
        """The door to the model, opened at first use."""
        if self._door is None:
            from plackett.llm import parse_model

            model = parse_model(self.model) if isinstance(self.model, str) else self.model
            cache = AnswerCache(self.cache) if isinstance(self.cache, str) else self.cache
            self._door = Door(model, cache=cache, budget=self.budget, log=self.log)
        return self._door

    def __repr__(self) -> str:
        model = self.model if isinstance(self.model, str) else repr(self.model)
        named = {
            "prompt": (self.prompt, "decompose"),
            "most": (self.limit, 5),
            "original": (self.original, True),
            "column": (self.column, "conversation"),
            "temperature": (self.temperature, 0.0),
        }
        rest = [f", {name}={value!r}" for name, (value, usual) in named.items() if value != usual]
        return f"ModelWriter({model!r}{''.join(rest)})"


def queries_in(answer: str) -> list[str]:
    """The queries of an answer: one a line, without numbers, bullets and quotation marks.

    Lines that end in a colon announce what follows and are no queries.

    >>> queries_in('Here they are:\\n1. wing lift\\n- "wing drag"\\n\\n2) wing lift')
    ['wing lift', 'wing drag']
    """
    lines = [_NUMBERING.sub("", line).strip().strip("\"'`").strip() for line in answer.splitlines()]
    wanted = [line for line in lines if any(map(str.isalnum, line)) and not line.endswith(":")]
    return distinct_texts(wanted)
