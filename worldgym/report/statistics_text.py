"""What the commands of the statistics print: their numbers in words. Each takes what the command
prints with --json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from worldgym.report.findings import (
    chance,
    compared,
    headline,
    likely_orders,
    missing_sentence,
    mixture_sentence,
    unranked_sentence,
)
from worldgym.report.words import (
    NOISE,
    decimal,
    named_reasons,
    number_of,
    percent,
    points,
    probability,
    signed,
    span,
)

LEAST = 0.001  # probability of being the best that is named
PAIRS = 28  # comparisons that are listed in full


def agreement_text(answer: Mapping[str, Any]) -> str:
    """Of an Agreement as a mapping, with `unpaired` cells of either side."""
    if answer["n"] == 0:
        return "No cell of policy and task is known on both sides."
    units = answer["units"]
    trained = (
        ""
        if units["families"] == units["policies"]
        else f" of {number_of(units['families'], 'training')}"
    )
    of = f"{_policies(units['policies'])}{trained}, {number_of(units['tasks'], 'task')}"
    lines = [f"{number_of(answer['n'], 'cell')} of policy and task known on both sides: {of}", ""]
    names = {
        "pearson": "Pearson r",
        "spearman": "Spearman",
        "kendall": "Kendall tau-b",
        "policy_centred_pearson": "r within policies",
        "task_centred_pearson": "r within tasks",
    }
    lines += [
        f"{name:<22}{decimal(answer[key]):>6}  {_ranges(answer, key)}"
        for key, name in names.items()
    ]
    only = decimal(answer["policy_mean_only_pearson"])
    lines.append(f"{'r of policy means only':<22}{only:>6}  (knows nothing about tasks)")
    lines += [*_ceiling(answer["noise_ceiling"]), *_noise_free(answer["noise_free"]), ""]
    lines += _bias(answer)
    for key, name in (("mean_abs_gap", "gap of policy means"), ("rmse", "RMSE of cells")):
        lines.append(f"{name} {answer[key]:.1f} points{_bracketed(_ranges(answer, key, '{:.1f}'))}")
    if answer["mmrv"] is not None:
        mmrv = _bracketed(_ranges(answer, "mmrv", "{:.3f}"))
        lines.append(f"MMRV over policy means {answer['mmrv']:.3f} (0 = same order){mmrv}")
        regret = _bracketed(_ranges(answer, "top1_regret", "{:.3f}"))
        what = "true rate of the best policy less that of the world model's best"
        lines.append(f"top-1 regret {answer['top1_regret']:.3f} ({what}){regret}")
    if any(answer["unpaired"].values()):
        left_out = answer["unpaired"]
        lines.append(
            f"left out, known on one side only: {left_out['world']} cells of the world, "
            f"{left_out['real']} real ones"
        )
    return "\n".join(lines)


def comparison_text(answer: Mapping[str, Any]) -> str:
    """Of what `worldgym compare --json` prints."""
    if not any(p["trials"] for p in answer["policies"]):
        return "No trial has been scored yet."
    lines = [
        headline(answer),
        missing_sentence(answer),
        mixture_sentence(answer),
        unranked_sentence(answer),
    ]
    if left_out := answer.get("trust", {}).get("left_out"):
        lines.append(f"Left out, for the check of the world calls them red: {', '.join(left_out)}.")
    lines = [*filter(None, lines), "", *_standing(answer), ""]
    together = [c for c in answer["comparisons"] if c["n"]]
    shown = answer["comparisons"]
    if len(together) > 1:
        hold = f"Intervals and p-values hold for all {len(together)} comparisons together."
        if len(shown) > PAIRS:
            first = answer["rank_intervals"][0]["policy"]
            shown = [c for c in together if first in (c["a"], c["b"])]
            hold += f" Those with {first} are listed; --json has all."
        lines.append(hold)
    if len(together) > 1 or len(shown) > 1 or not together:
        lines += [*(compared(c, len(together)) for c in shown), ""]
    return "\n".join([*lines, *_ranked(answer["ranking"])]).rstrip()


def until_decided_text(answer: Mapping[str, Any]) -> str:
    """Of `worldgym compare --until-decided`: a line a pair, and whether it is time to stop."""
    lines, pairs = [], answer["comparisons"]
    for c in pairs:
        s = c["sequential"]
        frames = number_of(s["n"], "initial frame")
        if s["winner"] is None:
            lines.append(
                f"{c['a']} against {c['b']}: not yet decided after {frames} (p "
                f"{probability(s['p_holm'])})"
            )
        else:
            other = c["b"] if s["winner"] == c["a"] else c["a"]
            lines.append(
                f"{c['a']} against {c['b']}: decided for {s['winner']} over {other} after "
                f"{s['decided']} of {frames}"
            )
    open_pairs = sum(c["sequential"]["winner"] is None for c in pairs)
    whole = (
        f"{number_of(len(pairs), 'pair')}, looked at as often as you like; all together err in 5 % "
        f"of "
        f"runs at most."
    )
    stop = (
        "Every pair is decided: you may stop."
        if not open_pairs
        else f"{open_pairs} not decided yet."
    )
    return "\n".join(
        [
            f"In the world model: {stop} {whole}",
            *filter(None, [missing_sentence(answer)]),
            "",
            *lines,
        ]
    )


def gate_text(answer: Mapping[str, Any]) -> str:
    """Of `worldgym compare --baseline`: a line a policy."""
    margin, rows = f"{100 * answer['margin']:g} points", answer["answers"]
    asked = (
        f"within {margin} of" if answer["equivalent"] else f"not worse by more than {margin} than"
    )
    passed = "Passes" if answer["passes"] else "Does not pass"
    lines = [f"{passed}: in the world model, is every policy {asked} {answer['baseline']}?"]
    several = f", corrected for {len(rows)} policies" if len(rows) > 1 else ""
    lines += [*filter(None, [missing_sentence(answer)]), ""]
    for row in rows:
        if row["value"] is None:
            lines.append(
                f"{row['policy']}: cannot be told; it shares no scored trial with "
                f"{answer['baseline']}"
            )
            continue
        bounds = (
            f"between {points(row['low'])} and {points(row['high'])} (one-sided 95 % "
            f"bounds{several})"
        )
        trials = (
            f"{number_of(row['n'], 'common trial')} on {number_of(row['frames'], 'initial frame')}"
        )
        missing = (
            f"; {number_of(row['missing'], 'planned trial')} of the two missing"
            if row["missing"]
            else ""
        )
        lines.append(
            f"{row['policy']}: {row['answer']}; {signed(100 * row['value'])} points, {bounds}, "
            f"{trials}{missing}"
        )
    return "\n".join(lines)


def preference_text(answer: Mapping[str, Any]) -> str:
    """Of what preferences.compare_policies returns."""
    lines = [
        f"{pair['first']} against {pair['second']}, {_verdicts(pair)}" for pair in answer["pairs"]
    ]
    if why := named_reasons(answer.get("reasons", {}), "comparison"):
        lines.append(why)
    if answer["ranking"] is None:
        return "\n".join([*lines, "No comparison was decided."])
    lines += ["", "log strengths, which sum to 0; 1 apart is odds of 2.7 where there is no tie:"]
    width = max(len(row["policy"]) for row in answer["strengths"])
    for row in answer["strengths"]:
        low, high = decimal(row["low"]), decimal(row["high"])
        lines.append(f"{row['policy']:<{width}} {decimal(row['value']):>6} (95 % {low} to {high})")
    return "\n".join(
        [*lines, "", *_ranked(answer["ranking"]), f"cost {answer['cost_usd']:.2f} USD"]
    )


def estimate_text(answer: Mapping[str, Any]) -> str:
    """Of {"level": ..., "mixture": ..., "estimates": what studies.estimate returns}."""
    level, scope = (
        f"{100 * answer['level']:g} %",
        "over all tasks" if answer["mixture"] else "within tasks",
    )
    return "\n\n".join(_estimate(estimate, level, scope) for estimate in answer["estimates"])


def plan_text(answer: Mapping[str, Any]) -> str:
    """Of what planning.plan returns, with `asked`."""
    asked, lines = answer["asked"], []
    if "for_width" in answer:
        rate = f"at a rate of {percent(asked['rate'])}"
        lines.append(
            f"{answer['for_width']} trials for a 95 % interval {100 * asked['width']:g} points "
            f"wide {rate}{_repeated(asked)}"
        )
    if "for_width_with_imagined" in answer:
        imagined = (
            f"{asked['imagined']} imagined initial frames, where real and imagined outcomes "
            f"correlate by"
        )
        real = f"{answer['for_width_with_imagined']} real trials, one an initial frame,"
        lines.append(f"{real} for the same beside {imagined} {asked['real_correlation']:g}")
    if "pairs_to_tell" in answer:
        purpose = (
            f"to tell {percent(asked['a'])} from {percent(asked['b'])} with probability "
            f"{asked['power']:g}"
        )
        alike = f"outcomes that correlate by {asked['correlation']:g}"
        lines.append(
            f"{answer['pairs_to_tell']} common trials {purpose}, with {alike}{_repeated(asked)} "
            f"(McNemar's exact test)"
        )
        lines.append(
            f"{answer['trials_to_tell']} trials of each policy if they are not paired (Barnard's "
            f"test)"
        )
    return "\n".join(lines)


def stress_text(answer: Mapping[str, Any]) -> str:
    """Of what stress.stress returns."""
    lines = [
        f"{answer['rollouts']} rollouts of {answer['budget']}; drops on fresh initial frames and "
        f"seeds:"
    ]
    for found in answer["candidates"]:
        verdict = "breaks the policy" if found["confirmed"] else "not confirmed"
        interval = (
            f"{points(found['drop'])} points [{points(found['low'])}, {points(found['high'])}]"
        )
        lines.append(
            f"{found['edit']} at strength {found['strength']:.2f}: {interval}, p = "
            f"{found['p_holm']:.2g} corrected, "
            f"{found['n']} pairs: {verdict}"
        )
    lines.append(
        f"suite: {answer['suite']}"
        if answer["suite"]
        else "No candidate was confirmed, so no suite is written."
    )
    return "\n".join(lines)


def _estimate(e: Mapping[str, Any], level: str, scope: str) -> str:
    real = f"{e['policy']}: {percent(e['real'])} of {e['n']} real initial frames"
    wilson, exact = span(e["real_low"], e["real_high"]), span(e["exact_low"], e["exact_high"])
    alone = f"  {level} from these alone: {wilson} (Wilson), {exact} (exact)"
    bet = (
        f"  {level} with the imagined ones, valid for any number of trials: "
        f"{span(e['bet_low'], e['bet_high'])} (betting)"
    )
    if not e["helps"]:
        why = (
            "no real initial frame was imagined beside others of its group"
            if not e["paired"]
            else "it does not predict these trials"
        )
        return "\n".join(
            [
                real,
                alone,
                f"  The world model does not help: {why}; the interval is that of the real trials "
                f"alone.",
                bet,
            ]
        )
    used = f"{e['paired']} of them imagined too, and {e['N']} more imagined ones"
    power = (
        f"  {level} with {used}: {percent(e['value'])}, {span(e['low'], e['high'])} (asymptotic)"
    )
    trust = f"r {scope} {decimal(e['correlation'])}, lambda {e['belief']:.2f}"
    worth = f"  worth {e['worth']:.0f} real initial frames, {e['saved']:.0f} saved; {trust}"
    return "\n".join([real, alone, power, worth, bet])


def _standing(answer: Mapping[str, Any]) -> list[str]:
    """A line a policy, best first: rate, interval, what it rests on, and the ranks that it may
    have."""
    policies = {p["policy"]: p for p in answer["policies"]}
    width = max(len(row["policy"]) for row in answer["rank_intervals"])
    lines = []
    for row in answer["rank_intervals"]:
        p = policies[row["policy"]]
        rank = f"rank {row['low']}" + ("" if row["low"] == row["high"] else f" to {row['high']}")
        mean = (
            f", mean over tasks {percent(p['mean_over_tasks'])}"
            if answer["unequal_mixture"]
            else ""
        )
        trials = f"{number_of(p['trials'], 'trial')} on {number_of(p['frames'], 'initial frame')}"
        rate = f"{percent(p['rate']):>7} ({span(p['low'], p['high'])}) of {trials}{mean}"
        lines.append(
            f"{row['policy']:<{width}} {rate}" + (f"; {rank}" if len(policies) > 1 else "")
        )
    if len(lines) > 1:
        lines.append(
            "(rates: 95 % interval of each policy by itself; ranks: 95 % for all policies together)"
        )
    return lines


def _ranked(ranking: Mapping[str, Any] | None) -> list[str]:
    """The most probable order, and who may be the best."""
    if ranking is None or len(ranking["policies"]) < 2:
        return []
    best = sorted(
        zip(ranking["policies"], ranking["best"], strict=True), key=lambda row: -float(row[1])
    )
    shares = [f"{name} {chance(share)}" for name, share in best if share >= LEAST]
    rest = "" if len(shares) == len(best) else "; the others below 0.1 %"
    return [
        likely_orders(ranking["orders"]),
        f"probability of being the best: {', '.join(shares)}{rest}",
    ]


def _verdicts(pair: Mapping[str, Any]) -> str:
    won = pair["won"]
    ties = f"{number_of(won['tie'], 'tie')} ({won['disagreed']} because the two orders disagree)"
    lost = f"{won['undecided']} undecided, {pair['broken']} broken"
    return (
        f"{number_of(pair['trials'], 'trial')}: closer in {won['first']}, farther in "
        f"{won['second']}, "
        f"{ties}, {lost}"
    )


def _repeated(asked: Mapping[str, Any]) -> str:
    if asked["repeats"] == 1:
        return ""
    return (
        f", each initial frame tried {asked['repeats']} times with outcomes that correlate by "
        f"{asked['repeat_correlation']:g}"
    )


def _policies(number: int) -> str:
    return f"{number} {'policy' if number == 1 else 'policies'}"


def _ranges(answer: Mapping[str, Any], key: str, form: str = "{:.2f}") -> str:
    """95 % intervals that exist, and the leave-one-out ranges."""
    parts = [
        f"{label} over {axis} {_between(found, form)}"
        for label, ranges in (
            ("95 %", answer["intervals"]),
            ("leaving one out", answer["leave_one_out"]),
        )
        for axis, found in ranges[key].items()
        if found is not None
    ]
    return "; ".join(parts)


def videos_text(answer: Mapping[str, Any]) -> str:
    """Of the summary of judged videos (see videos.py): a line an instruction, then what was not
    scored and why."""
    rows = [*answer["instructions"]] if len(answer["instructions"]) > 1 else []
    lines = [
        f"{percent(row['rate']):>7} ({span(row['low'], row['high'])}) of {row['trials']}  "
        f"{row['instruction']}"
        for row in rows
    ]
    lines.append(
        f"{percent(answer['rate']):>7} ({span(answer['low'], answer['high'])}) of "
        f"{number_of(answer['trials'], 'scored video')}"
    )
    lines.append(
        f"{answer['unscored']} unscored and {answer['failed']} failed, which enter no rate."
    )
    lines.append(named_reasons(answer["reasons"], "video"))
    if answer["cost_usd"]:
        lines.append(
            f"The answers cost {answer['cost_usd']:.2f} USD, of which {answer['paid_usd']:.2f} "
            f"were paid now."
        )
    return "\n".join(line for line in lines if line)


def _between(span: Sequence[float], form: str = "{:.2f}") -> str:
    """ "0.65 to 0.87"; no sign before a zero that rounding made, unless the form asks for one."""
    ends = (form.format(end) for end in span)
    return " to ".join(end.replace("-", "−" if float(end) else "") for end in ends)


def _bracketed(text: str) -> str:
    return f" ({text})" if text else ""


def _ceiling(ceiling: Mapping[str, Any] | None) -> list[str]:
    """What a perfect evaluator would reach, in a line or two."""
    if ceiling is None:
        why = "it needs the numbers of trials on both sides and rates that differ"
        return [f"noise ceiling of r: not defined; {why}"]
    least, most = ceiling["least"], ceiling["most"]
    same = least["share"] == most["share"]
    frames = "" if same else " if the initial frames of the two sides decide nothing in common"
    if not same and least["share"] > 0:
        frames = " if the initial frame decides as little of the outcome as these trials allow"
    studies = f"95 % of studies {_between((least['low'], least['high']))}"
    lines = [
        f"{'noise ceiling of r':<22}{decimal(least['mean']):>6}  (a perfect evaluator{frames}; "
        f"{studies})"
    ]
    if not same:
        alike = "a perfect evaluator from the same initial frames, if these decide the outcome"
        lines.append(f"{'':<22}{decimal(most['mean']):>6}  ({alike})")
    return lines


def _noise_free(found: Mapping[str, Any]) -> list[str]:
    """r and the calibration line without the noise of few trials."""
    lines = []
    for name, free in found.items():
        if free["pearson"] is None:
            continue
        over = {
            key: _bracketed(
                "; ".join(
                    f"95 % over {axis} {_between(span)}"
                    for axis, span in free["intervals"][key].items()
                    if span
                )
            )
            for key in ("pearson", "slope", "intercept")
        }
        of = "without trial noise" + NOISE[name]
        lines.append(f"r {of}: {decimal(free['pearson'])}{over['pearson']}")
        line = (
            f"slope {decimal(free['slope'])}{over['slope']}, intercept "
            f"{decimal(free['intercept'])}{over['intercept']}"
        )
        lines.append(
            f"  world model's rate over true rate: {line}; {percent(free['noise_share'])} of the "
            f"squared RMSE is trial noise"
        )
    return lines


def _bias(answer: Mapping[str, Any]) -> list[str]:
    """World less truth, over all cells, by policy and by task."""
    lines = [f"bias, world model less truth: {_biased(answer['bias'])}"]
    for key, of in (("policy_bias", "policy"), ("task_bias", "task")):
        rows = sorted(answer[key], key=lambda row: (-round(row["value"], 6), row["name"]))
        width = max(len(row["name"]) for row in rows)
        lines.append(f"  by {of}, each interval for its own row (of {len(rows)}):")
        lines += [f"    {row['name']:<{width}} {_biased(row)}" for row in rows]
    return lines


def _biased(row: Mapping[str, Any]) -> str:
    spans = {
        "95 % for these trials": row["trials"],
        "over tasks": row["tasks"],
        "over policies": row["policies"],
    }
    known = "; ".join(f"{what} {_between(span, '{:+.1f}')}" for what, span in spans.items() if span)
    return f"{signed(row['value'])} points{_bracketed(known)}"
