"""What the commands print, and how they name themselves."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


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


def print_skipped(skipped: dict[str, str]) -> None:
    """Names and reasons on standard error, where a pipe does not take them for results."""
    from worldgym.text import clean

    for name, reason in skipped.items():
        print(clean(f"skipped {name}: {reason}"), file=sys.stderr)


def answer(answer: dict[str, Any], words: Callable[[Mapping[str, Any]], str], as_json: bool) -> None:
    """Prints the numbers, or what they say, in plain spaces, so that a search for "80 %" finds it."""
    from worldgym.report.words import NBSP

    print(json.dumps(answer, indent=2, allow_nan=False) if as_json else words(answer).replace(NBSP, " "))


def command_line() -> str:
    return shlex.join(["worldgym", *sys.argv[1:]])
