"""The command line: parse, one dataclass, one call. Heavy imports wait until a command runs, so that --help is quick."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from worldgym.errors import WorldGymError

if TYPE_CHECKING:
    from worldgym.episodes.recording import SourceOptions

Short = tyro.conf.arg


@dataclass(frozen=True)
class Demo:
    """Evaluate the bundled policies in the bundled world and write a report. No simulator, no network."""

    out: Path = Path("runs/demo")
    """where log, videos, summary.json and report.html go"""
    full: bool = False
    """all start frames instead of a few (ten times longer)"""
    trials: int = 0
    """trials a task; 0 = 2, or all start frames with --full"""
    seed: int = 0
    json: bool = False
    """print summary.json instead of a table"""

    def run(self) -> None:
        from worldgym.reference.demo import run_demo

        _show(run_demo(self.out, self.trials, self.full, self.seed, _command()), self.out, self.json)


@dataclass(frozen=True)
class Evaluate:
    """Roll policies out in a world, let a judge score the videos, and summarise. Run it again to resume."""

    world: Path
    """checkpoint of a world, or the folder that `worldgym train` wrote"""
    policy: tuple[str, ...]
    """one or more: "still", "random", or the folder of a policy"""
    tasks: Path
    """folder of NAME.png + NAME.json"""
    trials: int
    """trials a task group; start frames in order, then again with fresh noise"""
    judge: Path
    """checkpoint of a judge, judge.toml (a model behind a server), or labels.jsonl (human labels)"""
    out: Path
    seed: int = 0
    budget: float | None = None
    """US dollars that verdicts may cost; then the run stops, and goes on with a higher one"""
    truth: Path | None = None
    """folder with truth.csv of known results (default: the task folder, if it holds one)"""
    batch: int = 20
    """trials advanced together; changes speed, and results by float rounding only"""
    sampler_steps: int | None = None
    """network calls a frame (default: the checkpoint's)"""
    cfg: float | None = None
    """guidance strength, 1 = off (default: the checkpoint's)"""
    json: bool = False
    """print summary.json instead of a table"""

    def run(self) -> None:
        from worldgym.evaluate import EvaluateConfig, Sources, evaluate_sources

        sources = Sources(self.world, self.policy, self.tasks, self.judge, self.sampler_steps, self.cfg, self.budget)
        config = EvaluateConfig(self.out, self.trials, self.seed, self.batch, self.truth, _command())
        _show(evaluate_sources(sources, config), self.out, self.json)


@dataclass(frozen=True)
class Report:
    """Write RUN/report.html and RUN/summary.json again from the log."""

    run_folder: tyro.conf.Positional[Path]
    calibration: Path | None = None
    """calibration.json of the run's judge, kept in RUN from now on: rates are shown corrected for its errors too"""
    json: bool = False
    """print summary.json instead of a table"""

    def run(self) -> None:
        from worldgym.files import write_atomic, write_json
        from worldgym.log import read_log
        from worldgym.stats.calibration import CALIBRATION_NAME, Calibration
        from worldgym.stats.summary import summarize

        header, records = read_log(self.run_folder / "log.jsonl")
        if self.calibration is not None:
            Calibration.read(self.calibration).check(header.judge)
            write_atomic(self.run_folder / CALIBRATION_NAME, self.calibration.read_bytes())
        summary = summarize(header, records, Calibration.of_run(self.run_folder))
        write_json(self.run_folder / "summary.json", summary)
        _show(summary, self.run_folder, self.json)


@dataclass(frozen=True)
class Train:
    """Train a world from recorded episodes: codec, latents, transformer. Run it again to resume."""

    data: Path
    """episode store to train on"""
    held_out: Path
    """episode store for the open-loop replay during training"""
    out: Path
    """gets codec/, world/, tensorboard/, sheets/ and the state to resume from"""
    recipe: str = "reference"
    codec: Path | None = None
    """checkpoint of a codec (default: OUT/codec, trained first if absent)"""
    steps: int | None = None
    """optimiser steps (default: the recipe's)"""
    codec_steps: int | None = None
    device: str = "cpu"
    processes: int = 1
    """on a CPU: one a core is fastest"""
    start: Path | None = None
    """checkpoint of a world to go on from (same recipe and codec)"""
    dry_run: bool = False
    """print parameters, memory, products a step and the least time the world will take, and train nothing"""

    def run(self) -> None:
        from worldgym.train import TrainRequest, expected, train_from_store

        request = TrainRequest(**{name: value for name, value in vars(self).items() if name != "dry_run"})
        print(expected(request) if self.dry_run else train_from_store(request))


@dataclass(frozen=True)
class ImportCheckpoint:
    """Bring in a published WorldGym checkpoint (.pt): nothing in the file is run, every weight is used or named."""

    file: tyro.conf.Positional[Path]
    out: Path
    """gets world/, and codec/ with --codec"""
    pixel_rope: bool = False
    """the checkpoint was trained with pixel rotary positions"""
    cfg: float = 1.0
    """guidance strength, 1 = off (3 for the mixed Open X checkpoint)"""
    codec: str | None = None
    """its autoencoder: a folder of diffusers weights, or a name on the hub (default: put it at OUT/codec later)"""
    heads: int = 16
    size: int = 256
    """pixels of a frame"""

    def run(self) -> None:
        from worldgym.world.published import PublishedImport, import_published

        print(import_published(PublishedImport(**vars(self))))


@dataclass(frozen=True)
class ImportCodec:
    """Bring in a pretrained KL autoencoder, such as Stable Diffusion 3's, as a codec (needs the extra "kl")."""

    source: tyro.conf.Positional[str]
    """a folder of diffusers weights (or one with them in vae/), or a name on the hub"""
    out: Path
    size: int = 256
    """pixels of a frame"""

    def run(self) -> None:
        from worldgym.latents.kl import import_autoencoder

        print(f"{self.out}: codec {import_autoencoder(self.source, self.out, self.size).fingerprint}")


@dataclass(frozen=True)
class Reading:
    """How a data set is read; the options that its commands share."""

    camera: str = ""
    """default: the first"""
    convention: str = ""
    """what the actions mean, where the files do not say: a registered name, or a JSON file of your own"""
    size: tuple[int, int] | None = None
    """height and width to resize frames to (default: as they are)"""
    fps: float | None = None
    """frames a second (default: what the files, or the convention, say)"""
    strict: bool = False
    """stop at the first broken episode instead of leaving it out"""

    def options(self) -> SourceOptions:
        from worldgym.episodes.recording import SourceOptions

        return SourceOptions(self.camera, self.convention, self.size, self.fps)


@dataclass(frozen=True)
class Inspect(Reading):
    """What a data set holds: episodes, cameras, lengths, ranges of actions, which action moves which frame, broken files."""

    source: tyro.conf.Positional[Path] = tyro.MISSING
    """folder (or HDF5 file) of the data set; the format is found out"""
    episodes: int = 20
    """how many are read, spread evenly; 0 = all"""
    sheet: Path | None = None
    """PNG file for a contact sheet"""
    json: bool = False
    """print JSON instead of text"""

    def run(self) -> None:
        from worldgym.episodes.inspect import inspect, write_sheet
        from worldgym.episodes.inspect_text import inspection_text
        from worldgym.episodes.sources import open_source

        found = inspect(open_source(self.source, self.options()), self.episodes, self.strict)
        if self.sheet and found.sheet is not None:
            write_sheet(found.sheet, self.sheet)
        print(json.dumps(found.to_json(), indent=2) if self.json else inspection_text(found))


@dataclass(frozen=True)
class Conventions:
    """The registered action conventions, and between which of them actions can be converted."""

    def run(self) -> None:
        from worldgym.actions.conventions import CONVENTIONS
        from worldgym.actions.convert import CONVERSIONS

        for name, spec in CONVENTIONS.items():
            print(f"{name}: {', '.join(spec.names)}; {spec.mode}; 1.0 = {spec.unit}; gripper {spec.gripper}; {spec.rate_hz:g} Hz")
        print("conversions, both ways: " + ", ".join(f"{a} - {b}" for a, b in CONVERSIONS))


@dataclass(frozen=True)
class Data:
    """Look at recorded data before training on them."""

    action: Annotated[Inspect, Short(name="inspect")] | Annotated[Conventions, Short(name="conventions")]

    def run(self) -> None:
        self.action.run()


@dataclass(frozen=True)
class Convert(Reading):
    """Convert a data set to an episode store (resumes) or to LeRobot v3.0."""

    source: tyro.conf.Positional[Path] = tyro.MISSING
    out: tyro.conf.Positional[Path] = tyro.MISSING
    to: Literal["worldgym", "lerobot"] = "worldgym"
    actions: str = ""
    """convention to convert the actions to (default: as they are)"""
    drop_first: bool = False
    """leave out frame 0 and action 0 (sets that begin with an action of zeros)"""
    shift: int = 0
    """frame t to t + 1 is moved by recorded action t + SHIFT"""
    relabel: bool = False
    """pose numbers from the recorded states: what the arm did instead of what it was told"""
    limit: int = 0
    """at most so many episodes; 0 = all"""

    def run(self) -> None:
        from worldgym.episodes.convert import ConvertRequest, convert
        from worldgym.episodes.recording import TimeRule

        rule = TimeRule(self.drop_first, self.shift, self.relabel)
        request = ConvertRequest(self.source, self.out, self.to, self.options(), rule, self.actions, self.limit, self.strict)
        done = convert(request)
        kept = f", {len(done.kept)} were there" if done.kept else ""
        print(f"{self.out}: {len(done.written)} episodes written{kept}, {len(done.skipped)} skipped")
        _print_skipped(done.skipped)


@dataclass(frozen=True)
class New(Reading):
    """Make a task of the first frame of every episode of a data set."""

    source: tyro.conf.Positional[Path] = tyro.MISSING
    out: tyro.conf.Positional[Path] = tyro.MISSING
    instruction: str = ""
    """for episodes that have none"""
    partial_credit: str = ""
    """written criterion for a score of 0.5"""
    steps: int = 40
    """actions a rollout may take"""
    limit: int = 0
    """at most so many tasks; 0 = all"""

    def run(self) -> None:
        from worldgym.tasks.new import NewTasks, new_tasks

        texts = self.instruction, self.partial_credit
        names, skipped = new_tasks(NewTasks(self.source, self.out, self.options(), *texts, self.steps, self.limit, self.strict))
        print(f"{self.out}: {len(names)} tasks, {len(skipped)} episodes skipped")
        _print_skipped(skipped)


@dataclass(frozen=True)
class Bridge17:
    """Join your start frames with the published Bridge suite: 17 tasks and the real results of four policies."""

    frames: tyro.conf.Positional[Path]
    """folder of NN-TASK/*.png; what is missing is named"""
    out: tyro.conf.Positional[Path]
    size: tuple[int, int] | None = None
    """height and width to resize frames to"""

    def run(self) -> None:
        from worldgym.tasks.bridge17 import make_bridge17

        names, missing = make_bridge17(self.frames, self.out, self.size)
        print(f"{self.out}: {len(names)} tasks")
        if missing:
            print(f"no start frames for {', '.join(missing)}")


@dataclass(frozen=True)
class Tasks:
    """Make task folders: a start image and a text each."""

    action: Annotated[New, Short(name="new")] | Annotated[Bridge17, Short(name="bridge17")]

    def run(self) -> None:
        self.action.run()


@dataclass(frozen=True)
class Record:
    """Record episodes of the reference tasks: experts, disturbed experts, failures. Resumes."""

    out: Path
    episodes: int = 400
    """a task"""
    first_seed: int = 0
    """seeds from 10000 on are for evaluation only"""
    tasks: tuple[str, ...] = ()
    """default: all"""
    workers: int = 0
    """processes; 0 = one a core"""

    def run(self) -> None:
        from worldgym.reference.record import RecordConfig, record
        from worldgym.reference.suite import TASKS

        store = record(RecordConfig(self.out, self.episodes, self.first_seed, self.tasks or tuple(TASKS), workers=self.workers))
        print(f"{store.root}: {len(store)} episodes, {sum(bool(info.success) for info in store)} successes")


@dataclass(frozen=True)
class Truth:
    """Score policies in the simulator, from start states of given seeds: the truth an evaluation is compared with."""

    policy: tuple[str, ...]
    out: Path
    """gets truth.csv, videos/ and tasks/ (the start frames as a task folder)"""
    first_seed: int = 10_000
    seeds: int = 20
    """start states a task"""
    videos: int = 0
    """start states a task whose episodes are kept as video"""
    tasks: tuple[str, ...] = ()
    """default: all"""
    workers: int = 0

    def run(self) -> None:
        from worldgym.reference.suite import TASKS
        from worldgym.reference.truth import TruthConfig, truth, write_tasks

        seeds, tasks = tuple(range(self.first_seed, self.first_seed + self.seeds)), self.tasks or tuple(TASKS)
        scores = truth(TruthConfig(self.out, self.policy, seeds, tasks, videos=self.videos, workers=self.workers))
        write_tasks(self.out / "tasks", seeds, tasks)
        for name in dict.fromkeys(score.policy for score in scores):
            own = [score.success for score in scores if score.policy == name]
            print(f"{name}: {sum(own)} of {len(own)} trials succeed")


@dataclass(frozen=True)
class TrainPolicies:
    """Train the reference policies: behaviour cloning of clearly different quality."""

    data: Path
    out: Path
    only: tuple[str, ...] = ()
    """names; default: all"""
    seed: int = 0

    def run(self) -> None:
        from worldgym.reference.train_policies import train_policies

        for folder in train_policies(self.data, self.out, self.only, self.seed):
            print(folder)


@dataclass(frozen=True)
class TrainJudge:
    """Train the success classifier on the simulator's labels."""

    data: Path
    """episode store, recorded or (see imagine) with imagined episodes too"""
    out: Path
    validation_from: int = 360
    """episodes of seeds from here on choose the threshold instead of being learned from"""
    decide_on: str = ""
    """only those whose name ends so choose it: "-imagined" """
    seed: int = 0

    def run(self) -> None:
        from worldgym.judges.classifier_train import train_judge
        from worldgym.reference.train_judge import recipe

        print(train_judge(recipe(self.data, self.out, self.validation_from, self.decide_on, self.seed)).name)


@dataclass(frozen=True)
class Validate:
    """Replay held-out recordings through a world: PSNR, the judge's agreement with the simulator, shuffled actions."""

    world: Path
    judge: Path
    data: Path
    """episode store of held-out seeds"""
    out: Path
    """gets validation.json and sheet.png"""
    chunk: int = 1
    """actions a step"""
    batch: int = 30

    def run(self) -> None:
        from worldgym.reference.validate import ValidateConfig, validate

        figures = validate(ValidateConfig(self.world, self.judge, self.data, self.out, self.chunk, self.batch))
        print(json.dumps(figures, indent=2))


@dataclass(frozen=True)
class Imagine:
    """Play recorded actions through a world and keep the videos with the simulator's labels, for training a judge."""

    world: Path
    data: Path
    out: Path
    every: int = 4
    """one of so many seeds"""
    batch: int = 30

    def run(self) -> None:
        from worldgym.reference.imagine import ImagineConfig, imagine

        print(f"{self.out}: {len(imagine(ImagineConfig(self.world, self.data, self.out, self.every, self.batch)))} episodes")


@dataclass(frozen=True)
class Bundle:
    """Put codec, world, judge, policies, start frames and truth together into the bundled demo."""

    trained: Path
    """folder that `worldgym train` wrote"""
    judge: Path
    policy: tuple[Path, ...]
    truth: Path
    """folder that `worldgym reference truth` wrote"""

    def run(self) -> None:
        from worldgym.reference.bundle import BundleConfig, bundle

        print(f"{bundle(BundleConfig(self.trained, self.judge, self.policy, self.truth)):.1f} MiB")


@dataclass(frozen=True)
class Reference:
    """The reference world with known truth (Meta-World; needs the extra "reference")."""

    action: (
        Annotated[Record, Short(name="")]
        | Annotated[Truth, Short(name="")]
        | Annotated[TrainPolicies, Short(name="")]
        | Annotated[TrainJudge, Short(name="")]
        | Annotated[Validate, Short(name="")]
        | Annotated[Imagine, Short(name="")]
        | Annotated[Bundle, Short(name="")]
    )

    def run(self) -> None:
        self.action.run()


@dataclass(frozen=True)
class Label:
    """Label videos by hand, on a page in the browser that does not say whose they are. Run it again to go on."""

    source: tyro.conf.Positional[Path]
    """a run, or a list of videos (.jsonl with video and instruction)"""
    labels: Path | None = None
    """file that labels are added to (default: labels.jsonl beside the videos)"""
    labeller: str = "anonymous"
    tasks: Path | None = None
    """folder of the run's tasks (default: the one its log names)"""
    port: int = 0
    """0 = any free one"""
    browser: bool = True

    def run(self) -> None:
        import webbrowser

        from worldgym.judges.label_page import LabelConfig, LabelServer
        from worldgym.judges.labels import read_clips
        from worldgym.rejudge import clips_of_run

        clips = clips_of_run(self.source, self.tasks) if self.source.is_dir() else read_clips(self.source)
        labels = self.labels or (self.source if self.source.is_dir() else self.source.parent) / "labels.jsonl"
        server = LabelServer(clips, LabelConfig(labels, self.labeller, self.port))
        print(f"{len(clips)} videos, {len(server.scores)} labelled: {server.url}", flush=True)
        if self.browser:
            webbrowser.open(server.url)
        print(f"{labels}: {server.serve()} of {len(clips)} videos labelled by {self.labeller}")


@dataclass(frozen=True)
class Calibrate:
    """Compare a judge with labels: confusion, agreement, curves, probes. Its calibration.json corrects a run's rates."""

    judge: Path
    """checkpoint, judge.toml or labels.jsonl"""
    labels: Path
    """labels.jsonl, or an episode store whose successes are known"""
    out: Path
    probes: int = 20
    """videos for each probe; 0 = none"""
    budget: float | None = None
    """US dollars that verdicts may cost"""
    json: bool = False

    def run(self) -> None:
        from worldgym.calibrate import CalibrateConfig, calibrate
        from worldgym.judges.load import load_judge
        from worldgym.report.terminal import print_calibration

        figures = calibrate(CalibrateConfig(self.labels, self.out, self.probes), load_judge(self.judge, self.budget))
        if self.json:
            print(json.dumps(figures, indent=2))
        else:
            print_calibration(figures)
            print(f"calibration: {self.out / 'calibration.json'}")


@dataclass(frozen=True)
class Rejudge:
    """Judge the videos of a run with another judge, into a new run folder; nothing is rolled out. Resumes."""

    run_folder: tyro.conf.Positional[Path]
    judge: Path
    """checkpoint, judge.toml or labels.jsonl"""
    out: Path
    tasks: Path | None = None
    """folder of the run's tasks (default: the one its log names)"""
    budget: float | None = None
    """US dollars that verdicts may cost"""
    json: bool = False

    def run(self) -> None:
        from worldgym.judges.load import load_judge
        from worldgym.rejudge import RejudgeConfig, rejudge

        config = RejudgeConfig(self.run_folder, self.out, self.tasks, _command())
        _show(rejudge(config, load_judge(self.judge, self.budget)), self.out, self.json)


@dataclass(frozen=True)
class Closer:
    """Ask a model which of two policies came closer, trial by trial, in both orders."""

    run_folder: tyro.conf.Positional[Path]
    judge: Path
    """judge.toml"""
    policies: tuple[str, str]
    out: Path
    tasks: Path | None = None
    """folder of the run's tasks (default: the one its log names)"""
    budget: float | None = None
    """US dollars that answers may cost"""

    def run(self) -> None:
        from worldgym.closer import CloserConfig, compare_policies
        from worldgym.judges.pairwise import PairwiseJudge
        from worldgym.judges.vlm import VlmConfig

        judge = PairwiseJudge(VlmConfig.read(self.judge), self.budget)
        print(json.dumps(compare_policies(CloserConfig(self.run_folder, self.out, self.policies, self.tasks), judge), indent=2))


@dataclass(frozen=True)
class Judge:
    """Label, calibrate and compare judges; judge a run again."""

    action: (
        Annotated[Label, Short(name="")]
        | Annotated[Calibrate, Short(name="")]
        | Annotated[Rejudge, Short(name="")]
        | Annotated[Closer, Short(name="")]
    )

    def run(self) -> None:
        self.action.run()


Command = Demo | Evaluate | Report | Judge | Train | Data | Convert | Tasks | ImportCheckpoint | ImportCodec | Reference


def main(arguments: list[str] | None = None) -> None:
    """Exit code 0 on success, 2 on bad input (one sentence on standard error), 130 on Ctrl-C (what ran is kept)."""
    style = (tyro.conf.OmitArgPrefixes, tyro.conf.OmitSubcommandPrefixes)
    command = tyro.cli(Command, args=arguments, prog="worldgym", config=style)
    try:
        command.run()
    except WorldGymError as error:
        print(f"worldgym: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("worldgym: stopped; what ran is kept, and the same command goes on from there", file=sys.stderr)
        sys.exit(130)


def _show(summary: dict[str, Any], run: Path, as_json: bool) -> None:
    """Writes RUN/report.html and prints the summary."""
    from worldgym.report.page import write_report
    from worldgym.report.terminal import print_summary

    report = write_report(run)
    if as_json:
        print(json.dumps(summary, indent=2))
        return

    print_summary(summary)
    print(f"report: {report}")


def _print_skipped(skipped: dict[str, str]) -> None:
    """Names and reasons on standard error, where a pipe does not take them for results."""
    for name, reason in skipped.items():
        print(f"skipped {name}: {reason}", file=sys.stderr)


def _command() -> str:
    return shlex.join(["worldgym", *sys.argv[1:]])


if __name__ == "__main__":
    main()
