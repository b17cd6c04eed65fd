"""The cache: shared, killed, truncated, foreign, pruned; never a wrong answer."""

import json
import multiprocessing
import os
import random
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plackett.errors import ConfigurationError, CorruptFileError, DataError
from plackett.transport import cache as cache_module
from plackett.transport.cache import AnswerCache, content_key
from plackett.transport.cache_file import open_file

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), json_values, max_size=4), st.text())
def test_what_is_put_comes_back(answer, key):
    with AnswerCache() as cache:
        assert cache.get(key) is None
        cache.put(key, answer, kind="generate", model="m")
        assert cache.get(key) == answer
        assert len(cache) == 1


@given(st.dictionaries(st.text(), json_values, min_size=1, max_size=4))
def test_a_key_is_of_the_content_alone(content):
    again = dict(reversed(list(content.items())))
    assert content_key(content) == content_key(again)
    assert content_key(content) != content_key({**content, "more": [content]})


def fill(path, count=5):
    with AnswerCache(path) as cache:
        for i in range(count):
            cache.put(f"k{i}", {"i": i, "text": "x" * 50}, kind="generate", model=f"m{i % 2}")
    return path


def test_answers_are_there_when_the_file_is_opened_again(tmp_path):
    path = fill(tmp_path / "deep" / "cache.sqlite")
    with AnswerCache(path) as cache:
        assert cache.get("k3")["i"] == 3
        cache.put("k3", {"i": 33}, kind="generate", model="m1")
        assert cache.get("k3") == {"i": 33}
        assert len(cache) == 5
        assert repr(cache) == f"AnswerCache({str(path)!r})"


def test_what_is_kept_is_counted_by_kind_and_model(tmp_path):
    with AnswerCache(fill(tmp_path / "c")) as cache:
        cache.put("r", {"scores": [1]}, kind="rerank", model="m0")
        groups = cache.stats()
        assert [(g.kind, g.model, g.answers) for g in groups] == [
            ("generate", "m0", 3), ("generate", "m1", 2), ("rerank", "m0", 1),
        ]  # fmt: skip
        assert groups[0].size == sum(len(json.dumps({"i": i, "text": "x" * 50})) for i in (0, 2, 4))
        assert groups[0].oldest <= groups[0].newest <= time.time()
        rows = list(cache.answers())
        assert [row.key for row in rows] == [f"k{i}" for i in range(5)] + ["r"]
        assert rows[2].answer["i"] == 2


def test_all_answers_are_listed_however_many(tmp_path):
    with AnswerCache() as cache:
        for i in range(2500):
            cache.put(str(i), {}, kind="k")
        assert len({row.key for row in cache.answers()}) == 2500


def test_the_oldest_answers_are_pruned(tmp_path, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(cache_module.time, "time", lambda: now[0])
    with AnswerCache(tmp_path / "c") as cache:
        for i in range(10):
            now[0] = 1000.0 + i
            cache.put(str(i), {"a": "x" * 89}, kind="k")  # 98 bytes
        now[0] = 1010.0
        assert cache.prune(older_than=7.0) == 3
        assert cache.get("2") is None
        assert cache.get("3") is not None
        assert cache.prune(largest_size=300) == 4
        assert [row.key for row in cache.answers()] == ["7", "8", "9"]
        assert cache.prune() == 0
        assert cache.prune(largest_size=0) == 3
        assert len(cache) == 0


def test_pruning_gives_the_room_back(tmp_path):
    path = tmp_path / "c"
    with AnswerCache(path) as cache:
        for i in range(200):
            cache.put(str(i), {"a": "x" * 5000}, kind="k")
        cache.prune(largest_size=10_000)
    assert path.stat().st_size < 100_000


@pytest.mark.parametrize(
    "wrong", [{"older_than": -1.0}, {"largest_size": -1}, {"older_than": float("nan")}]
)
def test_pruning_takes_numbers_from_0(wrong):
    with AnswerCache() as cache, pytest.raises(ConfigurationError, match=next(iter(wrong))):
        cache.prune(**wrong)


def test_an_altered_answer_is_never_given(tmp_path):
    path = fill(tmp_path / "c")
    base = sqlite3.connect(path)
    base.execute("update answers set answer = replace(answer, '3', '4') where key = 'k3'")
    base.execute("update answers set answer = '[1]', checksum = 1 where key = 'k1'")
    base.commit()
    base.close()
    with AnswerCache(path) as cache:
        with pytest.raises(CorruptFileError, match="damaged answer under k3"):
            cache.get("k3")
        assert sorted(cache.verify()) == ["k1", "k3"]
        assert [row.key for row in cache.answers()] == ["k0", "k2", "k4"]
        assert sorted(cache.verify(drop=True)) == ["k1", "k3"]
        assert cache.verify() == []
        assert cache.get("k3") is None


@pytest.mark.parametrize("content", [b"hello\n", b"\x00" * 5000, b"SQLite format 3\0", b"{}" * 900])
def test_a_foreign_file_is_refused_and_left_as_it_is(tmp_path, content):
    path = tmp_path / "c"
    path.write_bytes(content)
    with pytest.raises(CorruptFileError):
        AnswerCache(path)
    assert path.read_bytes() == content


def test_a_database_of_another_program_is_refused(tmp_path):
    path = tmp_path / "c"
    base = sqlite3.connect(path)
    base.execute("create table answers (key text)")
    base.commit()
    base.close()
    with pytest.raises(CorruptFileError, match="another program"):
        AnswerCache(path)


def test_another_version_is_refused(tmp_path):
    path = fill(tmp_path / "c")
    base = sqlite3.connect(path)
    base.execute("pragma user_version=9")
    base.close()
    with pytest.raises(CorruptFileError, match="format 9; expected format 1"):
        AnswerCache(path)


@pytest.mark.parametrize("share", [0.01, 0.3, 0.6, 0.95])
def test_a_file_that_was_cut_is_refused_when_it_is_opened(tmp_path, share):
    path = fill(tmp_path / "c", 400)
    size = path.stat().st_size
    with path.open("rb+") as file:
        file.truncate(int(size * share))
    with pytest.raises(CorruptFileError):
        AnswerCache(path)


def test_a_damaged_page_is_an_error_and_no_answer(tmp_path):
    path = fill(tmp_path / "c", 400)
    content = bytearray(path.read_bytes())
    rng = random.Random(0)
    for place in range(4096, len(content)):
        if rng.random() < 0.5:
            content[place] = rng.randrange(256)
    path.write_bytes(content)
    with AnswerCache(path) as cache:
        with pytest.raises(CorruptFileError, match="damaged"):
            cache.verify()
        with pytest.raises((CorruptFileError, DataError)):
            _ = [cache.get(f"k{i}") for i in range(400)]


def test_an_empty_file_is_a_new_cache(tmp_path):
    (tmp_path / "c").touch()
    with AnswerCache(tmp_path / "c") as cache:
        assert len(cache) == 0


def test_a_path_that_cannot_be_opened(tmp_path):
    with pytest.raises(DataError, match="cannot be opened"):
        AnswerCache(tmp_path)


def test_offline_needs_a_file(tmp_path):
    with pytest.raises(DataError, match="offline is on"):
        AnswerCache(tmp_path / "none", offline=True)
    assert not (tmp_path / "none").exists()
    with AnswerCache(fill(tmp_path / "c"), offline=True) as cache:
        assert cache.get("k1")["i"] == 1
        assert repr(cache).endswith("offline=True)")


def test_a_closed_cache_says_so(tmp_path):
    cache = AnswerCache(tmp_path / "c")
    cache.close()
    with pytest.raises(DataError, match="closed"):
        cache.get("k")


WRITER = """
    import sys
    from plackett.transport.cache import AnswerCache

    path, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    cache = AnswerCache(path)
    for i in range(count):
        cache.put(f"{name}-{i}", {"i": i, "text": "x" * 200}, kind="generate", model=name)
        cache.put(f"both-{i}", {"i": i}, kind="generate", model="m")
        print(i, flush=True)
"""


def writer(path, name, count):
    command = [sys.executable, "-c", textwrap.dedent(WRITER), str(path), name, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_processes_share_a_file_that_none_of_them_made(tmp_path):
    processes = [writer(tmp_path / "c", f"p{i}", 50) for i in range(4)]
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    with AnswerCache(tmp_path / "c") as cache:
        assert len(cache) == 4 * 50 + 50
        assert cache.verify() == []


@pytest.mark.parametrize("line", [0, 7, 40])
def test_a_kill_loses_nothing_that_was_kept(tmp_path, line):
    process = writer(tmp_path / "c", "p", 1_000_000)
    for said in process.stdout:
        if int(said) == line:
            os.kill(process.pid, signal.SIGKILL)
            break
    process.stdout.close()
    process.wait()
    with AnswerCache(tmp_path / "c") as cache:
        assert all(cache.get(f"p-{i}") == {"i": i, "text": "x" * 200} for i in range(line + 1))
        assert cache.verify() == []


def _in_child(cache, count):
    for i in range(count):
        cache.put(f"child-{i}", {"i": i}, kind="k")
    os._exit(0 if cache.get("parent") == {"i": 1} else 1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.parametrize("kept", ["file", "memory"])
def test_a_forked_process_opens_the_file_anew(tmp_path, kept):
    cache = AnswerCache(tmp_path / "c" if kept == "file" else None)
    cache.put("parent", {"i": 1}, kind="k")
    process = multiprocessing.get_context("fork").Process(target=_in_child, args=(cache, 20))
    process.start()
    for i in range(20):
        cache.put(f"here-{i}", {"i": i}, kind="k")
    process.join(30)
    assert process.exitcode == 0
    assert len(cache) == (41 if kept == "file" else 21)
    assert cache.verify() == []
    cache.close()


def test_a_file_that_cannot_be_written_is_said_to_be_so(tmp_path):
    path = fill(tmp_path / "c")
    cache = AnswerCache(path)
    base = open_file(path)
    base.execute("begin exclusive")
    cache._base.execute("pragma busy_timeout=1")
    with pytest.raises(DataError, match="locked"):
        cache.put("k", {}, kind="k")
    base.execute("rollback")
    base.close()
    cache.close()
