"""Decoder fine-tuning: a codec with a better decoder, and a world that goes on as it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from worldgym.cli import main
from worldgym.codecs.conv import ConvCodec, ConvCodecConfig
from worldgym.episodes.frame_cache import frame_cache
from worldgym.episodes.mixture import NamedStore
from worldgym.episodes.store import EpisodeStore
from worldgym.errors import InputError
from worldgym.train.codec_training import CodecTrainConfig, Frameset, train_codec
from worldgym.train.decoder_tuning import tune_decoder
from worldgym.train.optimizer import OptimizerConfig
from worldgym.train.training_requests import DecoderTuneRequest
from worldgym.train.world_run import TrainRun, launch
from worldgym.train.world_train_config import WorldTrainConfig
from worldgym.world.network_config import DiTConfig
from worldgym.world.world_checkpoint import load_diffusion_world


@pytest.fixture(scope="module")
def trained(episode_store: EpisodeStore, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """codec/ and world/ of a few steps. Shared: do not write to it."""
    root = tmp_path_factory.mktemp("trained")
    steps = OptimizerConfig(steps=4, warmup=1)
    codec = CodecTrainConfig(root / "run", ConvCodecConfig(32, 4, 16, 1), steps, batch=4)
    train_codec(
        codec, Frameset.of(frame_cache(episode_store, workers=1)), root / "codec", lambda *_: None
    )
    network = DiTConfig(
        latent_shape=(4, 4, 4),
        width=32,
        pairs=1,
        heads=2,
        action_size=2 * episode_store.spec.size + 1,
    )
    config = WorldTrainConfig(root, network, steps, batch=2, frames=4)
    launch(
        TrainRun(
            config, (NamedStore("a", episode_store.root),), (episode_store.root,), root / "codec"
        )
    )
    return root


def test_a_world_goes_on_beside_its_sharper_codec(
    trained: Path, episode_store: EpisodeStore, tmp_path: Path
) -> None:
    words = [
        "codec",
        "fine-tune",
        trained / "codec",
        "--data",
        episode_store.root,
        "--out",
        tmp_path,
        "--world",
        trained,
        "--steps",
        4,
    ]
    main([str(word) for word in words])
    old, new = load_diffusion_world(trained), load_diffusion_world(tmp_path)
    assert new.codec.latents == old.codec.latents and new.codec.fingerprint != old.codec.fingerprint
    # what it draws is not what the other draws
    assert new.name == f"{old.name}-{new.codec.fingerprint}"
    frames = torch.from_numpy(episode_store["square-0"].main)
    assert torch.equal(new.codec.encode(frames), old.codec.encode(frames))
    start, actions = np.asarray(frames[:1, None]), np.zeros((1, 2, old.spec.size), np.float32)
    drawn = [one.step(one.reset(start, [0]), actions)[1] for one in (old, new)]
    assert not np.array_equal(*drawn)
    before = (tmp_path / "codec" / "manifest.json").read_bytes()
    main([str(word) for word in words])  # finished: nothing is done again
    assert (tmp_path / "codec" / "manifest.json").read_bytes() == before


def test_what_does_not_fit(trained: Path, episode_store: EpisodeStore, tmp_path: Path) -> None:
    def ask(out: str, **changes: object) -> DecoderTuneRequest:
        return DecoderTuneRequest(
            **{
                "codec": trained / "codec",
                "data": (str(episode_store.root),),
                "out": tmp_path / out,
                "steps": 2,
            }
            | changes
        )  # type: ignore[arg-type]

    tune_decoder(ask("one"))
    with pytest.raises(InputError, match="holds a run with another config"):
        tune_decoder(ask("one", steps=3))
    with pytest.raises(InputError, match="give as many as stores"):
        tune_decoder(ask("two", mix=(1.0, 2.0)))
    ConvCodec(ConvCodecConfig(32, 4, 16, 1)).save(tmp_path / "other", "# another\n", {})
    with pytest.raises(InputError, match="draws latents of codec"):
        tune_decoder(ask("two", codec=tmp_path / "other", world=trained))
    ConvCodec(ConvCodecConfig(16, 4, 16, 1)).save(tmp_path / "small", "# small\n", {})
    with pytest.raises(InputError, match="16 pixels per side"):
        tune_decoder(ask("two", codec=tmp_path / "small"))
    assert not (tmp_path / "two").exists()
