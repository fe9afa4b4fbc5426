"""What the commands of the statistics print: their numbers in words. Each takes what the command prints with --json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from worldgym.report.words import compared, decimal, percent, points, span


def agreement_text(answer: Mapping[str, Any]) -> str:
    """Of an Agreement as a mapping, with `unpaired` cells of either side."""
    if answer["n"] == 0:
        return "No cell of policy and task is known on both sides."
    lines = [f"{answer['n']} cells of policy and task known on both sides", ""]
    names = {
        "pearson": "Pearson r",
        "spearman": "Spearman",
        "kendall": "Kendall tau-b",
        "policy_centred_pearson": "r within policies",
        "task_centred_pearson": "r within tasks",
    }
    lines += [f"{name:<22}{decimal(answer[key]):>6}  {_ranges(answer, key)}" for key, name in names.items()]
    lines.append(f"{'r of policy means only':<22}{decimal(answer['policy_mean_only_pearson']):>6}  (knows nothing about tasks)")
    ceiling = answer["noise_ceiling"]
    if ceiling is None:
        lines.append("noise ceiling of r: not defined; it needs the numbers of trials on both sides and rates that differ")
    else:
        spread = f"95 % of studies {decimal(ceiling['low'])} to {decimal(ceiling['high'])}"
        lines.append(
            f"{'noise ceiling of r':<22}{decimal(ceiling['mean']):>6}  ({spread}; a perfect evaluator with these trials)"
        )
    lines += [
        "",
        f"gap of policy means {answer['mean_abs_gap']:.2f} points, RMSE of cells {answer['rmse']:.1f} points{_noise(answer)}",
    ]
    if answer["mmrv"] is not None:
        lines.append(f"MMRV over policy means {answer['mmrv']:.3f} (0 = same order)")
    if any(answer["unpaired"].values()):
        left_out = answer["unpaired"]
        lines.append(f"left out, known on one side only: {left_out['world']} cells of the world, {left_out['real']} real ones")
    return "\n".join(lines)


def comparison_text(answer: Mapping[str, Any]) -> str:
    """Of what studies.compare returns."""
    lines = [compared(comparison, len(answer["comparisons"])) for comparison in answer["comparisons"]]
    ranking = answer["ranking"]
    if ranking is None:
        return "No trial has been scored yet."
    likely = ranking["orders"][0]
    lines.append(f"most probable order: {' > '.join(likely['policies'])} ({percent(likely['probability'])})")
    best = zip(ranking["policies"], ranking["best"], strict=True)
    lines.append("probability of being best: " + ", ".join(f"{name} {percent(share)}" for name, share in best))
    return "\n".join(lines)


def estimate_text(answer: Mapping[str, Any]) -> str:
    """Of {"level": ..., "estimates": what studies.estimate returns}."""
    return "\n\n".join(_estimate(estimate, f"{100 * answer['level']:g} %") for estimate in answer["estimates"])


def plan_text(answer: Mapping[str, Any]) -> str:
    """Of what planning.plan returns, with `asked`."""
    asked, lines = answer["asked"], []
    if "for_width" in answer:
        lines.append(f"{answer['for_width']} trials for a 95 % interval {100 * asked['width']:g} points wide")
    if "for_width_with_imagined" in answer:
        real, needed = answer["for_width_with_imagined"], f"{asked['imagined']} imagined start frames that correlate by"
        lines.append(f"{real} real trials for the same beside {needed} {asked['real_correlation']:g}")
    if "pairs_to_tell" in answer:
        purpose = f"to tell {percent(asked['a'])} from {percent(asked['b'])} with probability {asked['power']:g}"
        lines.append(f"{answer['pairs_to_tell']} common trials {purpose} (McNemar's exact test)")
        lines.append(f"{answer['trials_to_tell']} trials of each policy if they are not paired (Barnard's test)")
    return "\n".join(lines)


def stress_text(answer: Mapping[str, Any]) -> str:
    """Of what stress.stress returns."""
    lines = [f"{answer['rollouts']} rollouts of {answer['budget']}; drops on fresh start frames and seeds:"]
    for found in answer["candidates"]:
        verdict = "breaks the policy" if found["confirmed"] else "not confirmed"
        interval = f"{points(found['drop'])} points [{points(found['low'])}, {points(found['high'])}]"
        lines.append(
            f"{found['edit']} at strength {found['strength']:.2f}: {interval}, p = {found['p_holm']:.2g} corrected, "
            f"{found['n']} pairs: {verdict}"
        )
    lines.append(f"suite: {answer['suite']}" if answer["suite"] else "No candidate was confirmed, so no suite is written.")
    return "\n".join(lines)


def _estimate(e: Mapping[str, Any], level: str) -> str:
    real = f"{e['policy']}: {percent(e['real'])} of {e['n']} real start frames"
    wilson, exact = span(e["real_low"], e["real_high"]), span(e["exact_low"], e["exact_high"])
    alone = f"  {level} from these alone: {wilson} (Wilson), {exact} (exact)"
    bet = f"  {level} with the imagined ones, valid for any number of trials: {span(e['bet_low'], e['bet_high'])} (betting)"
    if not e["helps"]:
        why = (
            "no real start frame was imagined beside others of its group"
            if not e["paired"]
            else "it does not predict these trials"
        )
        return "\n".join(
            [real, alone, f"  The world model does not help: {why}; the interval is that of the real trials alone.", bet]
        )
    used = f"{e['paired']} of them imagined too, and {e['N']} more imagined ones"
    power = f"  {level} with {used}: {percent(e['value'])}, {span(e['low'], e['high'])} (asymptotic)"
    trust = f"r within tasks {decimal(e['correlation'])}, lambda {e['belief']:.2f}"
    worth = f"  worth {e['worth']:.0f} real trials, {e['saved']:.0f} saved; {trust}"
    return "\n".join([real, alone, power, worth, bet])


def _ranges(answer: Mapping[str, Any], key: str) -> str:
    """95 % intervals that exist, and the leave-one-out ranges."""
    parts = [
        f"{label} over {axis} {decimal(found[0])} to {decimal(found[1])}"
        for label, ranges in (("95 %", answer["intervals"]), ("leaving one out", answer["leave_one_out"]))
        for axis, found in ranges[key].items()
        if found is not None
    ]
    return "; ".join(parts)


def _noise(answer: Mapping[str, Any]) -> str:
    ceiling = answer["noise_ceiling"]
    if ceiling is None or answer["noise_share"] is None:
        return ""
    share = f"{percent(answer['noise_share'])} of its square"
    return f" (trial noise alone: {ceiling['mean_abs_gap']:.2f} and {ceiling['rmse']:.1f}, {share})"
