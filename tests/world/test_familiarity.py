"""The limit of what a world knows: measured on held-out recordings, kept beside the world, refused
where it is damaged."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from worldgym.codecs.codec_protocol import Codec
from worldgym.codecs.conv import ConvCodec, ConvCodecConfig
from worldgym.codecs.load_codec import load_codec
from worldgym.episodes.store import EpisodeStore
from worldgym.errors import InputError
from worldgym.world.familiarity import (
    BATCH,
    FAMILIARITY_NAME,
    errors,
    familiarity_of,
    measure_familiarity,
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an untrained codec, where a world would lie beside it."""
    folder = tmp_path_factory.mktemp("trained")
    torch.manual_seed(0)
    ConvCodec(ConvCodecConfig(size=32, channels=4, width=16, blocks=1)).save(
        folder / "codec", "", {}
    )
    (folder / "world").mkdir()
    return folder


@pytest.fixture(scope="module")
def codec(root: Path) -> Codec:
    return load_codec(root / "codec")


def test_the_error_is_that_of_the_frame_alone(codec: Codec) -> None:
    frames = list(
        np.random.default_rng(0).integers(0, 256, (BATCH + 2, 32, 32, 3)).astype(np.uint8)
    )
    found = errors(codec, frames)
    drawn = codec.decode(codec.encode(torch.from_numpy(frames[3][None]))).numpy()[0]
    assert found.shape == (BATCH + 2,)
    assert found[3] == pytest.approx(np.mean((drawn.astype(float) - frames[3]) ** 2), rel=0.02)
    assert errors(codec, frames[-1:])[0] == pytest.approx(found[-1], rel=0.02)
    assert errors(codec, []).shape == (0,)


def test_what_was_measured_is_found_beside_the_world(
    root: Path, codec: Codec, episode_store: EpisodeStore
) -> None:
    assert familiarity_of(root, codec) is None
    known = measure_familiarity(codec, [episode_store.root], root / FAMILIARITY_NAME)
    frames = [frame for info in episode_store for frame in episode_store[info.name].main]
    assert known.frames == len(frames) and errors(codec, frames).max() == pytest.approx(
        known.limit, rel=0.05
    )
    for place in (root, root / "world"):
        assert familiarity_of(place, codec) == known
    data = json.loads((root / FAMILIARITY_NAME).read_text())
    for wrong in ({**data, "limit": -1.0}, {**data, "limit": "high"}, {"codec": data["codec"]}):
        (root / FAMILIARITY_NAME).write_text(json.dumps(wrong))
        with pytest.raises(InputError, match="worldgym world measure-familiarity"):
            familiarity_of(root, codec)
    (root / FAMILIARITY_NAME).write_text(json.dumps({**data, "codec": "another"}))
    assert familiarity_of(root, codec) is None  # a limit of another decoder tells nothing


def test_recordings_that_do_not_fit_are_refused(
    root: Path, codec: Codec, tmp_path: Path, make_episode
) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match="name an episode store"):
        measure_familiarity(codec, [], tmp_path / FAMILIARITY_NAME)
    episode = make_episode(size=16)
    store = EpisodeStore.create(tmp_path / "small", episode.spec, episode.fps)
    store.write("one", episode)
    with pytest.raises(InputError, match="frames of 16x16"):
        measure_familiarity(codec, [tmp_path / "small"], tmp_path / FAMILIARITY_NAME)
    assert not (tmp_path / FAMILIARITY_NAME).exists()
