"""`plackett index`, `plackett search`, `plackett verify`: documents and what is found in them."""

from __future__ import annotations

import json
import textwrap
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
from plackett.cli.fusing import numbers_of
from plackett.cli.searchers import searcher
from plackett.errors import ConfigurationError

if TYPE_CHECKING:
    from plackett.data import Corpus, Queries, Run

__all__ = ["index", "search", "verify"]

CRANFIELD = "cranfield"
WORDS = ("bm25", "live-bm25")
LINE = 76

Progress = Callable[[int, "int | None"], None]

Index = Annotated[Path, typer.Argument(metavar="INDEX", help="The folder of an index.")]


def index(
    corpus: Annotated[
        Path, typer.Argument(help="Documents: JSONL, TSV, Parquet, a BEIR folder; or cranfield.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder of the index.")],
    kind: Annotated[
        str, typer.Option(help="bm25, live-bm25, dense, sparse or multivector.")
    ] = "bm25",
    fields: Annotated[
        str | None, typer.Option(help="Text fields in reading order, with commas; by default all.")
    ] = None,
    analyzer: Annotated[
        str | None,
        typer.Option(help="bm25: how texts become terms: english (default), unicode, ..."),
    ] = None,
    k1: Annotated[float | None, typer.Option("--k1", help="bm25: k1, 1.2 by default.")] = None,
    b: Annotated[float | None, typer.Option("--b", help="bm25: b, 0.75 by default.")] = None,
    variant: Annotated[
        str | None, typer.Option(help="bm25: lucene (default), robertson, atire, bm25l, bm25+ ...")
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(help="vectors: a model's folder, or \"TransformerEncoder('path', ...)\"."),
    ] = None,
    structure: Annotated[
        str | None,
        typer.Option(help="vectors: how they are searched; by default compared with all."),
    ] = None,
    metadata: Annotated[
        str | None, typer.Option(help="Columns to keep for --where, with commas.")
    ] = None,
    memory: Annotated[
        str | None, typer.Option(help="bm25: for postings while it is built, 1GB by default.")
    ] = None,
    forward: Annotated[
        bool | None,
        typer.Option(
            "--forward/--no-forward",
            help="bm25: keep terms in reading order, for features, phrases and expansion.",
            show_default="forward",
        ),
    ] = None,
) -> None:
    """Index documents for BM25, or their vectors; the file is read as a stream.

    An index that is in the folder already stays in use until the new one is whole. Documents are
    added to vectors and to live-bm25 later, and deleted: see `plackett documents`.
    """
    lexical = {"k1": k1, "b": b, "variant": variant, "analyzer": analyzer}
    vectors = {"encoder": encoder, "structure": structure}
    building = {"memory": memory, "forward": forward}
    if kind != "bm25":
        _refuse(building, kind)
    _refuse(vectors if kind in WORDS else lexical, kind)
    started = time.perf_counter()
    with input_file(corpus, ".jsonl") as path, progress_bar("indexing") as progress:
        packaged = str(corpus) == CRANFIELD and not corpus.exists()
        documents: Any = _packaged() if packaged else path
        columns = {"fields": split_names(fields), "metadata": split_names(metadata) or []}
        if kind in WORDS:
            said = _index_words(documents, output, kind, columns, lexical | building, progress)
        else:
            said = _index_vectors(documents, output, kind, columns, vectors, progress)
    announce(f"indexed {said}, in {time.perf_counter() - started:.1f} s: {output}")


def _packaged() -> Corpus:
    from plackett.data import load_collection

    return load_collection(CRANFIELD).corpus


def _refuse(options: Mapping[str, object], kind: str) -> None:
    """Options of another kind of index are a mistake, and not to be passed over."""
    for name, value in options.items():
        if value is not None:
            raise ConfigurationError(f"--{name} is not for an index of kind {kind!r}.")


def _index_words(
    corpus: Any,
    output: Path,
    kind: str,
    columns: Mapping[str, Any],
    options: Mapping[str, Any],
    progress: Progress,
) -> str:
    """Build a BM25 index, and say what is in it."""
    from plackett.retrievers import BM25, LiveBM25

    given = {name: value for name, value in options.items() if value is not None}
    if kind != "bm25":
        live = LiveBM25.build(corpus, output, **columns, **given, progress=progress)
        return f"{counted(len(live), 'document')}, to live"
    bm25 = BM25.build(corpus, output, **columns, **given, progress=progress)
    terms = counted(bm25.index.n_terms, "term")
    return f"{counted(bm25.index.n_documents, 'document')}, {terms}"


def _index_vectors(
    corpus: Any,
    output: Path,
    kind: str,
    columns: Mapping[str, Any],
    options: Mapping[str, str | None],
    progress: Progress,
) -> str:
    """Build an index of vectors, and say what is in it."""
    from plackett.retrievers.descriptions import described_encoder, described_structure
    from plackett.retrievers.opening import vector_retriever

    retriever = vector_retriever(kind)
    if options["encoder"] is None:
        raise ConfigurationError(f"an index of kind {kind!r} needs --encoder: a model's folder.")
    structure = options["structure"]
    built = retriever.build(
        corpus,
        output,
        encoder=described_encoder(options["encoder"], retriever.vectors.name),
        structure=None if structure is None else described_structure(structure),
        **columns,
        progress=progress,
    )
    said = f"{counted(len(built), 'document')}, {kind} by {built.structure!r}"
    cut = sum(int(entry.facts["truncated"]) for entry in built.manifest.segments)
    return f"{said}, {counted(cut, 'text')} cut short" if cut else said


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
    where: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN=VALUE", help="a value, a|b or low..high; repeatable."),
    ] = None,
    fused: Annotated[
        list[Path] | None,
        typer.Option("--fuse", metavar="INDEX", help="Search this one too; repeatable."),
    ] = None,
    method: Annotated[
        str | None, typer.Option(help="How --fuse puts lists together: rrf, comb_sum ...")
    ] = None,
    weights: Annotated[
        str | None, typer.Option(help="Of --fuse, one an index, with commas.")
    ] = None,
    depth: Annotated[
        int | None, typer.Option(help="So many documents of each index for --fuse.", min=1)
    ] = None,
    encoder: Annotated[
        str | None, typer.Option(help="Where the model of the index is now, if it has moved.")
    ] = None,
    structure: Annotated[
        str | None, typer.Option(help='Search the vectors so instead: "HNSW(width=200)", Exact.')
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines.")] = False,
    k1: Annotated[float | None, typer.Option("--k1", help="Another k1 than the index's.")] = None,
    b: Annotated[float | None, typer.Option("--b", help="Another b than the index's.")] = None,
    variant: Annotated[str | None, typer.Option(help="Another variant of BM25.")] = None,
    model: Annotated[
        str | None, typer.Option(help='Another model than BM25: DPH, "Dirichlet(mu=2000)" ...')
    ] = None,
    expand: Annotated[
        str | None, typer.Option(help="Ask twice, the second time as the first results say: RM3.")
    ] = None,
    signs: Annotated[
        bool, typer.Option("--signs", help='Read +must, -not, "a phrase", begin*, near~.')
    ] = False,
    proximity: Annotated[
        bool, typer.Option("--proximity", help="Neighbours of the query side by side count more.")
    ] = False,
    threads: Annotated[int, typer.Option(help="Search so many queries at a time.", min=1)] = 1,
) -> None:
    """Search an index of any kind, or several, with one query or with a file of them."""
    if (query is None) == (queries is None):
        raise ConfigurationError("give either a query or --queries FILE.")
    if not fused and (method, weights, depth) != (None, None, None):
        raise ConfigurationError("--method, --weights and --depth go with --fuse INDEX.")
    weighting = {"k1": k1, "b": b, "variant": variant}
    weighting |= {"model": model, "expand": expand, "signs": "signs" if signs else None}
    weighting["proximity"] = "proximity" if proximity else None
    vectors = {"encoder": encoder, "structure": structure}
    searchers = [
        searcher(path, where or [], vectors, weighting, threads, alone=not fused)
        for path in (folder, *(fused or ()))
    ]
    asked = read_queries(queries, query)
    started = time.perf_counter()
    if fused:
        from plackett.fusion import parse_fusion

        fusion = parse_fusion(method or "rrf", weights=numbers_of(weights))
        reach = max(k, 1000) if depth is None else depth
        run = fusion([find(asked, reach) for find in searchers]).head(k)
        run = run.replace(name=fusion.method)
    else:
        run = searchers[0](asked, k)
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
    from plackett.data import Corpus

    if path is None:
        return None
    if str(path) == CRANFIELD and not path.exists():
        return _packaged()
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
    from plackett.retrievers.opening import verify_folder

    verify_folder(folder)
    show(f"{folder}: every file is as it was written")


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command(
        epilog=examples(
            "plackett index docs.jsonl -o idx",
            "plackett index docs.jsonl -o idx --analyzer unicode --fields title,text",
            "plackett index cranfield -o idx",
            "plackett index docs.jsonl -o filtered --metadata author",
            "plackett index docs.jsonl -o small --memory 500MB --no-forward",
            "plackett index docs.jsonl -o vectors --kind dense --encoder encoder --metadata author",
        )
    )(index)
    app.command(
        epilog=examples(
            'plackett search idx "laminar boundary layer" -k 10',
            'plackett search idx "laminar boundary layer" --corpus docs.jsonl --json',
            "plackett search idx --queries queries.tsv -k 1000 -o run.txt",
            'plackett search vectors "laminar boundary layer" --where "author=ting-yili"',
            'plackett search vectors "laminar boundary layer" --structure Exact',
            "plackett search idx --fuse vectors --queries queries.tsv -k 100 -o hybrid.txt",
        )
    )(search)
    app.command(epilog=examples("plackett verify idx"))(verify)
