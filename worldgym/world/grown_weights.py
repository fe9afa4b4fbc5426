"""The weights of a trained network extended to a larger one that gives the same output."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from worldgym.world.conditioning import octave_mask
from worldgym.world.network_config import DiTConfig


def grown(tensors: Mapping[str, Tensor], start: DiTConfig, config: DiTConfig) -> dict[str, Tensor]:
    """Weights of a network like `start` => like `config`, whose latents may have more channels: it
    draws what it drew in the first ones, does not look at the new ones, and draws nothing there
    yet. More numbers may be shown with each frame, before the last; it does not look at those yet.
    A network of one view may become one of several, which begin with its places and without their
    own token. It may be shown more latents beside a frame's own, and does not look at those yet.
    What is not in `tensors` is left out.
    """
    channels = start.latent_shape[0]
    own = config.latent_shape[0]
    places = config.patch**2
    width = config.width
    found = dict(tensors)
    if start.cameras < config.cameras:
        found["view_token"] = next(iter(tensors.values())).new_zeros(config.cameras, width)
        if "position_map" in tensors:
            found["position_map"] = tensors["position_map"].repeat(config.cameras, 1)
        if "carrier.places" in tensors:
            found["carrier.places"] = tensors["carrier.places"].repeat(config.cameras, 1, 1, 1)
    name = "action_embedder.weight"
    if name in tensors and start.action_size < config.action_size:
        known = torch.ones(config.action_size, dtype=torch.bool)
        known[start.action_size - 1 : -1] = False
        columns = octave_mask(known, config.action_octaves)
        found[name] = tensors[name].new_zeros(len(tensors[name]), len(columns))
        found[name][:, columns] = tensors[name]
    if channels >= own and start.shown == config.shown:
        return found
    if (name := "x_proj.weight") in tensors:
        new = tensors[name].new_zeros(width, config.views, places, own)
        kept = [config.shown.index(kind) for kind in start.shown]
        new[:, kept, :, :channels] = tensors[name].view(width, start.views, places, channels)
        found[name] = new.flatten(1)
    for name, behind in {"final_linear.weight": (width,), "final_linear.bias": ()}.items():
        if name in tensors:
            new = tensors[name].new_zeros(places, own, *behind)
            new[:, :channels] = tensors[name].view(places, channels, *behind)
            found[name] = new.flatten(0, 1)
    return found
