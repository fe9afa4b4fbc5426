"""The table of a run in the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from worldgym.report.perturbed import drops_table, perturbed_sentences
from worldgym.report.words import NBSP, decimal, headline, percent, sentences, span

FEW = 4  # policies that stand side by side with everything known of their cells


def print_summary(summary: Mapping[str, Any], console: Console | None = None) -> None:
    """Prints the rates by task and policy, then the sentences of the report."""
    console = console or Console()
    console.print(_full_table(summary) if len(summary["policies"]) <= FEW else _short_table(summary))
    if (drops := drops_table(summary)) is not None:
        console.print(drops)
    console.print(Text("\n".join([headline(summary), *sentences(summary), *perturbed_sentences(summary)])))


def _short_table(summary: Mapping[str, Any]) -> Table:
    """A row a policy: its rate and truth in each task, and over all tasks with the interval below."""
    table = Table(
        title=Text("success rates, %: world model|truth"), title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    tasks = sorted({c["task"] for c in summary["cells"]})
    cells = {(c["policy"], c["task"]): c for c in summary["cells"]}
    table.add_column("policy", overflow="fold")
    for name in [*tasks, "all tasks"]:
        table.add_column(Text(name.replace("-", "\n").replace(" ", "\n")), justify="right", overflow="fold")
    for policy in summary["policies"]:
        every = Text(_pair(policy), "bold")
        if policy["trials"]:
            every.append(f"\n{_bare(span(policy['low'], policy['high']))}", "dim not bold")
        row = (cells.get((policy["policy"], task)) for task in tasks)
        table.add_row(Text(policy["policy"]), *("" if cell is None else _pair(cell) for cell in row), every)
    return table


def _pair(cell: Mapping[str, Any]) -> str:
    """ "95|10" for a rate of 0.95 where the truth is 0.1, in whole percent."""
    known = [cell["rate"], cell["truth_rate"]] if "truth_rate" in cell else [cell["rate"]]
    return "|".join("–" if rate is None else f"{100 * rate:.0f}" for rate in known)


def _full_table(summary: Mapping[str, Any]) -> Table:
    """A row a task, a column a policy: rates, 95 % intervals, corrected rates and truth."""
    policies = [p["policy"] for p in summary["policies"]]
    table = Table(title=Text("success rates, %"), title_justify="left", box=box.SIMPLE_HEAD, show_lines=True)
    table.add_column("task", overflow="fold")
    for policy in policies:
        table.add_column(Text(policy), justify="right", overflow="fold")
    cells = {(c["policy"], c["task"]): c for c in summary["cells"]}
    for task in sorted({c["task"] for c in summary["cells"]}):
        table.add_row(Text(task), *(_cell(cells.get((policy, task))) for policy in policies))
    table.add_section()
    table.add_row(Text("all tasks", "bold"), *(_cell(p, "bold") for p in summary["policies"]))
    return table


def _cell(cell: Mapping[str, Any] | None, style: str = "") -> Text:
    """Rate, interval, corrected rate and truth below each other, in percent without the sign."""
    if cell is None:
        return Text("")
    text = Text(_bare(percent(cell["rate"])), style)
    if cell["trials"]:
        text.append(f"\n{_bare(span(cell['low'], cell['high']))}", "dim")
    if "corrected" in cell:
        right = cell["corrected"]
        text.append(f"\ncorrected {_bare(percent(right['rate']))} ({_bare(span(right['low'], right['high']))})")
    if "truth_rate" in cell:
        text.append(f"\ntruth {_bare(percent(cell['truth_rate']))}", "cyan")
    return text


def _bare(text: str) -> str:
    return text.removesuffix(f"{NBSP}%")


def print_calibration(figures: Mapping[str, Any], console: Console | None = None) -> None:
    """The confusion matrix of a judge, its rates with 95 % intervals, its agreement, and what the probes found."""
    console = console or Console()
    counts = figures["counts"]
    table = Table(title=Text(f"judge {figures['judge']}"), title_justify="left", box=box.SIMPLE_HEAD)
    for column in ("truth", "judged success", "judged failure", "unscored"):
        table.add_column(column, justify="left" if column == "truth" else "right")
    table.add_row("success", *(str(counts[name]) for name in ("true_success", "false_failure", "unscored_success")))
    table.add_row("failure", *(str(counts[name]) for name in ("false_success", "true_failure", "unscored_failure")))
    console.print(table)
    labels = figures["labels"]
    lines = [
        f"{figures['videos']} videos, labelled by {', '.join(labels['labellers'])}",
        f"left out: {labels['undecided']} on which labellers differ or cannot tell, {figures['broken']} on which the judge broke",
    ]
    lines += [
        f"{what} {percent(rate['value'])} of {rate['of']} (95 % interval {span(rate['low'], rate['high'])})"
        for rate, what in ((figures["tpr"], "TPR: successes found"), (figures["fpr"], "FPR: failures taken for a success"))
    ]
    for key, what in (("kappa", "Cohen's kappa"), ("alpha", "Krippendorff's alpha")):
        lines.append(
            f"{what} {decimal(figures[key]['value'])} ({decimal(figures[key]['low'])} to {decimal(figures[key]['high'])})"
        )
    for probe, found in figures["probes"].items():
        lines.append(f"probe {probe}: " + ", ".join(f"{number} {what.replace('_', ' ')}" for what, number in found.items()))
    console.print(Text("\n".join(lines)))
