"""Meta-World v3 as a small deterministic simulator: same seed, same episode, in any process.

What had to be changed (measured; see docs/reference-world.md): `reset(seed=)` of the package
ignores its seed; without `mj_forward` after a reset the first frame can show the object up to 7 cm
off; shipped render settings draw 5-8 frames per second on a CPU, these 86 (no shadows, no
multisampling, bodies behind the table hidden, 2x2 box average instead)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from worldgym.errors import MissingExtra
from worldgym.native.off_screen import mujoco_off_screen
from worldgym.reference.reference_tasks import FRAME_SKIP, METAWORLD_SPEC, SIZE, TASKS
from worldgym.reference.variations import PLAIN, Variation
from worldgym.types import ONE_VIEW, Frames

try:
    mujoco_off_screen()
    import metaworld.policies
    import mujoco
    from metaworld.env_dict import ALL_V3_ENVIRONMENTS

    from worldgym.reference.staging import add_solids, seen, set_up
except ImportError as error:  # pragma: no cover - depends on the installation
    raise MissingExtra("metaworld", "reference", "the reference world's simulator") from error

CAMERA_POSITION = np.array([0.75, 0.075, 0.75])
CAMERA_TARGET = np.array([-0.03, 0.67, 0.14])
CAMERA_FOVY = 44.0  # degrees
HIDDEN_BODIES = (
    "pedestal",
    "controller_box",
    "pedestal_feet",
    "torso",
    "head",
    "screen",
    "right_arm_base_link",
)
SUPERSAMPLING = 2
STATE = mujoco.mjtState.mjSTATE_INTEGRATION
PLACES = ("body_pos", "body_quat", "site_pos", "geom_pos")  # of the model, which a reset moves
PLAIN_VALUES = (bool, int, float, str, np.ndarray, np.generic, type(None))

Observation = npt.NDArray[
    np.float64
]  # Meta-World's 39 numbers; experts read them, image policies never see them


@dataclass(frozen=True)
class SimStep:
    """frame uint8 [96, 96, 3]; success as of this frame; state: Meta-World's observation; distance:
    metres, object to goal."""

    frame: Frames
    success: bool
    state: Observation
    distance: float

    @property
    def frames(self) -> Frames:
        """uint8 [1, H, W, 3]: of its one view."""
        return self.frame[None]


@dataclass(frozen=True)
class Snapshot:
    """All that a step depends on: MuJoCo's integration state, the places that a seed gives to
    bodies and sites, the environment's own values, the sensor's noise and its last frame."""

    physics: npt.NDArray[np.float64]
    places: Mapping[str, npt.NDArray[np.float64]]
    values: Mapping[str, Any]
    sensor: Mapping[str, Any]
    frame: Frames


class Simulator:
    """One task of the reference world. `reset(seed)` then `step(action)`; an action is held for
    FRAME_SKIP simulator steps."""

    kind = "metaworld"
    spec = METAWORLD_SPEC
    views = ONE_VIEW

    def __init__(self, task: str, size: int = SIZE, change: Variation = PLAIN) -> None:
        """change: what is made to look otherwise; physics and success stay as they are."""
        self.task = TASKS[task]
        self.change = change
        self._sensor = np.random.default_rng(0)
        env = ALL_V3_ENVIRONMENTS[self.task.env]()
        env.seeded_rand_vec = True
        env._freeze_rand_vec = False
        env._set_task_called = True
        env._partially_observable = False
        self._env = env
        self.size = size
        self._options = _prepare_view(env.model, change)
        set_up(env.model, task, change)
        self._renderer = mujoco.Renderer(env.model, size * SUPERSAMPLING, size * SUPERSAMPLING)
        self._renderer.scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = 0
        self._renderer.scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = 0

    @property
    def group(self) -> str:
        return self.task.name

    @property
    def axis(self) -> str:
        """Of the change in how it looks."""
        return self.change.axis

    def reset(self, seed: int) -> SimStep:
        self._env.seed(seed)
        self._sensor = np.random.default_rng(seed)
        self._env.reset()
        mujoco.mj_forward(self._env.model, self._env.data)
        state = np.asarray(self._env._get_obs())
        _, info = self._env.evaluate_state(state, np.zeros(4, np.float32))
        return SimStep(self.render(), False, state, self._distance(state, info))

    def step(self, action: npt.NDArray[np.floating[Any]], draw: bool = True) -> SimStep:
        """action: [4] in METAWORLD_SPEC, clipped to its bounds. Success counts if it held at any
        simulator step.

        Without `draw` the frame is the last one drawn: drawing takes most of a step's time. Noise
        of a sensor follows from the frames before, so where there is some every frame is drawn.
        """
        held = np.clip(np.asarray(action, np.float32), -1.0, 1.0)
        success = False
        for _ in range(FRAME_SKIP):
            state, _, _, _, info = self._env.step(held)
            success |= bool(info["success"])
        frame = self.render() if draw or self.change.noise_sd else self._frame
        return SimStep(frame, success, state, self._distance(state, info))

    def _distance(self, state: Observation, info: dict[str, Any]) -> float:
        """Metres from the object to its goal. Meta-World's door reports 0 always, so its handle's x
        is taken."""
        if self.task.name == "door-open":
            return float(abs(state[4] - self._env._get_pos_goal()[0]))
        return float(info["obj_to_target"])

    def render(self) -> Frames:
        """uint8 [size, size, 3], rendered at twice the size and box-averaged."""
        self._renderer.update_scene(self._env.data, camera="topview", scene_option=self._options)
        add_solids(self._renderer.scene, self.change)
        k = SUPERSAMPLING
        s = self.size
        pixels = self._renderer.render().reshape(s, k, s, k, 3).astype(np.uint16)
        averaged: Frames = ((pixels.sum((1, 3)) + k * k // 2) // (k * k)).astype(np.uint8)
        self._frame = seen(averaged, self.change, self._sensor)
        return self._frame

    def snapshot(self) -> Snapshot:
        """As of now; `restore` continues from it with exactly the same steps, bit by bit."""
        model = self._env.model
        data = self._env.data
        physics = np.empty(mujoco.mj_stateSize(model, STATE))
        mujoco.mj_getState(model, data, physics, STATE)
        values = {
            name: _copied(value)
            for name, value in vars(self._env).items()
            if isinstance(value, PLAIN_VALUES)
        }
        places = {name: getattr(model, name).copy() for name in PLACES}
        return Snapshot(physics, places, values, self._sensor.bit_generator.state, self._frame)

    def restore(self, snapshot: Snapshot) -> None:
        model = self._env.model
        data = self._env.data
        for name, place in snapshot.places.items():
            getattr(model, name)[:] = place
        mujoco.mj_setState(model, data, snapshot.physics, STATE)
        vars(self._env).update({name: _copied(x) for name, x in snapshot.values.items()})
        self._sensor.bit_generator.state = snapshot.sensor
        self._frame = snapshot.frame

    def expert(self, task: str = "") -> Any:
        """A fresh scripted expert of the package, of this task or another; call
        `get_action(state)`."""
        return getattr(metaworld.policies, (TASKS[task] if task else self.task).expert)()

    def close(self) -> None:
        self._renderer.close()


def _copied(value: Any) -> Any:
    return value.copy() if isinstance(value, np.ndarray) else value


def _prepare_view(model: Any, change: Variation) -> Any:
    """Moves the shipped top camera, hides what is behind the table, and returns the scene
    options."""
    camera = model.camera("topview").id
    model.cam_mode[camera] = mujoco.mjtCamLight.mjCAMLIGHT_FIXED
    position = CAMERA_POSITION + change.camera
    model.cam_pos[camera] = position
    model.cam_fovy[camera] = CAMERA_FOVY
    model.cam_quat[camera] = _look_at(position, CAMERA_TARGET + change.target)
    model.vis.quality.shadowsize = 1
    model.vis.quality.offsamples = 0
    hidden = {
        model.body(name).id
        for name in HIDDEN_BODIES
        if name in {model.body(i).name for i in range(model.nbody)}
    }
    for geom in range(model.ngeom):
        if model.geom_bodyid[geom] in hidden:
            model.geom_group[geom] = 5
    options = mujoco.MjvOption()
    options.geomgroup[:] = (1, 1, 1, 0, 0, 0)
    options.sitegroup[:] = 0
    return options


def _look_at(
    position: npt.NDArray[np.float64], target: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Quaternion (w, x, y, z) of a camera at `position` looking at `target`, world z up. A camera
    looks along its -z."""
    backward = (position - target) / np.linalg.norm(position - target)
    right = np.cross([0.0, 0.0, 1.0], backward)
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(backward, right), backward], axis=1)
    quaternion = np.zeros(4)
    mujoco.mju_mat2Quat(quaternion, rotation.flatten())
    return quaternion
