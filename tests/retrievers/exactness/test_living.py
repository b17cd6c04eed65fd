"""A living index equals the brute force over the documents that are left, whatever was done."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from plackett import Corpus
from plackett.retrievers.living import LiveBM25


def changed(live: LiveBM25, left: dict[str, Any], step: tuple[str, list[Any]]) -> LiveBM25:
    """The index after a step; `left` changes with it."""
    what, given_ones = step
    if what == "merge":
        return live.merge()
    if what == "delete":
        gone = list(dict.fromkeys(f"d{i}" for i in given_ones if f"d{i}" in left))
        for name in gone:
            del left[name]
        return live.delete(gone)
    first = 0 if what == "replace" else len(left) + 20
    added = [{"id": f"d{first + i}", **row} for i, row in enumerate(given_ones)]
    left.update({record["id"]: record for record in added})
    return live.add(Corpus.from_records(added))


@given(st.data())
@settings(max_examples=15)
def test_any_changes_give_what_brute_force_gives(exact: Any, data: st.DataObject) -> None:
    records = data.draw(exact.collections())
    rows = st.lists(exact.document, min_size=1, max_size=5)
    changes = st.one_of(
        st.tuples(st.sampled_from(["add", "replace"]), rows),
        st.tuples(st.just("delete"), st.lists(st.integers(0, 40), max_size=6)),
        st.tuples(st.just("merge"), st.just([])),
    )
    steps = data.draw(st.lists(changes, min_size=1, max_size=5))
    texts, k, inside = (data.draw(one) for one in (exact.queries, exact.ks, exact.years))
    options, threads = data.draw(st.sampled_from(exact.VARIANTS)), data.draw(st.integers(1, 3))
    left = {record["id"]: record for record in records}
    with tempfile.TemporaryDirectory() as folder:
        live = LiveBM25.build(
            Corpus.from_records(records),
            Path(folder) / "i",
            fields=exact.FIELDS,
            metadata=["year"],
            analyzer="whitespace",
            **options,
        )
        for step in steps:
            live = changed(live, left, step)
        c = exact.Plain([left[name] for name in live.document_ids])
        assert set(c.ids) == set(left)
        scores = exact.Scores(c.bm25(**options))
        queries = [c.terms(text) for text in texts]
        for way in (live, live.merge()):
            found = exact.asking(way, texts, k, inside, threads)
            assert found == c.rankings(scores, queries, k, inside)
            weighted = {f"q{i}": dict.fromkeys(q, 0.5) for i, q in enumerate(queries)}
            run = way.search_terms(weighted, k, threads=threads)
            halves = [dict.fromkeys(query, 0.5) for query in queries]
            assert [run[f"q{i}"] for i in range(len(queries))] == c.rankings(scores, halves, k)
