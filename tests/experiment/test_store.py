"""Finished steps on disk: whole or not there, and found damaged when they are."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from plackett.experiment.store import Store, digest


def write_two(folder: Path) -> None:
    (folder / "inner").mkdir()
    (folder / "a.txt").write_text("alpha")
    (folder / "inner" / "b.bin").write_bytes(bytes(range(256)))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "steps")


def test_a_step_is_found_by_its_key(store: Store) -> None:
    assert not store.has("index", "k1")
    assert not store.is_whole("index", "k1")
    assert store.seconds("index", "k1") is None
    folder = store.put("index", "k1", {"x": 1}, write_two)
    assert folder == store.folder("index", "k1")
    assert store.has("index", "k1")
    assert store.is_whole("index", "k1")
    assert not store.has("index", "k2")
    assert not store.has("other", "k1")
    assert store.seconds("index", "k1") == store.typical_seconds("index")
    assert store.typical_seconds("train") is None


def test_asking_makes_no_folder(store: Store) -> None:
    store.has("index", "k1")
    store.typical_seconds("index")
    store.sweep()
    store.clear()
    assert not store.root.exists()


@pytest.mark.parametrize("name", ["a.txt", "inner/b.bin", "seal.json"])
@pytest.mark.parametrize("damage", ["cut", "flip", "remove", "empty"])
def test_every_damage_is_found_and_mended(store: Store, name: str, damage: str) -> None:
    folder = store.put("index", "k", {}, write_two)
    path = folder / name
    content = path.read_bytes()
    if damage == "remove":
        path.unlink()
    else:
        flipped = bytes([content[0] ^ 1, *content[1:]])
        path.write_bytes({"cut": content[:-1], "flip": flipped, "empty": b""}[damage])
    assert not store.is_whole("index", "k")
    store.put("index", "k", {}, write_two)
    assert store.is_whole("index", "k")
    assert path.read_bytes() == content or name == "seal.json"
    assert [entry.name for entry in store.root.iterdir()] == ["index-k"]


def test_a_seal_of_another_shape_is_no_seal(store: Store) -> None:
    folder = store.put("index", "k", {}, write_two)
    for text in ("[]", '{"files": [1]}', '{"files": {"a.txt": 3}}', "{}"):
        (folder / "seal.json").write_text(text)
        assert not store.is_whole("index", "k")
        assert store.seconds("index", "k") is None


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_step_that_fails_leaves_nothing(store: Store, error: type[BaseException]) -> None:
    def fail(folder: Path) -> None:
        write_two(folder)
        raise error

    with pytest.raises(error):
        store.put("index", "k", {}, fail)
    assert list(store.root.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_what_a_killed_process_leaves_is_swept(store: Store) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from plackett.experiment.store import Store\n"
        "def die(folder):\n"
        "    (folder / 'half').write_text('x')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "Store(Path(sys.argv[1])).put('index', 'k', {}, die)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(store.root)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert [path.name.rpartition(".")[0] for path in store.root.iterdir()] == [".index-k"]
    mine = store.root / f".train-x.{os.getpid()}"
    mine.mkdir()
    store.sweep()
    assert list(store.root.iterdir()) == [mine]
    assert not store.has("index", "k")


def test_the_first_of_two_writers_wins(store: Store) -> None:
    def write_while_another_finishes(folder: Path) -> None:
        other = Store(store.root)
        other._scratch = lambda name: store.root / f".{name}.0"  # type: ignore[method-assign]
        other.put("index", "k", {}, lambda path: (path / "who").write_text("first") and None)
        (folder / "who").write_text("second")

    folder = store.put("index", "k", {}, write_while_another_finishes)
    assert (folder / "who").read_text() == "first"
    assert store.is_whole("index", "k")
    assert [path.name for path in store.root.iterdir()] == ["index-k"]


def test_many_threads_write_different_steps(store: Store) -> None:
    threads = [
        threading.Thread(target=store.put, args=("train", f"k{i}", {}, write_two)) for i in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(store.is_whole("train", f"k{i}") for i in range(8))


def test_clear_removes_steps_and_nothing_else(store: Store) -> None:
    store.put("index", "k", {}, write_two)
    (store.root / "my-notes").mkdir()
    store.clear()
    assert [path.name for path in store.root.iterdir()] == ["my-notes"]


def test_digest_depends_on_content_alone() -> None:
    assert digest({"a": 1, "b": {"c": 2}}) == digest({"b": {"c": 2}, "a": 1})
    assert len({digest({"a": value}) for value in (1, 2, "1", 1.5, None, [1], True)}) == 7
