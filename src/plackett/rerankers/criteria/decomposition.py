"""A question taken apart, and every part searched for: candidates for what comes after."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence

import pyarrow as pa

from plackett.data.cost import Cost
from plackett.data.ids import Ids
from plackett.data.run import Run
from plackett.data.texts import Queries
from plackett.errors import ConfigurationError
from plackett.llm.base import LanguageModel
from plackett.llm.door import Door, Usage
from plackett.llm.fitting import fit
from plackett.llm.requests import Answer, Generate, Generation
from plackett.llm.templates import PromptTemplate, prompt_template
from plackett.pipeline.applying import timed_search
from plackett.pipeline.base import Retriever
from plackett.rerankers.strategy import Asking, Policy
from plackett.transport.budget import Budget
from plackett.transport.cache import AnswerCache
from plackett.transport.event_loop import run_blocking
from plackett.transport.records import CallLog

__all__ = ["Decomposition"]

ANSWER_TOKENS = 256
LONGEST_QUESTION = 1000
"""Characters; a longer line of an answer is no question."""


class Decomposition(Retriever):
    """Searches for a question and for the shorter questions that a model takes it apart into.

    The question itself is always among those searched for. Each is searched for to depth k; the
    lists are joined, every document once, by its best rank in any list (equal ranks: the list of
    the question first). Scores of different questions are never compared: the joined list's are
    minus the rank. A stage after this one ranks against the question as it was asked. One call a
    question; where the answer cannot be used, only the question itself is searched for.

    Parameters
    ----------
    model : with the power "generate", or its description.
    retriever : what searches.
    k : documents for each question searched for.
    most : shorter questions at most.
    temperature : of the sampling.
    template : the prompt's name, or the path of a prompt of your own that asks for lines.
    cache, budget, on_malformed, seed : see `StrategyReranker`.

    Attributes
    ----------
    log : the calls that were made.
    answers : how many answers were ok, repaired, wrong_format, missing, refused.

    Raises
    ------
    ConfigurationError : a depth or a number of questions below 1.

    Paper: Question Decomposition for Retrieval-Augmented Generation (2025).

    >>> from plackett.llm.oracle.model import Oracle
    >>> from plackett.pipeline import Retriever
    >>> class Fixed(Retriever):
    ...     def search(self, queries, k=1000):
    ...         return Run.from_dict({query: {"a": 2.0, "b": 1.0} for query, _ in queries}).head(k)
    ...
    ...     def __repr__(self):
    ...         return "Fixed()"
    >>> first = Decomposition(Oracle({}), Fixed(), k=1)
    >>> first.search(Queries.from_texts({"q": "Who founded the maker of it?"})).to_dict()
    {'q': {'a': -1.0}}
    """

    def __init__(
        self,
        model: LanguageModel | str,
        retriever: Retriever,
        *,
        k: int = 10,
        most: int = 5,
        temperature: float = 0.8,
        template: str = "decomposition",
        cache: AnswerCache | str | None = None,
        budget: Budget | None = None,
        on_malformed: Policy = "repair",
        seed: int = 0,
    ) -> None:
        if k < 1 or most < 1:
            raise ConfigurationError(f"k = {k!r}, most = {most!r}; expected 1 or more.")
        if on_malformed not in ("repair", "keep", "strict"):
            raise ConfigurationError(
                f"on_malformed = {on_malformed!r}; expected repair, keep or strict."
            )
        self.model, self.retriever, self.k, self.most = model, retriever, k, most
        self.temperature, self.template = temperature, template
        self.cache, self.budget = cache, budget
        self.on_malformed, self.seed = on_malformed, seed
        self.log = CallLog()
        self.answers: Counter[str] = Counter()
        self._door: Door | None = None

    @property
    def door(self) -> Door:
        """The door to the model, opened at first use."""
        if self._door is None:
            from plackett.llm import parse_model

            model = parse_model(self.model) if isinstance(self.model, str) else self.model
            cache = AnswerCache(self.cache) if isinstance(self.cache, str) else self.cache
            self._door = Door(model, cache=cache, budget=self.budget, log=self.log)
        return self._door

    def questions(self, texts: Sequence[str]) -> list[tuple[str, ...]]:
        """For each text itself and, after it, what the model takes it apart into.

        No question is there twice, and the text itself is the first.

        Raises
        ------
        MalformedAnswerError : an answer is not as asked, and the policy is "strict".
        """
        return self._asked(texts, Usage())

    def search(self, queries: Queries, k: int = 1000) -> Run:
        """At most `k` documents for every query, of those found for any of its questions."""
        started = time.perf_counter()
        usage = Usage()
        names = [name for name, _ in queries]
        asked = self._asked([text for _, text in queries], usage)
        seconds = time.perf_counter() - started
        parts = {
            f"{place} {part}": question
            for place, questions in enumerate(asked)
            for part, question in enumerate(questions)
        }
        found = timed_search(self.retriever, Queries.from_texts(parts), self.k)
        cost = Cost(
            repr(self),
            seconds,
            len(names),
            len(found.document),
            calls=usage.calls,
            tokens=usage.tokens,
        )
        joined = _joined(found, [len(questions) for questions in asked], names)
        return joined.replace(queries=queries, costs=(cost, *found.costs)).head(k)

    def _asked(self, texts: Sequence[str], usage: Usage) -> list[tuple[str, ...]]:
        door = self.door
        template = prompt_template(self.template)
        asking = Asking(door.model, self.on_malformed, self.seed)
        wanted = [place for place, text in enumerate(texts) if text.strip()]
        requests = [self._request(template, texts[place], asking) for place in wanted]
        answers = run_blocking(door.ask(requests, usage))
        result: list[tuple[str, ...]] = [(text,) for text in texts]
        try:
            for place, answer in zip(wanted, answers, strict=True):
                result[place] = self._parts(template, texts[place], answer, asking)
        finally:
            self.answers.update(asking.answers)
        return result

    def _request(self, template: PromptTemplate, text: str, asking: Asking) -> Generate:
        values = {"most": str(self.most)} if "most" in template.values else {}
        fitted = fit(asking.model, template, text, [""], reserve=ANSWER_TOKENS)
        return Generate(
            template.render(fitted.query, [], values=values),
            max_tokens=ANSWER_TOKENS,
            temperature=self.temperature,
            seed=self.seed,
        )

    def _parts(
        self, template: PromptTemplate, text: str, answer: Answer, asking: Asking
    ) -> tuple[str, ...]:
        if not isinstance(answer, Generation):
            asking.note("missing", answer)
            return (text,)
        parsed = template.parse(answer.text, 0)
        usable = [
            line.strip()
            for line in parsed.lines
            if any(character.isalnum() for character in line) and len(line) <= LONGEST_QUESTION
        ]
        status: str = parsed.status
        if status in ("ok", "repaired") and not usable:
            status = "wrong_format"
        if not asking.note(status, answer):
            return (text,)
        distinct: dict[str, str] = {}
        for line in (text, *usable):
            distinct.setdefault(_folded(line), line)
        return tuple(distinct.values())[: self.most + 1]

    def __repr__(self) -> str:
        shown = [repr(repr(self.model) if isinstance(self.model, LanguageModel) else self.model)]
        shown += [repr(self.retriever), f"k={self.k}"]
        return f"Decomposition({', '.join(shown)})"


def _folded(text: str) -> str:
    return " ".join(text.casefold().strip(" ?.!").split())


def _joined(found: Run, counts: Sequence[int], names: Sequence[str]) -> Run:
    """The lists of each query's questions as one, by best rank; `counts` says how many it has."""
    lists = dict(zip(found.query_names, range(len(found.query_names)), strict=True))
    documents: list[str] = []
    lengths: list[int] = []
    for place, count in enumerate(counts):
        best: dict[str, tuple[int, int]] = {}
        for part in range(count):
            segment = lists.get(f"{place} {part}")
            if segment is None:
                continue
            codes = found.document[found.offsets[segment] : found.offsets[segment + 1]]
            for rank, name in enumerate(found.document_ids.strings(codes).to_pylist()):
                best[name] = min(best.get(name, (rank, part)), (rank, part))
        documents += sorted(best, key=best.__getitem__)
        lengths.append(len(best))
    return Run.from_arrays(
        [place for place, length in enumerate(lengths) for _ in range(length)],
        pa.array(documents, pa.string()),
        [-float(rank + 1) for length in lengths for rank in range(length)],
        query_ids=Ids(names),
        all_queries=True,
        name=found.name,
        corpus=found.corpus,
    )
