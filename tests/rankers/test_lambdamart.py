"""LambdaMART is LightGBM's model for the same parameters, and keeps its own promises."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pytest
from sklearn.base import clone

from plackett.data.dataset import RankingDataset
from plackett.data.letor import LetorFold, letor_folds
from plackett.errors import ConfigurationError, DataError, UnknownNameError
from plackett.metrics.base import parse_measure
from plackett.rankers import LambdaMART

MakeData = Callable[..., RankingDataset]

EXPONENTIAL = parse_measure("nDCG(gain='exponential')@10")


def lightgbm_alone(
    train: RankingDataset, valid: RankingDataset | None, trees: int, **parameters: Any
) -> lightgbm.Booster:
    """LightGBM's own API, with its own nDCG for early stopping."""
    data = lightgbm.Dataset(train.X, train.y, group=np.diff(train.offsets))
    parameters = {
        "objective": "lambdarank",
        "learning_rate": 0.05,
        "metric": "ndcg",
        "eval_at": [10],
        "verbosity": -1,
        "deterministic": True,
        "force_row_wise": True,
        "seed": 0,
        "num_threads": 1,  # threads that wait for a busy core are slower than one
    } | parameters
    if valid is None:
        return lightgbm.train(parameters, data, trees)
    held_out = lightgbm.Dataset(valid.X, valid.y, group=np.diff(valid.offsets), reference=data)
    stop = lightgbm.early_stopping(50, verbose=False)
    return lightgbm.train(parameters, data, trees, valid_sets=[held_out], callbacks=[stop])


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({}, {}),
        ({"objective": "rank_xendcg"}, {"objective": "rank_xendcg"}),
        ({"leaves": 7, "learning_rate": 0.2}, {"num_leaves": 7, "learning_rate": 0.2}),
        ({"min_documents_in_leaf": 1}, {"min_data_in_leaf": 1}),
        ({"min_hessian_in_leaf": 5.0}, {"min_sum_hessian_in_leaf": 5.0}),
        ({"max_depth": 2}, {"max_depth": 2}),
        ({"max_bins": 7}, {"max_bin": 7}),
        ({"feature_fraction": 0.5, "seed": 4}, {"feature_fraction": 0.5, "seed": 4}),
        (
            {"bagging_fraction": 0.5, "bagging_frequency": 1},
            {"bagging_fraction": 0.5, "bagging_freq": 1},
        ),
        ({"l1": 0.3}, {"lambda_l1": 0.3}),
        ({"l2": 3.0}, {"lambda_l2": 3.0}),
        ({"truncation": 2}, {"lambdarank_truncation_level": 2}),
        ({"normalise": False}, {"lambdarank_norm": False}),
        ({"sigmoid": 2.0}, {"sigmoid": 2.0}),
        ({"gain": "linear"}, {"label_gain": [0, 1, 2, 3]}),
        ({"gain": (0.0, 1.0, 1.5, 9.0)}, {"label_gain": [0, 1, 1.5, 9]}),
        ({"monotone": {"noise one": 1}}, {"monotone_constraints": [0, 0, 1, 0]}),
    ],
)
def test_every_parameter_is_lightgbm_s(
    make_data: MakeData, ours: dict[str, Any], theirs: dict[str, Any]
) -> None:
    """Each gives LightGBM's scores to the last digit, and each but the defaults changes them."""
    data = make_data()
    ranker = LambdaMART(trees=10, threads=1).set_params(**ours).fit(data)
    expected = lightgbm_alone(data, None, 10, **theirs).predict(data.X)
    np.testing.assert_array_equal(ranker.predict(data), expected.astype(np.float32))
    default = LambdaMART(trees=10, threads=1).fit(data).predict(data)
    assert (not ours) == np.array_equal(ranker.predict(data), default)


def test_grades_are_numbered(make_data: MakeData) -> None:
    """With the gains given, only the order of the grades and their gains matter."""
    data = make_data()
    scores = LambdaMART(trees=5, gain="linear", threads=1).fit(data).predict(data)
    halves = RankingDataset(data.X, data.y / 2, qid=data.query, feature_names=data.feature_names)
    other = LambdaMART(trees=5, gain="linear", threads=1).fit(halves).predict(data)
    np.testing.assert_allclose(other, scores, rtol=1e-5)


def test_large_grades_with_exponential_gain(make_data: MakeData) -> None:
    data = make_data()
    large = RankingDataset(data.X, data.y * 20, qid=data.query)
    with pytest.raises(DataError, match=r"grade 60 with exponential gain.*gain=\"linear\""):
        LambdaMART(trees=2, threads=1).fit(large)
    assert LambdaMART(trees=2, threads=1, gain="linear").fit(large).trees_ == 2


def test_a_grade_without_a_gain(make_data: MakeData) -> None:
    with pytest.raises(DataError, match="the gain tuple has no entry"):
        LambdaMART(trees=2, gain=(0.0, 1.0)).fit(make_data())


@pytest.mark.parametrize("sign", [1, -1])
def test_monotone_scores(make_data: MakeData, sign: int) -> None:
    data = make_data()
    names = dict.fromkeys(data.feature_names, sign)
    ranker = LambdaMART(trees=20, monotone=names, min_documents_in_leaf=2, threads=1).fit(data)
    probe = np.repeat(data.X[:1], 50, axis=0)
    probe[:, 0] = np.linspace(-3, 3, 50)
    line = RankingDataset(probe, np.zeros(50), qid=[1] * 50, feature_names=data.feature_names)
    steps = np.diff(ranker.predict(line))
    assert (sign * steps >= 0).all()


def test_threads_do_not_matter(make_data: MakeData) -> None:
    data = make_data(queries=40, documents=30)
    ranker = LambdaMART(trees=8, bagging_fraction=0.7, bagging_frequency=1, feature_fraction=0.7)
    scores = [
        clone(ranker).set_params(threads=threads).fit(data).predict(data) for threads in (1, 2, 3)
    ]
    np.testing.assert_array_equal(scores[0], scores[1])
    np.testing.assert_array_equal(scores[0], scores[2])


@pytest.mark.parametrize("measure", ["AP(rel=2)", "RR@5", "nDCG@3", "ARP"])
def test_early_stopping_on_any_measure(make_data: MakeData, measure: str) -> None:
    train, valid = make_data(queries=10), make_data(queries=40, seed=1)
    ranker = LambdaMART(
        trees=60, early_stopping=5, measure=measure, min_documents_in_leaf=2, threads=1
    )
    ranker.fit(train, valid)
    history = ranker.history_
    assert ranker.trees_ == int(np.argmax(history)) + 1
    assert len(history) == min(60, ranker.trees_ + 5)
    assert ranker.score(valid) == pytest.approx(max(history), abs=1e-6)
    keep_all = clone(ranker).set_params(early_stopping=None).fit(train, valid)
    assert (keep_all.trees_, len(keep_all.history_)) == (60, 60)
    np.testing.assert_array_equal(keep_all.history_[: len(history)], history)
    without = clone(ranker).fit(train)
    assert (without.trees_, without.history_) == (60, ())


def test_progress_is_told(make_data: MakeData) -> None:
    seen: list[tuple[int, int]] = []
    ranker = LambdaMART(
        trees=3, threads=1, progress=lambda grown, trees: seen.append((grown, trees))
    )
    ranker.fit(make_data())
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert repr(ranker) == "LambdaMART(trees=3, threads=1)"


def test_ctrl_c_keeps_the_trees_grown(make_data: MakeData, tmp_path: Path) -> None:
    def interrupt(grown: int, trees: int) -> None:
        if grown == 4:
            raise KeyboardInterrupt

    data = make_data()
    ranker = LambdaMART(trees=100, progress=interrupt, threads=1)
    with pytest.raises(KeyboardInterrupt):
        ranker.fit(data)
    assert ranker.trees_ == 4
    expected = LambdaMART(trees=4, threads=1).fit(data).predict(data)
    np.testing.assert_array_equal(ranker.predict(data), expected)
    ranker.save(tmp_path / "model")
    assert LambdaMART.load(tmp_path / "model").progress is None


def test_ctrl_c_before_the_first_tree(make_data: MakeData, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(self: lightgbm.Booster, *_: Any) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(lightgbm.Booster, "update", interrupt)
    ranker = LambdaMART()
    with pytest.raises(KeyboardInterrupt):
        ranker.fit(make_data())
    assert not hasattr(ranker, "booster_")


@pytest.mark.parametrize(
    "parameters",
    [
        {"trees": 0},
        {"trees": 1.5},
        {"trees": True},
        {"leaves": 1},
        {"learning_rate": 0},
        {"learning_rate": float("nan")},
        {"feature_fraction": 1.5},
        {"max_depth": 0},
        {"early_stopping": 0},
        {"l2": -1},
        {"l2": "much"},
        {"seed": -1},
        {"gain": ()},
        {"gain": (0, -1)},
        {"gain": "quadratic"},
        {"objective": "lambdamart"},
        {"objective": "rank_xendcg", "gain": "linear"},
        {"monotone": {"macth": 1}},
        {"monotone": {"match": 2}},
        {"measure": "nDGC"},
        {"deterministic": "yes"},
    ],
)
def test_wrong_parameters(make_data: MakeData, parameters: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"expected|Known|only|True or False"):
        LambdaMART().set_params(**parameters).fit(make_data())


def test_lists_beyond_lightgbm_s_limit() -> None:
    rows = 10_001
    data = RankingDataset(np.zeros((rows, 1)), np.zeros(rows), qid=np.zeros(rows, dtype=int))
    with pytest.raises(DataError, match="a query with 10001 rows"):
        LambdaMART(trees=1).fit(data)


def test_importance(make_data: MakeData) -> None:
    ranker = LambdaMART(trees=10, threads=1).fit(make_data())
    splits = ranker.importance("split")
    assert sum(splits.values()) == ranker.booster_.feature_importance("split").sum()
    assert list(splits.values()) == sorted(splits.values(), reverse=True)
    assert next(iter(ranker.importance())) == "match"
    with pytest.raises(UnknownNameError, match="gain, split"):
        ranker.importance("shap")  # type: ignore[arg-type]


def test_a_model_that_lightgbm_cannot_read(make_data: MakeData, tmp_path: Path) -> None:
    """A sealed folder whose model text is nonsense."""
    from plackett.rankers.saving import SavedRanker, write_folder

    saved = SavedRanker(
        "LambdaMART", {}, ("a",), "nan", {"trees": 1, "history": []}, {"model.txt": b"tree\n"}
    )
    write_folder(tmp_path / "model", saved)
    with pytest.raises(DataError, match="LightGBM"):
        LambdaMART.load(tmp_path / "model")


# Objectives of plackett's own


@pytest.mark.parametrize("threads", [1, 3])
def test_fast_lambdarank_grows_lightgbm_s_trees(make_data: MakeData, threads: int) -> None:
    """The gradients differ by LightGBM's table of the logistic, so the scores by as little."""
    data = make_data(queries=60)
    ours = LambdaMART(objective="fast_lambdarank", trees=10, threads=threads).fit(data)
    theirs = LambdaMART(trees=10, threads=1).fit(data)
    np.testing.assert_allclose(ours.predict(data), theirs.predict(data), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    "option", [{"truncation": 2}, {"normalise": False}, {"sigmoid": 3.0}, {"gain": "linear"}]
)
@pytest.mark.parametrize("objective", ["lambdarank", "fast_lambdarank"])
def test_every_option_of_lambdarank_counts(
    make_data: MakeData, objective: Any, option: dict[str, Any]
) -> None:
    data = make_data()
    plain = LambdaMART(objective=objective, trees=5, min_documents_in_leaf=3, threads=1)
    changed = clone(plain).set_params(**option).fit(data).predict(data)
    assert not np.array_equal(changed, plain.fit(data).predict(data))


@pytest.mark.parametrize("chosen", [{"objective": "fast_lambdarank"}, {"loss": "RankNet()"}])
def test_own_objectives_give_the_same_model_with_any_number_of_threads(
    make_data: MakeData, chosen: dict[str, Any]
) -> None:
    train, valid = make_data(), make_data(seed=1)
    common = {"trees": 12, "early_stopping": 3, **chosen}
    one, again, three = (
        LambdaMART(threads=threads, **common).fit(train, valid) for threads in (1, 1, 3)
    )
    trees = [r.booster_.model_to_string().partition("parameters:")[0] for r in (one, again, three)]
    assert trees[0] == trees[1] == trees[2]
    assert one.trees_ == int(np.argmax(one.history_)) + 1


def test_own_objectives_take_lists_of_any_length() -> None:
    rows = 10_001
    X = np.arange(rows, dtype=np.float32)[:, None]
    data = RankingDataset(X, X[:, 0] > rows - 50, qid=np.zeros(rows, dtype=int))
    ranker = LambdaMART(objective="fast_lambdarank", trees=3, threads=1).fit(data)
    assert ranker.score(data) > 0.9


def test_bagging_with_own_objectives(make_data: MakeData) -> None:
    data = make_data()
    bagged = {"bagging_fraction": 0.5, "bagging_frequency": 1}
    plain = LambdaMART(objective="fast_lambdarank", trees=5, min_documents_in_leaf=3, threads=1)
    changed = clone(plain).set_params(**bagged).fit(data).predict(data)
    assert not np.array_equal(changed, plain.fit(data).predict(data))
    theirs = LambdaMART(trees=5, min_documents_in_leaf=3, threads=1, **bagged).fit(data)
    # Splits of equal merit may fall either way, so only the gist is the same.
    assert np.corrcoef(changed, theirs.predict(data))[0, 1] > 0.98


@pytest.mark.parametrize("option", [{"bagging_fraction": 0.5}, {"bagging_frequency": 1}])
def test_half_of_bagging_is_an_error(make_data: MakeData, option: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="one alone does nothing"):
        LambdaMART(**option).fit(make_data())


def test_training_from_a_memory_mapped_folder(make_data: MakeData, tmp_path: Path) -> None:
    data = make_data()
    mapped = data.to_memmap(tmp_path / "data")
    for objective in ("lambdarank", "fast_lambdarank"):
        ranker = LambdaMART(objective=objective, trees=3, threads=1)  # type: ignore[arg-type]
        expected = clone(ranker).fit(data).predict(data)
        np.testing.assert_array_equal(ranker.fit(mapped).predict(mapped), expected)


# The research collections


def figures(fold: LetorFold, scores: np.ndarray) -> tuple[float, float, float]:
    """Mean nDCG@10 where a query without a relevant document counts 0, counts 1, or is left out."""
    test = fold.test
    values = EXPONENTIAL.of_scores(scores, test.y, test.offsets, order=test.order)
    relevant = np.bincount(test.query, weights=test.y > 0) > 0
    return values.mean(), np.where(relevant, values, 1.0).mean(), values[relevant].mean()


@pytest.mark.shared_data
def test_mq2008_equals_lightgbm(shared_data: Path) -> None:
    """300 trees, 31 leaves, rate 0.05, early stopping after 50: the five folds' known figures."""
    rows = []
    for fold in letor_folds(shared_data / "mq2008"):
        ranker = LambdaMART(measure=EXPONENTIAL, threads=1).fit(fold.train, fold.valid)
        alone = lightgbm_alone(fold.train, fold.valid, 300)
        assert ranker.trees_ == alone.best_iteration
        scores = ranker.predict(fold.test)
        np.testing.assert_array_equal(scores, alone.predict(fold.test.X).astype(np.float32))
        rows.append(figures(fold, scores))
    np.testing.assert_allclose(np.mean(rows, axis=0), [0.500, 0.781, 0.695], atol=5e-4)


@pytest.mark.shared_data
def test_lightgbm_s_example(shared_data: Path, tmp_path: Path) -> None:
    """LightGBM's own data and its own parameters; its file has lines of sparse features."""
    folder = shared_data / "lightgbm_lambdarank"
    train, test = (_example(folder, part, tmp_path) for part in ("train", "test"))
    ranker = LambdaMART(
        trees=100,
        learning_rate=0.1,
        bagging_fraction=0.9,
        bagging_frequency=1,
        min_documents_in_leaf=50,
        min_hessian_in_leaf=5.0,
        threads=1,
    ).fit(train)
    alone = lightgbm_alone(
        train,
        None,
        100,
        learning_rate=0.1,
        bagging_fraction=0.9,
        bagging_freq=1,
        min_data_in_leaf=50,
        min_sum_hessian_in_leaf=5.0,
    )
    np.testing.assert_array_equal(ranker.predict(test), alone.predict(test.X).astype(np.float32))
    untrained = parse_measure("nDCG@10").of_scores(np.zeros(len(test)), test.y, test.offsets).mean()
    assert ranker.score(test) > untrained + 0.1


def _example(folder: Path, part: str, scratch: Path) -> RankingDataset:
    """The example's lines lack query ids, which a second file counts."""
    sizes = np.loadtxt(folder / f"rank.{part}.query", dtype=int)
    queries = np.repeat(np.arange(len(sizes)), sizes)
    path = scratch / f"{part}.txt"
    with gzip.open(folder / f"rank.{part}.gz", "rt") as lines, path.open("w") as out:
        for query, line in zip(queries, lines, strict=True):
            label, _, features = line.partition(" ")
            out.write(f"{label} qid:{query} {features}")
        # Both parts get the same width.
        out.write("0 qid:last 301:0\n")
    return RankingDataset.read(path, format="svmlight").take_rows(slice(0, len(queries)))
