"""A small collection with two fields, an empty document, and queries of every awkward kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from plackett.data.run import Run
from plackett.data.texts import Corpus, Queries
from plackett.retrievers.inverted import InvertedIndex

TITLES = ["a b", "c", "", "b b a", "d e", "a", "e c b"]
TEXTS = ["a b c a c b", "c c d a", "", "b a f b", "e d c b a f", "g g g g", "f a b c a b"]
QUERIES = {"q1": "a b", "q2": "b a c b", "q3": "unknown words", "q4": "", "q5": "g g a", "q6": "f"}


def build(folder: Path, fields: Mapping[str, Sequence[str]], names: Sequence[str] = ()) -> Any:
    """An index over `{field: texts}`, terms split at spaces."""
    rows = len(next(iter(fields.values())))
    names = names or [f"d{row}" for row in range(rows)]
    records = [
        {"id": names[row], **{field: texts[row] for field, texts in fields.items()}}
        for row in range(rows)
    ]
    corpus = Corpus.from_records(records, fields=list(fields))
    return InvertedIndex.build(corpus, folder, analyzer=str.split)


def ranked(queries: Mapping[str, str], lists: Mapping[str, Sequence[str]]) -> Run:
    """A run that ranks `{query: documents}` in the order given."""
    run = Run.from_dict(
        {q: {d: float(len(ds) - i) for i, d in enumerate(ds)} for q, ds in lists.items()}
    )
    return run.replace(queries=Queries.from_texts(queries))


@pytest.fixture
def build_index(tmp_path: Path) -> Callable[..., Any]:
    """`build_index(fields, names=())`, in a fresh folder at each call."""
    made = iter(range(1000))
    return lambda fields, names=(): build(tmp_path / str(next(made)), fields, names)


@pytest.fixture
def make_run() -> Callable[..., Run]:
    return ranked


@pytest.fixture(scope="session")
def small_index(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("features") / "index"
    return build(folder, {"title": TITLES, "text": TEXTS})


@pytest.fixture(scope="session")
def small_run() -> Run:
    """Every document for every query, in another order each."""
    documents = [f"d{row}" for row in range(len(TEXTS))]
    lists = {query: documents[shift:] + documents[:shift] for shift, query in enumerate(QUERIES)}
    return ranked(QUERIES, lists)
