from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldgym.episodes.windows import DISPLACEMENT_SCALE, conditioning, cut, random_start


@given(length=st.integers(1, 40), size=st.integers(1, 20), seed=st.integers(0, 99))
def test_windows_show_the_action_that_led_to_each_frame(length: int, size: int, seed: int) -> None:
    actions = np.random.default_rng(seed).normal(size=(length - 1, 3)).astype(np.float32)
    start = random_start(length, size, np.random.default_rng(seed))
    window = cut(length, size, start)
    shown = conditioning(actions, window)
    assert shown.shape == (size, 7)
    for place, frame in enumerate(range(start, start + size)):
        if 1 <= frame < length:
            moved = DISPLACEMENT_SCALE * actions[:frame].sum(0)
            np.testing.assert_allclose(shown[place], [*actions[frame - 1], *moved, 0.0], atol=1e-5)
            assert window.frames[place] == frame and window.mask[place]
        else:
            np.testing.assert_array_equal(shown[place], [0.0] * 6 + [1.0])
        assert window.mask[place] == (frame < length)


@given(length=st.integers(1, 40), size=st.integers(1, 20), seed=st.integers(0, 99))
def test_no_padding_where_the_episode_is_long_enough(length: int, size: int, seed: int) -> None:
    window = cut(length, size, random_start(length, size, np.random.default_rng(seed)))
    assert window.mask.all() == (length >= size)
    assert window.frames.max() < length


def test_a_start_outside_the_episode_is_an_error() -> None:
    with pytest.raises(ValueError, match="frame 5"):
        cut(5, 3, 5)
