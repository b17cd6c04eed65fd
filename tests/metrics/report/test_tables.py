"""Text, Markdown and LaTeX tables, and the sentences around them."""

from __future__ import annotations

import re

import numpy as np
import pytest

from plackett.metrics.base import parse_measures
from plackett.metrics.comparison import compare_evaluations
from plackett.metrics.evaluation import Evaluation
from plackett.metrics.report import words

NOISE = np.random.default_rng(3).normal(0, 0.05, (9, 225))


def compared(shifts, *, baseline=None, queries=225, **options):
    """Systems whose values are noise around 0.5 plus their shift."""
    ids = tuple(f"q{i}" for i in range(queries))
    measures = parse_measures("nDCG@10 AP")
    evaluations = {}
    for i, (name, shift) in enumerate(shifts.items()):
        values = np.vstack([0.5 + shift + NOISE[i, :queries]] * 2)
        evaluations[name] = Evaluation(name, measures, ids, values, {"ties": "trec_eval"})
    return compare_evaluations(evaluations, baseline=baseline, **options)


class TestVerdict:
    def test_one_better_than_the_baseline(self):
        found = compared({"bm25": 0, "ltr": 0.05}, baseline="bm25").verdict
        assert re.fullmatch(
            r"ltr is better than bm25 on nDCG@10: \+0\.0\d\d \[0\.0\d\d, 0\.0\d\d\], p < 0\.001 "
            r"\(paired t, Holm over 1 comparison\)\.",
            found,
        )

    def test_one_worse_than_the_baseline(self):
        found = compared({"bm25": 0, "ltr": -0.05}, baseline="bm25").verdict
        assert found.startswith("ltr is worse than bm25 on nDCG@10: −0.0")

    def test_nothing_found_says_what_would_have_been(self):
        found = compared({"bm25": 0, "ltr": 0}, baseline="bm25").verdict
        assert found.startswith("No significant difference between ltr and bm25 on nDCG@10")
        assert re.search(r"with 225 queries a difference of 0\.\d+ would be detectable", found)
        assert found.endswith("with power 0.8.")

    def test_nothing_found_among_several(self):
        found = compared({"a": 0, "b": 0, "c": 0}).verdict
        assert found.startswith("No significant difference on nDCG@10 (paired t, Holm over 3")

    def test_one_query_shows_nothing(self):
        found = compared({"a": 0, "b": 0.1}, queries=1).verdict
        assert found.endswith("one query can show no difference.")

    def test_several_against_the_baseline(self):
        shifts = {"bm25": 0, "up": 0.05, "down": -0.05, "level": 0}
        found = compared(shifts, baseline="bm25").verdict
        assert re.match(r"On nDCG@10, up \(.*\) is better than bm25; down \(.*\) is worse", found)
        assert "for level no significant difference was found" in found

    def test_all_pairs(self):
        assert compared({"a": 0, "b": 0.1}).verdict.startswith("b is better than a on nDCG@10: +")
        assert compared({"a": 0.1, "b": 0}).verdict.startswith("a is better than b on nDCG@10: +")
        found = compared({"a": 0, "b": 0.1, "c": 0.1}).verdict
        assert re.search(r"is best on nDCG@10: better than a \(.*\); no significant diff", found)

    def test_a_lead_that_proves_nothing(self):
        rows = np.zeros((3, 40))
        rows[0, :20], rows[0, 20:] = 1.0, 0.03  # best mean, wild
        rows[1] = 0.5 + NOISE[1, :40] / 10
        rows[2] = 0.48 + NOISE[1, :40] / 10
        rows[2, 0] += 0.001
        ids = tuple(map(str, range(40)))
        evaluations = {
            name: Evaluation(name, parse_measures("AP"), ids, row[None, :], {})
            for name, row in zip("abc", rows, strict=True)
        }
        assert "a is ahead on AP, but not significantly" in compare_evaluations(evaluations).verdict

    def test_many_systems_stay_one_readable_sentence(self):
        shifts = {f"s{i}": 0.1 * i for i in range(8)}
        found = compared(shifts).verdict
        assert found.startswith("s7 is best on nDCG@10: better than s6 (+0.")
        assert found.count("p < 0.001") == 1

    def test_one_system_alone(self):
        found = compared({"a": 0})
        assert found.verdict.startswith("a reaches 0.5")
        assert "no other system" in found.verdict
        assert "comparison" not in str(found).split("\n\n")[2]


@pytest.mark.parametrize("baseline", [None, "bm25"])
def test_plain_text_lines_up(baseline):
    text = str(compared({"bm25": 0, "a longer name": 0.1, "c": -0.1}, baseline=baseline))
    grid = text.split("\n\n")[0].splitlines()
    assert len(grid) == 4
    for column in ("nDCG@10", "AP"):
        at = grid[0].index(column)
        assert all(line[at : at + 2] == "0." for line in grid[1:])
    assert "▲" in text if baseline else "0.6" in grid[2]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "paired t, Holm over 2 comparisons on each measure, alpha 0.05."),
        ({"correction": "none"}, "paired t, no correction for 2 comparisons"),
        ({"test": "wilcoxon", "correction": "bonferroni"}, "Wilcoxon signed-rank, Bonferroni"),
        ({"test": "randomisation", "permutations": 99, "alpha": 0.2}, "alpha 0.2, 99 permutations"),
        ({"test": "tukey"}, "Tukey HSD over 3 systems"),
    ],
)
def test_the_footnote_says_how(options, expected):
    comparison = compared({"bm25": 0, "a": 0.1, "c": -0.1}, baseline="bm25", **options)
    for text in (str(comparison), comparison.to_markdown(), comparison.to_html()):
        assert expected in text
        assert "225 queries" in text
    for measure in comparison.measures:
        assert f"{measure.name}: {measure.definition}" in str(comparison)


HOSTILE = "a|b_c*<script>\n$x^2~{\\}&%#"


def test_markdown_survives_hostile_names():
    text = compared({"plain": 0, HOSTILE: 0.1}, baseline="plain").to_markdown()
    assert "<script>" not in text.replace("\\<", "")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {4, 10}
    assert "**0.6" in text


def test_latex_survives_hostile_names():
    text = compared({"plain": 0, HOSTILE: 0.1}, baseline="plain").to_latex(label="tab:x")
    assert r"a|b\_c*$<$script$>$ \$x\textasciicircum{}2\textasciitilde{}\{" in text
    assert r"\blacktriangle}$" in text
    assert r"\label{tab:x}" in text
    for part in (r"\toprule", r"\midrule", r"\bottomrule", r"\end{table}"):
        assert text.count(part) == 1
    body = text[text.index(r"\midrule") : text.index(r"\bottomrule")]
    assert {len(re.findall(r"(?<!\\)&", row)) for row in body.strip().splitlines()[1:]} == {2}
    depth = 0
    for brace in re.findall(r"(?<!\\)[{}]", text):
        depth += 1 if brace == "{" else -1
        assert depth >= 0
    assert depth == 0
    letters = compared({"one": 0, "two": 0.1}).to_latex(caption="Mine.")
    assert r"$^{\mathrm{a}}$" in letters
    assert r"\caption{Mine. " in letters


def test_numbers_as_readers_expect_them():
    assert words.number(-0.00001) == "0.0000"
    assert words.number(float("inf")) == "∞"
    assert words.signed(float("-inf")) == "−∞"
    assert words.signed(float("inf")) == "+∞"
    assert words.count(1, "system") == "1 system"
