"""Students learn their teachers' orders."""

from pathlib import Path

import numpy as np
import pytest

from plackett.data.dataset import RankingDataset
from plackett.rankers import Distilled, LambdaMART, LinearRanker, OrderMDS, Ranker, load_ranker
from plackett.rankers.distillation import distil, taught_by


def data(seed: int) -> RankingDataset:
    random = np.random.default_rng(seed)
    X = random.standard_normal((600, 3)).astype(np.float32)
    y = np.clip(np.round(X[:, 0] - X[:, 1] + 1), 0, 4)
    return RankingDataset(X, y, qid=random.permutation(np.repeat(np.arange(60), 10)))


def agreement(first: np.ndarray, second: np.ndarray, dataset: RankingDataset) -> float:
    taus = []
    for query in dataset.query_ids:
        rows = dataset.rows_of(query)
        taus.append(np.corrcoef(first[rows], second[rows])[0, 1])
    return float(np.mean(taus))


def test_grades_are_the_teachers_scores_above_each_querys_lowest() -> None:
    train = data(0)
    teacher = LambdaMART(trees=10, threads=1).fit(train)
    scores = teacher.predict(train)
    taught = taught_by(teacher, train)
    for query in train.query_ids:
        rows = train.rows_of(query)
        np.testing.assert_allclose(taught.y[rows], scores[rows] - scores[rows].min(), atol=1e-6)
    assert taught.X is train.X


@pytest.mark.parametrize("loss", ["ListNet", "SquaredError"])
def test_a_network_learns_a_forest(loss: str) -> None:
    pytest.importorskip("torch")
    from plackett.rankers.neural import MLP

    train, test = data(0), data(1)
    teacher = LambdaMART(trees=40, threads=1).fit(train)
    student = MLP(hidden=(32,), loss=loss, epochs=60, learning_rate=0.01, dropout=0.0)
    student = distil(teacher, student, train)
    assert agreement(student.predict(test), teacher.predict(test), test) > 0.9


def test_a_forest_learns_a_network() -> None:
    pytest.importorskip("torch")
    from plackett.rankers.neural import MLP

    train, test = data(0), data(1)
    teacher = MLP(hidden=(16,), loss="ListNet", epochs=30, learning_rate=0.02).fit(train)
    student = distil(teacher, LambdaMART(loss="SquaredError", trees=100, threads=1), train)
    assert agreement(student.predict(test), teacher.predict(test), test) > 0.9


@pytest.mark.parametrize(
    "student",
    [
        LambdaMART(loss="SquaredError", trees=20, threads=1),
        LinearRanker(method="pairwise_logistic"),
        OrderMDS(neighbours=20),
    ],
    ids=lambda student: type(student).__name__,
)
def test_any_ranker_can_be_the_student(student: Ranker, tmp_path: Path) -> None:
    train, test = data(0), data(1)
    ranker = Distilled(teacher=LambdaMART(trees=20, threads=1), student=student).fit(train)
    teacher = LambdaMART(trees=20, threads=1).fit(train)
    assert agreement(ranker.predict(test), teacher.predict(test), test) > 0.9
    ranker.save(tmp_path / "model")
    again = load_ranker(tmp_path / "model")
    np.testing.assert_array_equal(again.predict(test), ranker.predict(test))
    assert again.history_ == ranker.history_  # type: ignore[attr-defined]


def test_ctrl_c_keeps_what_the_student_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    train = data(0)
    student = LambdaMART(loss="SquaredError", trees=5, threads=1)
    ranker = Distilled(teacher=LambdaMART(trees=5, threads=1), student=student)
    expected = ranker.fit(train).predict(train)

    def interrupted(*arguments: object) -> None:
        distil(*arguments)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    monkeypatch.setattr("plackett.rankers.distillation.distil", interrupted)
    other = Distilled(teacher=ranker.teacher, student=student)
    with pytest.raises(KeyboardInterrupt):
        other.fit(train)
    np.testing.assert_array_equal(other.predict(train), expected)
