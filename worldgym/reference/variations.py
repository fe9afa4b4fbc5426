"""The simulator's side of an out-of-distribution test: the same change made in the scene itself, so
that the true drop is known.

A variation changes only what is visible, not contact: added solids and cards do not touch
anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from worldgym.errors import pick

Point = tuple[
    float, float, float
]  # metres in the simulator's world: x right, y away from the robot, z up; the table is z = 0


@dataclass(frozen=True)
class Solid:
    """shape: sphere, box or cylinder.   size: radius; half sides; radius and half height.   at: its
    centre.   colour: #rrggbb."""

    shape: str
    size: tuple[float, ...]
    at: Point
    colour: str


@dataclass(frozen=True)
class FlatPicture:
    """A flat picture: one of the drawn objects on white. corner: its upper left; across, down: its
    edges."""

    show: str
    corner: Point
    across: Point
    down: Point


@dataclass(frozen=True)
class Variation:
    """axis: what differs, as in the edits it is compared with.   object_colour, table_colour:
    "#rrggbb", or "" as they are.

    gain, kelvin: of all lights (see tasks.edits.colour.Light).   camera, target: metres by which
    the camera and
    what it looks at are moved.   noise_sd: grey levels.   blur_sigma: pixels.
    """

    axis: str
    object_colour: str = ""
    table_colour: str = ""
    solids: tuple[Solid, ...] = ()
    card: FlatPicture | None = None
    gain: float = 1.0
    kelvin: float = 6500.0
    camera: Point = (0.0, 0.0, 0.0)
    target: Point = (0.0, 0.0, 0.0)
    noise_sd: float = 0.0
    blur_sigma: float = 0.0


PLAIN = Variation("")
VARIATIONS: Mapping[str, Variation] = {
    "recoloured": Variation("object colour", object_colour="#3060d0"),
    "table": Variation("table colour", table_colour="#3a6ea5"),
    "ball": Variation(
        "distractor", solids=(Solid("sphere", (0.045,), (0.33, 0.62, 0.045), "#e0a32e"),)
    ),
    "clutter": Variation(
        "distractor",
        solids=(
            Solid("sphere", (0.04,), (0.33, 0.55, 0.04), "#c3342b"),
            Solid("box", (0.035, 0.035, 0.035), (0.36, 0.72, 0.035), "#3f6fd0"),
            Solid("cylinder", (0.03, 0.05), (0.22, 0.45, 0.05), "#2f8f6a"),
        ),
    ),
    "card": Variation(
        "flat picture",
        card=FlatPicture("apple", (0.28, 0.52, 0.14), (0.0, 0.14, 0.0), (0.05, 0.0, -0.14)),
    ),
    "dim": Variation("lighting", gain=0.5),
    "warm": Variation("lighting", kelvin=3500.0),
    "camera": Variation("camera", target=(0.06, 0.0, 0.04)),
    "noise": Variation("noise", noise_sd=20.0),
    "blur": Variation("blur", blur_sigma=1.2),
}


def variation(name: str) -> Variation:
    """By name; "" is the scene as it is. InputError for an unknown one."""
    return pick("variation", name, VARIATIONS) if name else PLAIN
