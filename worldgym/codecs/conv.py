"""A small convolutional autoencoder for a fixed camera, made for CPUs.

    uint8 [B, 96, 96, 3] => latents [B, 8, 12, 12], downsampling 8, unit variance a channel (running
    batch statistics)

Two design choices matter. Space-to-depth by 4 comes first: convolutions at full resolution cost 10
times more on a CPU. And a learned map is added at each resolution: with a fixed camera the
background is learned once and need not pass through the latents. In training, noise of sd `noise`
on the latents makes nearby latents decode to nearby pictures, which a world model that is never
exact needs.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from worldgym.codecs.conv_layers import PositionMap, ResidualBlock
from worldgym.errors import CheckpointError
from worldgym.io.checkpoint import fingerprint, load_folder, save_folder
from worldgym.io.network_weights import with_weights
from worldgym.native.packed_layers import packed
from worldgym.native.processor import fast_dtype, mixed_precision

KIND = "conv-codec"


@dataclass(frozen=True)
class ConvCodecConfig:
    """size: pixels, a multiple of 8.   channels: of the latents.   width: at 1/4 resolution; twice
    that at 1/8."""

    size: int = 96
    channels: int = 8
    width: int = 96
    blocks: int = 2
    noise: float = 0.1


def _blocks(width: int, count: int) -> list[nn.Module]:
    return [ResidualBlock(width) for _ in range(count)]


class ConvCodec(nn.Module):
    """Implements `worldgym.codecs.codec_protocol.Codec`."""

    def __init__(self, config: ConvCodecConfig) -> None:
        super().__init__()
        c = config
        w = config.width
        quarter = config.size // 4
        eighth = config.size // 8
        self.config = config
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(4),
            nn.Conv2d(48, w, 3, padding=1),
            PositionMap(w, quarter),
            *_blocks(w, c.blocks),
            nn.PixelUnshuffle(2),
            nn.Conv2d(4 * w, 2 * w, 1),
            PositionMap(2 * w, eighth),
            *_blocks(2 * w, c.blocks),
            nn.Conv2d(2 * w, c.channels, 1),
        )
        self.normalize = nn.BatchNorm2d(c.channels, affine=False, momentum=0.01)
        self.decoder = nn.Sequential(
            nn.Conv2d(c.channels, 2 * w, 3, padding=1),
            PositionMap(2 * w, eighth),
            *_blocks(2 * w, c.blocks),
            nn.Conv2d(2 * w, 4 * w, 1),
            nn.PixelShuffle(2),
            PositionMap(w, quarter),
            *_blocks(w, c.blocks),
            nn.SiLU(),
            nn.Conv2d(w, 48, 3, padding=1),
            nn.PixelShuffle(4),
        )
        self._fingerprint: str | None = None
        self._latents: str | None = None  # None: its own fingerprint
        # of a loaded codec, whose weights no longer change; not a module of this one, so a list
        self._packed: list[nn.Sequential] = []

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        return self.config.channels, self.config.size // 8, self.config.size // 8

    @property
    def frame_shape(self) -> tuple[int, int, int]:
        return self.config.size, self.config.size, 3

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        return next(self.parameters()).device

    @property
    def fingerprint(self) -> str:
        """Names the weights."""
        if self._fingerprint is None:
            raise CheckpointError(
                "this codec was never saved, so its latents cannot be cached: save it and load it "
                "again"
            )
        return self._fingerprint

    @property
    def latents(self) -> str:
        """The fingerprint of the codec that the encoder was trained in."""
        return self._latents or self.fingerprint

    @torch.inference_mode()
    def encode(self, frames: Tensor) -> Tensor:
        """uint8 [B, H, W, 3] => float32 [B, C, H/8, W/8]."""
        frames = frames.to(self.device)
        with mixed_precision(frames.device.type):
            return self.normalize(self.encoder(to_unit_pixels(frames)).float())

    @torch.inference_mode()
    def decode(self, latents: Tensor) -> Tensor:
        """float [B, C, H/8, W/8] => uint8 [B, H, W, 3]."""
        latents = latents.to(self.device)
        if self._packed and latents.device.type == "cpu":
            (decoder,) = self._packed
            half = latents.to(fast_dtype(), memory_format=torch.channels_last)
            return to_uint8(decoder(half))
        with mixed_precision(latents.device.type):
            return to_uint8(self.decoder(latents.float()))

    def decoder_module(self) -> nn.Module:
        """See `worldgym.codecs.compiled_codec.Compilable`."""
        return _Drawn(self.decoder, fast_dtype(str(self.device)))

    def reconstruct(self, pixels: Tensor, generator: torch.Generator) -> Tensor:
        """The training path: [B, 3, H, W] in [-1, 1] => the same through noisy latents, float32."""
        latents = self.normalize(self.encoder(pixels).float())
        noise = torch.randn(latents.shape, generator=generator).to(latents.device)
        return self.decoder(latents + self.config.noise * noise).float()

    def save(self, folder: Path, card: str, training: dict[str, Any]) -> None:
        tensors = {
            name: value
            for name, value in self.state_dict().items()
            if name != "normalize.num_batches_tracked"
        }
        config = {"kind": KIND, "model": asdict(self.config), "training": training}
        config |= {"latents": self._latents} if self._latents else {}
        save_folder(folder, config, tensors, card, half=True)

    @staticmethod
    def load(folder: Path, device: str = "cpu") -> ConvCodec:
        config, tensors = load_folder(folder, KIND)
        tensors["normalize.num_batches_tracked"] = torch.tensor(0)
        codec = with_weights(ConvCodec(ConvCodecConfig(**config["model"])), tensors, folder)
        codec._fingerprint = fingerprint(folder)
        codec._latents = config.get("latents")
        codec.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if torch.device(device).type == "cpu":
            example = torch.zeros(1, *codec.latent_shape, dtype=fast_dtype())
            codec._packed = [packed(deepcopy(codec.decoder).to(fast_dtype()), example)]
        return codec

    @torch.no_grad()
    def load_grown(self, other: ConvCodec) -> None:
        """Takes the weights of a codec of the same size, width and blocks, and at most as many
        channels.

        New channels code something at random, and the decoder does not look at them yet.
        CheckpointError if the two do not fit."""
        own = self.config
        given = other.config
        count = other.config.channels
        if replace(given, channels=own.channels, noise=own.noise) != own or count > own.channels:
            raise CheckpointError(
                f"a codec of {given} cannot become one of {own}: only channels and noise may "
                f"differ, and channels can only grow"
            )
        tensors = self.state_dict()
        kept = other.state_dict()
        for name, tensor in tensors.items():
            if tensor.shape == kept[name].shape:
                tensor.copy_(kept[name])
            elif name == "decoder.0.weight":
                tensor.zero_()[:, :count] = kept[name]
            else:
                tensor[:count] = kept[name]

    @staticmethod
    def to_tune_decoder(folder: Path, device: str = "cpu") -> ConvCodec:
        """A saved codec whose decoder can be fine-tuned; its encoder is fixed."""
        codec = ConvCodec.load(folder, device)
        codec._latents = codec.latents
        codec._fingerprint = None
        codec._packed = []
        codec.decoder.requires_grad_(True)
        return codec


class _Drawn(nn.Module):
    """What `ConvCodec.decode` does, of tensors alone: decoder and latents in one number format,
    channels last."""

    def __init__(self, decoder: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.decoder = deepcopy(decoder).to(dtype).eval()
        self.dtype = dtype

    def forward(self, latents: Tensor) -> Tensor:
        half = latents.to(self.dtype).contiguous(memory_format=torch.channels_last)
        return to_uint8(self.decoder(half))


def to_unit_pixels(frames: Tensor) -> Tensor:
    """uint8 [B, H, W, 3] => float32 [B, 3, H, W] in [-1, 1] (channels-last in memory)."""
    return frames.permute(0, 3, 1, 2).float() / 127.5 - 1.0


def to_uint8(pixels: Tensor) -> Tensor:
    """[B, 3, H, W] in [-1, 1] => uint8 [B, H, W, 3]."""
    return (
        ((pixels.float() + 1.0) * 127.5)
        .round_()
        .clamp_(0, 255)
        .to(torch.uint8)
        .permute(0, 2, 3, 1)
        .contiguous()
    )
