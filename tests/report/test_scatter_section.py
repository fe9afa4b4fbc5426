from __future__ import annotations

import math
from typing import Any
from xml.etree import ElementTree

import pytest
from small_summaries import agreement, ceiling, cell

from worldgym.report.scatter_section import LEFT, SIDE, TOP, ceiling_strip, scatter
from worldgym.stats.against_truth import TruthAgreement


def points(svg: str) -> list[ElementTree.Element]:
    return [
        element
        for element in ElementTree.fromstring(svg).iter()
        if "point" in element.get("class", "")
    ]


def test_the_scatter_places_truth_across_and_world_model_up() -> None:
    svg = scatter([cell(rate=0.2, truth=0.9), cell(truth=None), cell(trials=0)], ["good"])
    assert svg is not None
    (point,) = points(svg)
    assert float(point.get("cx", "")) == pytest.approx(LEFT + 0.9 * SIDE)
    assert float(point.get("cy", "")) == pytest.approx(TOP + 0.8 * SIDE)
    assert "good, door: world model 20" in point.get("aria-label", "")
    assert svg.count('class="diagonal"') == 1 and svg.count('class="error') == 1


def test_without_truth_there_is_no_scatter() -> None:
    assert scatter([cell(truth=None), cell(trials=0)], ["good"]) is None


def test_points_at_one_place_do_not_hide_each_other() -> None:
    svg = scatter([cell(policy=f"p{i}") for i in range(5)], [f"p{i}" for i in range(5)])
    assert svg is not None
    places = [(float(p.get("cx", "")), float(p.get("cy", ""))) for p in points(svg)]
    assert min(math.dist(a, b) for i, a in enumerate(places) for b in places[:i]) > 8


def test_many_points_at_one_place_stay_by_it() -> None:
    svg = scatter([cell(task=f"t{i}", rate=1.0, truth=1.0) for i in range(40)], ["good"])
    assert svg is not None
    places = {(float(p.get("cx", "")), float(p.get("cy", ""))) for p in points(svg)}
    assert len(places) == 40 and max(math.dist(place, (LEFT + SIDE, TOP)) for place in places) < 14


def measured(**changes: Any) -> TruthAgreement:
    known = {
        "pearson": 0.785,
        "noise_ceiling": ceiling(0.86, 0.97, low=0.78, high=0.99),
        "intervals": {"pearson": {"tasks": [0.65, 0.88]}},
    }
    return agreement(**{**known, **changes})


def test_the_strip_holds_r_its_interval_and_the_ceiling() -> None:
    svg = ceiling_strip(measured())
    assert svg is not None
    found = {
        element.get("class", "").split()[0]: element
        for element in ElementTree.fromstring(svg)
        if element.get("class")
    }
    assert float(found["dot"].get("cx", "")) == pytest.approx(LEFT + 0.785 * SIDE, abs=0.1)
    assert float(found["band"].get("x2", "")) == pytest.approx(LEFT + 0.88 * SIDE, abs=0.1)
    assert float(found["ceiling"].get("width", "")) == pytest.approx((0.99 - 0.78) * SIDE, abs=0.1)
    assert all(f'class="perfect" d="M{LEFT + mean * SIDE:.1f} ' in svg for mean in (0.86, 0.97))
    assert "a perfect evaluator: 0.86 to 0.97, 95 % of studies 0.78 to 0.99" in svg


def test_the_strip_reaches_below_zero_where_it_must_and_does_without_an_interval() -> None:
    svg = ceiling_strip(measured(pearson=-0.5, intervals={"pearson": {"tasks": None}}))
    assert svg is not None and "too few tasks" in svg and 'class="band' not in svg
    dot = next(e for e in ElementTree.fromstring(svg) if e.get("class") == "dot c0")
    assert float(dot.get("cx", "")) == pytest.approx(LEFT + 0.25 * SIDE, abs=0.1)


def test_without_r_or_ceiling_there_is_no_strip() -> None:
    assert (
        ceiling_strip(measured(pearson=None)) is None
        and ceiling_strip(measured(noise_ceiling=None)) is None
    )
