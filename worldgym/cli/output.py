"""What the commands print, and how they name themselves."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from worldgym.errors import Incomplete, NothingWorked
from worldgym.evaluation.stop_conditions import unfinished
from worldgym.io.text import amount, clean

if TYPE_CHECKING:
    from worldgym.api import Run
    from worldgym.stats.failure_reasons import FailureReasons
    from worldgym.stats.summary import Summary


Found = TypeVar("Found")


def show(run: Run, as_json: bool) -> None:
    """Prints the summary of a run, and where its report lies."""
    from worldgym.report.page import REPORT_NAME
    from worldgym.report.terminal import print_summary

    if as_json:
        print(json.dumps(run.summary.to_json(), indent=2))
        return

    print_summary(run.summary)
    print(f"report: {run.folder / REPORT_NAME}")


def show_ran(run: Run, as_json: bool) -> None:
    """As `show`, after a command that made or judged trials, which then ends as `end_as` says."""
    show(run, as_json)
    end_as([run])


def end_as(runs: Sequence[Run]) -> None:
    """Ends a command as the runs that it made ended: NothingWorked where every trial of one failed,
    Incomplete where some failed or are missing, with the reasons and how often each came."""
    failed = 0
    left = 0
    lines: list[str] = []
    for run in runs:
        summary = run.summary
        there = summary.completeness
        stop_where_nothing_worked(summary.reasons, there.finished)
        not_done = run.not_done or (there.failed, _missing(summary))
        if not_done[0]:
            lines += _told(summary.reasons)
        failed += not_done[0]
        left += not_done[1]
    if left and not failed:
        raise unfinished(left)
    if failed:
        said = (
            f"{amount(failed, 'trial')} failed, {left} not started; "
            f"the same command continues from there"
        )
        raise Incomplete("\n".join([said, *lines]))


def _missing(summary: Summary) -> int:
    """Planned trials that the same command would do."""
    if "rejudged" in summary.config:  # what its run lacks, judging cannot add
        return 0
    return sum(cell.missing for cell in summary.cells) + summary.completeness.edited_missing


def stop_where_nothing_worked(reasons: FailureReasons, finished: int) -> None:
    """NothingWorked if no trial finished and some failed."""
    if reasons.failed and not finished:
        raise NothingWorked("\n".join(["every trial failed:", *_told(reasons)]))


def _told(reasons: FailureReasons) -> list[str]:
    """A line for every reason of a failure, with how often it came."""
    return [f"  {row.reason} ({row.trials} x)" for row in reasons.failed]


def print_skipped(skipped: dict[str, str]) -> None:
    """Names and reasons on standard error, where a pipe does not take them for results."""
    for name, reason in skipped.items():
        print(clean(f"skipped {name}: {reason}"), file=sys.stderr)


def answer(found: Found, words: Callable[[Found], str], as_json: bool) -> None:
    """Prints a record, or what it says, in plain spaces, so that a search for "80 %" finds it."""
    from worldgym.io.json_form import to_json
    from worldgym.report.formats import NBSP

    print(
        json.dumps(to_json(found), indent=2, allow_nan=False)
        if as_json
        else words(found).replace(NBSP, " ")
    )


def command_line() -> str:
    return clean(shlex.join(["worldgym", *sys.argv[1:]]))
