"""evaluate, compare, measures: the library's numbers, in every form."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import plackett as pk

Program = Callable[..., Any]
MEASURES = "nDCG@10 AP RR@10 R@100"


def expected(run: str, measures: str = MEASURES) -> Any:
    return pk.evaluate(pk.Run.read(run), pk.Qrels.read("qrels.txt"), measures)


def test_the_table_holds_the_means(program: Program) -> None:
    done = program("plackett evaluate qrels.txt run.txt ltr.txt")
    rows = [line.split() for line in done.out.splitlines()]
    assert rows[0] == ["measure", "run", "ltr"]
    first, second = expected("run.txt").mean, expected("ltr.txt").mean
    assert rows[1:] == [[name, f"{first[name]:.4f}", f"{second[name]:.4f}"] for name in first]
    assert "mean over 225 queries" in done.err


def test_json_of_one_run(program: Program, inside: Path) -> None:
    content = json.loads(program("plackett evaluate qrels.txt run.txt -m 'AP RR' --json -").out)
    wanted = expected("run.txt", "AP RR")
    assert content["measures"] == pytest.approx(wanted.mean)
    assert content["per_query"]["1"] == pytest.approx(wanted.per_query["1"])
    assert list(content["per_query"]) == list(wanted.query_ids)
    done = program("plackett evaluate qrels.txt run.txt -m 'AP RR' --json scores.json")
    assert json.loads((inside / "scores.json").read_text()) == content
    assert done.out.startswith("measure")


def test_json_of_several_runs(program: Program) -> None:
    content = json.loads(program("plackett evaluate qrels.txt run.txt ltr.txt --json -").out)
    assert list(content) == ["runs"]
    means = {name: one["measures"] for name, one in content["runs"].items()}
    assert means == {
        "run": pytest.approx(expected("run.txt").mean),
        "ltr": pytest.approx(expected("ltr.txt").mean),
    }


def test_every_query_is_a_line(program: Program) -> None:
    done = program("plackett evaluate qrels.txt run.txt -m AP -q")
    lines = [line.split("\t") for line in done.out.splitlines() if "\t" in line]
    assert len(lines) == 225
    values = expected("run.txt", "AP").per_query
    assert {query: text for _, query, _, text in lines} == {
        query: f"{row['AP']:.4f}" for query, row in values.items()
    }


def test_conventions_are_passed_on(program: Program) -> None:
    stdin = b"1 Q0 184 1 1.0 x\n1 Q0 29 2 1.0 x\n"
    line = "plackett evaluate qrels.txt - -m P@1 --json -"
    assert json.loads(program(line, stdin=stdin).out)["queries"] == 225
    skipped = json.loads(program(f"{line} --missing skip", stdin=stdin).out)
    assert (skipped["queries"], skipped["measures"]) == (1, {"P@1": 1.0})
    done = program("plackett evaluate qrels.txt run.txt - --missing skip", stdin=stdin)
    assert done.err == "(run: mean over 225 queries)\n(stdin: mean over 1 query)\n"
    done = program(f"{line} --ties error", stdin=stdin)
    assert done.code == 2
    assert "184" in done.err or "29" in done.err or "equal scores" in done.err


def test_compare_in_every_form(program: Program, inside: Path) -> None:
    done = program(
        "plackett compare qrels.txt bm25.txt ltr.txt -m 'nDCG@10 AP' --baseline bm25 --html r.html "
        "--latex t.tex --markdown t.md --json c.json"
    )
    runs = {name: pk.Run.read(f"{name}.txt", name=name) for name in ("bm25", "ltr")}
    found = pk.compare(runs, pk.Qrels.read("qrels.txt"), "nDCG@10 AP", baseline="bm25")
    assert done.out == f"{found}\n"
    content = json.loads((inside / "c.json").read_text())
    assert content == json.loads(found.to_json())
    assert (inside / "t.tex").read_text() == found.to_latex()
    assert (inside / "t.md").read_text() == found.to_markdown()
    page = (inside / "r.html").read_text()
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "ltr" in page
    assert "▲" in done.out


def test_compare_prints_one_form_when_asked(program: Program) -> None:
    done = program("plackett compare qrels.txt bm25.txt ltr.txt -m AP --markdown -")
    assert "\n| system" in done.out
    assert "system  " not in done.out
    assert done.err == ""


def test_measures_say_what_they_are(program: Program) -> None:
    listing = program("plackett measures").out
    assert "nDCG: " in listing
    one = program("plackett measures 'AP(rel=2)@100'").out
    assert one.startswith("AP(rel=2)@100: ")
    assert "grade 2 or more" in one
