"""The summary of a run as a typed noun: what summary.json holds, and what reports tell.

Everything is derived from the log, see summarize.py. docs/report.md lists the fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worldgym.io.files import read_json
from worldgym.io.json_form import to_json, written_schema
from worldgym.io.migration import migrated_summary
from worldgym.io.records import from_mapping, located
from worldgym.stats.against_truth import TruthAgreement
from worldgym.stats.expenses import RunExpenses
from worldgym.stats.failure_reasons import FailureReasons
from worldgym.stats.flag_counts import FlagCount
from worldgym.stats.pairs import PolicyComparison, RankInterval
from worldgym.stats.perturbation import EditedDrops
from worldgym.stats.planned_trials import Completeness
from worldgym.stats.ranking import CommonTrialRanking
from worldgym.stats.series import CheckpointSeries
from worldgym.stats.success_counts import CellSummary, PolicySummary, RateInterval
from worldgym.stats.world_trust import TrustedTasks

SUMMARY_NAME = "summary.json"


@dataclass(frozen=True)
class CalibrationSummary:
    """How well the run's judge did on videos of known outcome: those that people labelled, or
    recorded rollouts replayed through the world model."""

    videos: int
    """videos of known outcome"""
    tpr: RateInterval
    """share of the successes that the judge found (true positive rate)"""
    fpr: RateInterval
    """share of the failures that it took for a success (false positive rate)"""
    replayed: bool = False
    """whether they are recorded rollouts replayed through the world model: the errors are then
    those of both together, and rates are corrected task by task"""
    unrecorded: tuple[str, ...] = ()
    """tasks of the run without such a rollout: their rates are corrected by those of other tasks"""


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The numbers of a run. null = not defined, or unknown; there is never a NaN.

    Edited tasks whose original is in the log stand under `perturbed` and `flags` alone. Tasks that
    the trust report of the world calls red stand in their own cells alone, unless they were asked
    for.
    """

    cells: tuple[CellSummary, ...]
    """each policy on each task that the log or its plan has: policies in the run's order, tasks by
    name"""
    policies: tuple[PolicySummary, ...]
    """each policy over all its tasks, in the run's order"""
    reasons: FailureReasons
    """why trials have no score"""
    unequal_mixture: bool
    """whether the policies' scored trials come in unequal shares from the tasks, so that their
    pooled rates do not compare"""
    completeness: Completeness
    """how much of the plan the log holds"""
    agreement: TruthAgreement
    """world model against the known truth"""
    comparisons: tuple[PolicyComparison, ...]
    """every pair of policies on common trials"""
    ranking: CommonTrialRanking | None
    """probabilities of ranks; null where no policy can be ranked"""
    unranked: tuple[str, ...]
    """policies with scored trials that cannot be ranked: in some task they share none with the
    others"""
    best_set: tuple[str, ...]
    """policies that are not shown to be worse than another"""
    rank_intervals: tuple[RankInterval, ...]
    """ranks that the policies may have, the best first"""
    perturbed: EditedDrops | None
    """what edited tasks cost the policies; null without edited tasks"""
    flags: tuple[FlagCount, ...]
    """flags that checks have put on trials, by name"""
    config: Mapping[str, Any]
    """the run's resolved options"""
    command: str
    """the command as typed"""
    world: str
    """name of the world, which identifies its weights"""
    judge: str
    """name of the judge"""
    series: tuple[CheckpointSeries, ...]
    """policies that are checkpoints of one training"""
    expenses: RunExpenses
    """time, votes and money over all attempts"""
    calibration: CalibrationSummary | None = None
    """of the judge, or of world model and judge together; null without one"""
    trust: TrustedTasks | None = None
    """the trust report of the world; null without one"""

    @property
    def names(self) -> list[str]:
        """Of the policies, in the run's order."""
        return [policy.policy for policy in self.policies]

    @property
    def tasks(self) -> list[str]:
        """Of all cells, by name."""
        return sorted({cell.task for cell in self.cells})

    def cell(self, policy: str, task: str) -> CellSummary | None:
        """None where neither log nor plan has it."""
        known = (c for c in self.cells if (c.policy, c.task) == (policy, task))
        return next(known, None)

    def to_json(self) -> dict[str, Any]:
        """The content of summary.json."""
        values: dict[str, Any] = to_json(self)
        return values

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> Summary:
        """InputError names the field that is missing, unknown, or of the wrong type."""
        return from_mapping(Summary, values)

    @staticmethod
    def read(run: Path) -> Summary:
        """RUN/summary.json, also of an earlier version as far as it differs in names alone.
        InputError if it is absent or not what this version writes."""
        path = run / SUMMARY_NAME
        values = read_json(path, "the summary of a run")
        with located(path, "write it again with `worldgym report`"):
            return Summary.from_json(migrated_summary(values))


def summary_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of summary.json."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The summary of a WorldGym run",
        **written_schema(Summary),
    }
