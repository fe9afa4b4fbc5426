"""True success of policies: the closed loop of an evaluation (`roll_out`) in the simulator as
its world, judged by the simulator's own success.

TRUTH/truth.csv                        policy, task, group, success, first_success_step; sorted,
                                       written at the end. All that the folder knows, other calls'
                                       policies and seeds too
TRUTH/partial.jsonl                    one line a finished episode: a killed run continues from here
TRUTH/videos/POLICY/GROUP/SEED.mp4     what happened, for as many seeds per task as asked for"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache, lru_cache, partial
from itertools import product
from pathlib import Path
from typing import Any

import torch

from worldgym.errors import InputError
from worldgym.evaluation.executor import each_result
from worldgym.evaluation.executor_names import executor_named
from worldgym.evaluation.rollout import roll_out
from worldgym.io.files import write_atomic
from worldgym.io.jsonl import LineFile, read_lines
from worldgym.io.progress import progress
from worldgym.io.records import from_mapping
from worldgym.io.video import encode_mp4
from worldgym.policies.load_policy import load, load_policy
from worldgym.policies.observations import check_needs
from worldgym.policies.policy_protocol import Policy
from worldgym.reference.reference_tasks import FPS, METAWORLD_SPEC, STEPS, TASKS, check_tasks
from worldgym.reference.simulator import Simulator
from worldgym.reference.simulator_world import SimulatorJudge, SimulatorWorld, varied
from worldgym.reference.variations import variation
from worldgym.tasks.write_tasks import write_task
from worldgym.types import Trial

CACHE_NAME = "partial.jsonl"
TruthKey = tuple[str, str, str, int]  # policy, identity, task, steps


@dataclass(frozen=True)
class TruthConfig:
    """Which policies are scored on which start states."""

    out: Path
    policies: tuple[str, ...]
    """names or folders"""
    seeds: tuple[int, ...]
    tasks: tuple[str, ...] = tuple(TASKS)
    steps: int = STEPS
    videos: int = 0
    """seeds per task whose episodes are kept as video"""
    on: str = "processes"
    workers: int = 0
    """on, workers: see `executor_named`"""
    variations: tuple[str, ...] = ()
    """names of reference/variations.py, scored beside the scene as it is; their tasks are called
    VARIATION/GROUP/SEED"""


@dataclass(frozen=True)
class TrueScore:
    """One line of the truth. `first_success_step`: actions taken when success was first seen, None
    if never."""

    policy: str
    task: str
    group: str
    success: bool
    first_success_step: int | None


@dataclass(frozen=True)
class TruthLine:
    """A line of TRUTH/partial.jsonl. key: policy, identity, task, steps."""

    key: TruthKey
    score: TrueScore


@dataclass(frozen=True)
class TruthJob:
    """One episode to run. `identity` changes when the policy's weights do: results of others are
    not reused."""

    source: str
    policy: str
    identity: str
    group: str
    seed: int
    steps: int
    video: Path | None
    variation: str = ""

    @property
    def named_group(self) -> str:
        return varied(self.variation, self.group)

    @property
    def task(self) -> str:
        return f"{self.named_group}/{self.seed}"

    @property
    def key(self) -> TruthKey:
        return self.policy, self.identity, self.task, self.steps


def truth(config: TruthConfig) -> list[TrueScore]:
    """Scores what is missing in `config.out`, writes truth.csv, and returns all asked for, sorted
    by policy and task."""
    jobs = _jobs(config)
    with LineFile(config.out / CACHE_NAME) as file:
        done = _known(file.path)
        waiting = [
            job for job in jobs if job.key not in done or (job.video and not job.video.exists())
        ]
        for job, (score, video) in _run(waiting, config):
            if job.video is not None and video is not None:
                write_atomic(job.video, video)
            file.append({"key": job.key, "score": asdict(score)})
            done[job.key] = score
        write_atomic(config.out / "truth.csv", to_csv(_sorted(_current(done, jobs))).encode())
    return _sorted(done[job.key] for job in jobs)


def _current(done: Mapping[TruthKey, TrueScore], jobs: Sequence[TruthJob]) -> Iterable[TrueScore]:
    """One result of a policy and task: the newest, but none of other weights or lengths where the
    jobs say which."""
    asked = {job.policy: job.identity for job in jobs}
    steps = {job.steps for job in jobs}
    kept = {
        (policy, task): score
        for (policy, identity, task, length), score in done.items()
        if length in steps and asked.get(policy, identity) == identity
    }
    return kept.values()


def _sorted(scores: Iterable[TrueScore]) -> list[TrueScore]:
    return sorted(scores, key=lambda score: (score.policy, score.task))


def write_tasks(
    out: Path,
    seeds: Sequence[int],
    tasks: Sequence[str] = tuple(TASKS),
    variations: Sequence[str] = (),
    steps: int = STEPS,
) -> list[str]:
    """Writes the initial frames of the simulator as a task folder (see tasks/task_folder.py) and
    returns the task names.

    Those of a variation know their nominal twin, as edited ones do.
    """
    names = []
    for name, group in product(("", *variations), tasks):
        simulator = Simulator(group, change=variation(name))
        world = SimulatorWorld(simulator, name)
        for seed in seeds:
            task = world.task(seed, steps)
            write_task(out, task)
            names.append(task.name)
        simulator.close()
    return names


def to_csv(scores: Sequence[TrueScore]) -> str:
    """The table of truth.csv; success as 0 or 1, no step where there was no success."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["policy", "task", "group", "success", "first_success_step"])
    for score in scores:
        step = "" if score.first_success_step is None else score.first_success_step
        writer.writerow([score.policy, score.task, score.group, int(score.success), step])
    return text.getvalue()


def _jobs(config: TruthConfig) -> list[TruthJob]:
    check_tasks(config.tasks)
    for change in config.variations:
        variation(change)
    jobs = []
    names = set()
    for source in config.policies:
        loaded = load(source, METAWORLD_SPEC)
        name = loaded.policy.name
        if name in names:
            raise InputError(
                f'two policies are called "{name}"; their results would be mixed, so leave one out'
            )
        names.add(name)
        identity = " ".join(filter(None, (loaded.identity, loaded.code))) or name
        for change, (place, seed), task in product(
            ("", *config.variations), enumerate(config.seeds), config.tasks
        ):
            video = (
                config.out / "videos" / name / varied(change, task) / f"{seed}.mp4"
                if place < config.videos
                else None
            )
            jobs.append(TruthJob(source, name, identity, task, seed, config.steps, video, change))
    return jobs


Scored = tuple[TrueScore, bytes | None]  # and its video, where one was asked for


def _run(jobs: list[TruthJob], config: TruthConfig) -> Iterator[tuple[TruthJob, Scored]]:
    """Results as they come; one process and one thread per core, for llvmpipe and small networks
    both gain from it.

    Jobs of one scene follow each other, so that a process keeps few simulators (100 MB each) and
    builds each once."""
    jobs = sorted(jobs, key=lambda job: (job.variation, job.group))
    done = each_result(executor_named(config.on, config.workers), _scorer, jobs)
    for number, scored in progress(done, len(jobs), "truth", "episode"):
        yield jobs[number], scored


def _scorer() -> Callable[[TruthJob], Scored]:
    torch.set_num_threads(1)
    return _score


def _known(path: Path) -> dict[TruthKey, TrueScore]:
    """Results of earlier calls."""
    lines = read_lines(path, "a cache of true results", "remove the file, and all is scored again")
    found = (line.read(partial(from_mapping, TruthLine)) for line in lines)
    return {line.key: line.score for line in found}


def _score(job: TruthJob) -> Scored:
    """A trial by itself: what a policy computes for it then depends on no other one."""
    policy = _policy(job.source, job.identity)
    simulator = _simulator(job.group, job.variation)
    brief = job.video is None
    sparse = brief and policy.needs.history == 1
    world = SimulatorWorld(simulator, job.variation, brief, sparse)
    task = world.task(job.seed, job.steps)
    check_needs(policy.name, policy.needs, policy.spec, [task])
    (rollout,) = roll_out(world, policy, [Trial(task, 0, 0)])
    verdict = SimulatorJudge(world)(rollout, task)
    video = None if brief else encode_mp4(rollout.main, FPS, crf=23)
    step = verdict.provenance["first_success_step"]
    return TrueScore(job.policy, task.name, task.group, step is not None, step), video


@cache
def _policy(source: str, identity: str) -> Policy[Any]:
    return load_policy(source, METAWORLD_SPEC)


@lru_cache(maxsize=2)
def _simulator(task: str, change: str) -> Simulator:
    return Simulator(task, change=variation(change))
