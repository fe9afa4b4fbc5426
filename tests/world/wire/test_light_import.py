"""Another project serves its world with NumPy, websockets and msgpack: nothing else is imported."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("websockets", reason="the extra [remote] is not installed")
pytest.importorskip("msgpack", reason="the extra [remote] is not installed")

PROGRAM = """
import sys
from importlib.abc import MetaPathFinder

ALLOWED = {"numpy", "websockets", "msgpack", "worldgym", *sys.stdlib_module_names}

class Blocked(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in ALLOWED and not name.startswith("_"):
            raise ImportError(f"{name} is not in this environment")

sys.meta_path.insert(0, Blocked())
import threading
import numpy as np
from worldgym.types import ActionSpec
from worldgym.world.wire.served_world import connect_world
from worldgym.world.wire.world_server import ServeOptions, world_server
from worldgym.world.capabilities import Capabilities, Chunk

class World:
    name, views, frame_shape = "mine", ("main",), (4, 6, 3)
    spec = ActionSpec(("x",), "delta_pose", "1 m", "none", "none", (-1.0,), (1.0,), 5.0)
    capabilities = Capabilities(Chunk.exactly(3))

    def reset(self, frames, seeds):
        return frames

    def step(self, state, actions):
        return state + 1, np.repeat((state + 1)[:, None], actions.shape[1], axis=1)

server = world_server(World(), ServeOptions(port=0))
thread = threading.Thread(target=server.serve, daemon=True)
thread.start()
remote = connect_world(f"ws://127.0.0.1:{server.port}")
state = remote.reset(np.zeros((1, 1, 4, 6, 3), np.uint8), [1])
for _ in range(2):
    state, frames = remote.step(state, np.zeros((1, 3, 1), np.float32))
print(frames.max(), remote.capabilities.chunk.most)
remote.close()
server.stop()
"""


def test_a_server_and_its_client_need_no_torch_and_no_scipy() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert (done.stdout.strip(), done.returncode) == ("2 3", 0), done.stderr
