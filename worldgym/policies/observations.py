"""What a policy gets: observations made from a rollout so far, or a refusal beforehand if they are
impossible.

Observations are functions of what one trial drew and did, so nothing here remembers anything. A
robot state that the world predicts replaces the one integrated from the actions.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from worldgym.actions.pose import Pose, lacking, pose_after, unsound
from worldgym.errors import InputError
from worldgym.policies.policy_protocol import Needs, Observation
from worldgym.types import ONE_VIEW, Actions, ActionSpec, Frames, States, Task

PARTS = re.compile(r"[./]")  # of a camera's name


def observe(
    needs: Needs,
    spec: ActionSpec,
    task: Task,
    frames: Sequence[Frames] | Frames,
    actions: Actions,
    views: Sequence[str] = ONE_VIEW,
    told: States | None = None,
) -> Observation:
    """The observation after `actions` [T, A], which drew `frames` [T + 1, V, H, W, 3] of `views`,
    initial frame first. A policy that names cameras sees the first of them as its frame, one that
    names none the main view.   told: robot's states that the world predicts, [T + 1, S] at
    least."""
    step = len(actions)
    before = [max(0, step - back) for back in range(needs.history - 1, 0, -1)]
    shown = [view_of(camera, needs, views) for camera in needs.cameras]
    first = (shown[0] or 0) if shown else 0
    newest = frames[step]
    pictures = {
        camera: np.zeros_like(newest[0]) if view is None else newest[view]
        for camera, view in zip(needs.cameras, shown, strict=True)
    }
    moments = (*before, step)
    if told is not None and tells(needs, told.names):
        columns = [told.names.index(name) for name in needs.state]
        *past_states, state = [tuple(map(float, told.values[t, columns])) for t in moments]
    else:
        *past_states, state = [_state(needs, spec, task, actions[:t]) for t in moments]
    return Observation(
        newest[first],
        task.instruction,
        step,
        tuple(frames[t][first] for t in before),
        pictures,
        state,
        tuple(past_states),
    )


def check_told(world: str, needs: Needs, task: Task, told: States) -> None:
    """InputError where the world predicts the state that a policy needs, but the initial one is
    neither predicted nor given by the task."""
    for name in needs.state if tells(needs, told.names) else ():
        if np.isnan(told.values[0, told.names.index(name)]):
            raise InputError(
                f"the world {world} does not predict the robot's state in the initial frame, and "
                f'task {task.name} does not say its "{name}": add "state" with it to its JSON file'
            )


def tells(needs: Needs, told: Sequence[str]) -> bool:
    """Whether a world that predicts these numbers predicts the state that a policy needs."""
    return bool(needs.state) and set(needs.state) <= set(told)


def view_of(camera: str, needs: Needs, views: Sequence[str]) -> int | None:
    """Which of a world's views a policy's camera shows: the one of its name, or of the last part of
    it ("observation.images.wrist"). The first camera, if no view has its name, shows the main view,
    unless another camera has that by name. None = no view does."""
    for name in (camera, _last(camera)):
        if name in views:
            return views.index(name)
    free = views[0] not in {*needs.cameras, *map(_last, needs.cameras)}
    return 0 if camera == needs.cameras[0] and free else None


def _last(camera: str) -> str:
    return PARTS.split(camera)[-1]


def check_needs(
    policy: str,
    needs: Needs,
    spec: ActionSpec,
    tasks: Sequence[Task],
    views: Sequence[str] = ONE_VIEW,
    told: Sequence[str] = (),
) -> None:
    """InputError, before the first frame, where a world of these views and these tasks cannot give
    what a policy needs.   told: names of the robot's state that the world predicts."""
    missing = [camera for camera in needs.cameras if view_of(camera, needs, views) is None]
    if refused := [camera for camera in missing if camera not in needs.blackened]:
        drawn = (
            f'one view, which is its "{needs.cameras[0]}"'
            if len(views) == 1
            else f"{', '.join(views)}"
        )
        raise InputError(
            f'policy {policy} needs the camera "{refused[0]}", and the world draws {drawn}; '
            f"choose a world that draws it or a policy without it, name the world's view for it in "
            f"the policy's family, or declare that this one may be black"
        )
    if not needs.state or tells(needs, told):
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


def substitutes(
    needs: Needs, task: Task, views: Sequence[str] = ONE_VIEW, told: Sequence[str] = ()
) -> tuple[str, ...]:
    """What a policy is shown instead of what it was made for, as flags of a rollout."""
    missing = [camera for camera in needs.cameras if view_of(camera, needs, views) is None]
    black = tuple(f"black view: {camera}" for camera in missing)
    counted = needs.state and not task.state and not tells(needs, told)
    return (*black, "state counted from zero") if counted else black


def _state(
    needs: Needs, spec: ActionSpec, task: Task, actions: npt.NDArray[np.float32]
) -> tuple[float, ...]:
    if not needs.state:
        return ()
    numbers = pose_after(Pose.of(task.state), actions, spec).numbers()
    return tuple(numbers[name] for name in needs.state)
