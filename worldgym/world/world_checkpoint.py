"""Checkpoints of worlds: where they lie, and a world from one."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from worldgym.codecs.load_codec import load_codec
from worldgym.errors import CheckpointError
from worldgym.io.bundled import bundled
from worldgym.io.checkpoint import fingerprint, load_folder
from worldgym.io.devices import resolve_device
from worldgym.io.migration import found_beside
from worldgym.io.network_weights import with_weights
from worldgym.native.processor import fast_dtype
from worldgym.world.embodiments import single
from worldgym.world.model import DiffusionWorld
from worldgym.world.network import DiT
from worldgym.world.state_head import STATE_HEAD, StateHead
from worldgym.world.world_config import KIND, WorldConfig


def world_folder(folder: str | Path) -> Path:
    """FOLDER/world if there is one, else FOLDER; of the bundled world for the name "bundled"."""
    folder = bundled(folder, "world")
    return folder / "world" if (folder / "world").is_dir() else folder


def root_of(world: Path) -> Path:
    """The folder that holds a world's checkpoint, its codec and what else was made for it."""
    return world if (world / "world").is_dir() else world.parent


def beside_world(world: Path, name: str) -> Path | None:
    """What is in the folder of a world's checkpoint under this name, as its codec does."""
    return found_beside(name, root_of(world))


def load_diffusion_world(
    folder: str | Path,
    codec_folder: Path | None = None,
    device: str = "auto",
    dtype: str = "auto",
    embodiment: str | None = None,
) -> DiffusionWorld:
    """Loads a world, or the one in FOLDER/world. Its codec lies in `codec_folder`, by default in
    "codec" beside the world; what says how the robot stands, if anything does, in "state-head".

    embodiment: which robot's, where the checkpoint holds several; InputError names them.
    device: see `resolve_device`.
    dtype: "float32", "bfloat16", or "auto", what the device multiplies fast (see `fast_dtype`).
    CheckpointError names what is wrong."""
    device = resolve_device(device)
    folder = world_folder(folder)
    data, tensors = load_folder(folder, KIND)
    data, tensors = single(data, tensors, embodiment, folder)
    config = WorldConfig.from_json(data)
    codec = load_codec(codec_folder or folder.parent / "codec", device)
    if config.codec and codec.latents != config.codec:
        raise CheckpointError(
            f"{folder}: trained on latents of codec {config.codec}, but those of this codec are "
            f"{codec.latents}; "
            "give the folder of the right codec"
        )
    kept = fast_dtype(device) if dtype == "auto" else getattr(torch, dtype)
    network = _network(config, tensors, folder, torch.device(device), kept)
    tuned = [] if codec.latents == codec.fingerprint else [codec.fingerprint]
    name = "-".join(
        [
            folder.resolve().name,
            fingerprint(folder),
            *tuned,
            *([embodiment] if embodiment else []),
        ]
    )
    head = folder.parent / STATE_HEAD
    states = StateHead.load(head, device) if head.exists() else None
    name = name if states is None else f"{name}-{states.identity}"
    return DiffusionWorld(config, network, codec, name, kept, states=states)


def _network(
    config: WorldConfig,
    tensors: dict[str, Tensor],
    folder: Path,
    device: torch.device,
    dtype: torch.dtype,
) -> DiT:
    """Takes the tensors out one by one: beside the file's weights and those that stay, one tensor
    is in memory, and no network is filled twice."""
    with torch.device("meta"):
        network = DiT(config.network)
    moved = {name: tensors.pop(name).to(device, dtype, copy=True) for name in list(tensors)}
    return with_weights(network, moved, folder)
