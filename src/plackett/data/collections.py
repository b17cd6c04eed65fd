"""Test collections: documents, queries and judgments that belong together."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from plackett.data.qrels import Qrels
from plackett.data.texts import Corpus, Queries
from plackett.errors import DataError, UnknownNameError

__all__ = ["Collection", "load_collection"]


class Collection(NamedTuple):
    """Documents, queries and judgments that belong together."""

    name: str
    corpus: Corpus
    queries: Queries
    qrels: Qrels


def _cranfield(folder: Path) -> Collection:
    corpus = Corpus.read(folder / "cran.all.1400.gz", format="smart")
    queries = Queries.read(folder / "cran.qry", format="smart")
    ordinals = [str(number) for number in range(1, len(queries) + 1)]
    queries = Queries.from_texts(zip(ordinals, queries.texts(), strict=True))
    rows = [line.split() for line in (folder / "cranqrel").read_text("ascii").splitlines()]
    grades = [5 - int(code) if 1 <= int(code) <= 4 else 0 for _, _, code in rows]
    qrels = Qrels.from_arrays(
        [query for query, _, _ in rows],
        [document for _, document, _ in rows],
        grades,
        duplicates="keep_highest",
    )
    return Collection("cranfield", corpus, queries, qrels)


_PACKAGED: dict[str, Callable[[Path], Collection]] = {"cranfield": _cranfield}


def load_collection(name_or_folder: str | Path, *, split: str = "test") -> Collection:
    """A collection of the package by its name, or a BEIR folder by its path.

    Parameters
    ----------
    name_or_folder : "cranfield" (1,400 abstracts, 225 queries, 1,837 graded judgments), or a folder
        with `corpus.jsonl`, `queries.jsonl` (each possibly `.gz`) and `qrels/<split>.tsv`.
    split : which judgments of a folder to take; its queries are those judged.

    Raises
    ------
    UnknownNameError : the name is neither packaged nor an existing folder.

    >>> collection = load_collection("cranfield")
    >>> len(collection.corpus), len(collection.queries), len(collection.qrels)
    (1400, 225, 225)
    """
    if str(name_or_folder) in _PACKAGED:
        name = str(name_or_folder)
        with resources.as_file(resources.files("plackett.data") / name) as folder:
            return _PACKAGED[name](folder)
    folder = Path(name_or_folder)
    if not folder.is_dir():
        raise UnknownNameError("collection", str(name_or_folder), [*_PACKAGED, "a BEIR folder"])
    return _beir(folder, split)


def _beir(folder: Path, split: str) -> Collection:
    paths = []
    for stem in ("corpus.jsonl", "queries.jsonl", f"qrels/{split}.tsv"):
        found = [path for path in (folder / stem, folder / f"{stem}.gz") if path.exists()]
        if not found:
            raise DataError(f"no {stem} or {stem}.gz", expected="a BEIR folder", path=folder)
        paths.append(found[0])
    qrels = Qrels.read(paths[2])
    queries = Queries.read(paths[1]).select(qrels.queries)
    return Collection(folder.name, Corpus.read(paths[0]), queries, qrels)
