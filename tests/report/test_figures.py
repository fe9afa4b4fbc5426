from __future__ import annotations

import math
import re
from typing import Any
from xml.etree import ElementTree

import pytest

from worldgym.report.figures import BAR_EDGE, BAR_WIDTH, COLOURS, LEFT, SIDE, TOP, interval_bar, scatter

EVIL = '<script>alert("x")</script>'


def cell(
    policy: str = "good", task: str = "door", rate: float = 0.5, truth: float | None = 0.75, trials: int = 20
) -> dict[str, Any]:
    known = {"policy": policy, "task": task, "trials": trials, "successes": rate * trials, "low": 0.25, "high": 0.7}
    if truth is not None:
        known |= {"truth_rate": truth, "truth_low": 0.5, "truth_high": 0.9, "truth_trials": 20, "truth_successes": 15}
    return {**known, "rate": rate if trials else None}


def points(svg: str) -> list[ElementTree.Element]:
    return [element for element in ElementTree.fromstring(svg).iter() if "point" in element.get("class", "")]


def test_a_bar_shows_rate_interval_and_truth() -> None:
    svg = ElementTree.fromstring(interval_bar(cell(), 0))
    by_class = {element.get("class"): element for element in svg}
    scale = BAR_WIDTH - 2 * BAR_EDGE
    assert float(by_class["dot"].get("cx", "")) == pytest.approx(BAR_EDGE + 0.5 * scale, abs=0.1)
    assert float(by_class["band"].get("x1", "")) == pytest.approx(BAR_EDGE + 0.25 * scale, abs=0.1)
    assert f"translate({BAR_EDGE + 0.75 * scale:.1f} " in by_class["true"].get("transform", "")
    assert "10 of 20" in (svg[0].text or "") and "15 of 20" in (svg[0].text or "")


def test_a_bar_without_trials_or_truth_claims_nothing() -> None:
    svg = interval_bar(cell(trials=0, truth=None), 0)
    assert not {"dot", "band", "true"} & {element.get("class") for element in ElementTree.fromstring(svg)}


def test_the_scatter_places_truth_across_and_world_model_up() -> None:
    svg = scatter([cell(rate=0.2, truth=0.9), cell(truth=None), cell(trials=0)], ["good"])
    assert svg is not None
    (point,) = points(svg)
    assert float(point.get("cx", "")) == pytest.approx(LEFT + 0.9 * SIDE)
    assert float(point.get("cy", "")) == pytest.approx(TOP + 0.8 * SIDE)
    assert "good, door: world model 20" in (point[0].text or "")
    assert svg.count('class="diagonal"') == 1 and svg.count('class="error') == 1


def test_without_truth_there_is_no_scatter() -> None:
    assert scatter([cell(truth=None), cell(trials=0)], ["good"]) is None


def test_points_at_one_place_do_not_hide_each_other() -> None:
    svg = scatter([cell(policy=f"p{i}") for i in range(5)], [f"p{i}" for i in range(5)])
    assert svg is not None
    places = [(float(p.get("cx", "")), float(p.get("cy", ""))) for p in points(svg)]
    assert min(math.dist(a, b) for i, a in enumerate(places) for b in places[:i]) > 8


def test_a_ninth_policy_takes_another_shape() -> None:
    names = [f"p{i}" for i in range(COLOURS + 1)]
    svg = scatter([cell(policy=name) for name in names], names)
    assert svg is not None
    assert [p.tag for p in points(svg)] == ["circle"] * COLOURS + ["rect"]


def test_names_are_escaped() -> None:
    for svg in (interval_bar(cell(EVIL, EVIL), 0), scatter([cell(EVIL, EVIL)], [EVIL])):
        assert svg is not None
        assert "<script>" not in svg and re.search(r"&lt;script&gt;", svg)
