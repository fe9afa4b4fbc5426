"""What policies made of one trained network share: what the network is shown, and how many numbers
it gives.

Axes legend: B batch, H height, W width, F features of an instruction.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from worldgym.errors import InputError
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


def network_inputs(
    policy: str, observations: Sequence[Observation], size: tuple[int, int], buckets: int
) -> tuple[Tensor, Tensor]:
    """=> frames uint8 [B, H, W, 3], features of the instructions float32 [B, F].

    InputError if a frame is not of the size (height, width) that the network was trained on.
    """
    for observation in observations:
        if observation.frame.shape != (*size, 3):
            wanted, got = (*size, 3), observation.frame.shape
            raise InputError(
                f"policy {policy} sees frames {wanted}, not {got}; resize the task images"
            )
    frames = torch.from_numpy(np.stack([observation.frame for observation in observations]))
    return frames, instruction_features(
        [observation.instruction for observation in observations], buckets
    )
