"""Networks for inference: loaded with a checkpoint's weights, and never changed."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from worldgym.errors import CheckpointError

Net = TypeVar("Net", bound=nn.Module)


def with_weights(network: Net, tensors: Mapping[str, Tensor], folder: Path) -> Net:
    """The new `network` itself, holding these tensors, for inference. CheckpointError naming
    `folder` where they do not fit it. A network on the `meta` device takes the tensors themselves,
    others a copy."""
    empty = any(parameter.is_meta for parameter in network.parameters())
    try:
        network.load_state_dict(tensors, assign=empty)
    except RuntimeError as error:
        raise CheckpointError(
            f"{folder}: weights do not fit the config ({str(error).splitlines()[0]})"
        ) from error
    return network.eval().requires_grad_(False)


def frozen(network: Net, dtype: torch.dtype | None = None) -> Net:
    """The network for inference: itself where it is ready, else a copy; it is never changed.

    dtype: of its floating-point numbers, None = as they are."""
    numbers = [*network.parameters(), *network.buffers()]
    floats = [x for x in numbers if x.is_floating_point()]
    ready = not any(module.training for module in network.modules()) and not any(
        x.requires_grad or dtype not in (None, x.dtype) for x in floats
    )
    return network if ready else deepcopy(network).to(dtype=dtype).eval().requires_grad_(False)
