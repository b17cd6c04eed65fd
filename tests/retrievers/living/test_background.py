"""Merging in the background changes no ranking, loses no change, and survives every kill."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plackett import BM25, Corpus, Queries
from plackett.errors import ConfigurationError, CorruptFileError, DataError
from plackett.retrievers.living import LiveBM25, MergePolicy
from plackett.retrievers.living import background as module
from plackett.retrievers.segments import store
from plackett.retrievers.segments.aside import Aside
from plackett.retrievers.segments.store import changing, open_as_it_is, read_index

pytestmark = pytest.mark.skipif(os.name != "posix", reason="file locks are of POSIX")

WORDS = [f"w{i}" for i in range(8)]
QUERIES = Queries.from_texts({"q1": "w0", "q2": "w1 w2 w7", "q3": " ".join(WORDS)})
EAGER = MergePolicy(growth=2, least=1)


def texts(numbers: list[int], version: int = 0) -> Corpus:
    """Short documents of few words, so that many scores are equal."""
    found = {}
    for number in numbers:
        generator = np.random.default_rng([number % 7, version])
        found[f"d{number}"] = " ".join(generator.choice(WORDS, generator.integers(0, 6)))
    return Corpus.from_texts(found)


def rankings(live: LiveBM25) -> list[Any]:
    """Ids and scores, to the bit, at several depths."""
    return [live.search(QUERIES, k).to_dict() for k in (1, 3, 100)]


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["add", "delete", "wait", "merge"]),
        st.lists(st.integers(0, 20), min_size=1, unique=True, max_size=4),
    ),
    max_size=10,
)


@given(OPERATIONS)
@settings(max_examples=10, deadline=None)
def test_it_changes_nothing_but_segments(operations: list[tuple[str, list[int]]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        names = [f"d{i}" for i in range(6)]
        live = LiveBM25.build(texts(list(range(6))), Path(folder) / "live", analyzer="whitespace")
        alone = LiveBM25.build(texts(list(range(6))), Path(folder) / "alone", analyzer="whitespace")
        with live.merge_in_background(EAGER, batch_rows=2) as live:
            for turn, (what, numbers) in enumerate(operations, start=1):
                if what == "add":
                    live, alone = (index.add(texts(numbers, turn)) for index in (live, alone))
                    names += [f"d{i}" for i in numbers if f"d{i}" not in names]
                elif what == "delete":
                    gone = [f"d{i}" for i in numbers if f"d{i}" in names]
                    live, alone = (index.delete(gone) for index in (live, alone))
                    names = [name for name in names if name not in gone]
                elif what == "merge":
                    live, alone = live.merge(), alone.merge()
                else:
                    assert live.merging is not None
                    live.merging.wait()
                assert set(live.document_ids) == set(names)
            assert live.merging is not None
            live.merging.wait()
            after = live.refreshed()
        assert list(after.document_ids) == list(alone.document_ids)
        assert rankings(after) == rankings(live) == rankings(alone)
        assert len(after.segments) <= len(alone.segments)
        sizes = [len(segment.live_rows) for segment in after.segments]
        assert EAGER.choose([e.documents for e in after.manifest.segments], sizes) is None
        assert sorted(after.folder.iterdir()) == sorted(
            after.folder / name
            for name in (".lock", "manifest.json", *(e.name for e in after.manifest.segments))
        )
        assert len(LiveBM25.open(after.folder, verify=True)) == len(names)


class Held:
    """A merge that stops in its middle until it may go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached, self.go = threading.Event(), threading.Event()
        real = module.merged_segment

        def held(*given: Any) -> Any:
            entry = real(*given)
            self.reached.set()
            assert self.go.wait(30)
            return entry

        monkeypatch.setattr(module, "merged_segment", held)


def two_segments(folder: Path) -> LiveBM25:
    live = LiveBM25.build(texts([0, 1, 2]), folder / "live", analyzer="whitespace")
    return live.add(texts([3, 4, 5]))


def test_changes_during_a_merge_are_in_what_it_makes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(monkeypatch)
    live = two_segments(tmp_path).merge_in_background(EAGER)
    assert held.reached.wait(30)
    live = live.add(texts([6, 1], 9)).delete(["d4"])
    other = LiveBM25.open(live.folder).delete(["d0"])  # another process might do so
    assert len(other.segments) == 3
    with pytest.raises(DataError, match="changed since it was opened"):
        live.delete(["d5"])
    held.go.set()
    live.close()
    now = live.refreshed()
    assert list(now.document_ids) == ["d2", "d3", "d5", "d6", "d1"]
    assert [entry.documents for entry in now.manifest.segments] == [6, 2]
    assert now.manifest.segments[0].facts["left"] == 3
    assert rankings(now) == rankings(other)
    assert len(LiveBM25.open(now.folder, verify=True)) == 5
    built = BM25.build(
        Corpus.from_records(
            [
                {"id": name, "text": text}
                for name, text in [
                    *[(n, t) for n, t in texts([2, 3, 5])],
                    *[(n, t) for n, t in texts([6, 1], 9)],
                ]
            ]
        ),
        tmp_path / "fresh",
        analyzer="whitespace",
    )
    for name, wanted in built.search(QUERIES, 5).to_dict().items():
        assert now.search(QUERIES, 5).to_dict()[name] == pytest.approx(wanted)


@pytest.mark.parametrize("what", ["merge", "delete", "build"])
def test_a_merge_whose_segments_have_gone_comes_to_nothing(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(monkeypatch)
    live = two_segments(tmp_path).merge_in_background(EAGER)
    assert held.reached.wait(30)
    if what == "merge":
        live = live.merge()
    elif what == "delete":
        live = live.delete(["d3", "d4", "d5"])
    else:
        LiveBM25.build(texts([7, 8]), live.folder, analyzer="whitespace")
    held.go.set()
    live.close()
    now = LiveBM25.open(live.folder, verify=True)
    wanted = {"merge": 6, "delete": 3, "build": 2}
    assert (len(now), len(now.segments)) == (wanted[what], 1)
    assert not list(live.folder.glob("merging-*"))


def test_closing_in_haste_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = Held(monkeypatch)
    live = two_segments(tmp_path)

    def interrupted() -> None:
        with live.merge_in_background(EAGER):
            assert held.reached.wait(30)
            assert list(live.folder.glob("merging-*"))
            threading.Timer(0.1, held.go.set).start()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert len(LiveBM25.open(live.folder).segments) == 2
    assert not list(live.folder.glob("merging-*"))
    live = live.add(texts([9]))  # goes on without the thread
    assert len(live.segments) == 3


def test_an_error_is_told_once_by_the_next_change_or_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: Any) -> Any:
        raise OSError(28, "No space left on device")

    real = module.merged_segment
    monkeypatch.setattr(module, "merged_segment", full)
    live = two_segments(tmp_path).merge_in_background(EAGER)
    assert live.merging is not None
    with pytest.raises(OSError, match="No space"):
        live.merging.wait()
    assert len(LiveBM25.open(live.folder, verify=True).segments) == 2
    live.merging.wake()
    live.merging._pool.submit(int).result()  # the job before it has ended
    with pytest.raises(OSError, match="No space"):
        live.add(texts([9]))
    live = live.add(texts([9]))
    with pytest.raises(OSError, match="No space"):
        live.close()
    live.close()
    monkeypatch.setattr(module, "merged_segment", real)
    with live.refreshed()._at(live.manifest, None, None).merge_in_background(EAGER) as again:
        assert again.merging is not None
        again.merging.wait()
    assert len(again.refreshed().segments) == 1


def test_two_do_not_merge_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = Held(monkeypatch)
    live = two_segments(tmp_path).merge_in_background(EAGER)
    assert held.reached.wait(30)
    with pytest.raises(ConfigurationError, match="already"):
        live.merge_in_background()
    with changing(live.folder, create=False) as change:
        assert Aside.begin(change) is None
    with LiveBM25.open(live.folder).merge_in_background(EAGER) as other:
        assert other.merging is not None
        other.merging.wait()  # the other one is at work: nothing to do for this one
    assert len(other.refreshed().segments) == 2
    held.go.set()
    live.close()
    assert len(other.refreshed().segments) == 1
    assert other.refreshed().refreshed() is not other


def test_an_index_is_opened_again_where_it_changed_while_it_was_opened(tmp_path: Path) -> None:
    live = two_segments(tmp_path)
    tried = []

    def opened(manifest: Any) -> int:
        tried.append(len(manifest.segments))
        if len(tried) == 1:
            live.merge()
            raise CorruptFileError("a file that has gone")
        return len(manifest.segments)

    assert open_as_it_is(live.folder, opened) == 1
    assert tried == [2, 1]

    def damaged(manifest: Any) -> int:
        raise CorruptFileError("a file that has gone")

    with pytest.raises(CorruptFileError):
        open_as_it_is(live.folder, damaged)


ASKED = """
from plackett import Queries
from plackett.retrievers import Expanded, SyntaxSearch

def answers(live):
    asked = Queries.from_texts({"q": "w0 w3"})
    signs = Queries.from_texts({"q": '"w1 w2" w0'})
    expanded = Expanded(live, "RM3(documents=2, common=1.0)")
    return [
        live.search(asked, 5).to_dict(),
        str(live.explain("w0 w3", "d1")),
        expanded.search(asked, 5).to_dict(),
        SyntaxSearch(live).search(signs, 5).to_dict(),
    ]
"""
READER = (
    ASKED
    + """
import sys
from plackett.retrievers.living import LiveBM25

live = LiveBM25.open(sys.argv[1])
print("open", flush=True)
sys.stdin.readline()
print(answers(live), flush=True)
"""
)


def test_a_reader_in_another_process_keeps_its_snapshot(tmp_path: Path) -> None:
    live = two_segments(tmp_path)
    known: dict[str, Any] = {}
    exec(ASKED, known)
    with subprocess.Popen(
        [sys.executable, "-c", READER, str(live.folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "open\n"
        wanted = repr(known["answers"](live))
        old = {entry.name for entry in live.manifest.segments}
        changed = live.delete(["d1"]).add(texts([0, 3], 5)).merge()
        assert not old & {path.name for path in live.folder.iterdir()}
        told, _ = reader.communicate("go\n", timeout=120)
    assert reader.returncode == 0
    assert told.strip() == wanted
    assert repr(live.search(QUERIES).to_dict()) != repr(changed.search(QUERIES).to_dict())


def test_readers_that_refresh_meet_no_half_of_a_merge(tmp_path: Path) -> None:
    live = two_segments(tmp_path)
    seen: list[int] = []
    stop = threading.Event()

    def read() -> None:
        mine = LiveBM25.open(live.folder)
        while not stop.is_set():
            mine = mine.refreshed()
            run = mine.search(QUERIES, 3)
            seen.append(len(run.document))

    with live.merge_in_background(EAGER) as writer:
        thread = threading.Thread(target=read)
        thread.start()
        try:
            for number in range(6, 26):
                writer = writer.add(texts([number]))
        finally:  # no thread goes on reading while other tests run
            stop.set()
            thread.join()
    assert len(seen) > 1
    assert len(writer.refreshed()) == 26


def test_a_change_may_meet_a_merge_that_removes_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = two_segments(tmp_path)
    (live.folder / "merging-0a1b2c3d").mkdir()

    def at_work(path: Path) -> bool:
        path.rmdir()  # as the merge does, when the change has just seen it
        return False

    monkeypatch.setattr(store, "at_work", at_work)
    assert len(live.add(texts([9]))) == len(live) + 1
    assert not (live.folder / "merging-0a1b2c3d").exists()


KILLED = """
import json, os, shutil, signal, sys
from plackett import Corpus, Queries
from plackett.retrievers.living import LiveBM25, MergePolicy

WATCHED = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.rmtree")
start = os.path.join(sys.argv[1], "start")
texts = {f"d{i}": " ".join(["wing"] * i + ["heat", "flow"]) for i in range(4)}
live = LiveBM25.build(Corpus.from_texts(texts), start, analyzer="whitespace")
live.add(Corpus.from_texts({"e": "wing flow"})).merge()
LiveBM25.build(Corpus.from_texts(texts), start, analyzer="whitespace")
asked = Queries.from_texts({"q": "wing heat"})
LiveBM25.open(start).search(asked)
number = 0
while True:
    number += 7 + number // 30
    folder = os.path.join(sys.argv[1], "index")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(start, folder)
    child = os.fork()
    if child == 0:
        left = [number]

        def hook(event, args):
            if event in WATCHED and str(args[0]).startswith(folder):
                left[0] -= 1
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        live = LiveBM25.open(folder)
        sys.addaudithook(hook)
        with live.merge_in_background(MergePolicy(growth=2, least=1)) as live:
            live = live.add(Corpus.from_texts({"x": "wing", "d1": "heat", "y": "flow"}))
            live = live.delete(["d2"])
            live.merging.wait()
            live = live.add(Corpus.from_texts({"z": "wing wing"})).delete(["y"])
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    index = LiveBM25.open(folder, verify=True)
    row = {"whole": status == 0, "held": sorted(index.document_ids)}
    row["found"] = index.search(asked).to_dict()["q"]
    merged = index.merge()
    row["left"] = sorted(set(os.listdir(folder)) - {merged.manifest.segments[0].name})
    row["same"] = merged.search(asked).to_dict()["q"] == row["found"]
    print(json.dumps(row), flush=True)
    if status == 0:
        break
"""


def test_a_kill_at_any_touch_of_a_file_loses_no_commit(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path)], capture_output=True, text=True, check=True
    )
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(rows) > 20
    assert rows[-1]["whole"]
    states = [{f"d{i}" for i in range(4)}]
    states.append(states[-1] | {"x", "y"})
    states.append(states[-1] - {"d2"})
    states.append(states[-1] | {"z"})
    states.append(states[-1] - {"y"})
    places = [states.index(set(row["held"])) for row in rows]
    assert set(places) >= {0, 1, 4}
    assert all(row["same"] for row in rows)
    assert {tuple(row["left"]) for row in rows} == {(".lock", "manifest.json")}


def test_the_manifest_says_how_many_are_left(tmp_path: Path) -> None:
    live = two_segments(tmp_path).delete(["d0", "d1"])
    facts = [entry.facts for entry in read_index(live.folder).segments]
    assert [fact.get("left") for fact in facts] == [1, None]


def test_a_refresh_looks_again_where_a_file_went_while_it_looked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = two_segments(tmp_path)
    real, went = Path.is_file, []

    def is_file(path: Path) -> bool:
        there = real(path)
        if path.suffix == ".npy" and not went:
            went.append(path)
            live.merge()  # between the look at a file and the question for its size
        return there

    monkeypatch.setattr(Path, "is_file", is_file)
    assert len(live.refreshed().segments) == 1
    assert went
    assert not went[0].exists()
