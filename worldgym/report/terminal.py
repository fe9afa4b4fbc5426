"""The table of a run in the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from worldgym.report.words import NBSP, agreement_sentence, counts_sentence, headline, percent, span, verdict_sentence


def print_summary(summary: Mapping[str, Any], console: Console | None = None) -> None:
    """Prints the table task x policy with rates, 95 % intervals and truth, then the sentences of the report."""
    console = console or Console()
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
    console.print(table)
    sentences = (headline(summary), agreement_sentence(summary), verdict_sentence(summary), counts_sentence(summary))
    console.print(Text("\n".join(filter(None, sentences))))


def _cell(cell: Mapping[str, Any] | None, style: str = "") -> Text:
    """Rate, interval and truth below each other, in percent without the sign."""
    if cell is None:
        return Text("")
    text = Text(_bare(percent(cell["rate"])), style)
    if cell["trials"]:
        text.append(f"\n{_bare(span(cell['low'], cell['high']))}", "dim")
    if "truth_rate" in cell:
        text.append(f"\ntruth {_bare(percent(cell['truth_rate']))}", "cyan")
    return text


def _bare(text: str) -> str:
    return text.removesuffix(f"{NBSP}%")
