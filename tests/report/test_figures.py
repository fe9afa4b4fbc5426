from __future__ import annotations

from xml.etree import ElementTree

import pytest
from small_summaries import cell

from worldgym.report.figures import BAR_EDGE, BAR_WIDTH, COLOURS, interval_bar, mark

EVIL = '<script>alert("x")</script>'


def test_a_bar_shows_rate_interval_and_truth() -> None:
    svg = ElementTree.fromstring(interval_bar(cell(), 0))
    by_class = {element.get("class"): element for element in svg}
    scale = BAR_WIDTH - 2 * BAR_EDGE
    assert float(by_class["dot"].get("cx", "")) == pytest.approx(BAR_EDGE + 0.5 * scale, abs=0.1)
    assert float(by_class["band"].get("x1", "")) == pytest.approx(BAR_EDGE + 0.25 * scale, abs=0.1)
    assert f"translate({BAR_EDGE + 0.75 * scale:.1f} " in by_class["true"].get("transform", "")
    told = svg.get("aria-label", "")
    assert "10 of 20" in told and "15 of 20" in told and svg.get("aria-label") == told


def test_a_bar_without_trials_or_truth_claims_nothing() -> None:
    svg = interval_bar(cell(trials=0, truth=None), 0)
    assert not {"dot", "band", "true"} & {
        element.get("class") for element in ElementTree.fromstring(svg)
    }


def test_a_mark_tells_of_itself_and_names_what_it_belongs_to() -> None:
    point = ElementTree.fromstring(mark(2, 10.0, 20.0, cell()))
    assert (point.tag, point.get("class"), point.get("cx"), point.get("cy")) == (
        "circle",
        "point c2",
        "10.0",
        "20.0",
    )
    assert (point.get("data-policy"), point.get("data-task")) == ("good", "door")
    assert "good, door: world model 50" in point.get("aria-label", "")


def test_a_ninth_policy_takes_another_shape() -> None:
    point = ElementTree.fromstring(mark(COLOURS, 10.0, 20.0, cell()))
    assert (point.tag, point.get("class"), point.get("x")) == ("rect", "point c0", "5.0")


def test_names_are_escaped() -> None:
    for svg in (interval_bar(cell(EVIL, EVIL), 0), mark(0, 0.0, 0.0, cell(EVIL, EVIL))):
        assert "<script>" not in svg and "&lt;script&gt;" in svg
