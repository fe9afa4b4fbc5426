"""A policy's actions on recorded frames, compared with the recorded ones: this shows a wrong sign,
unit or order of numbers.

The policy is asked as in a rollout, once for every chunk, but is always shown the recorded frames
(open loop). A policy need not do what was recorded, but it should not do the opposite. Axes legend:
T actions of an episode, A action numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.stats import binom

from worldgym.actions.embodiment import GRIPPER
from worldgym.actions.pose import NUMBERS
from worldgym.episodes.lag_correlation import Pairs, correlation, lag_p_value
from worldgym.episodes.states import plain_names
from worldgym.episodes.store import EpisodeStore
from worldgym.episodes.subsample import evenly_spaced
from worldgym.errors import InputError
from worldgym.policies.observations import observe
from worldgym.policies.policy_protocol import Policy
from worldgym.report.formats import hundredths
from worldgym.types import Actions, ActionSpec, Episode, Task, Trial

EPISODES = 10  # of the store, spread evenly
# probability by chance of a correlation as negative, over all numbers, below which it is a
# complaint
OPPOSITE = 0.01
# correlation; a flipped sign shows in more than that, and less is a policy that is merely poor
AGAINST = -0.25
RARE = 1 / 3  # share of the steps; a gripper told the same less often is told the opposite
CONSTANT = 1e-9  # standard deviation
SAME = ("names", "mode", "unit", "rotation", "gripper")  # what both must mean by an action


@dataclass(frozen=True)
class NumberFit:
    """Of one action number, over all steps.   recorded, policy: (mean, standard
    deviation).   error: mean absolute difference.

    relative: root mean square difference in units of the recorded standard deviation; 1 is what the
    recorded mean would reach.
    correlation: None where one side never changes.   opposite: probability of a correlation this
    negative by chance."""

    name: str
    recorded: tuple[float, float]
    policy: tuple[float, float]
    error: float
    relative: float | None
    correlation: float | None
    opposite: float


@dataclass(frozen=True)
class OpenLoop:
    """gripper: share of steps with the same gripper command, and the probability of so few mostly
    agreeing episodes if each agreed by a coin flip; None without a gripper."""

    episodes: int
    steps: int
    numbers: tuple[NumberFit, ...]
    gripper: tuple[float, float] | None

    def complaint(self) -> str | None:
        """One sentence if a number contradicts the recorded one beyond chance, otherwise None."""
        level = OPPOSITE / len(self.numbers)
        flipped = [
            n for n in self.numbers if (n.correlation or 0.0) < AGAINST and n.opposite <= level
        ]
        against = [f"{n.name} (correlation {n.correlation:.2f})" for n in flipped]
        if against:
            return f"contradicts the recorded actions: {', '.join(against)}; is a sign flipped?"
        if self.gripper is not None and self.gripper[0] < RARE and self.gripper[1] <= OPPOSITE:
            return (
                f"commands the gripper as recorded at only {hundredths(self.gripper[0])}% of the "
                f"steps; is its sign flipped?"
            )
        return None

    def remarks(self) -> list[str]:
        """What is unusual but may be right: a number that the policy never changes although it was
        recorded to change, and a gripper that was never recorded to move."""
        constant = [
            f"{number.name}: recorded as {number.recorded[0]:g} throughout, so these recordings "
            f"cannot tell whether the policy opens and closes it rightly"
            for number in self.numbers
            if number.name.endswith(GRIPPER) and number.recorded[1] < CONSTANT
        ]
        return constant + [
            f"{number.name}: the policy says {number.policy[0]:.2f} whatever it sees, but the "
            f"recorded values change"
            for number in self.numbers
            if number.policy[1] == 0.0 < number.recorded[1]
        ]

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "complaint": self.complaint(), "remarks": self.remarks()}


def compare_with_recorded(policy: Policy[Any], store: EpisodeStore) -> OpenLoop:
    """InputError where the store holds none, or its actions mean something else than the
    policy's."""
    if not len(store):
        raise InputError(f"{store.root}: the store holds no episode to compare with")
    mine, theirs = policy.spec.to_json(), store.spec.to_json()
    if other := [
        f"{name}: {mine[name]} against {theirs[name]}"
        for name in SAME
        if mine[name] != theirs[name]
    ]:
        raise InputError(
            f"{store.root}: recorded in another action convention than the policy's "
            f"({'; '.join(other)})"
        )
    pairs = []
    for i in evenly_spaced(len(store), EPISODES):
        episode = store[store.infos[i].name]
        pairs.append(
            (episode.actions.astype(np.float64), answers(policy, episode).astype(np.float64))
        )
    steps = sum(len(recorded) for recorded, _ in pairs)
    numbers = tuple(
        _fit(name, [(a[:, i], b[:, i]) for a, b in pairs])
        for i, name in enumerate(store.spec.names)
    )
    return OpenLoop(len(pairs), steps, numbers, _gripper(pairs, store.spec))


def answers(policy: Policy[Any], episode: Episode) -> Actions:
    """float32 [T, A]: what the policy does when it is shown the recorded frames."""
    task = Task(
        "recorded",
        "recorded",
        episode.main[0],
        episode.instruction,
        len(episode),
        state=_start(episode),
    )
    states: Sequence[Any] = policy.reset([Trial(task, 0, 0)])
    chunks = []
    for step in range(0, len(episode), policy.chunk):
        seen = observe(
            policy.needs,
            policy.spec,
            task,
            episode.frames[: step + 1],
            episode.actions[:step],
            episode.views,
        )
        states, chunk = policy.act(states, [seen])
        chunks.append(np.asarray(chunk, np.float32)[0])
    return np.concatenate(chunks)[: len(episode)]


def _start(episode: Episode) -> Mapping[str, float]:
    """The robot's recorded state in the first frame, by the names that policies ask for."""
    if episode.states is None or episode.states.no_pose:
        return {}
    named = zip(plain_names(episode.states.names), episode.states.values[0], strict=False)
    return {name: float(value) for name, value in named if name in NUMBERS}


def _fit(name: str, pairs: Sequence[tuple[Any, Any]]) -> NumberFit:
    """pairs: of each episode the recorded numbers [T] and the policy's."""
    recorded, answered = (np.concatenate(side) for side in zip(*pairs, strict=True))
    turned = [Pairs(a[:, None], -b[:, None]) for a, b in pairs]
    against = correlation(turned)
    scatter = float(recorded.std())
    away = answered - recorded
    return NumberFit(
        name,
        (float(recorded.mean()), scatter),
        (float(answered.mean()), float(answered.std())),
        float(np.abs(away).mean()),
        float(np.sqrt(np.square(away).mean())) / scatter if scatter > 0.0 else None,
        None if against is None else -against,
        lag_p_value({0: turned}) if against is not None and against > 0.0 else 1.0,
    )


def _gripper(pairs: Sequence[tuple[Any, Any]], spec: ActionSpec) -> tuple[float, float] | None:
    """Both sides of the middle of the gripper's range."""
    columns = [i for i, name in enumerate(spec.names) if name.endswith(GRIPPER)]
    if not columns:
        return None
    middle = (np.array(spec.low)[columns] + np.array(spec.high)[columns]) / 2
    alike = [((a[:, columns] > middle) == (b[:, columns] > middle)).mean(axis=1) for a, b in pairs]
    shares = np.array([episode.mean() for episode in alike])
    rare = float(binom.cdf(int((shares > 0.5).sum()), len(shares), 0.5))
    return float(np.concatenate(alike).mean()), rare
