from __future__ import annotations

from xml.etree import ElementTree

import pytest
from small_summaries import total

from worldgym.report.step_section import HEIGHT, LEFT, TOP, WIDTH, success_by_step
from worldgym.stats.series import CheckpointSeries
from worldgym.stats.success_counts import PolicySummary

SERIES = [CheckpointSeries("grasp", (100, 200, 500), ("grasp@100", "grasp@200", "grasp@500"))]


def drawn(
    totals: list[PolicySummary], series: list[CheckpointSeries] = SERIES
) -> list[ElementTree.Element]:
    known = {policy.policy: policy for policy in totals}
    svg = success_by_step(series, known, list(known))
    return [] if svg is None else list(ElementTree.fromstring(svg))


def test_rates_stand_over_their_steps() -> None:
    elements = drawn(
        [total("grasp@100", 0.0), total("grasp@200", 0.5, truth=0.75), total("grasp@500", 1.0)]
    )
    places = [
        (float(e.get("cx", "")), float(e.get("cy", "")))
        for e in elements
        if "point" in e.get("class", "")
    ]
    assert places == [
        (LEFT, TOP + HEIGHT),
        (pytest.approx(LEFT + WIDTH / 4), TOP + HEIGHT / 2),
        (LEFT + WIDTH, TOP),
    ]
    (diamond,) = [e for e in elements if e.get("class") == "true"]
    assert f"{TOP + HEIGHT / 4:.1f})" in diamond.get("transform", "")
    assert [e.text for e in elements if e.tag == "text"][-3:] == [
        "training step",
        "success, %",
        "grasp",
    ]


def test_a_wide_range_of_steps_is_drawn_by_its_logarithm() -> None:
    series = [CheckpointSeries("g", (10, 100, 1000), ("g@10", "g@100", "g@1000"))]
    elements = drawn([total("g@10", 0.1), total("g@100", 0.2), total("g@1000", 0.3)], series)
    places = [float(e.get("cx", "")) for e in elements if "point" in e.get("class", "")]
    assert places == pytest.approx([LEFT, LEFT + WIDTH / 2, LEFT + WIDTH], abs=0.1)


def test_a_checkpoint_without_scored_trials_is_left_out_and_one_is_no_line() -> None:
    two = drawn(
        [total("grasp@100", 0.1), total("grasp@200", 0.0, trials=0), total("grasp@500", 0.3)]
    )
    assert len([e for e in two if "point" in e.get("class", "")]) == 2
    assert (
        drawn(
            [
                total("grasp@100", 0.1),
                total("grasp@200", 0.0, trials=0),
                total("grasp@500", 0.0, trials=0),
            ]
        )
        == []
    )
    assert drawn([total("grasp", 0.1)], []) == []


def test_names_of_lines_that_end_together_stand_apart() -> None:
    series = [CheckpointSeries(n, (1, 2), (f"{n}@1", f"{n}@2")) for n in "ab"]
    elements = drawn([total(f"{n}@{s}", 0.5) for n in "ab" for s in (1, 2)], series)
    heights = [float(e.get("y", "")) for e in elements if e.tag == "text" and e.text in ("a", "b")]
    assert heights[1] - heights[0] >= 12
