"""Ids: a bijection between distinct strings and 0, 1, 2, ..."""

import gc
import uuid

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plackett.data.ids import Ids, distinct_union, to_string_array
from plackett.errors import DataError

texts = st.text(max_size=4)


@given(st.lists(texts))
def test_encoding_is_a_bijection_in_order_of_first_appearance(values: list[str]) -> None:
    ids, codes = Ids.encode(values)
    assert list(ids) == list(dict.fromkeys(values))
    assert ids.strings(codes).to_pylist() == values
    assert codes.dtype == np.int32
    assert ids.codes(values).tolist() == codes.tolist()


@given(st.lists(texts, unique=True), st.lists(texts, unique=True))
def test_map_to_agrees_with_a_dictionary_whichever_side_is_larger(
    ours: list[str], theirs: list[str]
) -> None:
    position = {value: code for code, value in enumerate(theirs)}
    mapped = Ids(ours).map_to(Ids(theirs))
    assert mapped.tolist() == [position.get(value, -1) for value in ours]


@given(st.lists(texts, unique=True), st.lists(texts, unique=True))
def test_union_keeps_codes_and_adds_what_is_new(ours: list[str], theirs: list[str]) -> None:
    union = Ids(ours).union(Ids(theirs))
    assert list(union) == [*ours, *(value for value in theirs if value not in ours)]


@given(st.lists(st.text(), min_size=1))
def test_lexical_ranks_order_as_bytes(values: list[str]) -> None:
    ids, codes = Ids.encode(values)
    ranks = ids.lexical_ranks(codes)
    ordered = [values[i] for i in np.argsort(ranks, kind="stable")]
    assert ordered == sorted(values, key=lambda value: value.encode())


def test_map_to_is_remembered_only_while_both_live() -> None:
    ours, theirs = Ids(["a", "b"]), Ids(["b"])
    first = ours.map_to(theirs)
    assert ours.map_to(theirs) is first
    with pytest.raises(ValueError, match="read-only"):
        first[0] = 7
    assert len(ours._maps) == 1
    del theirs
    gc.collect()
    assert len(ours._maps) == 0
    assert ours.map_to(ours).tolist() == [0, 1]
    assert ours.union(ours) is ours


@pytest.mark.parametrize(
    "values",
    [
        [1, 2],
        np.array([1, 2]),
        np.array(["1", "2"]),
        np.array(["1", "2"], dtype=object),
        pa.array(["1", "2"]),
        pa.array([b"1", b"2"]),
        pa.chunked_array([["1"], ["2"]]),
        pa.array(["1", "2"]).dictionary_encode(),
        pa.array(["1", "2"], pa.large_string()),
        pd.Series([1, 2]),
        pd.Series(["1", "2"], dtype="category"),
        pl.Series(["1", "2"]),
        (str(value) for value in (1, 2)),
    ],
    ids=lambda values: type(values).__name__,
)
def test_every_usual_container_of_ids_is_read(values: object) -> None:
    assert to_string_array(values).to_pylist() == ["1", "2"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1.5], "type double"),
        (["a", None], "1 missing ids, the first at position 1"),
        (["a", 1], "mixed types"),
        ([uuid.UUID(int=1), [2]], "mixed types"),
        ([True], "type bool"),
    ],
)
def test_what_is_no_id_is_refused(values: list[object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        to_string_array(values)


def test_a_repeated_id_is_refused_with_its_place() -> None:
    with pytest.raises(DataError, match=r"id 'b' twice \(again at position 3\)"):
        Ids(["a", "b", "c", "b"])


def test_membership_repr_and_unions_of_many() -> None:
    ids = Ids(["a", "b", "c", "d"])
    assert "a" in ids
    assert "z" not in ids
    assert 1 not in ids
    assert repr(ids) == "Ids(4: 'a', 'b', 'c', ...)"
    assert ids.equals(Ids(pa.array(["a", "b", "c", "d"], pa.large_string())))
    assert not ids.equals(Ids(["a"]))
    assert list(distinct_union([Ids(["a"]), Ids(["b", "a"])])) == ["a", "b"]
    assert len(distinct_union([])) == 0
    assert Ids(pa.array(["a"], pa.large_string())).codes(["a"]).tolist() == [0]
