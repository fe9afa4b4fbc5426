"""What `worldgym estimate` and `worldgym plan` print: real success rates from few real trials and
many in the world model, and how many trials are needed."""

from __future__ import annotations

from worldgym.report.formats import decimal, percent, span
from worldgym.stats.studies import Estimates, PolicyEstimate
from worldgym.stats.trial_plan_request import TrialPlanRequest
from worldgym.stats.trial_planning import TrialNumbers


def estimate_text(found: Estimates) -> str:
    level = f"{100 * found.level:g} %"
    scope = "over all tasks" if found.mixture else "within tasks"
    return "\n\n".join(_estimate(estimate, level, scope) for estimate in found.estimates)


def plan_text(numbers: TrialNumbers, asked: TrialPlanRequest) -> str:
    """asked: what the numbers were planned for."""
    lines = []
    if numbers.for_width is not None and asked.width is not None:
        rate = f"at a rate of {percent(asked.rate)}"
        width = f"a 95 % confidence interval {100 * asked.width:g} points wide"
        lines.append(f"{numbers.for_width} trials for {width} {rate}{_repeated(asked)}")
    if numbers.for_width_with_generated is not None:
        each = "one" if asked.repeats == 1 else str(asked.repeats)
        real = f"{numbers.for_width_with_generated} real trials, {each} per initial frame,"
        correlate = f"if its outcomes correlate with real ones by {asked.real_correlation:g}"
        lines.append(
            f"{real} for the same width beside {asked.generated} initial frames tried in the "
            f"world model, {correlate}"
        )
    if numbers.pairs_to_tell is not None:
        purpose = (
            f"to tell {percent(asked.a)} from {percent(asked.b)} with probability {asked.power:g}"
        )
        alike = f"outcomes that correlate by {asked.correlation:g}"
        lines.append(
            f"{numbers.pairs_to_tell} common trials {purpose}, with {alike}{_repeated(asked)} "
            f"(McNemar's exact test)"
        )
        lines.append(
            f"{numbers.trials_to_tell} trials of each policy if they are not paired (Barnard's "
            f"test)"
        )
    return "\n".join(lines)


def _estimate(e: PolicyEstimate, level: str, scope: str) -> str:
    real = f"{e.policy}: {percent(e.real)} of {e.n} real initial frames"
    wilson = span(e.real_low, e.real_high)
    exact = span(e.exact_low, e.exact_high)
    alone = f"  {level} from these alone: {wilson} (Wilson), {exact} (exact)"
    bet = (
        f"  {level} with trials in the world model, valid for any number of trials: "
        f"{span(e.bet_low, e.bet_high)} (betting)"
    )
    said = [f"  {e.absent}"] if e.absent else []
    if e.corrected is not None and e.corrected.rate is not None:
        interval = span(e.corrected.low, e.corrected.high)
        said += [
            f"  {level} from trials in the world model alone, corrected for its errors and the "
            f"judge's: {percent(e.corrected.rate)}, {interval}"
        ]
    if not e.helps:
        why = (
            "no real initial frame has a score there beside another of its task; run more --trials"
            if not e.paired
            else "it does not predict these trials"
        )
        return "\n".join(
            [
                real,
                alone,
                f"  The world model does not help: {why}; the interval is that of the real trials "
                f"alone.",
                bet,
                *said,
            ]
        )
    used = f"{e.paired} of them tried in the world model too, and {e.N} tried there only"
    power = f"  {level} with {used}: {percent(e.value)}, {span(e.low, e.high)} (asymptotic)"
    trust = f"r {scope} {decimal(e.correlation)}, lambda {e.belief:.2f}"
    worth = f"  as good as {e.worth:.0f} real initial frames, {e.saved:.0f} saved; {trust}"
    return "\n".join([real, alone, power, worth, bet, *said])


def _repeated(asked: TrialPlanRequest) -> str:
    if asked.repeats == 1:
        return ""
    return (
        f", each initial frame tried {asked.repeats} times with outcomes that correlate by "
        f"{asked.repeat_correlation:g}"
    )
