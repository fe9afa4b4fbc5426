"""The table of a run in the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from worldgym.report.console import OutputConsole
from worldgym.report.edit_section import drops_grid, perturbed_sentences
from worldgym.report.findings import headline, sentences
from worldgym.report.formats import NBSP, hundredths, percent, span
from worldgym.report.grid import Grid
from worldgym.report.policy_sentences import all_tasks
from worldgym.report.trial_sentences import missing_lines
from worldgym.stats.success_counts import SuccessCounts
from worldgym.stats.summary import Summary

FEW = 4  # policies that stand side by side with everything known of their cells


def print_summary(summary: Summary, console: Console | None = None) -> None:
    """Prints the rates by task and policy, then the sentences of the report."""
    console = console or OutputConsole()
    (_full_grid(summary) if len(summary.policies) <= FEW else _short_grid(summary)).print(console)
    if (drops := drops_grid(summary)) is not None:
        drops.print(console)
    console.print(
        Text(
            "\n".join(
                [
                    headline(summary),
                    *missing_lines(summary),
                    *sentences(summary),
                    *perturbed_sentences(summary),
                ]
            )
        )
    )


def _short_grid(summary: Summary) -> Grid:
    """One row per policy: its rate and truth in each task, and over all tasks with the interval
    below."""
    tasks = summary.tasks
    cells = {(c.policy, c.task): c for c in summary.cells}
    mean = ["mean over tasks"] if summary.unequal_mixture else []
    rows = []
    for policy in summary.policies:
        every = Text(_pair(policy), "bold")
        if policy.trials:
            every.append(f"\n{_bare(span(policy.low, policy.high))}", "dim not bold")
        _append_missing(every, policy)
        row = [_short_cell(cells.get((policy.policy, task))) for task in tasks]
        means = [Text(_bare(percent(policy.mean_over_tasks))) for _ in mean]
        rows.append((Text(policy.policy), [*row, every, *means]))
    true = any(cell.truth_rate is not None for cell in (*summary.cells, *summary.policies))
    return Grid(
        f"success rates, %{': world model|truth' if true else ''}",
        "policy",
        [*tasks, all_tasks(summary), *mean],
        rows,
    )


def _short_cell(cell: SuccessCounts | None) -> Text:
    text = Text("" if cell is None else _pair(cell))
    if cell is not None:
        _append_missing(text, cell)
    return text


def _pair(cell: SuccessCounts) -> str:
    """ "95|10" for a rate of 0.95 where the truth is 0.1, in whole percent."""
    known = [cell.rate] if cell.truth_rate is None else [cell.rate, cell.truth_rate]
    return "|".join("–" if rate is None else hundredths(rate) for rate in known)


def _full_grid(summary: Summary) -> Grid:
    """One row per task, one column per policy: rates, 95 % intervals, corrected rates and truth."""
    policies = summary.names
    cells = {(c.policy, c.task): c for c in summary.cells}
    rows = [
        (Text(task), [_cell(cells.get((policy, task))) for policy in policies])
        for task in summary.tasks
    ]
    rows.append((Text(all_tasks(summary), "bold"), [_cell(p, "bold") for p in summary.policies]))
    if summary.unequal_mixture:
        means = [Text(_bare(percent(p.mean_over_tasks))) for p in summary.policies]
        rows.append((Text("mean over tasks"), means))
    return Grid("success rates, %", "task", policies, rows, ruled=True)


def _cell(cell: SuccessCounts | None, style: str = "") -> Text:
    """Rate, interval, corrected rate and truth below each other, in percent without the sign."""
    if cell is None:
        return Text("")
    text = Text(_bare(percent(cell.rate)), style)
    if cell.trials:
        text.append(f"\n{_bare(span(cell.low, cell.high))}", "dim")
    if (right := cell.corrected) is not None:
        interval = _bare(span(right.low, right.high))
        text.append(f"\ncorrected {_bare(percent(right.rate))}\n{interval}")
    if cell.truth_rate is not None:
        text.append(f"\ntruth {_bare(percent(cell.truth_rate))}", "cyan")
    _append_missing(text, cell)
    return text


def _append_missing(text: Text, cell: SuccessCounts) -> None:
    """ "12/20 run": how many of the planned trials ran or failed, where some are missing."""
    if cell.missing:
        text.append(f"\n{cell.planned - cell.missing}/{cell.planned} run", "yellow not bold")


def _bare(text: str) -> str:
    return text.removesuffix(f"{NBSP}%")
