"""Control arms: actions that cannot do the task, from the same initial frames and noise. Their
success rate is the optimism floor.

null       the arm is told not to move, the gripper as it was
shuffled   each rollout gets the actions of another one, where there are two or more
reversed   the motion undone: from its end to its start, moves with the opposite sign
displaced  the motion as it was, 10 cm to the side; only where actions say a pose in metres
delayed    the policies themselves, every action one step late. A late policy may well succeed, so
           this arm counts only where its truth is known

A success of a control is not always a fault of the world: a task that starts nearly solved succeeds
under null, and another rollout's actions may really close a drawer. In both cases a policy's rate
below its task's floor means nothing. Where the truth of exactly the same actions is known, from a
simulator, only successes that did not happen count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from worldgym.actions.displacement import immovable, moved_aside, sideways
from worldgym.actions.embodiment import GRIPPER, MOVING_MODES
from worldgym.actions.no_motion import no_motion
from worldgym.judges.judge_protocol import Judge
from worldgym.policies.policy_protocol import Policy
from worldgym.stats.success_rates import Rate, score_rate
from worldgym.trust.kept_scores import KeptScores, replayed_scores
from worldgym.trust.rollout_replay import ReplayOptions
from worldgym.types import Actions, ActionSpec, Rollout, Task, is_success
from worldgym.world.world_protocol import World

PLAYED = ("null", "shuffled", "reversed", "displaced")  # from the actions of rollouts
DELAYED = "delayed"  # the one that acts again
ARMS = (*PLAYED, DELAYED)
ROOM = 0.1  # share of a displacement that bounds may swallow


@dataclass(frozen=True)
class Truth:
    """What truly happens, if it can be found out, for example by a simulator.

    of_actions:   whether each rollout's actions do its task, from its task's initial frame; None =
    unknown. of_policies:  whether policies do tasks in closed loop, by their names; what is absent
    is unknown."""

    of_actions: Callable[[Sequence[Rollout]], Sequence[bool | None]]
    of_policies: Callable[[Sequence[Policy[Any]], Sequence[Task]], Mapping[tuple[str, str], bool]]


@dataclass(frozen=True)
class Floor:
    """What one arm left of a group of tasks. unscored: rollouts that the judge declined or broke
    on.   false: share of the rollouts that are judged successes and were none, of those whose truth
    is known; None where it is not known of any."""

    arm: str
    group: str
    rate: Rate
    unscored: int
    false: Rate | None = None


def control_floors(
    world: World[Any],
    judge: Judge,
    rollouts: Sequence[Rollout],
    replaying: ReplayOptions,
    kept: KeptScores,
    arms: Sequence[str] = PLAYED,
    truth: Truth | None = None,
) -> list[Floor]:
    """Every arm for every group of tasks, in the order of `arms`; without `displaced` where the
    spec says no pose in metres. kept: scores of a report that was stopped, and of this one."""
    floors = []
    for arm in arms:
        if arm == "displaced" and immovable(world.spec):
            continue
        chosen = controlled(arm, rollouts, world.spec)
        if chosen:
            said = replayed_scores(world, judge, chosen, replaying, kept, f"{arm} actions")
            happened = None if truth is None else truth.of_actions(chosen)
            floors += floors_of(arm, chosen, said, happened)
    return floors


def floors_of(
    arm: str,
    rollouts: Sequence[Rollout],
    said: Sequence[float | None],
    happened: Sequence[bool | None] | None = None,
) -> list[Floor]:
    """What the judge's scores and, where it is known, the truth say of an arm's rollouts, by
    group."""
    happened = [None] * len(rollouts) if happened is None else happened
    verdicts = [
        (rollout.trial.task, None if score is None else is_success(score), true)
        for rollout, score, true in zip(rollouts, said, happened, strict=True)
    ]
    floors = []
    for group in sorted({task.group for task, _, _ in verdicts}):
        own = [(task.name, yes, true) for task, yes, true in verdicts if task.group == group]
        scored = [(name, yes, true) for name, yes, true in own if yes is not None]
        known = [(name, yes and not true) for name, yes, true in scored if true is not None]
        rate = _share([(name, yes) for name, yes, _ in scored])
        floors.append(
            Floor(arm, group, rate, len(own) - len(scored), _share(known) if known else None)
        )
    return floors


def not_played(floors: Sequence[Mapping[str, Any]], spec: ActionSpec) -> list[str]:
    """Which arms some or all rollouts lack, and why; floors: as in trust.json."""
    played = Counter[tuple[str, str]]()
    for row in floors:
        played[row["source"], row["arm"]] += row["trials"] + row["unscored"]
    lines = []
    for source in dict.fromkeys(row["source"] for row in floors):
        count = played[source, "null"]
        if not played[source, "shuffled"]:
            lines.append(f"control arm shuffled ({source}): it needs two or more rollouts")
        without = count - played[source, "displaced"]
        if without and not immovable(spec):
            lines.append(
                f"control arm displaced ({source}): the bounds of the actions leave no room for "
                f"10 cm to the side in {without} of {count} rollouts"
            )
    return lines


def _share(outcomes: Sequence[tuple[str, bool]]) -> Rate:
    return score_rate([float(yes) for _, yes in outcomes], [name for name, _ in outcomes])


def controlled(arm: str, rollouts: Sequence[Rollout], spec: ActionSpec) -> list[Rollout]:
    """The same trials with an arm's actions; their frames are unchanged. Without those that the
    bounds do not allow to move to the side."""
    if arm == "shuffled":
        return _swapped(rollouts)
    if arm == "displaced":
        return _displaced(rollouts, spec)
    change = {"null": held, "reversed": undone}[arm]
    return [replace(rollout, actions=change(rollout.actions, spec)) for rollout in rollouts]


def held(actions: Actions, spec: ActionSpec) -> Actions:
    """No motion where the mode moves, else the first action throughout; gripper numbers as they
    were."""
    still = no_motion(np.repeat(actions[:1], len(actions), axis=0), spec)
    return np.where(grippers(spec), actions, still)


def undone(actions: Actions, spec: ActionSpec) -> Actions:
    """Last action first; numbers that move the arm by their value change sign, of a quaternion all
    but qw: that turns it back."""
    backwards = actions[::-1].copy()
    if spec.mode not in MOVING_MODES:
        return backwards
    turning = spec.rotation == "quaternion"
    kept = grippers(spec) | np.array([turning and name == "qw" for name in spec.names])
    return np.where(kept, backwards, -backwards)


def grippers(spec: ActionSpec) -> Any:
    """bool [A]: which numbers are those of a gripper."""
    return np.array([name.endswith(GRIPPER) for name in spec.names])


def _displaced(rollouts: Sequence[Rollout], spec: ActionSpec) -> list[Rollout]:
    moved = []
    for rollout in rollouts:
        offset = sideways(rollout.actions, spec, rollout.trial.seed)
        actions, left = moved_aside(rollout.actions, offset, spec)
        if np.linalg.norm(left) <= ROOM * np.linalg.norm(offset):
            moved.append(replace(rollout, actions=actions))
    return moved


def _swapped(rollouts: Sequence[Rollout]) -> list[Rollout]:
    """A fixed shuffle in which none keeps its own actions, cut or held to its own length; none of
    a single rollout, whose only actions are its own."""
    if len(rollouts) < 2:
        return []
    order = np.random.default_rng(0).permutation(len(rollouts))
    giver = {int(mine): int(theirs) for mine, theirs in zip(order, np.roll(order, -1), strict=True)}
    swapped = []
    for i, rollout in enumerate(rollouts):
        theirs = rollouts[giver[i]].actions
        steps = np.minimum(np.arange(len(rollout.actions)), len(theirs) - 1)
        swapped.append(replace(rollout, actions=theirs[steps]))
    return swapped
