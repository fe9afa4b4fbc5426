from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from worldgym.actions.embodiment import Embodiment
from worldgym.codecs.conv import ConvCodec, ConvCodecConfig, to_uint8, to_unit_pixels
from worldgym.episodes.frame_cache import frame_cache
from worldgym.episodes.store import EpisodeStore
from worldgym.errors import CheckpointError
from worldgym.testing import check_codec
from worldgym.train.codec_training import CodecTrainConfig, Frameset, local_contrast, train_codec
from worldgym.train.latent_shards import latent_episodes
from worldgym.train.optimizer import OptimizerConfig
from worldgym.train.training_state import save_state

TINY = ConvCodecConfig(size=32, channels=4, width=16, blocks=1)


def quiet(step: int, scalars: dict[str, float]) -> None:
    pass


def train(store: EpisodeStore, out: Path, steps: int = 250, **changes: Any) -> ConvCodec:
    config = CodecTrainConfig(
        out, TINY, OptimizerConfig(steps=steps, lr=3e-3, warmup=5, ema=0.9), batch=8, **changes
    )
    return train_codec(config, Frameset.of(frame_cache(store, workers=1)), out / "codec", quiet)


@pytest.fixture(scope="module")
def codec(episode_store: EpisodeStore, tmp_path_factory: pytest.TempPathFactory) -> ConvCodec:
    return train(episode_store, tmp_path_factory.mktemp("codec"))


def test_conforms_to_the_seam(codec: ConvCodec) -> None:
    check_codec(codec, atol=0.05)  # bfloat16 inside


def test_latents_have_unit_variance(codec: ConvCodec, episode_store: EpisodeStore) -> None:
    frames = np.concatenate([episode_store[info.name].main for info in episode_store])
    latents = codec.encode(torch.from_numpy(frames))
    assert latents.shape == (len(frames), 4, 4, 4)
    assert 0.8 < float(latents.std()) < 1.2 and abs(float(latents.mean())) < 0.2


def test_episodes_of_two_stores(episode_store: EpisodeStore) -> None:
    cache = frame_cache(episode_store, workers=1)
    data = Frameset.of(cache, cache)
    assert len(data.pixels) == 2 and data.stores.tolist() == [0, 3, 6]
    assert data.spans.tolist() == [
        [store, *span] for store in (0, 1) for span in cache.spans.values()
    ]


def test_training_beats_the_mean_frame(codec: ConvCodec, episode_store: EpisodeStore) -> None:
    frames = torch.from_numpy(episode_store["square-0"].main)
    error = (codec.decode(codec.encode(frames)).float() - frames.float()).square().mean()
    flat = (frames.float().mean((0, 1, 2)) - frames.float()).square().mean()
    assert error < 0.5 * flat


def test_a_codec_with_a_tuned_decoder_keeps_its_latents(
    codec: ConvCodec, episode_store: EpisodeStore, tmp_path: Path
) -> None:
    codec.save(tmp_path / "start", "# codec\n", {})
    start = ConvCodec.load(tmp_path / "start")
    data = Frameset.of(frame_cache(episode_store, workers=1))
    steps = OptimizerConfig(steps=150, lr=3e-3, warmup=5, ema=0.9)
    config = CodecTrainConfig(
        tmp_path / "run", TINY, steps, batch=8, start=tmp_path / "start", decoder_only=True
    )
    sharper = train_codec(config, data, tmp_path / "sharper", quiet)
    frames = torch.from_numpy(episode_store["square-0"].main)
    latents = start.encode(frames)
    assert torch.equal(sharper.encode(frames), latents)
    assert sharper.latents == start.latents == start.fingerprint != sharper.fingerprint
    errors = [
        (one.decode(latents).float() - frames.float()).square().mean() for one in (start, sharper)
    ]
    assert errors[1] < 0.9 * errors[0]
    few = replace(
        config, out=tmp_path / "run2", start=tmp_path / "sharper", optimizer=replace(steps, steps=5)
    )
    again = train_codec(few, data, tmp_path / "again", quiet)
    assert again.latents == start.latents  # also of one that was tuned twice
    check_codec(again, atol=0.05)


def test_a_grown_codec_begins_as_the_one_it_grew_from(
    codec: ConvCodec, episode_store: EpisodeStore, tmp_path: Path
) -> None:
    frames = torch.from_numpy(episode_store["square-0"].main)
    grown = ConvCodec(replace(TINY, channels=6)).eval()
    grown.load_grown(codec)
    latents = grown.encode(frames)
    # bfloat16, other products
    torch.testing.assert_close(latents[:, :4], codec.encode(frames), atol=0.02, rtol=0.02)
    assert (
        grown.decode(latents).int() - codec.decode(latents[:, :4].contiguous()).int()
    ).abs().max() <= 4
    with pytest.raises(CheckpointError, match="only channels and noise may differ"):
        ConvCodec(replace(TINY, width=24)).load_grown(codec)
    codec.save(tmp_path / "start", "# codec\n", {})
    steps, data = (
        OptimizerConfig(steps=3, lr=1e-3),
        Frameset.of(frame_cache(episode_store, workers=1)),
    )
    config = CodecTrainConfig(
        tmp_path / "run", grown.config, steps, batch=4, edge_weight=0.5, start=tmp_path / "start"
    )
    trained = train_codec(config, data, tmp_path / "grown", quiet)
    assert trained.latent_shape == (6, 4, 4) and trained.latents == trained.fingerprint
    check_codec(trained, atol=0.05)


def test_edges_count(codec: ConvCodec, episode_store: EpisodeStore, tmp_path: Path) -> None:
    """Weight on edges lowers the error of differences between neighbours."""
    frames = torch.from_numpy(episode_store["square-0"].main)
    errors = []
    for weight in (0.0, 4.0):
        trained = train(episode_store, tmp_path / f"{weight}", 60, edge_weight=weight)
        wrong = trained.decode(trained.encode(frames)).float() - frames.float()
        errors.append(float(wrong.diff(dim=1).abs().mean() + wrong.diff(dim=2).abs().mean()))
    assert errors[1] < errors[0]


def test_contrast_is_that_of_the_surroundings() -> None:
    pixels = torch.zeros(1, 3, 32, 32)
    # a wall, and beside it an edge from black to white
    pixels[..., 16:] = torch.linspace(-1, 1, 16).sign()
    contrast = local_contrast(pixels)
    assert contrast.shape == (1, 1, 32, 32) and contrast[0, 0, :, :12].max() == 0
    assert contrast[0, 0, 16, 24] == contrast.max() and abs(contrast[0, 0, 16, 24] - 1.0) < 0.01
    torch.testing.assert_close(local_contrast(pixels * 0.1), contrast * 0.1, atol=1e-3, rtol=0.0)


def test_faint_things_count_by_their_contrast(episode_store: EpisodeStore, tmp_path: Path) -> None:
    """With it, a larger part of what is learned is learned where contrast is low."""
    frames = torch.from_numpy(episode_store["square-0"].main)
    low = local_contrast(frames.movedim(-1, 1) / 127.5 - 1.0)[:, 0] < 0.02
    errors = []
    for contrast in (0.0, 1.0):
        trained = train(episode_store, tmp_path / f"{contrast}", 60, contrast=contrast)
        wrong = (trained.decode(trained.encode(frames)).float() - frames.float()).abs().mean(-1)
        errors.append(float(wrong[low].mean() / wrong[~low].mean()))
    assert errors[1] < errors[0]


def test_decoder_tuning_resumed_is_uninterrupted(
    codec: ConvCodec, episode_store: EpisodeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codec.save(tmp_path / "start", "# codec\n", {})
    whole = train(
        episode_store,
        tmp_path / "whole",
        8,
        save_every=4,
        start=tmp_path / "start",
        decoder_only=True,
    )
    monkeypatch.setattr("worldgym.train.training_state.save_state", save_once := SaveOnce())
    train(
        episode_store,
        tmp_path / "broken",
        8,
        save_every=4,
        start=tmp_path / "start",
        decoder_only=True,
    )
    assert save_once.calls == 2  # the second one was lost
    monkeypatch.undo()
    assert (
        train(
            episode_store,
            tmp_path / "broken",
            8,
            save_every=4,
            start=tmp_path / "start",
            decoder_only=True,
        ).fingerprint
        == whole.fingerprint
    )


def test_resumed_is_uninterrupted(
    episode_store: EpisodeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(episode_store, tmp_path / "whole", 8, save_every=4)
    monkeypatch.setattr(
        "worldgym.train.codec_training._recalibrate",
        lambda *_: (_ for _ in ()).throw(KeyboardInterrupt),
    )
    monkeypatch.setattr("worldgym.train.training_state.save_state", save_once := SaveOnce())
    with pytest.raises(KeyboardInterrupt):
        train(episode_store, tmp_path / "broken", 8, save_every=4)
    assert save_once.calls == 2  # the second one was lost
    monkeypatch.undo()
    resumed = train(episode_store, tmp_path / "broken", 8, save_every=4)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


class SaveOnce:
    """Lets the first state through and loses later ones, as a kill between them would."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, path: Path, step: int, tensors: dict[str, torch.Tensor]) -> None:
        self.calls += 1
        if self.calls == 1:
            save_state(path, step, tensors)


def test_an_unsaved_codec_has_no_fingerprint() -> None:
    with pytest.raises(CheckpointError, match="never saved"):
        _ = ConvCodec(TINY).fingerprint


def test_pixels_survive_the_change_of_form() -> None:
    frames = torch.arange(256, dtype=torch.uint8).repeat(3, 1).T.reshape(1, 16, 16, 3).contiguous()
    assert torch.equal(to_uint8(to_unit_pixels(frames)), frames)


def test_latents_are_made_once(
    codec: ConvCodec, episode_store: EpisodeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = latent_episodes(episode_store, codec, Embodiment("square", episode_store.spec))
    assert data.lengths.tolist() == [9, 9, 4] and data.first.tolist() == [0, 9, 18]
    frames = torch.from_numpy(episode_store["square-1"].main)
    np.testing.assert_allclose(data.latents[9:18], codec.encode(frames).numpy(), atol=0.05)
    np.testing.assert_array_equal(data.shown[19:, :3], episode_store["square-2"].actions)
    monkeypatch.setattr(ConvCodec, "encode", lambda self, frames: pytest.fail("encoded again"))
    again = latent_episodes(episode_store, codec, Embodiment("square", episode_store.spec))
    np.testing.assert_array_equal(again.latents, data.latents)


def test_only_new_episodes_are_encoded(
    codec: ConvCodec, episode_store: EpisodeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the result equals encoding all."""
    store = EpisodeStore.create(tmp_path, episode_store.spec, episode_store.fps)
    robot = Embodiment("square", store.spec)
    for name in ("square-0", "square-2"):
        store.write(name, episode_store[name])
    latent_episodes(EpisodeStore(tmp_path), codec, robot)
    encoded: list[int] = []
    encode = codec.encode
    monkeypatch.setattr(
        codec, "encode", lambda frames: (encoded.append(len(frames)), encode(frames))[1]
    )
    store.write("square-1", episode_store["square-1"])
    grown = latent_episodes(EpisodeStore(tmp_path), codec, robot)
    assert encoded == [len(episode_store["square-1"].main)]
    for index in (tmp_path / "cache").glob("*.json"):
        index.unlink()
    np.testing.assert_array_equal(
        grown.latents.copy(), latent_episodes(EpisodeStore(tmp_path), codec, robot).latents
    )
    assert len(encoded) == 1 + 3
