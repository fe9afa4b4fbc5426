"""Video comes back as it went in, up to the compression that was asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_sets import film

from worldgym.errors import InputError
from worldgym.io import video
from worldgym.io.video import (
    clock_notes,
    decode_video,
    encode_mp4,
    frame_stamps,
    read_clip,
    read_film,
)
from worldgym.types import Frames


def psnr(a: Frames, b: Frames) -> float:
    """Decibel of [0, 255]."""
    return float(10 * np.log10(255**2 / np.mean((a.astype(float) - b.astype(float)) ** 2)))


def moving_square(count: int = 12, height: int = 32, width: int = 48) -> Frames:
    frames = np.full((count, height, width, 3), (30, 60, 200), np.uint8)
    for t, frame in enumerate(frames):
        frame[8:20, 2 * t : 2 * t + 12] = (240, 40, 20)
    return frames


def round_trip(frames: Frames, folder: Path, **options: object) -> Frames:
    path = folder / "clip.mp4"
    path.write_bytes(encode_mp4(frames, 20.0, **options))  # type: ignore[arg-type]
    return decode_video(path)


def test_colours_and_order_survive(tmp_path: Path) -> None:
    frames = moving_square()
    back = round_trip(frames, tmp_path, crf=12, pixel_format="yuv444p")
    assert back.shape == frames.shape and back.dtype == np.uint8
    assert min(psnr(a, b) for a, b in zip(frames, back, strict=True)) > 38.0


def test_full_colour_resolution_is_finer_on_coloured_edges(tmp_path: Path) -> None:
    frames = moving_square()
    full, halved = (
        round_trip(frames, tmp_path, crf=12, pixel_format=form) for form in ("yuv444p", "yuv420p")
    )
    assert psnr(frames, full) > psnr(frames, halved) + 3.0


def test_lower_crf_is_finer_and_larger() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), np.uint8)
    assert len(encode_mp4(frames, 20.0, crf=4)) > len(encode_mp4(frames, 20.0, crf=30))


@settings(max_examples=15, deadline=None)
@given(count=st.integers(1, 25), half_height=st.integers(8, 24), half_width=st.integers(8, 24))
def test_every_frame_comes_back(
    count: int, half_height: int, half_width: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    frames = np.random.default_rng(count).integers(
        0, 256, (count, 2 * half_height, 2 * half_width, 3), np.uint8
    )
    assert round_trip(frames, tmp_path_factory.mktemp("video")).shape == frames.shape


def test_the_rate_is_written(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(encode_mp4(moving_square(), 12.5))
    with av.open(str(tmp_path / "clip.mp4")) as container:
        assert float(container.streams.video[0].average_rate or 0) == 12.5


@pytest.mark.parametrize(("height", "width"), [(31, 48), (32, 47), (31, 47)])
def test_odd_sizes_are_kept_where_colour_is_and_grow_by_one_elsewhere(
    height: int, width: int, tmp_path: Path
) -> None:
    frames = moving_square(4, height, width)
    full = round_trip(frames, tmp_path, crf=12, pixel_format="yuv444p")
    assert full.shape == frames.shape and psnr(full, frames) > 38.0
    halved = round_trip(frames, tmp_path, crf=12)
    assert halved.shape[1:3] == (height + height % 2, width + width % 2)
    assert psnr(halved[:, :height, :width], frames) > 25.0


@pytest.mark.parametrize("turned", [0, 90, 180, 270])
def test_frames_are_turned_as_the_file_asks(turned: int, tmp_path: Path) -> None:
    frames = moving_square(4)
    (tmp_path / "x.mp4").write_bytes(film(frames, turned=turned))
    found = read_film(tmp_path / "x.mp4")
    assert psnr(found.frames, np.rot90(frames, turned // 90, axes=(1, 2))) > 25.0
    assert len(found.notes) == int(turned > 0)
    stamps = frame_stamps(tmp_path / "x.mp4")
    np.testing.assert_array_equal(
        read_clip(tmp_path / "x.mp4", stamps[1:3]).frames, found.frames[1:3]
    )


@settings(max_examples=10, deadline=None)
@given(count=st.integers(1, 20), data=st.data(), late=st.booleans())
def test_a_clip_is_the_part_of_the_film(
    count: int, data: st.DataObject, late: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("clip") / "x.mp4"
    gaps = data.draw(st.lists(st.integers(40, 400), min_size=count, max_size=count))
    times = (np.cumsum(gaps) / 1000 - (0 if late else gaps[0] / 1000)).tolist()
    frames = np.random.default_rng(count).integers(0, 256, (count, 16, 16, 3), np.uint8)
    path.write_bytes(film(frames, times=times))
    stamps, whole = frame_stamps(path), read_film(path)
    assert len(stamps) == count and whole.times is not None
    np.testing.assert_allclose(whole.times, times, atol=2e-3)
    first = data.draw(st.integers(0, count - 1))
    last = data.draw(st.integers(first + 1, count))
    clip = read_clip(path, stamps[first:last])
    np.testing.assert_array_equal(clip.frames, whole.frames[first:last])
    np.testing.assert_allclose(np.asarray(clip.times), whole.times[first:last], atol=1e-9)


def test_what_is_said_of_a_clock() -> None:
    even = np.arange(10) / 10
    assert (
        clock_notes(even, 10.0)
        == clock_notes(even + 0.2, 10.2)
        == clock_notes(None, 10.0)
        == clock_notes(even[:2], 99.0)
        == ()
    )
    assert "the video shows 10 frames per second, the metadata say 15" in clock_notes(even, 15.0)[0]
    gap = np.concatenate([even[:5], even[5:] + 0.3])
    assert clock_notes(gap)[0].startswith("the frames of the video are unevenly spaced")


def test_a_git_lfs_pointer_is_called_so(tmp_path: Path) -> None:
    (tmp_path / "x.mp4").write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n"
    )
    with pytest.raises(InputError, match=r"x\.mp4: only git-lfs's pointer .* git lfs pull"):
        decode_video(tmp_path / "x.mp4")


@pytest.mark.parametrize("content", [b"", b"not a video", b"\x00\x00\x00\x20ftypisom"])
def test_what_is_no_video_gets_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.mp4").write_bytes(content)
    with pytest.raises(
        InputError,
        match=r"x\.mp4: (not a readable video .*re-record or remove it|the file is empty)",
    ):
        decode_video(tmp_path / "x.mp4")


def test_a_missing_video_gets_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.mp4: there is no such file"):
        decode_video(tmp_path / "absent.mp4")


def test_a_truncated_video_gets_one_sentence(tmp_path: Path) -> None:
    whole = encode_mp4(moving_square(), 20.0)
    (tmp_path / "x.mp4").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"x\.mp4"):
        decode_video(tmp_path / "x.mp4")


def test_a_file_longer_than_the_limit_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video, "MAX_FRAMES", 5)
    with pytest.raises(InputError, match="more than 5 frames; cut it into episodes first"):
        round_trip(moving_square(6), tmp_path)


def test_real_robot_video_decodes(sample_data: Path) -> None:
    path = sorted(sample_data.glob("bridge_mp4/train/*.mp4"))[0]
    frames = decode_video(path)
    with np.load(path.with_suffix(".npz")) as arrays:
        assert frames.shape == (len(arrays["arr_0"]), 256, 256, 3)
    assert frames.std() > 10.0


ENCODES = """
import sys
import numpy as np
from worldgym.io.video import encode_mp4
rng = np.random.default_rng(0)
for height, width in ((24, 16), (96, 96)):
    base = rng.integers(0, 256, (height // 2, width // 2, 3), np.uint8).repeat(2, 0).repeat(2, 1)
    frames = np.stack([np.roll(base, (t // 2, t), (0, 1)) for t in range(61)])
    for colours, every in (("yuv420p", 10), ("yuv444p", 250)):
        video = encode_mp4(frames, 20.0, crf=12, pixel_format=colours, key_every=every)
        sys.stdout.buffer.write(video)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="MALLOC_PERTURB_ is glibc's")
def test_bytes_do_not_depend_on_what_memory_held_before() -> None:
    """Each value fills memory that is handed out with other bytes."""
    found = set()
    for value in ("0", "85", "255"):
        perturbed = {**os.environ, "MALLOC_PERTURB_": value}
        found.add(
            subprocess.run(
                [sys.executable, "-c", ENCODES], env=perturbed, check=True, capture_output=True
            ).stdout
        )
    assert len(found) == 1 and len(found.pop()) > 10_000
