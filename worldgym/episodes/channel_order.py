"""Whether two cameras of an episode disagree about which channel is red, because one was written
with red and blue exchanged.

Both look at the same scene, so the colours of the one are, by and large, those of the other. Hue
alone is compared, weighted by how far a pixel is from grey; grey pictures say nothing.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from worldgym.types import Frames

BINS = 12  # of the colour circle
COLOUR = 0.02  # mean colourfulness, 0 to 1, below which a picture says nothing
# share of colour in common once exchanged, and by how much it grows; real cameras gain up to 0.23
ALIKE = 0.7
GAIN = 0.35


def exchanged(one: Frames, other: Frames) -> bool:
    """Whether one camera's frames [N, H, W, 3] have the other's colours with red and blue
    exchanged, and not as they are."""
    hues, mirrored, others = hue_shares(one), hue_shares(one[..., ::-1]), hue_shares(other)
    if hues is None or mirrored is None or others is None:
        return False
    alike, before = (float(np.minimum(shares, others).sum()) for shares in (mirrored, hues))
    return alike >= ALIKE and alike - before >= GAIN


def hue_shares(frames: Frames) -> npt.NDArray[np.float64] | None:
    """[BINS] shares of colour on the circle, the first centred on red; None for grey pictures."""
    wide = frames[..., :3].reshape(-1, 3).astype(np.float64) / 255.0
    chroma = wide.max(axis=1) - wide.min(axis=1)
    if chroma.mean() < COLOUR:
        return None
    red, green, blue = wide.T
    angle = np.arctan2(np.sqrt(3.0) * (green - blue), 2.0 * red - green - blue) / (2 * np.pi)
    places = np.asarray(np.floor(angle * BINS + 0.5), np.intp) % BINS
    shares: npt.NDArray[np.float64] = np.bincount(places, chroma, BINS) / chroma.sum()
    return shares
