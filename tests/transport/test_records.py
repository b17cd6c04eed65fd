"""The record of calls: in memory, in a file, cut by a kill."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plackett.errors import DataError
from plackett.transport.records import CallLog, CallRecord, summarise

records = st.builds(
    CallRecord,
    key=st.text(),
    kind=st.sampled_from(["generate", "rerank"]),
    model=st.text(),
    input_tokens=st.integers(0, 10**6),
    output_tokens=st.integers(0, 10**6),
    seconds=st.floats(0, 1e6),
    cached=st.booleans(),
    failure=st.text(),
)


@given(st.lists(records, max_size=5))
def test_a_file_gives_back_what_was_written(tmp_path_factory, written):
    path = tmp_path_factory.mktemp("log") / "calls.jsonl"
    with CallLog(path) as log:
        for record in written:
            log.add(record)
    assert CallLog.read(path) == written == list(log.records)


def test_each_call_is_in_the_file_at_once_and_runs_are_added(tmp_path):
    path = tmp_path / "deep" / "calls.jsonl"
    first, second = (CallRecord(name, "generate", "m", 1, 2, 0.5) for name in "ab")
    with CallLog(path) as log:
        log.add(first)
        assert CallLog.read(path) == [first]
    log.add(second)  # kept in memory only
    with CallLog(path) as log:
        log.add(second)
        assert log.records == (second,)
    assert CallLog.read(path) == [first, second]


@pytest.mark.parametrize("cut", [1, 20, 100])
def test_a_line_that_a_kill_cut_is_left_out_and_removed(tmp_path, cut):
    path = tmp_path / "calls.jsonl"
    record = CallRecord("k", "generate", "m", 1, 2, 0.5)
    with CallLog(path) as log:
        log.add(record)
        log.add(record)
    content = path.read_bytes()
    path.write_bytes(content[:-cut])
    assert CallLog.read(path) == [record]
    with CallLog(path) as log:
        log.add(record)
    assert path.read_bytes() == content


@pytest.mark.parametrize("line", ["no json", "[]", "{}", '{"key": "k"}'])
def test_a_line_that_is_no_record_is_named(tmp_path, line):
    path = tmp_path / "calls.jsonl"
    good = json.dumps(vars(CallRecord("k", "generate", "m", 1, 2, 0.5)))
    path.write_text(f"{good}\n\n{line}\n")
    with pytest.raises(DataError, match=r"calls\.jsonl:3: "):
        CallLog.read(path)


def test_the_table_counts_by_model_and_kind():
    log = CallLog()
    for i in range(100):
        log.add(CallRecord(str(i), "generate", "m", 10, 1, i / 100, failure="no" if i < 5 else ""))
    log.add(CallRecord("c", "generate", "m", 10, 1, 0.0, cached=True))
    log.add(CallRecord("r", "rerank", "service", 7, 0, 2.0, cached=True))
    lines = [line.split() for line in log.summary().splitlines()]
    assert lines[1] == ["m", "generate", "100", "1", "5", "1,000", "100", "0.49", "0.94"]
    assert lines[2] == ["service", "rerank", "0", "1", "0", "0", "0", "0.00", "0.00"]
    assert len({len(line) for line in log.summary().splitlines()}) == 1
    assert log.calls == 100
    assert log.tokens == 1100
    assert len(summarise([]).splitlines()) == 1
