"""Several robots in one checkpoint, and the world of one of them extracted from it.

    CHECKPOINT/config.json    "embodiments": [{"name", "spec", "scaling"}, ...] instead of "spec"
    and "scaling"

A shared network is shown actions padded to the widest robot's. A robot's padding is masked, and a
token learned for it is added to what its actions say (`worldgym.world.network`). For one robot all
that is constant: its own columns of the action embedder, and the token in that layer's bias, make a
network for this robot alone that computes the same. So a policy has one spec, the sampler does not
depend on robots, and a rollout costs the same as with one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from worldgym.actions.embodiment import Embodiment, most_numbers
from worldgym.errors import CheckpointError, InputError
from worldgym.io.checkpoint import CONFIG
from worldgym.io.records import located
from worldgym.world.conditioning import octave_mask, shown_columns
from worldgym.world.network_config import DiTConfig

ONE_ROBOTS_OWN = ("spec", "scaling")  # keys of a world's config
TOKEN = "embodiment_token"
EMBEDDER = "action_embedder"


def shared(
    config: Mapping[str, Any], network: DiTConfig, robots: Sequence[Embodiment]
) -> dict[str, Any]:
    """config.json of a world of several robots, from that of any one of them and the network that
    they share."""
    common = {key: value for key, value in config.items() if key not in ONE_ROBOTS_OWN}
    return common | {
        "network": asdict(network),
        "embodiments": [robot.to_json() for robot in robots],
    }


def single(
    data: Mapping[str, Any], tensors: Mapping[str, Tensor], name: str | None, where: Path
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """config.json and weights of a world => those of the robot called `name`; unchanged where there
    is but one, without names.

    InputError where a name is needed and missing, or not known; `where` is the checkpoint's folder.
    """
    if "embodiments" not in data:
        if name is not None:
            raise InputError(
                f'{where}: a world of one robot, which has no name, so there is no "{name}"; leave '
                f"--embodiment out"
            )
        return dict(data), dict(tensors)
    with located(where / CONFIG):
        robots = [Embodiment.from_json(robot) for robot in data["embodiments"]]
    names = [robot.name for robot in robots]
    if name not in names:
        asked = "say whose actions it should take" if name is None else f'"{name}" is none of them'
        raise InputError(
            f"{where}: a world of several robots, {', '.join(names)}; {asked}: give one as "
            f"--embodiment"
        )
    index = names.index(name)
    size = int(data["network"]["action_size"])
    robot = robots[index]
    columns = shown_columns(
        data["conditioning"], robot.spec.size, size, robot.scaling.sums, most_numbers(robots)
    )
    known = torch.zeros(size, dtype=torch.bool)
    known[torch.from_numpy(columns)] = True
    network = data["network"] | {"action_size": len(columns), "embodiments": 1}
    common = {key: value for key, value in data.items() if key != "embodiments"}
    own = {key: value for key, value in robots[index].to_json().items() if key in ONE_ROBOTS_OWN}
    return common | own | {"network": network}, _cut(
        tensors, index, octave_mask(known, data["network"]["action_octaves"]), where
    )


def _cut(
    tensors: Mapping[str, Tensor], index: int, known: Tensor, where: Path
) -> dict[str, Tensor]:
    """known: bool [features], which columns of the action embedder are the robot's."""
    token, weight, bias = (
        tensors.get(name) for name in (TOKEN, f"{EMBEDDER}.weight", f"{EMBEDDER}.bias")
    )
    if (
        token is None
        or weight is None
        or bias is None
        or weight.shape[1] != len(known)
        or index >= len(token)
    ):
        raise CheckpointError(
            f"{where}: its weights are not those of a network for several robots; copy the "
            f"checkpoint again"
        )
    rest = {key: value for key, value in tensors.items() if key != TOKEN}
    return rest | {
        f"{EMBEDDER}.weight": weight[:, known.to(weight.device)],
        f"{EMBEDDER}.bias": bias + token[index],
    }
