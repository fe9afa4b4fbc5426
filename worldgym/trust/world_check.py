"""`worldgym world check`: may this world be believed for these tasks? Every measure that the inputs
allow, and a colour a task.

OUT/check.json   everything; `worldgym evaluate` and `worldgym report` take it up (stats/trusted.py)
OUT/run/         the closed loop of the policies given, as `worldgym evaluate` writes it; a stopped
                 check goes on there"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from typing import Any

from worldgym.errors import InputError
from worldgym.evaluation.initial_frames import strange_starts
from worldgym.evaluation.plan import EvaluateConfig
from worldgym.evaluation.provenance import Origin, environment, now
from worldgym.evaluation.run import evaluate
from worldgym.io.bundled import each_policy
from worldgym.io.files import write_json
from worldgym.native.memory import keep_freed_memory
from worldgym.policies.load_policy import load
from worldgym.stats.success_rates import Rate, score_rate
from worldgym.stats.trusted import CHECK_NAME
from worldgym.tasks.task_folder import check_frames, load_tasks
from worldgym.trust.action_following import Response, action_following
from worldgym.trust.check_inputs import CheckConfig, CheckInputs, load_inputs, matching_store
from worldgym.trust.controls import ARMS, GRIPPER, Floor, control_floors
from worldgym.trust.error_signals import Instruments
from worldgym.trust.fit_error_predictor import measured_signals, rollouts_of
from worldgym.trust.playback import Recorded, recorded_rollouts
from worldgym.trust.replay_test import ReplayOutcome, by_group, replay_figures, replay_test
from worldgym.trust.trust_verdict import (
    LIMITS,
    Finding,
    finding,
    following_finding,
    strange_finding,
    verdict,
)
from worldgym.types import ROUNDING, Task

SWEPT = 6  # initial frames from which actions are swept
Found = dict[str, list[Finding]]  # by group of tasks


def check_trust(config: CheckConfig) -> dict[str, Any]:
    """Writes OUT/check.json and returns what it holds. InputError if there is nothing to check by,
    or parts do not fit."""
    if config.episodes is None and not (config.policies and config.tasks):
        raise InputError(
            "there is nothing to check by: give --data, or --policy and --tasks, or both"
        )
    if config.per_task < 1:
        raise InputError(f"--trials is {config.per_task}: ask for 1 or more")
    keep_freed_memory()
    parts = load_inputs(config)
    figures: dict[str, Any] = {"strange": {}, "floors": [], "replay": {}, "wrong_verdicts": {}}
    found: Found = {}
    starts: list[Task] = []
    if config.episodes is not None:
        episodes = recorded_rollouts(matching_store(config.episodes, parts.world), config.per_task)
        tasks = [episode.rollout.trial.task for episode in episodes]
        check_frames(tasks, parts.world.frame_shape)
        known = _known(tasks, parts, figures, found)
        starts += known
        names = {task.name for task in known}
        _check_recorded(
            parts, [e for e in episodes if e.rollout.trial.task.name in names], figures, found
        )
    if config.policies and config.tasks:
        starts += _check_closed_loop(config, parts, figures, found)
    responses = _following(parts, starts)
    figures["following"] = [asdict(response) for response in responses]
    whole = following_finding(responses, GRIPPER)
    for group in sorted({task.group for task in starts} | set(found)):
        own = [*found.get(group, []), *([] if whole is None else [whole])]
        said = verdict(group, own)
        figures.setdefault("tasks", {})[group] = {
            "colour": said.colour,
            "reason": said.reason,
            "findings": [asdict(one) for one in own],
        }
    result = _described(config, parts) | figures
    write_json(config.out / CHECK_NAME, result)
    return result


def _check_recorded(
    parts: CheckInputs, episodes: Sequence[Recorded], figures: dict[str, Any], found: Found
) -> None:
    if not episodes:
        return
    outcomes, _ = replay_test(parts.world, parts.judge, episodes, parts.playing)
    for group, some in by_group(outcomes).items():
        figures["replay"][group] = replay_figures(some)
        found.setdefault(group, []).extend(
            _replay_findings(some, figures["replay"][group]["judged"])
        )
    rollouts = [episode.rollout for episode in episodes]
    _add_floors(
        "recorded",
        control_floors(parts.world, parts.judge, rollouts, parts.playing),
        figures,
        found,
    )


def _replay_findings(outcomes: Sequence[ReplayOutcome], judged: dict[str, Any]) -> list[Finding]:
    kinds = (
        ("missed", judged["sensitivity"], "recorded successes are judged failures when replayed"),
        ("invented", judged["specificity"], "recorded failures are judged successes when replayed"),
    )
    made = []
    for kind, share, what in kinds:
        wrong = (
            0.0 if share["value"] is None else float(round((1.0 - share["value"]) * share["of"]))
        )
        made.append(
            finding(kind, Rate(wrong, share["of"], 1.0 - share["high"], 1.0 - share["low"]), what)
        )
    return [one for one in made if one is not None]


def _check_closed_loop(
    config: CheckConfig, parts: CheckInputs, figures: dict[str, Any], found: Found
) -> list[Task]:
    """=> the tasks whose initial frame the world knows."""
    tasks = load_tasks(config.tasks) if config.tasks else []
    loaded = [load(policy, parts.world.spec) for policy in each_policy(config.policies)]
    policies = [known.policy for known in loaded]
    run = EvaluateConfig(
        config.out / "run",
        config.per_task,
        config.seed,
        config.batch,
        command=config.command,
    )
    origin = Origin.of(parts.world, loaded, {"tasks": str(config.tasks)}, parts.familiarity)
    evaluate(run, parts.world, policies, tasks, parts.judge, origin)
    rollouts, records, chunks = rollouts_of(run.out)
    known = _known(tasks, parts, figures, found)
    names = {task.name for task in known}
    rollouts = [rollout for rollout in rollouts if rollout.trial.task.name in names]
    records = [record for record in records if record.task in names]
    if not rollouts:
        return known
    playing = replace(parts.playing, chunks=chunks)
    _add_floors(
        "policies", control_floors(parts.world, parts.judge, rollouts, playing), figures, found
    )
    if parts.inverse_dynamics is not None and parts.error_predictor is not None:
        futures = int(parts.error_predictor.facts["futures"])
        instruments = Instruments(
            parts.world, parts.world.codec, parts.inverse_dynamics, parts.judge, playing, futures
        )
        rows = measured_signals(run.out, config.out, records, instruments)
        p_wrong = parts.error_predictor.p_wrong(rows)
        for group in sorted({record.group for record in records}):
            own = [
                (r.task, float(d))
                for r, d in zip(records, p_wrong, strict=True)
                if r.group == group
            ]
            rate = score_rate([p for _, p in own], [task for task, _ in own])
            flagged = sum(p >= parts.error_predictor.threshold - ROUNDING for _, p in own)
            figures["wrong_verdicts"][group] = {
                "expected_wrong": _json(rate),
                "flagged": flagged,
                "rollouts": len(own),
            }
            _add(
                found,
                group,
                finding("wrong_verdicts", rate, "closed-loop verdicts are expected to be wrong"),
            )
    return known


def _known(
    tasks: Sequence[Task], parts: CheckInputs, figures: dict[str, Any], found: Found
) -> list[Task]:
    """Those whose initial frame the world knows; the others are named, and enter no measure."""
    strange = strange_starts(tasks, parts.familiarity)
    for group in sorted({task.group for task in tasks}):
        own = sorted(task.name for task in tasks if task.group == group)
        if odd := [name for name in own if name in strange]:
            before = figures["strange"].setdefault(group, {"frames": [], "of": 0})
            before["frames"] += odd
            before["of"] += len(own)
        _add(found, group, strange_finding(odd, len(own)))
    return [task for task in tasks if task.name not in strange]


def _add_floors(
    source: str, floors: Iterable[Floor], figures: dict[str, Any], found: Found
) -> None:
    for floor in floors:
        row = {
            "source": source,
            "arm": floor.arm,
            "task": floor.group,
            **_json(floor.rate),
            "unscored": floor.unscored,
        }
        figures["floors"].append(row)
        _add(
            found,
            floor.group,
            finding(
                "floor", floor.rate, f"rollouts with {floor.arm} actions ({source}) still succeed"
            ),
        )


def _add(found: Found, group: str, one: Finding | None) -> None:
    if one is not None:
        found.setdefault(group, []).append(one)


def _following(parts: CheckInputs, starts: Sequence[Task]) -> list[Response]:
    """From the first initial frame of each group, then the second ones, up to SWEPT."""
    if parts.inverse_dynamics is None:
        return []
    groups = sorted({task.group for task in starts})
    ranked = [[task for task in starts if task.group == group] for group in groups]
    turns = [tasks[turn] for turn in range(SWEPT) for tasks in ranked if turn < len(tasks)]
    return action_following(
        parts.world, parts.world.codec, parts.inverse_dynamics, turns[:SWEPT], parts.playing
    )


def _described(config: CheckConfig, parts: CheckInputs) -> dict[str, Any]:
    left_out = []
    if parts.familiarity is None:
        left_out.append(
            "whether the world knows the initial frames needs familiarity.json: `worldgym world "
            "measure-familiarity`"
        )
    if parts.inverse_dynamics is None:
        left_out.append(
            "action following and P(verdict wrong) need an inverse-dynamics model: `worldgym "
            "world "
            "train-inverse-dynamics`"
        )
    elif parts.error_predictor is None:
        left_out.append(
            "P(verdict wrong) needs an error predictor: `worldgym world fit-error-predictor`"
        )
    if config.episodes is None:
        left_out.append("the replay test needs recorded episodes: --data")
    if not (config.policies and config.tasks):
        left_out.append("closed loops need policies and tasks: --policy, --tasks")
    return {
        "world": parts.world.name,
        "judge": parts.judge.name,
        "inverse_dynamics": None if parts.inverse_dynamics is None else parts.inverse_dynamics.name,
        "embodiment": {
            "actions": list(parts.world.spec.names),
            "mode": parts.world.spec.mode,
            "unit": parts.world.spec.unit,
        },
        "per_task": config.per_task,
        "arms": list(ARMS),
        "limits": {kind: asdict(limit) for kind, limit in LIMITS.items()},
        "not_measured": left_out,
        "command": config.command,
        "environment": environment(parts.world.device),
        "time": now(),
    }


def _json(rate: Rate) -> dict[str, Any]:
    return {
        "rate": rate.value,
        "low": rate.low,
        "high": rate.high,
        "trials": rate.trials,
        "successes": rate.successes,
    }
