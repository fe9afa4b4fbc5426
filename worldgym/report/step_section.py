"""Success against training step, for policies that are checkpoints of one training (NAME@STEP)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from markupsafe import Markup

from worldgym.report.figures import COLOURS, mark
from worldgym.report.section import ReportFacts, Section
from worldgym.stats.series import CheckpointSeries
from worldgym.stats.success_counts import SuccessCounts

# in SVG units
WIDTH = 600
HEIGHT = 260
LEFT = 46
TOP = 10
BOTTOM = 44
RIGHT = 100
LINE = 15  # of text
FAR = 30  # a series whose last step is so many times its first is drawn on a logarithmic axis


def steps_section(facts: ReportFacts) -> Section | None:
    """None without a series."""
    series = facts.summary.series
    totals = {policy.policy: policy for policy in facts.summary.policies}
    figure = success_by_step(series, totals, facts.policies)
    if figure is None:
        return None
    return Section(
        "steps",
        "Success against training step",
        {"figure": figure, "names": [one.name for one in series]},
    )


def success_by_step(
    series: Sequence[CheckpointSeries],
    totals: Mapping[str, SuccessCounts],
    policies: Sequence[str],
) -> Markup | None:
    """One line per series through its policies' rates, with their intervals and, hollow, the truth
    where it is known."""
    scored = {
        one.name: [
            (s, totals[p]) for s, p in zip(one.steps, one.policies, strict=True) if totals[p].trials
        ]
        for one in series
    }
    drawn = {name: points for name, points in scored.items() if len(points) > 1}
    if not drawn:
        return None
    every = sorted({step for points in drawn.values() for step, _ in points})
    x = _scale(every[0], every[-1])
    lines, marks = [], []
    for points in drawn.values():
        places = " ".join(f"{x(step):.1f},{_y(policy.rate or 0.0):.1f}" for step, policy in points)
        lines.append(Markup('<polyline class="line" points="{}"/>').format(places))
        marks += [_point(x(step), policy, policies.index(policy.policy)) for step, policy in points]
    ends = {
        name: (x(points[-1][0]), _y(points[-1][1].rate or 0.0)) for name, points in drawn.items()
    }
    frame = Markup(
        '<svg class="steps" viewBox="0 0 {} {}" role="group" aria-label="success rate against '
        'training step">{}</svg>'
    )
    parts = Markup("").join([_axes(every, x), *lines, *_names(ends), *marks])
    return frame.format(LEFT + WIDTH + RIGHT, TOP + HEIGHT + BOTTOM, parts)


def _names(ends: Mapping[str, tuple[float, float]]) -> list[Markup]:
    """The series' names at the ends of their lines, one below the other where these lie close
    together."""
    named = list[Markup]()
    lowest = -math.inf
    for name, (x, y) in sorted(ends.items(), key=lambda end: end[1][1]):
        lowest = max(y, lowest + LINE)
        named.append(
            Markup('<text x="{:.1f}" y="{:.1f}">{}</text>').format(x + 12, lowest + 4, name)
        )
    return named


def _point(x: float, policy: SuccessCounts, index: int) -> Markup:
    y = _y(policy.rate or 0.0)
    parts = [
        Markup('<path class="error c{}" data-policy="{}" d="M{:.1f} {:.1f}V{:.1f}"/>').format(
            index % COLOURS, policy.policy, x, _y(policy.low), _y(policy.high)
        )
    ]
    if policy.truth_rate is not None:
        turned = Markup("translate({:.1f} {:.1f}) rotate(45)").format(x, _y(policy.truth_rate))
        diamond = Markup(
            '<rect class="true" data-policy="{}" x="-4" y="-4" width="8" height="8" '
            'transform="{}"/>'
        )
        parts.append(diamond.format(policy.policy, turned))
    return Markup("").join([*parts, mark(index, x, y, policy)])


def _scale(first: int, last: int) -> Callable[[int], float]:
    """Step => x. Logarithmic over a wide range, if no step is 0."""
    bend: Callable[[int], float] = math.log if 0 < first * FAR <= last else float

    def x(step: int) -> float:
        return LEFT + WIDTH * (bend(step) - bend(first)) / (bend(last) - bend(first))

    return x


def _axes(steps: Sequence[int], x: Callable[[int], float]) -> Markup:
    parts = []
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(
            Markup('<path class="grid" d="M{} {}H{}"/>').format(LEFT, _y(tick), LEFT + WIDTH)
        )
        parts.append(
            Markup('<text x="{}" y="{}" text-anchor="end">{:.0f}</text>').format(
                LEFT - 7, _y(tick) + 4, 100 * tick
            )
        )
    last = -math.inf
    for step in steps:
        if x(step) - last >= 52:  # labels that would touch are left out
            last = x(step)
            parts.append(
                Markup('<text x="{:.1f}" y="{}" text-anchor="middle">{:,}</text>').format(
                    last, _y(0) + 17, step
                )
            )
    name = Markup('<text class="name" x="{}" y="{}" text-anchor="middle">training step</text>')
    parts.append(name.format(LEFT + WIDTH / 2, _y(0) + 37))
    side = Markup(
        '<text class="name" transform="translate(13 {}) rotate(-90)" text-anchor="middle">success, '
        "%</text>"
    )
    return Markup("").join([*parts, side.format(_y(0.5))])


def _y(rate: float) -> float:
    return TOP + (1 - rate) * HEIGHT
