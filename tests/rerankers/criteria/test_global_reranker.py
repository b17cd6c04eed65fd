"""The global re-ranker: what may see what, where positions begin, and that it learns."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing
from transformers import BertConfig, BertModel, RobertaConfig, RobertaModel

from plackett.errors import ConfigurationError, CorruptFileError, DataError
from plackett.rerankers.criteria.global_reranker import (
    GlobalExample,
    GlobalReranker,
    train_global_reranker,
)
from plackett.rerankers.criteria.global_reranker_torch import GlobalScorer

WORDS = [f"w{i}" for i in range(20)]
NAMES = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", *WORDS]
LENGTH = 64


def built(path: Path, family: str = "bert") -> Path:
    """A tiny encoder with drawn weights."""
    path.mkdir(exist_ok=True)
    tokenizer = Tokenizer(WordLevel({name: i for i, name in enumerate(NAMES)}, "[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 1), ("[SEP]", 2)],
    )
    tokenizer.save(str(path / "tokenizer.json"))
    names = ["input_ids", "attention_mask"] + ["token_type_ids"] * (family == "bert")
    settings = {"model_max_length": LENGTH, "model_input_names": names}
    (path / "tokenizer_config.json").write_text(json.dumps(settings))
    torch.manual_seed(3)
    shape = {
        "vocab_size": len(NAMES),
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "initializer_range": 0.2,
    }
    if family == "bert":
        config = BertConfig(**shape, max_position_embeddings=LENGTH)
        BertModel(config, add_pooling_layer=False).save_pretrained(path)
    else:
        config = RobertaConfig(
            **shape, max_position_embeddings=LENGTH + 1, pad_token_id=0, type_vocab_size=1
        )
        RobertaModel(config, add_pooling_layer=False).save_pretrained(path)
    return path


@pytest.fixture(scope="module", params=["bert", "roberta"])
def encoder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("encoder") / request.param, request.param)


def scorer(encoder: Path, **settings: object) -> GlobalScorer:
    known = {"loss": "softmax", "block": False, "max_tokens": None}
    return GlobalScorer.new(encoder, **{**known, **settings}, seed=1)  # type: ignore[arg-type]


QUERY = "w1 w2"
TEXTS = ["w3 w4", "w5", "w6 w7 w8", "w3"]


def test_hidden_from_each_other_candidates_score_the_same_in_any_order(encoder: Path) -> None:
    model = scorer(encoder, block=True)
    scores = model.score(QUERY, TEXTS, least=1)[0]
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(TEXTS))
        shuffled = model.score(QUERY, [TEXTS[i] for i in order], least=1)[0]
        assert shuffled == pytest.approx(scores[order], abs=1e-5)
    running = scorer(encoder).score(QUERY, TEXTS, least=1)[0]
    turned = scorer(encoder).score(QUERY, TEXTS[::-1], least=1)[0][::-1]
    assert running != pytest.approx(turned, abs=1e-6)


def test_a_model_without_positions_does_not_see_the_order_shown(encoder: Path) -> None:
    model = scorer(encoder)
    with torch.no_grad():
        model._encoder.embeddings.position_embeddings.weight.zero_()
    scores = model.score(QUERY, TEXTS, least=1)[0]
    assert model.score(QUERY, TEXTS[::-1], least=1)[0][::-1] == pytest.approx(scores, abs=1e-6)


def test_hidden_from_each_other_candidates_score_as_if_read_alone(encoder: Path) -> None:
    model = scorer(encoder, block=True)
    alone = [model.score(QUERY, [text])[0][0] for text in TEXTS]
    assert model.score(QUERY, TEXTS, least=1)[0] == pytest.approx(alone, abs=1e-5)
    seeing = scorer(encoder)
    alone = [seeing.score(QUERY, [text])[0][0] for text in TEXTS]
    assert seeing.score(QUERY, TEXTS, least=1)[0] != pytest.approx(alone, abs=1e-5)


def test_one_candidate_is_read_as_a_cross_encoder_reads_a_pair(encoder: Path) -> None:
    model = scorer(encoder)
    ids = [NAMES.index(w) for w in ["[CLS]", *QUERY.split(), "[SEP]", *TEXTS[0].split(), "[SEP]"]]
    given = {"input_ids": torch.tensor([ids])}
    if "token_type_ids" in (encoder / "tokenizer_config.json").read_text():
        given["token_type_ids"] = torch.tensor([[0] * 4 + [1] * 3])
    kind = BertModel if encoder.name == "bert" else RobertaModel
    plain = kind.from_pretrained(encoder, add_pooling_layer=False).eval()
    with torch.inference_mode():
        hidden = plain(**given).last_hidden_state[0, -1]
        wanted = float(model.head(hidden))
    assert model.score(QUERY, TEXTS[:1])[0][0] == pytest.approx(wanted, abs=1e-5)


def test_the_gradient_of_one_score_reaches_every_candidate(encoder: Path) -> None:
    model = scorer(encoder)
    model._encoder.requires_grad_(True)
    reached = []

    def watch(module: object, given: object, embedded: torch.Tensor) -> torch.Tensor:
        embedded.retain_grad()
        reached.append(embedded)
        return embedded

    handle = model._encoder.embeddings.register_forward_hook(watch)
    asked, bodies = model._tokens(QUERY, TEXTS)
    model._logits(asked, bodies)[0][1].backward()
    handle.remove()
    joint = model._joined(asked, bodies)
    by_part = [
        float(reached[0].grad[0][joint.part == part].abs().sum()) for part in range(len(TEXTS) + 1)
    ]
    assert min(by_part) > 1e-8


def learnable(n: int, seed: int) -> list[GlobalExample]:
    """The right candidate, given first, has a word of the first ten; the others have none."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(n):
        good, bad = rng.permutation(WORDS[:10]).tolist(), rng.permutation(WORDS[10:]).tolist()
        made.append(GlobalExample(bad[3], (good[0], *bad[:2]), (1.0, 0.0, 0.0)))
    return made


@pytest.mark.parametrize(("loss", "block"), [("softmax", False), ("binary", True)])
def test_training_learns_what_is_right_although_it_is_always_given_first(
    loss: str, block: bool, tmp_path: Path
) -> None:
    encoder = built(tmp_path / "encoder")
    history = train_global_reranker(
        encoder,
        learnable(80, 0),
        tmp_path / "trained",
        loss=loss,  # type: ignore[arg-type]
        block=block,
        epochs=6,
        learning_rate=1e-3,
    )
    assert history[-1] < 0.6 * history[0]
    reranker = GlobalReranker(str(tmp_path / "trained"))
    right = 0
    for example in learnable(30, 1):
        ranked = reranker.rank(example.query, list(example.candidates[::-1]))
        right += ranked[0].text == example.candidates[0]
    assert right >= 27
    assert ranked.score_kind == ("logit" if loss == "binary" else "relative")
    assert repr(reranker) == f"Reranker('global', model={str(tmp_path / 'trained')!r})"


def test_candidates_are_shown_in_a_drawn_order(encoder: Path) -> None:
    model = scorer(encoder)
    shown = []
    model._logits = lambda asked, bodies: (  # type: ignore[method-assign, assignment]
        shown.append([b.tolist() for b in bodies]) or torch.zeros(len(bodies)),
        0,
    )
    example = GlobalExample(QUERY, tuple(WORDS[:4]), (1.0, 0.0, 0.0, 0.0))
    rng = np.random.default_rng(0)
    for _ in range(50):
        model.example_loss(example, rng)
    firsts = {order[0][0] for order in shown}
    assert len(firsts) == 4


def test_the_losses_are_their_closed_forms(encoder: Path) -> None:
    for loss in ("softmax", "binary"):
        model = scorer(encoder, loss=loss, block=True)
        example = GlobalExample(QUERY, tuple(TEXTS), (2.0, 0.0, 0.0, 1.0))
        scores = model.score(QUERY, TEXTS, least=1)[0]
        found = model.example_loss(example, np.random.default_rng(0)).item()
        if loss == "softmax":
            logs = scores - np.log(np.exp(scores).sum())
            wanted = -(2 / 3 * logs[0] + 1 / 3 * logs[3])
        else:
            signs = np.array([1.0, -1.0, -1.0, 1.0])
            wanted = np.log1p(np.exp(-signs * scores)).mean()
        assert found == pytest.approx(wanted, abs=1e-5)


def test_candidates_that_do_not_fit_are_cut_or_read_in_groups(encoder: Path) -> None:
    model = scorer(encoder)
    long = [f"{word} " * 40 for word in WORDS[:6]]
    scores, truncated = model.score(QUERY, long, least=5)
    assert truncated == 6
    assert np.isfinite(scores).all()
    # 64 tokens hold two candidates of 16 and more: three groups.
    grouped = model.score(QUERY, long, least=20)[0]
    pairs = np.concatenate([model.score(QUERY, long[i : i + 2])[0] for i in (0, 2, 4)])
    assert grouped == pytest.approx(pairs, abs=1e-5)
    assert np.isfinite(model.score("w1 " * 500, ["", "\ud800"])[0]).all()
    with pytest.raises(DataError, match="room for a token"):
        model.example_loss(GlobalExample("w1", ("w2",) * 60, (1.0,) * 60), np.random.default_rng(0))


def test_training_twice_gives_the_same_model(tmp_path: Path) -> None:
    encoder = built(tmp_path / "encoder")
    for name in ("one", "two"):
        train_global_reranker(encoder, learnable(10, 0), tmp_path / name, epochs=1, seed=4)
    first, second = (GlobalReranker(str(tmp_path / name)) for name in ("one", "two"))
    texts = ["w1", "w2 w3"]
    assert first.rank("w1", texts).scores.tolist() == second.rank("w1", texts).scores.tolist()


def test_folders_that_are_none_are_refused(tmp_path: Path) -> None:
    encoder = built(tmp_path / "encoder")
    with pytest.raises(CorruptFileError, match="no global re-ranker"):
        GlobalReranker(str(encoder)).rank("w1", ["w2", "w3"])
    trained = tmp_path / "trained"
    train_global_reranker(encoder, learnable(2, 0), trained, epochs=1)
    settings = json.loads((trained / "global.json").read_text())
    (trained / "global.json").write_text(json.dumps({**settings, "version": 2}))
    with pytest.raises(CorruptFileError, match="another format or version"):
        GlobalReranker(str(trained)).rank("w1", ["w2", "w3"])
    (trained / "global.json").write_text(json.dumps(settings))
    (trained / "global-head.safetensors").write_bytes(b"none")
    with pytest.raises(CorruptFileError):
        GlobalReranker(str(trained)).rank("w1", ["w2", "w3"])


def test_bad_examples_and_parameters_are_refused(tmp_path: Path) -> None:
    for candidates, labels in ((("a",), (1.0, 0.0)), ((), ()), (("a",), (0.0,)), (("a",), (-1.0,))):
        with pytest.raises(DataError):
            GlobalExample("q", candidates, labels)
    with pytest.raises(ConfigurationError, match="no examples"):
        train_global_reranker(tmp_path, [], tmp_path)
    example = GlobalExample("q", ("a",), (1.0,))
    with pytest.raises(ConfigurationError, match="is not one of"):
        train_global_reranker(tmp_path, [example], tmp_path, loss="hinge")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="least=0"):
        GlobalReranker("folder", least=0)
