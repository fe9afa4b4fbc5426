"""Applies a `Variation` in MuJoCo: colours and lights in the model, solids in the rendered scene,
noise on the picture."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from worldgym.reference.variations import FlatPicture, Solid, Variation
from worldgym.tasks.edits.colour import parse_colour, white
from worldgym.tasks.edits.edit_protocol import Scene
from worldgym.tasks.edits.objects import card_of
from worldgym.tasks.edits.optics import Blur, Noise
from worldgym.tasks.edits.picture_files import cut_out
from worldgym.types import Frames

Numbers = npt.NDArray[np.float64]

TILES = 28  # a card's picture is laid of so many tiles a side, about two to a pixel of the frame
THICKNESS = 0.002  # metres, of a tile
# the body, and which of its geoms, whose material gives the object the colour that it is known by
OBJECTS = {
    "drawer-open": ("drawercase_link", 0),
    "drawer-close": ("drawercase_link", 0),
    "button-press": ("buttonbox", 2),
    "door-open": ("door_link", 0),
    "window-open": ("windowb_b", 0),
    "window-close": ("windowb_b", 0),
    "faucet-open": ("faucet_link2", 2),
    "faucet-close": ("faucet_link2", 2),
    "handle-press": ("handle_link", 0),
    "handle-press-side": ("handle_link", 0),
}


def set_up(model: Any, task: str, change: Variation) -> None:
    """Colours and lights, once for a model."""
    if change.object_colour:
        _paint(model, *OBJECTS[task], change.object_colour)
    if change.table_colour:
        _paint(model, "tablelink", 0, change.table_colour)
    factor = change.gain * white(change.kelvin)
    head = model.vis.headlight
    for light in (
        head.ambient,
        head.diffuse,
        head.specular,
        model.light_ambient,
        model.light_diffuse,
        model.light_specular,
    ):
        light[...] = light * factor


def add_solids(scene: Any, change: Variation) -> None:
    """Draws what the model does not have; called after every update of the scene."""
    import mujoco  # here, because the simulator's module chooses the renderer before it is imported

    kinds = mujoco.mjtGeom
    shapes = {
        "sphere": kinds.mjGEOM_SPHERE,
        "box": kinds.mjGEOM_BOX,
        "cylinder": kinds.mjGEOM_CYLINDER,
    }
    for solid, turn in _standing(change):
        radius, *_, height = solid.size if solid.shape != "sphere" else solid.size * 2
        size = np.array(solid.size if solid.shape == "box" else [radius, radius, height])
        rgba = np.append(parse_colour(solid.colour) / 255, 1.0).astype(np.float32)
        mujoco.mjv_initGeom(
            scene.geoms[scene.ngeom],
            shapes[solid.shape],
            size,
            np.array(solid.at),
            turn.flatten(),
            rgba,
        )
        scene.ngeom += 1


@cache
def _standing(change: Variation) -> tuple[tuple[Solid, Numbers], ...]:
    """Everything that is added, with its rotation [3, 3]."""
    upright = tuple((solid, np.eye(3)) for solid in change.solids)
    if change.card is None:
        return upright
    turn = _card_turn(change.card)
    return upright + tuple((tile, turn) for tile in _tiles(change.card))


def seen(frame: Frames, change: Variation, rng: np.random.Generator) -> Frames:
    """What the sensor makes of a rendered frame."""
    scene = Scene(rng)
    if change.blur_sigma:
        frame = Blur(change.blur_sigma).paint(frame, scene)
    return Noise(change.noise_sd).paint(frame, scene) if change.noise_sd else frame


def _paint(model: Any, body: str, place: int, colour: str) -> None:
    """The material of one of the body's visible geoms, and with it all that is made of it, in one
    colour without texture."""
    number = model.body(body).id
    visible = [
        geom
        for geom in range(model.ngeom)
        if model.geom_bodyid[geom] == number and model.geom_group[geom] < 3
    ]
    material = model.geom_matid[visible[place]]
    model.mat_texid[material] = -1
    model.mat_rgba[material] = np.append(parse_colour(colour) / 255, 1.0)


def _tiles(card: FlatPicture) -> Iterator[Solid]:
    """The picture on its card as flat boxes, so that it needs no texture in the model and the arm
    may stand before it."""
    picture = Image.fromarray(card_of(cut_out(card.show, Path()), border=0.12, gain=1.0)[..., :3])
    colours = np.asarray(picture.resize((TILES, TILES), Image.Resampling.BOX))
    corner, across, down = (np.array(part) for part in (card.corner, card.across, card.down))
    size = (
        float(np.linalg.norm(across)) / TILES / 2,
        float(np.linalg.norm(down)) / TILES / 2,
        THICKNESS,
    )
    for row in range(TILES):
        for column in range(TILES):
            x, y, z = corner + across * (column + 0.5) / TILES + down * (row + 0.5) / TILES
            red, green, blue = colours[row, column]
            yield Solid(
                "box", size, (float(x), float(y), float(z)), f"#{red:02x}{green:02x}{blue:02x}"
            )


def _card_turn(card: FlatPicture) -> Numbers:
    """Rotation whose columns are the card's edges and what stands upright on it; the edges are at
    right angles."""
    across, down = (np.array(edge) / np.linalg.norm(edge) for edge in (card.across, card.down))
    return np.stack([across, down, np.cross(across, down)], axis=1)
