"""What `worldgym agreement` prints: success rates of a world model against real ones, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from worldgym.report.formats import decimal, number_of, percent, signed
from worldgym.report.trust_sentences import NOISE
from worldgym.stats.agreement import Agreement, NoiseFree, Ranges
from worldgym.stats.ceiling import NoiseCeiling
from worldgym.stats.gaps import Bias


def agreement_text(found: Agreement, unpaired: Mapping[str, int]) -> str:
    """unpaired: cells that are known on one side only, of "world" and "real"."""
    if found.bias is None:
        return "No cell of policy and task is known on both sides."
    units = found.units
    trained = (
        ""
        if units["families"] == units["policies"]
        else f" of {number_of(units['families'], 'training')}"
    )
    of = f"{_policies(units['policies'])}{trained}, {number_of(units['tasks'], 'task')}"
    lines = [f"{number_of(found.n, 'cell')} of policy and task known on both sides: {of}", ""]
    rows = (
        ("Pearson r", "pearson", found.pearson),
        ("Spearman", "spearman", found.spearman),
        ("Kendall tau-b", "kendall", found.kendall),
        ("r within policies", "policy_centred_pearson", found.policy_centred_pearson),
        ("r within tasks", "task_centred_pearson", found.task_centred_pearson),
    )
    lines += [f"{name:<22}{decimal(r):>6}  {_ranges(found, key)}" for name, key, r in rows]
    only = decimal(found.policy_mean_only_pearson)
    lines.append(f"{'r of policy means only':<22}{only:>6}  (knows nothing about tasks)")
    lines += [*_ceiling(found.noise_ceiling), *_noise_free(found.noise_free), ""]
    lines += [*_biases(found, found.bias), *_gaps(found)]
    if any(unpaired.values()):
        lines.append(
            f"left out, known on one side only: {unpaired['world']} cells of the world model, "
            f"{unpaired['real']} real ones"
        )
    return "\n".join(lines)


def _gaps(found: Agreement) -> list[str]:
    """Distances in points, and what they do to the order of the policies."""
    distances = (
        ("gap of policy means", "mean_abs_gap", found.mean_abs_gap),
        ("RMSE of cells", "rmse", found.rmse),
    )
    lines = [
        f"{name} {value:.1f} points{_bracketed(_ranges(found, key, '{:.1f}'))}"
        for name, key, value in distances
    ]
    if found.mmrv is not None:
        mmrv = _bracketed(_ranges(found, "mmrv", "{:.3f}"))
        what = "0 = same order" + _common(found)
        lines.append(f"MMRV over policy means {found.mmrv:.3f} ({what}){mmrv}")
        regret = _bracketed(_ranges(found, "top1_regret", "{:.3f}"))
        what = "true rate of the best policy minus that of the world model's best" + _common(found)
        lines.append(f"top-1 regret {found.top1_regret:.3f} ({what}){regret}")
    elif found.units["policies"] > 1:
        lines.append(
            "MMRV and top-1 regret: not defined, because no task is known for every policy, and "
            "rates on different tasks do not order them"
        )
    return lines


def _common(found: Agreement) -> str:
    """Which tasks order the policies, where these are not all."""
    common = found.units["common_tasks"]
    if common == found.units["tasks"]:
        return ""
    return f"; over the {number_of(common, 'task')} of all policies"


def _policies(number: int) -> str:
    return f"{number} {'policy' if number == 1 else 'policies'}"


def _ranges(found: Agreement, key: str, form: str = "{:.2f}") -> str:
    """95 % intervals that exist, and the leave-one-out ranges."""
    labelled: tuple[tuple[str, Ranges], ...] = (
        ("95 %", found.intervals),
        ("leaving one out", found.leave_one_out),
    )
    parts = [
        f"{label} over {axis} {_between(span, form)}"
        for label, ranges in labelled
        for axis, span in ranges[key].items()
        if span is not None
    ]
    return "; ".join(parts)


def _ceiling(ceiling: NoiseCeiling | None) -> list[str]:
    """What a perfect evaluator would reach, in a line or two."""
    if ceiling is None:
        why = "it needs the numbers of trials on both sides and rates that differ"
        return [f"noise ceiling of r: not defined; {why}"]
    least = ceiling.least
    most = ceiling.most
    same = least.share == most.share
    frames = "" if same else " if the initial frames of the two sides decide nothing in common"
    if not same and least.share > 0:
        frames = " if the initial frame decides as little of the outcome as these trials allow"
    studies = f"95 % of studies {_between((least.low, least.high))}"
    lines = [
        f"{'noise ceiling of r':<22}{decimal(least.mean):>6}  (a perfect evaluator{frames}; "
        f"{studies})"
    ]
    if not same:
        alike = "a perfect evaluator from the same initial frames, if these decide the outcome"
        lines.append(f"{'':<22}{decimal(most.mean):>6}  ({alike})")
    return lines


def _noise_free(found: Mapping[str, NoiseFree]) -> list[str]:
    """r and the calibration line without the noise of few trials."""
    lines = []
    for name, free in found.items():
        if free.pearson is None:
            continue
        over = {
            key: _bracketed(
                "; ".join(
                    f"95 % over {axis} {_between(span)}"
                    for axis, span in free.intervals[key].items()
                    if span
                )
            )
            for key in ("pearson", "slope", "intercept")
        }
        of = "without trial noise" + NOISE[name]
        lines.append(f"r {of}: {decimal(free.pearson)}{over['pearson']}")
        line = (
            f"slope {decimal(free.slope)}{over['slope']}, intercept "
            f"{decimal(free.intercept)}{over['intercept']}"
        )
        lines.append(
            f"  world model's rate over true rate: {line}; {percent(free.noise_share)} of the "
            f"squared RMSE is trial noise"
        )
    return lines


def _biases(found: Agreement, over_all: Bias) -> list[str]:
    """World minus truth, over all cells, by policy and by task."""
    lines = [f"bias, world model minus truth: {_biased(over_all)}"]
    for biases, of in ((found.policy_bias, "policy"), (found.task_bias, "task")):
        rows = sorted(biases, key=lambda row: (-round(row.value, 6), row.name))
        width = max(len(row.name) for row in rows)
        lines.append(f"  by {of}, each interval for its own row (of {len(rows)}):")
        lines += [f"    {row.name:<{width}} {_biased(row)}" for row in rows]
    return lines


def _biased(row: Bias) -> str:
    spans = {
        "95 % for these trials": row.trials,
        "over tasks": row.tasks,
        "over policies": row.policies,
    }
    known = "; ".join(f"{what} {_between(span, '{:+.1f}')}" for what, span in spans.items() if span)
    return f"{signed(row.value)} points{_bracketed(known)}"


def _between(span: Sequence[float], form: str = "{:.2f}") -> str:
    """ "0.65 to 0.87"; no sign before a zero that rounding made, unless the form asks for one."""
    ends = (form.format(end) for end in span)
    return " to ".join(end.replace("-", "−" if float(end) else "") for end in ends)


def _bracketed(text: str) -> str:
    return f" ({text})" if text else ""
