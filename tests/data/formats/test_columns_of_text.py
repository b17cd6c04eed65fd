"""The compiled readers against the plain ones, and both against what Python says."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from plackett.data import formats
from plackett.data.formats import svmlight, whitespace
from plackett.data.formats.decimals import parse_number
from plackett.errors import DataError

FEW = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
IDS = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp"), exclude_characters="#"),
    min_size=1,
    max_size=20,
)
NUMBERS = st.one_of(
    st.floats(allow_nan=False).map(repr),
    st.floats(allow_nan=False, width=32).map(lambda value: f"{value:.9g}"),
    st.integers(-(10**25), 10**25).map(str),
    st.decimals(allow_nan=False, allow_infinity=False, places=12).map(str),
    st.sampled_from(["-0", "+1.", ".5e-3", "16777217", "1e38", "3.4028236e38", "1e-45", "7e-46"]),
)


def assert_equal_columns(a: tuple[object, ...], b: tuple[object, ...]) -> None:
    for left, right in zip(a, b, strict=True):
        if isinstance(left, np.ndarray):
            np.testing.assert_array_equal(left, right)
            assert left.dtype == right.dtype  # type: ignore[attr-defined]
        elif hasattr(left, "equals"):
            assert left.equals(right)
        else:
            assert left == right


@given(
    st.lists(st.tuples(IDS, IDS, NUMBERS, st.sampled_from(["\n", "\r\n", " \n\n"])), max_size=30),
    st.integers(1, 4),
)
@example([("q", "d", "1.00000017881393432617187499999", "\n")], 1)
@FEW
def test_a_compiled_run_equals_a_plain_one(
    tmp_path: Path, rows: list[tuple[str, str, str, str]], threads: int
) -> None:
    path = tmp_path / "run.txt"
    path.write_bytes("".join(f"{q} Q0\t{d} 1 {s} tag{e}" for q, d, s, e in rows).encode())
    monkey = pytest.MonkeyPatch()
    with monkey.context() as patch:
        plain = formats.read_run(path)
        patch.setattr(whitespace, "COMPILED_FROM", 0)
        patch.setattr(whitespace, "_BYTES_PER_THREAD", 40)
        patch.setattr(whitespace, "_ROWS_PER_CALL", 3)
        patch.setattr("os.cpu_count", lambda: threads)
        compiled = formats.read_run(path)
    assert_equal_columns(plain, compiled)
    with np.errstate(over="ignore"):
        expected = np.array([float(s) for _, _, s, _ in rows], np.float64).astype(np.float32)
    np.testing.assert_array_equal(plain.score, expected)
    assert np.array_equal(np.signbit(plain.score), np.signbit(expected))
    assert plain.query_ids.strings(plain.query).to_pylist() == [q for q, _, _, _ in rows]


@given(st.lists(st.tuples(IDS, IDS, IDS, NUMBERS), max_size=20))
@FEW
def test_compiled_judgments_equal_plain_ones(
    tmp_path: Path, rows: list[tuple[str, str, str, str]]
) -> None:
    path = tmp_path / "a.qrels"
    path.write_text("".join(f"{q} {s} {d} {g}\n" for q, s, d, g in rows), encoding="utf-8")
    answers: list[object] = []
    for threshold in (1 << 30, 0):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(whitespace, "COMPILED_FROM", threshold)
            try:
                answers.append(formats.read_qrels(path, subtopics=True))
            except DataError as error:
                answers.append(str(error))
    if isinstance(answers[0], str):
        assert answers[0] == answers[1]
        assert any(abs(float(g)) > 3.4e38 for *_, g in rows)
    else:
        assert_equal_columns(answers[0], answers[1])  # type: ignore[arg-type]


FEATURES = st.dictionaries(
    st.integers(1, 90),
    st.floats(width=32, allow_infinity=False, allow_nan=False).map(repr),
    max_size=12,
)


@given(
    st.lists(st.tuples(st.integers(0, 4), IDS, FEATURES, IDS), max_size=25),
    st.integers(0, 26),
    st.booleans(),
)
@FEW
def test_a_compiled_dataset_equals_a_plain_one(
    tmp_path: Path, rows: list[tuple[int, str, dict[int, str], str]], nameless: int, to_file: bool
) -> None:
    path = tmp_path / "rows.svm"
    lines = []
    for number, (label, query, features, document) in enumerate(rows):
        cells = " ".join(f"{index}:{value}" for index, value in sorted(features.items()))
        comment = "# note" if number == nameless else f"#docid = {document} inc = 1"
        lines.append(f"{label} qid:{query} {cells} {comment}\n")
    path.write_text("".join(lines), encoding="utf-8")
    out = tmp_path / "X.npy" if to_file else None
    plain = formats.read_dataset(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(svmlight, "COMPILED_FROM", 0)
        patch.setattr(svmlight, "_BLOCK_BYTES", 50)
        patch.setattr(svmlight, "_PIECE_CELLS", 130)
        compiled = formats.read_dataset(path, out=out)
    assert_equal_columns(plain, compiled)
    assert isinstance(compiled.X, np.memmap) == (to_file and compiled.X.size > 0)
    assert (plain.document is None) == (nameless < len(rows) or not rows)
    for row, (label, _, features, _) in enumerate(rows):
        assert plain.y[row] == label
        for index, value in features.items():
            assert plain.X[row, index - 1] == np.float32(value)


@given(st.text("0123456789.eE+-infa_x ", max_size=12).map(str.encode))
@example(b"1_0")
@example(b"infinity")
@FEW
def test_a_number_is_what_python_takes_for_one_less_underscores_and_spaces(token: bytes) -> None:
    try:
        expected = None if b"_" in token or token != token.strip() else float(token)
    except ValueError:
        expected = None
    found = parse_number(token)
    assert found == expected or (math.isnan(found or 0) and math.isnan(expected or 0))


def test_many_ids_of_all_lengths_get_codes_in_order_of_appearance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whitespace, "COMPILED_FROM", 0)
    monkeypatch.setattr(whitespace, "_BYTES_PER_THREAD", 1 << 12)
    generator = np.random.default_rng(3)
    numbers = generator.integers(0, 20_000, 40_000).tolist()
    documents = [f"{'d' * (number % 40)}{number}" for number in numbers]
    path = tmp_path / "run.txt"
    path.write_text("".join(f"q{i // 100} Q0 {d} 1 0 t\n" for i, d in enumerate(documents)))
    run = formats.read_run(path)
    assert list(run.document_ids) == list(dict.fromkeys(documents))
    assert run.document_ids.strings(run.document).to_pylist() == documents
    assert list(run.query_ids) == [f"q{i}" for i in range(400)]


def test_svmlight_equals_scikit_learn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sklearn.datasets import load_svmlight_file

    generator = np.random.default_rng(0)
    X = generator.normal(size=(300, 20)) * 10.0 ** generator.integers(-9, 9, size=(300, 20))
    X[generator.random(X.shape) < 0.4] = 0
    X[0, -1] = 1
    path = tmp_path / "rows.svm"
    with open(path, "w") as file:
        for row, values in enumerate(X):
            cells = " ".join(f"{i + 1}:{v:.7g}" for i, v in enumerate(values) if v)
            file.write(f"{row % 5} qid:{row // 7} {cells}\n")
    theirs, labels, queries = load_svmlight_file(str(path), query_id=True, zero_based=False)
    for threshold in (1 << 30, 0):
        monkeypatch.setattr(svmlight, "COMPILED_FROM", threshold)
        ours = formats.read_dataset(path)
        np.testing.assert_array_equal(ours.X, theirs.toarray().astype(np.float32))
        np.testing.assert_array_equal(ours.y, labels.astype(np.float32))
        np.testing.assert_array_equal(
            [int(ours.query_ids[code]) for code in ours.query], queries.astype(int)
        )


def test_svmlight_missing_values_and_wide_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "rows.svm"
    path.write_bytes(b"0 qid:1 1:nan 2:1\n1 qid:1 5000:2\n0 qid:2 2:-0\n")
    for threshold in (1 << 30, 0):
        monkeypatch.setattr(svmlight, "COMPILED_FROM", threshold)
        X = formats.read_dataset(path).X
        assert X.shape == (3, 5000)
        assert np.isnan(X[0, 0])
        assert X[1, 4999] == 2
        with pytest.raises(DataError, match=r":2: found feature number 5000; expected at most 10"):
            formats.read_dataset(path, max_features=10)


@pytest.mark.shared_data
def test_letor_files_equal_scikit_learn(shared_data: Path) -> None:
    from sklearn.datasets import load_svmlight_file

    for name in ("mq2008/S1.txt.gz", "mslr_sample/msn1.fold1.test.5k.txt.gz"):
        theirs, labels, queries = load_svmlight_file(
            str(shared_data / name), query_id=True, zero_based=False
        )
        ours = formats.read_dataset(shared_data / name)
        np.testing.assert_array_equal(ours.X, theirs.toarray().astype(np.float32))
        np.testing.assert_array_equal(ours.y, labels)
        codes = ours.query_ids.strings(ours.query).to_pylist()
        assert codes == [str(query) for query in queries.astype(int)]
