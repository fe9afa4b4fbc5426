"""Numbers as text, the same on the page, in the terminal and in the output of commands."""

from __future__ import annotations

from collections.abc import Sequence

from worldgym.io.text import amount
from worldgym.types import ROUNDING

NBSP = "\N{NO-BREAK SPACE}"
FINEST = 3  # digits behind the point of a percentage
CHANCE = 0.001  # probabilities closer than this to 0 or 1 are not told apart from them
CONFIDENCE = f"95{NBSP}% confidence interval"


def hundredths(share: float, digits: int = 0) -> str:
    """A share in percent, without the sign: 0.625 => "62". What is neither none nor all never looks
    like it: 0.9995 => "99.95".

    digits: behind the point, where they suffice."""
    told = [f"{round(100 * share, more) + 0.0:g}" for more in range(digits, FINEST + 1)]
    if not ROUNDING < share < 1 - ROUNDING:
        return told[0]
    nearly = "under 0.001" if share < 0.5 else "over 99.999"
    return next((text for text in told if text not in ("0", "100")), nearly)


def percent(rate: float | None) -> str:
    """0.625 => "62.5 %", 0.6 => "60 %", None => a dash."""
    return "–" if rate is None else f"{hundredths(rate, 1)}{NBSP}%"


def span(low: float, high: float) -> str:
    """An interval in whole percent: "39–78 %"."""
    return f"{hundredths(low)}–{hundredths(high)}{NBSP}%"


def tally(value: float) -> str:
    """A sum of scores, of which some may be partial: "3", "0.3"."""
    return f"{round(value, 3):.15g}"


def decimal(value: float | None) -> str:
    """A correlation with two digits, a dash where it is not defined."""
    return "–" if value is None else f"{value:.2f}".replace("-", "−")


def probability(p: float) -> str:
    """A p-value: "= 0.004", and "< 0.001" below that."""
    return f"= {p:.2g}" if p >= 0.001 else "< 0.001"


def chance(p: float) -> str:
    """A probability from draws, which never show 0 or 1: "73.1 %", "over 99.9 %", "under 0.1 %"."""
    if p > 1 - CHANCE:
        return f"over 99.9{NBSP}%"
    return f"under 0.1{NBSP}%" if p < CHANCE else percent(p)


def points(rate: float | None) -> str:
    """A difference in points: "+12", "−3", "+0.4" (where whole points would hide the sign), a dash
    where there is none."""
    if rate is None:
        return "–"
    text = f"{100 * rate:+.0f}" if abs(rate) >= 0.005 else f"{100 * rate:+.1f}"
    return "0" if text[1:] == "0.0" else text.replace("-", "−")


def signed(number: float) -> str:
    """Percentage points with their sign and one digit: "+2.9", "−0.4"."""
    return f"{round(number, 1) + 0.0:+.1f}".replace("-", "−")


def duration(seconds: float) -> str:
    """0.25 => "0.25 s", 90 => "1.5 min", 9000 => "2.5 h"."""
    for size, unit in ((3600.0, "h"), (60.0, "min")):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.3g}{NBSP}{unit}"
    return f"{seconds:.2g}{NBSP}s" if seconds < 10 else f"{seconds:.0f}{NBSP}s"


def number_of(number: int, noun: str) -> str:
    """1 trial, 2 trials."""
    return amount(number, noun).replace(" ", NBSP, 1)


def listed(parts: Sequence[str]) -> str:
    """ "a, b and c"."""
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]
