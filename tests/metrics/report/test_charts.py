"""Charts: valid XML, everything inside the frame, nothing unescaped."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plackett.errors import UnknownNameError
from plackett.metrics.base import parse_measures
from plackett.metrics.comparison import compare_evaluations
from plackett.metrics.comparison_result import Curve
from plackett.metrics.evaluation import Evaluation
from plackett.metrics.report import charts
from plackett.metrics.report.svg import escape, palette, shorten, text_width, ticks

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "<script>alert('x')</script>\"&\x00 \ud800 名前"


def compared(systems, queries, *, baseline=None, prefix="system"):
    generator = np.random.default_rng(systems * 1000 + queries)
    base = generator.random((2, queries))
    evaluations = {}
    for i in range(systems):
        values = np.clip(base + 0.05 * i * generator.random((2, queries)), 0, 1)
        ids = tuple(f"{prefix} q{j}" for j in range(queries))
        evaluations[f"{prefix} {i}"] = Evaluation("", parse_measures("nDCG@10 AP"), ids, values, {})
    return compare_evaluations(evaluations, baseline=f"{prefix} 0" if baseline else None)


def inside(svg):
    """Parse the drawing and check that no shape leaves its frame."""
    root = ElementTree.fromstring(svg)
    x, y, width, height = map(float, root.attrib["viewBox"].split())
    width, height = width + x, height + y
    for shape in root.iter():
        if shape.attrib.get("class") == "ground":
            assert shape.attrib["width"] == root.attrib["width"]
            continue
        for name in ("x", "x1", "x2", "cx"):
            assert -0.5 <= float(shape.attrib.get(name, 0)) <= width + 0.5
        for name in ("y", "y1", "y2", "cy"):
            assert -0.5 <= float(shape.attrib.get(name, 0)) <= height + 0.5
        if shape.tag == SVG + "rect":
            assert float(shape.attrib["x"]) + float(shape.attrib["width"]) <= width + 0.5
            assert float(shape.attrib["y"]) + float(shape.attrib["height"]) <= height + 0.5
        if shape.tag == SVG + "text":
            start, span = float(shape.attrib["x"]), text_width(shape.text or "")
            left = {"start": 0, "middle": span / 2, "end": span}[shape.attrib["text-anchor"]]
            assert start - left >= -0.5
            assert start - left + span <= width + 2
    return root


@pytest.mark.parametrize(("systems", "queries"), [(1, 5), (2, 1), (2, 225), (8, 60), (12, 2000)])
@pytest.mark.parametrize("prefix", ["s", HOSTILE * 3])
def test_all_charts_fit_their_frames(systems, queries, prefix):
    comparison = compared(systems, queries, baseline=True, prefix=prefix)
    for measure in ("nDCG@10", "AP"):
        inside(charts.means_chart(comparison, measure))
        inside(charts.outcomes_chart(comparison, measure))
    for entry in comparison.differences[:2]:
        inside(charts.differences_chart(comparison, entry))
    means = dict.fromkeys(comparison.systems, (0.1, 0.2, 0.2))
    inside(charts.curve_chart(Curve("nDCG", (1, 5, 10), means)))


def test_a_bar_for_every_query_that_differs():
    comparison = compared(2, 40, baseline=True)
    (entry, _) = comparison.differences
    root = inside(charts.differences_chart(comparison, entry))
    bars = list(root.iter(SVG + "rect"))
    assert len(bars) == entry.wins + entry.losses
    heights = [float(bar.attrib["height"]) for bar in bars]
    assert heights == sorted(heights, reverse=True)
    hovers = [bar.find(SVG + "title").text for bar in bars]
    values = comparison.values[0, 1] - comparison.values[0, 0]
    assert hovers[0].startswith(comparison.query_ids[int(values.argmax())] + ": +")


def test_where_less_is_better_a_fall_is_a_gain():
    comparison = compared(2, 40, baseline=True)
    lower = tuple(replace(measure, higher_is_better=False) for measure in comparison.measures)
    svg = charts.differences_chart(replace(comparison, measures=lower), comparison.differences[0])
    bars = list(ElementTree.fromstring(svg).iter(SVG + "rect"))
    assert {bar.attrib["class"] for bar in bars} == {"loss"}
    heights = [float(bar.attrib["height"]) for bar in bars]
    assert heights == sorted(heights)


def test_labels_of_lines_that_end_together_do_not_overlap():
    means = {f"s{i}": (0.1, 0.5) for i in range(8)}
    root = inside(charts.curve_chart(Curve("R", (1, 10), means)))
    labels = [t for t in root.iter(SVG + "text") if (t.text or "").startswith("s")]
    heights = sorted(float(label.attrib["y"]) for label in labels)
    assert len(heights) == 8
    assert min(np.diff(heights)) >= 15.9


@pytest.mark.parametrize("kind", ["means", "outcomes"])
def test_files_of_their_own_bring_their_colours(kind):
    svg = charts.chart_svg(compared(3, 20), kind)
    root = inside(svg)
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"]
    assert "prefers-color-scheme: dark" in svg
    assert "url(" not in svg
    with pytest.raises(UnknownNameError, match="means"):
        charts.chart_svg(compared(3, 20), "pie")


def luminance(colour):
    channels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_colours_stand_out_from_both_grounds():
    light, dark = palette().split("@media")
    for block in (light, dark):
        colours = dict(re.findall(r"--(\w+): (#\w{6})", block))
        ground = luminance(colours["ground"])
        for name, colour in colours.items():
            contrast = (max(luminance(colour), ground) + 0.05) / (
                min(luminance(colour), ground) + 0.05
            )
            if name in ("ink", "soft", "gain", "loss", "accent"):  # text
                assert contrast >= 4.5, name
            elif name.startswith("s"):  # lines and dots
                assert contrast >= 3, name


@settings(max_examples=50, deadline=None)
@given(low=st.floats(-10, 10), span=st.floats(1e-6, 20))
def test_ticks_are_round_and_span_the_data(low, span):
    found = ticks(low, low + span)
    steps = np.diff(found)
    assert found[0] <= low + 1e-9 * span + 1e-11
    assert found[-1] >= low + span - 1e-9 * span - 1e-11
    assert 2 <= len(found) <= 9
    assert np.allclose(steps, steps[0], rtol=1e-4)


def test_ticks_of_one_value():
    for value in (0.0, 0.5, -3.0):
        found = ticks(value, value)
        assert found[0] <= value <= found[-1]
        assert len(found) >= 2


def test_escape_and_shorten():
    assert escape(HOSTILE).count("<") == 0
    assert "\ufffd" in escape("\x00")
    ElementTree.fromstring(f"<a b='{escape(HOSTILE)}'>{escape(HOSTILE)}</a>")
    assert shorten("short", 5) == "short"
    assert len(shorten("x" * 99, 24)) == 24
