"""Judged documents as feedback: made from judgments, read from a file, left out again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from plackett.data.qrels import Qrels
from plackett.data.run import Run
from plackett.data.run_texts import document_texts
from plackett.errors import ConfigurationError, DataError

__all__ = ["Feedback", "Feedbacks", "judged_feedback", "read_feedback", "residual_qrels"]


@dataclass(frozen=True)
class Feedback:
    """The judged documents of one query: texts by id."""

    relevant: Mapping[str, str] = field(default_factory=dict)
    nonrelevant: Mapping[str, str] = field(default_factory=dict)


Feedbacks: TypeAlias = Mapping[str, Feedback]
"""The feedback of each query, by its text or its id; a query without any has none."""


def judged_feedback(
    run: Run, qrels: Qrels, k: int, *, relevant: float = 1.0
) -> dict[str, Feedback]:
    """The k judged documents of each query that stand highest in a run, half of them relevant.

    A query with fewer of either kind gets those that there are.

    Parameters
    ----------
    run : with its corpus.
    k : an even number; 0 gives no feedback.
    relevant : the lowest grade that counts as relevant; lower grades that were judged are not.

    Raises
    ------
    ConfigurationError : k is odd or negative.
    DataError : the run has no texts.

    >>> from plackett.data import Corpus
    >>> run = Run.from_dict({"q": {"a": 3.0, "b": 2.0, "c": 1.0}})
    >>> run = run.replace(corpus=Corpus.from_texts({"a": "x", "b": "y", "c": "z"}))
    >>> judged_feedback(run, Qrels.from_dict({"q": {"a": 0, "b": 2, "c": 1}}), 2)
    {'q': Feedback(relevant={'b': 'y'}, nonrelevant={'a': 'x'})}
    """
    if k < 0 or k % 2:
        raise ConfigurationError(f"k={k}; expected an even number of 0 or more.")
    judged = qrels.to_dict()
    found = {}
    for query, documents in run.to_dict().items():
        grades = judged.get(query, {})
        known = [name for name in documents if name in grades]
        good = [name for name in known if grades[name] >= relevant][: k // 2]
        bad = [name for name in known if grades[name] < relevant][: k // 2]
        bodies = document_texts(run, run.document_ids.codes(good + bad))
        texts = dict(zip(good + bad, bodies, strict=True))
        found[query] = Feedback(
            {name: texts[name] for name in good}, {name: texts[name] for name in bad}
        )
    return found


def read_feedback(path: str | Path) -> dict[str, Feedback]:
    """Feedback from JSON lines: `{"query": ..., "relevant": {id: text}, "nonrelevant": {...}}`.

    `query` is a query's id or its text; either of the two others may be left out.

    Raises
    ------
    DataError : a line that is no such object, or a query twice.
    """
    found: dict[str, Feedback] = {}
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            query = row.pop("query")
            made = Feedback(**{name: dict(texts) for name, texts in row.items()})
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            raise DataError(
                f"no feedback ({error})",
                expected='{"query": ..., "relevant": {id: text}, "nonrelevant": {id: text}}',
                path=path,
                line=number,
            ) from error
        if query in found:
            raise DataError(f"query {query!r} twice", path=path, line=number)
        found[query] = made
    return found


def residual_qrels(qrels: Qrels, feedback: Feedbacks) -> Qrels:
    """Judgments without the documents that were given as feedback, by query id.

    >>> qrels = Qrels.from_dict({"q": {"a": 1, "b": 1}})
    >>> residual_qrels(qrels, {"q": Feedback({"a": "text"})}).to_dict()
    {'q': {'b': 1.0}}
    """
    left = {}
    for query, grades in qrels.to_dict().items():
        known = feedback.get(query, Feedback())
        seen = {*known.relevant, *known.nonrelevant}
        left[query] = {name: grade for name, grade in grades.items() if name not in seen}
    return Qrels.from_dict(left)
