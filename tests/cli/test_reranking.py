"""`plackett rerank` and `plackett rerankers`: through the program, with an oracle for a model."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from plackett.cli import reranking
from plackett.data import Qrels, Run
from plackett.llm.oracle.model import Oracle
from plackett.metrics import evaluate
from plackett.rerankers.base import Outcome

TEXTS = "--queries queries.tsv --corpus docs.jsonl"
MODEL = "--model \"Oracle('qrels.txt', queries='queries.tsv')\""


class Done(NamedTuple):
    code: int
    out: str
    err: str


Program = Callable[..., Done]


@pytest.fixture
def small(inside: Path) -> Path:
    """Ten queries of the run, with thirty documents each."""
    run = Run.read("run.txt")
    run.select(run.query_names[:10]).write("small.txt")
    return inside


def test_a_run_comes_out_better_with_all_its_documents(small: Path, program: Program) -> None:
    done = program(f"plackett rerank small.txt {TEXTS} --with rank-gpt {MODEL} -o new.txt")
    assert done.code == 0, done.err
    before, after, qrels = Run.read("small.txt"), Run.read("new.txt"), Qrels.read("qrels.txt")
    assert {q: set(d) for q, d in after.to_dict().items()} == {
        q: set(d) for q, d in before.to_dict().items()
    }
    judged = qrels.select([q for q in before.query_names if q in set(qrels.queries)])
    quality = [evaluate(run, judged, "nDCG@10").mean["nDCG@10"] for run in (before, after)]
    assert quality[1] > quality[0] + 0.1
    assert "10 queries; 20 calls, " in done.err
    assert "answers: 20 ok" in done.err


def test_only_the_first_k_are_reranked_and_the_rest_stays_below(
    small: Path, program: Program
) -> None:
    line = f"plackett rerank small.txt {TEXTS} --with word-overlap -k 5 -o -"
    done = program(f"{line} > five.txt")
    assert done.code == 0, done.err
    before, after = Run.read("small.txt").to_dict(), Run.read("five.txt").to_dict()
    for query, documents in before.items():
        assert set(list(after[query])[:5]) == set(list(documents)[:5])
        assert list(after[query])[5:] == list(documents)[5:]
    assert "calls" not in done.err


def test_a_dry_run_counts_what_the_run_then_does(small: Path, program: Program) -> None:
    line = f"plackett rerank small.txt {TEXTS} --with 'rank-gpt(window=10, stride=5)' {MODEL}"
    done = program(f"{line} --dry-run --prices 1,2")
    assert done.code == 0, done.err
    assert "calls     50, whatever the answers" in done.out
    assert "in, at most" in done.out
    assert "cost      at most 0." in done.out
    assert "10 queries; 50 calls" in program(f"{line} -o x.txt").err


def test_an_adaptive_strategy_gets_an_estimate(small: Path, program: Program) -> None:
    line = f"plackett rerank small.txt {TEXTS} --with 'setwise(k=5)' {MODEL} -k 20 --dry-run"
    done = program(line)
    assert done.code == 0, done.err
    assert "an estimate, " in done.out
    assert (
        "no calls"
        in program(f"plackett rerank small.txt {TEXTS} --with word-overlap --dry-run").out
    )


def test_a_cache_is_counted_and_makes_a_stopped_run_go_on(
    small: Path, program: Program, tmp_path: Path
) -> None:
    cache = tmp_path / "answers.sqlite"
    line = f"plackett rerank small.txt {TEXTS} --with rank-gpt {MODEL} --cache {cache}"
    done = program(f"{line} -o one.txt --budget 7calls")
    assert (done.code, "the budget of 7 calls is spent" in done.err) == (2, True)
    assert "cached    7 of them" in program(f"{line} --dry-run").out
    done = program(f"{line} -o one.txt")
    assert "13 calls and 7 from the cache" in done.err
    done = program(f"{line} -o two.txt")
    assert "0 calls and 20 from the cache" in done.err
    assert Path("one.txt").read_text() == Path("two.txt").read_text()


@pytest.mark.parametrize(
    ("cache", "told"),
    [("", "With --cache FILE"), ("--cache a.sqlite", "a.sqlite: the same command goes on")],
)
def test_an_interrupt_says_how_to_go_on(
    small: Path, program: Program, monkeypatch: pytest.MonkeyPatch, cache: str, told: str
) -> None:
    def stop(stage: object, run: Run) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(reranking, "_watched", stop)
    done = program(f"plackett rerank small.txt {TEXTS} --with rank-gpt {MODEL} {cache} -o x.txt")
    assert (done.code, told in done.err) == (130, True)


def test_records_and_money_are_told(small: Path, program: Program, tmp_path: Path) -> None:
    records = tmp_path / "calls.jsonl"
    done = program(
        f"plackett rerank small.txt {TEXTS} --with rank-gpt {MODEL} -k 10 -o x.txt "
        f"--records {records} --prices 10,20 --budget 5money"
    )
    assert done.code == 0, done.err
    rows = [json.loads(line) for line in records.read_text().splitlines()]
    assert len(rows) == 10
    money = sum(10 * row["input_tokens"] + 20 * row["output_tokens"] for row in rows) / 1e6
    assert f"{money:.4g} in money" in done.err


def test_a_budget_binds_every_reranker_that_pays(
    small: Path, program: Program, fake_server: Any
) -> None:
    fake_server.respond = lambda request: {
        "results": [
            {"index": i, "relevance_score": 0.5} for i in range(len(request.json["documents"]))
        ]
    }
    hosted = f"hosted(service='vllm', model='m', key=None, url='{fake_server.url}')"
    for described, asked in ((hosted, ""), ("rank-fusion(sorts=['heap'])", MODEL)):
        done = program(
            f'plackett rerank small.txt {TEXTS} --with "{described}" {asked} -k 3 '
            "--budget 4calls --records calls.jsonl -o x.txt"
        )
        assert (done.code, "the budget of 4 calls is spent" in done.err) == (2, True), done.err
    assert len(fake_server.requests) == 4
    assert len(Path("calls.jsonl").read_text().splitlines()) == 8


def test_a_description_is_taken_in_the_form_of_its_repr(small: Path, program: Program) -> None:
    line = f"plackett rerank small.txt {TEXTS} -o new.txt --with"
    done = program(f"{line} \"Reranker('rank-gpt', window=10, stride=5)\" {MODEL}")
    assert done.code == 0, done.err
    done = program(f"{line} \"rank-gpt(model='Oracle({{}})')\" {MODEL}")
    assert "gives 'model', which an option gives too" in done.err


def test_malformed_answers_are_counted_and_strict_stops(small: Path, program: Program) -> None:
    model = "--model \"Oracle('qrels.txt', queries='queries.tsv', malformed=0.5)\""
    line = f"plackett rerank small.txt {TEXTS} --with rank-gpt {model} -k 10 -o x.txt"
    done = program(line)
    assert done.code == 0, done.err
    assert " ok, " in done.err
    assert program(f"{line} --on-malformed strict").code == 2


def test_a_plan_names_the_best_within_the_budget(small: Path, program: Program) -> None:
    line = (
        f"plackett rerank small.txt {TEXTS} --plan --qrels qrels.txt -k 10 "
        "--with yes-no --with rank-gpt"
    )
    done = program(f"{line} --budget 20calls")
    assert done.code == 0, done.err
    assert "first stage" in done.out
    assert "best: rank-gpt, nDCG@10 0." in done.out
    assert "best: first stage" in program(f"{line} --budget 5calls").out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--with rank-gpt -o x.txt", "missing a required argument: 'model'"),
        ("--with rank-gbt --dry-run", "did you mean 'rank-gpt'"),
        ("--dry-run", "give one --with"),
        ("--with word-overlap", "give --output FILE"),
        ("--with word-overlap --model x -o x.txt", "takes no --model"),
        ("--with word-overlap -o x.txt --budget 5calls", "takes no --budget"),
        (f"--with rank-gpt {MODEL} -o x.txt --budget 5s", "seconds is for --plan"),
        (f"--with rank-gpt {MODEL} -o x.txt --budget much", "such as 200calls"),
        (f"--with rank-gpt {MODEL} -o x.txt --prices 1", "expected two numbers"),
        ("--plan", "--qrels FILE"),
        ("--plan --qrels qrels.txt --with word-overlap", "nothing to simulate"),
    ],
)
def test_errors_say_what_to_do(small: Path, program: Program, options: str, message: str) -> None:
    done = program(f"plackett rerank small.txt {TEXTS} {options}")
    assert done.code == 2
    assert message in done.err


def test_the_packaged_collection_can_be_named(small: Path, program: Program) -> None:
    done = program(
        "plackett rerank small.txt --queries cranfield --corpus cranfield --with word-overlap -o -"
    )
    assert done.code == 0
    assert len(done.out.splitlines()) == 300


def test_every_reranker_has_a_line(program: Program) -> None:
    rows = program("plackett rerankers").out.splitlines()
    assert any(row.startswith("word-overlap ") for row in rows)
    assert all(len(row.split(None, 1)) == 2 for row in rows)


def test_the_bar_shows_the_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reranking.sys.stderr, "isatty", lambda: True, raising=False)
    told = reranking._Told()
    with reranking._bar(3) as move:
        told.add(Outcome(None, calls=2, answers={"ok": 2, "wrong_format": 1}))  # type: ignore[arg-type]
        move(told.queries, told.statuses)
    assert told.statuses == "2 ok, 1 wrong format"


def test_an_estimate_asks_the_model_nothing(small: Path) -> None:
    from plackett.data import Corpus, Queries
    from plackett.rerankers.listwise.sliding_window import RankGPT
    from plackett.rerankers.planning.estimating import estimate_calls

    class Silent(Oracle):
        async def answer(self, requests):
            raise AssertionError("asked")

    run = Run.read("small.txt").replace(
        queries=Queries.read("queries.tsv"), corpus=Corpus.read("docs.jsonl")
    )
    found = estimate_calls(RankGPT(Silent({})), run)
    assert found.exact
    assert found.likely.calls == 20
