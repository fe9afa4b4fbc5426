"""Commands that make codecs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from worldgym.cli.options import CodecPlace, Positional, WorldPlace
from worldgym.train.training_requests import DecoderTuneRequest


@dataclass(frozen=True)
class ImportCodec:
    """Import a pretrained KL autoencoder, such as Stable Diffusion 3's, as a codec (needs the
    extra "kl")."""

    source: Positional[str]
    """a folder of diffusers weights (or one with them in vae/), or a name on the hub"""
    out: Path
    """folder for the codec"""
    size: int = 256
    """pixels of a frame"""

    def __call__(self) -> None:
        from worldgym.codecs.kl import import_autoencoder

        print(
            f"{self.out}: codec {import_autoencoder(self.source, self.out, self.size).fingerprint}"
        )


@dataclass(frozen=True)
class FineTune(DecoderTuneRequest):
    """Fine-tune the decoder of a codec: sharper frames from the same latents. Run it again to
    resume."""

    codec: Positional[CodecPlace]
    """checkpoint of a codec from `worldgym world train`"""
    data: tuple[str, ...]
    """episode stores with frames to train on, also recordings in edited scenes (`worldgym data
    augment`)"""
    world: WorldPlace | None = None
    """checkpoint of a world to copy next to the new codec"""

    def __call__(self) -> None:
        from worldgym.train.decoder_tuning import tune_decoder

        print(tune_decoder(self))
