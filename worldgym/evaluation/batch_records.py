"""One batch of trials => the lines of the log: rolled out, kept on the disk, judged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

from worldgym.errors import JudgeStopped, SameFailure, ServerOutage
from worldgym.evaluation.fitting import at_frames, flags_of
from worldgym.evaluation.initial_frames import merged
from worldgym.evaluation.plan import EvaluateConfig, EvaluationPlan
from worldgym.evaluation.provenance import now
from worldgym.evaluation.rollout import roll_out
from worldgym.evaluation.unjudged import drop, keep, kept
from worldgym.io.attempts import TrialKey, trial_key
from worldgym.io.files import array_bytes, write_atomic
from worldgym.io.run_files import RunFiles, actions_beside
from worldgym.io.run_records import TrialRecord
from worldgym.io.timing import measured
from worldgym.io.user_code import Failure, attempt
from worldgym.io.video import encode_mp4
from worldgym.judges.judging import Bench, judge_each, judged_records
from worldgym.policies.policy_protocol import Policy
from worldgym.tasks.write_tasks import to_png
from worldgym.types import Rollout, Trial, Verdict, joined_views


class AttemptLog(Protocol):
    """What is known of earlier attempts: a `RunLog`, or what a worker was told of one."""

    def append(self, *records: TrialRecord) -> None: ...
    def attempts(self, policy: str, task: str, repeat: int) -> int: ...
    def last_attempt(self, policy: str, task: str, repeat: int) -> int: ...
    def tried(self, policy: str, task: str, repeat: int) -> bool: ...


@dataclass(frozen=True)
class OpenRun:
    """A plan while it runs.   starts: flags of initial frames, by task.   ran: trials of an earlier
    start that ran and have no verdict.   files: where those of new trials are put."""

    plan: EvaluationPlan
    bench: Bench
    log: AttemptLog
    starts: Mapping[str, tuple[str, ...]]
    ran: Mapping[TrialKey, TrialRecord]
    files: RunFiles


def rolled_out(
    plan: EvaluationPlan, policy: Policy[Any], batch: list[Trial]
) -> list[Rollout] | Failure:
    """The batch rolled out, filled up to the rows of every batch; or why it broke. Reads and writes
    nothing."""
    filled = batch + batch[-1:] * (plan.rows_of(policy) - len(batch))

    def roll() -> list[Rollout]:
        return _rolled_out(plan, policy, filled, len(batch))

    rolled = attempt(roll)
    if isinstance(rolled, Failure) and isinstance(rolled.error, ServerOutage):
        # a server that was away is no fault of one of the trials, and has lost them all
        return attempt(roll)
    return rolled


def lies_on_disk(run: OpenRun, policy: Policy[Any], batch: list[Trial]) -> bool:
    """Whether an earlier start has rolled some of the batch out."""
    return any(trial_key(policy.name, trial) in run.ran for trial in batch)


def run_batch(
    run: OpenRun,
    policy: Policy[Any],
    batch: list[Trial],
    rolled: list[Rollout] | Failure | None = None,
) -> Iterator[TrialRecord]:
    """Finished records in order. Where the batch breaks, each trial runs alone, so that only the
    bad one fails.

    rolled: what `rolled_out` gave, None = to be rolled out here."""
    if ran := _ran_before(run, policy, batch):
        yield from _judged_batch(run, ran, new=False)
        again = {rollout.trial.key for rollout in ran}
        if batch := [trial for trial in batch if trial.key not in again]:
            yield from run_batch(run, policy, batch)
        return
    rollouts = rolled_out(run.plan, policy, batch) if rolled is None else rolled
    if not isinstance(rollouts, Failure):
        yield from _judged_batch(run, rollouts)
    elif len(batch) > 1:
        for trial in batch:
            yield from run_batch(run, policy, [trial])
    else:
        failed = failed_record(run, policy.name, batch[0], rollouts.reason)
        yield failed
        run.bench.repeated.note(rollouts.reason)
        if failed.attempt < run.log.last_attempt(*failed.key):
            yield from run_batch(run, policy, batch)


def _rolled_out(
    plan: EvaluationPlan, policy: Policy[Any], trials: Sequence[Trial], count: int
) -> list[Rollout]:
    """The first `count` of `roll_out`, because the others fill up the batch: all the time it took
    is theirs, in equal shares."""
    with measured() as parts:
        rollouts = roll_out(plan.world, policy, trials, plan.stop)[:count]
    timing = {part: round(seconds / count, 6) for part, seconds in parts.items()}
    share = len(trials) / count
    flags = [flags_of(plan.capabilities, policy, rollout.trial.task) for rollout in rollouts]
    return [
        replace(
            rollout,
            seconds=share * rollout.seconds,
            timing=timing,
            flags=(*rollout.flags, *further),
        )
        for rollout, further in zip(rollouts, flags, strict=True)
    ]


def failed_record(run: OpenRun, policy: str, trial: Trial, reason: str) -> TrialRecord:
    return TrialRecord(
        **_identity(run, policy, trial),
        failure_reason=reason,
        judge=run.bench.judge.name,
        time=now(),
    )


def _ran_before(run: OpenRun, policy: Policy[Any], batch: Sequence[Trial]) -> list[Rollout]:
    """The rollouts of an earlier start that lie on the disk and have no verdict yet; what cannot be
    read is made again."""
    found = []
    for trial in batch:
        key = trial_key(policy.name, trial)
        if key in run.ran and not run.log.tried(*key):
            found.append(
                attempt(
                    partial(kept, run.plan.config.out, trial, run.ran[key], run.plan.world.views)
                )
            )
    return [rollout for rollout in found if not isinstance(rollout, Failure)]


def _judged_batch(
    run: OpenRun, rollouts: Sequence[Rollout], new: bool = True
) -> Iterator[TrialRecord]:
    """The lines of rollouts. Those that the run stops before are on the disk too. new: their files
    are still to be written."""
    bench = run.bench
    stride = run.plan.capabilities.stride
    shown = [at_frames(rollout, stride) for rollout in rollouts]
    done = 0
    try:
        for rollout, verdict in zip(rollouts, judge_each(bench.judge, shown), strict=True):
            done += 1
            yield from _judged(run, rollout, verdict, new)
    except SameFailure as stop:
        for rollout in rollouts[done:]:
            unjudged = Failure("the run stopped before this was judged", JudgeStopped(str(stop)))
            yield from _judged(run, rollout, unjudged, new)
        raise


def _judged(
    run: OpenRun, rollout: Rollout, verdict: Verdict | Failure, new: bool
) -> Iterator[TrialRecord]:
    """The lines of a trial that ran; its files are put before they are."""
    trial = rollout.trial
    video = f"videos/{rollout.policy}/{trial.task.name}-{trial.repeat}.mp4"
    if new:
        shown = joined_views(rollout.frames)
        mp4 = encode_mp4(shown, run.plan.world.spec.rate_hz, crf=20)
        run.files.put({video: mp4, actions_beside(video): array_bytes(rollout.actions)})
    if isinstance(verdict, Failure):
        keep(run.files, rollout)
    frame = f"frames/{trial.task.name}.png" if trial.task.name in run.plan.paired else None
    if frame is not None and frame not in run.files:
        run.files.put({frame: to_png(trial.task.frame)})
    flags = merged(rollout.flags, run.starts, trial.task.name)
    ran = {"frame": frame, "steps": len(rollout.actions), "flags": flags, "video": video}
    ran["clipped"] = rollout.clipped
    took = {"seconds": rollout.seconds, "timing": rollout.timing}
    last = run.log.last_attempt(*trial_key(rollout.policy, trial))

    def known() -> dict[str, Any]:
        return {**_identity(run, rollout.policy, trial), **ran, **took, "time": now()}

    judged = at_frames(rollout, run.plan.capabilities.stride)
    for record in judged_records(run.bench, judged, verdict, known, last):
        yield record
        if record.finished:
            drop(run.files, rollout)


def _identity(run: OpenRun, policy: str, trial: Trial) -> dict[str, Any]:
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
        "attempt": run.log.attempts(policy, task.name, trial.repeat) + 1,
        "truth": run.plan.truth.get((policy, task.name)),
        "truth_video": truth_video(run.plan.config, policy, task.name),
    }


def truth_video(config: EvaluateConfig, policy: str, task: str) -> str | None:
    """Copies the true video of this policy on this task into the run, so that a run folder is
    whole."""
    if config.truth is None:
        return None
    source = config.truth / "videos" / policy / f"{task}.mp4"
    name = f"truth/{policy}/{task}.mp4"
    if not source.exists():
        return None
    if not (config.out / name).exists():
        write_atomic(config.out / name, source.read_bytes())
    return name
