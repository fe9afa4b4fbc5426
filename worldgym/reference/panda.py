"""Robosuite's Panda seen by two cameras: three tasks of grasping, as a small deterministic
simulator.

robosuite 1.5.2 (MIT) and its "BASIC" operational-space controller: seven numbers in [-1, 1], moves
of 0.05 m and turns of 0.5 rad an action, gripper -1 open and +1 closed, at 10 Hz. What had to be
changed: pictures are rendered here, because the original ones take 200 ms per view (shadows,
samples, collision shapes) and these 8 to 15; one environment a process, because two corrupt each
other's frames; a seed is put into the environment's own generator, which all of its samplers share.

Installed beside Meta-World without what it pins and does not need: requirements-panda.txt.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from worldgym.actions.conventions import convention
from worldgym.actions.embodiment import Reach
from worldgym.errors import InputError
from worldgym.native.off_screen import mujoco_off_screen
from worldgym.reference.reference_tasks import FREE
from worldgym.types import Actions, Frames

RATE_HZ = 10.0
PANDA_SPEC = replace(convention("libero"), rate_hz=RATE_HZ)
# The gripper starts half open and moves by a tenth of its way an action, to its ends.
_FINGERS = 5.0
PANDA_REACH = Reach((((*[-FREE] * 6, -_FINGERS), (*[FREE] * 6, _FINGERS)),))
VIEWS = ("front", "wrist")
WRIST = "robot0_eye_in_hand"
STATE_NAMES = ("x", "y", "z", "qx", "qy", "qz", "qw", "gripper_open")
SPAN = 0.08  # metres between the fingers of an open gripper


@dataclass(frozen=True)
class PandaTask:
    """env: robosuite's name.   steps: actions per episode.   camera: of the front view: point
    looked at (metres), distance (metres), azimuth and elevation (degrees)."""

    env: str
    instruction: str
    partial_credit: str
    steps: int
    camera: tuple[tuple[float, float, float], float, float, float]


TABLE = ((0.0, 0.0, 0.87), 0.75, 140.0, -30.0)
PANDA_TASKS: Mapping[str, PandaTask] = {
    "lift": PandaTask(
        "Lift", "lift the red cube", "the gripper holds the cube, on the table", 40, TABLE
    ),
    "stack": PandaTask(
        "Stack", "put the red cube on the green one", "the red cube is lifted", 60, TABLE
    ),
    "can": PandaTask(
        "PickPlaceCan",
        "put the can into the bin",
        "the can is lifted",
        80,
        ((0.12, 0.05, 0.9), 1.15, 150.0, -38.0),
    ),
}


@dataclass(frozen=True)
class PandaStep:
    """frames: uint8 [2, H, W, 3], front and wrist.   state: [8], see STATE_NAMES.   seen: positions
    in metres that experts read and policies never see: "hand", "object", "goal".   success: as of
    these frames."""

    frames: Frames
    state: npt.NDArray[np.float32]
    seen: Mapping[str, npt.NDArray[np.float64]]
    success: bool


@dataclass(frozen=True)
class PandaMoment:
    """Where a simulator stands: what it was asked since its start, and the frames it showed."""

    seed: int
    actions: tuple[Actions, ...]
    frames: Frames


class PandaSimulator:
    """One task. `reset(seed)`, then `step(action)`. One in a process: see above.

    Its controllers have internal state, so to return to an earlier moment, its actions are replayed
    from the start, 8 ms each; continuing from the current one costs nothing."""

    kind = "panda"
    spec = PANDA_SPEC
    views = VIEWS
    axis = ""

    def __init__(self, task: str, size: int = 96) -> None:
        shown = logging.root.manager.disable
        logging.disable(logging.WARNING)  # what the Panda lacks of other robots' parts is no news
        try:
            mujoco: Any = mujoco_off_screen()
            import robosuite
            from robosuite.controllers import load_composite_controller_config
        except ModuleNotFoundError as error:
            raise InputError(
                "the Panda's simulator needs robosuite 1.5.2: install it with  pip install "
                "--no-deps -r requirements-panda.txt"
            ) from error
        finally:
            logging.disable(shown)
        logging.getLogger("robosuite_logs").setLevel(logging.ERROR)
        self.group = task
        self.task = PANDA_TASKS[task]
        self.size = size
        self._env = robosuite.make(
            self.task.env,
            robots="Panda",
            controller_configs=load_composite_controller_config(controller="BASIC", robot="Panda"),
            has_renderer=False,
            has_offscreen_renderer=False,
            use_camera_obs=False,
            control_freq=RATE_HZ,
            horizon=10 * self.task.steps,
            hard_reset=False,  # else the model that the renderer looks at would be another
            ignore_done=True,
            seed=0,
        )
        model = self._env.sim.model._model
        model.vis.quality.shadowsize = 0
        model.vis.quality.offsamples = 0
        self._renderer = mujoco.Renderer(model, size, size)
        for flag in (mujoco.mjtRndFlag.mjRND_SHADOW, mujoco.mjtRndFlag.mjRND_REFLECTION):
            self._renderer.scene.flags[flag] = 0
        self._options = mujoco.MjvOption()
        self._options.geomgroup[:] = (0, 1, 1, 0, 0, 0)  # group 0: collision shapes
        self._options.sitegroup[:] = 0
        self._camera = mujoco.MjvCamera()
        lookat, distance, azimuth, elevation = self.task.camera
        self._camera.lookat[:] = lookat
        self._camera.distance = distance
        self._camera.azimuth = azimuth
        self._camera.elevation = elevation

    def reset(self, seed: int) -> PandaStep:
        generator = np.random.default_rng(seed).bit_generator
        self._env.rng.bit_generator.state = generator.state
        seen = self._env.reset()
        self._now = PandaMoment(seed, (), self._drawn())
        return self._step(seen)

    def step(self, action: Actions, draw: bool = True) -> PandaStep:
        """action: float32 [7] in PANDA_SPEC, clipped to its bounds.   Without `draw` the frames are
        the last ones drawn."""
        given = np.array(action, np.float32)
        seen, _, _, _ = self._env.step(np.clip(given.astype(np.float64), -1.0, 1.0))
        frames = self._drawn() if draw else self._now.frames
        self._now = PandaMoment(self._now.seed, (*self._now.actions, given), frames)
        return self._step(seen)

    def snapshot(self) -> PandaMoment:
        return self._now

    def restore(self, snapshot: PandaMoment) -> None:
        if snapshot is self._now:
            return
        self.reset(snapshot.seed)
        for action in snapshot.actions:
            self.step(action, draw=False)
        self._now = snapshot

    def close(self) -> None:
        self._renderer.close()
        self._env.close()

    def _step(self, seen: Mapping[str, Any]) -> PandaStep:
        fingers = seen["robot0_gripper_qpos"]
        opened = np.clip((fingers[0] - fingers[1]) / SPAN, 0.0, 1.0)
        state = np.concatenate([seen["robot0_eef_pos"], seen["robot0_eef_quat"], [opened]])
        success = bool(self._env._check_success())
        return PandaStep(self._now.frames, state.astype(np.float32), self._positions(seen), success)

    def _positions(self, seen: Mapping[str, Any]) -> Mapping[str, npt.NDArray[np.float64]]:
        hand = np.array(seen["robot0_eef_pos"], np.float64)
        if self.group == "lift":
            cube = np.array(seen["cube_pos"], np.float64)
            return {"hand": hand, "object": cube, "goal": cube}
        if self.group == "stack":
            below = np.array(seen["cubeB_pos"], np.float64)
            return {"hand": hand, "object": np.array(seen["cubeA_pos"]), "goal": below}
        place = self._env.target_bin_placements[self._env.object_to_id["can"]]
        return {
            "hand": hand,
            "object": np.array(seen["Can_pos"], np.float64),
            "goal": np.array(place, np.float64),
        }

    def _drawn(self) -> Frames:
        """uint8 [2, H, W, 3] of all views."""
        return np.stack([self._render(self._camera), self._render(WRIST)])

    def _render(self, camera: Any) -> Frames:
        self._renderer.update_scene(
            self._env.sim.data._data, camera=camera, scene_option=self._options
        )
        return np.array(self._renderer.render(), np.uint8)  # the renderer's own is overwritten
