"""The fakes pass the checks, and each check catches the fault it is there for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from worldgym.judges.protocol import Judge
from worldgym.latents.protocol import Codec
from worldgym.policies.protocol import NEWEST_FRAME, Observation, Policy
from worldgym.testing import (
    FAKE_SPEC,
    FakeCodec,
    FakeJudge,
    FakePolicy,
    FakeState,
    FakeWorld,
    check_codec,
    check_judge,
    check_policy,
    check_world,
)
from worldgym.types import Actions, Frames, Rollout, Task, Trial, Verdict, Vote
from worldgym.world.protocol import World

SHAPE = (16, 24, 3)
TASK = Task("drawer/1", "drawer", np.zeros(SHAPE, np.uint8), "open the drawer", steps=4)


def rollout(level: float = 1.0) -> Rollout:
    """Four steps of a FakeWorld under the actions `level` in [-1, 1]."""
    world, actions = FakeWorld(), np.full((1, 4, 3), level, np.float32)
    _, frames = world.step(world.reset(TASK.frame[None], [5]), actions)
    return Rollout(Trial(TASK, 0, 0), "fake-policy", np.concatenate([TASK.frame[None], frames[0]]), actions[0])


def test_the_fakes_fit_the_seams_and_pass() -> None:
    world: World[FakeState] = FakeWorld()
    policy: Policy[tuple[int, int]] = FakePolicy(chunk=4)
    judge: Judge = FakeJudge()
    codec: Codec = FakeCodec()
    check_world(world, tolerance=0)
    check_policy(policy, world.frame_shape, atol=0.0)
    check_judge(judge, rollout(), TASK)
    check_codec(codec, atol=0.0)


# What the fakes do, for the tests that lean on them


def test_the_world_paints_the_action_and_the_trials_own_noise() -> None:
    world = FakeWorld()
    state = world.reset(np.zeros((2, *SHAPE), np.uint8), [1, 2])
    _, frames = world.step(state, np.array([[[-1.0, 0.0, 1.0]], [[1.0, 0.0, -1.0]]], np.float32))
    assert frames[:, 0, 0, [0, 8, 16], 0].tolist() == [[0, 128, 255], [255, 128, 0]]
    assert not np.array_equal(frames[0, 0, -1], frames[1, 0, -1])
    assert frames[:, 0, 8:-1].max() == 0


def test_the_policy_acts_around_its_level_with_the_trials_own_noise() -> None:
    trials = [Trial(TASK, repeat, run_seed=0) for repeat in range(200)]
    seen = [Observation(TASK.frame, TASK.instruction, 0)] * len(trials)
    for level, spread in ((0.2, 0.1), (0.9, 0.5)):
        policy = FakePolicy(level, spread)
        _, actions = policy.act(policy.reset(trials), seen)
        share = (actions + 1.0) / 2.0
        assert np.all((share >= max(level - spread, 0.0) - 1e-6) & (share <= min(level + spread, 1.0) + 1e-6))
        assert len(np.unique(actions[:, 0, 0])) > 100


@pytest.mark.parametrize(("level", "score"), [(1.0, 1.0), (-1.0, 0.0), (0.1, None)])
def test_the_judge_reads_the_last_action_and_may_decline(level: float, score: float | None) -> None:
    verdict = FakeJudge(band=0.1)(rollout(level), TASK)
    assert verdict.score == score
    assert verdict.probability == pytest.approx((level + 1.0) / 2.0, abs=0.01)


def test_the_codec_is_exact_on_flat_blocks() -> None:
    blocks = torch.randint(0, 256, (2, 2, 3, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    frames = blocks.repeat_interleave(8, 1).repeat_interleave(8, 2)
    assert torch.equal(FakeCodec().decode(FakeCodec().encode(frames)), frames)


# Each check catches the fault it is there for


class NeighbourWorld(FakeWorld):
    """A row sees the others of its batch."""

    def step(self, state: FakeState, actions: Actions) -> tuple[FakeState, Frames]:
        return super().step(state, np.broadcast_to(actions.mean(0, keepdims=True), actions.shape))


class BatchNoiseWorld(FakeWorld):
    """Noise belongs to the place in the batch."""

    def reset(self, frames: Frames, seeds: Sequence[int]) -> FakeState:
        return super().reset(frames, range(len(seeds)))


class MutatingWorld(FakeWorld):
    """Steps in place."""

    def step(self, state: FakeState, actions: Actions) -> tuple[FakeState, Frames]:
        state.frames[:, 8] += 1
        return super().step(state, actions)


class OverwritingWorld(FakeWorld):
    """Hands out one buffer again and again."""

    buffers: dict[int, Frames] = {}  # noqa: RUF012

    def step(self, state: FakeState, actions: Actions) -> tuple[FakeState, Frames]:
        state, frames = super().step(state, actions)
        buffer = self.buffers.setdefault(frames.shape[1], frames)
        if buffer.shape == frames.shape:
            buffer[:] = frames
            return state, buffer
        return state, frames


class RandomWorld(FakeWorld):
    """Draws from a generator that nobody seeded."""

    def reset(self, frames: Frames, seeds: Sequence[int]) -> FakeState:
        return super().reset(frames, np.random.default_rng().integers(0, 2**31, len(seeds)).tolist())


class OneFrameWorld(FakeWorld):
    """Returns the last frame of a chunk only."""

    def step(self, state: FakeState, actions: Actions) -> tuple[FakeState, Frames]:
        state, frames = super().step(state, actions)
        return state, frames[:, -1:]


class ClippingWorld(FakeWorld):
    """Clips the caller's array."""

    def step(self, state: FakeState, actions: Actions) -> tuple[FakeState, Frames]:
        np.clip(actions, -0.5, 0.5, out=actions)
        return super().step(state, actions)


@pytest.mark.parametrize(
    ("world", "complaint"),
    [
        (NeighbourWorld(), r"row 0 of a batch differs by \d+ grey levels from the same row alone"),
        (BatchNoiseWorld(), r"row 1 of a batch differs"),
        (MutatingWorld(), "step changes the state it is given, or keeps a hidden one"),
        (OverwritingWorld(), "a later step overwrote frames"),
        (RandomWorld(), "give other frames the second time"),
        (OneFrameWorld(), r"step returned uint8 \(3, 1, 16, 24, 3\), not uint8 \(3, 3, 16, 24, 3\)"),
        (ClippingWorld(), "step changed the actions it was given"),
        (FakeWorld(spec=replace(FAKE_SPEC, high=(1.0, 1.0))), "one lower and one upper bound a name"),
        (FakeWorld(spec=replace(FAKE_SPEC, low=(1.0, 1.0, 1.0))), "bounds must be finite, low < high"),
        (FakeWorld(spec=replace(FAKE_SPEC, rate_hz=0.0)), "rate is 0.0 Hz"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_faulty_world_is_caught(world: FakeWorld, complaint: str) -> None:
    with pytest.raises(AssertionError, match=f"^world 'fake-world': .*{complaint}"):
        check_world(world)


Act = Callable[[Actions], Actions]


@dataclass(frozen=True)
class ChangedPolicy(FakePolicy):
    """A fake whose actions are changed before they are returned."""

    change: Act = lambda actions: actions

    def act(
        self, states: Sequence[tuple[int, int]], observations: Sequence[Observation]
    ) -> tuple[list[tuple[int, int]], Actions]:
        states, actions = super().act(states, observations)
        return states, self.change(actions)


class CountingPolicy(FakePolicy):
    """Counts its calls in itself: every rollout but the first starts late."""

    calls: list[int] = []  # noqa: RUF012

    def act(self, states: Sequence[Any], observations: Sequence[Observation]) -> tuple[list[Any], Actions]:
        self.calls.append(1)
        return super().act([(seed, len(self.calls)) for seed, _ in states], observations)


class PaintingPolicy(FakePolicy):
    """Writes into the frames it sees."""

    def act(self, states: Sequence[Any], observations: Sequence[Observation]) -> tuple[list[Any], Actions]:
        observations[0].frame[0] = 0
        return super().act(states, observations)


class ForgettingPolicy(FakePolicy):
    """Returns fewer states than trials."""

    def act(self, states: Sequence[Any], observations: Sequence[Observation]) -> tuple[list[Any], Actions]:
        states, actions = super().act(states, observations)
        return states[1:], actions


@pytest.mark.parametrize(
    ("policy", "complaint"),
    [
        (ChangedPolicy(chunk=4, change=lambda a: a[:, :1]), r"act returned float32 \(3, 1, 3\), not float32 \(3, 4, 3\)"),
        (ChangedPolicy(change=lambda a: a.astype(np.float64)), r"act returned float64"),
        (ChangedPolicy(change=lambda a: 3 * a), "outside the bounds of its spec"),
        (ChangedPolicy(change=lambda a: a * np.float32("nan")), "outside the bounds of its spec, or not finite"),
        (ChangedPolicy(change=lambda a: a - a.mean(0) / 2), "row 0 of a batch differs by .* from the same row alone"),
        (CountingPolicy(), "the same trials give other actions the second time"),
        (PaintingPolicy(), "act changed the frames it was given"),
        (ForgettingPolicy(), "act returned 2 states for 3 trials"),
        (FakePolicy(chunk=0), "chunk is 0"),
    ],
)
def test_a_faulty_policy_is_caught(policy: FakePolicy, complaint: str) -> None:
    with pytest.raises(AssertionError, match=f"^policy 'fake-policy': .*{complaint}"):
        check_policy(policy, SHAPE)


def test_a_policy_with_states_of_its_own_that_it_changes_is_caught() -> None:
    class Counter:
        name, spec, chunk, needs = "counter", FAKE_SPEC, 1, NEWEST_FRAME

        def reset(self, trials: Sequence[Trial]) -> list[list[int]]:
            return [[0] for _ in trials]

        def act(self, states: Sequence[list[int]], observations: Sequence[Observation]) -> tuple[list[list[int]], Actions]:
            for state in states:
                state[0] += 1
            return list(states), np.array([[[state[0] / 100] * 3] for state in states], np.float32)

    with pytest.raises(AssertionError, match="act changes the states it is given, or keeps hidden ones"):
        check_policy(Counter(), SHAPE)


def test_a_policy_is_checked_on_the_trials_it_knows() -> None:
    class Replay(FakePolicy):
        def reset(self, trials: Sequence[Trial]) -> list[tuple[int, int]]:
            assert all(trial.task.name == TASK.name for trial in trials)
            return super().reset(trials)

    check_policy(Replay(), SHAPE, [Trial(TASK, repeat, 0) for repeat in range(2)])


@dataclass(frozen=True)
class ChangedJudge(FakeJudge):
    """A fake that says what it is told to."""

    say: Callable[[Rollout], Any] = lambda rollout: None

    def __call__(self, rollout: Rollout, task: Task) -> Verdict:
        verdict: Verdict = self.say(rollout)
        return verdict


def blacken(rollout: Rollout) -> Verdict:
    rollout.frames[:] = 0
    return Verdict(1.0, "fake-judge")


def needs_three_frames(rollout: Rollout) -> Verdict:
    assert len(rollout.frames) >= 3, "too short"
    return Verdict(1.0, "fake-judge")


@pytest.mark.parametrize(
    ("say", "complaint"),
    [
        (lambda r: 1.0, "returned float, not a Verdict"),
        (lambda r: Verdict(1.0, "another"), "signed its verdict 'another'"),
        (lambda r: Verdict(1.0, "fake-judge", probability=1.2), r"must lie in \[0, 1\]"),
        (lambda r: Verdict(1.0, "fake-judge", progress=float("nan")), r"must lie in \[0, 1\]"),
        (lambda r: Verdict(1.0, "fake-judge", votes=(Vote(1.0), Vote(None, "dark"), Vote(2.0))), r"must lie in \[0, 1\]"),
        (lambda r: Verdict(1.0, "fake-judge", cost_usd=-1.0), "cost is -1.0 USD"),
        (blacken, "changed the rollout it was given"),
        (needs_three_frames, "too short"),
    ],
)
def test_a_faulty_judge_is_caught(say: Callable[[Rollout], Any], complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        check_judge(ChangedJudge(say=say), rollout(), TASK)


class LearningCodec(FakeCodec):
    """Leaves its gradients on."""

    def encode(self, frames: Tensor) -> Tensor:
        return super().encode(frames).requires_grad_()


class NormalisingCodec(FakeCodec):
    """Normalises by the batch it happens to see."""

    def encode(self, frames: Tensor) -> Tensor:
        latents = super().encode(frames)
        return latents - latents.mean()


class ChannelsFirstCodec(FakeCodec):
    def decode(self, latents: Tensor) -> Tensor:
        return super().decode(latents).permute(0, 3, 1, 2)


class HalfCodec(FakeCodec):
    def encode(self, frames: Tensor) -> Tensor:
        return super().encode(frames).half()


class InPlaceCodec(FakeCodec):
    def decode(self, latents: Tensor) -> Tensor:
        return super().decode(latents.mul_(0.5))


@pytest.mark.parametrize(
    ("codec", "complaint"),
    [
        (LearningCodec(), "not finite, or carry gradients"),
        (NormalisingCodec(), r"latents of row \d differ by .* from the same row alone"),
        (ChannelsFirstCodec(), r"decode returned torch.uint8 \(3, 3, 16, 24\), not torch.uint8 \(3, 16, 24, 3\)"),
        (HalfCodec(), "encode returned torch.float16"),
        (InPlaceCodec(), "decode changed the latents"),
        (FakeCodec(fingerprint=""), "fingerprint is empty"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_faulty_codec_is_caught(codec: FakeCodec, complaint: str) -> None:
    with pytest.raises(AssertionError, match=f"^codec .*{complaint}"):
        check_codec(codec)
