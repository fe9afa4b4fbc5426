"""Trials -> rollouts -> verdicts -> log. Resumes where a run stopped; a failed trial is isolated,
retried, counted apart."""

from __future__ import annotations

import platform
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

import worldgym
from worldgym.errors import (
    BudgetSpent,
    InputError,
    JudgeStopped,
    SameFailure,
    SpecMismatch,
    at_least,
)
from worldgym.evaluation.initial_frames import merged, start_flags
from worldgym.evaluation.plan import even_batch, in_batches, plan_trials, planned_repeats
from worldgym.evaluation.rollout import roll_out
from worldgym.evaluation.unjudged import drop, keep, kept, waiting
from worldgym.evaluation.watchdog import Watchdog
from worldgym.io.bundled import bundled, each_policy
from worldgym.io.files import write_array, write_atomic
from worldgym.io.progress import progress
from worldgym.io.run_log import RunLog
from worldgym.io.run_records import (
    CODE_KEY,
    ENGINE_KEY,
    FAMILIARITY_KEY,
    PLANNED_KEY,
    TASKS_KEY,
    RunHeader,
    TrialKey,
    TrialRecord,
    actions_beside,
)
from worldgym.io.timing import measured
from worldgym.io.video import encode_mp4
from worldgym.judges.judge_protocol import Judge
from worldgym.judges.judging import Bench, charge, judge_each, judged_records, prepare, tried
from worldgym.judges.load_judge import load_judge
from worldgym.native.memory import keep_freed_memory
from worldgym.policies.adapters.converted import spoken_in
from worldgym.policies.load_policy import Loaded, load
from worldgym.policies.observations import check_needs
from worldgym.policies.policy_protocol import NAME, Policy
from worldgym.policies.user_code import Failure, attempt
from worldgym.report.page import write_results
from worldgym.stats.repeated_failures import RepeatedFailures
from worldgym.stats.summary import Summary
from worldgym.stats.trusted import CHECK_NAME, adopt_check
from worldgym.tasks.known_results import TABLES, known_results
from worldgym.tasks.task_digest import tasks_digest
from worldgym.tasks.task_folder import check_frames, load_tasks
from worldgym.tasks.write_tasks import to_png
from worldgym.types import ActionSpec, Rollout, Task, Trial, Verdict
from worldgym.world.familiarity import Familiarity, familiarity_of
from worldgym.world.load_world import load_world, world_folder
from worldgym.world.model import DiffusionWorld
from worldgym.world.row_threads import on_all_cores
from worldgym.world.world_protocol import World

T = TypeVar("T")


@dataclass(frozen=True)
class EvaluateConfig:
    """trials: per task group; initial frames are taken in order, and again with fresh noise where
    there are fewer.

    truth: folder with truth.csv (and videos/POLICY/TASK.mp4) of known results, or published.csv of
    whole groups, or None. batch: trials advanced together at most, see `even_batch`. Every batch is
    filled up to one size by repeating a trial: where matrix products round by their shape, a
    trial's pixels are so the same to the last bit whoever its neighbours are. command: as typed,
    and device: what the world computes on: for the log's header.
    shard: (i, n) = the i-th of n equal parts of the trials, counted from 1;
    `worldgym.evaluation.merge` puts parts together. check: what `worldgym world check` found; kept
    in the
    run, whose headline numbers leave out red tasks unless `include_red`. familiarity: what tells
    initial frames that the world does not know; None = nothing does.
    code: of policies made in this process, by name: see `Loaded.code`.   other_engine: goes on with
    a run whose frames were drawn by other kernels, which round otherwise.
    max_minutes: no batch starts later than that; what is left waits for the next
    start.   stall_minutes: see `Watchdog`; 0 = off."""

    out: Path
    trials: int
    seed: int = 0
    batch: int = 32
    truth: Path | None = None
    command: str = ""
    shard: tuple[int, int] = (1, 1)
    max_minutes: float | None = None
    stall_minutes: float = 0.0
    device: str = "cpu"
    check: Path | None = None
    include_red: bool = False
    code: Mapping[str, str] = field(default_factory=dict)
    other_engine: bool = False
    familiarity: Familiarity | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.shard[0] <= self.shard[1]:
            raise InputError(
                f"there is no shard {self.shard[0]} of {self.shard[1]}: shards count from 1, e.g. "
                f"2/4"
            )
        at_least("--batch", self.batch, 1)


@dataclass(frozen=True)
class Sources:
    """Where everything comes from: what the loaders take (folders, names, addresses), or objects.
    None leaves the checkpoint's sampler setting.

    judge_budget_usd: what the verdicts of a judge that is loaded may cost, None = no limit.
    embodiment: see `load_world`.   rule: see `SamplerConfig`.
    """

    world: str | Path | World[Any]
    policies: tuple[str | Policy[Any], ...]
    tasks: str | Path | Sequence[Task]
    judge: str | Path | Judge
    sampler_steps: int | None = None
    cfg: float | None = None
    judge_budget_usd: float | None = None
    embodiment: str | None = None
    rule: str | None = None


def evaluate_sources(sources: Sources, config: EvaluateConfig) -> Summary:
    """Loads what is no object yet, then `evaluate`."""
    keep_freed_memory()
    world, tasks, judge = _world_of(sources), sources.tasks, sources.judge
    loaded = [_loaded(policy, world.spec) for policy in each_policy(sources.policies)]
    described: dict[str, Any] = {}
    if isinstance(tasks, str | Path):
        folder = bundled(tasks, "tasks")
        described["tasks"], tasks = str(folder), load_tasks(folder)
        if config.truth is None and any((folder / table).exists() for table in TABLES):
            config = replace(config, truth=folder)
    if isinstance(judge, str | Path):
        judge = load_judge(judge, sources.judge_budget_usd)
    if isinstance(world, DiffusionWorld):
        described |= identities(world, loaded)
        config = _with_what_is_beside(sources.world, config, world)
        world = on_all_cores(world)
    config = replace(config, code=codes(loaded))
    return evaluate(config, world, [one.policy for one in loaded], tasks, judge, described)


def _world_of(sources: Sources) -> World[Any]:
    """The world, with the sampler that was asked for. InputError where an object cannot have it."""
    changes = {"steps": sources.sampler_steps, "cfg": sources.cfg, "rule": sources.rule}
    changes = {key: value for key, value in changes.items() if value is not None}
    world = sources.world
    if isinstance(world, str | Path):
        world = load_world(bundled(world, "world"), embodiment=sources.embodiment)
    if not changes:
        return world
    if not isinstance(world, DiffusionWorld):
        raise InputError(f"{', '.join(changes)}: the world {world.name} has no sampler of ours")
    return world.with_sampler(**changes)


def _loaded(policy: str | Policy[Any], spec: ActionSpec) -> Loaded:
    if isinstance(policy, str | Path):
        return load(policy, spec)
    return Loaded(spoken_in(policy, spec), None)


def _with_what_is_beside(
    place: str | Path | World[Any], config: EvaluateConfig, world: DiffusionWorld
) -> EvaluateConfig:
    """The world's device; and where its place is known, its check and its familiarity."""
    config = replace(config, device=world.device)
    if not isinstance(place, str | Path):
        return config
    folder = bundled(place, "world")
    familiarity = familiarity_of(folder, world.codec)
    return replace(config, check=config.check or _check_beside(folder), familiarity=familiarity)


def _check_beside(world: Path) -> Path | None:
    """The check.json in the world's folder, or in the one that holds the world beside its codec;
    None if there is none."""
    folder = world_folder(world)
    places = (folder, folder.parent) if folder.name == "world" else (folder,)
    return next((place / CHECK_NAME for place in places if (place / CHECK_NAME).exists()), None)


def _say_what_is_there(out: Path, done: int, planned: int) -> None:
    """Where a run goes on, on standard error: or else nobody knows whether a table is new."""
    if done >= planned:
        print(f"{out}: all {planned} trials were there; none was rolled out", file=sys.stderr)
    elif done:
        print(f"{out}: {done} of {planned} trials were there; the rest follows", file=sys.stderr)


def identities(world: DiffusionWorld, loaded: Sequence[Loaded]) -> dict[str, Any]:
    """For the log's header: what the names of world and policies do not tell. World and judge carry
    hashes in their names."""
    policies = {known.policy.name: known.identity for known in loaded}
    checkpoints = {"codec": world.codec.fingerprint, "policies": policies}
    return {
        "sampler": asdict(world.config.sampler),
        "checkpoints": checkpoints,
        ENGINE_KEY: world.computes,
    }


def codes(loaded: Sequence[Loaded]) -> dict[str, str]:
    """For `EvaluateConfig.code`."""
    return {known.policy.name: known.code for known in loaded if known.code}


@dataclass(frozen=True)
class Setting:
    """What every trial of a run shares."""

    config: EvaluateConfig
    world: World[Any]
    bench: Bench
    log: RunLog
    truth: Mapping[tuple[str, str], bool]
    rows: int
    paired: frozenset[str]
    """edited tasks and their nominal twins: their initial frames are kept for the report"""
    starts: Mapping[str, tuple[str, ...]]
    """flags of initial frames, by task"""
    ran: Mapping[TrialKey, TrialRecord]
    """trials of an earlier start that ran and have no verdict"""


def evaluate(
    config: EvaluateConfig,
    world: World[Any],
    policies: Sequence[Policy[Any]],
    tasks: Sequence[Task],
    judge: Judge,
    described: Mapping[str, Any] | None = None,
) -> Summary:
    """Runs what the log lacks, writes RUN/log.jsonl, videos, RUN/summary.json and RUN/report.html,
    and returns the summary.

    described: further settings for the log's header; they belong to the run's identity.
    SameFailure, after writing the summary, where one failure keeps repeating.
    """
    check_evaluation(world, policies, tasks)
    prepare(judge, tasks)
    known = known_results(config.truth, [policy.name for policy in policies], tasks)
    truths = tuple(asdict(result) for result in known.groups)
    planned = plan_trials(tasks, config.trials, config.seed)
    described = {
        **(described or {}),
        TASKS_KEY: tasks_digest(tasks),
        PLANNED_KEY: planned_repeats(planned),
    }
    described |= _familiarity(config)
    header = replace(_header(config, world, policies, judge, described), truths=truths)
    part, parts = config.shard
    trials, size = planned[part - 1 :: parts], even_batch(len(planned), config.batch)
    # they are played in halves, which must be alike too
    if size > 1 and any(policy.needs.elsewhere for policy in policies):
        size += size % 2 if size < config.batch else -(size % 2)
    with RunLog.open(
        config.out, header, may_differ=(ENGINE_KEY,) if config.other_engine else ()
    ) as log:
        if config.check is not None:
            adopt_check(config.out, config.check, world.name)
        bench, ran = Bench(judge, RepeatedFailures()), waiting(config.out, log.records)
        charge(judge, config.out, log.records)
        batches = list(in_batches(policies, trials, size, log.done))
        begun = {trial.task.name: trial.task for _, batch in batches for trial in batch}
        starts = start_flags(list(begun.values()), config.familiarity, judge)
        setting = Setting(
            config, world, bench, log, known.trials, size, _paired(tasks), starts, ran
        )
        _say_what_is_there(config.out, len(log.done), len(policies) * len(trials))
        try:
            with Watchdog(config.stall_minutes) as dog:
                for policy, batch in progress(
                    _in_time(config, batches), len(batches), "rolling out", "batch"
                ):
                    for record in _run_batch(setting, policy, batch):
                        log.append(record)
                        dog.fed()
        except BudgetSpent as spent:  # the rest is counted as failed, and waits for the next start
            for policy, batch in in_batches(policies, trials, size, log.done):
                for trial in batch:
                    if not tried(log, (policy.name, trial.task.name, trial.repeat)):
                        log.append(_failed(setting, policy.name, trial, str(spent)))
        except SameFailure:
            write_results(config.out, log.header, log.records, config.include_red)
            raise
        return write_results(config.out, log.header, log.records, config.include_red)


def _familiarity(config: EvaluateConfig) -> dict[str, Any]:
    """For the log's header: by which limit initial frames are called strange."""
    return {FAMILIARITY_KEY: None if config.familiarity is None else config.familiarity.to_json()}


def _in_time(config: EvaluateConfig, batches: Sequence[T]) -> Iterator[T]:
    """The batches, until `max_minutes` have passed."""
    started = time.monotonic()
    for done, batch in enumerate(batches):
        if (
            config.max_minutes is not None
            and time.monotonic() - started > 60.0 * config.max_minutes
        ):
            left = f"{len(batches) - done} of {len(batches)} batches are left"
            print(
                f"worldgym: {config.max_minutes:g} minutes are over; {left}, and the same command "
                f"goes on",
                file=sys.stderr,
            )
            return
        yield batch


def check_evaluation(
    world: World[Any], policies: Sequence[Policy[Any]], tasks: Sequence[Task]
) -> None:
    """Everything that can be known to be wrong before the first frame."""
    names = [policy.name for policy in policies]
    if double := next((name for name in names if names.count(name) > 1), None):
        raise InputError(
            f'two policies are called "{double}": rename one, for results are kept by name'
        )
    if odd := next((name for name in names if not NAME.fullmatch(name)), None):
        raise InputError(
            f'a policy is called "{odd}": its videos lie in a folder of that name, so use letters, '
            f"digits, . _ + @ -"
        )
    for policy in policies:
        if policy.spec != world.spec:
            raise SpecMismatch(
                f"policy {policy.name}", policy.spec, f"world {world.name}", world.spec
            )
        check_needs(policy.name, policy.needs, world.spec, tasks)
    check_frames(tasks, world.frame_shape)


def _run_batch(setting: Setting, policy: Policy[Any], batch: list[Trial]) -> Iterator[TrialRecord]:
    """Finished records in order. Where the batch breaks, each trial runs alone, so that only the
    bad one fails."""
    if ran := _ran_before(setting, policy, batch):
        yield from _judged_batch(setting, ran, new=False)
        again = {rollout.trial.key for rollout in ran}
        if batch := [trial for trial in batch if trial.key not in again]:
            yield from _run_batch(setting, policy, batch)
        return
    filled = batch + batch[-1:] * (setting.rows - len(batch))
    rollouts = attempt(lambda: _rolled_out(setting.world, policy, filled, len(batch)))
    if not isinstance(rollouts, Failure):
        yield from _judged_batch(setting, rollouts)
    elif len(batch) > 1:
        for trial in batch:
            yield from _run_batch(setting, policy, [trial])
    else:
        failed = _failed(setting, policy.name, batch[0], rollouts.reason)
        yield failed
        setting.bench.repeated.note(rollouts.reason)
        if failed.attempt < setting.log.last_attempt(*failed.key):
            yield from _run_batch(setting, policy, batch)


def _rolled_out(
    world: World[Any], policy: Policy[Any], trials: Sequence[Trial], count: int
) -> list[Rollout]:
    """The first `count` of `roll_out`, for the others fill up the batch: all the time it took is
    theirs, in equal shares."""
    with measured() as parts:
        rollouts = roll_out(world, policy, trials)[:count]
    timing, share = (
        {part: round(seconds / count, 6) for part, seconds in parts.items()},
        len(trials) / count,
    )
    return [
        replace(rollout, seconds=share * rollout.seconds, timing=timing) for rollout in rollouts
    ]


def _paired(tasks: Sequence[Task]) -> frozenset[str]:
    names = {task.name for task in tasks}
    return frozenset(
        name for task in tasks if task.nominal in names for name in (task.name, str(task.nominal))
    )


def _failed(setting: Setting, policy: str, trial: Trial, reason: str) -> TrialRecord:
    return TrialRecord(
        **_identity(setting, policy, trial),
        failure_reason=reason,
        judge=setting.bench.judge.name,
        time=now(),
    )


def _ran_before(setting: Setting, policy: Policy[Any], batch: Sequence[Trial]) -> list[Rollout]:
    """The rollouts of an earlier start that lie on the disk and have no verdict yet; what cannot be
    read is made again."""
    found = []
    for trial in batch:
        key = (policy.name, trial.task.name, trial.repeat)
        if key in setting.ran and not tried(setting.log, key):
            found.append(attempt(partial(kept, setting.config.out, trial, setting.ran[key])))
    return [rollout for rollout in found if not isinstance(rollout, Failure)]


def _judged_batch(
    setting: Setting, rollouts: Sequence[Rollout], new: bool = True
) -> Iterator[TrialRecord]:
    """The lines of rollouts. Those that the run stops before are on the disk too. new: their files
    are still to be written."""
    bench, done = setting.bench, 0
    try:
        for rollout, verdict in zip(rollouts, judge_each(bench.judge, rollouts), strict=True):
            done += 1
            yield from _judged(setting, rollout, verdict, new)
    except SameFailure as stop:
        for rollout in rollouts[done:]:
            unjudged = Failure("the run stopped before this was judged", JudgeStopped(str(stop)))
            yield from _judged(setting, rollout, unjudged, new)
        raise


def _judged(
    setting: Setting, rollout: Rollout, verdict: Verdict | Failure, new: bool
) -> Iterator[TrialRecord]:
    """The lines of a trial that ran; its video and its actions are on the disk before they are."""
    trial, out = rollout.trial, setting.config.out
    video = f"videos/{rollout.policy}/{trial.task.name}-{trial.repeat}.mp4"
    if new:
        write_atomic(out / video, encode_mp4(rollout.frames, setting.world.spec.rate_hz, crf=20))
        write_array(out / actions_beside(video), rollout.actions)
    if isinstance(verdict, Failure):
        keep(out, rollout)
    frame = f"frames/{trial.task.name}.png" if trial.task.name in setting.paired else None
    if frame is not None and not (out / frame).exists():
        write_atomic(out / frame, to_png(trial.task.frame))
    flags = merged(rollout.flags, setting.starts, trial.task.name)
    ran = {"frame": frame, "steps": len(rollout.actions), "flags": flags, "video": video}
    ran["clipped"] = rollout.clipped
    took = {"seconds": rollout.seconds, "timing": rollout.timing}
    last = setting.log.last_attempt(rollout.policy, trial.task.name, trial.repeat)

    def known() -> dict[str, Any]:
        return {**_identity(setting, rollout.policy, trial), **ran, **took, "time": now()}

    for record in judged_records(setting.bench, rollout, verdict, known, last):
        yield record
        if record.finished:
            drop(out, rollout)


def _identity(setting: Setting, policy: str, trial: Trial) -> dict[str, Any]:
    """What is known of a trial before it runs, its true result included."""
    task = trial.task
    return {
        "policy": policy,
        "task": task.name,
        "group": task.group,
        "instruction": task.instruction,
        "repeat": trial.repeat,
        "seed": trial.seed,
        "nominal": task.nominal,
        "axis": task.axis,
        "new_goal": task.new_goal,
        "attempt": setting.log.attempts(policy, task.name, trial.repeat) + 1,
        "truth": setting.truth.get((policy, task.name)),
        "truth_video": _truth_video(setting.config, policy, task.name),
    }


def _truth_video(config: EvaluateConfig, policy: str, task: str) -> str | None:
    """Copies the true video of this policy on this task into the run, so that a run folder is
    whole."""
    if config.truth is None:
        return None
    source, name = config.truth / "videos" / policy / f"{task}.mp4", f"truth/{policy}/{task}.mp4"
    if not source.exists():
        return None
    if not (config.out / name).exists():
        write_atomic(config.out / name, source.read_bytes())
    return name


def _header(
    config: EvaluateConfig,
    world: World[Any],
    policies: Sequence[Policy[Any]],
    judge: Judge,
    described: Mapping[str, Any],
) -> RunHeader:
    shard = {"shard": f"{config.shard[0]}/{config.shard[1]}"} if config.shard[1] > 1 else {}
    return RunHeader(
        config={
            "trials": config.trials,
            "batch": config.batch,
            **described,
            **shard,
            "judge": dict(judge.settings),
        },
        command=config.command,
        policies=tuple(_described(policy, config.code) for policy in policies),
        world=world.name,
        judge=judge.name,
        run_seed=config.seed,
        environment=environment(config.device) | {ENGINE_KEY: described.get(ENGINE_KEY)},
        started=now(),
    )


def _described(policy: Policy[Any], codes: Mapping[str, str]) -> dict[str, Any]:
    """A policy for the log's header; its needs, and the digest of its code, only where it has
    any."""
    described = {"name": policy.name, "spec": policy.spec.to_json(), "chunk": policy.chunk}
    further = {"needs": policy.needs.to_json(), CODE_KEY: codes.get(policy.name)}
    return described | {key: value for key, value in further.items() if value}


def environment(device: str) -> dict[str, Any]:
    """Versions and machine, for the log's header."""
    root = Path(worldgym.__file__).parents[1]
    return {
        "python": platform.python_version(),
        "worldgym": worldgym.__version__,
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "commit": _commit(root),
        "machine": f"{platform.machine()} {platform.system()}, {torch.get_num_threads()} threads",
        "device": device,
    }


def _commit(root: Path) -> str | None:
    """Of the repository that WorldGym runs from; None where it is installed, or where there is no
    git."""
    git = ["git", "rev-parse", "--show-toplevel", "HEAD"]
    try:
        told = subprocess.run(
            git, cwd=root, capture_output=True, text=True, check=False
        ).stdout.split()
    except OSError:
        return None
    # an installed copy may lie in somebody else's repository
    ours = len(told) == 2 and Path(told[0]) == root.resolve()
    return told[1] if ours else None


def now() -> str:
    """ISO time, for the log."""
    return datetime.now(UTC).isoformat(timespec="seconds")
