"""MuJoCo, and what it draws pictures with where there is no screen."""

from __future__ import annotations

import os
from types import ModuleType

from worldgym.errors import InputError


def mujoco_off_screen() -> ModuleType:
    """MuJoCo with the renderer of `MUJOCO_GL`, EGL where that is not set: it is read once, when
    MuJoCo is first imported. ModuleNotFoundError where MuJoCo is not installed, InputError where
    that renderer is not."""
    os.environ.setdefault("MUJOCO_GL", "egl")
    os.environ.setdefault("LP_NUM_THREADS", "0")  # llvmpipe: one process per core beats threads
    try:
        import mujoco
    except ModuleNotFoundError:
        raise
    except (ImportError, AttributeError, RuntimeError) as error:  # of three ways to find nothing
        raise InputError(
            f"MuJoCo cannot load the renderer MUJOCO_GL={os.environ['MUJOCO_GL']} ({error}): on "
            f"Debian install libegl1 libgl1 libopengl0 libgl1-mesa-dri, and leave MUJOCO_GL unset"
        ) from error
    library: ModuleType = mujoco
    return library
