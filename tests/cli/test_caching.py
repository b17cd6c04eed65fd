"""`plackett cache`: upkeep of a file of answers."""

import json
import sqlite3

import pytest
import typer
from typer.testing import CliRunner

from plackett.cli import caching
from plackett.errors import ConfigurationError, CorruptFileError, DataError
from plackett.transport.cache import AnswerCache


@pytest.fixture
def cache(tmp_path):
    path = tmp_path / "answers.sqlite"
    with AnswerCache(path) as kept:
        for i in range(4):
            answer = {"text": f"answer {i} é" + "x" * 100}
            kept.put(f"key-{i}", answer, kind="generate", model=f"Model({i % 2})")
        kept.put("other", {"scores": [1.0]}, kind="rerank", model="service")
    return path


def call(*arguments):
    app = typer.Typer()
    app.callback()(lambda: None)
    caching.register(app)
    result = CliRunner().invoke(app, ["cache", *map(str, arguments)], catch_exceptions=True)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_stats_are_a_table(cache):
    result = call("stats", cache)
    lines = result.stdout.splitlines()
    assert [line.split()[:3] for line in lines] == [
        ["kind", "model", "answers"],
        ["generate", "Model(0)", "2"],
        ["generate", "Model(1)", "2"],
        ["rerank", "service", "1"],
    ]
    assert "5 answers" in result.stderr


def test_an_empty_cache_has_no_rows(tmp_path):
    AnswerCache(tmp_path / "c").close()
    result = call("stats", tmp_path / "c")
    assert result.stdout == ""
    assert "0 answers, 0 B" in result.stderr


def test_answers_are_listed_and_chosen(cache):
    lines = call("list", cache).stdout.splitlines()
    assert len(lines) == 5
    assert all(len(line) < 140 for line in lines)
    assert "answer 0 é" in lines[0]
    assert len(call("list", cache, "--kind", "rerank").stdout.splitlines()) == 1
    assert len(call("list", cache, "--model", "Model").stdout.splitlines()) == 4
    assert len(call("list", cache, "--model", "Model(1)", "--kind", "rerank").stdout) == 0


def test_export_writes_all_that_is_kept(cache, tmp_path):
    target = tmp_path / "out.jsonl"
    assert "5 answers" in call("export", cache, target).stderr
    rows = [json.loads(line) for line in target.read_text("utf-8").splitlines()]
    assert [row["key"] for row in rows] == [f"key-{i}" for i in range(4)] + ["other"]
    assert set(rows[0]) == {"key", "kind", "model", "answer", "made"}
    assert [json.loads(x) for x in call("export", cache, "-").stdout.splitlines()] == rows


def test_pruning(cache):
    assert "removed 0 answers, 5 left" in call("prune", cache, "--older-than", "1h").stderr
    assert "removed 3 answers" in call("prune", cache, "--largest-size", "0.25kB").stderr
    assert "removed 2 answers, 0 left" in call("prune", cache, "--older-than", "0s").stderr
    with pytest.raises(ConfigurationError, match="--older-than"):
        call("prune", cache)
    for wrong in ("5", "5 years", "-1d", "d", ""):
        with pytest.raises(ConfigurationError, match="expected a time"):
            call("prune", cache, "--older-than", wrong)


def test_verifying(cache):
    assert "5 sound answers" in call("verify", cache).stderr
    base = sqlite3.connect(cache)
    base.execute("update answers set answer = '{}' where key = 'key-2'")
    base.commit()
    base.close()
    with pytest.raises(DataError, match="1 damaged answer"):
        call("verify", cache)
    result = call("verify", cache, "--drop")
    assert result.stdout == "key-2\n"
    assert "4 sound answers, 1 damaged one removed" in result.stderr


def test_what_is_no_cache_is_said_and_not_made(tmp_path):
    for command in ("stats", "list", "verify"):
        with pytest.raises(DataError, match="no file"):
            call(command, tmp_path / "none")
    assert not (tmp_path / "none").exists()
    (tmp_path / "text").write_text("a text\n" * 100)
    with pytest.raises(CorruptFileError):
        call("stats", tmp_path / "text")


@pytest.mark.parametrize(
    ("text", "seconds"), [("2w", 1209600.0), ("5min", 300.0), ("1.5h", 5400.0), (" 3 d ", 259200.0)]
)
def test_ages(text, seconds):
    assert caching.parse_age(text) == seconds


def test_sizes():
    assert caching.parse_size("2 GB") == 2 * 10**9
    with pytest.raises(ConfigurationError, match="expected a size"):
        caching.parse_size("2 gb")
