"""The codec over diffusers' AutoencoderKL, on one built from a tiny config with Stable Diffusion
3's peculiarities."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from worldgym.codecs.kl import KLCodec, import_autoencoder
from worldgym.codecs.load_codec import load_codec
from worldgym.errors import CheckpointError, InputError, MissingExtra
from worldgym.io.checkpoint import read_config
from worldgym.testing import check_codec

diffusers = pytest.importorskip("diffusers", reason="the extra [kl] is not installed")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the authors of such autoencoders publish it, the autoencoder in vae/."""
    torch.manual_seed(0)
    tiny = diffusers.AutoencoderKL(
        block_out_channels=(8, 8, 16, 16),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        latent_channels=16,
        norm_num_groups=4,
        scaling_factor=1.5305,
        shift_factor=0.0609,
        use_quant_conv=False,
        use_post_quant_conv=False,
    )
    folder = tmp_path_factory.mktemp("pretrained")
    tiny.save_pretrained(folder / "vae")
    return folder


@pytest.fixture
def codec(source: Path, tmp_path: Path) -> KLCodec:
    return import_autoencoder(str(source), tmp_path / "codec", size=32)


def test_conforms_to_the_seam(codec: KLCodec) -> None:
    check_codec(codec, atol=1e-4)
    assert codec.latent_shape == (16, 4, 4)
    assert not any(parameter.requires_grad for parameter in codec.autoencoder.parameters())


def test_latents_are_the_scaled_mean(codec: KLCodec) -> None:
    frames = torch.randint(0, 256, (2, 32, 32, 3), dtype=torch.uint8)
    pixels = frames.permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.no_grad():
        mean = codec.autoencoder.encode(pixels).latent_dist.mean
        picture = codec.autoencoder.decode(mean).sample
    latents = codec.encode(frames)
    torch.testing.assert_close(latents, 1.5305 * mean, atol=1e-5, rtol=1e-5)
    expected = ((picture + 1) * 127.5).round().clamp(0, 255).permute(0, 2, 3, 1)
    assert (codec.decode(latents).float() - expected).abs().max() <= 1


def test_more_frames_than_go_together(codec: KLCodec) -> None:
    frames = torch.randint(0, 256, (9, 32, 32, 3), dtype=torch.uint8)
    assert codec.decode(codec.encode(frames)).shape == (9, 32, 32, 3)


def test_saved_is_loaded(codec: KLCodec, tmp_path: Path) -> None:
    loaded = load_codec(tmp_path / "codec")
    frames = torch.randint(0, 256, (1, 32, 32, 3), dtype=torch.uint8)
    assert loaded.fingerprint == codec.fingerprint and len(codec.fingerprint) == 12
    assert torch.equal(loaded.encode(frames), codec.encode(frames))


def test_the_checkpoint_tells_no_path_of_the_machine(
    source: Path, codec: KLCodec, tmp_path: Path
) -> None:
    assert str(source.parent) not in str(read_config(tmp_path / "codec"))
    assert str(source.parent) not in (tmp_path / "codec" / "README.md").read_text()


def test_a_folder_without_an_autoencoder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="AutoencoderKL"):
        import_autoencoder(str(tmp_path / "empty"), tmp_path / "codec")
    assert not (tmp_path / "codec").exists()


def test_a_size_that_does_not_fit_is_refused(source: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="multiple"):
        import_autoencoder(str(source), tmp_path / "codec", size=36)


def test_without_the_extra_its_name_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(MissingExtra, match=r"worldgym\[kl\]"):
        import_autoencoder("anywhere", tmp_path)


def test_a_folder_of_another_kind_is_no_codec(tmp_path: Path) -> None:
    from worldgym.io.checkpoint import save_folder

    save_folder(tmp_path / "judge", {"kind": "judge"}, {"w": torch.zeros(1)}, "")
    with pytest.raises(CheckpointError, match="judge"):
        load_codec(tmp_path / "judge")
