"""Adapts different worlds to each policy before the first frame (docs/worlds.md). A policy that
gives 8 actions and a world that takes exactly 12 cannot be combined without a choice, and a silent
choice would change what is measured. `align` is that choice: "refuse"; "commit": of each answer as
many actions are carried out as the world's steps cover; "hold": a step is filled up with actions of
no motion, and the world continues from the last frame that the policy's own actions drew. The two
change the policy's protocol, so its name says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isnan
from typing import Any, Literal

from worldgym.actions.pose import given_by
from worldgym.errors import InputError
from worldgym.io.images import resized
from worldgym.io.text import amount
from worldgym.policies.adapters.wrapped import committed, renamed, rows_of_an_action
from worldgym.policies.own.scripted import Unseeing
from worldgym.policies.policy_protocol import Policy
from worldgym.types import ONE_VIEW, Frames, Rollout, Task
from worldgym.world.capabilities import Capabilities
from worldgym.world.fitted_world import FittedWorld, cannot_hold, fit, fits_already, no_still
from worldgym.world.world_protocol import World

Align = Literal["refuse", "commit", "hold"]
HELD_TAIL = "held tail"  # flags of a rollout: a step was filled up with actions of no motion;
REPEATED = "history repeated"  # frames before the initial one were made by repeating it;
RESIZED = "initial frame resized"  # of a trial
SAME_SHAPE = 0.02  # relative difference of two ratios of width to height that are one


@dataclass(frozen=True)
class Fitted:
    """World and policies that the loop takes as they are."""

    world: World[Any]
    policies: tuple[Policy[Any], ...]


def fitted(
    world: World[Any], policies: Sequence[Policy[Any]], tasks: Sequence[Task], align: Align
) -> Fitted:
    """InputError, with possible remedies, if they cannot be combined."""
    can = world.capabilities
    if can.horizon is not None and (
        long := next((t for t in tasks if t.steps > can.horizon), None)
    ):
        raise InputError(
            f"the world {world.name} takes at most {can.horizon} actions, and task {long.name} "
            f"has {long.steps}: give it fewer steps"
        )
    if can.history.frames > 1 and can.history.pad == "refuse":
        raise InputError(
            f"the world {world.name} begins with {can.history.frames} recorded frames, but a task "
            f"has only one, and this world does not allow repeating it"
        )
    _check_state(world, can, tasks)
    if fits_already(can):
        return Fitted(world, tuple(policies))
    chosen = tuple(_chosen(world.name, can, policy, tasks, align) for policy in policies)
    # one whose state cannot be rebuilt may still have policies whose answers fit
    hold = align == "hold" and cannot_hold(world.name, can) is None
    whole = fit(world, hold)
    for policy in chosen:
        _check_fill(whole, can, policy, tasks)
    return Fitted(whole, chosen)


def at_frames(rollout: Rollout, stride: int) -> Rollout:
    """What a judge looks at, where a frame comes every `stride` actions and is shown until the
    next: each frame once, with the action before it."""
    if stride == 1:
        return rollout
    frames = rollout.frames[::stride]
    return replace(rollout, frames=frames, actions=rollout.actions[stride - 1 :: stride])


def flags_of(can: Capabilities, policy: Policy[Any], task: Task) -> tuple[str, ...]:
    """Flags of a trial in a world with these capabilities.   can: the world's own,
    before it was fitted."""
    found = []
    if fills_a_step(can, policy.chunk, task.steps):
        found.append(HELD_TAIL)
    if can.history.frames > 1:
        found.append(REPEATED)
    return tuple(found)


def fills_a_step(can: Capabilities, chunk: int, steps: int) -> bool:
    """Whether a rollout of so many steps, asked `chunk` at a time, fills up a step of the world."""
    sizes = {min(chunk, steps - start) for start in range(0, steps, chunk)}
    return any(can.chunk.pieces(size) is None for size in sizes)


def _chosen(
    name: str, can: Capabilities, policy: Policy[Any], tasks: Sequence[Task], align: Align
) -> Policy[Any]:
    """The policy as it is carried out in this world."""
    if policy.needs.history > 1 and can.stride > 1:
        raise InputError(
            f"policy {policy.name} remembers {policy.needs.history} frames, one per action, and "
            f"world {name} draws one every {can.stride} actions"
        )
    if can.chunk.pieces(policy.chunk) is None and isinstance(policy, Unseeing):
        policy = policy.in_chunks(can.chunk.padded(policy.chunk))
    if can.chunk.pieces(policy.chunk) is None:
        policy = _aligned(name, can, policy, align)
    if align == "refuse":
        _check_ends(name, can, policy, tasks)
    return policy


def _aligned(name: str, can: Capabilities, policy: Policy[Any], align: Align) -> Policy[Any]:
    parts = rows_of_an_action(policy)
    rows = can.chunk.covered(policy.chunk)
    while rows % parts:  # an action that is carried out in part would be another one
        rows = can.chunk.covered(rows - 1)
    due = can.chunk.padded(policy.chunk)
    if align == "commit" and rows:
        return committed(policy, rows)
    reason = cannot_hold(name, can)
    if align == "hold" and reason is None and policy.chunk % can.stride == 0:
        return renamed(policy, f"{policy.name}+hold{policy.chunk}of{due}")
    ways = []
    if rows:
        ways.append(f"--align commit carries out {rows} of its {policy.chunk}")
    if reason is None and policy.chunk % can.stride == 0:
        cost = due / policy.chunk
        ways.append(
            f"--align hold fills a step up to {due}, which costs {cost:.1f} times as much and "
            f"lets the world know actions that are not the policy's"
        )
    more = f"let it give {due} actions per call" if not rows else ""
    ways += [more] if more else []
    takes = _takes(can)
    gives = amount(policy.chunk, "action")
    raise InputError(
        f"policy {policy.name} gives {gives} per call, and the world {name} takes "
        f"{takes}: {'; or '.join(ways)}"
    )


def _check_ends(name: str, can: Capabilities, policy: Policy[Any], tasks: Sequence[Task]) -> None:
    for task in tasks:
        if fills_a_step(can, policy.chunk, task.steps):
            down = can.chunk.covered(task.steps)
            up = can.chunk.padded(task.steps)
            raise InputError(
                f"task {task.name} has {task.steps} steps, and the world {name} takes "
                f"{_takes(can)}: give it {f'{down} or ' if down else ''}{up}, or --align commit, "
                f"which fills up the last step and drops its extra frames"
            )


def _takes(can: Capabilities) -> str:
    chunk = can.chunk
    if chunk.least == chunk.most:
        return f"exactly {chunk.least} per step"
    most = "" if chunk.most is None else f" to {chunk.most}"
    return f"multiples of {chunk.multiple} from {chunk.least}{most} per step"


def _check_fill(
    world: FittedWorld, can: Capabilities, policy: Policy[Any], tasks: Sequence[Task]
) -> None:
    """InputError where a world of a horizon takes less than is sent in its last step."""
    if can.horizon is None:
        return
    for task in tasks:
        starts = range(0, task.steps, policy.chunk)
        taken = [world.taken(policy.chunk, task.steps - start) for start in starts]
        sent = max(start + can.chunk.padded(n) for start, n in zip(starts, taken, strict=True))
        if sent > can.horizon:
            raise InputError(
                f"the world {world.name} takes at most {can.horizon} actions, and task {task.name} "
                f"of {task.steps} steps ends within a step, which makes it {sent}: give it fewer "
                f"steps"
            )


def _check_state(world: World[Any], can: Capabilities, tasks: Sequence[Task]) -> None:
    name = world.name
    for task in tasks:
        told = zip(can.state, given_by(task.state, can.state), strict=True)
        if absent := [number for number, value in told if isnan(value)]:
            raise InputError(
                f"the world {name} begins with the robot's state, and task {task.name} does not "
                f'say its "{absent[0]}": add it to "state" in the task\'s JSON file'
            )
        if reason := no_still(name, can, world.spec, task.state):
            raise InputError(
                f'{reason}, and task {task.name} does not say it: add it to "state" in the '
                f"task's JSON file"
            )
        if can.instruction and not task.instruction:
            raise InputError(f"the world {name} needs an instruction, and {task.name} has none")


def tasks_at_size(
    tasks: Sequence[Task], frame_shape: tuple[int, int, int], views: Sequence[str] = ONE_VIEW
) -> tuple[tuple[Task, ...], Mapping[str, str]]:
    """The tasks with frames of the world's size, and from which size, by name of the task: of the
    main view, then of further ones that were of another.   views: that the world draws.

    InputError for another ratio of width to height: a stretched scene is another scene."""
    found: dict[str, str] = {}
    made = []
    for task in tasks:
        drawn = {view: frame for view, frame in task.others.items() if view in views[1:]}
        sizes = {
            view: _size_to_change(f"task {task.name}", view, frame, frame_shape)
            for view, frame in {"": task.frame, **drawn}.items()
            if frame.shape != frame_shape
        }
        if sizes:
            main = sizes.pop("", "")
            further = [f"{view} {size}" for view, size in sizes.items() if size != main]
            found[task.name] = ", ".join([*([main] if main else []), *further])
            others = {view: resized(frame, frame_shape[:2]) for view, frame in task.others.items()}
            task = replace(task, frame=resized(task.frame, frame_shape[:2]), others=others)
        made.append(task)
    return tuple(made), found


def _size_to_change(who: str, view: str, frame: Frames, due: tuple[int, int, int]) -> str:
    """ "WIDTHxHEIGHT" of a frame. InputError where it is of another shape than `due`.   view: "" =
    the main one."""
    (height, width), (due_height, due_width) = frame.shape[:2], due[:2]
    ratio = (width / height) / (due_width / due_height)
    if abs(ratio - 1.0) > SAME_SHAPE:
        what = f"a {view} frame" if view else "a frame"
        raise InputError(
            f"{who} has {what} of {width} x {height} (width x height), and the world draws "
            f"{due_width} x {due_height}, which is of another shape: cut the frame to it, as  "
            f"worldgym tasks new PHOTO --size {due_height} {due_width}  does"
        )
    return f"{width}x{height}"
