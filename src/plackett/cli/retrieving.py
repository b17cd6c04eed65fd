"""`plackett index`, `plackett search`, `plackett verify`: documents and what is found in them."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plackett.cli.console import announce, examples, progress_bar, show
from plackett.errors import ConfigurationError

if TYPE_CHECKING:
    from plackett.data import Corpus, Run

__all__ = ["index", "search", "verify"]

K1 = Annotated[float | None, typer.Option("--k1", help="BM25's k1; the index's by default.")]
B = Annotated[float | None, typer.Option("--b", help="BM25's b; the index's by default.")]


def index(
    corpus: Annotated[str, typer.Argument(help="Documents: JSONL, TSV, Parquet ... or cranfield.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder of the index.")],
    fields: Annotated[
        str | None, typer.Option(help="Text fields in reading order, with commas; all.")
    ] = None,
    analyzer: Annotated[
        str, typer.Option(help="How texts become terms, such as english or unicode.")
    ] = "english",
    k1: Annotated[float, typer.Option("--k1", help="BM25's k1.")] = 1.2,
    b: Annotated[float, typer.Option("--b", help="BM25's b.")] = 0.75,
    variant: Annotated[
        str, typer.Option(help="lucene, robertson, atire, bm25l or bm25+.")
    ] = "lucene",
) -> None:
    """Index documents for BM25; the file is read as a stream."""
    from plackett.data import load_collection
    from plackett.retrievers import BM25

    source: object = load_collection("cranfield").corpus if corpus == "cranfield" else Path(corpus)
    started = time.perf_counter()
    with progress_bar("indexing") as progress:
        bm25 = BM25.build(
            source,
            output,
            fields=None if fields is None else [field.strip() for field in fields.split(",")],
            analyzer=analyzer,
            k1=k1,
            b=b,
            variant=variant,
            progress=progress,
        )
    seconds = time.perf_counter() - started
    announce(
        f"indexed {bm25.index.n_documents:,} documents, {bm25.index.n_terms:,} terms, "
        f"in {seconds:.1f} s: {output}"
    )


def search(
    folder: Annotated[Path, typer.Argument(metavar="INDEX", help="The folder of an index.")],
    query: Annotated[str | None, typer.Argument(help="What to search for.")] = None,
    k: Annotated[int, typer.Option("-k", help="How many documents a query.")] = 10,
    queries: Annotated[
        str | None, typer.Option(help="A file of queries in place of one; or cranfield.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the run to a file.")
    ] = None,
    corpus: Annotated[
        str | None, typer.Option(help="The documents, to show a line of each; or cranfield.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines.")] = False,
    k1: K1 = None,
    b: B = None,
    variant: Annotated[str | None, typer.Option(help="BM25's variant.")] = None,
    threads: Annotated[int, typer.Option(help="Search so many queries at a time.")] = 1,
) -> None:
    """Search an index with one query, or with a file of them."""
    from plackett.data import Corpus, Queries, load_collection
    from plackett.retrievers import BM25

    if (query is None) == (queries is None):
        raise ConfigurationError("give either a query or --queries FILE.")
    bm25 = BM25.open(folder, k1=k1, b=b, variant=variant)
    if query is not None:
        asked = Queries.from_texts({"query": query})
    elif queries == "cranfield":
        asked = load_collection("cranfield").queries
    else:
        asked = Queries.read(str(queries))
    started = time.perf_counter()
    run = bm25.search(asked, k=k, threads=threads)
    seconds = time.perf_counter() - started
    if output is not None:
        run.write(output)
        announce(f"{len(run)} queries in {seconds:.2f} s: {output}")
        return
    texts = None
    if corpus is not None:
        cranfield = corpus == "cranfield"
        texts = load_collection("cranfield").corpus if cranfield else Corpus.read(corpus)
    _print_results(run, texts, as_json)


def _print_results(run: Run, texts: Corpus | None, as_json: bool) -> None:
    for query in run.query_names:
        results = run[query]
        if not results:
            announce(f"nothing found for {query!r}")
        elif len(run) > 1 and not as_json:
            show(f"# {query}")
        for rank, (document, score) in enumerate(results, start=1):
            line = "" if texts is None else " ".join(texts.text(document).split())[:72]
            if as_json:
                row = {"query": query, "rank": rank, "document": document, "score": score}
                show(json.dumps(row | ({"text": line} if line else {}), ensure_ascii=False))
            else:
                show(f"{rank:>4}  {score:8.4f}  {document}  {line}".rstrip())


def verify(
    folder: Annotated[Path, typer.Argument(metavar="INDEX", help="The folder of an index.")],
) -> None:
    """Check every file of an index against its checksum."""
    from plackett.retrievers import BM25

    BM25.open(folder).index.verify()
    show(f"{folder}: every file is as it was written")


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command(
        epilog=examples(
            "plackett index docs.jsonl -o idx",
            "plackett index docs.tsv -o idx --analyzer unicode --fields title,text",
        )
    )(index)
    app.command(
        epilog=examples(
            'plackett search idx "laminar boundary layer" -k 10',
            "plackett search idx --queries queries.tsv -k 1000 -o run.txt",
        )
    )(search)
    app.command(epilog=examples("plackett verify idx"))(verify)
