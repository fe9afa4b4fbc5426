"""What the commands print, and how they name themselves."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from worldgym.errors import NothingWorked


def show(summary: dict[str, Any], run: Path, as_json: bool) -> None:
    """Writes RUN/report.html and prints the summary."""
    from worldgym.report.page import write_report
    from worldgym.report.terminal import print_summary

    report = write_report(run, summary=summary)
    if as_json:
        print(json.dumps(summary, indent=2))
        return

    print_summary(summary)
    print(f"report: {report}")


def show_ran(summary: dict[str, Any], run: Path, as_json: bool) -> None:
    """As `show`, after a command that made or judged trials. NothingWorked if every one of them failed."""
    show(summary, run, as_json)
    stop_where_nothing_worked(summary["reasons"], sum(p["trials"] + p["unscored"] for p in summary["policies"]))


def stop_where_nothing_worked(reasons: Mapping[str, Any], finished: int) -> None:
    """NothingWorked if no trial finished and some failed. reasons: as in summary.json."""
    if reasons["failed"] and not finished:
        first = reasons["failed"][0]
        raise NothingWorked(f"every trial failed, {first['trials']} because: {first['reason']}")


def print_skipped(skipped: dict[str, str]) -> None:
    """Names and reasons on standard error, where a pipe does not take them for results."""
    for name, reason in skipped.items():
        print(f"skipped {name}: {reason}", file=sys.stderr)


def answer(answer: dict[str, Any], words: Callable[[Mapping[str, Any]], str], as_json: bool) -> None:
    """Prints the numbers, or what they say, in plain spaces, so that a search for "80 %" finds it."""
    from worldgym.report.words import NBSP

    print(json.dumps(answer, indent=2, allow_nan=False) if as_json else words(answer).replace(NBSP, " "))


def command_line() -> str:
    return shlex.join(["worldgym", *sys.argv[1:]])
