"""A batch on several threads is the batch."""

from __future__ import annotations

import numpy as np
import pytest

from worldgym.testing import check_world
from worldgym.types import ONE_VIEW, ActionSpec, Frames
from worldgym.world.capabilities import PLAIN
from worldgym.world.row_threads import SplitWorld

SPEC = ActionSpec(("x",), "delta_pose", "1 m", "none", "none", (-1.0,), (1.0,), 10.0)


class Counting:
    """A world whose frames tell the row's seed and the sum of its actions."""

    name, spec, frame_shape = "counting", SPEC, (2, 2, 3)
    views = ONE_VIEW
    capabilities = PLAIN

    def reset(self, frames: Frames, seeds: list[int]) -> list[float]:
        assert len(frames) == len(seeds)
        return [float(seed) for seed in seeds]

    def step(self, state: list[float], actions: np.ndarray) -> tuple[list[float], Frames]:
        sums = np.asarray(state)[:, None] + actions[..., 0].cumsum(1)
        frames = np.broadcast_to(sums[..., None, None, None, None], (*sums.shape, 1, 2, 2, 3))
        return sums[:, -1].tolist(), (frames % 256).astype(np.uint8)


@pytest.mark.parametrize("rows", [1, 2, 5])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_split_batch_is_the_batch(rows: int, threads: int) -> None:
    whole, split = Counting(), SplitWorld(Counting(), threads)
    frames, seeds = np.zeros((rows, 1, 2, 2, 3), np.uint8), list(range(10, 10 + rows))
    actions = np.arange(rows * 4, dtype=np.float32).reshape(rows, 4, 1)
    one, many = whole.reset(frames, seeds), split.reset(frames, seeds)
    assert len(many) == min(rows, threads)
    for part in (actions[:, :3], actions[:, 3:]):
        (one, expected), (many, found) = whole.step(one, part), split.step(many, part)
        np.testing.assert_array_equal(found, expected)


def test_conforms_to_the_seam() -> None:
    check_world(SplitWorld(Counting(), 2))


def test_a_fault_in_a_thread_is_the_callers() -> None:
    split = SplitWorld(Counting(), 2)
    with pytest.raises(IndexError):
        split.reset(np.zeros((4, 1, 2, 2, 3), np.uint8), [1, 2, 3])
