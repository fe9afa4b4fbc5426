"""Commands of the reference world with known truth: record, score, train, validate."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from worldgym.cli.options import JudgePlace, Policies, WorldPlace
from worldgym.errors import InputError
from worldgym.io.text import amount


@dataclass(frozen=True)
class Record:
    """Record episodes of the reference tasks: experts, disturbed experts, failures. Resumes."""

    out: Path
    episodes: int = 400
    """episodes per task"""
    first_seed: int = 0
    """seeds from 10000 on are for evaluation only"""
    tasks: tuple[str, ...] = ()
    """default: all"""
    mix: str = "varied"
    """varied; near-misses: arms that graze, drift and hesitate as imitation policies do;
    other-task: arms that do other tasks; disturbed: beside, above, past, late, too far, mirrored"""
    moved_cameras: bool = False
    """record each episode with another camera pose"""
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
            f"{store.root}: {amount(len(store), 'episode')}, "
            f"{sum(bool(info.success) for info in store)} of them successes"
        )


@dataclass(frozen=True)
class EvaluateReference:
    """Score policies in the simulator, from start states of given seeds: the true results that an
    evaluation is compared with."""

    policy: Policies
    out: Path
    """folder for truth.csv, videos/ and tasks/ (the initial frames as a task folder)"""
    first_seed: int = 10_000
    seeds: int = 20
    """start states per task"""
    videos: int = 0
    """start states per task whose episodes are kept as video"""
    tasks: tuple[str, ...] = ()
    """default: all"""
    variation: tuple[str, ...] = ()
    """the same with the scene changed (recoloured, ball, dim, camera, noise, ...:
    reference/variations.py)"""
    on: str = "processes"
    workers: int = 0

    def __call__(self) -> None:
        from worldgym.reference.reference_tasks import TASKS
        from worldgym.reference.simulator_truth import TruthConfig, truth, write_tasks

        seeds = tuple(range(self.first_seed, self.first_seed + self.seeds))
        tasks = self.tasks or tuple(TASKS)
        what = TruthConfig(self.out, self.policy, seeds, tasks, variations=self.variation)
        scores = truth(replace(what, videos=self.videos, on=self.on, workers=self.workers))
        write_tasks(self.out / "tasks", seeds, tasks, self.variation)
        for name in dict.fromkeys(score.policy for score in scores):
            own = [score.success for score in scores if score.policy == name]
            print(f"{name}: {sum(own)} of {len(own)} trials succeed")


@dataclass(frozen=True)
class TrainPolicies:
    """Train a set of the policy zoo: two architectures, of clearly different quality. Resumes."""

    data: Path
    out: Path
    set: Literal[
        "development", "held-out", "collectors", "any-motion", "any-motion-development", "panda"
    ] = "development"
    """held-out sets, also any-motion, are scored once per release and not used to choose anything;
    any-motion: imitators of four kinds, disturbed and near-miss policies, see any_motion.json
    """
    only: tuple[str, ...] = ()
    """names of the policies to train; default: all"""
    seed: int | None = None
    """default: the set's own"""
    steps: int = 0
    """optimiser steps instead of each recipe's, for quick tests; such policies are useless"""
    device: str = "auto"

    def __call__(self) -> None:
        from worldgym.reference.any_motion import make_any_motion
        from worldgym.reference.zoo_training import train_policies

        if self.set.startswith("any-motion"):
            if self.only or self.seed is not None:
                raise InputError("the any-motion sets are fixed: remove --only and --seed")
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
    """episode store, recorded or (see generate-replays) also with generated episodes"""
    out: Path
    drawn: str = ""
    """ending of the names of generated episodes: "-generated"; they are half of the training data,
    and the threshold is chosen on them"""
    start: JudgePlace | None = None
    """a judge to continue training from; one of one view learns to see the others"""
    views: tuple[str, ...] = ()
    """names of the cameras that it uses (default: the main one)"""
    stride: int = 2
    """use every N-th frame, and always the last"""
    steps: int = 8000
    seed: int = 0
    device: str = "auto"

    def __call__(self) -> None:
        from worldgym.reference.reference_judge import recipe
        from worldgym.train.judge_training import train_judge

        config = recipe(self.data, self.out, self.drawn, self.seed, self.start, self.steps)
        config = replace(config, views=self.views, stride=self.stride)
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
    """folder for validation.json and sheet.png"""
    chunk: int = 1
    """actions per step"""
    batch: int = 30

    def __call__(self) -> None:
        from worldgym.reference.replay_validation import ValidateConfig, validate

        figures = validate(
            ValidateConfig(self.world, self.judge, self.data, self.out, self.chunk, self.batch)
        )
        print(json.dumps(figures, indent=2))
