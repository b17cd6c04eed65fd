"""JointRank: blocks in one round, joined by their wins."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest

from plackett.errors import ConfigurationError, UnknownNameError
from plackett.fusion.pair_aggregation import aggregator_names
from plackett.llm import Answer, Failure, Generate, Generation, LanguageModel, Request
from plackett.llm.oracle.model import Oracle
from plackett.rerankers import parse
from plackett.rerankers.listwise.joint_rank import JointRank, wins_of_orders

QUERY = "red wine"


class Rounds(Oracle):
    """An oracle that waits, and so is asked everything of a round before it answers."""

    def __init__(self, relevance: dict[str, dict[str, float]]) -> None:
        super().__init__(relevance, latency=0.02, concurrency=1000)
        self.busy = self.most = 0

    async def answer(self, requests: Sequence[Request]) -> list[Answer]:
        self.busy += 1
        self.most = max(self.most, self.busy)
        answers = await super().answer(requests)
        self.busy -= 1
        return answers


class Mute(LanguageModel):
    """Answers nothing."""

    powers = frozenset({"generate"})

    @property
    def identity(self) -> str:
        return "mute"

    async def answer(self, requests: Sequence[Request]) -> list[Answer]:
        return [Failure("down") for _ in requests]

    def count_tokens(self, text: str) -> int:
        return 1

    def truncate(self, text: str, tokens: int) -> str:
        return text

    def __repr__(self) -> str:
        return "Mute()"


class Half(Mute):
    """Answers only about the blocks that have the first document, and reverses those."""

    async def answer(self, requests: Sequence[Request]) -> list[Answer]:
        answers: list[Answer] = []
        for request in requests:
            assert isinstance(request, Generate)
            assert request.prompt.shown
            shown = request.prompt.shown.documents
            order = sorted(range(len(shown)), key=lambda i: -int(shown[i][1:]))
            text = " > ".join(f"[{i + 1}]" for i in order)
            answers.append(Generation(text) if "d0" in shown else Failure("down"))
        return answers


def grades(n: int, seed: int) -> tuple[dict[str, dict[str, float]], list[str]]:
    drawn = random.Random(seed).sample(range(n), n)
    best = sorted(range(n), key=lambda i: -drawn[i])
    return {QUERY: {f"d{i}": float(drawn[i]) for i in range(n)}}, [f"d{i}" for i in best]


def texts(n: int) -> dict[str, str]:
    return {f"d{i}": f"text {i}" for i in range(n)}


def kendall(found: Sequence[str], truth: Sequence[str]) -> float:
    place = {name: i for i, name in enumerate(truth)}
    places = [place[name] for name in found]
    n = len(places)
    wrong = sum(a > b for i, a in enumerate(places) for b in places[i + 1 :])
    return 1 - 4 * wrong / (n * (n - 1))


@pytest.mark.parametrize(
    ("n", "block", "replicates", "calls"), [(100, 20, 4, 20), (100, 10, 2, 20), (200, 100, 3, 6)]
)
def test_calls_are_n_r_over_k_in_one_round(n: int, block: int, replicates: int, calls: int) -> None:
    relevance, _ = grades(n, 1)
    model = Rounds(relevance)
    ranked = JointRank(model, block=block, replicates=replicates).rank(QUERY, texts(n))
    assert ranked.calls == calls
    assert model.most == calls
    assert ranked.score_kind == "wins"


@pytest.mark.parametrize("name", [name for name in aggregator_names() if name != "kwiksort"])
def test_exact_where_every_pair_meets_equally_often(name: str) -> None:
    for seed in range(4):
        for n, block, design in (
            (15, 20, "equi-replicate"),
            (7, 3, "balanced"),
            (25, 5, "balanced"),
        ):
            relevance, best = grades(n, seed)
            reranker = JointRank(
                Oracle(relevance),
                design=design,
                block=block,
                aggregate=name,
                seed=seed,  # type: ignore[arg-type]
            )
            assert reranker.rank(QUERY, texts(n)).ids == best


def test_fano_plane_wins_are_the_items_below() -> None:
    relevance, best = grades(7, 2)
    reranker = JointRank(Oracle(relevance), design="balanced", block=3, aggregate="additive")
    ranked = reranker.rank(QUERY, texts(7))
    assert ranked.calls == 7
    assert [each.score for each in ranked] == [6, 5, 4, 3, 2, 1, 0]
    assert ranked.ids == best


@pytest.mark.parametrize("design", ["equi-replicate", "random", "lattice", "triangular"])
@pytest.mark.parametrize(
    ("aggregate", "least"), [("rank_centrality", 0.78), ("bradley_terry", 0.88)]
)
def test_near_the_true_order_elsewhere(design: str, aggregate: str, least: float) -> None:
    """Bradley-Terry is nearer where answers are exact; the default is much quicker."""
    n = 55 if design == "triangular" else 100
    found = []
    for seed in range(5):
        relevance, best = grades(n, seed)
        model = Oracle(relevance)
        reranker = JointRank(model, design=design, block=10, aggregate=aggregate, seed=seed)  # type: ignore[arg-type]
        found.append(kendall(reranker.rank(QUERY, texts(n)).ids, best))
    assert np.mean(found) > least


def test_more_replicates_are_nearer() -> None:
    means = []
    for replicates in (2, 4, 8):
        taus = []
        for seed in range(6):
            relevance, best = grades(60, seed)
            model = Oracle(relevance, noise=0.1, seed=seed)
            reranker = JointRank(model, block=10, replicates=replicates, seed=seed)
            taus.append(kendall(reranker.rank(QUERY, texts(60)).ids, best))
        means.append(np.mean(taus))
    assert means == sorted(means)


def test_97_documents_fall_back_to_one_short_block() -> None:
    relevance, _ = grades(97, 0)
    for design in ("lattice", "triangular", "balanced"):
        reranker = JointRank(Oracle(relevance), design=design, block=10, replicates=2)  # type: ignore[arg-type]
        ranked = reranker.rank(QUERY, texts(97))
        assert ranked.calls == 20
        assert sorted(ranked.ids) == sorted(texts(97))


def test_no_answers_are_no_comparisons() -> None:
    ranked = JointRank(Mute()).rank(QUERY, texts(50))
    assert ranked.ids == list(texts(50))
    assert ranked.answers == {"missing": 10}
    assert {each.score for each in ranked} == {0.0}


def test_documents_never_compared_come_last() -> None:
    ranked = JointRank(Half(), replicates=1, block=10, aggregate="win_rate").rank(QUERY, texts(30))
    compared = [name for name, score in zip(ranked.ids, ranked, strict=True) if score.score > 0]
    assert ranked.answers == {"ok": 1, "missing": 2}
    assert len(compared) == 9
    assert ranked.ids[:9] == sorted(compared, key=lambda name: -int(name[1:]))
    assert ranked.ids[9] == "d0"


def test_the_seed_decides_the_blocks() -> None:
    relevance, _ = grades(40, 0)
    orders = [
        JointRank(Oracle(relevance), design="random", block=5, seed=seed).rank(QUERY, texts(40)).ids
        for seed in (0, 0, 1)
    ]
    assert orders[0] == orders[1] != orders[2]


def test_wins_of_orders() -> None:
    wins = wins_of_orders([[0, 1, 2], [2, 1], []], 4)
    assert wins.tolist() == [[0, 1, 1, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]]


def test_description_and_wrong_parameters() -> None:
    reranker = JointRank("Oracle({'q': {'a': 1}})", design="lattice", block=5, aggregate="pagerank")
    assert repr(parse(repr(reranker))) == repr(reranker)
    model = Oracle({})
    with pytest.raises(UnknownNameError, match="pagerank"):
        JointRank(model, aggregate="page-rank")
    for wrong in ({"block": 1}, {"replicates": 0}, {"prompt": "setwise"}, {"design": "latin"}):
        with pytest.raises(ConfigurationError):
            JointRank(model, **wrong)  # type: ignore[arg-type]
