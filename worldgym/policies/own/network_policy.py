"""What policies with one trained network share: the network's inputs, the size of its output, and
how it is saved.

Axes legend: B batch, H height, W width, F features of an instruction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from worldgym.errors import InputError
from worldgym.io.checkpoint import save_folder
from worldgym.policies.image_trunk import TrunkConfig, in_channels
from worldgym.policies.instruction_features import instruction_features
from worldgym.policies.policy_protocol import Observation
from worldgym.types import ActionSpec


def check_actions(policy: str, actions: int, spec: ActionSpec) -> None:
    """InputError where a network gives another number of `actions` than its spec names."""
    if actions != spec.size:
        raise InputError(
            f"policy {policy}: its network gives {actions} numbers, its action spec {spec.size}; "
            f"fix config.json"
        )


class Shown(Protocol):
    """What a network is shown: see `BCConfig`."""

    @property
    def size(self) -> tuple[int, int]: ...

    @property
    def cameras(self) -> tuple[str, ...]: ...

    @property
    def trunk(self) -> TrunkConfig: ...


def network_inputs(
    policy: str, observations: Sequence[Observation], shown: Shown
) -> tuple[Tensor, Tensor]:
    """=> frames uint8 [B, H, W, 3 V], features of the instructions float32 [B, F].

    InputError if a frame is not of the size (height, width) that the network was trained on.
    """
    wanted = (*shown.size, 3)
    rows = []
    for observation in observations:
        pictures = [observation.views[camera] for camera in shown.cameras] or [observation.frame]
        if wrong := [picture.shape for picture in pictures if picture.shape != wanted]:
            raise InputError(
                f"policy {policy} sees frames {wanted}, not {wrong[0]}; resize the task images"
            )
        rows.append(in_channels(pictures))
    return torch.from_numpy(np.stack(rows)), instruction_features(
        [observation.instruction for observation in observations], shown.trunk.buckets
    )


class NetworkPolicy(Protocol):
    """A policy of one network, as far as a checkpoint holds it."""

    name: str
    spec: ActionSpec

    @property
    def net(self) -> nn.Module: ...


def save_network_policy(
    folder: Path, kind: str, policy: NetworkPolicy, net: Any, trained: dict[str, Any], card: str
) -> None:
    """Writes a checkpoint, weights in two bytes each. net: config of the network, a dataclass.

    trained: how it came about (steps, data, seed), for config.json."""
    config = {"kind": kind, "name": policy.name, "spec": policy.spec.to_json()}
    config |= {"net": asdict(net), "trained": trained}
    save_folder(folder, config, policy.net.state_dict(), card, half=True)
