"""What policies with one trained network share: the network's inputs, the size of its output, and
the policy around it.

Axes legend: B batch, H height, W width, F features of an instruction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from worldgym.errors import InputError
from worldgym.io.checkpoint import save_folder
from worldgym.io.network_weights import frozen
from worldgym.policies.image_trunk import TrunkConfig, in_channels
from worldgym.policies.instruction_features import instruction_features
from worldgym.policies.policy_protocol import Needs, Observation
from worldgym.types import ActionSpec


def check_actions(policy: str, actions: int, spec: ActionSpec) -> None:
    """InputError where a network gives another number of `actions` than its spec names."""
    if actions != spec.size:
        raise InputError(
            f"policy {policy}: its network gives {actions} numbers, its action spec {spec.size}; "
            f"fix config.json"
        )


class ActionNetConfig(Protocol):
    """What a network is shown, and what it answers: see `BCConfig`."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def size(self) -> tuple[int, int]: ...

    @property
    def cameras(self) -> tuple[str, ...]: ...

    @property
    def trunk(self) -> TrunkConfig: ...

    @property
    def actions(self) -> int: ...

    @property
    def executed(self) -> int: ...


class ActionNet(nn.Module):
    """A network that a policy asks for actions."""

    config: ActionNetConfig


Net = TypeVar("Net", bound=ActionNet)


def network_inputs(
    policy: str, observations: Sequence[Observation], shown: ActionNetConfig
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


class NetworkPolicy(Generic[Net]):
    """A trained network behind the policy seam."""

    kind: ClassVar[str]
    """of its checkpoints"""

    def __init__(self, net: Net, spec: ActionSpec, name: str) -> None:
        """net: copied where it is still in training; it is never changed. InputError where it
        gives another number of actions than the spec names."""
        check_actions(name, net.config.actions, spec)
        self.net = frozen(net)
        self.name = name
        self.spec = spec
        self.chunk = net.config.executed
        self.needs = Needs(cameras=net.config.cameras)

    def save(self, folder: Path, trained: dict[str, Any], card: str) -> None:
        """Writes a checkpoint, weights in two bytes each. trained: how it came about (steps, data,
        seed), for config.json."""
        config = {"kind": self.kind, "name": self.name, "spec": self.spec.to_json()}
        config |= {"net": asdict(self.net.config), "trained": trained}
        save_folder(folder, config, self.net.state_dict(), card, half=True)
