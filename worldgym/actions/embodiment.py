"""A robot as a world knows it: a name, what its actions mean, and the units in which a network is shown them.

Robots of one world share a network, and it is shown all of them at one size: 0.02 m of one arm, and 0.7 rad/s of another, as 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from worldgym.types import Actions, ActionSpec

MOVING_MODES = ("delta_pose", "joint_velocity")  # where zero means "do not move", and must stay zero
NO_SPREAD = 1e-6  # a number that never differs more is shown as it is


@dataclass(frozen=True)
class Scaling:
    """Actions are shown as (a - offset) / scale, A numbers each; as they are where both are empty."""

    offset: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()

    @staticmethod
    def measured(spec: ActionSpec, actions: Actions) -> Scaling:
        """actions: [M, A], M > 0. Unit mean square for moves, about zero; zero mean and unit variance for places."""
        wide = actions.astype(np.float64)
        offset = np.zeros(spec.size) if spec.mode in MOVING_MODES else wide.mean(axis=0)
        spread = np.sqrt(np.square(wide - offset).mean(axis=0))
        return Scaling(_floats(offset), _floats(np.where(spread > NO_SPREAD, spread, 1.0)))

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Scaling:
        return Scaling(_floats(data["offset"]), _floats(data["scale"]))

    def shown(self, actions: Actions) -> Actions:
        """float32 [..., A] => float32 [..., A]; the same object where nothing is scaled."""
        if not self.scale:
            return actions
        offset, scale = np.array([self.offset, self.scale], np.float32)
        scaled: Actions = ((actions - offset) / scale).astype(np.float32)
        return scaled


@dataclass(frozen=True)
class Embodiment:
    """name: what the user calls it, e.g. "bridge"."""

    name: str
    spec: ActionSpec
    scaling: Scaling = field(default_factory=Scaling)

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "spec": self.spec.to_json(), "scaling": asdict(self.scaling)}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Embodiment:
        return Embodiment(str(data["name"]), ActionSpec.from_json(data["spec"]), Scaling.from_json(data["scaling"]))


def _floats(values: Any) -> tuple[float, ...]:
    return tuple(float(x) for x in values)
