"""Every measure that trec_eval has, too, equals its expected outputs, per query and overall."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from plackett.data.qrels import Qrels
from plackett.data.run import Run
from plackett.errors import UnknownNameError
from plackett.metrics import Measure, evaluate, parse_measure

# Counts, relevance strings, geometric means and measures that plackett does not define.
ABSENT = (
    "num_", "runid", "relstring", "gm_", "Rprec_mult", "utility", "11pt_avg", "binG", "G",
    "ndcg_rel", "Rndcg", "relative_P", "set_relative_P", "unj_", "ndcg_1=",  "rbp",
)  # fmt: skip


def our_measure(name: str, level: int) -> Measure | None:
    """Our measure of trec_eval's name, for documents of grade `level` or more."""
    if name == "rbp" and level == 1:  # of more grades trec_eval reads unset memory
        return parse_measure("RBP(p=0.9)")
    if name.startswith((*ABSENT, "rbp")):
        return None
    measure = parse_measure(name)
    return measure if name.startswith("ndcg") else measure(rel=level)


def six_columns(path: Path, folder: Path) -> Path:
    """A copy without what follows a line's tag: trec_eval passes over it, plackett refuses it."""
    lines = [" ".join(line.split()[:6]) for line in path.read_text().splitlines()]
    copy = folder / path.name
    copy.write_text("\n".join(lines) + "\n")
    return copy


def outputs(path: Path) -> list[tuple[str, str, float]]:
    rows = [line.split() for line in path.read_text().splitlines()]
    return [
        (row[0], row[1], float(row[2]))
        for row in rows
        if len(row) == 3 and not row[0].startswith((*ABSENT, "rbp_resid"))
    ]


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("expected", "judgments", "results", "level", "depth", "missing", "at_least"),
    [
        ("out.test", "qrels.test", "results.test", 1, None, "skip", 20),
        ("out.test", "qrels.test.with-comments", "results.test", 1, None, "skip", 20),
        ("out.comment.test", "qrels.comment.test", "results.comment.test", 1, None, "skip", 20),
        ("out.test.a", "qrels.test", "results.test", 1, None, "skip", 50),
        ("out.test.aq", "qrels.test", "results.test", 1, None, "skip", 200),
        ("out.test.aqc", "qrels.test", "results.trunc", 1, None, "zero", 200),
        ("out.test.aqcM", "qrels.test", "results.trunc", 1, 100, "zero", 200),
        ("out.test.aql", "qrels.rel_level", "results.test", 2, None, "skip", 200),
        ("out.test.meas_params", "qrels.test", "results.test", 1, None, "skip", 40),
    ],
)
def test_expected_outputs(
    shared_data: Path,
    tmp_path: Path,
    expected: str,
    judgments: str,
    results: str,
    level: int,
    depth: int | None,
    missing: str,
    at_least: int,
) -> None:
    folder = shared_data / "trec_eval"
    run = Run.read(six_columns(folder / results, tmp_path), format="trec")
    qrels = Qrels.read(folder / judgments, format="trec")
    wanted = outputs(folder / expected)
    measures = {name: our_measure(name, level) for name, _, _ in wanted}
    chosen = list(dict.fromkeys(m for m in measures.values() if m is not None))
    evaluation = evaluate(run if depth is None else run.head(depth), qrels, chosen, missing=missing)
    assert len(wanted) >= at_least
    for name, query, value in wanted:
        if measures[name] is None:
            continue
        mean = evaluation.mean if query == "all" else evaluation.per_query[query]
        assert mean[repr(measures[name])] == pytest.approx(value, abs=5.001e-5), (name, query)


def test_a_name_that_trec_eval_lacks_too() -> None:
    with pytest.raises(UnknownNameError, match="Known: "):
        parse_measure("ndgc_cat_10")


def test_a_frozen_table_of_full_precision() -> None:
    """Many ties, grades below 0, a query without a relevant document."""
    table = json.loads((Path(__file__).parent / "data" / "trec_eval_oracle.json").read_text())
    run, qrels = Run.from_dict(table["run"]), Qrels.from_dict(table["qrels"])
    for query, values in table["values"].items():
        got = evaluate(run, qrels, list(values)).per_query[query]
        for name, value in values.items():
            assert got[repr(parse_measure(name))] == pytest.approx(value, abs=1e-6), (query, name)
