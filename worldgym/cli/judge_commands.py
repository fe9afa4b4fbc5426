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
class LabelVideos:
    """Label videos by hand, or compare two at a time, on a page in the browser that hides the
    policies' names. Run it again to continue."""

    source: Positional[Path]
    """a run, or a list of videos (.jsonl with video and instruction)"""
    labels: Path | None = None
    """file that labels are added to (default: labels.jsonl next to the videos; with --pairs
    preferences.jsonl)"""
    pairs: bool = False
    """ask which policy did better, for every pair of policies of a run on each trial; `worldgym
    judge prefer --judge preferences.jsonl` ranks them"""
    labeller: str = "anonymous"
    """name of the person who labels, stored with each label"""
    tasks: TasksPlace | None = None
    """folder of the run's tasks (default: the one its log names)"""
    port: int = 0
    """0 = any free port"""
    no_browser: bool = False
    """print the address, and open no browser"""

    def __call__(self) -> None:
        from worldgym.cli.web_commands import extra_installed, show_page
        from worldgym.judges.label_session import LabelConfig

        with extra_installed("`worldgym judge label`"):
            from worldgym.io.run_files import LABELS_NAME, PREFERENCES_NAME
            from worldgym.web.label_app import LABEL, PREFER, label_app
            from worldgym.web.web_server import WebServer

        folder = self.source if self.source.is_dir() else self.source.parent
        labels = self.labels or folder / (PREFERENCES_NAME if self.pairs else LABELS_NAME)
        session = self._session(LabelConfig(labels, self.labeller))
        kind = PREFER if self.pairs else LABEL
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
        from worldgym.judges.labels import clips_to_label
        from worldgym.judges.pair_session import PairSession

        if self.pairs:
            if not self.source.is_dir():
                raise InputError(f"{self.source}: --pairs needs the folder of a run")
            return PairSession(pairs_of_run(self.source, self.tasks), config)
        if self.source.is_dir():
            return LabelSession(clips_of_run(self.source, self.tasks), config)
        return LabelSession(clips_to_label(self.source), config)


@dataclass(frozen=True)
class CalibrateJudge:
    """Compare a judge with labels: confusion, agreement, curves, robustness. The calibration.json
    that it writes corrects a run's rates."""

    judge: Positional[JudgePlace]
    """checkpoint, judge.toml or labels.jsonl"""
    labels: Path
    """labels.jsonl, or an episode store with known successes"""
    out: Path
    """folder for calibration.json and verdicts.jsonl, one line per video"""
    robustness: int = 20
    """videos for each robustness test; 0 = none"""
    budget: float | None = None
    """limit for the cost of verdicts, in US dollars"""
    device: str = "auto"
    json: bool = False

    def __call__(self) -> None:
        from worldgym.judges.calibrate import CalibrateConfig, calibrate
        from worldgym.judges.load_judge import load_judge
        from worldgym.report.judging_text import print_calibration

        figures = calibrate(
            CalibrateConfig(self.labels, self.out, self.robustness),
            load_judge(self.judge, self.budget, finished=True, device=self.device),
        )
        if self.json:
            print(json.dumps(figures, indent=2))
        else:
            print_calibration(figures)
            print(f"calibration: {self.out / 'calibration.json'}")


@dataclass(frozen=True)
class SetThreshold:
    """Choose a success classifier's threshold on a run with known truth, so that rates are as close
    as possible to the true ones."""

    judge: Positional[JudgePlace]
    """checkpoint of a success classifier"""
    run: Path
    """run folder, judged by this same judge"""
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
    """limit for the cost of verdicts, in US dollars"""
    device: str = "auto"
    other_engine: bool = False
    """continue a run that began on another engine or device: numbers differ slightly"""
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
    """Compare policies pairwise: a model, or people's answers, say which of two did better, trial
    by trial; a model is asked in both orders. With several policies, every pair is compared."""

    run: Positional[Path]
    """run folder"""
    judge: JudgePlace
    """judge.toml, or preferences.jsonl of `worldgym judge label --pairs`"""
    policy: Policies
    """two or more policies"""
    out: Path
    """folder for comparisons.jsonl, one line per comparison, and comparisons.json"""
    tasks: TasksPlace | None = None
    """folder of the run's tasks (default: the one its log names)"""
    budget: float | None = None
    """limit for the cost of answers, in US dollars"""
    json: bool = False
    """print comparisons.json instead of text"""

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
    """Judge videos from elsewhere: of another world model, or of a robot. Run it again to
    continue."""

    videos: Positional[tuple[Path, ...]]
    """videos, folders of videos, or lists (.jsonl with video and instruction, and partial_credit if
    you like)"""
    judge: JudgePlace
    """checkpoint, judge.toml or labels.jsonl"""
    out: Path
    """folder for verdicts.jsonl, one line per video, and summary.json"""
    instruction: str = ""
    """instruction for every video that comes without one"""
    fps: float | None = None
    """frames per second to use (default: all frames); a classifier needs the frame rate of the
    videos it was trained on"""
    budget: float | None = None
    """limit for the cost of verdicts, in US dollars"""
    device: str = "auto"
    json: bool = False
    """print summary.json instead of text"""

    def __call__(self) -> None:
        from worldgym.judges.judge_videos import VideosConfig, judge_videos
        from worldgym.judges.load_judge import load_judge
        from worldgym.report.judging_text import videos_text

        config = VideosConfig(self.videos, self.out, self.instruction, self.fps)
        judge = load_judge(self.judge, self.budget, finished=True, device=self.device)
        summary = judge_videos(config, judge)
        answer(summary, videos_text, self.json)
        stop_where_nothing_worked(summary.reasons, summary.trials + summary.unscored)
