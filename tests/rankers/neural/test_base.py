"""Neural rankers as estimators: saving, loading, explaining, exporting."""

from pathlib import Path

import numpy as np
import pytest

from plackett.data.dataset import RankingDataset
from plackett.errors import ConfigurationError, CorruptFileError, DataError, NotFittedError
from plackett.rankers.base import load_ranker
from plackett.rankers.registry import get, parse

torch = pytest.importorskip("torch")

from plackett.losses import ListNet  # noqa: E402
from plackett.rankers.neural import MLP, SelfAttention  # noqa: E402

SMALL = {"hidden": (8,), "loss": "ListNet", "epochs": 3, "learning_rate": 0.02}
ATTENTION = SelfAttention(**SMALL, heads=2, feed_forward=8)


@pytest.mark.parametrize("ranker", [MLP(**SMALL), ATTENTION], ids=lambda r: type(r).__name__)
@pytest.mark.parametrize("transform", ["standard", "quantile", "query"])
def test_a_loaded_ranker_predicts_the_same_bytes(
    ranker: MLP, transform: str, train: RankingDataset, valid: RankingDataset, tmp_path: Path
) -> None:
    fitted = type(ranker)(**{**ranker.get_params(), "transform": transform}).fit(train, valid)
    fitted.save(tmp_path)
    loaded = load_ranker(tmp_path)
    assert type(loaded) is type(fitted)
    assert loaded.predict(valid).tobytes() == fitted.predict(valid).tobytes()
    assert loaded.get_params() == {**fitted.get_params(), "loss": "ListNet"}
    assert loaded.history_ == fitted.history_
    assert loaded.records_ == fitted.records_


def test_what_belongs_to_a_run_is_not_saved(train: RankingDataset, tmp_path: Path) -> None:
    state = tmp_path / "state"
    MLP(**SMALL, checkpoint=state, log=tmp_path / "log").fit(train).save(tmp_path / "model")
    assert str(tmp_path) not in (tmp_path / "model" / "manifest.json").read_text()
    assert load_ranker(tmp_path / "model").checkpoint is None


def test_an_altered_model_is_refused(train: RankingDataset, tmp_path: Path) -> None:
    MLP(**SMALL).fit(train).save(tmp_path)
    path = next(tmp_path.glob("network-*"))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CorruptFileError):
        load_ranker(tmp_path)


def test_weights_of_another_network_are_refused(train: RankingDataset) -> None:
    learned, files = MLP(**SMALL).fit(train)._save_model()
    with pytest.raises(CorruptFileError, match="do not fit"):
        MLP(**{**SMALL, "hidden": (9,)})._load_model(learned, files, Path("m"))
    with pytest.raises(CorruptFileError, match=r"found no inputs\.safetensors"):
        MLP(**SMALL)._load_model(learned, {}, Path("m"))


def test_a_loss_is_a_value_or_its_text(train: RankingDataset) -> None:
    by_value = MLP(**{**SMALL, "loss": ListNet()}).fit(train).predict(train)
    by_text = MLP(**SMALL).fit(train).predict(train)
    assert by_value.tobytes() == by_text.tobytes()
    assert repr(MLP(loss=ListNet(temperature=2.0))) == "MLP(loss='ListNet(temperature=2.0)')"
    assert parse("MLP(loss='ListNet(temperature=2.0)')").loss == "ListNet(temperature=2.0)"
    assert get("SelfAttention") is SelfAttention


def test_scikit_learn_can_search(train: RankingDataset) -> None:
    selection = pytest.importorskip("sklearn.model_selection")
    search = selection.GridSearchCV(
        MLP(**SMALL), {"hidden": [(4,), (8,)]}, cv=selection.GroupKFold(2)
    )
    search.fit(train, groups=train.groups)
    assert search.best_params_["hidden"] in ((4,), (8,))


def test_before_fitting_nothing_works(train: RankingDataset) -> None:
    with pytest.raises(NotFittedError):
        MLP().predict(train)


def test_another_schema_is_refused(train: RankingDataset) -> None:
    ranker = MLP(**SMALL).fit(train)
    fewer = RankingDataset(train.X[:, :3], train.y, qid=train.query)
    with pytest.raises(DataError, match="without feature '4'"):
        ranker.predict(fewer)


@pytest.mark.parametrize("ranker", [MLP(**SMALL), ATTENTION], ids=lambda r: type(r).__name__)
def test_contributions_sum_to_the_score(ranker: MLP, train: RankingDataset) -> None:
    X = train.X.copy()
    X[::5, 1] = np.nan
    X[:, 2] = np.round(X[:, 2])
    data = RankingDataset(X, train.y, qid=train.query)
    options = {**ranker.get_params(), "categorical": ("3",), "missing_indicators": True}
    fitted = type(ranker)(**options).fit(data)
    found = fitted.contributions(data)
    np.testing.assert_allclose(
        found.base + found.values.sum(axis=1), fitted.predict(data), atol=1e-5
    )
    assert set(fitted.importance()) == set(data.feature_names)


def test_integrated_gradients_of_a_linear_network_are_weight_times_value(
    train: RankingDataset,
) -> None:
    fitted = MLP(**{**SMALL, "hidden": ()}).fit(train)
    weight = fitted.network_.last.weight.detach().numpy()[0]
    inputs = fitted.inputs_.apply(train.X, np.diff(train.offsets))
    found = fitted.contributions(train)
    np.testing.assert_allclose(found.values, inputs * weight, atol=1e-5)
    assert fitted.explain(train, train.query_ids[0]).effects


def test_exported_networks_score_raw_features_alike(train: RankingDataset, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    onnxruntime = pytest.importorskip("onnxruntime")
    from plackett.rankers.neural.export import export_onnx

    fitted = MLP(**SMALL, transform="quantile").fit(train)
    assert export_onnx(fitted, tmp_path / "m.onnx", train) < 1e-5
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    rows = train.rows_of(train.query_ids[1])
    (found,) = session.run(["scores"], {"features": train.X[rows]})
    np.testing.assert_allclose(found, fitted.predict(train)[rows], atol=1e-5)


def test_what_cannot_be_exported_says_so(train: RankingDataset, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    from plackett.rankers.neural.export import export_onnx

    class Decoder(MLP):
        def _list_scores(self, network: object, batch: object) -> object:
            return super()._list_scores(network, batch)  # type: ignore[arg-type]

    fitted = Decoder(**SMALL).fit(train)
    with pytest.raises(ConfigurationError, match="order step by step"):
        export_onnx(fitted, tmp_path / "m.onnx", train)
