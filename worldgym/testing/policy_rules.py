"""The rules of a policy, one by one, and a fake that follows them.

Axes legend: B batch, T time, h chunk length, A action numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

import numpy as np

from worldgym.actions.pose import unsound
from worldgym.policies.observations import observe
from worldgym.policies.own.action_bounds import PolicyFault, answer_of
from worldgym.policies.policy_protocol import NAME, NEWEST_FRAME, Needs, Observation, Policy
from worldgym.testing.rules import FAKE_SPEC, SEEDS, Shape, check_form, check_spec, require
from worldgym.types import Actions, ActionSpec, Task, Trial

State = TypeVar("State")


def check_policy(
    policy: Policy[State],
    frame_shape: Shape,
    trials: Sequence[Trial] | None = None,
    atol: float = 1e-5,
) -> None:
    """Chunks of the promised shape within the spec's bounds; the same input gives the same result;
    states are kept; a batch equals its rows one by one.

    The policy is shown what its `needs` ask for: history, views, a state that follows from the
    actions.

    trials: for a policy that knows its tasks by name (a replay); random frames with invented
    instructions otherwise.
    atol:   how much an action in a batch may differ from the same alone, for float rounding."""
    for rule in policy_rules(policy, frame_shape, trials, atol).values():
        rule()


def policy_rules(
    policy: Policy[Any],
    frame_shape: Shape,
    trials: Sequence[Trial] | None = None,
    atol: float = 1e-5,
) -> Mapping[str, Callable[[], None]]:
    """The rules of `check_policy` by name, in its order: each call raises AssertionError where the
    policy breaks the rule."""
    who = f"policy {policy.name!r}"
    known = _random_trials(frame_shape) if trials is None else trials
    actions = cache(lambda: _roll_out(policy, known))

    def promises() -> None:
        check_spec(who, policy.spec)
        _check_needs(who, policy)
        require(
            NAME.fullmatch(policy.name) is not None,
            who,
            "its name must be 1 to 100 letters, digits and . _ + @ - or blanks",
        )
        require(
            policy.chunk >= 1,
            who,
            f"chunk is {policy.chunk}, but a call must return at least one action",
        )

    def repeats() -> None:
        require(
            np.array_equal(actions(), _roll_out(policy, known)),
            who,
            "the same trials give other actions the second time",
        )

    def carries() -> None:
        branched = _roll_out(policy, known, detour=True)
        require(
            np.array_equal(actions(), branched),
            who,
            "act changes the states it is given, or keeps hidden ones",
        )

    def stands_alone() -> None:
        for b, trial in enumerate(known):
            gap = float(np.abs(_roll_out(policy, [trial])[0] - actions()[b]).max())
            require(
                gap <= atol, who, f"row {b} of a batch differs by {gap:.2g} from the same row alone"
            )

    return {
        "spec and chunk are valid": promises,
        "actions have the promised shape, finite and in bounds": lambda: require(
            len(actions()) == len(known), who, "lost a trial"
        ),
        "the same input gives the same result": repeats,
        "there is no hidden state": carries,
        "a batch equals its rows one by one": stands_alone,
    }


@dataclass(frozen=True)
class FakePolicy:
    """Acts at `level` of every number's range (0 low, 1 high), give or take up to `spread` by the
    trial's own noise."""

    level: float = 0.5
    spread: float = 0.25
    chunk: int = 1
    spec: ActionSpec = FAKE_SPEC
    name: str = "fake-policy"
    needs: Needs = NEWEST_FRAME

    def reset(self, trials: Sequence[Trial]) -> list[tuple[int, int]]:
        """State: (seed, calls so far)."""
        return [(trial.seed, 0) for trial in trials]

    def act(
        self, states: Sequence[tuple[int, int]], observations: Sequence[Observation]
    ) -> tuple[list[tuple[int, int]], Actions]:
        low, high = np.array(self.spec.low), np.array(self.spec.high)
        shape = (self.chunk, self.spec.size)
        noise = np.stack(
            [
                np.random.default_rng(state).uniform(-self.spread, self.spread, shape)
                for state in states
            ]
        )
        actions = low + np.clip(self.level + noise, 0.0, 1.0) * (high - low)
        return [(seed, calls + 1) for seed, calls in states], actions.astype(np.float32)


def _random_trials(frame_shape: Shape) -> list[Trial]:
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (len(SEEDS), *frame_shape), np.uint8)
    tasks = [
        Task(f"check/{b}", "check", frame, "open the drawer", steps=4)
        for b, frame in enumerate(frames)
    ]
    return [Trial(task, repeat=0, run_seed=0) for task in tasks]


def _roll_out(policy: Policy[State], trials: Sequence[Trial], detour: bool = False) -> Actions:
    """[B, T, A]: the actions of three calls. With `detour`, each list of states is first used with
    other frames."""
    who = f"policy {policy.name!r}"
    _check_needs(who, policy)
    states = policy.reset(trials)
    parts = []
    low, high = np.array(policy.spec.low, np.float32), np.array(policy.spec.high, np.float32)
    require(
        len(states) == len(trials),
        who,
        f"reset returned {len(states)} states for {len(trials)} trials",
    )
    for call in range(3):
        seen = [_observe(policy, trial, call) for trial in trials]
        if detour:
            policy.act(states, [_observe(policy, trial, call, negative=True) for trial in trials])
        try:
            states, actions = answer_of(policy, states, seen)
        except PolicyFault as fault:
            raise AssertionError(f"{who}: {fault}") from None
        check_form(
            who, "act", actions, (len(trials), policy.chunk, policy.spec.size), np.dtype(np.float32)
        )
        inside = bool(((low <= actions) & (actions <= high)).all())
        require(inside, who, "act returned numbers outside the bounds of its spec, or not finite")
        require(
            all(map(_same, seen, (_observe(policy, t, call) for t in trials))),
            who,
            "act changed the frames it was given",
        )
        parts.append(actions.copy())
    return np.concatenate(parts, axis=1)


def _observe(policy: Policy[State], trial: Trial, call: int, negative: bool = False) -> Observation:
    """What the policy asks for after `call` chunks of small motions; its own frame for every
    action: the start, shifted."""
    step = call * policy.chunk
    start = 255 - trial.task.frame if negative else trial.task.frame
    frames = [np.roll(start, 4 * t, axis=1)[None] for t in range(step + 1)]
    low, high = np.array(policy.spec.low), np.array(policy.spec.high)
    actions = np.tile((low + 0.6 * (high - low)).astype(np.float32), (step, 1))
    return observe(policy.needs, policy.spec, trial.task, frames, actions)


def _same(first: Observation, second: Observation) -> bool:
    views = all(np.array_equal(first.views[camera], view) for camera, view in second.views.items())
    return views and np.array_equal(first.history, second.history)


def _check_needs(who: str, policy: Policy[State]) -> None:
    reason = unsound(policy.spec, policy.needs.state) if policy.needs.state else None
    require(reason is None, who, f"needs a state that no rollout can give: {reason}")
