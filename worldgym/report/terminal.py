"""The table of a run in the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from worldgym.report.edit_section import drops_grid, perturbed_sentences
from worldgym.report.findings import all_tasks, headline, sentences
from worldgym.report.grid import Grid
from worldgym.report.words import NBSP, decimal, percent, span

FEW = 4  # policies that stand side by side with everything known of their cells


def print_summary(summary: Mapping[str, Any], console: Console | None = None) -> None:
    """Prints the rates by task and policy, then the sentences of the report."""
    console = console or Console()
    (_full_grid(summary) if len(summary["policies"]) <= FEW else _short_grid(summary)).print(
        console
    )
    if (drops := drops_grid(summary)) is not None:
        drops.print(console)
    console.print(
        Text("\n".join([headline(summary), *sentences(summary), *perturbed_sentences(summary)]))
    )


def _short_grid(summary: Mapping[str, Any]) -> Grid:
    """A row a policy: its rate and truth in each task, and over all tasks with the interval
    below."""
    tasks = sorted({c["task"] for c in summary["cells"]})
    cells = {(c["policy"], c["task"]): c for c in summary["cells"]}
    mean = ["mean over tasks"] if summary["unequal_mixture"] else []
    rows = []
    for policy in summary["policies"]:
        every = Text(_pair(policy), "bold")
        if policy["trials"]:
            every.append(f"\n{_bare(span(policy['low'], policy['high']))}", "dim not bold")
        _append_missing(every, policy)
        row = [_short_cell(cells.get((policy["policy"], task))) for task in tasks]
        means = [Text(_bare(percent(policy["mean_over_tasks"]))) for _ in mean]
        rows.append((Text(policy["policy"]), [*row, every, *means]))
    return Grid(
        "success rates, %: world model|truth", "policy", [*tasks, all_tasks(summary), *mean], rows
    )


def _short_cell(cell: Mapping[str, Any] | None) -> Text:
    text = Text("" if cell is None else _pair(cell))
    if cell is not None:
        _append_missing(text, cell)
    return text


def _pair(cell: Mapping[str, Any]) -> str:
    """ "95|10" for a rate of 0.95 where the truth is 0.1, in whole percent."""
    known = [cell["rate"], cell["truth_rate"]] if "truth_rate" in cell else [cell["rate"]]
    return "|".join("–" if rate is None else f"{100 * rate:.0f}" for rate in known)


def _full_grid(summary: Mapping[str, Any]) -> Grid:
    """A row a task, a column a policy: rates, 95 % intervals, corrected rates and truth."""
    policies = [p["policy"] for p in summary["policies"]]
    cells = {(c["policy"], c["task"]): c for c in summary["cells"]}
    rows = [
        (Text(task), [_cell(cells.get((policy, task))) for policy in policies])
        for task in sorted({c["task"] for c in summary["cells"]})
    ]
    rows.append((Text(all_tasks(summary), "bold"), [_cell(p, "bold") for p in summary["policies"]]))
    if summary["unequal_mixture"]:
        means = [Text(_bare(percent(p["mean_over_tasks"]))) for p in summary["policies"]]
        rows.append((Text("mean over tasks"), means))
    return Grid("success rates, %", "task", policies, rows, ruled=True)


def _cell(cell: Mapping[str, Any] | None, style: str = "") -> Text:
    """Rate, interval, corrected rate and truth below each other, in percent without the sign."""
    if cell is None:
        return Text("")
    text = Text(_bare(percent(cell["rate"])), style)
    if cell["trials"]:
        text.append(f"\n{_bare(span(cell['low'], cell['high']))}", "dim")
    if "corrected" in cell:
        right = cell["corrected"]
        text.append(
            f"\ncorrected "
            f"{_bare(percent(right['rate']))}\n{_bare(span(right['low'], right['high']))}"
        )
    if "truth_rate" in cell:
        text.append(f"\ntruth {_bare(percent(cell['truth_rate']))}", "cyan")
    _append_missing(text, cell)
    return text


def _append_missing(text: Text, cell: Mapping[str, Any]) -> None:
    """ "12/20 run": how many of the planned trials ran or failed, where some are missing."""
    if cell["missing"]:
        text.append(
            f"\n{cell['planned'] - cell['missing']}/{cell['planned']} run", "yellow not bold"
        )


def _bare(text: str) -> str:
    return text.removesuffix(f"{NBSP}%")


def print_calibration(figures: Mapping[str, Any], console: Console | None = None) -> None:
    """The confusion matrix of a judge, its rates with 95 % intervals, its agreement, and what the
    probes found."""
    console = console or Console()
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
        f"{figures['broken']} on which the judge broke",
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
    for probe, found in figures["probes"].items():
        lines.append(
            f"probe {probe}: "
            + ", ".join(f"{number} {what.replace('_', ' ')}" for what, number in found.items())
        )
    console.print(Text("\n".join(lines)))
