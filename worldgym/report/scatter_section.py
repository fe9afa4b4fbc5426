"""World model against truth, cell by cell, and how near r comes to that of a perfect evaluator."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

from markupsafe import Markup

from worldgym.report.figures import COLOURS, mark
from worldgym.report.formats import decimal
from worldgym.report.section import ReportFacts, Section
from worldgym.report.trust_sentences import reached
from worldgym.stats.agreement import Agreement
from worldgym.stats.success_counts import CellSummary

SIDE, LEFT, TOP, BOTTOM = 400, 46, 10, 44  # of the scatter, in SVG units
# points at the same place stand so far apart, but none so far from it that it hides the scale
APART = 6.0
WIDEST = 13.0
STRIP = 62  # height of the strip of r


def scatter_section(facts: ReportFacts) -> Section | None:
    """None where the truth of no cell is known."""
    figure = scatter(facts.summary.cells, facts.policies)
    if figure is None:
        return None
    strip = ceiling_strip(facts.summary.agreement)
    return Section(
        "scatter", "World model against truth", {"figure": figure, "strip": strip}, narrow=True
    )


def scatter(cells: Sequence[CellSummary], policies: Sequence[str]) -> Markup | None:
    """One point per cell with both rates, 95 % Wilson error bars; None without such cells."""
    known = [
        (cell, cell.rate, cell.truth_rate)
        for cell in cells
        if cell.rate is not None and cell.truth_rate is not None
    ]
    if not known:
        return None
    bars, marks = [], []
    bar = Markup(
        '<path class="error c{}" data-policy="{}" data-task="{}" d="M{:.1f} {:.1f}H{:.1f}M{:.1f} '
        '{:.1f}V{:.1f}"/>'
    )
    offsets = _spread([(truth, rate) for _, rate, truth in known])
    for (cell, rate, truth), (dx, dy) in zip(known, offsets, strict=True):
        index = policies.index(cell.policy)
        x, y = _x(truth) + dx, _y(rate) + dy
        ends = (
            _x(cell.truth_low),
            y,
            _x(cell.truth_high),
            x,
            _y(cell.low),
            _y(cell.high),
        )
        bars.append(bar.format(index % COLOURS, cell.policy, cell.task, *ends))
        marks.append(mark(index, x, y, cell))
    frame = Markup(
        '<svg class="scatter" viewBox="0 0 {} {}" role="group" aria-label="success rates, world '
        'model against truth">{}</svg>'
    )
    return frame.format(
        LEFT + SIDE + 14, TOP + SIDE + BOTTOM, Markup("").join([_axes(), *bars, *marks])
    )


def ceiling_strip(agreement: Agreement) -> Markup | None:
    """r from -1 or 0 to 1: what was measured, with its 95 % interval, and what a perfect evaluator
    reaches, from the least to the most (see stats/ceiling.py)."""
    r = agreement.pearson
    ceiling = agreement.noise_ceiling
    if r is None or ceiling is None:
        return None
    interval = agreement.intervals["pearson"]["tasks"]
    least = ceiling.least
    most = ceiling.most
    lowest = -1.0 if min(r, least.low, *(interval or [])) < 0 else 0.0

    def x(value: float) -> float:
        return LEFT + SIDE * (value - lowest) / (1 - lowest)

    middle = 22
    known = (
        f"95 % over tasks {decimal(interval[0])} to {decimal(interval[1])}"
        if interval
        else "no interval: too few tasks"
    )
    studies = f"95 % of studies {decimal(least.low)} to {decimal(most.high)}"
    tip = f"Pearson r {decimal(r)} ({known}); a perfect evaluator: {reached(ceiling)}, {studies}"
    track = Markup('<line class="track" x1="{:.1f}" x2="{:.1f}" y1="{}" y2="{}"/>')
    box = Markup('<rect class="ceiling" x="{:.1f}" y="{}" width="{:.1f}" height="16" rx="3"/>')
    mean = Markup('<path class="perfect" d="M{:.1f} {}V{}"/>')
    tick = Markup('<text x="{:.1f}" y="{}" text-anchor="middle">{:g}</text>')
    name = Markup('<text class="name" x="{}" y="{}" text-anchor="end">r</text>')
    parts = [
        track.format(x(lowest), x(1), middle, middle),
        box.format(x(least.low), middle - 8, max(2.0, x(most.high) - x(least.low))),
        *(mean.format(x(end.mean), middle - 11, middle + 11) for end in (least, most)),
        *(tick.format(x(t), middle + 30, t) for t in _ticks(lowest)),
        name.format(LEFT - 12, middle + 5),
    ]
    if interval:
        line = Markup('<line class="band c0" x1="{:.1f}" x2="{:.1f}" y1="{}" y2="{}"/>')
        parts.append(line.format(x(interval[0]), x(interval[1]), middle, middle))
    parts.append(Markup('<circle class="dot c0" cx="{:.1f}" cy="{}" r="5"/>').format(x(r), middle))
    frame = Markup(
        '<svg class="scatter" viewBox="0 0 {} {}" role="img" aria-label="{}" data-tip="">{}</svg>'
    )
    return frame.format(LEFT + SIDE + 14, STRIP, tip, Markup("").join(parts))


def _ticks(lowest: float) -> list[float]:
    return [lowest + i * (1 - lowest) / 4 for i in range(5)]


def _x(rate: float) -> float:
    return LEFT + rate * SIDE


def _y(rate: float) -> float:
    return TOP + (1 - rate) * SIDE


def _axes() -> Markup:
    parts = [
        Markup('<line class="diagonal" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(
            _x(0), _y(0), _x(1), _y(1)
        )
    ]
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(
            Markup('<path class="grid" d="M{} {}V{}M{} {}H{}"/>').format(
                _x(tick), _y(0), _y(1), _x(0), _y(tick), _x(1)
            )
        )
        label = Markup('<text x="{}" y="{}" text-anchor="{}">{:.0f}</text>')
        parts.append(label.format(_x(tick), _y(0) + 17, "middle", 100 * tick))
        parts.append(label.format(_x(0) - 7, _y(tick) + 4, "end", 100 * tick))
    parts.append(
        Markup('<text class="name" x="{}" y="{}" text-anchor="middle">truth, %</text>').format(
            _x(0.5), _y(0) + 37
        )
    )
    name = Markup(
        '<text class="name" transform="translate(13 {}) rotate(-90)" text-anchor="middle">world '
        "model, %</text>"
    )
    return Markup("").join([*parts, name.format(_y(0.5))])


def _spread(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Offsets that fill a small disc around a place with the points that share it, as a sunflower's
    seeds do, so that none hides another."""
    places = defaultdict(list)
    for i, place in enumerate(points):
        places[place].append(i)
    offsets = [(0.0, 0.0)] * len(points)
    for members in places.values():
        if len(members) > 1:
            apart = min(APART, WIDEST / math.sqrt(len(members)))
            for seed, i in enumerate(members):
                radius = apart * math.sqrt(seed + 0.5)
                angle = seed * math.pi * (3 - math.sqrt(5))
                offsets[i] = radius * math.cos(angle), radius * math.sin(angle)
    return offsets
