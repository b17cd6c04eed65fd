"""The texts behind a run: of its queries, and of its documents."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from plackett.data.run import Run
from plackett.errors import DataError

__all__ = ["document_texts", "query_texts"]


def query_texts(run: Run) -> list[str]:
    """The text of every query of a run, one a list.

    Raises
    ------
    DataError : the run has no queries linked to it, or lacks one of them.

    >>> from plackett.data.texts import Queries
    >>> run = Run.from_dict({"q": {"d": 1.0}})
    >>> query_texts(run.replace(queries=Queries.from_texts({"q": "red wine"})))
    ['red wine']
    """
    if run.queries is None:
        raise _without("queries", "queries")
    return [run.queries.text(name) for name in run.query_names]


def document_texts(run: Run, codes: npt.NDArray[Any] | None = None) -> list[str]:
    """The texts of documents of a run.

    Parameters
    ----------
    codes : `int[m]`, document codes of the run; by default those of its rows, in their order.

    Raises
    ------
    DataError : the run has no corpus linked to it, or the corpus lacks a document.
    """
    if run.corpus is None:
        raise _without("corpus", "documents")
    names = run.document_ids.strings(run.document if codes is None else codes).to_pylist()
    found = run.corpus.ids.codes(names)
    if (found < 0).any():
        lost = names[int(np.argmax(found < 0))]
        raise DataError(f"document {lost!r} of the run", expected="a document of its corpus")
    return run.corpus.texts(found)


def _without(part: str, whose: str) -> DataError:
    return DataError(
        f"a run without its {part}",
        expected=f"the texts of {whose}",
        remedy=f"run.replace({part}=...)",
    )
