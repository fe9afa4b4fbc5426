"""Initial frames of several views: brought by the task, drawn by the world, or refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from worldgym.errors import InputError
from worldgym.testing import FakeWorld
from worldgym.types import Frames, Task
from worldgym.world.initial_views import check_initial_views, generated_views, initial_frames
from worldgym.world.world_protocol import Given

VIEWS = ("front", "wrist")


class Drawing(FakeWorld):
    """Draws what is missing: the main view upside down, with the seed in a corner."""

    def complete(self, frames: Frames, given: Given, seeds: Sequence[int]) -> Frames:
        whole = frames.copy()
        for row, seed in enumerate(seeds):
            for view in np.flatnonzero(~given[row]):
                whole[row, view] = frames[row, 0, ::-1]
                whole[row, view, 0, 0] = seed
        return whole


def task(level: int, **others: Frames) -> Task:
    frame = np.full((16, 24, 3), level, np.uint8)
    return Task(f"t/{level}", "t", frame, "push", 3, others=others)


def test_what_a_task_brings_is_taken_and_the_rest_is_drawn() -> None:
    wrist = np.full((16, 24, 3), 9, np.uint8)
    tasks, world = [task(1), task(2, wrist=wrist, back=wrist)], Drawing(views=VIEWS)
    frames = initial_frames(world, tasks, [5, 6])
    assert frames.shape == (2, 2, 16, 24, 3) and frames[:, 0, 0, 0, 0].tolist() == [1, 2]
    assert frames[0, 1, 0, 0, 0] == 5 and frames[0, 1, 1:].min() == 1
    np.testing.assert_array_equal(frames[1, 1], wrist)
    np.testing.assert_array_equal(initial_frames(world, tasks[:1], [5])[0], frames[0])
    assert [generated_views(VIEWS, one) for one in tasks] == [("wrist view generated",), ()]


def test_a_world_that_cannot_draw_it_is_refused() -> None:
    with pytest.raises(InputError, match=r"no initial frame of the view wrist.*t/1\.wrist\.png"):
        check_initial_views(FakeWorld(views=VIEWS), [task(1)])
    check_initial_views(FakeWorld(), [task(1)])
    small = replace(task(1), others={"wrist": np.zeros((8, 8, 3), np.uint8)})
    with pytest.raises(InputError, match="its wrist image is 8x8, but the world draws 24x16"):
        check_initial_views(FakeWorld(views=VIEWS), [small])
