"""One kind of chart for all figures: points with intervals, joined or not, as an SVG file that
follows light and dark."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

WIDTH = 440
HEIGHT = 320
LEFT = 62
TOP = 14
BOTTOM = 52
LEGEND = 190
LIGHT = ("#2f6db3", "#d0761b", "#2e8b57", "#b0447c", "#7358c4", "#12889a", "#bd4134", "#83703a")
DARK = ("#6aa7ee", "#f0a150", "#5fc38a", "#e882b4", "#a995f0", "#4cc4d4", "#ee7f72", "#c4ad6c")
TICKS = 5
LETTER = 6.5  # mean width of one
SLANT = 35  # degrees, of names of places too long to stand side by side


@dataclass(frozen=True)
class Point:
    """low, high: ends of the interval of y, where there is one.   name: shown beside the
    pointer."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None
    name: str = ""


@dataclass(frozen=True)
class Series:
    name: str
    points: tuple[Point, ...]
    joined: bool = False


@dataclass(frozen=True)
class Chart:
    """x, y: names of the axes, units included.   ticks: names of the places 0, 1, 2, ... of x,
    where x is no number.

    diagonal: the line x = y.
    """

    x: str
    y: str
    series: tuple[Series, ...]
    ticks: tuple[str, ...] = ()
    diagonal: bool = False


@dataclass(frozen=True)
class Scale:
    """From values in [low, high] to places in the picture."""

    low: float
    high: float
    start: float
    length: float

    def __call__(self, value: float) -> float:
        return round(self.start + (value - self.low) / (self.high - self.low) * self.length, 1)

    def ticks(self) -> list[float]:
        """Multiples of 1, 2 or 5 times a power of ten, about TICKS of them."""
        rough = (self.high - self.low) / TICKS
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= 0.99 * rough)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [round(i * step, 10) for i in range(first, last + 1)]


def to_svg(chart: Chart) -> str:
    """The whole file. ValueError for a chart without a point."""
    points = [point for series in chart.series for point in series.points]
    if not points:
        raise ValueError("a chart needs a point")
    ys = [y for point in points for y in (point.y, point.low, point.high) if y is not None]
    xs = [point.x for point in points]
    if chart.diagonal:
        xs = ys = xs + ys
    x = Scale(*_range(xs, chart.ticks), LEFT, WIDTH)
    y = Scale(*_range(ys, ()), TOP + HEIGHT, -HEIGHT)
    parts = [*_axes(chart, x, y)]
    if chart.diagonal:
        parts.append(f'<path class="soft" d="M{x(x.low)} {y(x.low)}L{x(x.high)} {y(x.high)}"/>')
    for i, series in enumerate(chart.series):
        parts += _series(series, i, x, y)
    beyond = _overhang(chart.ticks, x)
    size = (
        f"{-beyond} 0 {LEFT + WIDTH + LEGEND + beyond} {TOP + HEIGHT + BOTTOM + _drop(chart.ticks)}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{size}">\n<style>{_style()}</style>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _range(values: Sequence[float], names: Sequence[str]) -> tuple[float, float]:
    """Room for all values; shares stay within 0 to 1, and named places get half a step on either
    side."""
    if names:
        return -0.5, len(names) - 0.5
    low, high = min(values), max(values)
    if low >= 0 and 0.3 < high <= 1:
        return 0.0, 1.0
    low = 0.0 if 0 <= low < 0.5 * high else low
    room = 0.08 * (high - low) or 0.5
    return (low if low == 0.0 else low - room), high + room


def _drop(names: Sequence[str]) -> int:
    """How far names of places reach down when they stand slanted; 0 for those that fit side by
    side."""
    longest = LETTER * max((len(name) for name in names), default=0)
    if longest * len(names) < WIDTH:
        return 0
    return round(longest * math.sin(math.radians(SLANT)))


def _overhang(names: Sequence[str], x: Scale) -> int:
    """How far slanted names of places reach beyond the left edge."""
    if not _drop(names):
        return 0
    lengths = [LETTER * len(name) * math.cos(math.radians(SLANT)) for name in names]
    return max(0, *(math.ceil(length - x(i)) for i, length in enumerate(lengths)))


def _axes(chart: Chart, x: Scale, y: Scale) -> Iterator[str]:
    base = TOP + HEIGHT
    drop = _drop(chart.ticks)
    places = (
        list(enumerate(chart.ticks))
        if chart.ticks
        else [(value, f"{value:g}") for value in x.ticks()]
    )
    for value, name in places:
        yield f'<path class="grid" d="M{x(value)} {TOP}V{base}"/>'
        stands = (
            f'transform="translate({x(value) + 4} {base + 14}) rotate(-{SLANT})" text-anchor="end"'
        )
        lies = f'x="{x(value)}" y="{base + 17}" text-anchor="middle"'
        yield f"<text {stands if drop else lies}>{escape(name)}</text>"
    for value in y.ticks():
        yield f'<path class="grid" d="M{LEFT} {y(value)}H{LEFT + WIDTH}"/>'
        yield f'<text x="{LEFT - 7}" y="{y(value) + 4}" text-anchor="end">{value:g}</text>'
    yield (
        f'<text x="{LEFT + WIDTH / 2}" y="{base + 40 + drop}" '
        f'text-anchor="middle">{escape(chart.x)}</text>'
    )
    middle = TOP + HEIGHT / 2
    yield (
        f'<text transform="translate(14 {middle}) rotate(-90)" '
        f'text-anchor="middle">{escape(chart.y)}</text>'
    )


def _series(series: Series, index: int, x: Scale, y: Scale) -> Iterator[str]:
    colour = f"c{index % len(LIGHT)}"
    if series.joined:
        line = "L".join(f"{x(point.x)} {y(point.y)}" for point in series.points)
        yield f'<path class="line {colour}" d="M{line}"/>'
    for point in series.points:
        if point.low is not None and point.high is not None:
            yield f'<path class="line {colour}" d="M{x(point.x)} {y(point.low)}V{y(point.high)}"/>'
        about = escape(f"{point.name or series.name}: {point.x:.3g}, {point.y:.3g}")
        yield f"<g><title>{about}</title>{_mark(index, x(point.x), y(point.y))}</g>"
    left, top = LEFT + WIDTH + 18, TOP + 12 + 20 * index
    yield _mark(index, left, top - 4)
    yield f'<text x="{left + 12}" y="{top}">{escape(series.name)}</text>'


def _mark(index: int, x: float, y: float) -> str:
    """A dot; from the ninth series on, where colours start over, a square."""
    colour = f"c{index % len(LIGHT)}"
    if index < len(LIGHT):
        return f'<circle class="{colour}" cx="{x}" cy="{y}" r="4.5"/>'
    return f'<rect class="{colour}" x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8"/>'


def _style() -> str:
    def colours(palette: Sequence[str]) -> str:
        return "".join(
            f".c{i}{{fill:{colour};stroke:{colour}}}" for i, colour in enumerate(palette)
        )

    shared = (
        "text{font:12px "
        "system-ui,sans-serif;fill:#5d666f}.grid{stroke:#8886;fill:none;stroke-width:.5}.soft{stroke:#888}"
    )
    line = ".line{fill:none;stroke-width:1.5;stroke-opacity:.6}"
    dark = f"@media(prefers-color-scheme:dark){{text{{fill:#9aa4ad}}{colours(DARK)}}}"
    return f"{shared}{colours(LIGHT)}{dark}{line}"
