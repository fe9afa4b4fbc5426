"""Generated views are compared with recorded ones, and with pictures that cost nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from worldgym.errors import InputError
from worldgym.testing import FAKE_SPEC, FakeWorld
from worldgym.trust.generated_views import view_quality
from worldgym.types import Episode, Frames
from worldgym.world.world_protocol import Given

VIEWS = ("front", "wrist")


class Mirror(FakeWorld):
    """Knows that the wrist sees the front picture upside down."""

    def complete(self, frames: Frames, given: Given, seeds: Sequence[int]) -> Frames:
        assert not frames[~given].any()  # the truth is not shown
        whole = frames.copy()
        whole[:, 1] = np.where(given[:, 1, None, None, None], frames[:, 1], frames[:, 0, ::-1])
        return whole


def episodes(absent: tuple[int, ...] = ()) -> list[Episode]:
    out = []
    for i in range(3):
        front = np.random.default_rng(i).integers(0, 256, (2, 16, 24, 3)).astype(np.uint8)
        wrist = front[:, ::-1] * np.uint8(i not in absent)
        told = ("wrist",) if i in absent else ()
        actions = np.zeros((1, FAKE_SPEC.size), np.float32)
        both = np.stack([front, wrist], axis=1)
        out.append(Episode(both, actions, "", FAKE_SPEC, 5.0, views=VIEWS, absent=told))
    return out


def test_a_world_that_knows_is_better_than_any_picture() -> None:
    (found,) = view_quality(Mirror(views=VIEWS), VIEWS, episodes())
    assert (found.view, found.episodes, found.generated) == ("wrist", 3, 60.0)
    assert found.other < found.mean < found.generated
    np.testing.assert_array_equal(found.frames[:, 1], found.frames[:, 2])
    (fewer,) = view_quality(Mirror(views=VIEWS), VIEWS, episodes((1,)))
    assert fewer.episodes == 2
    with pytest.raises(InputError, match="episodes with the view wrist: 1;"):
        view_quality(Mirror(views=VIEWS), VIEWS, episodes((0, 1)))
