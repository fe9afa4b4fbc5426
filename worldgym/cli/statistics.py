"""Commands that compute from finished trials, or plan further ones. None of them needs torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from worldgym.cli.output import answer
from worldgym.stats import wanted


@dataclass(frozen=True)
class Agreement:
    """How well success rates of a world model agree with real ones: r, bias, calibration line, regret, noise ceiling."""

    world: Path
    """CSV with policy, task and trials + successes, or rate in [0, 1] (+ trials)"""
    real: Path
    """CSV of the same form"""
    separate_frames: bool = False
    """the real trials started from other initial frames than those in the world model"""
    json: bool = False
    """all numbers, by the names of docs/statistics.md"""

    def run(self) -> None:
        from dataclasses import asdict

        from worldgym.report.answers import agreement_text
        from worldgym.stats.agreement import agreement
        from worldgym.stats.tables import paired_cells, read_rates

        world, real = read_rates(self.world), read_rates(self.real)
        measured = agreement(paired_cells(world, real), separate=self.separate_frames)
        unpaired = {"world": len(world) - measured.n, "real": len(real) - measured.n}
        answer({**asdict(measured), "unpaired": unpaired}, agreement_text, self.json)


@dataclass(frozen=True)
class Compare:
    """Is A better than B? The policies of a run against each other on common trials, and their ranking."""

    run_folder: tyro.conf.Positional[Path]
    """of `worldgym evaluate`"""
    json: bool = False
    """all numbers, of the sequential test too"""

    def run(self) -> None:
        from worldgym.log import LOG_NAME, read_log
        from worldgym.report.answers import comparison_text
        from worldgym.stats.summary import summarize
        from worldgym.stats.trusted import Check

        summary = summarize(*read_log(self.run_folder / LOG_NAME), check=Check.of_run(self.run_folder))
        told = {"policies", "comparisons", "ranking", "trust"}
        answer({key: value for key, value in summary.items() if key in told}, comparison_text, self.json)


@dataclass(frozen=True)
class Estimate:
    """The real success rate from a few real trials and many imagined ones (prediction-powered inference)."""

    world_run: Path
    """folder of a run whose start frames include those of the real trials"""
    real: Path
    """CSV, one line a real trial: policy, task (start frame, as named in the run), success (0 to 1)"""
    level: float = 0.95
    """of the intervals"""
    mixture: bool = False
    """the real start frames were drawn at random from all of the run's: what it says of whole tasks then counts too"""
    json: bool = False
    """all numbers, by the names in worldgym/stats/prediction.py"""

    def run(self) -> None:
        from worldgym.log import LOG_NAME, read_log
        from worldgym.report.answers import estimate_text
        from worldgym.stats.studies import estimate
        from worldgym.stats.tables import read_real_trials

        _, records = read_log(self.world_run / LOG_NAME)
        estimates = estimate(records, read_real_trials(self.real), self.level, self.mixture)
        answer({"level": self.level, "mixture": self.mixture, "estimates": estimates}, estimate_text, self.json)


@dataclass(frozen=True)
class Plan(wanted.Plan):
    """How many trials: for an interval of a wanted width, or to tell A from B."""

    json: bool = False
    """the numbers, and what was asked"""

    def run(self) -> None:
        from worldgym.report.answers import plan_text
        from worldgym.stats.planning import plan

        asked = {name: value for name, value in vars(self).items() if name != "json"}
        answer({**plan(self), "asked": asked}, plan_text, self.json)
