"""GE-Sim V2 as a world: a client of its own HTTP server, so it needs nothing of its environment but
NumPy and Pillow

    PYTHONPATH=src python -m gesim.server --model gesim_v2 --config ... --host 127.0.0.1
    worldgym evaluate --world "ge_sim_v2:at?url=http://127.0.0.1:19071&draw=my_robot:draw" ...

Read from GE-Sim-V2 4a34498 (gesim/server/app.py). RUN, 2026-11-29: this file against that server
with its own example world (--model example, NumPy on a CPU; the closed library removed, which that
world does not call); the exchange lies in tests/vectors/ge_sim_v2.npz, and
tests/test_world_examples.py plays it again. NOT RUN: the model.

Its server keeps one rollout, draws without a seed, and pads a step of under 25 actions with
frames that it keeps as its history: so exactly 25 actions a step, the newest state alone, and no
pairing of policies. Frames come as JPEG: those of an initial image that should come back as it is
differed by up to 37 of 255 levels. What moves its picture is a band drawn along the trajectory,
which its own package draws from the joints by a closed library: `draw` is yours, and calls it.
It pools 50 actions into 25 where its own client asks for that; this client never does."""

import io
import json
import struct
import urllib.error
import urllib.request
from importlib import import_module

import numpy as np
from PIL import Image

from worldgym.types import ActionSpec
from worldgym.world.capabilities import Capabilities, Chunk

STEP = 25
SIDES = ("left", "right")
JOINTS = tuple(
    f"{side}_{part}" for side in SIDES for part in (*(f"joint_{i}" for i in range(7)), "gripper")
)
MOST = 64 * 2**20  # bytes of an answer


def block(data):
    """Four bytes of length, and the bytes."""
    return struct.pack(">I", len(data)) + data


def blocks(data):
    found = []
    while data:
        (size,) = struct.unpack(">I", data[:4])
        if size > len(data) - 4:
            raise ValueError(f"a block of {size} bytes, and {len(data) - 4} are left")
        found.append(data[4 : 4 + size])
        data = data[4 + size :]
    return found


def jpeg(views):
    """uint8 [V, H, W, 3] => JPEG of the views side by side."""
    out = io.BytesIO()
    Image.fromarray(np.concatenate(list(views), axis=1)).save(out, "JPEG", quality=95)
    return out.getvalue()


class GESimWorld:
    name = "ge-sim-v2"
    views = ("head", "hand_left", "hand_right")
    frame_shape = (384, 512, 3)
    spec = ActionSpec(
        JOINTS, "joint_position", "1 rad", "none", "1_open_0_closed",
        tuple(0.0 if name.endswith("gripper") else -3.1416 for name in JOINTS),
        tuple(1.0 if name.endswith("gripper") else 3.1416 for name in JOINTS),
        30.0,
    )  # fmt: skip
    capabilities = Capabilities(
        chunk=Chunk.exactly(STEP),
        causal=False,
        seeds="none",
        branching="latest",
        batch=1,
        instruction=True,
        state=JOINTS,
        returns=JOINTS,
    )

    def __init__(self, url, draw, intrinsic, timeout=600.0):
        """draw(joints [25, 16]) => (band uint8 [V, 25, H, W, 3], camera to world float32 [V, 25, 4,
        4]).   intrinsic: [V, 3, 3]."""
        self._url = url
        self._draw = draw
        self._intrinsic = np.asarray(intrinsic, np.float64)
        self._timeout = timeout

    def begin(self, start):
        """A session of its own: whoever had one before has lost it."""
        told = self._say("init", {"user_name": "worldgym"})
        client = {"client_id": told["client_id"]}
        views = start.frames[0, -1]
        count, height, width, _ = views.shape
        self._say("reset", client)
        self._say("set_task", client | {"task": start.instructions[0]})
        self._say("set_camera_params", client | {"intrinsic": self._intrinsic.tolist()})
        shape = client | {"frame_shape": [3, count, height, width]}
        self._post("set_episode_data", block(jpeg(views)) + block(json.dumps(shape).encode()))
        return client, start.state[:, None].astype(np.float32)

    def step(self, state, actions):
        client, _ = state
        joints = np.ascontiguousarray(actions[0], np.float32)
        self._trajectory(client, joints)
        shape = client | {"action_shape": list(joints.shape)}
        answer = self._post("step", block(joints.tobytes()) + block(json.dumps(shape).encode()))
        meta, *pictures, told = blocks(answer)
        due, _, count, height, width = json.loads(meta)["frame_shape"]
        if (due, count, height, width) != (len(joints), len(self.views), *self.frame_shape[:2]):
            raise ValueError(f"frames {json.loads(meta)['frame_shape']} came back")
        shown = [np.asarray(Image.open(io.BytesIO(one)).convert("RGB")) for one in pictures]
        frames = np.stack([np.stack(np.split(one, count, axis=1)) for one in shown])
        states = np.frombuffer(told, np.float32).reshape(len(joints), len(JOINTS))
        return (client, states[None]), frames[None]

    def robot_states(self, state):
        return state[1]

    def _trajectory(self, client, joints):
        band, poses = self._draw(joints)
        count, steps, height, width, _ = band.shape
        pictures = b"".join(block(jpeg(band[:, t])) for t in range(steps))
        shape = {"traj_shape": [3, count, steps, height, width], "c2w_shape": list(poses.shape)}
        meta = json.dumps(client | shape).encode()
        cameras = np.ascontiguousarray(poses, np.float32).tobytes()
        self._post("set_episode_traj", block(pictures) + block(cameras) + block(meta))

    def _say(self, path, message):
        data = json.dumps(message).encode()
        return json.loads(self._post(path, data, "application/json"))

    def _post(self, path, data, kind="application/octet-stream"):
        request = urllib.request.Request(f"{self._url}/{path}", data, {"Content-Type": kind})
        try:
            with urllib.request.urlopen(request, timeout=self._timeout) as answer:
                return answer.read(MOST)
        except urllib.error.HTTPError as refused:
            raise RuntimeError(f"/{path}: {refused.code} {refused.read(500).decode()}") from None


def at(url, draw, intrinsic=""):
    """For `--world ge_sim_v2:at?url=...&draw=MODULE:FUNCTION&intrinsic=K.npy`."""
    module, _, name = draw.partition(":")
    cameras = np.load(intrinsic) if intrinsic else np.tile(np.eye(3), (3, 1, 1))
    return GESimWorld(url, getattr(import_module(module), name), cameras)
