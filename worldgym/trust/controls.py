"""Control arms: actions that cannot do the task, from the same initial frames and noise. What still
succeeds is the optimism floor.

null       the arm is told not to move, the gripper as it was
shuffled   each rollout gets the actions of another one
reversed   the motion undone: from its end to its start, moves with the opposite sign

A control that succeeds is not always a fault of the world: a task that starts nearly solved shows
it under null, and another's actions may shut a drawer in truth too. Either way a policy's rate
means nothing below its task's floor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from worldgym.actions.embodiment import MOVING_MODES
from worldgym.judges.judge_protocol import Judge
from worldgym.judges.judging import scores
from worldgym.stats.success_rates import Rate, score_rate
from worldgym.trust.playback import Playing, play_again
from worldgym.types import Actions, ActionSpec, Rollout, is_success
from worldgym.world.world_protocol import World

ARMS = ("null", "shuffled", "reversed")
GRIPPER = "gripper"  # what the registry of conventions calls it


@dataclass(frozen=True)
class Floor:
    """What one arm left of a group of tasks. unscored: rollouts that the judge declined or broke
    on."""

    arm: str
    group: str
    rate: Rate
    unscored: int


def control_floors(
    world: World[Any],
    judge: Judge,
    rollouts: Sequence[Rollout],
    playing: Playing,
    arms: Sequence[str] = ARMS,
) -> list[Floor]:
    """Every arm for every group of tasks, in the order of `arms`."""
    floors = []
    for arm in arms:
        played = play_again(
            world, controlled(arm, rollouts, world.spec), playing, what=f"{arm} actions"
        )
        verdicts = list(zip(played, scores(judge, played), strict=True))
        for group in sorted({rollout.trial.task.group for rollout in rollouts}):
            own = [
                (rollout.trial.task.name, score)
                for rollout, score in verdicts
                if rollout.trial.task.group == group
            ]
            known = [(name, float(is_success(score))) for name, score in own if score is not None]
            rate = score_rate([score for _, score in known], [name for name, _ in known])
            floors.append(Floor(arm, group, rate, len(own) - len(known)))
    return floors


def controlled(arm: str, rollouts: Sequence[Rollout], spec: ActionSpec) -> list[Rollout]:
    """The same trials with an arm's actions; their frames are still those of before."""
    if arm == "shuffled":
        return _swapped(rollouts)
    change = {"null": held, "reversed": undone}[arm]
    return [replace(rollout, actions=change(rollout.actions, spec)) for rollout in rollouts]


def held(actions: Actions, spec: ActionSpec) -> Actions:
    """No motion: zeros where the mode moves by them, else the first action throughout; gripper
    numbers as they were."""
    still = (
        np.zeros_like(actions)
        if spec.mode in MOVING_MODES
        else np.repeat(actions[:1], len(actions), axis=0)
    )
    return np.where(grippers(spec), actions, still)


def undone(actions: Actions, spec: ActionSpec) -> Actions:
    """Last action first; numbers that move the arm by their value change sign."""
    backwards = actions[::-1].copy()
    return (
        np.where(grippers(spec), backwards, -backwards) if spec.mode in MOVING_MODES else backwards
    )


def grippers(spec: ActionSpec) -> Any:
    """bool [A]: which numbers are the gripper's."""
    return np.array([name == GRIPPER for name in spec.names])


def _swapped(rollouts: Sequence[Rollout]) -> list[Rollout]:
    """A fixed shuffle in which none keeps its own actions (if there are two or more), cut or held
    to its own length."""
    order = np.random.default_rng(0).permutation(len(rollouts))
    giver = {int(mine): int(theirs) for mine, theirs in zip(order, np.roll(order, -1), strict=True)}
    swapped = []
    for i, rollout in enumerate(rollouts):
        theirs = rollouts[giver[i]].actions
        steps = np.minimum(np.arange(len(rollout.actions)), len(theirs) - 1)
        swapped.append(replace(rollout, actions=theirs[steps]))
    return swapped
