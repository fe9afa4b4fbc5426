"""Commands around judges: human labels, calibration, other judges, pairwise comparison."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from worldgym.cli.options import JudgePlace, Policies, Positional, TasksPlace
from worldgym.cli.output import answer, command_line, show_ran, stop_where_nothing_worked
from worldgym.errors import InputError

if TYPE_CHECKING:
    from worldgym.judges.label_session import LabelConfig, LabelSession
    from worldgym.judges.pair_session import PairSession


@dataclass(frozen=True)
class Label:
    """Label videos by hand, or compare two at a time, on a page in the browser that does not say
    whose they are. Run it again to go on."""

    source: Positional[Path]
    """a run, or a list of videos (.jsonl with video and instruction)"""
    labels: Path | None = None
    """file that labels are added to (default: labels.jsonl beside the videos; with --pairs
    preferences.jsonl)"""
    pairs: bool = False
    """which came closer? asked for every two policies of a run on each trial; `worldgym judge
    prefer --judge preferences.jsonl` ranks them"""
    labeller: str = "anonymous"
    """who labels: kept with each label"""
    tasks: TasksPlace | None = None
    """folder of the run's tasks (default: the one its log names)"""
    port: int = 0
    """0 = any free one"""
    no_browser: bool = False
    """print the address, and open no browser"""

    def __call__(self) -> None:
        from worldgym.cli.web_commands import extra_installed, show_page
        from worldgym.judges.label_session import LabelConfig

        with extra_installed("`worldgym judge label`"):
            from worldgym.web.label_app import CLOSER, LABEL, LABELS, PREFERENCES, label_app
            from worldgym.web.web_server import WebServer

        folder = self.source if self.source.is_dir() else self.source.parent
        labels = self.labels or folder / (PREFERENCES if self.pairs else LABELS)
        session = self._session(LabelConfig(labels, self.labeller))
        kind = CLOSER if self.pairs else LABEL
        app, secret, finished = label_app(session, kind)
        server = WebServer(app, secret, self.port)
        finished.append(server.stop)
        print(session.done())
        show_page(server, self.no_browser, f"/{kind}")
        print(f"{labels}: {session.done()} by {self.labeller}")

    def _session(self, config: LabelConfig) -> LabelSession | PairSession:
        from worldgym.evaluation.preferences import pairs_of_run
        from worldgym.evaluation.rejudge import clips_of_run
        from worldgym.judges.label_session import LabelSession
        from worldgym.judges.labels import read_clips
        from worldgym.judges.pair_session import PairSession

        if self.pairs:
            if not self.source.is_dir():
                raise InputError(f"{self.source}: --pairs are of a run; give the folder of one")
            return PairSession(pairs_of_run(self.source, self.tasks), config)
        if self.source.is_dir():
            return LabelSession(clips_of_run(self.source, self.tasks), config)
        return LabelSession(read_clips(self.source), config)


@dataclass(frozen=True)
class Calibrate:
    """Compare a judge with labels: confusion, agreement, curves, robustness. Its calibration.json
    corrects a run's rates."""

    judge: Positional[JudgePlace]
    """checkpoint, judge.toml or labels.jsonl"""
    labels: Path
    """labels.jsonl, or an episode store whose successes are known"""
    out: Path
    """folder for calibration.json and verdicts.jsonl, one line per video"""
    probes: int = 20
    """videos for each robustness test; 0 = none"""
    budget: float | None = None
    """US dollars that verdicts may cost"""
    device: str = "auto"
    json: bool = False

    def __call__(self) -> None:
        from worldgym.judges.calibrate import CalibrateConfig, calibrate
        from worldgym.judges.load_judge import load_judge
        from worldgym.report.judging_text import print_calibration

        figures = calibrate(
            CalibrateConfig(self.labels, self.out, self.probes),
            load_judge(self.judge, self.budget, finished=True, device=self.device),
        )
        if self.json:
            print(json.dumps(figures, indent=2))
        else:
            print_calibration(figures)
            print(f"calibration: {self.out / 'calibration.json'}")


@dataclass(frozen=True)
class SetThreshold:
    """Choose a success classifier's threshold on a run whose truth is known: rates as near as can
    be to the true ones."""

    judge: Positional[JudgePlace]
    """checkpoint of a success classifier"""
    run: Path
    """run folder, judged by this very judge"""
    out: Path
    """folder for the judge with its new threshold"""

    def __call__(self) -> None:
        from worldgym.judges.threshold import ThresholdConfig, set_threshold

        judge = set_threshold(ThresholdConfig(self.run, self.judge, self.out))
        print(f"{self.out}: {judge.name}, threshold {judge.decision.threshold:.3f}")


@dataclass(frozen=True)
class Rejudge:
    """Judge the videos of a run with another judge, into a new run folder; nothing is rolled out.
    Resumes."""

    run: Positional[Path]
    """run folder"""
    judge: JudgePlace
    """checkpoint, judge.toml or labels.jsonl"""
    out: Path
    """folder for the new run"""
    tasks: TasksPlace | None = None
    """folder of the run's tasks (default: the one its log names)"""
    budget: float | None = None
    """US dollars that verdicts may cost"""
    device: str = "auto"
    other_engine: bool = False
    """go on with a run that began on another engine or device: numbers differ a little"""
    on: str = "local"
    workers: int = 0
    gpus: float = 0.0
    json: bool = False

    def __call__(self) -> None:
        from functools import partial

        from worldgym.api import Run
        from worldgym.evaluation.executor_names import no_budget_elsewhere
        from worldgym.evaluation.rejudge import RejudgeConfig, rejudge
        from worldgym.judges.load_judge import load_judge

        no_budget_elsewhere(self.on, self.budget)
        where = (self.on, self.workers, self.gpus)
        config = RejudgeConfig(
            self.run, self.out, self.tasks, command_line(), self.other_engine, *where
        )
        load = partial(load_judge, self.judge, self.budget, finished=True, device=self.device)
        show_ran(Run(self.out, rejudge(config, load(), load)), self.json)


@dataclass(frozen=True)
class Prefer:
    """Ask a model, or people's answers, which of two policies did better, trial by trial; a model
    in both orders. Several policies: each with each."""

    run: Positional[Path]
    """run folder"""
    judge: JudgePlace
    """judge.toml, or preferences.jsonl of `worldgym judge label --pairs`"""
    policy: Policies
    """two or more"""
    out: Path
    """folder for comparisons.jsonl, a line a comparison, and comparisons.json"""
    tasks: TasksPlace | None = None
    """folder of the run's tasks (default: the one its log names)"""
    budget: float | None = None
    """US dollars that answers may cost"""
    json: bool = False
    """what comparisons.json holds"""

    def __call__(self) -> None:
        from worldgym.evaluation.preferences import PreferenceConfig, compare_policies
        from worldgym.judges.human_preferences import load_pairwise
        from worldgym.report.judging_text import preference_text

        config = PreferenceConfig(self.run, self.out, self.policy, self.tasks)
        found = compare_policies(config, load_pairwise(self.judge, self.budget))
        answer(found, preference_text, self.json)
        stop_where_nothing_worked(
            found.reasons, sum(pair.trials - pair.broken for pair in found.pairs)
        )


@dataclass(frozen=True)
class Score:
    """Judge videos that no run made: of another world model, or of a robot. Run it again to go
    on."""

    videos: Positional[tuple[Path, ...]]
    """videos, folders of videos, or lists (.jsonl with video and instruction, and partial_credit if
    you like)"""
    judge: JudgePlace
    """checkpoint, judge.toml or labels.jsonl"""
    out: Path
    """folder for verdicts.jsonl, one line per video, and summary.json"""
    instruction: str = ""
    """what the robot was asked to do, in every video that comes without an instruction"""
    fps: float | None = None
    """frames per second to look at (default: all frames); a classifier sees motion at the rate of
    the videos it learned from"""
    budget: float | None = None
    """US dollars that verdicts may cost"""
    device: str = "auto"
    json: bool = False
    """print summary.json instead of words"""

    def __call__(self) -> None:
        from worldgym.judges.judge_videos import VideosConfig, judge_videos
        from worldgym.judges.load_judge import load_judge
        from worldgym.report.judging_text import videos_text

        config = VideosConfig(self.videos, self.out, self.instruction, self.fps)
        judge = load_judge(self.judge, self.budget, finished=True, device=self.device)
        summary = judge_videos(config, judge)
        answer(summary, videos_text, self.json)
        stop_where_nothing_worked(summary.reasons, summary.trials + summary.unscored)
