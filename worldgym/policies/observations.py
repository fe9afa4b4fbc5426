"""What the seam owes a policy: observations made from a rollout so far, and a refusal beforehand
where that cannot be.

Observations are functions of the frames and actions of one trial, so nothing here remembers
anything. A state that a world predicts from its latents would take the place of `_state`; no world
does so yet.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from worldgym.actions.pose import Pose, lacking, pose_after, unsound
from worldgym.errors import InputError
from worldgym.policies.policy_protocol import Needs, Observation
from worldgym.types import Actions, ActionSpec, Frames, Task


def observe(
    needs: Needs, spec: ActionSpec, task: Task, frames: Sequence[Frames] | Frames, actions: Actions
) -> Observation:
    """The observation after `actions` [T, A], which drew `frames` [T + 1, H, W, 3], initial frame
    first."""
    step = len(actions)
    newest = frames[len(actions)]
    before = [max(0, step - back) for back in range(needs.history - 1, 0, -1)]
    views = {
        camera: newest if i == 0 else np.zeros_like(newest)
        for i, camera in enumerate(needs.cameras)
    }
    *past_states, state = [_state(needs, spec, task, actions[:t]) for t in (*before, step)]
    return Observation(
        newest,
        task.instruction,
        step,
        tuple(frames[t] for t in before),
        views,
        state,
        tuple(past_states),
    )


def check_needs(policy: str, needs: Needs, spec: ActionSpec, tasks: Sequence[Task]) -> None:
    """InputError, before the first frame, where a world of one view and these tasks cannot give
    what a policy needs."""
    if missing := [camera for camera in needs.cameras[1:] if camera not in needs.blackened]:
        raise InputError(
            f'policy {policy} needs the camera "{missing[0]}", and the world draws one view, which '
            f'is its "{needs.cameras[0]}"; '
            f"choose a policy of one camera, or declare that this one may be black"
        )
    if not needs.state:
        return
    if reason := unsound(spec, needs.state):
        raise InputError(
            f"policy {policy} needs the robot's state ({', '.join(needs.state)}), which is not "
            f"known: {reason}"
        )
    for task in tasks:
        if (absent := lacking(task.state, needs.state)) and not (
            needs.from_zero and not task.state
        ):
            raise InputError(
                f"policy {policy} needs the robot's state, and task {task.name} does not say how "
                f"it starts: "
                f'add "state" with {absent} to its JSON file'
            )


def substitutes(needs: Needs, task: Task) -> tuple[str, ...]:
    """What a policy is shown in place of what it was made for, as flags of a rollout."""
    black = tuple(f"black view: {camera}" for camera in needs.cameras[1:])
    return (*black, "state counted from zero") if needs.state and not task.state else black


def _state(
    needs: Needs, spec: ActionSpec, task: Task, actions: npt.NDArray[np.float32]
) -> tuple[float, ...]:
    if not needs.state:
        return ()
    numbers = pose_after(Pose.of(task.state), actions, spec).numbers()
    return tuple(numbers[name] for name in needs.state)
