"""A robot as a world knows it: a name, the meaning of its actions, and the units in which a network
gets them.

Robots of one world share a network, and it is shown all of them at one size: 0.02 m of one arm, and
0.7 rad/s of another, as 1."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from worldgym.errors import InputError
from worldgym.io.records import from_mapping
from worldgym.types import Actions, ActionSpec

# where zero means "do not move", and must stay zero
MOVING_MODES = ("delta_pose", "joint_velocity")
GRIPPER = "gripper"  # how the names of gripper numbers end
NO_SPREAD = 1e-6  # a number that never differs more is shown as it is


def motionless(actions: Actions, spec: ActionSpec) -> bool:
    """Whether actions [T, A] tell the arm to stay where it is, whatever the gripper does. Places
    are commanded again and again by an arm that moves on to them, so of modes other than
    `MOVING_MODES` nothing is said: False."""
    arm = [i for i, name in enumerate(spec.names) if not name.endswith(GRIPPER)]
    return spec.mode in MOVING_MODES and len(actions) > 0 and not actions[:, arm].any()


Side = tuple[float, ...]


@dataclass(frozen=True)
class Reach:
    """The limits within which a controller of relative moves keeps its target, in sums of actions
    since the episode began. Moves beyond them are lost, so a plain sum of moves is wrong when a
    robot is driven against the border of its workspace. boxes: (lowest, highest), A numbers each;
    several where robots begin in several places, which the border does not follow. None: sums are
    not kept within anything.
    """

    boxes: tuple[tuple[Side, Side], ...] = ()

    @staticmethod
    def from_json(data: Any) -> Reach:
        """RecordFault for something else than what `to_json` gives."""
        return from_mapping(Reach, {"boxes": data})

    def to_json(self) -> list[list[list[float]]]:
        return [[list(low), list(high)] for low, high in self.boxes]

    def check(self, spec: ActionSpec) -> None:
        """InputError unless the boxes are of the spec's numbers, hold the start, and the numbers
        are moves."""
        if self.boxes and spec.mode not in MOVING_MODES:
            raise InputError(
                f'a reach limits sums of moves, but actions of mode "{spec.mode}" are none: leave '
                f"it out"
            )
        for low, high in self.boxes:
            if not (len(low) == len(high) == spec.size) or any(
                a > 0.0 or b < 0.0 for a, b in zip(low, high, strict=True)
            ):
                raise InputError(
                    f"a box of a reach has a lowest sum of at most 0 and a highest of at least 0 "
                    f"for each of {spec.size} "
                    f"numbers, not {list(low)} and {list(high)}"
                )


NO_REACH = Reach()


@dataclass(frozen=True)
class Scaling:
    """Actions are shown as (a - offset) / scale, A numbers each; as they are where both are
    empty.   reach: of their sums."""

    offset: Side = ()
    scale: Side = ()
    reach: Reach = NO_REACH

    @staticmethod
    def measured(spec: ActionSpec, actions: Actions, reach: Reach = NO_REACH) -> Scaling:
        """actions: [M, A], M > 0. Unit mean square for moves, about zero; zero mean and unit
        variance for places."""
        wide = actions.astype(np.float64)
        offset = np.zeros(spec.size) if spec.mode in MOVING_MODES else wide.mean(axis=0)
        spread = np.sqrt(np.square(wide - offset).mean(axis=0))
        return Scaling(_floats(offset), _floats(np.where(spread > NO_SPREAD, spread, 1.0)), reach)

    def to_json(self) -> dict[str, Any]:
        return {
            "offset": list(self.offset),
            "scale": list(self.scale),
            "reach": self.reach.to_json(),
        }

    @property
    def sums(self) -> int:
        """How many sums of each number are shown."""
        return max(len(self.reach.boxes), 1)

    def bounds(self, size: int) -> npt.NDArray[np.float32] | None:
        """[sums, 2, A] of sums of actions as shown; None where there is no reach.   size: A."""
        if not self.reach.boxes:
            return None
        boxes = np.array(self.reach.boxes, np.float32)
        unit = np.array(self.scale or [1.0] * size, np.float32)
        return np.divide(boxes, unit, dtype=np.float32)

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
        return {"name": self.name, "spec": self.spec.to_json(), "scaling": self.scaling.to_json()}

    @staticmethod
    def from_json(data: Any) -> Embodiment:
        """RecordFault for something else than what `to_json` gives."""
        return from_mapping(Embodiment, data, readers=READERS)


READERS = {Reach: Reach.from_json}  # of records that hold a scaling


def most_numbers(robots: Iterable[Embodiment]) -> int:
    """Action numbers of the robot with the most."""
    return max(robot.spec.size for robot in robots)


def most_sums(robots: Iterable[Embodiment]) -> int:
    """Sums of each number, of the robot that is shown the most."""
    return max(robot.scaling.sums for robot in robots)


def _floats(values: Any) -> tuple[float, ...]:
    return tuple(float(x) for x in values)
