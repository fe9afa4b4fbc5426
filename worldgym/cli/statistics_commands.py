"""Commands that evaluate finished trials, or plan new ones. None of them needs torch."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from worldgym.cli.options import Positional
from worldgym.cli.output import answer
from worldgym.errors import InputError
from worldgym.stats.trial_plan_request import TrialPlanRequest

if TYPE_CHECKING:
    from worldgym.api import Comparison
    from worldgym.stats.baseline import BaselineTest
    from worldgym.stats.summary import Summary


@dataclass(frozen=True)
class MeasureAgreement:
    """Compare success rates of a world model with real ones: r, bias, calibration line, regret,
    noise ceiling."""

    predicted: Path
    """CSV with the rates of the world model: policy, task, and trials + successes, or rate in
    [0, 1] (+ trials)"""
    real: Path
    """CSV with the rates of the robot, in the same form"""
    separate_frames: bool = False
    """the real trials started from different initial frames than those in the world model"""
    json: bool = False
    """all numbers, by the names of docs/statistics.md"""

    def __call__(self) -> None:
        from worldgym.api import agreement
        from worldgym.io.json_form import to_json
        from worldgym.report.agreement_text import agreement_text
        from worldgym.stats.tables import read_rates

        predicted = read_rates(self.predicted)
        real = read_rates(self.real)
        measured = agreement(predicted, real, self.separate_frames)
        unpaired = {"world": len(predicted) - measured.n, "real": len(real) - measured.n}
        told = {**to_json(measured), "unpaired": unpaired}
        answer(told, lambda _: agreement_text(measured, unpaired), self.json)


@dataclass(frozen=True)
class Compare:
    """Is A better than B? Compare the policies of a run pairwise on common trials, and rank them.
    Exit code 1 with --until-decided if a pair is not decided yet, with --baseline if a policy fails
    or is undecided; otherwise 0. 2 is bad input.
    """

    run: Positional[Path]
    """run folder that `worldgym evaluate` wrote"""
    until_decided: bool = False
    """may the run be stopped? says for each pair which policy won, and after how many initial
    frames; repeat it as often as you like while the run grows"""
    baseline: str | None = None
    """a gate: is every other policy at most --margin worse than this one?"""
    margin: float = 0.05
    """largest acceptable difference of success rates; 0.05 is 5 points"""
    equivalent: bool = False
    """with --baseline: also fail if better by more than --margin"""
    json: bool = False
    """print all numbers as JSON, also of the sequential test"""

    def __call__(self) -> None:
        from worldgym.api import Run, compare
        from worldgym.io.json_form import to_json
        from worldgym.report.comparison_text import comparison_text, until_decided_text

        self._check()
        run = Run(self.run)
        found = compare(run, self.baseline, self.margin, self.equivalent)
        if found.baseline is not None:
            self._gate(found, found.baseline, run.summary)
        if self.until_decided and not found.comparisons:
            raise InputError(
                f"{self.run} has a single policy, so there is nothing to decide; name a run with "
                f"several policies"
            )
        words = until_decided_text if self.until_decided else comparison_text
        told = {key: value for key, value in to_json(found).items() if key != "baseline"}
        answer(told, lambda _: words(run.summary), self.json)
        if self.until_decided:
            undecided = any(pair.sequential.winner is None for pair in found.comparisons)
            sys.exit(1 if undecided else 0)

    def _gate(self, found: Comparison, test: BaselineTest, summary: Summary) -> NoReturn:
        """Prints whether the other policies pass, and exits with 0 if all do, else 1."""
        from worldgym.io.json_form import to_json
        from worldgym.report.comparison_text import baseline_text

        values = to_json(found)
        told = {**to_json(test), **{key: values[key] for key in ("completeness", "policies")}}
        answer(told, lambda _: baseline_text(test, summary), self.json)
        sys.exit(0 if test.passes else 1)

    def _check(self) -> None:
        if self.until_decided and self.baseline is not None:
            raise InputError("--until-decided and --baseline cannot be combined: give one of them")
        if self.equivalent and self.baseline is None:
            raise InputError("--equivalent needs --baseline: the policy to compare with")


@dataclass(frozen=True)
class Estimate:
    """Estimate the real success rate from a few real trials and many generated ones
    (prediction-powered inference)."""

    run: Positional[Path]
    """folder of a run whose initial frames include those of the real trials"""
    real: Path
    """CSV, one line per real trial: policy, task (an initial frame as the run names it, e.g.
    door-open/10000), success (0 to 1)"""
    level: float = 0.95
    """confidence level of the intervals"""
    mixture: bool = False
    """the real initial frames were drawn at random from all of the run's: differences between tasks
    then count too"""
    calibration: Path | None = None
    """calibration.json of `worldgym world calibrate`: corrects the world model's verdicts first
    (default: the one in RUN, if any)"""
    json: bool = False
    """all numbers, by the names in worldgym/stats/prediction.py"""

    def __call__(self) -> None:
        from worldgym.io.run_log import LOG_NAME, read_log
        from worldgym.report.planning_text import estimate_text
        from worldgym.stats.run_calibration import evaluator_calibration_of
        from worldgym.stats.studies import estimate
        from worldgym.stats.tables import read_real_trials

        header, records = read_log(self.run / LOG_NAME)
        calibration = evaluator_calibration_of(
            self.run, self.calibration, header.judge, header.world
        )
        real = read_real_trials(self.real)
        estimates = estimate(records, real, self.level, self.mixture, calibration)
        answer(estimates, estimate_text, self.json)


@dataclass(frozen=True)
class Plan(TrialPlanRequest):
    """Plan the number of trials: for an interval of a given width, or to distinguish A from B."""

    json: bool = False
    """print the numbers and the inputs as JSON"""

    def __call__(self) -> None:
        from worldgym.report.planning_text import plan_text
        from worldgym.stats.trial_planning import plan

        numbers = plan(self)
        asked = {name: value for name, value in vars(self).items() if name != "json"}
        told = {name: value for name, value in vars(numbers).items() if value is not None}
        answer({**told, "asked": asked}, lambda _: plan_text(numbers, self), self.json)
