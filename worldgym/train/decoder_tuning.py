"""`worldgym codec fine-tune`: the decoder of a codec trained on, so that frames become sharper and
latents stay."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from worldgym.codecs.conv import ConvCodec
from worldgym.episodes.frame_cache import frame_cache
from worldgym.episodes.mixture import NamedStore, check_shares, open_mixture
from worldgym.errors import InputError
from worldgym.io.checkpoint import copy_folder, read_config
from worldgym.io.devices import resolve_device
from worldgym.native.memory import keep_freed_memory
from worldgym.train.codec_training import CodecTrainConfig, Frameset, print_codec_step, train_codec
from worldgym.train.optimizer import OptimizerConfig
from worldgym.train.training_requests import DecoderTuneRequest
from worldgym.train.training_state import hold_settings
from worldgym.world.world_checkpoint import world_folder


def tune_decoder(request: DecoderTuneRequest) -> Path:
    """=> folder of the codec with the new decoder; with --world, a copy of that world beside it."""
    keep_freed_memory()
    device = resolve_device(request.device)
    start = ConvCodec.load(request.codec)
    mixture = open_mixture([NamedStore.parse(text) for text in request.data])
    check_shares(request.mix, len(mixture))
    caches = [frame_cache(part.store) for part in mixture]
    if (shape := caches[0].pixels.shape[1:]) != start.frame_shape:
        raise InputError(
            f"{mixture[0].store.root}: frames of {shape[1]}x{shape[0]}, but {request.codec} codes "
            f"{start.config.size} "
            "pixels per side; convert them with --size"
        )
    world = (
        None
        if request.world is None
        else _checked(world_folder(request.world), start, request.codec)
    )
    optimizer = OptimizerConfig(request.steps, lr=8e-4, warmup=20, ema=0.99)
    run = request.out / "codec-run"
    out = request.out / "codec"
    config = CodecTrainConfig(
        run,
        start.config,
        optimizer,
        device=device,
        start=request.codec,
        decoder_only=True,
        mix=request.mix,
    )
    hold_settings(
        request.out,
        {
            "codec": start.fingerprint,
            "config": repr(replace(config, out=Path(), start=None, device="")),
        },
        device,
        request.other_device,
    )
    if world is not None:
        copy_folder(world, request.out / "world")
    if not (out / "manifest.json").exists():
        train_codec(config, Frameset.of(*caches), out, print_codec_step)
    return out


def _checked(world: Path, codec: ConvCodec, folder: Path) -> Path:
    """InputError if the world draws latents of another codec."""
    if (known := read_config(world)["codec"]) != codec.latents:
        raise InputError(
            f"{world}: draws latents of codec {known}, not those of {folder} ({codec.latents})"
        )
    return world
