"""`plackett rerank`, `plackett rerankers`: texts put in a better order, and what that will cost."""

from __future__ import annotations

import inspect
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plackett.cli.console import announce, counted, examples, input_file, output_file, show
from plackett.cli.retrieving import CRANFIELD, read_queries
from plackett.errors import ConfigurationError

if TYPE_CHECKING:
    from plackett.data import Run
    from plackett.rerankers import Outcome, TextReranker
    from plackett.rerankers.planning.budget_plan import Limits
    from plackett.rerankers.planning.estimating import CallEstimate
    from plackett.transport.budget import Budget, Prices

__all__ = ["rerank", "rerankers"]

PLANNED = (
    "yes-no",
    "rank-gpt",
    "rank-gpt(window=10, stride=5)",
    "setwise",
    "tour-rank",
    "group-rank",
    "joint-rank",
    "sparse-pairs",
    "prp(method='sliding')",
)
"""What `--plan` compares where nothing is named."""

NOISES = (0.0, 0.1, 0.2)


def rerank(
    run: Annotated[Path, typer.Argument(help="The candidates: a run file.")],
    queries: Annotated[Path, typer.Option(help="The query texts; or cranfield.")],
    corpus: Annotated[Path, typer.Option(help="The documents; or cranfield.")],
    with_: Annotated[
        list[str] | None,
        typer.Option("--with", help="rank-gpt, 'setwise(k=10)' ... (see `plackett rerankers`)."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where the new run goes (- prints it).")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="A model: OpenAI('name'), Transformers('path') or a path.")
    ] = None,
    k: Annotated[
        int | None,
        typer.Option("--k", "-k", help="Re-rank the first k; the rest stays below.", min=1),
    ] = None,
    cache: Annotated[
        Path | None, typer.Option(help="Keep answers in this file, and ask nothing twice.")
    ] = None,
    budget: Annotated[
        str | None, typer.Option(help="Stop before more: 200calls, 1e6tokens, 2.5money.")
    ] = None,
    prices: Annotated[
        str | None, typer.Option(help="Money for a million tokens in and out, as 0.15,0.60.")
    ] = None,
    on_malformed: Annotated[
        str, typer.Option(help="Answers not as asked: repair, keep (the order), strict (stop).")
    ] = "repair",
    records: Annotated[
        Path | None, typer.Option(help="Write a line of JSON for each call.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Send nothing; print calls, tokens and cost.")
    ] = False,
    plan: Annotated[
        bool, typer.Option("--plan", help="Simulate strategies, print the best for --budget.")
    ] = False,
    qrels: Annotated[
        Path | None, typer.Option(help="Judgments that --plan simulates with; or cranfield.")
    ] = None,
) -> None:
    """Re-rank the candidates of a run by their texts."""
    candidates = _read_run(run, queries, corpus)
    rates = _parse_prices(prices)
    limits = None if budget is None else _parse_limits(budget)
    top = candidates if k is None else candidates.head(k)
    if plan:
        _print_plan(top, qrels, with_, limits, rates)
        return
    if with_ is None or len(with_) != 1:
        raise ConfigurationError("give one --with RERANKER; several are for --plan.")
    options = {
        "model": model,
        "cache": None if cache is None else str(cache),
        "budget": _budget(limits, rates),
        "on_malformed": None if on_malformed == "repair" else on_malformed,
    }
    stage = _made(with_[0], options)
    if dry_run:
        _print_estimate(stage, top, rates)
        return
    if output is None:
        raise ConfigurationError("give --output FILE, or --dry-run.")
    started = time.perf_counter()
    try:
        with _recording(stage, records):
            ranked, told = _watched(stage, top)
    except KeyboardInterrupt:
        announce(_resuming(cache))
        raise
    if k is not None and not stage.may_drop:
        ranked = _with_rest(ranked, candidates)
    with output_file(output, ".txt") as path:
        ranked.write(path)
    announce(f"{_summary(told, rates, stage)}; {time.perf_counter() - started:.1f} s: {output}")


def rerankers(
    name: Annotated[str | None, typer.Argument(help="One re-ranker, with its parameters.")] = None,
) -> None:
    """List the re-rankers with a line each, or one with all that is to know."""
    from plackett.rerankers import get, names

    if name is not None:
        show(f"{name}{inspect.signature(get(name))}\n\n{inspect.getdoc(get(name))}")
        return
    known = names()
    wide = max(map(len, known))
    for name in known:
        about = (inspect.getdoc(get(name)) or "").partition("\n")[0]
        show(f"{name:<{wide}}  {about}".rstrip())


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    texts = "--queries queries.tsv --corpus docs.jsonl"
    app.command(
        epilog=examples(
            f"plackett rerank run.txt {texts} --with word-overlap -o reranked.txt",
            f"plackett rerank run.txt {texts} --with 'rank-gpt(window=10, stride=5)' "
            "--model \"Oracle('qrels.txt', queries='queries.tsv')\" -k 20 "
            "--cache answers.sqlite --budget 900calls -o reranked.txt",
            f"plackett rerank run.txt {texts} --with setwise "
            "--model \"Oracle('qrels.txt', queries='queries.tsv')\" -k 10 --dry-run "
            "--prices 0.15,0.60",
            f"plackett rerank run.txt {texts} --plan --qrels qrels.txt -k 10 "
            "--with yes-no --with rank-gpt --budget 2000calls",
        )
    )(rerank)
    app.command(epilog=examples("plackett rerankers"))(rerankers)


def _read_run(path: Path, queries: Path, corpus: Path) -> Run:
    from plackett.data import Corpus, Run, load_collection

    with input_file(path, ".txt") as file:
        run = Run.read(file)
    packaged = str(corpus) == CRANFIELD and not corpus.exists()
    documents = load_collection(CRANFIELD).corpus if packaged else Corpus.read(corpus)
    return run.replace(queries=read_queries(queries), corpus=documents)


def _parse_prices(text: str | None) -> Prices | None:
    """
    >>> _parse_prices("0.15,0.60")
    Prices(input=0.15, output=0.6, call=0.0)
    """
    from plackett.transport.budget import Prices

    if text is None:
        return None
    try:
        given, received = (float(part) for part in text.split(","))
    except ValueError as error:
        raise ConfigurationError(
            f"prices {text!r}; expected two numbers for a million tokens in and out: 0.15,0.60."
        ) from error
    return Prices(input=given, output=received)


def _parse_limits(text: str) -> Limits:
    from plackett.rerankers.planning.budget_plan import Limits

    return Limits.parse(text)


def _made(text: str, options: Mapping[str, object]) -> TextReranker:
    """The re-ranker of a description, with what the options say beside it."""
    from plackett.rerankers import get, parse

    given = {name: value for name, value in options.items() if value is not None}
    name = text.partition("(")[0].strip()
    if name == "Reranker":
        return parse(text, given)
    known = inspect.signature(get(name)).parameters
    for option in given:
        if option not in known:
            raise ConfigurationError(
                f"re-ranker {name!r} takes no --{option.replace('_', '-')}; leave it out."
            )
    return parse(text, given)


def _budget(limits: Limits | None, prices: Prices | None) -> Budget | None:
    from plackett.transport.budget import Budget

    if limits is None:
        return None
    if limits.seconds is not None:
        raise ConfigurationError("a budget in seconds is for --plan.")
    return Budget(
        calls=None if limits.calls is None else int(limits.calls),
        tokens=None if limits.tokens is None else int(limits.tokens),
        money=limits.money,
        prices=prices,
    )


@contextmanager
def _recording(stage: TextReranker, records: Path | None) -> Iterator[None]:
    """While this lasts, the calls of the re-ranker are written to a file, if there is one."""
    from plackett.rerankers.strategy import Recorded

    if records is None:
        yield
        return
    if not isinstance(stage, Recorded):
        raise ConfigurationError(f"{stage!r} records no calls; leave out --records.")
    stage.log.write_to(records)
    try:
        yield
    finally:
        stage.log.close()


class _Told:
    """What the outcomes so far came to."""

    def __init__(self) -> None:
        self.queries = self.calls = self.cached = self.tokens = self.truncated = 0
        self.answers: Counter[str] = Counter()

    def add(self, outcome: Outcome) -> None:
        """Count one query."""
        self.queries += 1
        self.calls += outcome.calls
        self.cached += outcome.cached_calls
        self.tokens += outcome.tokens
        self.truncated += outcome.truncated
        self.answers.update(outcome.answers)

    @property
    def statuses(self) -> str:
        """How many answers are of each status, the good ones first."""
        order = ("ok", "repaired", "wrong_format", "missing", "refused")
        found = sorted(self.answers, key=lambda s: order.index(s) if s in order else len(order))
        return ", ".join(f"{self.answers[s]:,} {s.replace('_', ' ')}" for s in found)


def _watched(stage: TextReranker, run: Run) -> tuple[Run, _Told]:
    told = _Told()
    with _bar(len(run)) as move:

        def watch(outcome: Outcome) -> None:
            told.add(outcome)
            move(told.queries, told.statuses)

        stage.watcher = watch
        ranked = stage(run)
    return ranked, told


@contextmanager
def _bar(total: int) -> Iterator[Callable[[int, str], None]]:
    """A function `(done, statuses)` that moves a bar on standard error, where that is a screen."""
    if not sys.stderr.isatty():
        yield lambda done, statuses: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("re-ranking"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda done, statuses: bar.update(task, completed=done, description=statuses)


def _resuming(cache: Path | None) -> str:
    if cache is None:
        return "stopped; no answer was kept. With --cache FILE a run goes on where it stopped."
    return f"stopped; every answer so far is in {cache}: the same command goes on from there."


def _with_rest(ranked: Run, before: Run) -> Run:
    """The re-ranked beginnings, and below them what followed; scores are minus the rank."""
    from plackett.data import Run

    lists = {}
    given = before.to_dict()
    for query, beginning in ranked.to_dict().items():
        documents = [*beginning, *(name for name in given[query] if name not in beginning)]
        lists[query] = {document: -float(rank) for rank, document in enumerate(documents, 1)}
    return Run.from_dict(lists, name=before.name)


def _summary(told: _Told, prices: Prices | None, stage: TextReranker) -> str:
    from plackett.rerankers.strategy import Recorded

    parts = [counted(told.queries, "query", "queries")]
    if told.calls or told.cached:
        cached = f" and {told.cached:,} from the cache" if told.cached else ""
        parts.append(f"{counted(told.calls, 'call')}{cached}, {counted(told.tokens, 'token')}")
        if prices is not None and isinstance(stage, Recorded):
            answered = [record for record in stage.log.records if not record.cached]
            spent = prices.of(
                calls=len(answered),
                input_tokens=sum(record.input_tokens for record in answered),
                output_tokens=sum(record.output_tokens for record in answered),
            )
            parts.append(f"{spent:.4g} in money")
    if told.answers:
        parts.append(f"answers: {told.statuses}")
    if told.truncated:
        parts.append(f"{counted(told.truncated, 'document')} shown shortened")
    return "; ".join(parts)


def _print_estimate(stage: TextReranker, run: Run, prices: Prices | None) -> None:
    from plackett.rerankers import StrategyReranker
    from plackett.rerankers.planning.estimating import estimate_calls

    if not isinstance(stage, StrategyReranker):
        pairs = counted(len(run.document), "document")
        show(f"no calls to a language model; {counted(len(run), 'query', 'queries')}, {pairs}")
        return
    for name, value in _estimate_rows(estimate_calls(stage, run), len(run), prices):
        show(f"{name:<8}  {value}")


def _estimate_rows(
    found: CallEstimate, queries: int, prices: Prices | None
) -> Iterator[tuple[str, str]]:
    likely, least, most = found.likely, found.least, found.most
    about = "whatever the answers"
    if not found.exact:
        about = f"an estimate, {least.calls:,} to {most.calls:,} by what is answered"
    yield "queries", f"{queries:,}"
    yield "calls", f"{likely.calls:,}, {about}"
    if found.cached:
        yield "cached", f"{found.cached:,} of them"
    yield "tokens", f"{likely.input_tokens:,} in, at most {likely.output_tokens:,} out"
    if prices is not None:
        yield "cost", f"at most {likely.money(prices):.4g}"


def _print_plan(
    run: Run,
    qrels: Path | None,
    described: list[str] | None,
    limits: Limits | None,
    prices: Prices | None,
) -> None:
    from plackett.data import Qrels, load_collection
    from plackett.rerankers import StrategyReranker, get
    from plackett.rerankers.planning.budget_plan import Limits, plan
    from plackett.rerankers.planning.simulator import simulate

    if qrels is None:
        raise ConfigurationError("--plan needs judgments to simulate with: --qrels FILE.")
    packaged = str(qrels) == CRANFIELD and not qrels.exists()
    judged = load_collection(CRANFIELD).qrels if packaged else Qrels.read(qrels)
    strategies: dict[str, StrategyReranker] = {}
    for text in described or PLANNED:
        if not issubclass(get(text.partition("(")[0].strip()), StrategyReranker):
            raise ConfigurationError(f"{text!r} asks no language model; nothing to simulate.")
        made = _made(text, {"model": "Oracle({})"})
        if isinstance(made, StrategyReranker):
            strategies[text] = made
    known = set(judged.queries)
    run = run.select([query for query in run.query_names if query in known])
    simulation = simulate(strategies, run, judged, noise=NOISES)
    show(simulation.table())
    best = plan(limits or Limits(), simulation, queries=len(run), prices=prices)
    show("")
    total = f"{best.calls * len(run):,.0f} calls and {best.tokens * len(run):,.0f} tokens"
    show(f"best: {best.strategy}, {simulation.measure} {best.quality:.4f} on average, {total}")
