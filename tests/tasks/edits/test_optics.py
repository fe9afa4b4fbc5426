"""What changes how the scene is seen, without touching what is in it."""

from __future__ import annotations

import numpy as np
import pytest

from worldgym.errors import InputError
from worldgym.tasks.edits.edit_protocol import Scene
from worldgym.tasks.edits.masks import Mask
from worldgym.tasks.edits.optics import Background, Blur, Camera, Lighting, Noise

FRAME = np.random.default_rng(1).integers(40, 200, (32, 32, 3), np.uint8)


def scene() -> Scene:
    return Scene(np.random.default_rng(5))


def test_noise_has_its_size_and_repeats() -> None:
    grey = np.full((64, 64, 3), 128, np.uint8)
    noisy = Noise(12.0).paint(grey, scene())
    assert noisy.astype(float).std() == pytest.approx(
        12.0, rel=0.05
    ) and noisy.mean() == pytest.approx(128, abs=0.5)
    np.testing.assert_array_equal(noisy, Noise(12.0).paint(grey, scene()))


def test_blur_smooths_and_keeps_the_mean() -> None:
    blurred = Blur(2.0).paint(FRAME, scene())
    assert blurred.std() < FRAME.std() / 2 and blurred.mean() == pytest.approx(FRAME.mean(), abs=2)
    np.testing.assert_array_equal(Blur(0.0).paint(FRAME, scene()), FRAME)


def test_background_replaces_the_mask_alone() -> None:
    half = (Mask(box=(0.0, 0.0, 1.0, 0.5)),)
    changed = Background(half, to="#102030").paint(FRAME, scene())
    assert (changed[:16] == (16, 32, 48)).all() and (changed[16:] == FRAME[16:]).all()
    kept = Background(half, to="#808080", keep=1.0).paint(FRAME, scene())
    assert np.corrcoef(kept[:16].max(-1).ravel(), FRAME[:16].max(-1).ravel())[0, 1] > 0.9
    with pytest.raises(InputError, match="either to or file"):
        Background(half)


def test_light_and_camera_are_what_they_say() -> None:
    assert Lighting(gain=0.5).paint(FRAME, scene()).mean() == pytest.approx(
        FRAME.mean() / 2, abs=0.6
    )
    assert not np.array_equal(Camera(rotate=5.0).paint(FRAME, scene()), FRAME)


def test_light_spares_what_shines_by_itself_and_dims_the_over_exposed_less() -> None:
    upper, left = (Mask(box=(0.0, 0.0, 1.0, 0.5)),), (Mask(box=(0.0, 0.5, 0.5, 1.0)),)
    dim = Lighting(gain=0.5, unlit=upper, over=left, excess=1.2).paint(FRAME, scene())
    np.testing.assert_array_equal(dim[:16], FRAME[:16])
    assert dim[16:, :16].mean() == pytest.approx(0.6 * FRAME[16:, :16].mean(), abs=0.6)
    assert dim[16:, 16:].mean() == pytest.approx(0.5 * FRAME[16:, 16:].mean(), abs=0.6)
    bright = Lighting(gain=1.1, over=left, excess=1.2).paint(FRAME, scene())
    np.testing.assert_array_equal(bright[16:, :16], FRAME[16:, :16])  # it cannot get brighter
    assert bright[:16].mean() > FRAME[:16].mean()
    with pytest.raises(InputError, match="excess lies between 1 and 10"):
        Lighting(over=left, excess=0.5)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Noise(-1.0),
        lambda: Blur(99.0),
        lambda: Camera(zoom=0.0),
        lambda: Camera(shift=(0.9, 0.0)),
        lambda: Background((), to="#000000", keep=2.0),
    ],
)
def test_out_of_range(make: object) -> None:
    with pytest.raises(InputError):
        make()  # type: ignore[operator]
