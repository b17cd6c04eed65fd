"""The engines of `lexical.py`: how each builds an index from a file of lines and is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

LINES = 10_000
K1, B = 1.2, 0.75
BEST = 10


@dataclass(frozen=True)
class Opened:
    """An index that can be asked: one query, many at once (where it can), and for its best ten."""

    one: Callable[[Any, int], Any]
    queries: list[Any]
    best: Callable[[Any], tuple[list[int], list[float]]]
    many: Callable[[int, int], Any] | None = None
    one_by_threads: bool = True
    segments: int = 1


def lines_of(path: Path) -> Iterator[str]:
    """The lines of a text file, read as they are asked for."""
    with open(path) as file:
        for line in file:
            yield line.rstrip("\n")


def build_plackett(data: Path, index: Path) -> None:
    """Our own index, from a stream of record batches."""
    import pyarrow as pa

    from plackett import BM25

    def batches() -> Iterator[pa.RecordBatch]:
        lines, first = lines_of(data / "docs.txt"), 0
        while texts := list(islice(lines, LINES)):
            ids = pa.array(range(first, first + len(texts))).cast(pa.string())
            yield pa.RecordBatch.from_arrays([ids, pa.array(texts, pa.string())], ["id", "text"])
            first += len(texts)

    BM25.build(batches(), index, analyzer="whitespace", forward=False, k1=K1, b=B)


def open_plackett(index: Path, texts: list[str], model: str | None = None) -> Opened:
    """Our own index, or a model of terms over it."""
    from plackett import BM25, Queries

    if model is None:
        retriever: Any = BM25.open(index)
    else:
        from plackett.retrievers.models import Lexical

        retriever = Lexical(index, model)
    encode, search = retriever.index.encode_queries, retriever.lists.search
    queries = Queries.from_texts({f"q{i}": text for i, text in enumerate(texts)})

    def one(text: str, k: int) -> Any:
        offsets, terms = encode([text])
        return search(offsets, terms, k=k)

    def best(text: str) -> tuple[list[int], list[float]]:
        ranking = one(text, BEST)
        names = retriever.index.document_ids.strings(ranking.documents).to_pylist()
        return [int(name) for name in names], ranking.scores.tolist()

    def many(k: int, threads: int) -> None:
        retriever.search(queries, k, threads=threads)

    return Opened(one, texts, best, many)


def build_tantivy(data: Path, index: Path) -> None:
    """tantivy's index, merged as its own policy has it."""
    import tantivy

    schema = (
        tantivy.SchemaBuilder()
        .add_text_field("body", stored=False, tokenizer_name="whitespace", index_option="freq")
        .add_integer_field("id", stored=False, fast=True)
        .build()
    )
    writer = tantivy.Index(schema, path=str(index)).writer(1_000_000_000, num_threads=1)
    for number, text in enumerate(lines_of(data / "docs.txt")):
        writer.add_document(tantivy.Document(body=text, id=number))
    writer.commit()
    writer.wait_merging_threads()


def open_tantivy(index: Path, texts: list[str]) -> Opened:
    """tantivy's index."""
    import tantivy

    opened = tantivy.Index.open(str(index))
    searcher = opened.searcher()
    queries = [opened.parse_query(text, ["body"]) for text in texts]

    def one(query: Any, k: int) -> Any:
        return searcher.search(query, limit=k, count=False)

    def best(query: Any) -> tuple[list[int], list[float]]:
        hits = one(query, BEST).hits
        found = searcher.fast_field_values("id", [address for _, address in hits])
        return [int(number) for number in found], [score for score, _ in hits]

    return Opened(one, queries, best, segments=searcher.num_segments)


def tokens_of(lines: list[str], **options: Any) -> Any:
    """bm25s's own tokens, cut at spaces."""
    import bm25s

    return bm25s.tokenize(
        lines, lower=False, token_pattern=r"\S+", stopwords=None, show_progress=False, **options
    )


def build_bm25s(data: Path, index: Path) -> None:
    """bm25s's index."""
    import bm25s

    retriever = bm25s.BM25(method="lucene", k1=K1, b=B, backend="numba")
    retriever.index(tokens_of(list(lines_of(data / "docs.txt"))), show_progress=False)
    retriever.save(str(index), show_progress=False)


def open_bm25s(index: Path, texts: list[str]) -> Opened:
    """bm25s's index."""
    import bm25s

    retriever = bm25s.BM25.load(str(index))
    if retriever.backend != "numba":
        raise RuntimeError(f"bm25s opened its index with the backend {retriever.backend!r}")
    queries = tokens_of(texts, return_ids=False)

    def one(query: list[str], k: int, threads: int = 1) -> Any:
        return retriever.retrieve([query], k=k, show_progress=False, n_threads=threads)

    def best(query: list[str]) -> tuple[list[int], list[float]]:
        found = one(query, BEST)
        return found.documents[0].tolist(), found.scores[0].tolist()

    def many(k: int, threads: int) -> None:
        retriever.retrieve(queries, k=k, show_progress=False, n_threads=threads)

    return Opened(one, queries, best, many, one_by_threads=False)


BUILD = {"plackett": build_plackett, "tantivy": build_tantivy, "bm25s": build_bm25s}
OPEN = {"plackett": open_plackett, "tantivy": open_tantivy, "bm25s": open_bm25s}
