"""Still images decode as they were, and what is damaged, huge or uneven gets one sentence."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageOps
from synthetic_sets import jpeg

from worldgym.errors import InputError, WorldGymError
from worldgym.io import images
from worldgym.io.images import MAX_SIDE, decode_image, resized, stack
from worldgym.servers.model_client import Answer
from worldgym.servers.provider import Reply
from worldgym.tasks.edits.generated_edits import _drawn
from worldgym.tasks.edits.picture_files import read_picture
from worldgym.tasks.task_folder import read_png
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
    with pytest.raises(InputError, match="here: cannot be read as a JPEG or PNG"):
        decode_image(data, "here")


def test_a_huge_image_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(
        InputError, match=f"here: {MAX_SIDE + 1}x1 pixels, more than {MAX_SIDE} a side"
    ):
        decode_image(png(np.zeros((1, MAX_SIDE + 1, 3), np.uint8)), "here")


def as_task(data: bytes, folder: Path) -> Frames:
    (folder / "a.png").write_bytes(data)
    return read_png(folder / "a.png")


def as_picture(data: bytes, folder: Path) -> Frames:
    (folder / "a").write_bytes(data)
    return read_picture(folder / "a")[..., :3]


def as_answer(data: bytes, folder: Path) -> Frames:
    reply = Reply("", "stop", None, None, "m", base64.b64encode(data).decode())
    return _drawn(Answer(reply, 0.0, 0.0))


READERS: dict[str, Callable[[bytes, Path], Frames]] = {
    "of a dataset": lambda data, folder: decode_image(data, "here"),
    "of a task": as_task,
    "of an edit": as_picture,
    "by a model": as_answer,
}


@pytest.mark.parametrize("reader", READERS)
def test_16_bit_grey_is_refused_wherever_a_picture_comes_from(reader: str, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.fromarray(np.full((8, 8), 20_000, np.uint16)).save(buffer, "PNG")
    with pytest.raises(WorldGymError, match="has 16-bit grey pixels; save it as plain 8-bit RGB"):
        READERS[reader](buffer.getvalue(), tmp_path)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("orientation", range(10))
def test_a_picture_is_turned_as_it_is_meant_to_be_seen(
    reader: str, orientation: int, tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    buffer = io.BytesIO()
    Image.fromarray(FRAME).save(buffer, "PNG", exif=exif)
    seen = np.array(ImageOps.exif_transpose(Image.open(buffer)))
    np.testing.assert_array_equal(READERS[reader](buffer.getvalue(), tmp_path), seen)


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow says what is damaged
@given(damage=st.lists(st.tuples(st.integers(0, 59), st.integers(0, 255)), min_size=1, max_size=4))
def test_damaged_exif_data_are_no_traceback(damage: list[tuple[int, int]]) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation], exif[ExifTags.Base.XResolution] = 6, 72.0
    buffer = io.BytesIO()
    Image.fromarray(FRAME).save(buffer, "JPEG", exif=exif)
    data = bytearray(buffer.getvalue())
    start = data.index(b"Exif\0\0") + 6
    for place, value in damage:
        data[start + place] = value
    with suppress(InputError):
        decode_image(bytes(data), "here")


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
