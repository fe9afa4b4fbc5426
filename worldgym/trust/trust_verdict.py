"""Green, amber or red: from the measurements of a task to one word and one sentence. All limits are
here.

A finding is a share of rollouts that should be small. It is amber where it lies above the first
limit, and red where it lies above the second and its whole 95 % interval above the first: red is
statistically shown, amber may be chance. A task has the colour of its worst finding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from worldgym.report.formats import hundredths
from worldgym.stats.success_rates import Rate
from worldgym.trust.action_following import Response
from worldgym.types import ROUNDING

GREEN = "green"
AMBER = "amber"
RED = "red"
ORDER = (GREEN, AMBER, RED)
NAMED = 3  # initial frames named in a sentence


@dataclass(frozen=True)
class Limit:
    """Shares in [0, 1]."""

    amber: float
    red: float


LIMITS = {
    "floor": Limit(0.05, 0.2),  # of control rollouts that succeed
    # of control rollouts that succeed in the world and not in truth: none of them has an excuse
    "false_floor": Limit(0.02, 0.1),
    "missed": Limit(0.2, 0.4),  # of recorded successes that are no success when replayed
    "invented": Limit(0.2, 0.4),  # of recorded failures that become a success when replayed
    # of closed-loop verdicts that the error predictor expects to be wrong
    "wrong_verdicts": Limit(0.2, 0.35),
}


@dataclass(frozen=True)
class Finding:
    """kind: a key of LIMITS, "strange", or "following" for the world as a whole.   sentence: what
    was found, without a stop."""

    kind: str
    colour: str
    value: float
    sentence: str


@dataclass(frozen=True)
class TaskVerdict:
    """colour: green, amber or red.   reason: one sentence, without a full stop."""

    group: str
    colour: str
    reason: str


def finding(kind: str, rate: Rate, what: str) -> Finding | None:
    """what: of what share this is, e.g. "rollouts with null actions succeed". None where nothing
    was counted."""
    if rate.value is None:
        return None
    limit = LIMITS[kind]
    colour = GREEN
    if _above(rate.value, limit.amber):
        shown = _above(rate.value, limit.red) and _above(rate.low, limit.amber)
        colour = RED if shown else AMBER
    interval = f"95 % interval {hundredths(rate.low)} to {hundredths(rate.high)} %"
    sentence = (
        f"{hundredths(rate.value)} % of {rate.trials} {what} ({interval}); at most "
        f"{100 * limit.amber:.0f} % should"
    )
    return Finding(kind, colour, rate.value, sentence)


def strange_finding(names: Sequence[str], count: int) -> Finding | None:
    """names: of those among a task's `count` initial frames that the world does not know; None if
    there are none.

    They are left out of all other measures, so some of them are amber; without any other frame
    nothing can be measured: red."""
    if not names:
        return None
    if len(names) == count:
        return Finding("strange", RED, 1.0, f"the world knows none of the {count} initial frames")
    told = ", ".join(names[:NAMED]) + (
        f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    )
    return Finding(
        "strange",
        AMBER,
        len(names) / count,
        f"the world does not know {len(names)} of {count} initial frames: {told}",
    )


def following_finding(responses: Sequence[Response], gripper: str) -> Finding | None:
    """One for the whole world: red where a number that moves the arm is dead, amber where one is
    weak, or the gripper dead."""
    judged = [response for response in responses if response.state != "unreadable"]
    if not judged:
        return None
    dead = [r.name for r in judged if r.state == "dead"]
    weak = [r.name for r in judged if r.state == "weak"]
    if not dead and not weak:
        return Finding(
            "following", GREEN, 0.0, f"the world follows {', '.join(r.name for r in judged)}"
        )
    colour = RED if not all(name.endswith(gripper) for name in dead) else AMBER
    parts = [
        f"the world {how} {', '.join(names)}"
        for how, names in (("ignores", dead), ("follows too little or too much", weak))
        if names
    ]
    return Finding("following", colour, float(len(dead)), " and ".join(parts))


def verdict(group: str, findings: Sequence[Finding]) -> TaskVerdict:
    """The worst finding decides; among equals the one furthest beyond its limit."""
    if not any(found.kind != "following" for found in findings):
        worst = [found for found in findings if found.colour == RED]
        reason = (
            worst[0].sentence
            if worst
            else "nothing was measured on this task; give recorded episodes, or policies"
        )
        return TaskVerdict(group, RED if worst else AMBER, reason)
    worst_first = sorted(findings, key=lambda f: (-ORDER.index(f.colour), -round(_excess(f), 9)))
    if worst_first[0].colour == GREEN:
        return TaskVerdict(group, GREEN, f"{len(findings)} measures within their limits")
    return TaskVerdict(group, worst_first[0].colour, worst_first[0].sentence)


def _above(share: float, limit: float) -> bool:
    """By more than rounding: 2 of 10 are not above 0.2, whatever their sum was divided by."""
    return share > limit + ROUNDING


def _excess(found: Finding) -> float:
    return found.value / LIMITS[found.kind].red if found.kind in LIMITS else found.value
