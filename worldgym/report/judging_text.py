"""What the commands of the judge print: judged videos, preferences between policies, and how well a
judge agrees with people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from worldgym.report.comparison_text import ranking_lines
from worldgym.report.console import OutputConsole
from worldgym.report.formats import decimal, number_of, percent, span
from worldgym.report.trial_sentences import named_reasons
from worldgym.stats.preference_counts import PairPreferences, PreferenceFigures
from worldgym.stats.video_rates import VideosSummary


def videos_text(found: VideosSummary) -> str:
    """One line per instruction, then what was not scored and why."""
    rows = [*found.instructions] if len(found.instructions) > 1 else []
    lines = [
        f"{percent(row.rate):>7} ({span(row.low, row.high)}) of {row.trials}  {row.instruction}"
        for row in rows
    ]
    lines.append(
        f"{percent(found.rate):>7} ({span(found.low, found.high)}) of "
        f"{number_of(found.trials, 'scored video')}"
    )
    lines.append(f"{found.unscored} unscored and {found.failed} failed videos are in no rate.")
    lines.append(named_reasons(found.reasons, "video"))
    lines += [f"{number_of(row.trials, 'video')}: {row.reason}." for row in found.notes]
    if found.cost_usd:
        lines.append(
            f"The answers cost {found.cost_usd:.2f} USD, of which {found.paid_usd:.2f} "
            f"were paid now."
        )
    return "\n".join(line for line in lines if line)


def preference_text(found: PreferenceFigures) -> str:
    lines = [f"{pair.first} against {pair.second}, {_verdicts(pair)}" for pair in found.pairs]
    if why := named_reasons(found.reasons, "comparison"):
        lines.append(why)
    if found.ranking is None:
        return "\n".join([*lines, "No comparison was decided."])
    lines += [
        "",
        "log strengths, which sum to 0; a difference of 1 means odds of 2.7 without ties:",
    ]
    width = max(len(row.policy) for row in found.strengths)
    for row in found.strengths:
        low, high = decimal(row.low), decimal(row.high)
        lines.append(f"{row.policy:<{width}} {decimal(row.value):>6} (95 % {low} to {high})")
    return "\n".join(
        [
            *lines,
            "",
            *ranking_lines(found.ranking),
            f"cost {found.cost_usd:.2f} USD",
        ]
    )


def _verdicts(pair: PairPreferences) -> str:
    won = pair.won
    ties = f"{number_of(won.tie, 'tie')} ({won.disagreed} because the two orders disagree)"
    lost = f"{won.undecided} undecided, {pair.broken} broken"
    return (
        f"{number_of(pair.trials, 'trial')}: better in {won.first}, worse in {won.second}, "
        f"{ties}, {lost}"
    )


def print_calibration(figures: Mapping[str, Any]) -> None:
    """The confusion matrix of a judge, its rates with 95 % intervals, its agreement, and its
    robustness."""
    console = OutputConsole()
    counts = figures["counts"]
    table = Table(
        title=Text(f"judge {figures['judge']}"), title_justify="left", box=box.SIMPLE_HEAD
    )
    for column in ("truth", "judged success", "judged failure", "unscored"):
        table.add_column(column, justify="left" if column == "truth" else "right")
    table.add_row(
        "success",
        *(str(counts[name]) for name in ("true_success", "false_failure", "unscored_success")),
    )
    table.add_row(
        "failure",
        *(str(counts[name]) for name in ("false_success", "true_failure", "unscored_failure")),
    )
    console.print(table)
    labels = figures["labels"]
    lines = [
        f"{figures['videos']} videos, labelled by {', '.join(labels['labellers'])}",
        f"left out: {labels['undecided']} on which labellers differ or cannot tell, "
        f"{figures['broken']} on which the judge failed",
    ]
    lines += [
        f"{what} {percent(rate['value'])} of {rate['of']} (95 % interval "
        f"{span(rate['low'], rate['high'])})"
        for rate, what in (
            (figures["tpr"], "TPR: successes found"),
            (figures["fpr"], "FPR: failures taken for a success"),
        )
    ]
    for key, what in (("kappa", "Cohen's kappa"), ("alpha", "Krippendorff's alpha")):
        lines.append(
            f"{what} {decimal(figures[key]['value'])} ({decimal(figures[key]['low'])} to "
            f"{decimal(figures[key]['high'])})"
        )
    for test, found in figures["robustness"].items():
        lines.append(
            f"robustness, {test}: "
            + ", ".join(f"{number} {what.replace('_', ' ')}" for what, number in found.items())
        )
    console.print(Text("\n".join(lines)))
