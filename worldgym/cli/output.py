"""What the commands print, and how they name themselves."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from worldgym.errors import Incomplete, NothingWorked
from worldgym.io.text import clean

if TYPE_CHECKING:
    from worldgym.stats.failure_reasons import FailureReasons
    from worldgym.stats.summary import Summary


def show(summary: Summary, run: Path, as_json: bool) -> None:
    """Prints the summary of a run, and where its report lies."""
    from worldgym.report.page import REPORT_NAME
    from worldgym.report.terminal import print_summary

    if as_json:
        print(json.dumps(summary.to_json(), indent=2))
        return

    print_summary(summary)
    print(f"report: {run / REPORT_NAME}")


def show_ran(summary: Summary, run: Path, as_json: bool) -> None:
    """As `show`, after a command that made or judged trials. NothingWorked where all of them
    failed, Incomplete where some did or are missing: with the reasons, and how often each came.
    """
    from worldgym.io.run_log import LOG_NAME, read_log
    from worldgym.io.run_records import results

    show(summary, run, as_json)
    outcome = results(read_log(run / LOG_NAME)[1])
    rejudged = "rejudged" in summary.config  # what its run lacks, judging again cannot add
    left = (
        0
        if rejudged
        else sum(c.missing for c in summary.cells) + summary.completeness.edited_missing
    )
    stop_where_nothing_worked(summary.reasons, len(outcome.finished))
    if outcome.failed or left:
        said = (
            f"{len(outcome.failed)} trials failed and {left} were not begun; the same command goes "
            f"on from there"
        )
        raise Incomplete("\n".join([said, *_told(summary.reasons)]))


def stop_where_nothing_worked(reasons: FailureReasons, finished: int) -> None:
    """NothingWorked if no trial finished and some failed."""
    if reasons.failed and not finished:
        raise NothingWorked("\n".join(["every trial failed:", *_told(reasons)]))


def _told(reasons: FailureReasons) -> list[str]:
    """A line for every reason of a failure, with how often it came."""
    return [f"  {row.reason} ({row.trials} x)" for row in reasons.failed]


def print_skipped(skipped: dict[str, str]) -> None:
    """Names and reasons on standard error, where a pipe does not take them for results."""
    from worldgym.io.text import clean

    for name, reason in skipped.items():
        print(clean(f"skipped {name}: {reason}"), file=sys.stderr)


def answer(
    answer: dict[str, Any], words: Callable[[Mapping[str, Any]], str], as_json: bool
) -> None:
    """Prints the numbers, or what they say, in plain spaces, so that a search for "80 %" finds
    it."""
    from worldgym.report.formats import NBSP

    print(
        json.dumps(answer, indent=2, allow_nan=False)
        if as_json
        else words(answer).replace(NBSP, " ")
    )


def command_line() -> str:
    return clean(shlex.join(["worldgym", *sys.argv[1:]]))
