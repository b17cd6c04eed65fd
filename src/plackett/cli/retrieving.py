"""`plackett index`, `plackett search`, `plackett verify`: documents and what is found in them."""

from __future__ import annotations

import json
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plackett.cli.console import (
    announce,
    counted,
    examples,
    input_file,
    output_file,
    progress_bar,
    show,
    split_names,
)
from plackett.errors import ConfigurationError

if TYPE_CHECKING:
    from plackett.data import Corpus, Queries, Run

__all__ = ["index", "search", "verify"]

CRANFIELD = "cranfield"
LINE = 76

Index = Annotated[Path, typer.Argument(metavar="INDEX", help="The folder of an index.")]
Variant = Annotated[str, typer.Option(help="lucene, robertson, atire, bm25l, bm25+ ...")]


def index(
    corpus: Annotated[
        Path, typer.Argument(help="Documents: JSONL, TSV, Parquet, a BEIR folder; or cranfield.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder of the index.")],
    fields: Annotated[
        str | None, typer.Option(help="Text fields in reading order, with commas; by default all.")
    ] = None,
    analyzer: Annotated[
        str, typer.Option(help="How texts become terms: english, unicode, whitespace ...")
    ] = "english",
    k1: Annotated[float, typer.Option("--k1", help="BM25's k1.")] = 1.2,
    b: Annotated[float, typer.Option("--b", help="BM25's b.")] = 0.75,
    variant: Variant = "lucene",
) -> None:
    """Index documents for BM25; the file is read as a stream.

    An index that is in the folder already stays in use until the new one is whole.
    """
    from plackett.data import load_collection
    from plackett.retrievers import BM25

    started = time.perf_counter()
    with input_file(corpus, ".jsonl") as path, progress_bar("indexing") as progress:
        packaged = str(corpus) == CRANFIELD and not corpus.exists()
        bm25 = BM25.build(
            load_collection(CRANFIELD).corpus if packaged else path,
            output,
            fields=split_names(fields),
            analyzer=analyzer,
            k1=k1,
            b=b,
            variant=variant,
            progress=progress,
        )
    documents, terms = counted(bm25.index.n_documents, "document"), bm25.index.n_terms
    seconds = time.perf_counter() - started
    announce(f"indexed {documents}, {counted(terms, 'term')}, in {seconds:.1f} s: {output}")


def search(
    folder: Index,
    query: Annotated[str | None, typer.Argument(help="What to search for.")] = None,
    k: Annotated[int, typer.Option("-k", help="How many documents a query.", min=1)] = 10,
    queries: Annotated[
        Path | None, typer.Option(help="A file of queries instead of one; or cranfield.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write a run file (- prints it).")
    ] = None,
    corpus: Annotated[
        Path | None, typer.Option(help="The documents, to show a line of each; or cranfield.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines.")] = False,
    k1: Annotated[float | None, typer.Option("--k1", help="Another k1 than the index's.")] = None,
    b: Annotated[float | None, typer.Option("--b", help="Another b than the index's.")] = None,
    variant: Annotated[str | None, typer.Option(help="Another variant of BM25.")] = None,
    threads: Annotated[int, typer.Option(help="Search so many queries at a time.", min=1)] = 1,
) -> None:
    """Search an index with one query, or with a file of them."""
    from plackett.retrievers import BM25

    if (query is None) == (queries is None):
        raise ConfigurationError("give either a query or --queries FILE.")
    bm25 = BM25.open(folder, k1=k1, b=b, variant=variant)
    asked = read_queries(queries, query)
    started = time.perf_counter()
    run = bm25.search(asked, k=k, threads=threads)
    seconds = time.perf_counter() - started
    if output is not None:
        with output_file(output, ".txt") as path:
            run.write(path)
        announce(f"{counted(len(run), 'query', 'queries')} in {seconds:.2f} s: {output}")
        return
    _print_results(run, _read_corpus(corpus), as_json)


def read_queries(path: Path | None, text: str | None = None) -> Queries:
    """The one query, or those of a file, of standard input (TSV), or of the packaged collection."""
    from plackett.data import Queries, load_collection

    if text is not None or path is None:
        return Queries.from_texts({"query": text or ""})
    if str(path) == CRANFIELD and not path.exists():
        return load_collection(CRANFIELD).queries
    with input_file(path, ".tsv") as file:
        return Queries.read(file)


def _read_corpus(path: Path | None) -> Corpus | None:
    from plackett.data import Corpus, load_collection

    if path is None:
        return None
    if str(path) == CRANFIELD and not path.exists():
        return load_collection(CRANFIELD).corpus
    return Corpus.read(path)


def _print_results(run: Run, texts: Corpus | None, as_json: bool) -> None:
    for query in run.query_names:
        results = run[query]
        if not results:
            announce(f"nothing found for {query!r}" if len(run) > 1 else "nothing found")
        elif len(run) > 1 and not as_json:
            show(f"# {query}")
        wide = max((len(document) for document, _ in results), default=0)
        for rank, (document, score) in enumerate(results, start=1):
            line = "" if texts is None else _line_of(texts, document)
            if as_json:
                row = {"query": query, "rank": rank, "document": document, "score": score}
                show(json.dumps(row | ({"text": line} if line else {}), ensure_ascii=False))
            else:
                show(f"{rank:>4}  {score:8.4f}  {document:<{wide}}  {line}".rstrip())


def _line_of(texts: Corpus, document: str) -> str:
    """The first field that is not empty, which is the title, or as much of it as a line holds."""
    row = int(texts.ids.codes([document])[0])
    if row < 0:
        return ""  # not of this corpus
    values = (texts.column(field)[row].as_py() for field in texts.fields)
    text = next((value for value in values if value and value.strip()), "")
    return textwrap.shorten(text[: 8 * LINE], LINE, placeholder=" ...", break_on_hyphens=False)


def verify(folder: Index) -> None:
    """Check every file of an index against its checksum."""
    from plackett.retrievers import BM25

    BM25.open(folder).index.verify()
    show(f"{folder}: every file is as it was written")


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command(
        epilog=examples(
            "plackett index docs.jsonl -o idx",
            "plackett index docs.jsonl -o idx --analyzer unicode --fields title,text",
            "plackett index cranfield -o idx",
        )
    )(index)
    app.command(
        epilog=examples(
            'plackett search idx "laminar boundary layer" -k 10',
            'plackett search idx "laminar boundary layer" --corpus docs.jsonl --json',
            "plackett search idx --queries queries.tsv -k 1000 -o run.txt",
        )
    )(search)
    app.command(epilog=examples("plackett verify idx"))(verify)
