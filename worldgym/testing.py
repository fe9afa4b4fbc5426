"""Conformance checks for the four seams, and fakes that pass them: for our tests and for other people's.

    from worldgym.testing import check_world

    def test_my_world() -> None:
        check_world(MyWorld("weights/"))

A check raises AssertionError with one sentence that names the part and the broken rule. Axes legend: B batch, T time,
h chunk length, H height, W width, C channels, A action numbers. torch is imported where a codec is used, not before.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from worldgym.actions.pose import unsound
from worldgym.policies.observing import observe
from worldgym.policies.protocol import NEWEST_FRAME, Needs, Observation, Policy
from worldgym.types import Actions, ActionSpec, Frames, Rollout, Task, Trial, Verdict

if TYPE_CHECKING:
    from torch import Tensor

    from worldgym.judges.protocol import Judge
    from worldgym.latents.protocol import Codec
    from worldgym.world.protocol import World

State = TypeVar("State")
Shape = tuple[int, int, int]

SEEDS = (0, 7, 2**63 - 1)  # the ends of the range of Trial.seed, and one between
CHUNKS = (1, 3, 1)  # lengths of the chunks that a world is stepped by


def check_world(world: World[State], tolerance: int = 1) -> None:
    """Chunks of any length; the same twice; a state may be stepped again after a detour; a batch is its rows one by one.

    tolerance: grey levels of 255 that a row in a batch may differ from the row alone, for float rounding. 0 = exact.
    """
    who = f"world {world.name!r}"
    _check_spec(who, world.spec)
    rng = np.random.default_rng(0)
    starts = rng.integers(0, 256, (len(SEEDS), *world.frame_shape), np.uint8)
    shapes = [(len(SEEDS), h, world.spec.size) for h in CHUNKS]
    chunks = [rng.uniform(world.spec.low, world.spec.high, shape).astype(np.float32) for shape in shapes]
    frames = _roll(world, starts, SEEDS, chunks)
    again = _roll(world, starts, SEEDS, chunks)
    _require(np.array_equal(frames, again), who, "the same start frames, seeds and actions give other frames the second time")
    branched = _roll(world, starts, SEEDS, chunks, detour=True)
    _require(np.array_equal(frames, branched), who, "step changes the state it is given, or keeps a hidden one")
    for b in range(len(SEEDS)):
        alone = _roll(world, starts[b : b + 1], SEEDS[b : b + 1], [actions[b : b + 1] for actions in chunks])
        gap = int(np.abs(alone[0].astype(int) - frames[b].astype(int)).max())
        _require(gap <= tolerance, who, f"row {b} of a batch differs by {gap} grey levels from the same row alone")


def check_policy(policy: Policy[State], frame_shape: Shape, trials: Sequence[Trial] | None = None, atol: float = 1e-5) -> None:
    """Chunks of the promised shape within the spec's bounds; the same twice; states are kept; a batch is its rows one by one.

    The policy is shown what its `needs` ask for: history, views, a state that follows from the actions.

    trials: for a policy that knows its tasks by name (a replay); random frames with invented instructions otherwise.
    atol:   how much an action in a batch may differ from the same alone, for float rounding.
    """
    for rule in policy_rules(policy, frame_shape, trials, atol).values():
        rule()


def policy_rules(
    policy: Policy[Any], frame_shape: Shape, trials: Sequence[Trial] | None = None, atol: float = 1e-5
) -> Mapping[str, Callable[[], None]]:
    """The rules of `check_policy` by name, in its order: each call raises AssertionError where the policy breaks the rule."""
    who = f"policy {policy.name!r}"
    known = _random_trials(frame_shape) if trials is None else trials
    actions = cache(lambda: _play(policy, known))

    def promises() -> None:
        _check_spec(who, policy.spec)
        _check_needs(who, policy)
        _require(policy.chunk >= 1, who, f"chunk is {policy.chunk}, but a call must return at least one action")

    def repeats() -> None:
        _require(np.array_equal(actions(), _play(policy, known)), who, "the same trials give other actions the second time")

    def carries() -> None:
        branched = _play(policy, known, detour=True)
        _require(np.array_equal(actions(), branched), who, "act changes the states it is given, or keeps hidden ones")

    def stands_alone() -> None:
        for b, trial in enumerate(known):
            gap = float(np.abs(_play(policy, [trial])[0] - actions()[b]).max())
            _require(gap <= atol, who, f"row {b} of a batch differs by {gap:.2g} from the same row alone")

    return {
        "spec and chunk are sound": promises,
        "actions have the promised shape, finite and in bounds": lambda: _require(
            len(actions()) == len(known), who, "lost a trial"
        ),
        "the same twice": repeats,
        "states are carried, none hidden": carries,
        "a batch is its rows one by one": stands_alone,
    }


def check_judge(judge: Judge, rollout: Rollout, task: Task) -> None:
    """A Verdict with numbers in range under the judge's own name, also for a rollout of one action; records stay as they were."""
    who = f"judge {judge.name!r}"
    _require(judge.concurrency >= 1, who, f"concurrency is {judge.concurrency}, but one call must be allowed")
    _require(json.loads(json.dumps(dict(judge.settings))) == judge.settings, who, "its settings are not JSON values")
    short = replace(rollout, frames=rollout.frames[:2], actions=rollout.actions[:1])
    for record in (rollout, short):
        frames, actions = record.frames.copy(), record.actions.copy()
        verdict = judge(record, task)
        _require(isinstance(verdict, Verdict), who, f"returned {type(verdict).__name__}, not a Verdict")
        _require(verdict.judge == judge.name, who, f"signed its verdict {verdict.judge!r}")
        shares = [verdict.probability, verdict.progress, *(vote.score for vote in verdict.votes)]
        inside = all(share is None or 0.0 <= share <= 1.0 for share in shares)
        _require(inside, who, f"probability, progress and votes must lie in [0, 1], not {shares}")
        _require(verdict.cost_usd >= 0.0, who, f"cost is {verdict.cost_usd} USD")
        _require(verdict.paid_usd <= verdict.cost_usd, who, f"{verdict.paid_usd} USD were paid for {verdict.cost_usd} USD")
        same = np.array_equal(frames, record.frames) and np.array_equal(actions, record.actions)
        _require(same, who, "changed the rollout it was given")


def check_codec(codec: Codec, frames: Tensor | None = None, atol: float = 1e-4) -> None:
    """Shapes, types and finite numbers both ways; a batch is its rows one by one; inputs stay as they were.

    frames: uint8 [B, H, W, 3] to try it on, random otherwise.   atol: rounding allowed between batched and single latents.
    """
    import torch

    who = f"codec {codec.fingerprint!r}"
    _require(bool(codec.fingerprint), who, "fingerprint is empty, so cached latents could not be told apart")
    if frames is None:
        frames = torch.randint(0, 256, (3, *codec.frame_shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    given = frames.clone()
    latents = codec.encode(given)
    _check_form(who, "encode", latents, (len(frames), *codec.latent_shape), torch.float32)
    usable = bool(torch.isfinite(latents).all()) and not latents.requires_grad
    _require(usable, who, "encode returned numbers that are not finite, or carry gradients")
    _require(torch.equal(given, frames), who, "encode changed the frames it was given")
    kept = latents.clone()
    decoded = codec.decode(latents)
    _check_form(who, "decode", decoded, (len(frames), *codec.frame_shape), torch.uint8)
    _require(torch.equal(kept, latents), who, "decode changed the latents it was given")
    for b in range(len(frames)):
        gap = float((codec.encode(frames[b : b + 1])[0] - latents[b]).abs().max())
        _require(gap <= atol, who, f"latents of row {b} differ by {gap:.2g} from the same row alone")
        levels = int((codec.decode(latents[b : b + 1])[0].int() - decoded[b].int()).abs().max())
        _require(levels <= 1, who, f"decoded row {b} differs by {levels} grey levels from the same row alone")


FAKE_SPEC = ActionSpec(
    names=("x", "y", "gripper"),
    mode="delta_pose",
    unit="0.01 m an action",
    rotation="none",
    gripper="+1_closed",
    low=(-1.0, -1.0, -1.0),
    high=(1.0, 1.0, 1.0),
    rate_hz=5.0,
)


@dataclass(frozen=True)
class FakeState:
    """frames: uint8 [B, H, W, 3], the last ones drawn.   step: actions taken."""

    frames: Frames
    seeds: tuple[int, ...]
    step: int


@dataclass(frozen=True)
class FakeWorld:
    """Paints the last action into the upper half of the frame and the trial's own noise into the last row.

    The upper half has one field a number, left to right: black at its low bound, white at its high one.
    """

    spec: ActionSpec = FAKE_SPEC
    frame_shape: Shape = (16, 24, 3)
    name: str = "fake-world"

    def reset(self, frames: Frames, seeds: Sequence[int]) -> FakeState:
        return FakeState(frames.copy(), tuple(seeds), 0)

    def step(self, state: FakeState, actions: Actions) -> tuple[FakeState, Frames]:
        frames = [self._paint(state, actions[:, t], state.step + t) for t in range(actions.shape[1])]
        return FakeState(frames[-1], state.seeds, state.step + len(frames)), np.stack(frames, axis=1)

    def _paint(self, state: FakeState, actions: Actions, step: int) -> Frames:
        """actions: [B, A] => uint8 [B, H, W, 3]."""
        height, width, _ = self.frame_shape
        low, high = np.array(self.spec.low), np.array(self.spec.high)
        levels = np.rint(np.clip((actions - low) / (high - low), 0.0, 1.0) * 255.0).astype(np.uint8)
        field = np.arange(width) * self.spec.size // width  # the number that a column shows
        painted = state.frames.copy()
        painted[:, : height // 2] = levels[:, None, field, None]
        for b, seed in enumerate(state.seeds):
            painted[b, -1] = np.random.default_rng([seed, step]).integers(0, 256, (width, 3), np.uint8)
        return painted


@dataclass(frozen=True)
class FakePolicy:
    """Acts at `level` of every number's range (0 low, 1 high), give or take up to `spread` by the trial's own noise."""

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
        noise = np.stack([np.random.default_rng(state).uniform(-self.spread, self.spread, shape) for state in states])
        actions = low + np.clip(self.level + noise, 0.0, 1.0) * (high - low)
        return [(seed, calls + 1) for seed, calls in states], actions.astype(np.float32)


@dataclass(frozen=True)
class FakeJudge:
    """Reads the first number of the last action off a FakeWorld's last frame: success at or above `threshold` of its range.

    Nearer to the threshold than `band`, it declines.
    """

    threshold: float = 0.5
    band: float = 0.0
    name: str = "fake-judge"
    concurrency: int = 1

    @property
    def settings(self) -> dict[str, Any]:
        return {"threshold": self.threshold, "band": self.band}

    def __call__(self, rollout: Rollout, task: Task) -> Verdict:
        brightness = float(rollout.frames[-1, 0, 0, 0]) / 255.0
        if abs(brightness - self.threshold) < self.band:
            return Verdict(None, self.name, "too close to the threshold", probability=brightness)
        return Verdict(float(brightness >= self.threshold), self.name, probability=brightness)


@dataclass(frozen=True)
class FakeCodec:
    """Latents are the means of 8x8 blocks, [B, 3, H/8, W/8]; decoding repeats them. Exact on frames of flat 8x8 blocks."""

    frame_shape: Shape = (16, 24, 3)
    fingerprint: str = "fake-codec"

    @property
    def latent_shape(self) -> Shape:
        return 3, self.frame_shape[0] // 8, self.frame_shape[1] // 8

    def encode(self, frames: Tensor) -> Tensor:
        B, (C, h, w) = len(frames), self.latent_shape
        return (frames.permute(0, 3, 1, 2).float().reshape(B, C, h, 8, w, 8).mean((3, 5)) - 127.5) / 64.0

    def decode(self, latents: Tensor) -> Tensor:
        pixels = (latents.float() * 64.0 + 127.5).round().clamp(0, 255).byte()
        return pixels.repeat_interleave(8, 2).repeat_interleave(8, 3).permute(0, 2, 3, 1).contiguous()


def _require(held: bool, who: str, complaint: str) -> None:
    if not held:
        raise AssertionError(f"{who}: {complaint}")


def _check_spec(who: str, spec: ActionSpec) -> None:
    low, high = np.array(spec.low), np.array(spec.high)
    fits = spec.size >= 1 and low.shape == high.shape == (spec.size,)
    _require(fits, who, "its spec needs one lower and one upper bound a name, and at least one name")
    _require(bool(np.isfinite([low, high]).all() and (low < high).all()), who, "its spec's bounds must be finite, low < high")
    _require(spec.rate_hz > 0, who, f"its spec's rate is {spec.rate_hz} Hz")


def _check_form(who: str, what: str, value: npt.NDArray[Any] | Tensor, shape: tuple[int, ...], dtype: Any) -> None:
    right = tuple(value.shape) == shape and value.dtype == dtype
    _require(right, who, f"{what} returned {value.dtype} {tuple(value.shape)}, not {dtype} {shape}")


def _random_trials(frame_shape: Shape) -> list[Trial]:
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (len(SEEDS), *frame_shape), np.uint8)
    tasks = [Task(f"check/{b}", "check", frame, "open the drawer", steps=4) for b, frame in enumerate(frames)]
    return [Trial(task, repeat=0, run_seed=0) for task in tasks]


def _roll(world: World[State], starts: Frames, seeds: Sequence[int], chunks: Sequence[Actions], detour: bool = False) -> Frames:
    """[B, T, H, W, 3]: every frame of stepping through the chunks. With `detour`, each state is stepped elsewhere first."""
    who, given = f"world {world.name!r}", starts.copy()
    state, parts, kept = world.reset(given, seeds), [], []
    for actions in chunks:
        if detour:
            world.step(state, np.ascontiguousarray(actions[::-1]))
        passed = actions.copy()
        state, frames = world.step(state, passed)
        _check_form(who, "step", frames, (*actions.shape[:2], *world.frame_shape), np.dtype(np.uint8))
        _require(np.array_equal(passed, actions), who, "step changed the actions it was given")
        parts.append(frames)
        kept.append(frames.copy())
    _require(np.array_equal(given, starts), who, "the start frames were changed")
    unchanged = all(np.array_equal(part, copy) for part, copy in zip(parts, kept, strict=True))
    _require(unchanged, who, "a later step overwrote frames that an earlier one had returned")
    return np.concatenate(kept, axis=1)


def _play(policy: Policy[State], trials: Sequence[Trial], detour: bool = False) -> Actions:
    """[B, T, A]: the actions of three calls. With `detour`, each list of states is first used with other frames."""
    who, states, parts = f"policy {policy.name!r}", policy.reset(trials), []
    low, high = np.array(policy.spec.low, np.float32), np.array(policy.spec.high, np.float32)
    _require(len(states) == len(trials), who, f"reset returned {len(states)} states for {len(trials)} trials")
    for call in range(3):
        seen = [_observe(policy, trial, call) for trial in trials]
        if detour:
            policy.act(states, [_observe(policy, trial, call, negative=True) for trial in trials])
        states, actions = policy.act(states, seen)
        _check_form(who, "act", actions, (len(trials), policy.chunk, policy.spec.size), np.dtype(np.float32))
        inside = bool(((low <= actions) & (actions <= high)).all())
        _require(inside, who, "act returned numbers outside the bounds of its spec, or not finite")
        _require(len(states) == len(trials), who, f"act returned {len(states)} states for {len(trials)} trials")
        _require(all(map(_same, seen, (_observe(policy, t, call) for t in trials))), who, "act changed the frames it was given")
        parts.append(actions.copy())
    return np.concatenate(parts, axis=1)


def _observe(policy: Policy[State], trial: Trial, call: int, negative: bool = False) -> Observation:
    """What the policy asks for after `call` chunks of small motions; a frame of its own for every action: the start, shifted."""
    step, start = call * policy.chunk, 255 - trial.task.frame if negative else trial.task.frame
    frames = [np.roll(start, 4 * t, axis=1) for t in range(step + 1)]
    low, high = np.array(policy.spec.low), np.array(policy.spec.high)
    actions = np.tile((low + 0.6 * (high - low)).astype(np.float32), (step, 1))
    return observe(policy.needs, policy.spec, trial.task, frames, actions)


def _same(first: Observation, second: Observation) -> bool:
    views = all(np.array_equal(first.views[camera], view) for camera, view in second.views.items())
    return views and np.array_equal(first.history, second.history)


def _check_needs(who: str, policy: Policy[State]) -> None:
    reason = unsound(policy.spec, policy.needs.state) if policy.needs.state else None
    _require(reason is None, who, f"needs a state that no rollout can give: {reason}")
