"""The set of passages that answers a question, chosen by a language model: dynamic selection.

Meng, Liu, Shi, Wang, Li & Wang, "From ranking to selection: a simple but efficient dynamic passage
selector for retrieval augmented generation" (DPS), 2025. How passages beyond one prompt are shown
is not told there; here they are shown in windows, and what the windows chose once more together.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from plackett.data.cost import Cost
from plackett.data.run import Run
from plackett.data.run_texts import document_texts, query_texts
from plackett.errors import ConfigurationError, DataError
from plackett.llm.base import LanguageModel
from plackett.llm.door import Door, Usage
from plackett.llm.registry import parse_model
from plackett.llm.templates import PromptTemplate, prompt_template
from plackett.selection.base import Selector
from plackett.selection.passage_choosing import Choosing, Policy
from plackett.selection.registry import register
from plackett.transport.budget import Budget
from plackett.transport.cache import AnswerCache
from plackett.transport.event_loop import run_blocking, run_on_loop
from plackett.transport.records import CallLog

__all__ = ["PassageSelector", "Selection"]


@dataclass(frozen=True, eq=False)
class Selection:
    """The passages chosen for one query.

    Parameters
    ----------
    positions : which of the given passages, in the order in which the model named them.
    ids : what they are called.
    texts : their texts.
    fallback : whether nothing was chosen, so that the first passage stands in.
    answers : how many answers were ok, repaired, wrong_format, missing or refused.
    truncated : how many passages were shown shortened.
    calls, cached_calls, tokens, seconds : what it cost.
    """

    positions: tuple[int, ...]
    ids: tuple[str, ...]
    texts: tuple[str, ...]
    fallback: bool = False
    answers: Mapping[str, int] = field(default_factory=dict)
    truncated: int = 0
    calls: int = 0
    cached_calls: int = 0
    tokens: int = 0
    seconds: float = 0.0


@register
class PassageSelector(Selector):
    """Asks a language model which passages together suffice, as many as it takes.

    The passages go into one prompt; the answer names their labels. More passages than `window` go
    into several prompts; what those chose is asked about once more, together, as long as that makes
    it fewer. No answer can name a passage that was not shown, or one twice. Where nothing is chosen
    the first passage is kept; of an answer that cannot be used, the first of those it was asked
    about.

    Calls a query of n passages: 1 for n up to the window; beyond it the number of windows, and
    those of the passages that were chosen. Stepwise, one a label and one for the end, in place of
    each.

    Parameters
    ----------
    model : a `LanguageModel`, or its description.
    prompt : the name of a prompt, or a path to one of your own (grammar "selection").
    window : the most passages in one prompt; at most 25 stepwise.
    stepwise : choose label by label by their probability as the next token, among those not chosen
        yet and the end: then no answer can be malformed. The prompt should have letters for labels.
    max_words : show at most so many words of a passage.
    cache : a file of answers, or an `AnswerCache`; None asks anew each time.
    budget : what all calls together may cost.
    on_malformed : "repair" what can be mended; "keep" the first passage of that prompt instead; or
        "strict", an error.

    Raises
    ------
    ConfigurationError : a parameter out of its range, or a prompt that asks for something else.
    UnknownNameError : no prompt has the name.
    """

    def __init__(
        self,
        model: LanguageModel | str,
        *,
        prompt: str | None = None,
        window: int | None = None,
        stepwise: bool = False,
        max_words: int | None = None,
        cache: AnswerCache | str | None = None,
        budget: Budget | None = None,
        on_malformed: Policy = "repair",
    ) -> None:
        most = 25 if stepwise else 1000
        if window is not None and not 1 < window <= most:
            raise ConfigurationError(f"window={window}; expected 2 to {most}.")
        if on_malformed not in ("repair", "keep", "strict"):
            raise ConfigurationError(
                f"on_malformed={on_malformed!r} is not one of repair, keep, strict."
            )
        self.model, self.prompt, self.window = model, prompt, window
        self.stepwise, self.max_words = stepwise, max_words
        self.cache, self.budget, self.on_malformed = cache, budget, on_malformed
        self.log = CallLog()
        self._template = prompt_template(prompt or ("dps-stepwise" if stepwise else "dps"))
        if self._template.grammar != "selection":
            raise ConfigurationError(
                f"prompt {self._template.name!r} asks for {self._template.grammar!r}; expected a "
                'prompt of grammar "selection".'
            )
        self._door: Door | None = None

    @property
    def template(self) -> PromptTemplate:
        """The prompt."""
        return self._template

    @property
    def door(self) -> Door:
        """The door to the model, opened at first use."""
        if self._door is None:
            model = parse_model(self.model) if isinstance(self.model, str) else self.model
            cache = AnswerCache(self.cache) if isinstance(self.cache, str) else self.cache
            self._door = Door(model, cache=cache, budget=self.budget, log=self.log)
        return self._door

    def select(
        self, query: str, passages: Sequence[str], ids: Sequence[str] | None = None
    ) -> Selection:
        """The passages that the query needs; no passages are no call.

        Parameters
        ----------
        passages : texts, best first.
        ids : what they are called; "0", "1", ... by default.

        Raises
        ------
        DataError : as many ids as passages are needed; an answer is malformed, under "strict".
        BudgetExceededError : a call would go beyond the budget.
        """
        return self.select_many([query], [passages], None if ids is None else [ids])[0]

    def select_many(
        self,
        queries: Sequence[str],
        passages: Sequence[Sequence[str]],
        ids: Sequence[Sequence[str]] | None = None,
    ) -> list[Selection]:
        """The passages of many queries, asked for concurrently."""
        return run_blocking(self._all(queries, passages, ids))

    async def aselect(
        self, query: str, passages: Sequence[str], ids: Sequence[str] | None = None
    ) -> Selection:
        """`select`, awaited."""
        named = None if ids is None else [ids]
        return (await run_on_loop(self._all([query], [passages], named)))[0]

    async def _all(
        self,
        queries: Sequence[str],
        passages: Sequence[Sequence[str]],
        ids: Sequence[Sequence[str]] | None,
    ) -> list[Selection]:
        names = [[str(i) for i in range(len(p))] for p in passages] if ids is None else ids
        if [len(each) for each in names] != [len(each) for each in passages] or len(queries) != len(
            passages
        ):
            raise DataError(
                "queries, passages and ids that do not belong together",
                expected="one list of passages a query and one id a passage",
            )
        tasks = [
            asyncio.ensure_future(self._one(query, texts, own))
            for query, texts, own in zip(queries, passages, names, strict=True)
        ]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            # One that fails must not leave the others asking, and paying.
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _one(self, query: str, texts: Sequence[str], ids: Sequence[str]) -> Selection:
        if not texts:
            return Selection((), (), ())
        started = time.perf_counter()
        usage = Usage()
        asked = Choosing(
            self.door.model,
            self._template,
            query,
            texts,
            ids,
            self.window or (20 if self.stepwise else 30),
            self.stepwise,
            self.max_words,
            self.on_malformed,
        )
        steps = asked.steps()
        try:
            requests = next(steps)
            while True:
                requests = steps.send(await self.door.ask(requests, usage))
        except StopIteration as stop:
            chosen: list[int] = stop.value
        finally:
            steps.close()
        kept = chosen or [0]
        return Selection(
            tuple(kept),
            tuple(ids[i] for i in kept),
            tuple(texts[i] for i in kept),
            fallback=not chosen,
            answers=dict(asked.answers),
            truncated=len(asked.truncated),
            calls=usage.calls,
            cached_calls=usage.cached_calls,
            tokens=usage.tokens,
            seconds=time.perf_counter() - started,
        )

    def rerank(self, run: Run) -> Run:
        """The chosen passages of every query, in the order in which they were named.

        Their scores are n to 1 of the n passages given: a place, and nothing else.

        Raises
        ------
        DataError : the run has no texts, or lacks one of them.
        """
        queries, texts, ids = _texts_of(run)
        found = self.select_many(queries, texts, ids)
        rows, scores = [], []
        for start, given, selection in zip(run.offsets[:-1].tolist(), texts, found, strict=True):
            rows += [start + position for position in selection.positions]
            scores += [len(given) - place for place in range(len(selection.positions))]
        cost = Cost(
            repr(self),
            max((selection.seconds for selection in found), default=0.0),
            len(run),
            len(run.document),
            calls=sum(selection.calls for selection in found),
            tokens=sum(selection.tokens for selection in found),
        )
        ranked = run.take_rows(
            np.array(rows, dtype=np.int64),
            np.array([len(selection.positions) for selection in found], dtype=np.int64),
            np.array(scores, dtype=np.float32),
        )
        return ranked.replace(costs=(*run.costs, cost))

    def __repr__(self) -> str:
        given = {
            "prompt": None,
            "window": None,
            "stepwise": False,
            "max_words": None,
            "on_malformed": "repair",
        }
        parts = [repr(self.model if isinstance(self.model, str) else repr(self.model))]
        parts += [
            f"{name}={getattr(self, name)!r}"
            for name, default in given.items()
            if getattr(self, name) != default
        ]
        if isinstance(self.cache, str):
            parts.append(f"cache={self.cache!r}")
        return f"PassageSelector({', '.join(parts)})"


def _texts_of(run: Run) -> tuple[list[str], list[list[str]], list[list[str]]]:
    """The query, the passages and their ids of every list."""
    queries, bodies = query_texts(run), document_texts(run)
    names = run.document_ids.strings(run.document).to_pylist()
    spans = list(zip(run.offsets[:-1].tolist(), run.offsets[1:].tolist(), strict=True))
    return (
        queries,
        [bodies[a:b] for a, b in spans],
        [names[a:b] for a, b in spans],
    )
