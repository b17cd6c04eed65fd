"""Relevance feedback: residual lists, identities of the neighbours, weights restored bit by bit."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing
from transformers import BertConfig, BertForSequenceClassification

from plackett.data import Corpus, Qrels, Queries, Run
from plackett.encoders.base import DenseEncoder, Encoded
from plackett.errors import ConfigurationError, DataError
from plackett.rerankers import parse
from plackett.rerankers.criteria.feedback_data import (
    Feedback,
    judged_feedback,
    read_feedback,
    residual_qrels,
)
from plackett.rerankers.criteria.few_shot_torch import FeedbackTask, FewShotScorer, meta_train
from plackett.rerankers.criteria.relevance_feedback import (
    FeedbackNeighbours,
    FewShotCrossEncoder,
    neighbour_scores,
)
from plackett.rerankers.ranked import Candidates

WORDS = ["red", "white", "wine", "bread", "water", "salt", "sweet", "dry", "old", "young"]
SEEDS = st.integers(0, 10_000)


class Bag(DenseEncoder):
    """Counts of known words; a text of more than twelve words is cut."""

    dimension = len(WORDS)
    identity = "bag"

    def encode_all(self, texts: Sequence[str], kind: str = "document") -> Encoded:
        words = [text.split() for text in texts]
        values = np.array([[w[:12].count(x) for x in WORDS] for w in words], dtype=np.float32)
        lengths = np.array([len(w) for w in words])
        return Encoded(values.reshape(len(texts), -1), lengths, lengths > 12)


@given(seed=SEEDS, negative=st.floats(0, 2))
def test_sums_of_cosines_are_the_dot_product_with_the_summed_vector(
    seed: int, negative: float
) -> None:
    rng = np.random.default_rng(seed)
    query, documents = rng.normal(size=5), rng.normal(size=(4, 5))
    good, bad = rng.normal(size=(3, 5)), rng.normal(size=(2, 5))

    def unit(rows: np.ndarray) -> np.ndarray:
        return rows / np.linalg.norm(rows, axis=-1, keepdims=True)

    found = neighbour_scores(query, documents, good, bad, negative=negative)
    rocchio = unit(query) + unit(good).sum(axis=0) - negative * unit(bad).sum(axis=0)
    assert found == pytest.approx(unit(documents) @ rocchio)
    nearest = neighbour_scores(query, documents, good, bad, combine="max", use_query=False)
    assert nearest == pytest.approx((unit(documents) @ unit(good).T).max(axis=1))


def test_without_feedback_only_the_query_counts() -> None:
    documents = [[1.0, 0.0], [1.0, 1.0]]
    for use_query in (True, False):
        found = neighbour_scores([0.0, 3.0], documents, [], [], use_query=use_query, negative=1.0)
        assert found == pytest.approx([0.0, 0.5**0.5])
    assert neighbour_scores([0.0, 0.0], documents, [], []).tolist() == [0.0, 0.0]
    with pytest.raises(ConfigurationError, match="sum, max"):
        neighbour_scores([1.0], [[1.0]], [], [], combine="mean")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="rows of finite"):
        neighbour_scores([np.nan], [[1.0]], [], [])


TEXTS = {
    "a": "red wine",
    "b": "white wine",
    "c": "sweet bread",
    "d": "salt water",
    "e": "dry red wine",
    "f": "old bread",
}
FEEDBACK = {"wine": Feedback({"c": TEXTS["c"]}, {"a": TEXTS["a"]})}


def test_what_was_judged_is_not_in_the_result_and_what_is_like_it_rises() -> None:
    stage = FeedbackNeighbours(Bag(), FEEDBACK, negative=0.5)
    ranked = stage.rank("wine", TEXTS)
    assert set(ranked.ids) == set(TEXTS) - {"a", "c"}
    assert ranked.ids.index("f") < ranked.ids.index("e")
    assert ranked.score_kind == "dot_product"
    plain = FeedbackNeighbours(Bag(), {}).rank("wine", TEXTS)
    assert plain.ids == ["a", "b", "e", "c", "d", "f"]


def test_feedback_is_found_by_query_id_and_a_run_stays_whole() -> None:
    feedback = {"q1": Feedback({"c": TEXTS["c"]}), "q2": Feedback(dict(TEXTS))}
    run = Run.from_dict({"q1": dict.fromkeys(TEXTS, 1.0), "q2": dict.fromkeys(TEXTS, 1.0)})
    given_run = run.replace(
        queries=Queries.from_texts({"q1": "wine", "q2": "bread"}), corpus=Corpus.from_texts(TEXTS)
    )
    out = FeedbackNeighbours(Bag(), feedback)(given_run).to_dict()
    assert set(out["q1"]) == set(TEXTS) - {"c"}
    assert out["q2"] == {}
    qrels = Qrels.from_dict({"q1": {"c": 1, "f": 1}, "q3": {"a": 1}})
    assert residual_qrels(qrels, feedback).to_dict() == {"q1": {"f": 1.0}, "q3": {"a": 1.0}}


def test_fusion_is_by_reciprocal_ranks_with_the_first_stage() -> None:
    own = FeedbackNeighbours(Bag(), FEEDBACK).rank("wine", TEXTS)
    fused = FeedbackNeighbours(Bag(), FEEDBACK, fusion=60.0).rank("wine", TEXTS)
    first = [name for name in TEXTS if name not in ("a", "c")]
    for document in fused:
        wanted = 1 / (61 + first.index(document.id)) + 1 / (61 + own.ids.index(document.id))
        assert document.score == pytest.approx(wanted)
    assert fused.score_kind == "relative"


def test_shortened_texts_are_counted() -> None:
    texts = {"x": "wine " * 20, "y": "wine"}
    assert FeedbackNeighbours(Bag(), {}).rank("wine", texts).truncated == 1


def test_parameters_are_checked() -> None:
    for wrong in ({"combine": "mean"}, {"negative": -1.0}, {"fusion": 0.0}):
        with pytest.raises(ConfigurationError):
            FeedbackNeighbours(Bag(), {}, **wrong)  # type: ignore[arg-type]
    for wrong in ({"train": "some"}, {"steps": -1}, {"learning_rate": 0.0}):
        with pytest.raises(ConfigurationError):
            FewShotCrossEncoder("folder", {}, **wrong)  # type: ignore[arg-type]


@pytest.fixture(scope="module", params=[1, 2])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny cross-encoder with drawn weights, of one label or two."""
    path = tmp_path_factory.mktemp("model")
    names = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", *WORDS]
    tokenizer = Tokenizer(WordLevel({name: i for i, name in enumerate(names)}, "[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 1), ("[SEP]", 2)],
    )
    tokenizer.save(str(path / "tokenizer.json"))
    settings = {"model_max_length": 32, "tokenizer_class": "BertTokenizer"}
    (path / "tokenizer_config.json").write_text(json.dumps(settings))
    torch.manual_seed(5)
    config = BertConfig(
        vocab_size=len(names),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=32,
        num_labels=request.param,
        hidden_dropout_prob=0.3,
    )
    BertForSequenceClassification(config).save_pretrained(path)
    return path


def state(scorer: FewShotScorer) -> dict[str, bytes]:
    model = scorer._head.state_dict()
    return {name: value.numpy().tobytes() for name, value in model.items()}


@pytest.mark.parametrize("train", ["bias", "head", "all"])
def test_weights_are_the_same_bytes_after_a_query(folder: Path, train: str) -> None:
    stage = FewShotCrossEncoder(
        str(folder),
        FEEDBACK,
        train=train,
        steps=5,
        learning_rate=0.05,  # type: ignore[arg-type]
    )
    before = state(stage.scorer)
    plain = FewShotCrossEncoder(str(folder), {"wine": FEEDBACK["wine"]}, steps=0)
    ranked = stage.rank("wine", TEXTS)
    assert set(ranked.ids) == set(TEXTS) - {"a", "c"}
    assert state(stage.scorer) == before
    unadapted = plain.rank("wine", TEXTS)
    assert sorted(ranked.scores) != pytest.approx(sorted(unadapted.scores), abs=1e-4)
    assert stage.rank("wine", TEXTS).scores.tolist() == ranked.scores.tolist()


def test_weights_are_restored_after_an_error_too(folder: Path) -> None:
    scorer = FewShotScorer(folder, train="all")
    before = state(scorer)
    bent = scorer.adapted("wine", ["red wine"], [1.0], steps=3, learning_rate=0.1)
    bent.__enter__()
    assert state(scorer) != before
    assert not bent.__exit__(RuntimeError, RuntimeError("on purpose"), None)
    assert state(scorer) == before


def test_without_feedback_it_is_the_plain_cross_encoder(folder: Path) -> None:
    ranked = FewShotCrossEncoder(str(folder), {}).rank("red wine", TEXTS)
    model = BertForSequenceClassification.from_pretrained(folder).eval()
    names = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", *WORDS]
    for document in ranked:
        first = ["[CLS]", "red", "wine", "[SEP]"]
        second = [*document.text.split(), "[SEP]"]
        ids = torch.tensor([[names.index(word) for word in first + second]])
        types = torch.tensor([[0] * len(first) + [1] * len(second)])
        with torch.inference_mode():
            logits = model(input_ids=ids, token_type_ids=types).logits[0].tolist()
        wanted = logits[0] if len(logits) == 1 else logits[1] - logits[0]
        assert document.score == pytest.approx(wanted, abs=1e-5)


def test_training_on_the_feedback_separates_it(folder: Path) -> None:
    scorer = FewShotScorer(folder, train="all")
    texts, labels = ["red wine", "salt water"], [1.0, 0.0]
    with scorer.adapted("wine", texts, labels, steps=30, learning_rate=0.01):
        good, bad = scorer.score("wine", texts)[0]
        assert good > bad + 1.0


def test_only_the_chosen_weights_are_trained(folder: Path) -> None:
    bias = FewShotScorer(folder, train="bias").trained
    head = FewShotScorer(folder, train="head").trained
    every = FewShotScorer(folder, train="all").trained
    assert all(name.endswith("bias") for name in bias)
    assert set(head) == {"classifier.weight", "classifier.bias"}
    assert set(bias) | set(head) < set(every)
    with pytest.raises(ConfigurationError, match="bias, head, all"):
        FewShotScorer(folder, train="tail")


def test_long_texts_are_cut_at_the_document_and_counted(folder: Path) -> None:
    scorer = FewShotScorer(folder, max_tokens=12)
    scores, truncated = scorer.score("red wine", ["wine " * 7, "wine " * 8, "wine " * 50, ""])
    assert truncated == 2
    assert scores[0] == pytest.approx(scores[1], abs=1e-6)
    assert scores[1] == pytest.approx(scores[2], abs=1e-6)
    assert np.isfinite(scores).all()
    assert np.isfinite(scorer.score("red " * 100, ["wine"])[0]).all()
    with pytest.raises(ConfigurationError, match="too few"):
        FewShotScorer(folder, max_tokens=4)


def test_scores_do_not_depend_on_their_company(folder: Path) -> None:
    scorer = FewShotScorer(folder)
    texts = list(TEXTS.values()) * 8
    together = scorer.score("red wine", texts)[0]
    alone = [scorer.score("red wine", [text])[0][0] for text in texts]
    assert together == pytest.approx(alone, abs=1e-5)


def test_meta_training_makes_adapting_lead_farther(folder: Path, tmp_path: Path) -> None:
    """Each task has one kind of good document, which only its feedback tells."""
    rng = np.random.default_rng(0)
    tasks = []
    for _ in range(8):
        good, bad = rng.choice(WORDS, 2, replace=False).tolist()
        tasks.append(FeedbackTask("wine", [good, bad], [1, 0], [f"{good} old", bad], [1, 0]))
    scorer = FewShotScorer(folder, train="all")
    history = meta_train(scorer, tasks, epochs=3, inner_steps=2, inner_rate=0.01, outer_rate=0.003)
    assert history[-1] < history[0]
    scorer.save(tmp_path / "tuned")
    again = FewShotScorer(tmp_path / "tuned")
    assert again.score("wine", ["red"])[0] == pytest.approx(scorer.score("wine", ["red"])[0])
    assert again.score("wine", ["red"])[0] != pytest.approx(
        FewShotScorer(folder).score("wine", ["red"])[0], abs=1e-4
    )


def test_a_model_of_more_labels_is_refused(folder: Path, tmp_path: Path) -> None:
    for file in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / file).write_bytes((folder / file).read_bytes())
    config = BertConfig.from_pretrained(folder, num_labels=3)
    BertForSequenceClassification(config).save_pretrained(tmp_path)
    with pytest.raises(DataError, match="3 labels"):
        FewShotScorer(tmp_path)


def test_candidates_without_any_left_are_an_empty_result(folder: Path) -> None:
    stage = FewShotCrossEncoder(str(folder), {"q": Feedback({"a": "red"})})
    assert stage.rank("q", Candidates(("a",), ("red",))).ids == []


def test_half_of_the_feedback_is_relevant_and_all_of_it_judged() -> None:
    run = Run.from_dict({"q1": {name: 9.0 - i for i, name in enumerate(TEXTS)}, "q2": {"a": 1.0}})
    given_run = run.replace(corpus=Corpus.from_texts(TEXTS))
    qrels = Qrels.from_dict({"q1": {"a": 1, "b": 2, "c": 0, "e": 2, "f": 0}})
    found = judged_feedback(given_run, qrels, 4, relevant=2.0)["q1"]
    assert (list(found.relevant), list(found.nonrelevant)) == (["b", "e"], ["a", "c"])
    assert judged_feedback(given_run, qrels, 0)["q1"] == Feedback()
    assert judged_feedback(given_run, qrels, 2)["q2"] == Feedback()
    with pytest.raises(ConfigurationError, match="even"):
        judged_feedback(given_run, qrels, 3)
    with pytest.raises(DataError, match="without its corpus"):
        judged_feedback(run, qrels, 2)
    with pytest.raises(DataError, match="expected a document of its corpus"):
        judged_feedback(run.replace(corpus=Corpus.from_texts({"z": ""})), qrels, 2)


def test_feedback_in_a_file_makes_a_stage_that_is_read_back(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "feedback.jsonl"
    rows = [{"query": "wine", "relevant": {"c": "sweet bread"}}, {"query": "q", "nonrelevant": {}}]
    path.write_text("\n".join(["", *map(json.dumps, rows)]))
    assert read_feedback(path)["wine"] == Feedback({"c": "sweet bread"})
    stage = FewShotCrossEncoder(str(folder), str(path), steps=1)
    assert "c" not in stage.rank("wine", TEXTS).ids
    again = parse(repr(stage))
    assert again.rank("wine", TEXTS).scores.tolist() == stage.rank("wine", TEXTS).scores.tolist()
    for wrong in ("[]", "{}", '{"query": "q", "good": {}}', json.dumps(rows[0])):
        path.write_text(f"{json.dumps(rows[0])}\n{wrong}\n")
        with pytest.raises(DataError, match=":2: found"):
            read_feedback(path)


def test_an_encoder_is_made_of_a_folder_or_a_description(folder: Path) -> None:
    described = f"TransformerEncoder({str(folder)!r}, pooling='mean')"
    stage = FeedbackNeighbours(described, {})
    assert sorted(stage.rank("red wine", TEXTS).ids) == sorted(TEXTS)
    assert stage.loaded_encoder is stage.loaded_encoder
    with pytest.raises(DataError, match="no model"):
        FeedbackNeighbours("no/such/folder", {}).rank("red wine", TEXTS)
    with pytest.raises(ConfigurationError, match="dense"):
        FeedbackNeighbours(f"TokenMatrixEncoder({str(folder)!r})", {}).rank("red wine", TEXTS)
