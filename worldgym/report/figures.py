"""The report's figures as inline SVG. Colours are the page's CSS classes, so that they follow light and dark."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from worldgym.report.words import percent, span

COLOURS = 8  # CSS classes c0 .. c7; a ninth policy starts over with a square marker

BAR_WIDTH, BAR_HEIGHT, BAR_EDGE = 132, 14, 6
SIDE, LEFT, TOP, BOTTOM = 400, 46, 10, 44  # of the scatter, in SVG units
SPREAD = 4.5  # distance by which points at the same place stand apart


def interval_bar(cell: Mapping[str, Any], policy_index: int, width: int = BAR_WIDTH) -> Markup:
    """One cell as a bar from 0 to 100 %: band = interval, dot = rate, hollow diamond = truth."""

    def x(rate: float) -> str:
        return f"{BAR_EDGE + rate * (width - 2 * BAR_EDGE):.1f}"

    middle = BAR_HEIGHT / 2
    parts = [Markup('<line class="track" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(x(0), x(1), middle, middle)]
    if cell["trials"]:
        parts.append(
            Markup('<line class="band" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(x(cell["low"]), x(cell["high"]), middle, middle)
        )
        parts.append(Markup('<circle class="dot" cx="{}" cy="{}" r="4"/>').format(x(cell["rate"]), middle))
    if "truth_rate" in cell:
        place = Markup("translate({} {}) rotate(45)").format(x(cell["truth_rate"]), middle)
        parts.append(Markup('<rect class="true" x="-4" y="-4" width="8" height="8" transform="{}"/>').format(place))
    frame = Markup('<svg class="bar c{}" viewBox="0 0 {} {}" role="img"><title>{}</title>{}</svg>')
    return frame.format(policy_index % COLOURS, width, BAR_HEIGHT, describe(cell), Markup("").join(parts))


def describe(cell: Mapping[str, Any]) -> str:
    """One cell in words, for tooltips and screen readers."""
    text = f"{cell['policy']}, {cell.get('task', 'all tasks')}: world model {percent(cell['rate'])}"
    if cell["trials"]:
        text += f" ({cell['successes']:g} of {cell['trials']}; 95 % interval {span(cell['low'], cell['high'])})"
    if "truth_rate" in cell:
        interval = span(cell["truth_low"], cell["truth_high"])
        text += f"; truth {percent(cell['truth_rate'])} ({cell['truth_successes']} of {cell['truth_trials']}; {interval})"
    return text


def scatter(cells: Sequence[Mapping[str, Any]], policies: Sequence[str]) -> Markup | None:
    """World model against truth, a point a cell with both rates, 95 % Wilson error bars; None without such cells."""
    known = [cell for cell in cells if cell["trials"] and "truth_rate" in cell]
    if not known:
        return None
    bars, marks = [], []
    bar = Markup('<path class="error c{}" d="M{:.1f} {:.1f}H{:.1f}M{:.1f} {:.1f}V{:.1f}"/>')
    for cell, (dx, dy) in zip(known, _spread(known), strict=True):
        index = policies.index(cell["policy"])
        x, y = _x(cell["truth_rate"]) + dx, _y(cell["rate"]) + dy
        ends = _x(cell["truth_low"]), y, _x(cell["truth_high"]), x, _y(cell["low"]), _y(cell["high"])
        bars.append(bar.format(index % COLOURS, *ends))
        marks.append(_mark(index, x, y, describe(cell)))
    frame = Markup(
        '<svg class="scatter" viewBox="0 0 {} {}" role="img" aria-label="success rates, world model against truth">{}</svg>'
    )
    return frame.format(LEFT + SIDE + 14, TOP + SIDE + BOTTOM, Markup("").join([_axes(), *bars, *marks]))


def _x(rate: float) -> float:
    return LEFT + rate * SIDE


def _y(rate: float) -> float:
    return TOP + (1 - rate) * SIDE


def _axes() -> Markup:
    parts = [Markup('<line class="diagonal" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(_x(0), _y(0), _x(1), _y(1))]
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(Markup('<path class="grid" d="M{} {}V{}M{} {}H{}"/>').format(_x(tick), _y(0), _y(1), _x(0), _y(tick), _x(1)))
        label = Markup('<text x="{}" y="{}" text-anchor="{}">{:.0f}</text>')
        parts.append(label.format(_x(tick), _y(0) + 17, "middle", 100 * tick))
        parts.append(label.format(_x(0) - 7, _y(tick) + 4, "end", 100 * tick))
    parts.append(Markup('<text class="name" x="{}" y="{}" text-anchor="middle">truth, %</text>').format(_x(0.5), _y(0) + 37))
    name = Markup('<text class="name" transform="translate(13 {}) rotate(-90)" text-anchor="middle">world model, %</text>')
    return Markup("").join([*parts, name.format(_y(0.5))])


def _mark(index: int, x: float, y: float, title: str) -> Markup:
    if index < COLOURS:
        shape = Markup('<circle class="point c{}" cx="{:.1f}" cy="{:.1f}" r="5.5"><title>{}</title></circle>')
        return shape.format(index, x, y, title)
    square = Markup('<rect class="point c{}" x="{:.1f}" y="{:.1f}" width="10" height="10"><title>{}</title></rect>')
    return square.format(index % COLOURS, x - 5, y - 5, title)


def _spread(cells: Sequence[Mapping[str, Any]]) -> list[tuple[float, float]]:
    """Offsets that set points at the same place on a small circle around it, so that none hides another."""
    places = defaultdict(list)
    for i, cell in enumerate(cells):
        places[cell["truth_rate"], cell["rate"]].append(i)
    offsets = [(0.0, 0.0)] * len(cells)
    for members in places.values():
        radius = SPREAD / math.sin(math.pi / len(members)) if len(members) > 1 else 0.0
        for turn, i in enumerate(members):
            angle = 2 * math.pi * turn / len(members)
            offsets[i] = radius * math.cos(angle), radius * math.sin(angle)
    return offsets
