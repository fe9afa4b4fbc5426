"""Commands of the reference world with known truth."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from worldgym.cli.options import JudgePlace, Policies, WorldPlace
from worldgym.errors import InputError


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
    mix: str = "varied"
    """varied; near-misses: arms that graze, drift and hesitate as imitating policies do;
    other-task: that do other tasks; disturbed: beside, above, past, late, too far, mirrored"""
    moved_cameras: bool = False
    """record each episode from another place of the camera"""
    processes: int = 0
    """0 = one per core"""

    def __call__(self) -> None:
        from worldgym.reference.record import RecordConfig, record
        from worldgym.reference.reference_tasks import TASKS

        tasks = self.tasks or tuple(TASKS)
        store = record(
            RecordConfig(
                self.out,
                self.episodes,
                self.first_seed,
                tasks,
                mix=self.mix,
                moved_cameras=self.moved_cameras,
                workers=self.processes,
            )
        )
        print(
            f"{store.root}: {len(store)} episodes, {sum(bool(info.success) for info in store)} "
            f"successes"
        )


@dataclass(frozen=True)
class Evaluate:
    """Score policies in the simulator, from start states of given seeds: the truth an evaluation is
    compared with."""

    policy: Policies
    out: Path
    """gets truth.csv, videos/ and tasks/ (the initial frames as a task folder)"""
    first_seed: int = 10_000
    seeds: int = 20
    """start states a task"""
    videos: int = 0
    """start states a task whose episodes are kept as video"""
    tasks: tuple[str, ...] = ()
    """default: all"""
    variation: tuple[str, ...] = ()
    """the same with the scene changed (recoloured, ball, dim, camera, noise, ...:
    reference/variations.py)"""
    processes: int = 0
    """0 = one per core"""

    def __call__(self) -> None:
        from worldgym.reference.reference_tasks import TASKS
        from worldgym.reference.simulator_truth import TruthConfig, truth, write_tasks

        seeds = tuple(range(self.first_seed, self.first_seed + self.seeds))
        tasks = self.tasks or tuple(TASKS)
        what = TruthConfig(self.out, self.policy, seeds, tasks, variations=self.variation)
        scores = truth(replace(what, videos=self.videos, workers=self.processes))
        write_tasks(self.out / "tasks", seeds, tasks, self.variation)
        for name in dict.fromkeys(score.policy for score in scores):
            own = [score.success for score in scores if score.policy == name]
            print(f"{name}: {sum(own)} of {len(own)} trials succeed")


@dataclass(frozen=True)
class TrainPolicies:
    """Train a set of the policy zoo: two architectures, clearly different quality. Resumes."""

    data: Path
    out: Path
    set: Literal[
        "development", "held-out", "collectors", "any-motion", "any-motion-development"
    ] = "development"
    """held-out ones, any-motion among them, are scored once a release, and nothing is chosen by
    them; any-motion: imitators of four kinds, disturbed and near-missing ones, see any_motion.json
    """
    only: tuple[str, ...] = ()
    """names; default: all"""
    seed: int | None = None
    """default: the set's own"""
    steps: int = 0
    """optimiser steps in place of each recipe's, to try things out; such policies are of no use"""
    device: str = "auto"

    def __call__(self) -> None:
        from worldgym.reference.any_motion import make_any_motion
        from worldgym.reference.zoo_training import train_policies

        if self.set.startswith("any-motion"):
            if self.only or self.seed is not None:
                raise InputError("the sets for any motion are fixed: leave --only and --seed out")
            which = "development" if self.set.endswith("development") else "held-out"
            for folder in make_any_motion(self.data, self.out, which, self.device, self.steps):
                print(folder)
            return
        own = (self.set, self.only, self.seed, self.device, self.steps)
        for folder in train_policies(self.data, self.out, *own):
            print(folder)


@dataclass(frozen=True)
class TrainJudge:
    """Train the success classifier on the simulator's labels."""

    data: Path
    """episode store, recorded or (see generate-replays) with generated episodes too"""
    out: Path
    drawn: str = ""
    """names of generated episodes end so: "-generated"; they are half of what is learned from, and
    choose the threshold"""
    start: Path | None = None
    """a judge to learn on from"""
    steps: int = 8000
    seed: int = 0
    device: str = "auto"

    def __call__(self) -> None:
        from worldgym.reference.reference_judge import recipe
        from worldgym.train.judge_training import train_judge

        config = recipe(self.data, self.out, self.drawn, self.seed, self.start, self.steps)
        print(train_judge(config, self.device).name)


@dataclass(frozen=True)
class Validate:
    """Replay held-out recordings through a world: PSNR, the judge's agreement with the simulator,
    shuffled actions."""

    world: WorldPlace
    judge: JudgePlace
    data: Path
    """episode store of held-out seeds"""
    out: Path
    """gets validation.json and sheet.png"""
    chunk: int = 1
    """actions a step"""
    batch: int = 30

    def __call__(self) -> None:
        from worldgym.reference.replay_validation import ValidateConfig, validate

        figures = validate(
            ValidateConfig(self.world, self.judge, self.data, self.out, self.chunk, self.batch)
        )
        print(json.dumps(figures, indent=2))


@dataclass(frozen=True)
class MineFalseSuccesses:
    """Find the closed loops that a world draws as successes and that truly failed, and keep them
    for its next training."""

    world: WorldPlace
    judge: JudgePlace
    data: Path
    """episode store that `worldgym reference generate-rollouts` wrote"""
    out: Path
    """episode store for them, and for as many closed loops that are judged right"""
    batch: int = 30

    def __call__(self) -> None:
        from worldgym.reference.mined_failures import MineConfig, mine_false_successes

        config = MineConfig(self.world, self.judge, self.data, self.out, batch=self.batch)
        found = mine_false_successes(config)
        print(
            f"{self.out}: {found.false} false successes of {found.looked_at} closed loops, and "
            f"{found.kept} that are judged right beside them"
        )


@dataclass(frozen=True)
class Chain:
    """The whole way to a new world: recordings, world, distillation, mining, judge, error
    predictor, calibration, evaluation. Resumes; --dry-run shows the stages."""

    out: Path
    """everything goes here, stages/ says what was done"""
    only: tuple[str, ...] = ()
    """stages; default: all that are not finished"""
    extent: Literal["full", "tiny"] = "full"
    """tiny: a few minutes, to see that every stage runs; its world is of no use"""
    dry_run: bool = False
    """print the stages, with their estimated times, and run nothing"""

    def __call__(self) -> None:
        from worldgym.reference.chain_stages import SIZES, stages
        from worldgym.reference.training_chain import is_finished, run_chain

        if not self.dry_run:
            ran = run_chain(self.out, SIZES[self.extent], self.only)
            print(f"{self.out}: {', '.join(ran) or 'nothing'} run; all else was finished")
            return
        total = 0
        for stage in stages(self.out, SIZES[self.extent]):
            done = is_finished(self.out, stage)
            total += 0 if done else stage.minutes
            print(f"{stage.name}: about {stage.minutes} minutes{', finished' if done else ''}")
            for command in stage.commands:
                print(f"  worldgym {' '.join(command)}")
        print(
            f"about {total / 60:.0f} hours on two idle cores, guessed, partly from measured parts"
        )


@dataclass(frozen=True)
class CheckCrossings:
    """The hand-crossing test: the hand passes before an object without touching it. PSNR about the
    object, before and after, by task."""

    world: WorldPlace
    out: Path
    """gets hand-crossing.json"""
    crossings: int = 10
    """a task"""
    first_seed: int = 12_000
    tasks: tuple[str, ...] = ()
    """default: all"""
    json: bool = False

    def __call__(self) -> None:
        from worldgym.reference.hand_crossing import CrossingConfig, check_crossings
        from worldgym.reference.reference_tasks import TASKS

        tasks = self.tasks or tuple(TASKS)
        found = check_crossings(
            CrossingConfig(self.world, self.out, tasks, self.crossings, self.first_seed)
        )
        if self.json:
            print(json.dumps(found, indent=2))
            return
        for task, row in found["tasks"].items():
            told = "no crossing without a touch was found"
            if row["lost"] is not None:
                told = (
                    f"{row['before']:.1f} dB before, {row['after']:.1f} dB after, "
                    f"{row['lost']:.1f} lost"
                )
            print(f"{task}: {row['crossings']} crossings, {told}")


@dataclass(frozen=True)
class GenerateReplays:
    """Play recorded actions through a world and keep the videos with the simulator's labels, for
    training a judge."""

    world: WorldPlace
    data: Path
    out: Path
    every: int = 4
    """one of so many seeds, and every closed-loop episode"""
    batch: int = 30

    def __call__(self) -> None:
        from worldgym.reference.generated_replays import ReplayConfig, generate_replays

        config = ReplayConfig(self.world, self.data, self.out, self.every, self.batch)
        print(f"{self.out}: {len(generate_replays(config))} episodes")


@dataclass(frozen=True)
class GenerateRollouts:
    """Let policies act in a learned world, play their actions in the simulator, and keep what truly
    follows. Resumes."""

    world: WorldPlace
    policy: Policies
    """folders; policies that will not be evaluated"""
    out: Path
    """episode store to add to"""
    first_seed: int = 0
    seeds: int = 40
    """start states a task"""
    tasks: tuple[str, ...] = ()
    """default: all"""
    processes: int = 0
    """0 = one per core"""

    def __call__(self) -> None:
        from worldgym.reference.behaviours import is_closed_loop
        from worldgym.reference.generated_rollouts import ClosedLoopConfig, generate_rollouts
        from worldgym.reference.reference_tasks import TASKS

        seeds = tuple(range(self.first_seed, self.first_seed + self.seeds))
        tasks = self.tasks or tuple(TASKS)
        store = generate_rollouts(
            ClosedLoopConfig(
                self.world, self.policy, self.out, seeds, tasks, workers=self.processes
            )
        )
        generated = [info for info in store if is_closed_loop(info)]
        print(
            f"{store.root}: {len(store)} episodes, {len(generated)} from closed loops, "
            f"{sum(bool(i.success) for i in generated)} of them successes"
        )


@dataclass(frozen=True)
class Bundle:
    """Put codec, world, judge, policies, initial frames and truth together into the bundled
    demo."""

    trained: Path
    """folder that `worldgym world train` wrote"""
    judge: Path
    policy: tuple[Path, ...]
    """folders of checkpoints"""
    truth: Path
    """folder that `worldgym reference evaluate` wrote"""
    inverse_dynamics: Path | None = None
    """from `worldgym world train-inverse-dynamics`"""
    error_predictor: Path | None = None
    """from `worldgym world fit-error-predictor`, on a run of this very world and judge"""
    motions: Path | None = None
    """from `worldgym world measure-motions`"""

    def __call__(self) -> None:
        from worldgym.reference.make_bundle import BundleConfig, bundle

        config = BundleConfig(
            self.trained,
            self.judge,
            self.policy,
            self.truth,
            inverse_dynamics=self.inverse_dynamics,
            error_predictor=self.error_predictor,
            motions=self.motions,
        )
        print(f"{bundle(config):.1f} MiB")


@dataclass(frozen=True)
class CheckRelease:
    """Score the bundled world anew on the held-out policies and seeds, and compare with the figures
    of its release. Resumes."""

    data: Path = Path("data/train")
    """recordings that the policies learn from; made where they are missing"""
    policies: Path = Path("runs/zoo/held-out")
    """trained where they are missing"""
    out: Path = Path("runs/release-check")
    seeds: int = 0
    """start states a task; default: those of the release"""
    write: bool = False
    """store the figures with the bundle instead of comparing: for a new world"""
    processes: int = 0
    """0 = one per core"""

    def __call__(self) -> None:
        from worldgym.reference.release_check import ReleaseConfig, release_check, require_release

        config = ReleaseConfig(
            self.data,
            self.policies,
            self.out,
            seeds=self.seeds,
            write=self.write,
            workers=self.processes,
        )
        check = release_check(config)
        print(f"{check.same} of {check.policies} policies are the very ones of the release")
        for line in check.lines:
            verdict = "holds" if line.holds else "FAILS"
            print(
                f"{verdict}  {line.measure}: released {line.released}, now {line.found}, tolerance "
                f"{line.tolerance:g}"
            )
        require_release(check.lines)
