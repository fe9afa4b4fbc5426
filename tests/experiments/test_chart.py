import xml.etree.ElementTree as ElementTree

import pytest

from experiments.chart import Chart, Point, Series, to_svg

NAME = "{http://www.w3.org/2000/svg}"


def drawn(chart: Chart) -> ElementTree.Element:
    return ElementTree.fromstring(to_svg(chart))


def texts(root: ElementTree.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{NAME}text")]


def test_every_point_every_interval_and_every_name_is_drawn() -> None:
    points = (Point(1, 0.2, 0.1, 0.3, "one & all"), Point(2, 0.6))
    root = drawn(
        Chart("step", "rate", (Series("a<b", points, joined=True), Series("b", points[:1])))
    )
    assert len(list(root.iter(f"{NAME}circle"))) == 3 + 2  # points, and the legend
    lines = [path for path in root.iter(f"{NAME}path") if "line" in path.attrib["class"]]
    assert len(lines) == 1 + 2  # one joined series, two intervals
    assert {"a<b", "b", "step", "rate"} <= set(texts(root))
    titles = [title.text for title in root.iter(f"{NAME}title")]
    assert titles[0] == "one & all: 1, 0.2"


def test_shares_are_drawn_from_nought_to_one_and_higher_is_higher() -> None:
    root = drawn(Chart("x", "y", (Series("s", (Point(0, 0.25), Point(1, 0.75))),)))
    assert {"0", "0.2", "1"} <= set(texts(root))
    low, high = list(root.iter(f"{NAME}circle"))[:2]
    assert float(low.attrib["cy"]) > float(high.attrib["cy"]) and float(low.attrib["cx"]) < float(
        high.attrib["cx"]
    )


def test_ticks_are_round_and_lie_within() -> None:
    root = drawn(Chart("x", "y", (Series("s", (Point(75, -0.1), Point(1200, 0.5))),)))
    numbers = [float(text) for text in texts(root) if text not in ("x", "y", "s")]
    assert numbers == [0.0, 500.0, 1000.0, 0.0, 0.2, 0.4]


def test_the_ninth_series_has_its_own_mark() -> None:
    root = drawn(Chart("x", "y", tuple(Series(f"s{i}", (Point(i, i),)) for i in range(9))))
    assert len(list(root.iter(f"{NAME}circle"))) == 16 and len(list(root.iter(f"{NAME}rect"))) == 2


def test_places_may_have_names_and_values_may_be_negative_or_equal() -> None:
    assert {"small", "large"} <= set(
        texts(
            drawn(
                Chart("world", "y", (Series("s", (Point(0, -3), Point(1, 4))),), ("small", "large"))
            )
        )
    )
    assert drawn(Chart("x", "y", (Series("s", (Point(5, 5), Point(5, 5))),))) is not None


def test_a_chart_without_points_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a point"):
        to_svg(Chart("x", "y", (Series("empty", ()),)))


def test_names_that_do_not_fit_side_by_side_stand_slanted_and_the_picture_makes_room() -> None:
    points = (Point(0, 0.5), Point(1, 0.7))
    heights: dict[tuple[str, str], float] = {}
    lefts, rights = dict(heights), dict(heights)
    for names in (("a", "b"), ("a" * 40, "b" * 40)):
        root = drawn(Chart("x", "y", (Series("s", points),), names))
        slanted = [text for text in root.iter() if "rotate(-35)" in text.get("transform", "")]
        assert [text.text for text in slanted] == [name for name in names if len(name) > 1]
        left, _, width, height = map(float, root.get("viewBox", "").split())
        heights[names], lefts[names], rights[names] = height, left, left + width
    short, long = heights
    assert (
        heights[long] > heights[short]
        and lefts[long] < lefts[short] == 0.0
        and rights[long] == rights[short]
    )
