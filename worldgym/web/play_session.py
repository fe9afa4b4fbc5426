"""A world that is steered by hand: every frame is a node of a tree, because states are values.
Going back costs nothing, and another action from there is a branch.

A state may be large, so only the newest are kept; another one is made again from the nearest kept
state above it, by the same actions and the same noise, which gives the same frames.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from worldgym.actions.pose import given_by
from worldgym.errors import InputError
from worldgym.evaluation.fitting import fitted
from worldgym.policies.observations import check_told, observe
from worldgym.policies.own.action_bounds import acted
from worldgym.policies.policy_protocol import Policy
from worldgym.types import Actions, Episode, Frames, Rollout, States, Task, Trial
from worldgym.world.fitted_world import begun
from worldgym.world.initial_views import initial_frames
from worldgym.world.world_answers import robot_states, stepped
from worldgym.world.world_protocol import World

HAND = "hand"
RECORDED = "recorded"
STATES = 48  # that are kept, the first one besides
MAX_BYTES = 2**29  # of frames in one session


@dataclass(frozen=True)
class PlayNode:
    """A moment. number: of the node.   parent: None of the first.   step: actions so far.
    action: float32 [A] that led here; zeros of the first.   frame: uint8 [V, H, W, 3].
    by: who chose the action.   memory: of the policies that drove on the way here, by name.
    planned: what is left of the last policy's chunk, [h, A].   told: float32 [S], the robot's state
    as the world predicts it, NaN where it does not."""

    number: int
    parent: int | None
    step: int
    action: Actions
    frame: Frames
    by: str
    memory: Mapping[str, Any] = field(default_factory=dict)
    planned: Actions | None = None
    told: Actions = field(default_factory=lambda: np.zeros(0, np.float32))


class PlaySession:
    """One task, from its initial frame on."""

    def __init__(
        self, world: World[Any], trial: Trial, policies: Sequence[Policy[Any]] = ()
    ) -> None:
        """InputError for a world that takes no single action, or draws no frame for each."""
        can = world.capabilities
        if can.chunk.padded(1) != 1 or can.stride != 1:
            raise InputError(
                f"the world {world.name} takes {can.chunk.padded(1)} actions per step and draws a "
                f"frame every {can.stride}: playing needs one action and one frame per step"
            )
        self.world = world
        self.trial = trial
        self._fitted = fitted(world, (), [trial.task], "refuse").world
        self.policies = {policy.name: policy for policy in policies}
        starts = initial_frames(world, [trial.task], [trial.seed])
        self._root = begun(self._fitted, [trial.task], starts, [trial.seed])
        told = robot_states(self._fitted, self._root, 1, 0)
        known = told[0, 0] if told.shape[1] else given_by(trial.task.state, can.returns)
        rest = np.zeros(world.spec.size, np.float32)
        state = np.array(known, np.float32)
        self.nodes = [PlayNode(0, None, 0, rest, starts[0], RECORDED, told=state)]
        self._states = OrderedDict[int, Any]()
        self.recorded: Actions | None = None

    @property
    def _returns(self) -> tuple[str, ...]:
        return self.world.capabilities.returns

    def node(self, number: int) -> PlayNode:
        """InputError for one that is not there."""
        if not 0 <= number < len(self.nodes):
            raise InputError(f"there is no moment {number}: the last is {len(self.nodes) - 1}")
        return self.nodes[number]

    def steer(self, number: int, action: Sequence[float]) -> PlayNode:
        """The moment after an action of the hand, clipped to the bounds of the spec."""
        spec = self.world.spec
        wanted = np.asarray(action, np.float32)
        if wanted.shape != (spec.size,) or not np.isfinite(wanted).all():
            raise InputError(f"an action is {spec.size} finite numbers: {', '.join(spec.names)}")
        low, high = np.asarray(spec.low, np.float32), np.asarray(spec.high, np.float32)
        return self._grow(self.node(number), np.clip(wanted, low, high), HAND)

    def repeat(self, number: int) -> PlayNode:
        """The moment after the recorded action of this step. InputError behind the last one."""
        node = self.node(number)
        if self.recorded is None or node.step >= len(self.recorded):
            raise InputError("the recording has ended; take over, or go back")
        return self._grow(node, self.recorded[node.step], RECORDED)

    def hand_over(self, number: int, name: str) -> PlayNode:
        """The moment after an action of a policy. It continues with its chunk and its memory as far
        as it drove on the way here; otherwise it looks again."""
        if name not in self.policies:
            raise InputError(f"no policy {name} is loaded: {', '.join(self.policies) or 'none is'}")
        node = self.node(number)
        policy = self.policies[name]
        if node.by == name and node.planned is not None and len(node.planned):
            return self._grow(node, node.planned[0], name, node.memory, node.planned[1:])
        memory = node.memory[name] if name in node.memory else policy.reset([self.trial])[0]
        frames, actions = self.way(number)
        told = None
        if self._returns:
            told = States(np.stack([one.told for one in self.path(number)]), self._returns)
            check_told(self.world.name, policy.needs, self.trial.task, told)
        seen = observe(
            policy.needs, policy.spec, self.trial.task, frames, actions, self.world.views, told
        )
        (after,), held, _ = acted(policy, [memory], [seen])
        return self._grow(node, held[0, 0], name, {**node.memory, name: after}, held[0, 1:])

    def way(self, number: int) -> tuple[list[Frames], Actions]:
        """(frames uint8 [V, H, W, 3] each, actions float32 [T, A]) from the first moment to this
        one."""
        nodes = self.path(number)
        shape = (len(nodes) - 1, self.world.spec.size)
        actions = np.array([node.action for node in nodes[1:]], np.float32).reshape(shape)
        return [node.frame for node in nodes], actions

    def path(self, number: int) -> list[PlayNode]:
        found = [self.node(number)]
        while (parent := found[-1].parent) is not None:
            found.append(self.nodes[parent])
        return found[::-1]

    def rollout(self, number: int) -> Rollout:
        """What a judge reads. InputError before the first action."""
        frames, actions = self.way(number)
        if not len(actions):
            raise InputError("nothing has happened yet: steer first")
        return Rollout(self.trial, HAND, np.stack(frames), actions, views=self.world.views)

    def episode(self, number: int, success: bool | None = None) -> Episode:
        """The way to this moment as a recording. InputError before the first action."""
        rollout = self.rollout(number)
        spec = self.world.spec
        by = dict.fromkeys(node.by for node in self.path(number)[1:])
        return Episode(
            rollout.frames,
            rollout.actions,
            self.trial.task.instruction,
            spec,
            spec.rate_hz,
            success,
            f"played in the world {self.world.name} by {', '.join(by)}",
            {"task": self.trial.task.group, "initial_frame": self.trial.task.name},
            views=self.world.views,
        )

    def task(self, number: int, name: str, instruction: str) -> Task:
        """This moment as the initial frame of a task. The robot's state there is not known."""
        frame = self.node(number).frame
        task = self.trial.task
        others = {view: frame[v] for v, view in enumerate(self.world.views) if v}
        return Task(name, name, frame[0], instruction, task.steps, others=others)

    def _grow(
        self,
        node: PlayNode,
        action: Actions,
        by: str,
        memory: Mapping[str, Any] | None = None,
        planned: Actions | None = None,
    ) -> PlayNode:
        if (len(self.nodes) + 1) * node.frame.nbytes > MAX_BYTES:
            raise InputError(
                "this session holds very many frames: save what you want to keep, then start again"
            )
        state, frames = stepped(self._fitted, self._state(node), action[None, None])
        made = PlayNode(
            len(self.nodes),
            node.number,
            node.step + 1,
            action,
            frames[0, -1],
            by,
            node.memory if memory is None else memory,
            planned,
            robot_states(self._fitted, state, 1, 1)[0, -1] if self._returns else node.told,
        )
        self.nodes.append(made)
        self._keep(made.number, state)
        return made

    def _state(self, node: PlayNode) -> Any:
        """Kept, or made again. A world whose newest state alone is valid is played from the
        beginning where a node is not the newest."""
        only_newest = self.world.capabilities.branching != "any"
        if node.number in self._states and not (
            only_newest and node.number != self.nodes[-1].number
        ):
            self._states.move_to_end(node.number)
            return self._states[node.number]
        path = self.path(node.number)
        if only_newest:
            task = [self.trial.task]
            state = begun(self._fitted, task, path[0].frame[None], [self.trial.seed])
            kept = 0
        else:
            kept = max((i for i, n in enumerate(path) if n.number in self._states), default=0)
            state = self._states[path[kept].number] if kept else self._root
        for step in path[kept + 1 :]:
            state, _ = stepped(self._fitted, state, step.action[None, None])
        self._keep(node.number, state)
        return state

    def _keep(self, number: int, state: Any) -> None:
        self._states[number] = state
        while len(self._states) > STATES:
            self._states.popitem(last=False)
