"""Rows of one run found in another."""

from hypothesis import given
from hypothesis import strategies as st

from plackett.data.run import Run
from plackett.data.run_lookup import rows_in

lists = st.dictionaries(
    st.sampled_from("pqr"), st.dictionaries(st.sampled_from("abcde"), st.integers(0, 9))
)


@given(lists, lists)
def test_against_the_definition(one: dict[str, dict[str, float]], two: dict[str, dict[str, float]]):
    known, run = Run.from_dict(one), Run.from_dict(two)
    row = 0
    place = {}
    for query in known.query_names:
        for document, _ in known[query]:
            place[query, document] = row
            row += 1
    expected = [place.get((q, d), -1) for q in run.query_names for d, _ in run[q]]
    assert rows_in(known, run).tolist() == expected


def test_codes_of_ids_that_the_run_does_not_hold() -> None:
    whole = Run.from_dict({"q": {"a": 2.0, "b": 1.0}, "r": {"b": 1.0}})
    assert rows_in(whole.head(1), whole).tolist() == [0, -1, 1]
    assert rows_in(whole.select(["r"]), whole).tolist() == [-1, -1, 0]
