"""What label an explained judgment gives, in words or in none."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plackett.llm.templates import prompt_template
from plackett.rerankers.pointwise.relevance_label import read_relevance_label

TABLE = [
    ("It explains all of it.\nRelevance label: 2", 2.0, "ok"),
    ("RELEVANCE LABEL\n**1**", 1.0, "ok"),
    ("Relevance label: 0. It is relevant to nothing.", 0.0, "ok"),
    ("Relevance label: 1 may seem right.\nFinal relevance label: 2", 2.0, "ok"),
    ("<think>Relevance label: 2</think> Off the point. Relevance label: 0", 0.0, "ok"),
    ("Relevance label: ２", 2.0, "ok"),
    ("2", 2.0, "ok"),
    ("The text is partially relevant to this.", 1.0, "repaired"),
    ("The text is relevant: it names both.", 2.0, "repaired"),
    ("The text is not relevant.", 0.0, "repaired"),
    ("The text is irrelevant.", 0.0, "repaired"),
    ("The text is not directly relevant to the question.", 0.0, "repaired"),
    ("This isn't really relevant.", 0.0, "repaired"),
    ("It has no relevance here.", 0.0, "repaired"),
    ("word " * 30 + "relevant", math.nan, "wrong_format"),
    ("Relevance label: 7", math.nan, "wrong_format"),
    ("Relevance label: 1.5", math.nan, "wrong_format"),
    ("All texts have merits.", math.nan, "wrong_format"),
    ("I'm sorry, but I cannot help with that.", math.nan, "refused"),
    ("", math.nan, "missing"),
    ("<think>Relevance label: 2", math.nan, "missing"),
]


@pytest.mark.parametrize(("text", "label", "status"), TABLE)
def test_labels_are_read_by_the_rules(text: str, label: float, status: str) -> None:
    template = prompt_template("inte-rank")
    assert read_relevance_label(template, text) == (pytest.approx(label, nan_ok=True), status)


@given(st.text(max_size=300))
def test_any_text_is_read(text: str) -> None:
    label, status = read_relevance_label(prompt_template("inte-rank"), text)
    assert math.isnan(label) == (status not in ("ok", "repaired"))
    assert math.isnan(label) or label in (0.0, 1.0, 2.0)
