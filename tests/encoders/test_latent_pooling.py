"""A pooling that is trained: its formula, what it begins as, training, saving, encoding."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from plackett.encoders import TransformerEncoder
from plackett.encoders.latent_pooling_torch import LatentPooling
from plackett.encoders.latent_training import (
    PoolingStates,
    pooling_states,
    train_pooling,
    write_pooled_model,
)
from plackett.errors import ConfigurationError, DataError

TEXTS = ["red wine", "the cat. the dog", "", "white bread of the house", "rain"]


def random_pooling(seed: int = 3, **parameters: Any) -> LatentPooling:
    """One whose weights are all random, so that each of them shows."""
    pooling = LatentPooling(8, heads=2, latents=3, **parameters)
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in pooling.parameters():
            parameter.normal_(std=0.5)
    return pooling.eval()


def by_hand(pooling: LatentPooling, states: torch.Tensor) -> torch.Tensor:
    """The docstring's formula for one text, a head, a latent and a state at a time."""
    p = dict(pooling.named_parameters())
    size = pooling.hidden // pooling.heads
    normed = functional.layer_norm(states, (8,), p["key_norm.weight"], p["key_norm.bias"])
    keys = normed @ p["to_keys.weight"].T
    biases = torch.zeros(len(states))
    if pooling.layers is not None:
        keys, biases = keys + p["layer_keys"], p["layer_bias"]
    values = states @ p["to_values.weight"].T
    asked = p["queries"] @ p["to_queries.weight"].T
    rows = []
    for latent in range(pooling.latents):
        parts = []
        for head in range(pooling.heads):
            part = slice(head * size, (head + 1) * size)
            scores = [
                asked[latent, part] @ keys[s, part] / math.sqrt(size) + biases[s]
                for s in range(len(states))
            ]
            shares = torch.stack(scores).softmax(dim=0)
            parts.append(sum(shares[s] * values[s, part] for s in range(len(states))))
        y = p["queries"][latent] + p["to_output.weight"] @ torch.cat(parts)
        z = functional.layer_norm(y, (8,), p["block_norm.weight"], p["block_norm.bias"])
        wide = p["widen.weight"] @ z + p["widen.bias"]
        inner = functional.gelu(wide[:32]) * wide[32:]
        rows.append(y + p["narrow.weight"] @ inner + p["narrow.bias"])
    return torch.stack(rows).mean(dim=0)


@pytest.mark.parametrize("over", ["layers", "tokens"])
def test_it_is_its_formula(over: Any) -> None:
    pooling = random_pooling(over=over, layers=4 if over == "layers" else None)
    states = torch.randn(5, 4, 8, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        found = pooling(states)
        for one, vector in zip(states, found, strict=True):
            torch.testing.assert_close(vector, by_hand(pooling, one), atol=1e-5, rtol=1e-4)


def test_padding_has_no_part_in_it() -> None:
    pooling = random_pooling(over="tokens")
    states = torch.randn(2, 6, 8, generator=torch.Generator().manual_seed(2))
    mask = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0]])
    with torch.inference_mode():
        whole = pooling(states, mask)
        torch.testing.assert_close(whole[0], pooling(states[:1])[0])
        torch.testing.assert_close(whole[1], pooling(states[1:, :3])[0])
        states[1, 3:] = 1e6
        torch.testing.assert_close(pooling(states, mask), whole)
        # Nor has the order of tokens, as attention knows no places; nor the side of the padding.
        turned = pooling(states.flip(1), mask.flip(1))
        torch.testing.assert_close(turned, whole)


def test_the_order_of_layers_shows_by_their_embeddings_and_biases_alone() -> None:
    pooling = random_pooling(layers=4)
    states = torch.randn(3, 4, 8, generator=torch.Generator().manual_seed(4))
    order = torch.tensor([2, 0, 3, 1])
    with torch.inference_mode():
        before = pooling(states)
        assert (pooling(states[:, order]) - before).abs().max() > 1e-3
        pooling.layer_keys.copy_(pooling.layer_keys[order])
        pooling.layer_bias.copy_(pooling.layer_bias[order])
        torch.testing.assert_close(pooling(states[:, order]), before)
        pooling.layer_keys.zero_()
        pooling.layer_bias.zero_()
        torch.testing.assert_close(pooling(states[:, order]), pooling(states))


def test_one_latent_of_zeros_is_the_mean() -> None:
    states = torch.randn(3, 5, 8, generator=torch.Generator().manual_seed(5))
    pooling = LatentPooling(8, over="tokens", latents=1)
    with torch.inference_mode():
        pooling.queries.zero_()
        torch.testing.assert_close(pooling(states), states.mean(dim=1))
        layers = LatentPooling(8, layers=5, latents=1)
        layers.queries.zero_()
        wanted = 0.9 * states[:, -1] + 0.1 * states[:, :-1].mean(dim=1)
        torch.testing.assert_close(layers(states), wanted)
        single = LatentPooling(8, layers=1, latents=1)
        single.queries.zero_()
        torch.testing.assert_close(single(states[:, :1]), states[:, 0])


def test_the_same_seed_makes_the_same_pooling_and_disturbs_nobody() -> None:
    torch.manual_seed(9)
    first = LatentPooling(8, layers=3, seed=5).state_dict()
    drawn = torch.randn(2)
    torch.manual_seed(9)
    assert torch.equal(drawn, torch.randn(2))
    second = LatentPooling(8, layers=3, seed=5).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    other = LatentPooling(8, layers=3, seed=6).state_dict()
    assert not torch.equal(first["queries"], other["queries"])


@pytest.mark.parametrize(
    "parameters",
    [
        {"over": "texts"},
        {"tokens": "first"},
        {"over": "tokens", "layers": 3},
        {"layers": None},
        {"heads": 3},
        {"latents": 0},
        {"layers": True},
    ],
)
def test_parameters_that_do_not_fit(parameters: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        LatentPooling(8, **{"layers": 3, **parameters})


def test_what_is_saved_is_read_back(tmp_path: Path) -> None:
    pooling = random_pooling(layers=4, tokens="last")
    pooling.save(tmp_path / "pooling")
    again = LatentPooling.load(tmp_path / "pooling")
    states = torch.randn(2, 4, 8)
    with torch.inference_mode():
        assert torch.equal(again(states), pooling(states))
    assert (again.tokens, again.over, again.layers) == ("last", "layers", 4)

    with pytest.raises(DataError, match="no trained pooling"):
        LatentPooling.load(tmp_path)
    config = tmp_path / "pooling" / "config.json"
    right = config.read_text()
    config.write_text(right.replace('"layers": 4', '"layers": 5'))
    with pytest.raises(DataError, match="do not fit"):
        LatentPooling.load(tmp_path / "pooling")
    config.write_text("[]")
    with pytest.raises(DataError, match="no trained pooling"):
        LatentPooling.load(tmp_path / "pooling")
    config.write_text(right.replace('"heads": 2', '"heads": 3'))
    with pytest.raises(DataError, match="divisor"):
        LatentPooling.load(tmp_path / "pooling")
    config.write_text(right)
    with torch.no_grad():
        pooling.queries[0, 0] = float("nan")
    pooling.save(tmp_path / "pooling")
    with pytest.raises(DataError, match="queries that are not finite"):
        LatentPooling.load(tmp_path / "pooling")
    weights = tmp_path / "pooling" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:30])
    with pytest.raises(DataError, match="do not fit"):
        LatentPooling.load(tmp_path / "pooling")


def hidden_states(folder: str, text: str) -> torch.Tensor:
    """`[3, l, 32]`, without padding."""
    from transformers import AutoModel

    from plackett.encoders.tokens import TextTokenizer

    tokenizer = TextTokenizer(Path(folder))
    (ids,) = tokenizer.encode([text])
    joined, _ = tokenizer.template(1).join(ids)
    with torch.inference_mode():
        model = AutoModel.from_pretrained(folder).eval()
        found = model(input_ids=torch.tensor([joined]), output_hidden_states=True)
    return torch.stack([state[0] for state in found.hidden_states])


def shaken(pooling: LatentPooling) -> LatentPooling:
    """As training leaves it: no weight where it began."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in pooling.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return pooling


@pytest.mark.parametrize(
    "pooling",
    [
        LatentPooling(32, layers=3),
        LatentPooling(32, layers=3, tokens="last"),
        LatentPooling(32, over="tokens", latents=2),
    ],
    ids=["layers", "last tokens of layers", "tokens"],
)
def test_a_folder_with_a_pooling_is_encoded_by_it(
    pooling: LatentPooling, tiny: Any, tmp_path: Path
) -> None:
    folder = write_pooled_model(tiny.plain, shaken(pooling), tmp_path / "pooled")
    found = TransformerEncoder(str(folder), batch_tokens=64).encode(TEXTS)
    states = pooling_states(tiny.plain, TEXTS, pooling, batch_tokens=32)
    assert len(states) == len(TEXTS)
    for row, text in enumerate(TEXTS):
        every = hidden_states(tiny.plain, text)
        if pooling.over == "tokens":
            own = every[-1]
        else:
            own = every.mean(dim=1) if pooling.tokens == "mean" else every[:, -1]
        real = states.values[row, states.mask[row]]
        np.testing.assert_allclose(real, own.numpy(), atol=1e-5)
        with torch.inference_mode():
            wanted = functional.normalize(pooling(own[None]), dim=1)[0]
        np.testing.assert_allclose(found[row], wanted.numpy(), atol=1e-5)


def test_a_pooled_folder_keeps_what_the_model_declares(tiny: Any, tmp_path: Path) -> None:
    pooling = LatentPooling(32, layers=3)
    folder = write_pooled_model(tiny.dense, pooling, tmp_path / "pooled")
    encoder, before = TransformerEncoder(str(folder)), TransformerEncoder(tiny.dense)
    assert (encoder.normalised, encoder.dimension) == (True, 32)
    asked = encoder.encode(["red wine"], "query")
    np.testing.assert_allclose(asked, encoder.encode(["what is red wine"]), atol=1e-6)
    # With pooling= the trained one is left out.
    plain = TransformerEncoder(str(folder), pooling="mean")
    np.testing.assert_allclose(plain.encode(TEXTS), before.encode(TEXTS), atol=1e-6)
    with pytest.raises(ConfigurationError, match="chooses them"):
        TransformerEncoder(str(folder), layers=[0])
    other = write_pooled_model(tiny.dense, shaken(LatentPooling(32, layers=3)), tmp_path / "other")
    assert TransformerEncoder(str(other)).identity != encoder.identity
    declared = json.loads((folder / "modules.json").read_text())
    assert [module["type"].rpartition(".")[2] for module in declared] == [
        "Transformer", "LatentPooling", "Normalize"
    ]  # fmt: skip


def test_folders_and_poolings_that_do_not_fit(tiny: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="expected hidden = 32, layers = 3"):
        write_pooled_model(tiny.plain, LatentPooling(32, layers=7), tmp_path / "pooled")
    with pytest.raises(ConfigurationError, match="expected hidden = 32"):
        pooling_states(tiny.plain, TEXTS, LatentPooling(8, over="tokens"))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("mine")
    with pytest.raises(DataError, match="not empty"):
        write_pooled_model(tiny.plain, LatentPooling(32, layers=3), tmp_path / "full")


def test_training_finds_the_layer_that_tells() -> None:
    # Only the first of three layers says which document belongs to a query; the others are noise.
    rng = np.random.default_rng(0)
    topics = rng.normal(size=(48, 16)).astype(np.float32)
    states = [rng.normal(size=(48, 3, 16)).astype(np.float32) for _ in range(2)]
    for side in states:
        side[:, 0] = topics + 0.1 * rng.normal(size=topics.shape)
    mask = np.ones((48, 3), dtype=bool)
    queries, documents = (PoolingStates(side, mask) for side in states)
    pairs = [(row, row) for row in range(48)]
    pooling = LatentPooling(16, layers=3, latents=2, heads=2)

    def hits() -> float:
        with torch.inference_mode():
            q, d = (functional.normalize(pooling(torch.from_numpy(side)), dim=1) for side in states)
        return float(((q @ d.T).argmax(dim=1) == torch.arange(48)).float().mean())

    before = hits()
    told: list[int] = []
    losses = train_pooling(
        pooling,
        queries,
        documents,
        pairs,
        epochs=30,
        batch=16,
        learning_rate=3e-3,
        told=lambda epoch, loss: told.append(epoch),
    )
    assert told == list(range(30))
    assert losses[-1] < 0.5 * losses[0]
    assert hits() > 0.9 > 0.5 > before

    again = LatentPooling(16, layers=3, latents=2, heads=2)
    repeated = train_pooling(
        again, queries, documents, pairs, epochs=30, batch=16, learning_rate=3e-3
    )
    np.testing.assert_allclose(repeated, losses, rtol=1e-4)


def test_a_document_of_the_query_is_no_negative() -> None:
    # Both documents of the one query are in the batch: nothing is left to tell apart.
    states = PoolingStates(np.ones((2, 3, 8), dtype=np.float32), np.ones((2, 3), dtype=bool))
    pooling = LatentPooling(8, layers=3)
    (loss,) = train_pooling(pooling, states, states, [(0, 0), (0, 1)], epochs=1)
    assert loss == pytest.approx(0.0, abs=1e-6)
    (loss,) = train_pooling(pooling, states, states, [(0, 0), (1, 1)], epochs=1)
    assert loss == pytest.approx(math.log(2), abs=1e-4)


def test_pairs_and_parameters_that_cannot_be_used() -> None:
    states = PoolingStates(np.ones((2, 3, 8), dtype=np.float32), np.ones((2, 3), dtype=bool))
    pooling = LatentPooling(8, layers=3)
    for pairs in ([], [(0, 2)], [(-1, 0)], [(0, 0, 0)]):
        with pytest.raises(DataError):
            train_pooling(pooling, states, states, pairs)
    for parameters in ({"epochs": 0}, {"batch": 1}, {"temperature": 0.0}, {"learning_rate": -1.0}):
        with pytest.raises(ConfigurationError):
            train_pooling(pooling, states, states, [(0, 0), (1, 1)], **parameters)  # type: ignore[arg-type]
