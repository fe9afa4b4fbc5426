"""A policy whose actions are disturbed before they reach the arm: late, too large, noisy, to the
side. Such a policy shows whether a world follows habits of the training data instead of actions: it
acts as no imitation policy does. A checkpoint of a network policy may carry a disturbance
(`save_disturbed`); the control arm `delayed` of `worldgym world trust` is made of one too.
Randomness depends on the trial's seed and the step alone. Example:
examples/policies/disturbed_policy.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from worldgym.actions.displacement import in_action_units, moved_aside
from worldgym.actions.embodiment import GRIPPER, MOVING_MODES
from worldgym.errors import InputError
from worldgym.io.checkpoint import CONFIG, load_folder, read_config, save_folder
from worldgym.io.records import from_mapping, located
from worldgym.policies.own.action_bounds import Outside, acted
from worldgym.policies.policy_protocol import Observation, Policy
from worldgym.types import Actions, Trial

DISTURBANCE_KEY = "disturbance"  # in config.json of a checkpoint
SALT = 26  # of the noise: apart from all other numbers drawn from a trial's seed


@dataclass(frozen=True)
class Disturbance:
    """In the order in which it is applied.

    instructions: other instructions that the policy gets, by instruction.   mirrored: names of
    numbers
    whose sign is turned.   gain: of all numbers that move the arm.   noise: standard deviation, in
    halves of the span between the bounds.   aside: metres by axis by which the whole motion is
    moved, at its start.   stops: steps after which the arm rests, 0 = never.   delay: steps that
    every action comes late; until then the arm rests."""

    instructions: Mapping[str, str] = field(default_factory=dict)
    mirrored: tuple[str, ...] = ()
    gain: float = 1.0
    noise: float = 0.0
    aside: Mapping[str, float] = field(default_factory=dict)
    stops: int = 0
    delay: int = 0

    def __post_init__(self) -> None:
        if min(self.noise, self.stops, self.delay) < 0 or not np.isfinite(self.gain):
            raise ValueError("noise, stops and delay are 0 or more, and the gain is a number")

    @property
    def changes_moves(self) -> bool:
        """Whether it does more than delay or change the instruction."""
        plain = Disturbance(self.instructions, delay=self.delay)
        return self != plain


@dataclass(frozen=True)
class DisturbedState:
    """Of one trial. inner: the policy's own.   aside: what is left to be moved.   waiting: actions
    not yet carried out, the next one first."""

    inner: Any
    seed: int
    aside: tuple[float, ...]
    waiting: tuple[tuple[float, ...], ...] = ()


class DisturbedPolicy:
    """Acts like `policy`, disturbed. InputError if its actions cannot be disturbed in this way."""

    def __init__(self, policy: Policy[Any], by: Disturbance, name: str = "") -> None:
        spec = policy.spec
        if by.changes_moves and spec.mode not in MOVING_MODES:
            raise InputError(
                f"policy {policy.name}: actions of the mode {spec.mode} are positions, not moves, "
                f"so only a delay can disturb them"
            )
        self.name = name or policy.name
        self.spec = spec
        self.chunk = policy.chunk
        self.needs = policy.needs
        self._policy = policy
        self._by = by
        self._arm = np.array([not number.endswith(GRIPPER) for number in spec.names])
        signs = [-1.0 if number in by.mirrored else 1.0 for number in spec.names]
        self._factor = np.where(self._arm, by.gain, 1.0) * signs
        self._aside = (
            in_action_units(dict(by.aside), spec) if any(by.aside.values()) else np.zeros(spec.size)
        )

    def reset(self, trials: Sequence[Trial]) -> list[DisturbedState]:
        inner = self._policy.reset(trials)
        aside = tuple(map(float, self._aside))
        return [
            DisturbedState(s, trial.seed, aside) for s, trial in zip(inner, trials, strict=True)
        ]

    def act(
        self, states: Sequence[DisturbedState], observations: Sequence[Observation]
    ) -> tuple[list[DisturbedState], Actions]:
        return self.act_within(states, observations)[:2]

    def act_within(
        self, states: Sequence[DisturbedState], observations: Sequence[Observation]
    ) -> tuple[list[DisturbedState], Actions, Outside]:
        """What the policy itself wanted outside its bounds counts where it was wanted."""
        told = [
            replace(o, instruction=self._by.instructions.get(o.instruction, o.instruction))
            for o in observations
        ]
        inner, chunks, outside = acted(self._policy, [state.inner for state in states], told)
        after, out = [], []
        for state, new, chunk, seen in zip(states, inner, chunks, observations, strict=True):
            state, carried_out = self._disturbed(replace(state, inner=new), chunk, seen.step)
            after.append(state)
            out.append(carried_out)
        return after, np.stack(out), outside

    def _disturbed(
        self, state: DisturbedState, chunk: Actions, step: int
    ) -> tuple[DisturbedState, Actions]:
        if self._by.changes_moves:
            state, chunk = self._moved(state, chunk, step)
        if not self._by.delay:
            return state, chunk
        waiting = [np.asarray(action, np.float32) for action in state.waiting]
        if not step:
            waiting = [self._rest(chunk[0])] * self._by.delay
        line = [*waiting, *chunk]
        later = tuple(tuple(map(float, action)) for action in line[len(chunk) :])
        return replace(state, waiting=later), np.stack(line[: len(chunk)])

    def _moved(
        self, state: DisturbedState, chunk: Actions, step: int
    ) -> tuple[DisturbedState, Actions]:
        low, high = np.asarray(self.spec.low), np.asarray(self.spec.high)
        moves = np.clip(chunk, low, high) * self._factor
        if self._by.noise:
            drawn = [
                np.random.default_rng([SALT, state.seed, step + i]).normal(size=self.spec.size)
                for i in range(len(chunk))
            ]
            moves = moves + self._by.noise * (high - low) / 2 * np.stack(drawn) * self._arm
        bounded: Actions = np.clip(moves, low, high).astype(np.float32)
        done, left = moved_aside(bounded, np.asarray(state.aside), self.spec)
        if self._by.stops:
            over = np.arange(step, step + len(chunk)) >= self._by.stops
            done = np.where(over[:, None] & self._arm, np.float32(0.0), done)
        return replace(state, aside=tuple(map(float, left))), done

    def _rest(self, first: Actions) -> Actions:
        """No motion, the gripper as in its first command; for absolute numbers, the first value."""
        if self.spec.mode not in MOVING_MODES:
            return first
        return np.where(self._arm, np.float32(0.0), first)


def disturbed_as_saved(policy: Policy[Any], folder: Path) -> Policy[Any]:
    """The policy of a checkpoint, with the disturbance that the checkpoint carries, if any."""
    config = read_config(folder)
    if DISTURBANCE_KEY not in config:
        return policy
    with located(folder / CONFIG, "save it again with `save_disturbed`"):
        by = from_mapping(Disturbance, config[DISTURBANCE_KEY], place=DISTURBANCE_KEY)
    return DisturbedPolicy(policy, by)


def save_disturbed(source: Path, out: Path, name: str, by: Disturbance) -> None:
    """Writes a copy of a network policy's checkpoint that is loaded with this disturbance."""
    config, tensors = load_folder(source, str(read_config(source).get("kind")))
    card = f"# {name}\n\nThe policy {config['name']}, its actions disturbed: {asdict(by)}.\n"
    config |= {"name": name, DISTURBANCE_KEY: asdict(by)}
    save_folder(out, config, tensors, card, half=True)
