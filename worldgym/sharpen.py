"""`worldgym sharpen`: the decoder of a codec trained on, so that a world's frames become sharper and its latents stay."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path

from worldgym.checkpoint import read_config
from worldgym.episodes.frames import frame_cache
from worldgym.episodes.mixture import NamedStore, open_mixture
from worldgym.errors import InputError
from worldgym.files import read_json, write_json
from worldgym.latents.conv import ConvCodec
from worldgym.latents.train import CodecTrainConfig, Frameset, train_codec
from worldgym.memory import keep_freed_memory
from worldgym.requests import SharpenRequest
from worldgym.training import OptimizerConfig
from worldgym.world.model import world_folder


def sharpen(request: SharpenRequest) -> Path:
    """=> folder of the sharpened codec; with --world, a copy of that world lies beside it."""
    keep_freed_memory()
    start = ConvCodec.load(request.codec)
    mixture = open_mixture([NamedStore.parse(text) for text in request.data])
    if request.mix and (len(request.mix) != len(mixture) or min(request.mix) <= 0):
        raise InputError(
            f"the shares {request.mix} are not one above 0 for each of {len(mixture)} stores: give as many as stores"
        )
    caches = [frame_cache(part.store) for part in mixture]
    if (shape := caches[0].pixels.shape[1:]) != start.frame_shape:
        raise InputError(
            f"{mixture[0].store.root}: frames of {shape[1]}x{shape[0]}, but {request.codec} codes {start.config.size} "
            "pixels a side; convert them with --size"
        )
    if request.world is not None:
        _copy_world(request.world, start, request)
    optimizer = OptimizerConfig(request.steps, lr=8e-4, warmup=20, ema=0.99)
    run, out = request.out / "codec-run", request.out / "codec"
    config = CodecTrainConfig(
        run, start.config, optimizer, device=request.device, start=request.codec, decoder_only=True, mix=request.mix
    )
    _same_run(run / "run.json", {"codec": start.fingerprint, "config": repr(replace(config, out=Path(), start=None, device=""))})
    if not (out / "manifest.json").exists():
        train_codec(config, Frameset.of(*caches), out, _report)
    return out


def _same_run(path: Path, settings: dict[str, str]) -> None:
    """InputError if another training was begun there."""
    if path.exists():
        found = read_json(path, "a training run")
        if different := [key for key in settings if found.get(key) != settings[key]]:
            raise InputError(
                f"{path.parent.parent} holds a run with another {different[0]}: resume with the same or choose a new --out"
            )
    write_json(path, settings)


def _copy_world(world: Path, codec: ConvCodec, request: SharpenRequest) -> None:
    """The world beside its codec to be. InputError if it draws latents of another."""
    folder, target = world_folder(world), request.out / "world"
    if (known := read_config(folder)["codec"]) != codec.latents:
        raise InputError(f"{folder}: draws latents of codec {known}, not those of {request.codec} ({codec.latents})")
    if not target.exists():
        temporary = request.out / ".world.part"
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.copytree(folder, temporary)
        temporary.rename(target)


def _report(step: int, scalars: dict[str, float]) -> None:
    values = "  ".join(f"{name} {value:.4g}" for name, value in scalars.items())
    print(f"codec step {step}  {values}", file=sys.stderr, flush=True)
