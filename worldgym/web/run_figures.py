"""The figures of a run as the report draws them, made in a separate process. Statistics of a large
run take seconds and much memory; meanwhile the server keeps answering, and shows the previous
figures until the new ones are ready. What was made is kept in memory, and in the user's cache
folder for the next start.
"""

from __future__ import annotations

import hashlib
import os
import sys
import threading
import traceback
from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

from worldgym.errors import InputError, WorldGymError
from worldgym.io.files import write_atomic
from worldgym.io.run_log import LOG_NAME
from worldgym.io.run_records import RunHeader, TrialRecord
from worldgym.report.page import render_figures
from worldgym.report.section import ReportFacts, ReportOptions
from worldgym.stats.judge_calibration import CALIBRATION_NAME
from worldgym.stats.run_attempts import RunAttempts
from worldgym.stats.run_calibration import calibration_of_run
from worldgym.stats.summarize import summary_of
from worldgym.stats.summary import SUMMARY_NAME, Summary
from worldgym.stats.world_trust import WorldTrust
from worldgym.web.figure_process import FigureProcess
from worldgym.web.run_comparison import ComparedRuns, compare_runs
from worldgym.web.run_library import ListedRun, Stamp
from worldgym.web.trial_signals import signals_of

FORM = "1"  # of kept figures: other pages want others
KEPT = 300  # files
COMPARED = 20  # comparisons
ENDED = "the process that draws figures ended twice; reload the page to try again"
FAULT = "an error in WorldGym; see the terminal for details, and reload the page to try again"


@dataclass(frozen=True)
class DrawnFigures:
    """html: a fragment of the page; "" while none was made yet.   fresh: of the log as it is
    now.   fault: why there are none, "" otherwise.   passing: a fault that another try may not
    have."""

    html: str
    fresh: bool
    fault: str = ""
    passing: bool = False


class FigureWorker:
    """Asks its process for figures, one run after the other."""

    def __init__(self, cache: Path | None = None) -> None:
        self._folder = None if cache is None else cache / "figures"
        self._made = dict[str, tuple[str, DrawnFigures]]()
        self._asked = dict[str, Future[str]]()
        self._compared = dict[tuple[tuple[str, Stamp], ...], Future[ComparedRuns]]()
        self._lock = threading.RLock()
        self._process = FigureProcess()

    def figures(self, run: ListedRun) -> DrawnFigures:
        """At once: what is there. Asks for what is missing."""
        state = _state(run)
        with self._lock:
            known = self._made.get(run.name)
            if known is not None and known[0] == state:
                if known[1].passing:
                    del self._made[run.name]  # said once; whoever asks again has it tried again
                return known[1]
            if (kept := self._kept(state)) is not None:
                self._made[run.name] = (state, DrawnFigures(kept, True))
                return self._made[run.name][1]
            if run.name not in self._asked:
                asked = self._process.submit(figures_of, str(run.folder))
                self._asked[run.name] = asked
                asked.add_done_callback(lambda done: self._note(run.name, state, done))
            return DrawnFigures("" if known is None else known[1].html, False)

    def signals(
        self, folder: Path, header: RunHeader, record: TrialRecord, own: list[TrialRecord]
    ) -> Future[dict[str, float]]:
        """See `signals_of`; in the process, because it loads PyTorch."""
        return self._process.submit(signals_of, folder, header, record, own)

    def comparison(self, runs: Sequence[ListedRun]) -> Future[ComparedRuns]:
        """See `compare_runs`. Kept for the runs as they are."""
        key = tuple((run.name, run.stamp) for run in runs)
        with self._lock:
            known = self._compared.get(key)
            if known is None or (known.done() and known.exception() is not None):
                named = [(run.name, str(run.folder)) for run in runs]
                known = self._compared[key] = self._process.submit(compare_runs, named)
                while len(self._compared) > COMPARED:
                    self._compared.pop(next(iter(self._compared)))
            return known

    def close(self) -> None:
        self._process.close()

    def _note(self, name: str, state: str, done: Future[str]) -> None:
        with self._lock:
            self._asked.pop(name, None)
            try:
                drawn = DrawnFigures(done.result(), True)
                self._keep(state, drawn.html)
            except WorldGymError as error:
                drawn = DrawnFigures("", True, str(error))
            except BrokenProcessPool:
                drawn = DrawnFigures("", True, ENDED, passing=True)
            except Exception as error:  # a fault of ours: told on the terminal, as that of a page
                traceback.print_exception(error, file=sys.stderr)
                drawn = DrawnFigures("", True, FAULT, passing=True)
            self._made[name] = (state, drawn)

    def _kept(self, state: str) -> str | None:
        try:
            return None if self._folder is None else (self._folder / state).read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            return None

    def _keep(self, state: str, html: str) -> None:
        if self._folder is None:
            return
        try:
            write_atomic(self._folder / state, html.encode())
            files = sorted(self._folder.iterdir(), key=lambda file: file.stat().st_mtime)
            for file in files[:-KEPT]:
                file.unlink(missing_ok=True)
        except (InputError, OSError):
            self._folder = None  # a cache that cannot be written is none


def _state(run: ListedRun) -> str:
    """Digest of all that the figures depend on."""
    beside = [run.folder / name for name in (CALIBRATION_NAME, SUMMARY_NAME)]
    times = [path.stat().st_mtime_ns if path.exists() else 0 for path in beside]
    known = f"{FORM} {run.folder} {run.stamp} {times}"
    return hashlib.sha256(os.fsencode(known)).hexdigest()[:32]


def figures_of(folder: str) -> str:
    """The fragment; with the run's own summary where that is at least as new as the log."""
    run = Path(folder)
    known = RunAttempts.read(run)
    summary = _own_summary(run) or summary_of(
        known, calibration_of_run(run), WorldTrust.of_run(run)
    )
    options = ReportOptions()
    facts = ReportFacts(run, known.header, known.attempts, known.outcome, summary, options)
    return render_figures(facts)


def _own_summary(run: Path) -> Summary | None:
    path = run / SUMMARY_NAME
    try:
        if path.stat().st_mtime_ns < (run / LOG_NAME).stat().st_mtime_ns:
            return None
        return Summary.read(run)
    except (OSError, InputError):
        return None
