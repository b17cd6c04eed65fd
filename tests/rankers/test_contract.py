"""What every ranker must do: one battery for all of them."""

from __future__ import annotations

import copy
import hashlib
import json
import pickle
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score

from plackett import rankers
from plackett.data.dataset import RankingDataset
from plackett.errors import (
    ConfigurationError,
    CorruptFileError,
    DataError,
    NotFittedError,
    UnknownNameError,
)
from plackett.metrics.base import parse_measure
from plackett.rankers import LambdaMART, LinearRanker, Ranker, load_ranker
from plackett.rankers.catboost_ranker import CatBoostRanker
from plackett.rankers.distillation import Distilled
from plackett.rankers.neural import (
    MLP,
    BayesianMLP,
    DeepQRank,
    GrowNet,
    PGRank,
    PointerRanker,
    ProfitAwareRanker,
    RankPreserving,
    SelfAttention,
    SetRanker,
    TSPRank,
)
from plackett.rankers.neural.base import NeuralRanker
from plackett.rankers.ordinal_metric import OrderMDS
from plackett.rankers.xgboost_ranker import XGBoostRanker

MakeData = Callable[..., RankingDataset]

NEURAL: dict[str, Any] = {"epochs": 8, "batch_lists": 4, "learning_rate": 0.03}
MEMBERS = {
    "LambdaMART": LambdaMART(trees=8, min_documents_in_leaf=3, threads=1, gain="linear"),
    "LambdaMART xendcg": LambdaMART(
        trees=8, min_documents_in_leaf=3, threads=1, objective="rank_xendcg"
    ),
    "LambdaMART fast": LambdaMART(
        trees=8, min_documents_in_leaf=3, threads=1, objective="fast_lambdarank", gain="linear"
    ),
    "LambdaMART RankNet": LambdaMART(trees=8, min_documents_in_leaf=3, threads=1, loss="RankNet()"),
    "XGBoostRanker": XGBoostRanker(trees=8, min_hessian_in_leaf=0.1, threads=1, gain="linear"),
    "XGBoostRanker exponential": XGBoostRanker(trees=8, min_hessian_in_leaf=0.1, threads=1),
    "XGBoostRanker RankNet": XGBoostRanker(
        trees=8, min_hessian_in_leaf=0, l2=0.001, threads=1, loss="RankNet()"
    ),
    "CatBoostRanker": CatBoostRanker(trees=15, max_depth=4, learning_rate=0.2, threads=1),
    "CatBoostRanker StochasticRank": CatBoostRanker(
        objective="StochasticRank", trees=15, max_depth=4, learning_rate=0.2, threads=1
    ),
    "CatBoostRanker RankNet": CatBoostRanker(
        loss="RankNet()", trees=15, max_depth=4, learning_rate=0.2, threads=1
    ),
    "MLP": MLP(hidden=(8,), loss="ListNet", **NEURAL),
    "BayesianMLP": BayesianMLP(hidden=(8,), loss="ListNet", **NEURAL),
    "PGRank": PGRank(hidden=(8,), **NEURAL),
    "SelfAttention": SelfAttention(hidden=(8,), blocks=1, feed_forward=8, loss="ListNet", **NEURAL),
    "SetRanker": SetRanker(hidden=(8,), blocks=1, feed_forward=8, loss="ListNet", **NEURAL),
    "PointerRanker": PointerRanker(hidden=(8,), process_steps=1, **NEURAL),
    "TSPRank": TSPRank(hidden=(8,), **NEURAL),
    "DeepQRank": DeepQRank(**NEURAL),
    "GrowNet": GrowNet(stages=4, hidden=8, batch_lists=4, learning_rate=0.03),
    "ProfitAwareRanker": ProfitAwareRanker(
        width=8,
        feature_blocks=1,
        feature_heads=1,
        list_blocks=1,
        list_heads=1,
        loss="PABCE(top=12)",
        **NEURAL | {"learning_rate": 0.005},
    ),
    "Distilled": Distilled(
        teacher=LinearRanker(method="pairwise_logistic"),
        student=MLP(hidden=(8,), loss="ListNet", **NEURAL),
    ),
    "RankPreserving": RankPreserving(
        ranker=MLP(hidden=(8,), loss="ListNet", **NEURAL), fine_tune_epochs=2
    ),
    "OrderMDS": OrderMDS(),
    "LinearRanker": LinearRanker(restarts=2, passes=3),
    "LinearRanker pairwise": LinearRanker(method="pairwise_logistic"),
    "LinearRanker zscore": LinearRanker(method="pairwise_logistic", normalisation="zscore"),
}
# They give positions, or values that depend on what was placed before: no sum over features.
WITHOUT_CONTRIBUTIONS = {"PointerRanker", "TSPRank", "DeepQRank"}
# Grades as gains 2^grade are part of what rank_xendcg is.
INTEGER_GRADES_ONLY = {"LambdaMART xendcg", "XGBoostRanker exponential"}


@pytest.fixture(params=MEMBERS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def ranker(name: str) -> Ranker:
    return clone(MEMBERS[name])


def assert_refuses_parts(name: str, ranker: Ranker, data: RankingDataset) -> bool:
    """Whether this ranker has no contributions; it then says what to use instead."""
    if name not in WITHOUT_CONTRIBUTIONS:
        return False
    with pytest.raises(ConfigurationError, match="feature_ablation"):
        ranker.contributions(data)
    return True


def with_X(data: RankingDataset, X: np.ndarray) -> RankingDataset:
    return RankingDataset(
        X,
        data.y,
        qid=data.query_ids.strings(data.query).to_pylist(),
        feature_names=data.feature_names,
        missing=data.missing,
    )


def with_y(data: RankingDataset, y: np.ndarray) -> RankingDataset:
    return RankingDataset(
        data.X,
        y,
        qid=data.query_ids.strings(data.query).to_pylist(),
        feature_names=data.feature_names,
    )


def test_every_registered_ranker_is_in_the_battery() -> None:
    assert {type(member).__name__ for member in MEMBERS.values()} == set(rankers.names())


def test_learns(ranker: Ranker, make_data: MakeData) -> None:
    train, valid, test = make_data(seed=0), make_data(seed=1), make_data(seed=2)
    assert ranker.fit(train, valid) is ranker
    chance = parse_measure("nDCG@10").of_scores(test.X[:, 2], test.y, test.offsets).mean()
    assert ranker.score(test) > chance + 0.2
    if isinstance(ranker, NeuralRanker | Distilled | RankPreserving):
        # First-layer weights are a rough view: those of a small network keep much of their start.
        assert set(ranker.importance()) == set(train.feature_names)
    else:
        assert set(list(ranker.importance())[:2]) == {"match", "age"}


def test_predictions_are_float32_in_row_order(ranker: Ranker, make_data: MakeData) -> None:
    data = make_data()
    scores = ranker.fit(data).predict(data)
    assert scores.dtype == np.float32
    assert scores.shape == (len(data),)
    shuffled = np.random.default_rng(5).permutation(len(data))
    np.testing.assert_allclose(
        ranker.predict(data.take_rows(shuffled)), scores[shuffled], rtol=1e-6, atol=1e-6
    )


def test_order_of_the_queries_does_not_matter(ranker: Ranker, make_data: MakeData) -> None:
    data = make_data()
    codes = np.random.default_rng(6).permutation(data.n_queries)
    moved = data.select_queries(codes)
    scores = ranker.fit(data).predict(data)
    other = clone(ranker).fit(moved).predict(data)
    if isinstance(ranker, LambdaMART) and ranker.objective == "rank_xendcg":
        # It draws random numbers for the queries in their order, so only the gist is the same.
        assert np.corrcoef(other, scores)[0, 1] > 0.9
    else:
        np.testing.assert_allclose(other, scores, rtol=1e-3, atol=1e-3)


def test_unsorted_and_string_query_ids(ranker: Ranker, make_data: MakeData) -> None:
    """Interleaved queries are the same lists as grouped ones, whatever their ids."""
    data = make_data(queries=10)
    interleaved = np.argsort(np.tile(np.arange(12), 10), kind="stable")
    mixed = RankingDataset(
        data.X[interleaved],
        data.y[interleaved],
        qid=np.array([f"query {code}" for code in data.query[interleaved]]),
        feature_names=data.feature_names,
    )
    assert mixed.order is not None
    scores = ranker.fit(data).predict(data)
    other = clone(ranker).fit(mixed).predict(mixed)
    np.testing.assert_allclose(other, scores[interleaved], rtol=1e-5, atol=1e-5)
    assert ranker.score(mixed) == pytest.approx(ranker.score(data), abs=1e-6)


def test_rank_gives_a_run(ranker: Ranker, make_data: MakeData) -> None:
    data = make_data(queries=5)
    scores = ranker.fit(data).predict(data)
    run = ranker.rank(data)
    assert len(run) == 5
    expected = max(zip(scores[:12], (f"d{i}" for i in range(12)), strict=True))[1]
    assert next(iter(run.to_dict()["q0"])) == expected


def test_lists_of_one_document(ranker: Ranker) -> None:
    X = np.arange(8, dtype=np.float32).reshape(4, 2)
    data = RankingDataset(X, [1, 0, 2, 0], qid=[1, 2, 3, 4])
    assert np.isfinite(ranker.fit(data).predict(data)).all()


@pytest.mark.parametrize("grade", [0.0, 1.0])
def test_equal_grades_teach_nothing(ranker: Ranker, make_data: MakeData, grade: float) -> None:
    data = make_data(queries=4)
    scores = ranker.fit(with_y(data, np.full(len(data), grade))).predict(data)
    assert np.isfinite(scores).all()
    if not (
        # A network keeps its random start.
        isinstance(ranker, NeuralRanker | Distilled | RankPreserving)
        # rank_xendcg compares grades with random draws, so it always has a gradient.
        or (isinstance(ranker, LambdaMART) and ranker.objective == "rank_xendcg")
    ):
        assert np.ptp(scores) < 1e-12  # StochasticRank rounds


def test_queries_without_a_relevant_document(ranker: Ranker, make_data: MakeData) -> None:
    data = make_data()
    y = data.y.copy()
    y[: len(y) // 3] = 0
    assert ranker.fit(with_y(data, y)).score(make_data(seed=2)) > 0.5


def test_a_single_query(ranker: Ranker, make_data: MakeData) -> None:
    data = make_data(queries=1, documents=60)
    if isinstance(ranker, NeuralRanker) and not isinstance(ranker, GrowNet):
        ranker.set_params(epochs=40)  # an epoch is one step
    assert ranker.fit(data).score(data) > 0.5


def test_constant_features_have_no_say(name: str, ranker: Ranker, make_data: MakeData) -> None:
    data = make_data()
    X = data.X.copy()
    X[:, 3] = 7
    ranker.fit(with_X(data, X))
    assert ranker.score(with_X(data, X)) > 0.6
    if assert_refuses_parts(name, ranker, data):
        return
    parts = ranker.contributions(with_X(data, X)).values
    assert np.all(parts[:, 3] == 0)


def test_missing_values(ranker: Ranker, make_data: MakeData) -> None:
    data = make_data()
    X = data.X.copy()
    X[np.random.default_rng(0).random(X.shape) < 0.2] = np.nan
    X[:12, 2] = np.nan  # for one query always missing
    X[:, 3] = np.nan  # for all
    holed = with_X(data, X)
    scores = ranker.fit(holed).predict(holed)
    assert np.isfinite(scores).all()
    assert ranker.score(holed) > 0.5


def test_missing_values_against_the_policy(ranker: Ranker, make_data: MakeData) -> None:
    ranker.fit(make_data(missing="zero"))
    data = make_data()
    assert np.isfinite(ranker.predict(data)).all()
    X = data.X.copy()
    X[3, 1] = np.nan
    with pytest.raises(DataError, match=r"NaN for feature 'age' in row 3"):
        ranker.predict(with_X(data, X))


def test_extreme_values(ranker: Ranker, make_data: MakeData) -> None:
    data = make_data()
    X = data.X.copy()
    largest = np.finfo(np.float32).max
    X[0, 2], X[1, 2], X[2, 3] = largest, -largest, 1e-45
    X[:, 1] *= 1e30
    extreme = with_X(data, X)
    assert np.isfinite(ranker.fit(extreme).predict(extreme)).all()
    assert ranker.score(extreme) > 0.4


def test_grades_that_are_fractions(name: str, ranker: Ranker, make_data: MakeData) -> None:
    data = make_data()
    fractions = with_y(data, data.y / 3 + 0.05)
    if name in INTEGER_GRADES_ONLY:
        with pytest.raises(DataError, match="grade"):
            ranker.fit(fractions)
        return
    assert ranker.fit(fractions).score(data) > 0.6


def test_huge_grades(name: str, ranker: Ranker, make_data: MakeData) -> None:
    data = make_data()
    huge = with_y(data, data.y * 1e6)
    if name in INTEGER_GRADES_ONLY:
        with pytest.raises(DataError, match="grade"):
            ranker.fit(huge)
        return
    assert ranker.fit(huge).score(data) > 0.6


def test_an_empty_dataset(ranker: Ranker, make_data: MakeData) -> None:
    data = make_data()
    empty = data.take_rows([])
    with pytest.raises(DataError, match="empty dataset"):
        ranker.fit(empty)
    ranker.fit(data)
    assert ranker.predict(empty).shape == (0,)
    assert ranker.contributions(empty).values.shape == (0, 4)
    with pytest.raises(DataError, match="empty dataset"):
        ranker.score(empty)
    with pytest.raises(DataError, match="empty dataset"):
        ranker.fit(data, empty)


def test_arrays_are_refused_with_the_remedy(ranker: Ranker, make_data: MakeData) -> None:
    with pytest.raises(DataError, match=r"found a ndarray.*RankingDataset\(X, y, qid=qid\)"):
        ranker.fit(np.zeros((3, 2)))  # type: ignore[arg-type]
    ranker.fit(make_data())
    with pytest.raises(DataError, match="found a ndarray"):
        ranker.predict(np.zeros((3, 4)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("match", "age", "other", "noise:two"), "without feature 'noise one' and with surplus"),
        (("age", "match", "noise one", "noise:two"), "'age' at position 0, where 'match' belongs"),
    ],
)
def test_other_features(
    ranker: Ranker, make_data: MakeData, names: tuple[str, ...], message: str
) -> None:
    data = make_data()
    other = RankingDataset(data.X, data.y, qid=data.query, feature_names=names)
    with pytest.raises(DataError, match=message):
        ranker.fit(data).predict(other)
    with pytest.raises(DataError, match=message):
        ranker.fit(data, other)


def test_missing_and_surplus_features(ranker: Ranker, make_data: MakeData) -> None:
    data = make_data()
    ranker.fit(data)
    fewer = RankingDataset(data.X[:, :2], data.y, qid=data.query, feature_names=("match", "age"))
    with pytest.raises(DataError, match="without features 'noise one', 'noise:two'"):
        ranker.predict(fewer)
    more = RankingDataset(
        np.hstack([data.X, data.X]),
        data.y,
        qid=data.query,
        feature_names=(*data.feature_names, *"abcdefg"[:4]),
    )
    with pytest.raises(DataError, match="surplus features 'a', 'b', 'c', 'd'"):
        ranker.predict(more)


def test_not_fitted(ranker: Ranker, make_data: MakeData, tmp_path: Path) -> None:
    data = make_data()
    for use in (
        lambda: ranker.predict(data),
        lambda: ranker.rank(data),
        lambda: ranker.score(data),
        lambda: ranker.explain(data, "q0"),
        lambda: ranker.contributions(data),
        ranker.importance,
        lambda: ranker.save(tmp_path / "model"),
    ):
        with pytest.raises(NotFittedError, match="call fit"):
            use()


def test_parameters(ranker: Ranker) -> None:
    parameters = ranker.get_params()
    copied = clone(ranker)
    assert copied is not ranker
    assert copied.get_params() == parameters
    assert not hasattr(copied, "feature_names_")
    assert ranker.set_params(seed=9) is ranker
    assert ranker.get_params()["seed"] == 9
    with pytest.raises(UnknownNameError, match="did you mean 'seed'"):
        ranker.set_params(sed=1)


def test_repr_parses_back(ranker: Ranker) -> None:
    ranker.set_params(measure=parse_measure("AP(rel=2)@100"))
    assert "AP(rel=2)@100" in repr(ranker)
    again = rankers.parse(repr(ranker))
    assert repr(again) == repr(ranker)
    assert again.set_params(measure=ranker.measure).get_params() == ranker.get_params()


def test_the_constructor_only_stores(name: str) -> None:
    """A wrong value is noticed by fit, which names the parameter."""
    ranker = type(MEMBERS[name])(measure="nDGC@10")
    with pytest.raises(UnknownNameError, match="nDCG"):
        ranker.fit(RankingDataset([[1.0], [2.0]], [0, 1], qid=[1, 1]))
    ranker = type(MEMBERS[name])(seed=-1)
    with pytest.raises(ConfigurationError, match="seed=-1"):
        ranker.fit(RankingDataset([[1.0], [2.0]], [0, 1], qid=[1, 1]))


def test_arguments_are_not_changed(name: str, ranker: Ranker, make_data: MakeData) -> None:
    data, valid = make_data().take_rows(np.arange(359, -1, -1)), make_data(seed=1)
    before = [copy.deepcopy((d.X, d.y, d.query)) for d in (data, valid)]
    ranker.fit(data, valid)
    ranker.predict(data)
    if not assert_refuses_parts(name, ranker, data):
        ranker.explain(data, "q0")
    for dataset, arrays in zip((data, valid), before, strict=True):
        for now, then in zip((dataset.X, dataset.y, dataset.query), arrays, strict=True):
            np.testing.assert_array_equal(now, then)


def test_same_seed_same_scores(ranker: Ranker, make_data: MakeData) -> None:
    data, valid = make_data(), make_data(seed=1)
    first = ranker.fit(data, valid).predict(data)
    np.testing.assert_array_equal(first, clone(ranker).fit(data, valid).predict(data))
    np.testing.assert_array_equal(first, ranker.fit(data, valid).predict(data))


def test_contributions_sum_to_the_score(name: str, ranker: Ranker, make_data: MakeData) -> None:
    data = make_data().take_rows(np.random.default_rng(0).permutation(360))
    ranker.fit(data)
    if assert_refuses_parts(name, ranker, data):
        return
    parts = ranker.contributions(data)
    np.testing.assert_allclose(
        parts.base + parts.values.sum(axis=1), ranker.predict(data), rtol=1e-5, atol=1e-6
    )


def test_grid_search_by_groups(ranker: Ranker, make_data: MakeData) -> None:
    data = make_data(queries=9)
    search = GridSearchCV(ranker, {"seed": [0, 1]}, cv=GroupKFold(3))
    search.fit(data, groups=data.groups)
    assert search.best_score_ > 0.5
    assert np.isfinite(search.predict(data)).all()
    scores = cross_val_score(ranker, data, groups=data.groups, cv=GroupKFold(3))
    assert scores.min() > 0.5


def test_score_takes_other_grades(ranker: Ranker, make_data: MakeData) -> None:
    data = make_data()
    ranker.fit(data)
    assert ranker.score(data, data.y) == ranker.score(data)
    assert ranker.score(data, 3 - data.y) < ranker.score(data)
    with pytest.raises(DataError, match="grades of shape"):
        ranker.score(data, [1.0])


def test_score_is_greater_for_better(ranker: Ranker, make_data: MakeData) -> None:
    data = make_data()
    ranker.set_params(measure="ARP").fit(data)
    assert ranker.score(data) < 0
    assert ranker.score(data) > ranker.score(data, 3 - data.y)


def test_a_fitted_ranker_copies_and_pickles(ranker: Ranker, make_data: MakeData) -> None:
    """Grid search on several processes sends rankers to and fro."""
    data = make_data()
    scores = ranker.fit(data).predict(data)
    for again in (copy.deepcopy(ranker), pickle.loads(pickle.dumps(ranker))):
        np.testing.assert_array_equal(again.predict(data), scores)


def test_no_warning_or_output(
    ranker: Ranker, make_data: MakeData, capfd: pytest.CaptureFixture[str]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ranker.fit(make_data(), make_data(seed=1)).predict(make_data())
    assert capfd.readouterr() == ("", "")


# Saving


@pytest.fixture
def saved(ranker: Ranker, make_data: MakeData, tmp_path: Path) -> Path:
    ranker.fit(make_data(), make_data(seed=1)).save(tmp_path / "model")
    return tmp_path / "model"


def test_save_and_load(name: str, ranker: Ranker, saved: Path, make_data: MakeData) -> None:
    data = make_data(queries=4, seed=3)
    for again in (load_ranker(saved), type(ranker).load(saved)):
        assert type(again) is type(ranker)
        assert again.get_params() == ranker.get_params()
        np.testing.assert_array_equal(again.predict(data), ranker.predict(data))
        if not assert_refuses_parts(name, again, data):
            np.testing.assert_array_equal(
                again.contributions(data).values, ranker.contributions(data).values
            )
        assert again.feature_names_ == ranker.feature_names_
        assert again.history_ == ranker.history_
        assert again.importance() == ranker.importance()
        with pytest.raises(DataError, match="without features"):
            again.predict(RankingDataset([[1.0]], [0], qid=[1]))


def test_saving_again_replaces(ranker: Ranker, saved: Path, make_data: MakeData) -> None:
    ranker.fit(make_data(seed=7)).save(saved)
    np.testing.assert_array_equal(
        load_ranker(saved).predict(make_data()), ranker.predict(make_data())
    )
    files = 1 + len(json.loads((saved / "manifest.json").read_text())["files"])
    assert len(list(saved.iterdir())) == files
    load_ranker(saved).save(saved)  # the same model in the same place
    assert len(list(saved.iterdir())) == files


def test_no_pickle_in_the_folder(saved: Path) -> None:
    text, binary = {".json", ".txt"}, {".ubj", ".cbm", ".safetensors"}
    assert {path.suffix for path in saved.iterdir()} <= text | binary
    for path in saved.iterdir():
        if path.suffix in text:
            path.read_text(encoding="utf-8")
        else:
            assert not path.read_bytes().startswith(b"\x80")


def model_file(folder: Path) -> Path:
    return next(path for path in folder.iterdir() if path.name != "manifest.json")


@pytest.mark.parametrize("keep", [0, 10, -1])
def test_a_cut_model(saved: Path, keep: int) -> None:
    path = model_file(saved)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CorruptFileError, match="checksum"):
        load_ranker(saved)


def test_an_altered_model(saved: Path) -> None:
    path = model_file(saved)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(CorruptFileError, match="checksum"):
        load_ranker(saved)


def test_a_missing_model(saved: Path) -> None:
    model_file(saved).unlink()
    with pytest.raises(CorruptFileError, match="found nothing"):
        load_ranker(saved)


def test_no_manifest(saved: Path, tmp_path: Path) -> None:
    (saved / "manifest.json").unlink()
    with pytest.raises(DataError, match="no saved ranker"):
        load_ranker(saved)
    with pytest.raises(DataError, match="no saved ranker"):
        load_ranker(tmp_path / "nowhere")


def rewrite(folder: Path, seal: bool, **changes: object) -> None:
    """Change the manifest, and its checksum too if it is to be sealed."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text()) | changes
    if seal:
        contents = {key: value for key, value in manifest.items() if key != "sha256"}
        text = json.dumps(contents, sort_keys=True)
        manifest["sha256"] = hashlib.sha256(text.encode()).hexdigest()
    path.write_text(json.dumps(manifest))


def test_an_altered_manifest(saved: Path) -> None:
    rewrite(saved, seal=False, features=["age", "match", "noise one", "noise:two"])
    with pytest.raises(CorruptFileError, match="altered"):
        load_ranker(saved)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": "other"}', "\xff"])
def test_a_manifest_that_is_none(saved: Path, text: str) -> None:
    (saved / "manifest.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(CorruptFileError, match="manifest"):
        load_ranker(saved)


def test_a_manifest_of_another_version(saved: Path) -> None:
    rewrite(saved, seal=True, format_version=99)
    with pytest.raises(CorruptFileError, match="format version 99"):
        load_ranker(saved)


def test_a_manifest_of_an_unknown_kind(saved: Path) -> None:
    rewrite(saved, seal=True, kind="Oracle")
    with pytest.raises(UnknownNameError, match="unknown ranker 'Oracle'"):
        load_ranker(saved)


@pytest.mark.parametrize("path", ["../secret.txt", "/etc/passwd", "a/b.txt", "..", "model.txt"])
def test_a_manifest_that_names_other_files(saved: Path, path: str) -> None:
    content = b"secret"
    (saved.parent / "secret.txt").write_bytes(content)
    part = next(iter(json.loads((saved / "manifest.json").read_text())["files"]))
    entry = {"name": path, "sha256": hashlib.sha256(content).hexdigest(), "bytes": 6}
    rewrite(saved, seal=True, files={part: entry})
    with pytest.raises(CorruptFileError, match="file name"):
        load_ranker(saved)


def test_a_manifest_without_the_model(saved: Path) -> None:
    rewrite(saved, seal=True, files={})
    with pytest.raises(CorruptFileError, match="expected the file"):
        load_ranker(saved)


def test_a_killed_writer_leaves_the_old_model(
    ranker: Ranker, saved: Path, make_data: MakeData, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = make_data(seed=3)
    old = ranker.predict(data)
    ranker.fit(make_data(seed=8))
    replace = Path.replace
    for survived in (0, 1):
        moves = 0

        def killed(self: Path, target: Path, survived: int = survived) -> Path:
            nonlocal moves
            moves += 1
            if moves > survived:
                raise KeyboardInterrupt
            return replace(self, target)

        monkeypatch.setattr(Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            ranker.save(saved)
        monkeypatch.setattr(Path, "replace", replace)
        np.testing.assert_array_equal(load_ranker(saved).predict(data), old)
    ranker.save(saved)
    np.testing.assert_array_equal(load_ranker(saved).predict(data), ranker.predict(data))


def test_loading_another_class(saved: Path, ranker: Ranker) -> None:
    other = LinearRanker if isinstance(ranker, LambdaMART) else LambdaMART
    with pytest.raises(DataError, match=f"expected a {other.__name__}"):
        other.load(saved)


def test_saving_over_a_file(ranker: Ranker, make_data: MakeData, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(DataError, match="found a file"):
        ranker.fit(make_data()).save(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"
