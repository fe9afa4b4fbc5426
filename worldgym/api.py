"""The public door: what `import worldgym as wg` offers besides nouns and errors. Import it from
there.

    run = wg.evaluate("bundled", "bc-large", "bundled", "bundled", out="runs/mine", trials=2)
    run.summary; run.trials; run.report()

Worlds, policies, tasks and judges are named as on the command line, which calls these functions
too, or are objects with the right methods.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict, Unpack

from worldgym.evaluation.export import as_row
from worldgym.io.run_log import LOG_NAME, each_record, read_header
from worldgym.io.run_mirror import run_folder
from worldgym.io.run_records import TrialRecord, results
from worldgym.io.tracking import Trackers, check_trackers
from worldgym.report.page import REPORT_NAME, write_results
from worldgym.stats.agreement import Agreement, agreement_of_cells
from worldgym.stats.baseline import BaselineTest, against_baseline
from worldgym.stats.equivalence import Gate
from worldgym.stats.pairs import PolicyComparison, RankInterval
from worldgym.stats.planned_trials import Completeness
from worldgym.stats.ranking import CommonTrialRanking
from worldgym.stats.run_attempts import RunAttempts
from worldgym.stats.run_calibration import calibration_of_run
from worldgym.stats.success_counts import PolicySummary
from worldgym.stats.summarize import headline_trials, summary_of
from worldgym.stats.summary import Summary
from worldgym.stats.tables import CellRate, paired_cells, read_rates
from worldgym.stats.tracked_rates import tracked_rates
from worldgym.stats.world_trust import TrustedTasks, WorldTrust
from worldgym.types import Task

if TYPE_CHECKING:  # what needs torch waits until something is evaluated
    from worldgym.evaluation.fitting import Align
    from worldgym.evaluation.load_parts import Sources
    from worldgym.evaluation.plan import EvaluateConfig
    from worldgym.judges.judge_protocol import Judge
    from worldgym.policies.policy_protocol import Policy
    from worldgym.world.world_protocol import World

AnyPolicy: TypeAlias = "str | Policy[Any]"
Rates: TypeAlias = Mapping[tuple[str, str], CellRate]  # by policy and task
LOADING = (
    "sampler_steps",
    "cfg",
    "embodiment",
    "rule",
    "device",
    "policy_device",
    "engine",
    "robot",
)


class EvaluateOptions(TypedDict, total=False):
    """What an evaluation may be told besides: the options of `worldgym evaluate --help`."""

    seed: int
    batch: int | None
    embodiment: str | None
    sampler_steps: int | None
    cfg: float | None
    rule: str | None
    device: str
    policy_device: str | None
    engine: str
    robot: str | None
    budget: float | None
    truth: Path | None
    shard: tuple[int, int]
    max_minutes: float | None
    stall_minutes: float
    world_trust: Path | None
    include_red: bool
    other_engine: bool
    on: str
    workers: int
    gpus: float
    track: tuple[str, ...]
    align: Align
    stop_when_certain: float | None
    command: str


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The policies of a run against each other; all but `baseline` is part of its summary."""

    policies: tuple[PolicySummary, ...]
    """each policy with its success rate, in the run's order"""
    completeness: Completeness
    """how much of the plan the log holds"""
    unequal_mixture: bool
    """whether pooled rates do not compare, because the tasks have unequal shares in them"""
    comparisons: tuple[PolicyComparison, ...]
    """every pair of policies on common trials"""
    ranking: CommonTrialRanking | None
    """probabilities of ranks"""
    unranked: tuple[str, ...]
    """policies that cannot be ranked"""
    best_set: tuple[str, ...]
    """policies that are not shown to be worse than another"""
    rank_intervals: tuple[RankInterval, ...]
    """ranks that the policies may have, the best first"""
    trust: TrustedTasks | None
    """the trust report of the world; None without one"""
    baseline: BaselineTest | None = None
    """every other policy against a baseline; None where none was asked for"""


class Run:
    """A run folder: the log of its trials, and what follows from it.

    folder: RUN, as `evaluate` and `worldgym evaluate` write it.   header: world, policies, judge,
    seed, versions and options.   summary: of this very log, if available.   not_done: trials
    that failed and that were left, of those that the evaluation which made this was to do; None of
    a folder that was there.   ended_early: whether a time limit or a signal ended it.
    InputError if there is no log, or a damaged one."""

    not_done: tuple[int, int] | None = None
    ended_early: bool = False

    def __init__(self, folder: str | Path, summary: Summary | None = None) -> None:
        self.folder = Path(folder)
        self.header = read_header(self.folder / LOG_NAME)
        self._summary = summary

    @property
    def records(self) -> Iterator[TrialRecord]:
        """Every attempt at every trial, one at a time, in the log's order."""
        return each_record(self.folder / LOG_NAME)[1]

    @property
    def trials(self) -> list[dict[str, Any]]:
        """A row per trial, ready for `pandas.DataFrame(run.trials)`: its last attempt that
        finished, or the last of those that failed. The columns are the fields of docs/log.md;
        `score` lies in [0, 1], or is None with a reason."""
        known = results(self.records)
        return [as_row(record) for record in (*known.finished, *known.failed)]

    @cached_property
    def attempts(self) -> RunAttempts:
        """What the statistics are derived from, read once."""
        return RunAttempts.read(self.folder)

    @property
    def summary(self) -> Summary:
        """Rates with their intervals, comparisons, ranking, agreement
        with known truth, as in summary.json. Computed from the log."""
        if self._summary is None:
            beside = calibration_of_run(self.folder), WorldTrust.of_run(self.folder)
            self._summary = summary_of(self.attempts, *beside)
        return self._summary

    def report(self, include_red: bool = False) -> Path:
        """Writes RUN/report.html and RUN/summary.json again => the path of the report.

        include_red: tasks that the trust report of the world calls red count in the headline
        numbers, of `summary` too from now on."""
        self._summary = write_results(self.folder, include_red)
        return self.folder / REPORT_NAME


def evaluate(
    world: str | Path | World[Any],
    policy: AnyPolicy | list[AnyPolicy] | tuple[AnyPolicy, ...],
    tasks: str | Path | Sequence[Task],
    judge: str | Path | Judge,
    *,
    out: str | Path,
    trials: int,
    **options: Unpack[EvaluateOptions],
) -> Run:
    """Rolls the policies out in the world, lets the judge score the videos, and writes all of it
    and a report into the folder `out`. The same call again does only what is missing; one with
    more policies, trials or tasks makes the run larger.

    world, policy, tasks, judge: what the options of `worldgym evaluate` take, or objects; one
    policy or several. A policy that is an object needs another name when it has changed.
    trials: of each policy in each group of tasks.   out: a folder, or one of an object store
    ("s3://BUCKET/FOLDER"): the run is then made on this machine and sent there while it runs.
    InputError and SpecMismatch before the first frame where parts do not fit; SameFailure where ten
    trials in a row fail alike. Other failed trials are counted in the summary, and tried again by
    the next call."""
    from worldgym.evaluation.run import run_sources

    with Trackers.named(options.pop("track", ())) as trackers, run_folder(out) as folder:
        parts = evaluation_parts(folder, world, policy, tasks, judge, trials=trials, **options)
        done = run_sources(*parts)
        for step, values in tracked_rates(done.summary).items():
            trackers.log(values, step)
    run = Run(folder, done.summary)
    run.not_done = done.failed, done.left
    run.ended_early = done.stopped
    return run


def evaluation_parts(
    out: Path,
    world: str | Path | World[Any],
    policy: AnyPolicy | list[AnyPolicy] | tuple[AnyPolicy, ...],
    tasks: str | Path | Sequence[Task],
    judge: str | Path | Judge,
    *,
    trials: int,
    **options: Unpack[EvaluateOptions],
) -> tuple[Sources, EvaluateConfig]:
    """What `evaluate` is asked for, in the words of the room that does it."""
    from worldgym.evaluation.load_parts import Sources
    from worldgym.evaluation.plan import EvaluateConfig

    policies = tuple(policy) if isinstance(policy, list | tuple) else (policy,)
    given: dict[str, Any] = dict(options)
    loading = {name: given.pop(name) for name in LOADING if name in given}
    budget = given.pop("budget", None)
    trust = given.pop("world_trust", None)
    check_trackers(given.pop("track", ()))
    sources = Sources(world, policies, tasks, judge, judge_budget_usd=budget, **loading)
    return sources, EvaluateConfig(out, trials, trust=trust, **given)


def compare(
    run: Run | str | Path,
    baseline: str | None = None,
    margin: float = 0.05,
    equivalent: bool = False,
) -> Comparison:
    """The policies of a run against each other on common trials. InputError for a folder without a
    log, or a baseline that is none of the policies.

    baseline: the name of a policy: is each other one not worse by more than `margin`, a difference
    of success rates (with `equivalent`, nor better)? docs/statistics.md explains the tests."""
    run = run if isinstance(run, Run) else Run(run)
    names = [field.name for field in fields(Comparison) if field.name != "baseline"]
    found = Comparison(**{name: getattr(run.summary, name) for name in names})
    if baseline is None:
        return found
    used = headline_trials(run.header, run.attempts.attempts, WorldTrust.of_run(run.folder))
    gate = Gate(margin, equivalent)
    test = against_baseline(used.records, used.policies, used.headline, baseline, gate)
    return replace(found, baseline=test)


def agreement(
    predicted: Run | str | Path | Rates, real: str | Path | Rates, separate_frames: bool = False
) -> Agreement:
    """How well success rates of a world model agree with real ones, over the policies and tasks
    that both know: correlations with their noise ceiling, bias, regret.

    predicted, real: CSV files or tables, see `read_rates`; a run stands for its own rates.
    separate_frames: the real trials started from other initial frames than those in the world
    model.   InputError where the two share no policy and task."""
    return agreement_of_cells(paired_cells(rates(predicted), rates(real)), separate=separate_frames)


def rates(source: Run | str | Path | Rates) -> Rates:
    """Success rate in [0, 1] and number of trials by policy and task, of a run or a CSV file."""
    if isinstance(source, str | Path):
        return read_rates(Path(source))
    if not isinstance(source, Run):
        return source
    cells = source.summary.cells
    return {(c.policy, c.task): CellRate(c.rate, c.trials) for c in cells if c.rate is not None}
