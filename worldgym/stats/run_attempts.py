"""What the numbers of a run are derived from: the fields of every attempt that statistics read, and
the time and cost of all attempts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from worldgym.io.attempts import Attempted
from worldgym.io.run_log import LOG_NAME, each_outcome
from worldgym.io.run_records import Results, RunHeader, TrialRecord, results
from worldgym.stats.expenses import ExpenseTally


@dataclass(frozen=True)
class RunAttempts:
    """attempts: in the log's order.   spent: over all of them."""

    header: RunHeader
    attempts: Sequence[Attempted]
    spent: ExpenseTally

    @staticmethod
    def read(run: Path) -> RunAttempts:
        """From RUN/log.jsonl: a million attempts take 300 MB. InputError for what is no log, or a
        damaged one."""
        header, outcomes = each_outcome(run / LOG_NAME)
        spent = ExpenseTally()
        attempts = []
        for outcome, cost in outcomes:
            attempts.append(outcome)
            spent.add(outcome.policy, cost)
        return RunAttempts(header, attempts, spent)

    @staticmethod
    def of(header: RunHeader, records: Iterable[TrialRecord]) -> RunAttempts:
        """Of whole records, if available."""
        records = list(records)
        spent = ExpenseTally()
        for record in records:
            spent.add(record.policy, record)
        return RunAttempts(header, records, spent)

    @cached_property
    def outcome(self) -> Results[Attempted]:
        """One attempt a trial."""
        return results(self.attempts)
