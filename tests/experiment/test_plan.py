"""Keys of steps: whatever a result depends on changes its key, and nothing else does."""

import gzip
import shutil
from pathlib import Path

import pytest

from plackett.errors import DataError
from plackett.experiment import ExperimentConfig, make_plan, parse_config
from plackett.experiment.plan import Plan
from plackett.experiment.store import Store


def keys(config: ExperimentConfig) -> dict[str, str]:
    return {step.label: step.key for step in make_plan(config).steps}


def changed(before: Plan, after: Plan) -> set[str]:
    """The kinds of steps whose keys differ."""
    old = {step.key for step in before.steps}
    return {step.kind for step in after.steps if step.key not in old}


ALL = {"index", "retrieve", "features", "train"}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('title = "Small"', 'title = "Other"', set()),
        ('output = "out"', 'output = "elsewhere"', set()),
        ('name = "linear"', 'name = "straight"', set()),
        ('stages = "bm25 % 8 >> linear', 'stages = "bm25 % 9 >> linear', set()),
        ('measures = "nDCG@5 RR"', 'measures = "AP"', set()),
        ("k = 20", "k = 21", ALL - {"index"}),
        ("k = 20", "k = 20\nk1 = 0.9", ALL - {"index"}),
        ("[retrieve]", '[index]\nanalyzer = "unicode"\n[retrieve]', ALL),
        ('"log_length", ', "", {"features", "train"}),
        ("trees = 5", "trees = 6", {"train"}),
        ("seed = 7", "seed = 8", {"train"}),
        ("seed = 7", "seed = 7\nvalidation = 0.5", {"train"}),
    ],
)
def test_a_change_moves_what_depends_on_it(
    experiment_text: str, collection_folder: Path, old: str, new: str, expected: set[str]
) -> None:
    plans = []
    for text in (experiment_text, experiment_text.replace(old, new)):
        text = text.replace("linear % 4", "straight % 4") if "straight" in text else text
        text = text.replace(">> linear %", ">> straight %") if '"straight"' in text else text
        plans.append(make_plan(parse_config(text, name="e.toml", base=collection_folder)))
    assert experiment_text.count(old) >= 1
    assert changed(*plans) == expected


def test_only_the_folds_of_the_changed_ranker_move(
    experiment_text: str, collection_folder: Path
) -> None:
    plans = [
        make_plan(parse_config(text, name="e.toml", base=collection_folder))
        for text in (experiment_text, experiment_text.replace("trees = 5", "trees = 6"))
    ]
    pairs = zip(plans[0].train, plans[1].train, strict=True)
    moved = [new.ranker.name for old, new in pairs if old.step.key != new.step.key]
    assert moved == ["trees"] * 3


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("docs.jsonl", ALL),
        ("queries.tsv", ALL - {"index"}),
        ("qrels.txt", ALL - {"index"}),
    ],
)
def test_a_changed_file_moves_what_was_made_from_it(
    experiment_text: str, collection_folder: Path, tmp_path: Path, name: str, expected: set[str]
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(collection_folder, folder)
    config = parse_config(experiment_text, name="e.toml", base=folder)
    before = make_plan(config)
    assert changed(make_plan(config), before) == set()
    with (folder / name).open("a") as file:
        file.write("\n")
    assert changed(before, make_plan(config)) == expected


def test_a_beir_folder_is_read_packed_or_plain(tmp_path: Path) -> None:
    (tmp_path / "beir" / "qrels").mkdir(parents=True)
    with gzip.open(tmp_path / "beir" / "corpus.jsonl.gz", "wt") as file:
        file.write('{"_id": "d", "text": "x"}\n')
    (tmp_path / "beir" / "queries.jsonl").write_text('{"_id": "q", "text": "x"}\n')
    (tmp_path / "beir" / "qrels" / "dev.tsv").write_text("query-id\tcorpus-id\tscore\nq\td\t1\n")
    text = '[collection]\nname = "beir"\nsplit = "dev"\n'
    plan = make_plan(parse_config(text, name="e.toml", base=tmp_path))
    assert list(plan.data) == ["corpus corpus.jsonl.gz", "queries queries.jsonl", "qrels dev.tsv"]
    assert [step.kind for step in plan.steps] == ["index", "retrieve"]
    missing = parse_config(text.replace("dev", "test"), name="e.toml", base=tmp_path)
    with pytest.raises(DataError, match=r"test\.tsv: found no qrels file"):
        make_plan(missing)


def test_the_plan_says_what_is_kept_and_what_it_takes(
    config: ExperimentConfig, tmp_path: Path
) -> None:
    plan = make_plan(config)
    store = Store(tmp_path / "steps")
    before = plan.describe(store)
    assert before.count("to do") == 9
    assert before.count("unknown time") == 9
    assert "sha256" in before
    assert not store.root.exists()
    first = plan.train[0].step
    store.put(first.kind, first.key, first.inputs, lambda folder: None)
    after = plan.describe(store).splitlines()
    row = next(line for line in after if first.key in line)
    assert row.startswith("kept")
    assert "0.0 s, from features" in row
    assert sum("about 0.0 s" in line for line in after) == 5
