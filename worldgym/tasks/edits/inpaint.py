"""Filling a hole in a picture from its rim.

The fill is the smoothest one that meets the rim: each channel solves Laplace's equation in the hole
(the membrane of P. Perez, M. Gangnet and A. Blake (2003), ACM TOG 22, 313-318, without guidance).
Texture is not continued, which shows on large holes."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import spsolve

from worldgym.errors import InputError
from worldgym.tasks.edits.colour import to_bytes
from worldgym.tasks.edits.masks import Pixels
from worldgym.types import Frames

MAX_HOLE = 250_000  # pixels: a sparse system that still solves within seconds


def inpaint(frame: Frames, hole: Pixels, unlike: Pixels | None = None) -> Frames:
    """The frame with its hole [H, W] filled; other pixels stay. `unlike` is not filled from: a
    robot in front of it.

    InputError for no hole, if a part of it has no pixel to be filled from, or it is too large.
    """
    if not hole.any():
        raise InputError("the mask is completely hidden by what is in front of it; move it")
    unlike = np.zeros_like(hole) if unlike is None else unlike & ~hole
    if np.count_nonzero(hole) > MAX_HOLE:
        raise InputError(
            f"the mask has {np.count_nonzero(hole)} pixels, more than {MAX_HOLE}; make it smaller"
        )
    height, width = hole.shape
    ys, xs = np.nonzero(hole)
    number = np.full(hole.shape, -1)
    number[ys, xs] = np.arange(len(ys))
    degree = np.zeros(len(ys))
    known = np.zeros((len(ys), 3))
    sources = np.zeros(hole.shape, bool)
    rows, columns = [], []
    for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        y, x = ys + dy, xs + dx
        there = (y >= 0) & (y < height) & (x >= 0) & (x < width)
        there[there] = ~unlike[y[there], x[there]]
        degree += there
        at = np.flatnonzero(there)
        beside = number[y[at], x[at]]
        rows.append(at[beside >= 0])
        columns.append(beside[beside >= 0])
        rim = at[beside < 0]
        known[rim] += frame[y[rim], x[rim]]
        sources[ys[rim], xs[rim]] = True
    parts, count = ndimage.label(hole)
    if not np.all(np.isin(np.arange(1, count + 1), parts[sources])):
        raise InputError(
            "a part of the mask has nothing around it to be filled from; make the mask smaller"
        )
    index = (
        np.concatenate([*rows, np.arange(len(ys))]),
        np.concatenate([*columns, np.arange(len(ys))]),
    )
    entries = np.concatenate([np.full(sum(map(len, rows)), -1.0), degree])
    filled = frame.copy()
    filled[ys, xs] = to_bytes(spsolve(csr_matrix((entries, index)).tocsc(), known).reshape(-1, 3))
    return filled
