"""Chosen sets against the sets that were needed, and examples from which a selector can learn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from plackett.errors import DataError
from plackett.llm.requests import Prompt
from plackett.llm.templates import PromptTemplate, prompt_template
from plackett.selection.passage_choosing import END_LABEL

__all__ = [
    "SelectionExample",
    "SetReport",
    "SetScores",
    "selection_examples",
    "set_report",
    "set_scores",
]

EvidenceOrder = Literal["chain", "ascending"]
"""In which order the answer of an example names its passages: as the reasoning needs them, or as
the prompt shows them."""


@dataclass(frozen=True)
class SetScores:
    """One chosen set against the needed one.

    Parameters
    ----------
    precision, recall, f1 : of the chosen set.
    sufficient : whether all that is needed was chosen.
    size : how many were chosen.
    """

    precision: float
    recall: float
    f1: float
    sufficient: bool
    size: int


def set_scores(chosen: Collection[str], needed: Collection[str]) -> SetScores:
    """Precision, recall and F1 of a chosen set.

    Nothing chosen where nothing is needed is perfect; something chosen then has precision 0.

    Raises
    ------
    DataError : a document chosen twice.

    >>> set_scores(["a", "b"], {"a"})
    SetScores(precision=0.5, recall=1.0, f1=0.6666666666666666, sufficient=True, size=2)
    """
    own, gold = set(chosen), set(needed)
    if len(own) < len(chosen):
        raise DataError("a document chosen twice", expected="a set")
    hits = len(own & gold)
    precision = hits / len(own) if own else float(not gold)
    recall = hits / len(gold) if gold else 1.0
    f1 = 2 * hits / (len(own) + len(gold)) if own or gold else 1.0
    return SetScores(precision, recall, f1, gold <= own, len(own))


@dataclass(frozen=True, eq=False)
class SetReport:
    """Chosen sets of many queries: means, and how large the sets are.

    Parameters
    ----------
    precision, recall, f1, sufficiency : means over queries; sufficiency is the share of queries of
        which all that is needed was chosen.
    sizes : how many queries have a set of each size.
    """

    precision: float
    recall: float
    f1: float
    sufficiency: float
    sizes: Mapping[int, int]

    @property
    def size(self) -> float:
        """The mean size of a set."""
        return sum(k * count for k, count in self.sizes.items()) / sum(self.sizes.values())


def set_report(
    chosen: Mapping[str, Collection[str]], needed: Mapping[str, Collection[str]]
) -> SetReport:
    """The sets of all queries of `needed`; a query without a chosen set has chosen nothing.

    Raises
    ------
    DataError : no queries.

    >>> report = set_report({"q1": ["a"], "q2": ["b", "c"]}, {"q1": ["a"], "q2": ["b"]})
    >>> report.f1, report.sufficiency, report.size
    (0.8333333333333333, 1.0, 1.5)
    """
    if not needed:
        raise DataError("no queries", expected="at least one with the set that it needs")
    scores = [set_scores(chosen.get(query, ()), gold) for query, gold in needed.items()]
    return SetReport(
        float(np.mean([each.precision for each in scores])),
        float(np.mean([each.recall for each in scores])),
        float(np.mean([each.f1 for each in scores])),
        float(np.mean([each.sufficient for each in scores])),
        dict(sorted(Counter(each.size for each in scores).items())),
    )


@dataclass(frozen=True)
class SelectionExample:
    """What a selector should answer to a prompt.

    Parameters
    ----------
    query_id : the query's id.
    prompt : the question, as a model is asked.
    answer : the labels, as a model should answer; what `prompt` has begun is not repeated.
    positions : which of the passages shown are named, in the answer's order.
    """

    query_id: str
    prompt: Prompt
    answer: str
    positions: tuple[int, ...]


def selection_examples(
    queries: Mapping[str, str],
    passages: Mapping[str, Mapping[str, str]],
    needed: Mapping[str, Sequence[str]],
    *,
    order: EvidenceOrder = "chain",
    prompt: PromptTemplate | str = "dps",
    shuffled: bool = True,
    easy_first: bool = True,
    seed: int = 0,
) -> list[SelectionExample]:
    """Examples for fine-tuning a language model as a passage selector.

    Passages are shown in an order drawn anew for each query: were the needed ones always first, the
    model would learn the place and not the passage. The answer's order follows one fixed rule.

    Parameters
    ----------
    queries : the text of each query.
    passages : of each query, texts by id, those that are needed among them.
    needed : of each query, the ids that it needs, in the order in which reasoning needs them.
    order : see `EvidenceOrder`.
    prompt : a prompt of grammar "selection" with digits or letters, or its name.
    shuffled : whether passages are shown in a drawn order; else as they are given.
    easy_first : queries that need fewer passages first, as a curriculum; else as they are given.
    seed : of the drawn orders; a query's own depends on nothing else than it and the seed.

    Raises
    ------
    DataError : a needed passage that is not among the passages of its query, or one named twice.

    >>> examples = selection_examples(
    ...     {"q": "who?"}, {"q": {"a": "x", "b": "y"}}, {"q": ["b"]}, shuffled=False
    ... )
    >>> examples[0].answer, examples[0].positions
    ('[2]', (1,))
    """
    template = prompt_template(prompt) if isinstance(prompt, str) else prompt
    named = list(needed)
    if easy_first:
        named.sort(key=lambda query: len(needed[query]))
    return [
        _example(
            template,
            query,
            queries[query],
            _drawn(passages[query], query, seed) if shuffled else dict(passages[query]),
            needed[query],
            order,
        )
        for query in named
    ]


def _drawn(passages: Mapping[str, str], query: str, seed: int) -> dict[str, str]:
    rng = np.random.default_rng([seed, *query.encode()])
    names = list(passages)
    return {names[i]: passages[names[i]] for i in rng.permutation(len(names)).tolist()}


def _example(
    template: PromptTemplate,
    query_id: str,
    query: str,
    passages: Mapping[str, str],
    needed: Sequence[str],
    order: EvidenceOrder,
) -> SelectionExample:
    names = list(passages)
    lost = [name for name in needed if name not in passages]
    if lost or len(set(needed)) < len(needed):
        raise DataError(
            f"needed passage {lost[0]!r} of query {query_id!r}"
            if lost
            else f"a passage needed twice by query {query_id!r}",
            expected="passages of the query, each once",
        )
    positions = [names.index(name) for name in needed]
    if order == "ascending":
        positions.sort()
    labels = template.labels(len(names))
    if template.label_scheme == "letters":
        answer = "".join(f" {labels[place]}" for place in positions) + f" {END_LABEL}"
    else:
        answer = ", ".join(f"[{labels[place]}]" for place in positions) or "none"
    rendered = template.render(query, list(passages.values()), ids=names)
    return SelectionExample(query_id, rendered, answer, tuple(positions))
