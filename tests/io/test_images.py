"""Still images decode as they were, and what is damaged, huge or uneven gets one sentence."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from synthetic_sets import jpeg

from worldgym.errors import InputError
from worldgym.io import images
from worldgym.io.images import MAX_SIDE, decode_image, resized, stack
from worldgym.types import Frames

FRAME = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)


def png(frame: Frames, mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(frame).convert(mode).save(buffer, "PNG")
    return buffer.getvalue()


def test_png_is_exact_and_grey_becomes_rgb() -> None:
    np.testing.assert_array_equal(decode_image(png(FRAME), "here"), FRAME)
    grey = decode_image(png(FRAME, "L"), "here")
    assert grey.shape == FRAME.shape and (grey[..., 0] == grey[..., 2]).all()


def test_jpeg_is_close() -> None:
    flat = np.full((16, 16, 3), (200, 30, 90), np.uint8)
    assert np.abs(decode_image(jpeg(flat), "here").astype(int) - flat).max() <= 3


@pytest.mark.parametrize("data", [b"", b"GIF89a", jpeg(FRAME)[:80], png(FRAME)[:60]])
def test_what_is_no_image_gets_one_sentence(data: bytes) -> None:
    with pytest.raises(InputError, match="here: not a readable JPEG or PNG"):
        decode_image(data, "here")


def test_a_huge_image_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(
        InputError, match=f"here: an image of {MAX_SIDE + 1}x1, over {MAX_SIDE} a side"
    ):
        decode_image(png(np.zeros((1, MAX_SIDE + 1, 3), np.uint8)), "here")


def test_fitting() -> None:
    assert resized(FRAME, None) is FRAME and resized(FRAME, (12, 16)) is FRAME
    flat = np.full((10, 30, 3), (5, 100, 200), np.uint8)
    np.testing.assert_array_equal(
        resized(flat, (4, 6)), np.full((4, 6, 3), (5, 100, 200), np.uint8)
    )


def test_stacking(monkeypatch: pytest.MonkeyPatch) -> None:
    assert stack([FRAME, FRAME], "here").shape == (2, 12, 16, 3)
    with pytest.raises(InputError, match="here: holds no frame"):
        stack([], "here")
    with pytest.raises(InputError, match="here: frames of different sizes"):
        stack([FRAME, FRAME[1:]], "here")
    monkeypatch.setattr(images, "MAX_BYTES", 1000)
    with pytest.raises(InputError, match="pixels in one episode; cut it, or give a smaller size"):
        stack([FRAME, FRAME], "here")
