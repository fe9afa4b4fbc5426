"""What `worldgym world check` found of the rules of a world, in a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from worldgym.io.text import clean
from worldgym.report.console import OutputConsole
from worldgym.report.formats import number_of

COLOURS = {"passed": "green", "broken": "red", "not promised": "yellow"}


def print_world_report(report: Mapping[str, Any]) -> None:
    """report: `worldgym.testing.world_conformance.WorldReport` as JSON."""
    console = OutputConsole()
    card = report["world"]
    height, width, _ = card["frame_shape"]
    console.print(
        Text(
            f"{card['name']}: {', '.join(card['views'])}, {width} x {height}; actions of "
            f"{len(card['spec']['names'])} numbers, {card['spec']['mode']}, "
            f"{card['spec']['rate_hz']:g} Hz"
        )
    )
    if card["capabilities"]:
        told = "; ".join(f"{name} {_words(value)}" for name, value in card["capabilities"].items())
        console.print(Text(told))
    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("rule", "", "why"):
        table.add_column(heading, overflow="fold")
    for one in report["rules"]:
        result = Text(one["result"], COLOURS[one["result"]])
        table.add_row(one["rule"], result, Text(clean(one["why"])))
    console.print(table)
    if report["later_actions"] is not None:
        console.print(
            Text(
                f"other later actions of a step change its first frames by "
                f"{report['later_actions']} grey levels at most"
            )
        )
    if report["step_time"] is not None:
        took = report["step_time"]
        console.print(
            Text(
                f"a step of {number_of(took['actions'], 'action')}: "
                f"median {1e3 * took['median']:.1f} ms, "
                f"longest {1e3 * took['longest']:.1f} ms of {number_of(took['calls'], 'call')}; "
                f"{1e3 * took['per_action']:.1f} ms per action"
            )
        )


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_words(one)}" for name, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "any" if value is None else str(value)
