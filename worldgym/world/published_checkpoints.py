"""Import of the published WorldGym checkpoints (arXiv 2506.00613): their .pt layout => our
checkpoint folder.

Names differ in the last layer. Two tensors change form, exactly:

x_proj    a convolution [D, C, p, p] of stride p is our linear map over patches [D, p p C]
          qkv_proj  their rotary positions turn features 2 i and 2 i + 1 of a head, ours i and i +
          head_dim / 2; the rows of queries and keys are put in our order, which leaves every
          product of the two as it was"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from worldgym.actions.conventions import convention
from worldgym.codecs.kl import import_autoencoder
from worldgym.errors import CheckpointError, InputError, at_least
from worldgym.io.checkpoint import config_markdown, save_folder
from worldgym.io.text import on_one_line
from worldgym.world.network import DiT
from worldgym.world.network_config import DiTConfig
from worldgym.world.published_file import read_weights
from worldgym.world.published_request import PublishedImport, published_settings
from worldgym.world.sampler import SAMPLERS
from worldgym.world.world_config import WorldConfig

DOWNSAMPLING = 8  # of the Stable Diffusion 3 autoencoder
# of their flow-matching trainer, which shows finished frames at level 0.01 of 1
FLOW: tuple[str, dict[str, float]] = ("flow", {"context_level": 10.0})


def import_published(request: PublishedImport) -> Path:
    """=> OUT/world, in the precision of the file (and OUT/codec). CheckpointError names every
    weight that does not fit."""
    weights, branch = read_weights(request.file)
    network = network_of(weights, request)
    settings = published_settings(request, sizes_of(network))
    network = replace(
        network,
        positions="rotary_pixel" if settings.rope == "pixel" else "rotary",
        rotary_tables=settings.tables,
    )
    tensors = converted_weights(weights, network)
    codec = (
        import_autoencoder(request.codec, request.out / "codec", request.size).latents
        if request.codec
        else ""
    )
    sampler = replace(SAMPLERS["paper"], cfg=settings.cfg)
    schedule = FLOW if settings.flow else ("sigmoid_v", {})
    config = WorldConfig(convention("released_10"), network, sampler, *schedule, codec, "action")
    config.check()
    facts = {
        "file": request.file.name,
        "branch": branch,
        "heads": request.heads,
        "size": request.size,
        **asdict(settings),
    }
    card = (
        f"# World model\n\nImported from a published checkpoint of arXiv "
        f"2506.00613.\n\n{config_markdown(facts)}"
    )
    save_folder(request.out / "world", config.to_json() | {"training": facts}, tensors, card)
    return request.out / "world"


def network_of(weights: Mapping[str, Tensor], request: PublishedImport) -> DiTConfig:
    """The network's sizes, read from the shapes of its weights, with standard rotary positions."""
    at_least("--heads", request.heads, 1)
    at_least("--size", request.size, 1)
    first = weights.get("x_proj.weight")
    action = weights.get("action_embedder.weight")
    hidden = weights.get("blocks.0.s_block.ffwd.0.weight")
    if (
        first is None
        or first.ndim != 4
        or 0 in first.shape
        or action is None
        or action.ndim != 2
        or hidden is None
        or not hidden.ndim
        or len(hidden) < len(first)
        or not action.shape[1]
    ):
        raise CheckpointError(
            f"{request.file}: no published checkpoint, for x_proj.weight (a convolution), "
            f"action_embedder.weight or "
            f"blocks.0.s_block.ffwd.0.weight is missing (found {_listed(weights)}); give another "
            f"file"
        )
    (width, channels, patch, _), grid = first.shape, request.size // DOWNSAMPLING
    if width % (4 * request.heads) or request.size % (DOWNSAMPLING * patch):
        raise InputError(
            f"a width of {width} does not divide into {request.heads} heads of a multiple of 4, or "
            f"{request.size} pixels not "
            f"into patches of {DOWNSAMPLING * patch}: give other --heads or --size"
        )
    return DiTConfig(
        latent_shape=(channels, grid, grid),
        patch=patch,
        width=width,
        pairs=len({name.split(".")[1] for name in weights if name.startswith("blocks.")}),
        heads=request.heads,
        mlp_ratio=hidden.shape[0] // width,
        action_size=action.shape[1],
        previous_frame=False,
        initial_frame=False,
        positions="rotary",
        activation="gelu",
        window=SAMPLERS["paper"].window,
    )


def sizes_of(network: DiTConfig) -> tuple[int, int, int, int, int]:
    """As `PUBLISHED_SIZES`."""
    channels = network.latent_shape[0]
    return network.width, network.pairs, channels, network.patch, network.action_size


def converted_weights(weights: Mapping[str, Tensor], network: DiTConfig) -> dict[str, Tensor]:
    """Their names and forms => ours. CheckpointError lists every name that is missing, not known,
    or of another shape."""
    tensors = {_ours(name): _reshaped(name, value, network) for name, value in weights.items()}
    with torch.device("meta"):
        expected = {name: value.shape for name, value in DiT(network).state_dict().items()}
    faults = {
        "missing": [_published(name) for name in expected if name not in tensors],
        "not known": [_published(name) for name in tensors if name not in expected],
        "of another shape": [
            _published(name)
            for name in tensors
            if tensors[name].shape != expected.get(name, tensors[name].shape)
        ],
    }
    if any(faults.values()):
        told = "; ".join(
            f"{what}: {', '.join(map(on_one_line, names))}"
            for what, names in faults.items()
            if names
        )
        raise CheckpointError(
            f"the weights are not those of a published checkpoint ({told}); give another file"
        )
    return tensors


LAST_LAYER = {
    "final_layer.linear.": "final_linear.",
    "final_layer.adaLN_modulation.": "final_modulation.",
}  # theirs: ours


def _ours(name: str) -> str:
    return _renamed(name, LAST_LAYER)


def _published(name: str) -> str:
    return _renamed(name, {ours: theirs for theirs, ours in LAST_LAYER.items()})


def _renamed(name: str, beginnings: Mapping[str, str]) -> str:
    for old, new in beginnings.items():
        if name.startswith(old):
            return name.replace(old, new)
    return name


def _reshaped(name: str, value: Tensor, network: DiTConfig) -> Tensor:
    if name == "x_proj.weight":
        return value.permute(0, 2, 3, 1).flatten(1)
    if name.endswith("attn.qkv_proj.weight") and value.shape == (3 * network.width, network.width):
        pairs = value[: 2 * network.width].unflatten(0, (2 * network.heads, -1, 2)).transpose(1, 2)
        return torch.cat([pairs.flatten(0, 2), value[2 * network.width :]])
    return value


def _listed(weights: Mapping[str, Any], most: int = 8) -> str:
    names = sorted(map(on_one_line, weights))
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
