"""The command line: parse, one dataclass, one call. Heavy imports wait until a command runs, so that --help is quick."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from worldgym.errors import WorldGymError

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
    """checkpoint of a judge"""
    out: Path
    seed: int = 0
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

        sources = Sources(self.world, self.policy, self.tasks, self.judge, self.sampler_steps, self.cfg)
        config = EvaluateConfig(self.out, self.trials, self.seed, self.batch, self.truth, _command())
        _show(evaluate_sources(sources, config), self.out, self.json)


@dataclass(frozen=True)
class Report:
    """Write RUN/report.html and RUN/summary.json again from the log."""

    run_folder: tyro.conf.Positional[Path]
    json: bool = False
    """print summary.json instead of a table"""

    def run(self) -> None:
        from worldgym.files import write_json
        from worldgym.log import read_log
        from worldgym.stats.summary import summarize

        summary = summarize(*read_log(self.run_folder / "log.jsonl"))
        write_json(self.run_folder / "summary.json", summary)
        _show(summary, self.run_folder, self.json)


@dataclass(frozen=True)
class Agreement:
    """How well success rates of a world model agree with real ones, and what a perfect evaluator could have reached."""

    world: Path
    """CSV with policy, task and trials + successes, or rate in [0, 1] (+ trials)"""
    real: Path
    """CSV of the same form"""
    json: bool = False

    def run(self) -> None:
        from dataclasses import asdict

        from worldgym.report.answers import agreement_text
        from worldgym.stats.agreement import agreement
        from worldgym.stats.tables import paired_cells, read_rates

        world, real = read_rates(self.world), read_rates(self.real)
        measured = agreement(paired_cells(world, real))
        unpaired = {"world": len(world) - measured.n, "real": len(real) - measured.n}
        _answer({**asdict(measured), "unpaired": unpaired}, agreement_text, self.json)


@dataclass(frozen=True)
class Compare:
    """Is A better than B? The policies of a run against each other on common trials, and their ranking."""

    run_folder: tyro.conf.Positional[Path]
    json: bool = False

    def run(self) -> None:
        from worldgym.log import LOG_NAME, read_log
        from worldgym.report.answers import comparison_text
        from worldgym.stats.studies import compare

        header, records = read_log(self.run_folder / LOG_NAME)
        _answer(compare(records, [policy["name"] for policy in header.policies]), comparison_text, self.json)


@dataclass(frozen=True)
class Estimate:
    """The real success rate from a few real trials and many imagined ones (prediction-powered inference)."""

    world_run: Path
    """folder of a run whose start frames include those of the real trials"""
    real: Path
    """CSV, one line a real trial: policy, task (start frame, as named in the run), success (0 to 1)"""
    level: float = 0.95
    json: bool = False

    def run(self) -> None:
        from worldgym.log import LOG_NAME, read_log
        from worldgym.report.answers import estimate_text
        from worldgym.stats.studies import estimate
        from worldgym.stats.tables import read_real_trials

        _, records = read_log(self.world_run / LOG_NAME)
        estimates = estimate(records, read_real_trials(self.real), self.level)
        _answer({"level": self.level, "estimates": estimates}, estimate_text, self.json)


@dataclass(frozen=True)
class Plan:
    """How many trials: for an interval of a wanted width, or to tell A from B."""

    width: float | None = None
    """of the 95 % interval, from end to end: 0.2 is 10 points to either side"""
    rate: float = 0.5
    """expected success rate; 0.5 takes most trials"""
    a: float | None = None
    """expected success rate of A"""
    b: float | None = None
    correlation: float = 0.0
    """of A's and B's outcomes in common trials"""
    power: float = 0.8
    """probability of seeing the difference"""
    repeats: int = 1
    """trials of each start frame"""
    repeat_correlation: float = 0.0
    """of outcomes of one start frame"""
    imagined: int = 0
    """start frames tried in the world model beside the real ones"""
    real_correlation: float = 0.0
    """of real and imagined outcomes of one start frame (`worldgym estimate` measures it)"""
    json: bool = False

    def run(self) -> None:
        from worldgym.report.answers import plan_text
        from worldgym.stats import planning

        options = {name: value for name, value in vars(self).items() if name != "json"}
        _answer({**planning.plan(planning.Plan(**options)), "asked": options}, plan_text, self.json)


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

    def run(self) -> None:
        from worldgym.train import TrainRequest, train_from_store

        print(train_from_store(TrainRequest(**vars(self))))


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


Command = Demo | Evaluate | Report | Agreement | Compare | Estimate | Plan | Train | Reference


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


def _answer(answer: dict[str, Any], words: Callable[[Mapping[str, Any]], str], as_json: bool) -> None:
    """Prints the numbers, or what they say."""
    print(json.dumps(answer, indent=2, allow_nan=False) if as_json else words(answer))


def _command() -> str:
    return shlex.join(["worldgym", *sys.argv[1:]])


if __name__ == "__main__":
    main()
