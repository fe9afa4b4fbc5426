"""Pretrained KL autoencoders (of Stable Diffusion 3 and the like) behind the codec seam, through
`diffusers`.

    uint8 [B, 256, 256, 3] => latents [B, 16, 32, 32]        (SD3: 16 channels, downsampling 8)

Latents are the posterior's mean times the autoencoder's scaling factor, and nothing is subtracted,
as in arXiv 2506.00613's released code, but for one thing: that code draws from the posterior; here
the same frame gives the same latents."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from worldgym.codecs.conv import to_uint8, to_unit_pixels
from worldgym.errors import InputError, MissingExtra
from worldgym.io.checkpoint import fingerprint, load_folder, save_folder
from worldgym.io.network_weights import frozen, with_weights

if TYPE_CHECKING:
    from diffusers import AutoencoderKL

KIND = "kl-codec"
# frames in one pass: at 256 x 256 the decoder's activations take about 0.2 GB per frame in float32
TOGETHER = 8


class KLCodec:
    """Implements `worldgym.codecs.codec_protocol.Codec`."""

    def __init__(self, autoencoder: AutoencoderKL, size: int, name: str) -> None:
        """autoencoder: copied where it is still in training; it is never changed.   size: pixels of
        a square frame.   name: the fingerprint."""
        config = autoencoder.config
        shrink = 2 ** (len(config["block_out_channels"]) - 1)
        if size % shrink:
            raise InputError(
                f"this autoencoder scales frames down by {shrink}, and {size} is not a multiple: "
                f"give another --size"
            )
        self.autoencoder = frozen(autoencoder)
        self.latent_shape = (int(config["latent_channels"]), size // shrink, size // shrink)
        self.frame_shape = (size, size, 3)
        self.fingerprint = name
        self._scale = float(config["scaling_factor"])

    @property
    def latents(self) -> str:
        return self.fingerprint

    @torch.inference_mode()
    def encode(self, frames: Tensor) -> Tensor:
        """uint8 [B, H, W, 3] => float32 [B, C, h, w]."""
        with _half(self.autoencoder):
            parts = [
                self.autoencoder.encode(to_unit_pixels(part)).latent_dist.mode()
                for part in frames.to(self.autoencoder.device).split(TOGETHER)
            ]
        return torch.cat(parts).float() * self._scale

    @torch.inference_mode()
    def decode(self, latents: Tensor) -> Tensor:
        """float [B, C, h, w] => uint8 [B, H, W, 3]."""
        with _half(self.autoencoder):
            return torch.cat(
                [
                    to_uint8(self.autoencoder.decode(z.float() / self._scale).sample)
                    for z in latents.to(self.autoencoder.device).split(TOGETHER)
                ]
            )

    def decoder_module(self) -> nn.Module:
        """See `worldgym.codecs.compiled_codec.Compilable`."""
        return _Drawn(self.autoencoder, self._scale)

    @staticmethod
    def load(folder: Path, device: str = "cpu") -> KLCodec:
        """From a checkpoint that `import_autoencoder` wrote."""
        config, tensors = load_folder(folder, KIND)
        autoencoder = with_weights(_diffusers().from_config(config["autoencoder"]), tensors, folder)
        if torch.device(device).type == "cuda":  # where it computes in bfloat16 anyway
            autoencoder = autoencoder.to(torch.bfloat16)
        return KLCodec(autoencoder.to(device), config["size"], fingerprint(folder))


class _Drawn(nn.Module):
    """What `KLCodec.decode` does, of tensors alone, in the number format of the weights."""

    def __init__(self, autoencoder: AutoencoderKL, scale: float) -> None:
        super().__init__()
        self.post_quant_conv = autoencoder.post_quant_conv
        self.decoder = autoencoder.decoder
        self.scale = scale

    def forward(self, latents: Tensor) -> Tensor:
        dtype = next(self.decoder.parameters()).dtype
        half = (latents / self.scale).to(dtype).contiguous(memory_format=torch.channels_last)
        half = half if self.post_quant_conv is None else self.post_quant_conv(half)
        return to_uint8(self.decoder(half))


def import_autoencoder(source: str, out: Path, size: int = 256) -> KLCodec:
    """A folder that `AutoencoderKL.save_pretrained` wrote (or one with it in "vae"), or a name on
    the hub => checkpoint at `out`.

    InputError if there is no autoencoder at `source`.
    """
    kind = _diffusers()
    folder = Path(source)
    inner = "vae" if (folder / "vae").is_dir() or not folder.is_dir() else ""
    try:
        autoencoder = kind.from_pretrained(source, subfolder=inner, use_safetensors=True)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"{source}: no AutoencoderKL could be loaded ({reason}); give a folder of diffusers "
            f"weights"
        ) from error
    codec = KLCodec(autoencoder, size, "unsaved")
    settings = {
        key: value
        for key, value in json.loads(autoencoder.to_json_string()).items()
        if not key.startswith("_name")
    }
    config: dict[str, Any] = {"kind": KIND, "size": size, "autoencoder": settings}
    card = f"# Codec\n\nAutoencoderKL from {Path(source).name}, frames of {size} x {size}.\n"
    save_folder(out, config, autoencoder.state_dict(), card)
    codec.fingerprint = fingerprint(out)
    return codec


def _diffusers() -> type[AutoencoderKL]:
    try:
        from diffusers import AutoencoderKL
    except ImportError as error:
        raise MissingExtra("diffusers", "kl", "a pretrained KL autoencoder") from error
    return AutoencoderKL


def _half(autoencoder: AutoencoderKL) -> torch.autocast:
    """bfloat16 on a CUDA GPU; a CPU keeps float32, in which a frame alone and in a batch agree to
    1e-4."""
    kind = autoencoder.device.type
    return torch.autocast(kind, dtype=torch.bfloat16, enabled=kind == "cuda")
