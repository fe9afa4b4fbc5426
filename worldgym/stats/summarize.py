"""From the run log to the summary of the run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from worldgym.io.attempts import Attempted
from worldgym.io.files import write_json
from worldgym.io.run_records import RunHeader, TrialRecord, results
from worldgym.stats.against_truth import truth_agreement
from worldgym.stats.evaluator_calibration import EvaluatorCalibration
from worldgym.stats.failure_reasons import failure_reasons
from worldgym.stats.flag_counts import count_flags
from worldgym.stats.judge_calibration import false_positive_rate, true_positive_rate
from worldgym.stats.pairs import compare_every_pair
from worldgym.stats.perturbation import edited_drops, split
from worldgym.stats.planned_trials import (
    Planned,
    absent_trials,
    completeness,
    planned_trials,
)
from worldgym.stats.run_attempts import RunAttempts
from worldgym.stats.run_calibration import RunCalibration, calibration_of_run
from worldgym.stats.series import checkpoint_series
from worldgym.stats.success_counts import (
    CellSummary,
    Counted,
    Key,
    PolicySummary,
    RateInterval,
    mean_over_tasks,
    success_numbers,
)
from worldgym.stats.summary import SUMMARY_NAME, CalibrationSummary, Summary
from worldgym.stats.world_trust import WorldTrust


def write_summary(run: Path, attempts: RunAttempts, include_red: bool = False) -> Summary:
    """Writes RUN/summary.json, corrected by RUN/calibration.json where that is, and returns it.

    Tasks that RUN/trust.json calls red stay out of the headline numbers, unless `include_red`.
    """
    summary = summary_of(attempts, calibration_of_run(run), WorldTrust.of_run(run, include_red))
    write_json(run / SUMMARY_NAME, summary.to_json())
    return summary


def summarize(
    header: RunHeader,
    records: Iterable[TrialRecord],
    calibration: RunCalibration | None = None,
    trust: WorldTrust | None = None,
) -> Summary:
    """`summary_of` whole records, if available."""
    return summary_of(RunAttempts.of(header, records), calibration, trust)


def summary_of(
    run: RunAttempts, calibration: RunCalibration | None = None, trust: WorldTrust | None = None
) -> Summary:
    """All numbers of a run, corrected by the calibration of its judge and without the tasks that
    the trust report of its world calls red.

    InputError if either is of another judge or world than the run's.
    """
    header = run.header
    if calibration is not None:
        calibration.check(header.judge, header.world)
    used = headline_trials(header, run.attempts, trust)
    ordinary, edited = split(run.attempts)
    outcome = results(ordinary) if edited else run.outcome
    trials = outcome.finished + outcome.failed
    groups = sorted({*used.planned.groups, *(r.group for r in trials)})
    headline = frozenset(groups) - used.left_out
    known = {
        (t["policy"], t["group"]): (float(t["successes"]), int(t["trials"])) for t in header.truths
    }
    source = _Source(*_by_policy(trials), used.planned, calibration, known, trust)
    cells = [source.cell(name, group) for name in used.policies for group in groups]
    policies = [
        source.policy(name, headline, [c for c in cells if c.policy == name])
        for name in used.policies
    ]
    cells = [c for c in cells if c.planned or c.trials + c.unscored + c.failed]
    shown = [c for c in cells if c.task in headline]
    counted = [r for r in trials if r.group in headline] if used.left_out else trials
    missing = sum(policy.missing for policy in policies)
    standing = compare_every_pair(used.records, used.policies, used.headline)
    return Summary(
        cells=tuple(cells),
        policies=tuple(policies),
        reasons=failure_reasons(counted),
        unequal_mixture=_unequal(shown, policies),
        completeness=completeness(used.planned, used.policies, run.outcome, edited, missing),
        agreement=truth_agreement(shown, counted),
        **vars(standing),
        perturbed=edited_drops(used.without_red(run.attempts), used.policies) if edited else None,
        flags=count_flags(run.outcome.finished),
        config=dict(header.config),
        command=header.command,
        world=header.world,
        judge=header.judge,
        series=checkpoint_series(used.policies),
        expenses=run.spent.of(used.policies),
        calibration=None if calibration is None else _calibration(calibration, groups),
        trust=None if trust is None else trust.of_tasks([r.group for r in trials]),
    )


def _by_policy(
    trials: Iterable[Attempted],
) -> tuple[dict[str, list[Attempted]], dict[Key, list[Attempted]]]:
    """By policy, and by policy and group, each in the order given."""
    policies: dict[str, list[Attempted]] = defaultdict(list)
    cells: dict[Key, list[Attempted]] = defaultdict(list)
    for trial in trials:
        policies[trial.policy].append(trial)
        cells[trial.policy, trial.group].append(trial)
    return policies, cells


@dataclass(frozen=True)
class Headline:
    """What headline numbers are made of.

    records: attempts without edited twins and without red tasks, which are left_out.
    policies: the header's, and any other of the log.   planned: of all tasks, red ones too.
    """

    records: Sequence[Attempted]
    policies: list[str]
    planned: Planned
    left_out: frozenset[str]

    @property
    def headline(self) -> Planned:
        """The plan without red tasks."""
        return self.planned.without(self.left_out)

    def without_red(self, records: Sequence[Attempted]) -> Sequence[Attempted]:
        """Attempts without those of red tasks, whose edited twins then lack their originals."""
        return [r for r in records if r.group not in self.left_out] if self.left_out else records


def headline_trials(
    header: RunHeader, records: Sequence[Attempted], trust: WorldTrust | None
) -> Headline:
    """InputError if the trust report is of another world than the run's."""
    ordinary, _ = split(records)
    planned = planned_trials(header, ordinary)
    left_out: frozenset[str] = frozenset()
    if trust is not None:
        trust.match(header.world)
        left_out = trust.left_out([*planned.groups, *(r.group for r in ordinary)])
    names = dict.fromkeys(
        [*(str(policy["name"]) for policy in header.policies), *sorted({r.policy for r in records})]
    )
    kept = [r for r in ordinary if r.group not in left_out] if left_out else ordinary
    return Headline(kept, list(names), planned, left_out)


@dataclass(frozen=True)
class _Source:
    """What is counted.   trials, cells: of each policy, and of each on each group, one record each,
    in the log's order.   known: truth of whole groups."""

    trials: Mapping[str, Sequence[Attempted]]
    cells: Mapping[Key, Sequence[Attempted]]
    planned: Planned
    calibration: RunCalibration | None
    known: Mapping[Key, Counted]
    trust: WorldTrust | None

    def cell(self, policy: str, group: str) -> CellSummary:
        here = self.cells.get((policy, group), ())
        missing = self.planned.missing(here, group)
        return CellSummary(
            policy=policy,
            task=group,
            **success_numbers(here, self.calibration, self.known),
            planned=self._planned([group]),
            missing=len(missing),
            absent=absent_trials(missing),
            trust=None if self.trust is None else self.trust.colour(group),
        )

    def policy(
        self, name: str, headline: Collection[str], cells: Sequence[CellSummary]
    ) -> PolicySummary:
        """headline: tasks that count.   cells: of the policy, others too."""
        mine = [r for r in self.trials.get(name, ()) if r.group in headline]
        return PolicySummary(
            policy=name,
            **success_numbers(mine, self.calibration, self.known),
            planned=self._planned(headline),
            missing=sum(cell.missing for cell in cells if cell.task in headline),
            mean_over_tasks=mean_over_tasks([c for c in cells if c.task in headline]),
        )

    def _planned(self, groups: Collection[str]) -> int:
        return sum(len(self.planned.groups.get(group, ())) for group in groups)


def _unequal(cells: Sequence[CellSummary], policies: Sequence[PolicySummary]) -> bool:
    """Whether the tasks' shares of scored trials differ between policies that have any."""
    counts = {(c.policy, c.task): c.trials for c in cells}
    scored = [(p.policy, p.trials) for p in policies if p.trials]
    tasks = {c.task for c in cells}
    return any(
        counts.get((a, task), 0) * all_b != counts.get((b, task), 0) * all_a
        for (a, all_a), (b, all_b) in pairwise(scored)
        for task in tasks
    )


def _calibration(calibration: RunCalibration, tasks: Sequence[str]) -> CalibrationSummary:
    """tasks: of the run, sorted."""
    counts = calibration.counts
    worth = calibration.worth
    recorded = set(tasks)
    if isinstance(calibration, EvaluatorCalibration):
        recorded = {cell.task for cell in calibration.cells}
    return CalibrationSummary(
        videos=counts.successes + counts.failures,
        tpr=RateInterval.of(true_positive_rate(counts, worth)),
        fpr=RateInterval.of(false_positive_rate(counts, worth)),
        replayed=isinstance(calibration, EvaluatorCalibration),
        unrecorded=tuple(task for task in tasks if task not in recorded),
    )
