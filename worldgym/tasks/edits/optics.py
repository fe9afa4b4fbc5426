"""Steps that change how the scene is seen: light, background, camera, and what the sensor makes of
it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from worldgym.errors import InputError
from worldgym.tasks.edits.colour import Light, parse_colour, to_bytes
from worldgym.tasks.edits.edit_protocol import Scene
from worldgym.tasks.edits.masks import Region, kept_pixels, pixels
from worldgym.tasks.edits.picture_files import read_picture
from worldgym.tasks.edits.warp import moved
from worldgym.types import Frames


@dataclass(frozen=True)
class Lighting(Light):
    """The light of the whole scene (see Light).

    unlit: region that stays as it is: a screen, or what lies far behind the scene.   over: region
    that is over-exposed, on which `excess` times as much light falls as shows it fully, so that it
    has some to spare before it darkens, and cannot get brighter."""

    unlit: Region = ()
    over: Region = ()
    excess: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.excess <= 10:
            raise InputError(f"a light's excess lies between 1 and 10, not {self.excess}")

    def paint(self, frame: Frames, scene: Scene) -> Frames:
        factor = self.factor(*frame.shape[:2])
        over = kept_pixels(self.over, frame, scene)
        if over is not None:
            factor = np.where(over[..., None], np.minimum(self.excess * factor, 1.0), factor)
        lit = to_bytes(self.reflected(frame) * factor)
        unlit = kept_pixels(self.unlit, frame, scene)
        return lit if unlit is None else np.where(unlit[..., None], frame, lit)


@dataclass(frozen=True)
class Background:
    """What the mask holds is replaced. to: "#rrggbb" (the shading is kept by `keep` in [0, 1]), or
    file: a picture, fitted."""

    mask: Region
    to: str = ""
    file: str = ""
    keep: float = 0.0
    folder: Path = field(default=Path(), repr=False)

    def __post_init__(self) -> None:
        if bool(self.to) == bool(self.file):
            raise InputError("a background has either to or file")
        if not 0 <= self.keep <= 1:
            raise InputError(f"a background's keep lies between 0 and 1, not {self.keep}")

    def paint(self, frame: Frames, scene: Scene) -> Frames:
        chosen = pixels(self.mask, frame)
        brightness = frame.max(-1, keepdims=True).astype(np.float64)
        shade = 1 + self.keep * (brightness / max(float(np.median(brightness[chosen])), 1.0) - 1)
        return np.where(chosen[..., None], to_bytes(self._picture(frame) * shade), frame)

    def _picture(self, frame: Frames) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        if self.to:
            return np.broadcast_to(parse_colour(self.to), frame.shape)
        height, width = frame.shape[:2]
        image = Image.fromarray(read_picture(self.folder / self.file)[..., :3])
        return np.asarray(image.resize((width, height), Image.Resampling.LANCZOS), np.float64)


@dataclass(frozen=True)
class Camera:
    """A camera that moved: shift by fractions of the frame (right, down), zoom factor, degrees of
    rotation; edges are repeated."""

    shift: tuple[float, float] = (0.0, 0.0)
    zoom: float = 1.0
    rotate: float = 0.0

    def __post_init__(self) -> None:
        if not (
            max(map(abs, self.shift)) <= 0.5 and 0.5 <= self.zoom <= 4 and abs(self.rotate) <= 180
        ):
            raise InputError(
                "a camera's shift is at most half a frame, its zoom 0.5 to 4, its rotation 180 "
                "degrees"
            )

    def paint(self, frame: Frames, scene: Scene) -> Frames:
        return moved(frame, self.shift, self.zoom, self.rotate)


@dataclass(frozen=True)
class Noise:
    """Gaussian noise of the sensor, the same on every repeat. sd: grey levels of 255."""

    sd: float = 10.0

    def __post_init__(self) -> None:
        if not 0 <= self.sd <= 255:
            raise InputError(f"a noise's sd lies between 0 and 255 grey levels, not {self.sd}")

    def paint(self, frame: Frames, scene: Scene) -> Frames:
        return to_bytes(frame + scene.rng.normal(0.0, self.sd, frame.shape))


@dataclass(frozen=True)
class Blur:
    """A lens out of focus. sigma: pixels of a Gaussian."""

    sigma: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.sigma <= 50:
            raise InputError(f"a blur's sigma lies between 0 and 50 pixels, not {self.sigma}")

    def paint(self, frame: Frames, scene: Scene) -> Frames:
        return to_bytes(
            ndimage.gaussian_filter(
                frame.astype(np.float64), (self.sigma, self.sigma, 0), mode="nearest"
            )
        )
