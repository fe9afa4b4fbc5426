"""What `worldgym world trust` and `worldgym world fit-error-predictor` found: tables in the
terminal, and one small page. Colours always with words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from rich import box
from rich.table import Table
from rich.text import Text

from worldgym.io.files import write_atomic
from worldgym.report.console import OutputConsole
from worldgym.report.formats import decimal, percent, span
from worldgym.report.grid import Grid

PAGE_NAME = "trust.html"
STYLES = {"green": "green", "amber": "yellow", "red": "bold red"}
Row = tuple[str, ...]


def print_trust(found: Mapping[str, Any]) -> None:
    """Colour and reason of each task, then what it rests on."""
    console = OutputConsole()
    table = Table(title=Text(f"world {found['world']}"), title_justify="left", box=box.SIMPLE_HEAD)
    for column in ("task", "verdict", "because"):
        table.add_column(column, overflow="fold")
    for name, task in found["tasks"].items():
        table.add_row(
            Text(name), Text(task["colour"], STYLES[task["colour"]]), Text(task["reason"])
        )
    console.print(table)
    for title, columns, rows in sections(found):
        if rows:
            told = [(Text(row[0]), [Text(_stacked(cell)) for cell in row[1:]]) for row in rows]
            Grid(title, columns[0], columns[1:], told).print(console)
    for missing in found["not_measured"]:
        console.print(Text(f"not measured: {missing}"))


def write_trust_page(folder: Path, found: Mapping[str, Any]) -> Path:
    """Writes FOLDER/trust.html: the same tables, self-contained."""
    path = folder / PAGE_NAME
    write_atomic(path, trust_page(found).encode())
    return path


def trust_page(found: Mapping[str, Any]) -> str:
    """The page as text; everything from the trust report is escaped by the template."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    return environment.get_template("trust.html").render(found=found, sections=sections(found))


def sections(found: Mapping[str, Any]) -> list[tuple[str, Row, list[Row]]]:
    """(title, columns, rows) of what the colours rest on; those without a row were not measured."""
    return [
        (
            "Initial frames that the world does not know, left out of everything below",
            ("task", "frames", "names"),
            [
                (task, f"{len(some['frames'])} of {some['of']}", ", ".join(some["frames"]))
                for task, some in found.get("strange", {}).items()
            ],
        ),
        _control_arms(found),
        _replay(found),
        _action_following(found),
        (
            "Expected wrong verdicts in closed loop",
            ("task", "share", "flagged"),
            [
                (task, _rate(d["expected_wrong"]), f"{d['flagged']} of {d['rollouts']}")
                for task, d in found["wrong_verdicts"].items()
            ],
        ),
    ]


def _control_arms(found: Mapping[str, Any]) -> tuple[str, Row, list[Row]]:
    floors = {(row["source"], row["task"], row["arm"]): row for row in found["floors"]}
    shown = dict.fromkeys((source, task) for source, task, _ in floors)
    arms = found["arms"]
    false = "; false: not in truth" if found.get("arms_against") else ""
    return (
        f"Success with actions that cannot do the task{false}",
        ("task", *arms),
        [
            (f"{task}, {source}", *(_floor(floors.get((source, task, arm))) for arm in arms))
            for source, task in shown
        ],
    )


def _replay(found: Mapping[str, Any]) -> tuple[str, Row, list[Row]]:
    shares = [
        (kind, what) for kind in ("judged", "recorded") for what in ("sensitivity", "specificity")
    ]
    return (
        "Replay of recorded episodes",
        (
            "task",
            "episodes",
            "successes found",
            "failures found",
            "on the recording",
            "failures, recording",
        ),
        [
            (task, str(r["episodes"]), *(_share(r[kind][what]) for kind, what in shares))
            for task, r in found["replay"].items()
        ],
    )


def _action_following(found: Mapping[str, Any]) -> tuple[str, Row, list[Row]]:
    figures = ("correlation", "gain", "spill", "recorded")
    return (
        "Action following",
        ("number", "state", "correlation", "gain", "spill", "correlation on recordings"),
        [
            (r["name"], r["state"], *(decimal(r[figure]) for figure in figures))
            for r in found["following"]
        ],
    )


def print_uncertainty(figures: Mapping[str, Any]) -> None:
    """How well an error predictor finds wrong verdicts, out of fold."""
    console = OutputConsole()
    curves = {kind: scored["risk_coverage"] for kind, scored in figures["out_of_fold"].items()}
    dropped: Sequence[float] = [point["dropped"] for point in next(iter(curves.values()))]
    columns = ["AUROC", *(f"right, {100 * share:.0f} % dropped" for share in dropped)]
    rows = [
        (
            Text(kind),
            [
                Text(decimal(scored["auroc"])),
                *(Text(percent(point["agreement"])) for point in curves[kind]),
            ],
        )
        for kind, scored in figures["out_of_fold"].items()
    ]
    Grid("finding wrong verdicts, out of fold", "left out together", columns, rows).print(console)
    for name, found in figures["signals"].items():
        how = "without" if name in figures["used"] else "with"
        changed = ", ".join(
            f"by {kind} {decimal(value)}" for kind, value in found[f"predictor_{how}"].items()
        )
        console.print(
            Text(
                f"{name}: AUROC alone {decimal(found['alone'])}; of the error predictor {how} it "
                f"{changed}"
            )
        )


def _stacked(cell: str) -> str:
    """ "75 % (53–89 %, n 20)" with the bracket on its own line, so that columns stay
    narrow."""
    return cell.replace(" (", "\n(", 1)


def _floor(row: Mapping[str, Any] | None) -> str:
    """A rate, and how many of its successes did not happen, where that is known."""
    if row is None:
        return "–"
    false = row.get("false")
    return _rate(row) if false is None else f"{_rate(row)}, {false['successes']:.0f} false"


def _rate(row: Mapping[str, Any]) -> str:
    return _with_interval(row, "rate", "trials")


def _share(share: Mapping[str, Any]) -> str:
    return _with_interval(share, "value", "of")


def _with_interval(row: Mapping[str, Any], value: str, of: str) -> str:
    return (
        "–"
        if row[value] is None
        else f"{percent(row[value])} ({span(row['low'], row['high'])}, n {row[of]})"
    )
