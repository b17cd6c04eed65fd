"""Click logs: round trips, counts, and what they refuse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from plackett.data.clicks import ClickLog
from plackett.errors import DataError

SESSIONS = st.lists(
    st.integers(0, 4).flatmap(
        lambda n: st.fixed_dictionaries(
            {
                "session": st.text(max_size=3),
                "query": st.sampled_from(["q1", "q2"]),
                "documents": st.lists(st.sampled_from("abcdef"), min_size=n, max_size=n),
                "clicks": st.lists(st.integers(0, 1), min_size=n, max_size=n),
                "positions": st.permutations(range(1, n + 1)).map(list),
                "dwell": st.lists(st.floats(0, 1e6, width=32), min_size=n, max_size=n),
                "propensities": st.lists(st.sampled_from([1.0, 0.5, 0.25]), min_size=n, max_size=n),
            }
        )
    ),
    max_size=6,
)


@given(SESSIONS)
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_log_goes_out_and_comes_in(tmp_path: Path, sessions: list[dict[str, Any]]) -> None:
    log = ClickLog.from_sessions(sessions)
    assert log.to_arrow().to_pylist() == sessions
    for name in ("log.parquet", "log.jsonl", "log.jsonl.gz"):
        log.write(tmp_path / name)
        assert ClickLog.read(tmp_path / name).to_arrow().to_pylist() == sessions
    assert log.describe()["clicks"] == sum(sum(session["clicks"]) for session in sessions)


def test_defaults_and_description() -> None:
    log = ClickLog.from_sessions(
        [
            {"query": 5, "documents": [10, 11], "clicks": [True, False]},
            {"query": "5", "documents": ["11"], "clicks": [0]},
        ]
    )
    assert log.session_ids.to_pylist() == ["0", "1"]
    assert log.position.tolist() == [1, 2, 1]
    assert (log.dwell, log.propensity) == (None, None)
    assert log.describe() == {
        "sessions": 2,
        "queries": 1,
        "documents": 2,
        "impressions": 3,
        "clicks": 1,
        "sessions without a click": 1,
        "click-through rate by position": {1: 0.5, 2: 0.0},
    }
    assert repr(log) == "ClickLog(2 sessions, 3 impressions, 1 clicks)"
    with pytest.raises(ValueError, match="read-only"):
        log.click[0] = False


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"query": None}, "no 'query' in session 1"),
        ({"query": 1.5}, "query 1.5 in session 1"),
        ({"clicks": "01"}, "clicks '01' in session 1; expected a list"),
        ({"clicks": [0, 2]}, "click 2 in session 1; expected 0 or 1"),
        ({"clicks": [0, "1"]}, "click '1' in session 1"),
        ({"clicks": [0, float("nan")]}, "click nan in session 1"),
        ({"documents": ["a", None]}, "document None in session 1"),
        ({"positions": [1]}, "1 positions for 2 documents in session 1"),
        ({"positions": [0, 1]}, "position 0 in session 1; expected a whole number from 1"),
        ({"positions": [1.5, 1]}, "position 1.5 in session 1"),
        ({"positions": [2, 2]}, "position 2 twice in session 1"),
        ({"dwell": [1, -1]}, "dwell -1 in session 1"),
        ({"dwell": [1, float("inf")]}, "dwell inf in session 1"),
        ({"propensities": [0, 1]}, "propensity 0 in session 1"),
        ({"propensities": [2, 1]}, "propensity 2 in session 1; expected a probability"),
        ({"propensity": [1, 1]}, "key 'propensity' in session 1; expected keys clicks, documents"),
    ],
)
def test_what_is_wrong_is_said(changes: dict[str, Any], message: str) -> None:
    right = {"query": "q", "documents": ["a", "b"], "clicks": [0, 1]}
    extra = {key: [1, 2] if key == "positions" else [1, 1] for key in changes.keys() - right.keys()}
    extra.pop("propensity", None)
    with pytest.raises(DataError, match=message):
        ClickLog.from_sessions([{**right, **extra}, {**right, **changes}])


def test_an_optional_list_is_in_all_sessions_or_in_none() -> None:
    right = {"query": "q", "documents": ["a"], "clicks": [0]}
    with pytest.raises(DataError, match="no 'dwell' in session 0"):
        ClickLog.from_sessions([right, {**right, "dwell": [1.0]}])


def test_files_say_where(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('\n{"query": 1, "documents": [1], "clicks": [3]}\n')
    with pytest.raises(DataError, match=r"log\.jsonl:2: found click 3; expected 0 or 1"):
        ClickLog.read(path)
    assert len(ClickLog.from_sessions([])) == 0
    assert np.array_equal(ClickLog.from_sessions([]).offsets, [0])
