"""Re-rankers of texts in an experiment: kept, done again when what they depend on changes."""

from pathlib import Path

import pytest

from plackett.errors import ConfigurationError
from plackett.experiment.config import RerankerConfig, parse_config
from plackett.experiment.plan import make_plan
from plackett.experiment.reranking import depends_on, make_reranker
from plackett.experiment.runner import Event, run_experiment
from plackett.rerankers import Reranker

TEXT = """
title = "t"
[collection]
corpus = "docs.tsv"
queries = "queries.tsv"
qrels = "qrels.txt"
[[rerankers]]
name = "overlap"
reranker = "word-overlap"
[[pipelines]]
name = "cascade"
stages = "bm25 % 2 >> overlap"
[compare]
measures = "nDCG@10"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "docs.tsv").write_text(
        "id\ttext\nd1\tred wine and more red wine\nd2\tthe red of a wine cellar door\nd3\tbread\n"
    )
    (tmp_path / "queries.tsv").write_text("id\ttext\nq1\tred cellar\nq2\tbread\n")
    (tmp_path / "qrels.txt").write_text("q1 0 d2 1\nq2 0 d3 1\n")
    return tmp_path


def run(folder: Path, text: str = TEXT) -> tuple[dict[str, str], object]:
    config = parse_config(text, name="e.toml", base=folder)
    events: list[Event] = []
    outcome = run_experiment(config, output=folder / "out", tell=events.append)
    return {event.label: event.status for event in events}, outcome


def test_a_pipeline_with_a_reranker_is_run_kept_and_reported(folder: Path) -> None:
    status, outcome = run(folder)
    assert status["rerank cascade"] == "finished"
    assert outcome.runs["cascade"]["q1"][0][0] == "d2"
    assert [cost.stage for cost in outcome.runs["cascade"].costs][-1] == "Reranker('word-overlap')"
    assert "cascade" in (folder / "out" / "table.txt").read_text()
    again, second = run(folder)
    assert again["rerank cascade"] == "kept"
    assert second.runs["cascade"].to_dict() == outcome.runs["cascade"].to_dict()
    assert second.runs["cascade"].costs == outcome.runs["cascade"].costs


def test_another_pipeline_is_another_step(folder: Path) -> None:
    config = parse_config(TEXT, name="e.toml", base=folder)
    other = parse_config(TEXT.replace("% 2", "% 1"), name="e.toml", base=folder)
    assert make_plan(config).rerank[0].step.key != make_plan(other).rerank[0].step.key


def test_a_description_names_files_whose_content_counts(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "weights").write_bytes(b"1")
    # The description is not built here, so a name that does not exist yet does no harm.
    wanted = RerankerConfig.model_construct(name="x", reranker=f"any(model={str(model)!r})")
    nested = RerankerConfig.model_construct(
        name="x", reranker=f'any(model="Transformers({str(model)!r})")'
    )
    before = depends_on(wanted), depends_on(nested)
    assert list(before[0]["files"]) == [str(model)] == list(before[1]["files"])
    (model / "weights").write_bytes(b"2")
    assert depends_on(wanted) != before[0]
    assert depends_on(nested) != before[1]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("word-overlap", "word-overlp", "did you mean 'word-overlap'"),
        ("word-overlap", "word-overlap(1", "expected a name and literal"),
        ('name = "overlap"', 'name = "bm25"', "two systems are called 'bm25'"),
        (">> overlap", ">> overlop", "unknown stage 'overlop'"),
        ('reranker = "word-overlap"', 'kind = "word-overlap"', "unknown key 'kind'"),
    ],
)
def test_faults_are_told_before_anything_runs(
    folder: Path, old: str, new: str, message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        parse_config(TEXT.replace(old, new), name="e.toml", base=folder)


def test_a_reranker_without_a_model_has_no_cache_to_give(tmp_path: Path) -> None:
    wanted = RerankerConfig(name="overlap", reranker="word-overlap")
    assert repr(make_reranker(wanted, tmp_path / "a")) == repr(Reranker("word-overlap"))
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    "described",
    [
        "rank-gpt(model='Oracle({})')",
        "rank-fusion(model='Oracle({})')",
        "hosted(service='vllm', model='m', url='http://localhost:1')",
    ],
)
def test_what_pays_for_its_calls_keeps_its_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, described: str
) -> None:
    answers = tmp_path / "answers.sqlite"
    made = make_reranker(RerankerConfig(name="x", reranker=described), answers)
    assert made.cache == str(answers)
    own = described[:-1] + ", cache='mine.sqlite')"
    monkeypatch.chdir(tmp_path)
    assert make_reranker(RerankerConfig(name="x", reranker=own), answers).cache == "mine.sqlite"
