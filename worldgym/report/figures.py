"""Parts of the report's figures, as inline SVG. Colours are the page's CSS classes, so that they
follow light and dark.

What the page's script needs stands in data attributes: data-tip (where empty, the label that screen
readers read) is shown at the pointer,
data-policy and data-task are what the reader's choice shows or hides.
"""

from __future__ import annotations

from collections.abc import Callable

from markupsafe import Markup

from worldgym.report.formats import CONFIDENCE, percent, span, tally
from worldgym.stats.success_counts import CellSummary, SuccessCounts

COLOURS = 8  # CSS classes c0 .. c7; a ninth policy starts over with a square marker

BAR_WIDTH = 132
BAR_HEIGHT = 14
BAR_EDGE = 6


def interval_marks(
    x: Callable[[float], str], value: float | None, ends: tuple[float, float], truth: float | None
) -> Markup:
    """Band between the ends, dot at the value (neither where it is None), hollow diamond at the
    truth where it is known."""
    middle = BAR_HEIGHT / 2
    parts = []
    if value is not None:
        low, high = map(x, ends)
        parts.append(
            Markup('<line class="band" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(
                low, high, middle, middle
            )
        )
        parts.append(Markup('<circle class="dot" cx="{}" cy="{}" r="4"/>').format(x(value), middle))
    if truth is not None:
        place = Markup("translate({} {}) rotate(45)").format(x(truth), middle)
        parts.append(
            Markup('<rect class="true" x="-4" y="-4" width="8" height="8" transform="{}"/>').format(
                place
            )
        )
    return Markup("").join(parts)


def interval_bar(cell: SuccessCounts, policy_index: int, width: int = BAR_WIDTH) -> Markup:
    """One cell as a bar from 0 to 100 %: band = interval, dot = rate, hollow diamond = truth."""

    def x(rate: float) -> str:
        return f"{BAR_EDGE + rate * (width - 2 * BAR_EDGE):.1f}"

    middle = BAR_HEIGHT / 2
    track = Markup('<line class="track" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(
        x(0), x(1), middle, middle
    )
    marks = interval_marks(x, cell.rate, (cell.low, cell.high), cell.truth_rate)
    frame = Markup(
        '<svg class="bar c{}" viewBox="0 0 {} {}" role="img" aria-label="{}" data-tip="">{}</svg>'
    )
    return frame.format(policy_index % COLOURS, width, BAR_HEIGHT, cell_text(cell), track + marks)


def cell_text(cell: SuccessCounts) -> str:
    """One cell in words, for tooltips and screen readers."""
    text = f"{cell.policy}, {_task(cell) or 'all tasks'}: world model {percent(cell.rate)}"
    if cell.trials:
        interval = f"{CONFIDENCE} {span(cell.low, cell.high)}"
        text += f" ({tally(cell.successes)} of {cell.trials}; {interval})"
    if cell.truth_rate is not None:
        interval = span(cell.truth_low, cell.truth_high)
        counts = "tasks weighted as here"
        if cell.truth_pooled:
            counts = f"{tally(cell.truth_successes)} of {cell.truth_trials}"
        text += f"; truth {percent(cell.truth_rate)} ({counts}; {interval})"
    return text


def mark(index: int, x: float, y: float, cell: SuccessCounts) -> Markup:
    """A cell as a point of its policy's colour, from the ninth policy on a square. It tells of
    itself, and takes a click."""
    told = Markup(
        'data-policy="{}" data-task="{}" data-tip="" aria-label="{}" tabindex="0" role="button"'
    ).format(cell.policy, _task(cell), cell_text(cell))
    if index < COLOURS:
        return Markup('<circle class="point c{}" cx="{:.1f}" cy="{:.1f}" r="5.5" {}/>').format(
            index, x, y, told
        )
    square = Markup('<rect class="point c{}" x="{:.1f}" y="{:.1f}" width="10" height="10" {}/>')
    return square.format(index % COLOURS, x - 5, y - 5, told)


def _task(cell: SuccessCounts) -> str:
    """Empty for all tasks of a policy."""
    return cell.task if isinstance(cell, CellSummary) else ""
