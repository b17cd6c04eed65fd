"""Whole experiments: what they leave, what they keep, and that nothing leaks or gets lost."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import plackett as pk
from plackett.data.dataset import RankingDataset
from plackett.errors import DataError, PlackettError
from plackett.experiment import (
    Event,
    ExperimentConfig,
    Outcome,
    make_plan,
    parse_config,
    run_experiment,
)
from plackett.experiment.store import Store
from plackett.rankers import LambdaMART, LinearRanker

Modify = Callable[[str, str], ExperimentConfig]

STEPS = 9


@pytest.fixture(scope="session")
def finished(
    collection_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[ExperimentConfig, Outcome]:
    """The small experiment, done once."""
    text = (collection_folder / "experiment.toml").read_text()
    config = parse_config(text, name="experiment.toml", base=collection_folder)
    return config, run_experiment(config, output=tmp_path_factory.mktemp("done"))


@pytest.fixture
def copied(finished: tuple[ExperimentConfig, Outcome], tmp_path: Path) -> Path:
    """A copy of the finished results, to go on from."""
    folder = tmp_path / "copied"
    shutil.copytree(finished[1].folder, folder)
    return folder


@pytest.fixture
def modified(experiment_text: str, collection_folder: Path) -> Modify:
    """The experiment with one part of its text replaced."""

    def modify(old: str, new: str) -> ExperimentConfig:
        assert old in experiment_text
        text = experiment_text.replace(old, new)
        return parse_config(text, name="experiment.toml", base=collection_folder)

    return modify


def rankings(folder: Path) -> dict[str, str]:
    return {path.stem: path.read_text() for path in sorted((folder / "runs").iterdir())}


def findings(folder: Path) -> dict[str, object]:
    """What was found, without what it cost."""
    content = json.loads((folder / "comparison.json").read_text())
    del content["costs"]
    return dict(content)


def test_the_results_are_complete(finished: tuple[ExperimentConfig, Outcome]) -> None:
    config, outcome = finished
    names = {path.name for path in outcome.folder.iterdir()}
    assert names == {
        "comparison.json",
        "manifest.json",
        "means.svg",
        "report.html",
        "runs",
        "steps",
        "table.md",
        "table.txt",
    }
    assert list(outcome.runs) == ["bm25", "linear", "trees", "cascade"]
    qrels = pk.Qrels.read(config.base / "qrels.txt")
    for name, run in outcome.runs.items():
        saved = pk.Run.read(outcome.folder / "runs" / f"{name}.txt")
        assert saved.name == name
        assert len(run) == 12
        measured = pk.evaluate(saved, qrels, "nDCG@5").mean["nDCG@5"]
        assert measured == pytest.approx(outcome.comparison.mean("nDCG@5", name).mean)
    assert "linear" in (outcome.folder / "table.txt").read_text()
    page = outcome.report.read_text()
    assert "bm25 % 8 &gt;&gt; linear % 4 &gt;&gt; trees" in page
    assert "<title>Small" in page
    assert "What the rankers rely on" in page
    assert "Why this order? trees, one query" in page


def test_a_model_is_saved_with_its_features(
    finished: tuple[ExperimentConfig, Outcome],
) -> None:
    config, outcome = finished
    plan = make_plan(config)
    steps = outcome.folder / "steps"
    bm25 = pk.BM25.open(steps / f"index-{plan.index.key}" / "index")
    part = plan.train[0]
    folder = steps / f"train-{part.step.key}"
    features = pk.FeatureSet.load(folder / "model", bm25)
    ranker = pk.load_ranker(folder / "model")
    assert features.names == ranker.feature_names_
    run = outcome.runs["bm25"]
    rows, scores = np.load(folder / "rows.npy"), np.load(folder / "scores.npy")
    again = ranker.predict(features.extract(run).take_rows(rows))
    np.testing.assert_allclose(again, scores, rtol=1e-6)


def test_the_manifest_says_how_to_repeat_it(finished: tuple[ExperimentConfig, Outcome]) -> None:
    outcome = finished[1]
    manifest = json.loads((outcome.folder / "manifest.json").read_text())
    assert set(manifest["data_sha256"]) == {
        "corpus docs.jsonl",
        "queries queries.tsv",
        "qrels qrels.txt",
    }
    assert manifest["experiment"]["folds"] == {"k": 3, "seed": 7, "validation": 0.2}
    assert {"numpy", "numba", "lightgbm"} <= set(manifest["libraries"])
    assert manifest["plackett"] == pk.__version__
    assert [step["label"] for step in manifest["steps"]][:3] == [
        "index",
        "retrieve bm25",
        "features",
    ]
    assert len(manifest["steps"]) == 9
    assert all(not step["kept"] and step["seconds"] > 0 for step in manifest["steps"])


def test_costs_are_counted_per_stage(finished: tuple[ExperimentConfig, Outcome]) -> None:
    runs = finished[1].runs
    rows = len(runs["bm25"].document)
    stages = [(cost.stage, cost.queries, cost.documents) for cost in runs["linear"].costs]
    assert stages[0] == ("BM25(k1=1.2, b=0.75, variant='lucene') % 20", 12, rows)
    assert stages[1] == ("3 features", 12, rows)
    assert stages[2][0].startswith("LinearRanker(")
    assert stages[2][1:] == (12, rows)
    documents = [cost.documents for cost in runs["cascade"].costs]
    assert documents[0] == rows
    assert documents[1:] == sorted(documents[1:], reverse=True)


def test_a_cascade_is_what_its_text_says(finished: tuple[ExperimentConfig, Outcome]) -> None:
    runs = {name: run.to_dict() for name, run in finished[1].runs.items()}
    for query, found in runs["cascade"].items():
        pool = list(runs["bm25"][query])[:8]
        best = [document for document in runs["linear"][query] if document in pool][:4]
        expected = [document for document in runs["trees"][query] if document in best]
        assert list(found) == expected


def test_the_same_call_again_keeps_every_step(config: ExperimentConfig, copied: Path) -> None:
    before = rankings(copied), (copied / "comparison.json").read_text()
    events: list[Event] = []
    outcome = run_experiment(config, output=copied, tell=events.append)
    assert [event.status for event in events] == ["kept"] * 9 + ["started", "finished"]
    assert (rankings(copied), (copied / "comparison.json").read_text()) == before
    manifest = json.loads((copied / "manifest.json").read_text())
    assert all(step["kept"] and step["seconds"] > 0 for step in manifest["steps"])
    assert "earlier" in outcome.report.read_text()


@pytest.mark.parametrize("workers", [1, 5])
def test_the_result_depends_on_neither_threads_nor_time(
    finished: tuple[ExperimentConfig, Outcome], tmp_path: Path, workers: int
) -> None:
    config, outcome = finished
    again = run_experiment(config, output=tmp_path, workers=workers)
    assert rankings(again.folder) == rankings(outcome.folder)
    assert findings(again.folder) == findings(outcome.folder)
    for first, second in zip(
        sorted((outcome.folder / "steps").glob("train-*/model/model.txt")),
        sorted((again.folder / "steps").glob("train-*/model/model.txt")),
        strict=True,
    ):
        assert first.read_bytes() == second.read_bytes()


def test_a_changed_ranker_trains_alone(modified: Modify, copied: Path) -> None:
    events: list[Event] = []
    run_experiment(modified("trees = 5", "trees = 4"), output=copied, tell=events.append)
    done = [event.label for event in events if event.status == "finished"]
    assert sorted(done) == [
        "compare and report",
        *(f"train trees, fold {fold} of 3" for fold in (1, 2, 3)),
    ]


def test_fresh_does_every_step_anew(config: ExperimentConfig, copied: Path) -> None:
    before = rankings(copied)
    events: list[Event] = []
    run_experiment(config, output=copied, fresh=True, tell=events.append)
    assert not [event for event in events if event.status == "kept"]
    assert rankings(copied) == before


@pytest.mark.parametrize("pattern", ["index-*", "retrieve-*", "features-*", "train-*"])
def test_damage_is_noticed_and_mended(config: ExperimentConfig, copied: Path, pattern: str) -> None:
    before = rankings(copied)
    step = sorted((copied / "steps").glob(pattern))[0]
    victim = max(
        (path for path in step.rglob("*") if path.is_file()), key=lambda p: p.stat().st_size
    )
    victim.write_bytes(victim.read_bytes()[:-1] + b"!")
    events: list[Event] = []
    run_experiment(config, output=copied, tell=events.append)
    damaged = [event.label for event in events if event.status == "damaged"]
    assert len(damaged) == 1
    assert damaged[0].startswith(pattern[:-2])
    statuses = [event.status for event in events if event.label == damaged[0]]
    assert statuses == ["damaged", "started", "finished"]
    assert sum(event.status == "kept" for event in events) == STEPS - 1
    assert rankings(copied) == before


@pytest.mark.parametrize(
    ("stop", "written"), [(0, True), (1, False), (2, True), (3, False), (8, True)]
)
def test_an_interrupt_at_any_step_loses_no_finished_one(
    finished: tuple[ExperimentConfig, Outcome],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stop: int,
    written: bool,
) -> None:
    """Ctrl-C before a step writes, or when it has written but is not in its place yet."""
    config, outcome = finished
    original = Store.put
    done: list[str] = []

    def put(
        self: Store, kind: str, key: str, inputs: object, write: Callable[[Path], None]
    ) -> Path:
        def interrupted(folder: Path) -> None:
            if len(done) == stop and not written:
                raise KeyboardInterrupt
            write(folder)
            if len(done) == stop:
                raise KeyboardInterrupt

        folder = original(self, kind, key, inputs, interrupted)  # type: ignore[arg-type]
        done.append(key)
        return folder

    with monkeypatch.context() as patch:
        patch.setattr(Store, "put", put)
        with pytest.raises(KeyboardInterrupt):
            run_experiment(config, output=tmp_path, workers=1)
    assert len(done) == stop
    assert not (tmp_path / "report.html").exists()
    assert len(list((tmp_path / "steps").iterdir())) == stop
    events: list[Event] = []
    run_experiment(config, output=tmp_path, tell=events.append)
    assert sum(event.status == "kept" for event in events) == stop
    assert rankings(tmp_path) == rankings(outcome.folder)
    assert findings(tmp_path) == findings(outcome.folder)


KILLED = """
import os, signal, sys
from pathlib import Path
from plackett.experiment import read_config, run_experiment
from plackett.experiment.store import Store

original, left = Store.put, [int(sys.argv[3])]

def put(self, kind, key, inputs, write):
    def killed(folder):
        write(folder)
        left[0] -= 1
        if left[0] < 0:
            paths = [path for path in folder.rglob("*") if path.is_file()]
            paths[0].write_bytes(b"half")
            os.kill(os.getpid(), signal.SIGKILL)
    return original(self, kind, key, inputs, killed)

Store.put = put
run_experiment(read_config(sys.argv[1]), output=sys.argv[2])
"""


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
@pytest.mark.parametrize("stop", [0, 5])
def test_a_kill_in_the_middle_of_a_write_loses_no_finished_step(
    finished: tuple[ExperimentConfig, Outcome], collection_folder: Path, tmp_path: Path, stop: int
) -> None:
    config, outcome = finished
    file = str(collection_folder / "experiment.toml")
    command = [sys.executable, "-c", KILLED, file, str(tmp_path), str(stop)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    # Two folds are trained at a time: the other one may have been done or not.
    whole = {path.name for path in (tmp_path / "steps").glob("[!.]*")}
    assert len(whole) in {stop, stop + 1}
    assert list((tmp_path / "steps").glob(".*"))
    events: list[Event] = []
    run_experiment(config, output=tmp_path, tell=events.append)
    assert sum(event.status == "kept" for event in events) == len(whole)
    assert rankings(tmp_path) == rankings(outcome.folder)
    assert not list((tmp_path / "steps").glob(".*"))


def test_no_query_is_ranked_by_a_model_that_saw_it(
    config: ExperimentConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[set[str], set[str]]] = []
    learn = LinearRanker.fit

    def names(dataset: RankingDataset | None) -> set[str]:
        return (
            set() if dataset is None else set(dataset.query_ids.strings(dataset.query).to_pylist())
        )

    def fit(
        self: LinearRanker, train: RankingDataset, valid: RankingDataset | None = None
    ) -> LinearRanker:
        seen.append((names(train), names(valid)))
        return learn(self, train, valid)

    monkeypatch.setattr(LinearRanker, "fit", fit)
    run_experiment(config, output=tmp_path, workers=1)
    assert len(seen) == 3
    everyone = {f"q{i}" for i in range(12)}
    held_out = []
    for train, valid in seen:
        assert valid
        assert not train & valid
        held_out.append(everyone - train - valid)
    assert set.union(*held_out) == everyone
    assert sum(map(len, held_out)) == 12
    tested = []
    dataset = RankingDataset.open(next((tmp_path / "steps").glob("features-*")) / "dataset")
    for step in (tmp_path / "steps").glob("train-*"):
        kind = json.loads((step / "seal.json").read_text())["inputs"]["kind"]
        if kind == "LinearRanker":
            tested.append(names(dataset.take_rows(np.load(step / "rows.npy"))))
    assert sorted(map(sorted, tested)) == sorted(map(sorted, held_out))


def test_without_validation_all_other_queries_train(
    modified: Modify, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    valid: list[object] = []
    learn = LambdaMART.fit

    def fit(
        self: LambdaMART, train: RankingDataset, held: RankingDataset | None = None
    ) -> LambdaMART:
        valid.append(held)
        assert train.n_queries == 8
        return learn(self, train, held)

    monkeypatch.setattr(LambdaMART, "fit", fit)
    run_experiment(modified("seed = 7", "seed = 7\nvalidation = 0.0"), output=tmp_path)
    assert valid == [None] * 3


def test_twins_are_trained_once(modified: Modify, tmp_path: Path) -> None:
    twin = '[[rankers]]\nname = "twin"\nkind = "LinearRanker"\n'
    twin += 'parameters = { method = "pairwise_logistic" }\n[folds]'
    events: list[Event] = []
    outcome = run_experiment(modified("[folds]", twin), output=tmp_path, tell=events.append)
    assert sum(event.status == "finished" for event in events) == STEPS + 1
    assert outcome.runs["twin"].to_dict() == outcome.runs["linear"].to_dict()


def test_an_experiment_without_rankers_is_retrieval_alone(
    collection_folder: Path, tmp_path: Path
) -> None:
    text = '[collection]\ncorpus = "docs.jsonl"\nqueries = "queries.tsv"\nqrels = "qrels.txt"\n'
    config = parse_config(text, name="e.toml", base=collection_folder)
    outcome = run_experiment(config, output=tmp_path)
    assert list(outcome.runs) == ["bm25"]
    assert outcome.report.exists()


def test_a_query_that_finds_nothing_stays(collection_folder: Path, tmp_path: Path) -> None:
    for name in ("docs.jsonl", "queries.tsv", "qrels.txt"):
        (tmp_path / name).write_text((collection_folder / name).read_text())
    with (tmp_path / "queries.tsv").open("a") as file:
        file.write("q99\tzyzzyva\n")
    with (tmp_path / "qrels.txt").open("a") as file:
        file.write("q99 0 d00 1\n")
    text = (collection_folder / "experiment.toml").read_text()
    config = parse_config(text, name="e.toml", base=tmp_path)
    outcome = run_experiment(config)
    assert outcome.folder == tmp_path / "out"
    for run in outcome.runs.values():
        assert run["q99"] == []
    assert outcome.comparison.per_query("RR", "trees")[-1] == 0


def test_an_error_in_a_step_comes_through_and_keeps_the_others(
    modified: Modify, tmp_path: Path
) -> None:
    config = modified("trees = 5", "trees = 5, monotone = { nothing = 1 }")
    with pytest.raises(PlackettError, match="nothing"):
        run_experiment(config, output=tmp_path, workers=1)
    kinds = {path.name.partition("-")[0] for path in (tmp_path / "steps").iterdir()}
    assert {"index", "retrieve", "features", "train"} == kinds


def test_missing_data_is_an_error_before_any_work(modified: Modify, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nodocs\.jsonl: found no corpus file"):
        run_experiment(modified('"docs.jsonl"', '"nodocs.jsonl"'), output=tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_a_beir_folder_is_a_collection(tmp_path: Path) -> None:
    folder = tmp_path / "beir"
    (folder / "qrels").mkdir(parents=True)
    (folder / "corpus.jsonl").write_text('{"_id": "d1", "title": "", "text": "wing"}\n')
    (folder / "queries.jsonl").write_text('{"_id": "q1", "text": "wing"}\n')
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t1\n")
    config = parse_config('[collection]\nname = "beir"\n', name="e.toml", base=tmp_path)
    outcome = run_experiment(config)
    assert outcome.comparison.mean("RR@10", "bm25").mean == 1.0
