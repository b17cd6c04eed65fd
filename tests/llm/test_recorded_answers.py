"""All recorded answers of RankVicuna are read, and say what a plain reading says."""

import gzip
import json
import re
from collections import Counter
from pathlib import Path

import pytest

from plackett.llm.parsing.parser import Form, parse_answer

pytestmark = pytest.mark.shared_data
SHOWN = re.compile(r"I will provide you with (\d+) passages")


@pytest.fixture(scope="module")
def recorded(shared_data: Path) -> list[tuple[str, int]]:
    with gzip.open(shared_data / "llm_responses" / "rank_vicuna.json.gz", "rt") as file:
        # The file is objects joined by commas, with one at the end and no brackets around them.
        rows = json.loads(f"[{file.read().strip().rstrip(',')}]")
    return [(row["response"], int(SHOWN.search(row["prompt"]).group(1))) for row in rows]


def test_every_answer_is_an_order_as_asked(recorded: list[tuple[str, int]]) -> None:
    parsed = [parse_answer(text, n, Form("order")) for text, n in recorded]
    assert Counter(each.status for each in parsed) == {"ok": 387}
    assert Counter(fault for each in parsed for fault in each.faults) == {}
    assert Counter(n for _, n in recorded) == {20: 387}
    for each, (text, n) in zip(parsed, recorded, strict=True):
        assert [f"[{i + 1}]" for i in each.positions] == re.findall(r"\[\d+\]", text)
        assert sorted(each.positions) == list(range(n))


def test_how_far_orders_move_documents(recorded: list[tuple[str, int]]) -> None:
    """43 queries of 9 windows: 14 are left as shown, 64 keep their first."""
    orders = [parse_answer(text, n, Form("order")).positions for text, n in recorded]
    assert len(orders) == 43 * 9
    unmoved = sum(order == tuple(range(20)) for order in orders)
    same_first = sum(order[0] == 0 for order in orders)
    assert (unmoved, same_first) == (14, 64)


@pytest.mark.parametrize(
    ("damage", "status", "fault"),
    [
        (lambda text: text[: len(text) * 3 // 5], "repaired", "partial"),
        (lambda text: f"Sure, this is the order:\n{text}\nAnything else?", "repaired", "prose"),
        (lambda text: text.replace(" > ", "\n"), "repaired", "separators"),
        (lambda text: text.replace("[", "").replace("]", ""), "ok", None),
        (lambda text: text.replace("[", "(").replace("]", ")"), "repaired", "brackets"),
        (lambda text: f"{text} > {text}", "repaired", "repeated"),
        (lambda text: f"```\n{text}\n```", "repaired", "markup"),
        (lambda text: f"<think>[2] > [1]?</think>\n{text}", "ok", None),
        (lambda text: f"{text} > [21]", "repaired", "out_of_range"),
    ],
)
def test_damaged_answers_keep_what_is_left(recorded, damage, status, fault) -> None:
    for text, n in recorded[::10]:
        whole = parse_answer(text, n, Form("order")).positions
        parsed = parse_answer(damage(text), n, Form("order"))
        assert parsed.status == status
        assert fault is None or fault in parsed.faults
        if fault != "partial":
            assert parsed.positions == whole
        else:
            kept = len(re.findall(r"\[\d+\]", damage(text)))
            assert parsed.positions[:kept] == whole[:kept]
