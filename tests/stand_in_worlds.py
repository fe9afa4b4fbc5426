"""Stand-ins for other people's worlds, and what serves one in another process: `python
stand_in_worlds.py PORT NAME`, killed and started again on its port."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from served_process import ServedProcess

from worldgym.testing import FAKE_SPEC, FakeWorld
from worldgym.types import Actions, ActionSpec, Frames
from worldgym.world.capabilities import Capabilities, Chunk, History
from worldgym.world.world_start import RobotStates, Start

THREE = ("front", "side", "wrist")
WIDE = Capabilities(
    chunk=Chunk.exactly(12), history=History(7), causal=False, rewind=True, instruction=True
)


@dataclass(frozen=True)
class StandInState:
    """frames: [B, n, V, H, W, 3] and actions [B, m, A], the newest; told: the sums of all
    actions."""

    frames: Frames
    actions: Actions
    seeds: tuple[int, ...]
    told: RobotStates


@dataclass(frozen=True)
class StandInWorld:
    """Every frame of a step depends on the whole step, on the history and on the row's seed: a
    world that would show each shortcut taken with it."""

    capabilities: Capabilities = WIDE
    name: str = "stand-in"
    views: tuple[str, ...] = THREE
    spec: ActionSpec = FAKE_SPEC
    frame_shape: tuple[int, int, int] = (8, 12, 3)

    def reset(self, frames: Frames, seeds: Sequence[int]) -> StandInState:
        none = np.zeros((len(frames), 0, self.spec.size), np.float32)
        state = np.zeros((len(frames), 0), np.float32)
        return self.begin(Start(frames[:, None], seeds, none, ("",) * len(frames), state))

    def begin(self, start: Start) -> StandInState:
        history = self.capabilities.history
        assert start.frames.shape[1] == history.frames
        assert start.actions.shape[1] == history.actions
        told = start.state if start.state.shape[1] else np.zeros((len(start.frames), 2), np.float32)
        frames = start.frames.copy()
        return StandInState(frames, start.actions.copy(), tuple(start.seeds), told[:, None, :2])

    def step(self, state: StandInState, actions: Actions) -> tuple[StandInState, Frames]:
        can = self.capabilities
        drawn = actions.shape[1] // can.stride
        past = np.concatenate([state.actions, actions], axis=1)
        shift = np.abs(past).sum((1, 2)) * 7.0 + np.abs(actions).max((1, 2))
        base = state.frames.astype(np.float64).mean(1)
        frames = np.stack([self._draw(base, shift, t, state.seeds) for t in range(drawn)], axis=1)
        kept = can.history
        told = (
            state.told[:, -1:]
            + np.cumsum(actions[:, :, :2], axis=1)[:, can.stride - 1 :: can.stride]
        )
        after = StandInState(
            np.concatenate([state.frames, frames], axis=1)[:, -kept.frames :],
            past[:, past.shape[1] - kept.actions :],
            state.seeds,
            told.astype(np.float32),
        )
        return after, frames

    def _draw(
        self, base: np.ndarray[Any, Any], shift: np.ndarray[Any, Any], t: int, seeds: Sequence[int]
    ) -> Frames:
        noise = [
            np.random.default_rng([seed, t]).integers(0, 16, self.frame_shape) for seed in seeds
        ]
        whole = base + (shift * (t + 1))[:, None, None, None, None] + np.stack(noise)[:, None]
        return np.asarray(whole % 256, np.uint8)

    def robot_states(self, state: StandInState) -> RobotStates:
        return state.told


WORLDS: dict[str, Any] = {
    "fake": FakeWorld(),
    "two views": FakeWorld(views=("front", "wrist"), name="two-views"),
    "stand-in": StandInWorld(),
    "another": FakeWorld(name="another"),
}


def stated(**changes: Any) -> StandInWorld:
    """A stand-in of other capabilities."""
    return StandInWorld(replace(WIDE, **changes))


class WorldServer(ServedProcess):
    """One served world."""

    def __init__(self, world: str) -> None:
        super().__init__(__file__, "ws", world)


def main(port: str, world: str) -> None:
    from worldgym.world.wire.world_server import ServeOptions, serve_world

    serve_world(WORLDS[world], ServeOptions(port=int(port)))


if __name__ == "__main__":
    main(*sys.argv[1:])
