"""The HTML page: whole, self-contained, escaped, accessible."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from plackett.data.cost import Cost
from plackett.metrics.base import parse_measures
from plackett.metrics.comparison import compare_evaluations
from plackett.metrics.comparison_result import Curve
from plackett.metrics.evaluation import Evaluation
from plackett.metrics.report import html

HOSTILE = '<script>alert("x")</script>\'&\x07 名前 ${title} $title'
VOID = {"meta", "br", "link", "img"}


class Page(HTMLParser):
    """Reads a page, checks that its elements nest, and keeps what the tests ask for."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.seen, self.text, self.attributes = [], [], "", []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += data


def compared(names, queries=30, *, baseline=None):
    generator = np.random.default_rng(len(names))
    ids = tuple(f"{HOSTILE} {i}" for i in range(queries))
    measures = parse_measures("nDCG@10 AP")
    evaluations = {}
    base = generator.random((2, queries))
    for i, name in enumerate(names):
        values = base + 0.1 * i * generator.normal(1, 1, (2, queries))
        evaluations[name] = Evaluation(name, measures, ids, values, {"ties": "trec_eval"})
    comparison = compare_evaluations(evaluations, baseline=baseline)
    return replace(
        comparison,
        costs={name: (Cost(f"{name} % 10", 0.25, queries, 10),) for name in names},
        query_texts={query: f"text of {query}" for query in ids},
        curves=(Curve("nDCG", (1, 10), dict.fromkeys(names, (0.1, 0.2))),),
    )


@pytest.mark.parametrize(
    ("names", "baseline"),
    [
        (["one"], None),
        (["one", "two"], "one"),
        ([HOSTILE, HOSTILE + "2", "three"], HOSTILE),
        ([f"system {i}" for i in range(10)], None),
    ],
)
@pytest.mark.parametrize("queries", [1, 30])
def test_the_page_is_whole_and_needs_nothing_else(names, baseline, queries):
    comparison = compared(names, queries, baseline=baseline)
    page = Page(comparison.to_html())
    assert not {"script", "link", "img", "iframe", "object"} & set(page.seen)
    for _, name, value in page.attributes:
        assert name not in ("src", "href", "srcset")
        assert not name.startswith("on")
        assert name == "xmlns" or "http" not in (value or "")
    assert "@import" not in comparison.to_html()
    assert "url(" not in comparison.to_html()
    assert page.seen.count("h1") == 1
    for name in names:
        assert name.replace("\x07", "\ufffd") in page.text
    assert " ".join(comparison.verdict.split()).replace("\x07", "\ufffd") in page.text
    for measure in comparison.measures:
        assert measure.definition in page.text


def test_every_part_is_there():
    page = Page(compared(["one", "two"], baseline="one").to_html())
    for part in (
        "Results",
        "Means and intervals",
        "Differences",
        "Query by query",
        "Measure against cutoff",
        "Cost",
        "Exact definitions",
        "Provenance",
        "Largest gains",
        "ms a query",
        "seed",
    ):
        assert part in page.text


def test_parts_without_content_are_left_out():
    comparison = replace(compared(["one"]), costs={}, curves=(), query_texts={})
    page = Page(comparison.to_html())
    for part in ("Differences", "Query by query", "Cost", "Measure against cutoff"):
        assert part not in page.text


def test_pictures_and_tables_can_be_read_aloud():
    page = Page(compared(["one", "two"], baseline="one").to_html())
    labels = [v for tag, name, v in page.attributes if tag == "svg" and name == "aria-label"]
    assert len(labels) == page.seen.count("svg") >= 5
    assert all(labels)
    scopes = [v for tag, name, v in page.attributes if tag == "th" and name == "scope"]
    assert len(scopes) == page.seen.count("th")
    assert set(scopes) == {"col", "row"}
    assert ("html", "lang", "en") in page.attributes
    assert page.seen.count("caption") == page.seen.count("table")


def test_more_sections_and_a_title_of_ones_own():
    comparison = compared(["one", "two"])
    extra = html.Section("Folds <5>", html.table(["fold"], [["1"]], caption="The folds"))
    page = Page(html.render(comparison, title="My <title>", sections=[extra]))
    assert "Folds <5>" in page.text
    assert "My <title>" in page.text
    assert page.text.index("Folds") < page.text.index("Exact definitions")


def test_the_page_is_written_where_asked(tmp_path):
    comparison = compared([HOSTILE, "two"])
    text = comparison.to_html(tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == text


def test_titles_say_what_is_compared():
    def title(names, baseline=None):
        text = compared(names, baseline=baseline).to_html()
        return text[text.index("<h1>") + 4 : text.index("</h1>")]

    assert title(["a"]) == "Evaluation of a"
    assert title(["a", "b"]) == "a, b"
    assert title(["a", "b", "c"], "b") == "a, c against b"
    assert title(list("abcdef"), "b") == "5 systems against b"
    assert title(list("abcdef")) == "6 systems compared"
    assert title(["a" * 50, "b" * 50]) == "2 systems compared"
