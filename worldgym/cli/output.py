"""What the commands print, and how they name themselves."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from worldgym.errors import Incomplete
from worldgym.text import clean


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


def conclude(run: Path) -> None:
    """Incomplete, with the reasons and how often each came, where trials of the run failed or are missing."""
    from worldgym.log import LOG_NAME, missing, read_log, results
    from worldgym.streak import counted

    header, records = read_log(run / LOG_NAME)
    outcome, left = results(records), missing(header, records)
    if not outcome.failed and not left:
        return
    trials = len(outcome.finished) + len(outcome.failed) + left
    reasons = [f"  {count} x {reason}" for reason, count in counted(str(r.failure_reason) for r in outcome.failed)]
    said = f"of {trials} trials {len(outcome.failed)} failed and {left} were not begun; the same command goes on from there"
    raise Incomplete("\n".join([said, *reasons]))


def print_skipped(skipped: dict[str, str]) -> None:
    """Names and reasons on standard error, where a pipe does not take them for results."""
    for name, reason in skipped.items():
        print(f"skipped {name}: {reason}", file=sys.stderr)


def answer(answer: dict[str, Any], words: Callable[[Mapping[str, Any]], str], as_json: bool) -> None:
    """Prints the numbers, or what they say, in plain spaces, so that a search for "80 %" finds it."""
    from worldgym.report.words import NBSP

    print(json.dumps(answer, indent=2, allow_nan=False) if as_json else words(answer).replace(NBSP, " "))


def command_line() -> str:
    return clean(shlex.join(["worldgym", *sys.argv[1:]]))
