"""`worldgym world trust`: can this world be trusted for these tasks? Every measure that the inputs
allow, and one colour per task.

OUT/trust.json           everything; `worldgym evaluate` and `worldgym report` take it up
                         (stats/world_trust.py)
OUT/run/, OUT/delayed/   the closed loops of the policies given (closed_loop.py); a stopped one
                         continues there
OUT/controls.jsonl       scores of the control arms (kept_scores.py); the same holds for them"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from typing import Any

from worldgym.actions.displacement import immovable
from worldgym.actions.embodiment import GRIPPER
from worldgym.errors import InputError
from worldgym.evaluation.engine_of_run import engine_of_run
from worldgym.evaluation.initial_frames import strange_starts
from worldgym.evaluation.provenance import environment, now
from worldgym.io.files import write_json
from worldgym.native.memory import keep_freed_memory
from worldgym.stats.success_rates import Rate, score_rate
from worldgym.stats.world_trust import TRUST_NAME
from worldgym.tasks.task_folder import check_frames, load_tasks
from worldgym.trust.action_following import Response, action_following
from worldgym.trust.closed_loop import RUN, ClosedLoop, closed_loop, delayed_floors
from worldgym.trust.controls import ARMS, DELAYED, Floor, Truth, control_floors, not_played
from worldgym.trust.error_signals import Instruments
from worldgym.trust.measured_signals import measured_signals
from worldgym.trust.replay_test import ReplayOutcome, by_group, replay_figures, replay_test
from worldgym.trust.rollout_replay import Recorded, recorded_rollouts
from worldgym.trust.trust_inputs import TrustConfig, TrustInputs, load_inputs, matching_store
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


def measure_trust(config: TrustConfig, truth: Truth | None = None) -> dict[str, Any]:
    """Writes OUT/trust.json and returns what it holds. truth: what control arms truly did, where
    that can be found out. InputError if there is nothing to measure by, or parts do not fit."""
    if config.episodes is None and not (config.policies and config.tasks):
        raise InputError(
            "there is nothing to measure by: give --data, or --policy and --tasks, or both"
        )
    if config.per_task < 1:
        raise InputError(f"--trials is {config.per_task}: ask for 1 or more")
    keep_freed_memory()
    config = replace(config, engine=engine_of_run(config.engine, config.out / RUN))
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
        replayed = [e for e in episodes if e.rollout.trial.task.name in names]
        _measure_recorded(parts, replayed, truth, figures, found)
    if config.policies and config.tasks:
        starts += _measure_closed_loop(config, parts, truth, figures, found)
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
    result = _described(config, parts, truth is not None) | figures
    result["not_measured"][:0] = not_played(figures["floors"], parts.world.spec)
    write_json(config.out / TRUST_NAME, result)
    return result


def _measure_recorded(
    parts: TrustInputs,
    episodes: Sequence[Recorded],
    truth: Truth | None,
    figures: dict[str, Any],
    found: Found,
) -> None:
    if not episodes:
        return
    outcomes, _ = replay_test(parts.world, parts.judge, episodes, parts.replaying)
    for group, some in by_group(outcomes).items():
        figures["replay"][group] = replay_figures(some)
        found.setdefault(group, []).extend(
            _replay_findings(some, figures["replay"][group]["judged"])
        )
    rollouts = [episode.rollout for episode in episodes]
    _add_floors(
        "recorded",
        control_floors(
            parts.world, parts.judge, rollouts, parts.replaying, parts.kept, truth=truth
        ),
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


def _measure_closed_loop(
    config: TrustConfig,
    parts: TrustInputs,
    truth: Truth | None,
    figures: dict[str, Any],
    found: Found,
) -> list[Task]:
    """=> the tasks whose initial frame the world knows."""
    tasks = load_tasks(config.tasks) if config.tasks else []
    loop = closed_loop(config, parts, tasks)
    known = _known(tasks, parts, figures, found)
    loop = loop.only(known)
    if not loop.rollouts:
        return known
    replaying = replace(parts.replaying, chunks=loop.chunks)
    floors = control_floors(
        parts.world, parts.judge, loop.rollouts, replaying, parts.kept, truth=truth
    )
    floors += delayed_floors(config, parts, known, truth)
    _add_floors("policies", floors, figures, found)
    _expect_wrong(config, replace(parts, replaying=replaying), loop, figures, found)
    return known


def _expect_wrong(
    config: TrustConfig, parts: TrustInputs, loop: ClosedLoop, figures: dict[str, Any], found: Found
) -> None:
    """What the error predictor, where there is one, says of the closed loop's verdicts."""
    predictor = parts.error_predictor
    if parts.inverse_dynamics is None or predictor is None:
        return
    futures = int(predictor.facts["futures"])
    instruments = Instruments(
        parts.world,
        parts.world.codec,
        parts.inverse_dynamics,
        parts.judge,
        parts.replaying,
        futures,
        parts.motions,
    )
    rows = measured_signals(config.out / RUN, config.out, loop.records, instruments)
    p_wrong = predictor.p_wrong(rows)
    for group in sorted({record.group for record in loop.records}):
        own = [
            (r.task, float(d))
            for r, d in zip(loop.records, p_wrong, strict=True)
            if r.group == group
        ]
        rate = score_rate([p for _, p in own], [task for task, _ in own])
        figures["wrong_verdicts"][group] = {
            "expected_wrong": _json(rate),
            "flagged": sum(p >= predictor.threshold - ROUNDING for _, p in own),
            "rollouts": len(own),
        }
        what = "closed-loop verdicts are expected to be wrong"
        _add(found, group, finding("wrong_verdicts", rate, what))


def _known(
    tasks: Sequence[Task], parts: TrustInputs, figures: dict[str, Any], found: Found
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
            "false": None if floor.false is None else _json(floor.false),
        }
        figures["floors"].append(row)
        what = f"rollouts with {floor.arm} actions ({source})"
        if floor.false is not None:
            what = f"{what} succeed in the world and not in truth"
            _add(found, floor.group, finding("false_floor", floor.false, what))
        elif floor.arm != DELAYED:  # it may truly succeed
            _add(found, floor.group, finding("floor", floor.rate, f"{what} still succeed"))


def _add(found: Found, group: str, one: Finding | None) -> None:
    if one is not None:
        found.setdefault(group, []).append(one)


def _following(parts: TrustInputs, starts: Sequence[Task]) -> list[Response]:
    """From the first initial frame of each group, then the second ones, up to SWEPT."""
    if parts.inverse_dynamics is None:
        return []
    groups = sorted({task.group for task in starts})
    ranked = [[task for task in starts if task.group == group] for group in groups]
    turns = [tasks[turn] for turn in range(SWEPT) for tasks in ranked if turn < len(tasks)]
    return action_following(
        parts.world, parts.world.codec, parts.inverse_dynamics, turns[:SWEPT], parts.replaying
    )


def _described(config: TrustConfig, parts: TrustInputs, truth: bool) -> dict[str, Any]:
    left_out = []
    if reason := immovable(parts.world.spec):
        left_out.append(f"control arm displaced: {reason}")
    if config.policies and config.tasks and not truth:
        left_out.append(
            "whether delayed policies truly succeed is not known, so that arm gives no colour"
        )
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
        "arms_against": "truth" if truth else None,
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
