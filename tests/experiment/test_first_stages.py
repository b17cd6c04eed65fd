"""First stages of words and of vectors, and their fusions: what they find, and what is kept."""

import json
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import plackett as pk
from plackett.data.collections import Collection
from plackett.encoders import parse_encoder
from plackett.errors import ConfigurationError
from plackett.experiment import Event, ExperimentConfig, Outcome, parse_config, run_experiment
from plackett.experiment.first_stages import (
    VectorStage,
    build_structure,
    encode_texts,
    open_vectors,
)
from plackett.experiment.plan import make_plan
from plackett.fusion import fuse, parse_fusion, tune_fusion
from plackett.retrievers import BM25, Dense

TEXT = """
title = "Kinds"
output = "out"
[collection]
corpus = "docs.jsonl"
queries = "queries.tsv"
qrels = "qrels.txt"
[[retrieve]]
k = 20
[[retrieve]]
name = "vectors"
kind = "dense"
encoder = "HashedVectors(16)"
k = 30
[[retrieve]]
name = "short"
kind = "dense"
encoder = "HashedVectors(16)"
structure = "ScalarQuantised('int8', oversampling=40)"
k = 30
[[retrieve]]
kind = "sparse"
encoder = "HashedWeights(64)"
k = 25
[[retrieve]]
name = "late"
kind = "multivector"
encoder = "HashedTokens(8)"
k = 15
[[fusions]]
name = "hybrid"
of = ["bm25", "vectors"]
method = "rrf(k=10)"
k = 12
[[fusions]]
name = "weighted"
of = ["hybrid", "sparse"]
method = "comb_sum"
normalise = "z_score"
weights = [0.25, 0.75]
depth = 10
[[fusions]]
name = "chosen"
of = ["bm25", "vectors", "sparse"]
tuned = true
method = "comb_sum"
[features]
names = ["bm25", "log_length"]
candidates = "hybrid"
scores = ["vectors", "late"]
[[rankers]]
name = "linear"
kind = "LinearRanker"
parameters = { method = "pairwise_logistic" }
[[pipelines]]
name = "cascade"
stages = "hybrid % 8 >> linear"
[[pipelines]]
name = "union"
stages = "(bm25 % 10 | late % 10) >> rrf % 5"
[folds]
k = 3
seed = 7
[compare]
measures = "nDCG@5 RR"
baseline = "bm25"
"""


def read(folder: Path, text: str = TEXT) -> ExperimentConfig:
    return parse_config(text, name="e.toml", base=folder)


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kinds") / "out"


@pytest.fixture(scope="module")
def done(collection_folder: Path, output: Path) -> Outcome:
    return run_experiment(read(collection_folder), output=output)


@pytest.fixture(scope="module")
def data(collection_folder: Path) -> Collection:
    qrels = pk.Qrels.read(collection_folder / "qrels.txt")
    queries = pk.Queries.read(collection_folder / "queries.tsv").select(qrels.queries)
    return Collection("x", pk.Corpus.read(collection_folder / "docs.jsonl"), queries, qrels)


def again(
    folder: Path, output: Path, *changes: tuple[str, str]
) -> tuple[Outcome, dict[str, list[str]]]:
    """The experiment with parts of its text replaced, and the labels of steps by what became."""
    text = TEXT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    events: list[Event] = []
    outcome = run_experiment(read(folder, text), output=output, tell=events.append)
    happened: dict[str, list[str]] = {}
    for event in events:
        happened.setdefault(event.status, []).append(event.label)
    return outcome, happened


def listed(run: pk.Run) -> dict[str, list[str]]:
    return {query: [name for name, _ in run[query]] for query in run.query_names}


def test_every_kind_is_a_system_of_the_report(done: Outcome) -> None:
    names = ["bm25", "vectors", "short", "sparse", "late", "hybrid", "weighted", "chosen"]
    names += ["linear", "cascade", "union"]
    assert list(done.runs) == names
    assert list(done.comparison.systems) == names
    page = done.report.read_text()
    for text in ("HashedVectors(16)", "ScalarQuantised(", "rrf(k=10) of bm25, vectors", "HNSW"):
        assert (text in page) == (text != "HNSW")
    assert "re-rank the documents of hybrid" in page
    assert "texts cut short" in page  # documents have up to 24 words, and titles
    assert (done.folder / "runs" / "late.txt").exists()


def test_vectors_find_what_their_products_say(done: Outcome, data: Collection) -> None:
    encoder = parse_encoder("HashedVectors(16)")
    scores = encoder.encode(data.queries.texts()) @ encoder.encode(data.corpus.texts()).T
    for row, query in enumerate(data.queries.ids):
        best = np.argsort(-scores[row], kind="stable")[:30]
        assert [name for name, _ in done.runs["vectors"][query]] == [
            data.corpus.ids[i] for i in best
        ]
    assert listed(done.runs["short"]) == listed(done.runs["vectors"])
    assert {len(names) for names in listed(done.runs["late"]).values()} == {15}


def test_fusions_are_those_of_the_library(done: Outcome, data: Collection) -> None:
    runs = done.runs
    hybrid = fuse([runs["bm25"], runs["vectors"]], k=10).head(12)
    assert listed(runs["hybrid"]) == listed(hybrid)
    weighted = parse_fusion("comb_sum", normalise="z_score", weights=[0.25, 0.75], depth=10)
    assert listed(runs["weighted"]) == listed(weighted([runs["hybrid"], runs["sparse"]]))
    stages = [cost.stage for cost in runs["weighted"].costs]
    assert stages[-1].startswith("comb_sum(normalise='z_score', weights=(0.25, 0.75), depth=10)")
    assert len(stages) == 5
    union = fuse([runs["bm25"].head(10), runs["late"].head(10)]).head(5)
    assert listed(runs["union"]) == listed(union)


def test_a_tuned_fusion_is_judged_on_queries_that_did_not_choose_it(
    done: Outcome, data: Collection, collection_folder: Path
) -> None:
    wanted = read(collection_folder).fusions[2]
    assert {fusion.method for fusion in wanted.candidates()} == {"comb_sum"}
    parts = [done.runs[name] for name in wanted.of]
    tuned = tune_fusion(
        parts, data.qrels, "nDCG@5", candidates=wanted.candidates(), folds=3, seed=7
    )
    assert listed(done.runs["chosen"]) == listed(tuned.held_out_run(parts))
    mean = done.comparison.mean("nDCG@5", "chosen").mean
    assert mean == pytest.approx(tuned.held_out)
    manifest = json.loads((done.folder / "manifest.json").read_text())
    choice = manifest["fusions"]["chosen"]
    assert choice["held_out"] == tuned.held_out
    assert len(choice["folds"]) == 3
    assert choice["chosen"] in unescape(done.report.read_text())
    assert manifest["fusions"]["hybrid"] == {}


def test_rankers_take_their_candidates_from_a_fusion(done: Outcome) -> None:
    linear, hybrid = listed(done.runs["linear"]), listed(done.runs["hybrid"])
    assert {q: sorted(names) for q, names in linear.items()} == {
        q: sorted(names) for q, names in hybrid.items()
    }
    assert listed(done.runs["cascade"]) == {
        q: [name for name in names if name in hybrid[q][:8]] for q, names in linear.items()
    }
    step = next((done.folder / "steps").glob("features-*"))
    schema = json.loads((step / "features" / "features.json").read_text())
    names = json.dumps(schema)
    assert "vectors" in names
    assert "late" in names
    stages = [cost.stage for cost in done.runs["linear"].costs]
    assert stages[1] == "Dense('HashedVectors(16)') % 30"


def test_nothing_is_done_twice(done: Outcome, output: Path, collection_folder: Path) -> None:
    outcome, happened = again(collection_folder, output)
    assert happened["finished"] == ["compare and report"]
    assert "encode vectors" in happened["kept"]
    assert {name: listed(run) for name, run in outcome.runs.items()} == {
        name: listed(run) for name, run in done.runs.items()
    }
    # The same texts by the same encoder: two first stages share what was encoded.
    kinds = [path.name.partition("-")[0] for path in (output / "steps").iterdir()]
    assert (kinds.count("encode"), kinds.count("build"), kinds.count("retrieve")) == (3, 1, 5)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("k = 15", "k = 16", ["retrieve late"]),
        ("oversampling=40", "oversampling=41", ["build short", "retrieve short"]),
        ("HashedTokens(8)", "HashedTokens(8, seed=1)", ["encode late", "retrieve late"]),
        ("[0.25, 0.75]", "[0.5, 0.5]", ["fuse weighted"]),
        ('name = "late"', 'name = "later"', []),
    ],
)
def test_a_change_moves_what_depends_on_it(
    done: Outcome,
    output: Path,
    collection_folder: Path,
    old: str,
    new: str,
    expected: list[str],
) -> None:
    texts = (
        TEXT,
        TEXT.replace(old, new).replace("late % 10", "later % 10" if not expected else "late % 10"),
    )
    if not expected:
        texts = texts[0], texts[1].replace('"vectors", "late"', '"vectors", "later"')
    plans = [make_plan(read(collection_folder, text)) for text in texts]
    before = {step.key for step in plans[0].steps}
    moved = [step.label for step in plans[1].steps if step.key not in before]
    dependent = {"features", *(f"train linear, fold {i} of 3" for i in (1, 2, 3))}
    assert [label for label in moved if label not in dependent] == expected


def test_the_judgments_move_a_tuned_fusion_alone(collection_folder: Path) -> None:
    plan = make_plan(read(collection_folder))
    inputs = {part.wanted.name: part.step.inputs for part in plan.fuse}
    assert "qrels" in inputs["chosen"]
    assert "qrels" not in inputs["hybrid"]


def test_vectors_alone_need_no_words(collection_folder: Path, tmp_path: Path) -> None:
    text = TEXT[: TEXT.index("[[retrieve]]")]
    text += '[retrieve]\nkind = "dense"\nencoder = "HashedVectors(4)"\n'
    config = read(collection_folder, text)
    plan = make_plan(config)
    assert plan.index is None
    assert [step.label for step in plan.steps] == ["encode dense", "retrieve dense"]
    outcome = run_experiment(config, output=tmp_path)
    assert list(outcome.runs) == ["dense"]
    assert "dense" in outcome.report.read_text()


def test_lexical_features_over_the_candidates_of_vectors(
    collection_folder: Path, tmp_path: Path
) -> None:
    start, middle = TEXT.index("[[retrieve]]"), TEXT.index("[[rankers]]")
    end = TEXT.index("[[pipelines]]")
    text = TEXT[:start] + TEXT[middle:end]
    text += '[retrieve]\nkind = "dense"\nencoder = "HashedVectors(4)"\nk = 10\n'
    outcome = run_experiment(read(collection_folder, text), output=tmp_path)
    assert list(outcome.runs) == ["dense", "linear"]
    assert len(outcome.runs["linear"]["q1"]) == 10


def test_folders_of_models_start_from_the_file(
    collection_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def made(text: str, of: str, *, base: Path) -> Any:
        asked.append((text, of, base))
        return parse_encoder("HashedVectors(4)")

    monkeypatch.setattr("plackett.experiment.first_stages.described_encoder", made)
    make_plan(read(collection_folder, TEXT.replace("HashedVectors(16)", "models/minilm")))
    assert asked[0] == ("models/minilm", "dense", collection_folder)


def test_an_encoder_that_is_not_there_is_told_before_any_work(
    collection_folder: Path, tmp_path: Path
) -> None:
    config = read(collection_folder, TEXT.replace("HashedVectors(16)", "HashedVectors(16, x=1)"))
    with pytest.raises(ConfigurationError, match="'x'"):
        run_experiment(config, output=tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_the_indexes_of_steps_are_whole_ones(done: Outcome, collection_folder: Path) -> None:
    plan = make_plan(read(collection_folder))
    steps = done.folder / "steps"
    assert plan.index is not None
    BM25.open(steps / f"index-{plan.index.key}" / "index").index.verify()
    short = plan.first[2]
    index = Dense.open(steps / f"build-{short.steps[1].key}" / "index", verify=True)
    assert repr(index.structure).startswith("ScalarQuantised(")


def test_a_structure_over_no_documents(collection_folder: Path, tmp_path: Path) -> None:
    config = read(collection_folder)
    stage = make_plan(config).first[2]
    assert isinstance(stage, VectorStage)
    nothing = Collection(
        "none", pk.Corpus.from_texts({}), pk.Queries.from_texts({}), pk.Qrels.from_dict({})
    )
    encode_texts(config, stage, nothing, tmp_path / "a")
    build_structure(stage, tmp_path / "a", tmp_path / "b")
    asked = pk.Queries.from_texts({"q": "word1"})
    assert open_vectors(stage, tmp_path / "b").search(asked).to_dict() == {"q": {}}
