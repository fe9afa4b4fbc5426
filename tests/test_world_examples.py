"""The adapters of examples/worlds, against stand-ins with the signatures of the models that they
are for; each served and asked over the wire as an evaluation would."""

from __future__ import annotations

import importlib.util
import io
import json
import struct
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from PIL import Image

from worldgym.testing import check_world
from worldgym.testing.world_rules import later_actions, world_rules
from worldgym.types import ActionSpec
from worldgym.world.fitted_world import FittedWorld
from worldgym.world.wire.served_world import connect_world
from worldgym.world.wire.world_server import ServeOptions, world_server
from worldgym.world.world_start import Start

pytest.importorskip("websockets", reason="the extra [remote] is not installed")
pytest.importorskip("msgpack", reason="the extra [remote] is not installed")

FOLDER = Path(__file__).parent.parent / "examples" / "worlds"
VECTORS = Path(__file__).parent / "vectors"
JPEG = b"\xff\xd8"
POSE = [0.3, 0.0, 0.2, 0.1, -0.2, 0.3, 0.0]


def adapter(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The file as a module, found beside the others of its folder."""
    monkeypatch.syspath_prepend(str(FOLDER))
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    return module


@contextmanager
def served(world: Any) -> Iterator[Any]:
    server = world_server(world, ServeOptions(port=0))
    thread = threading.Thread(target=server.serve)
    thread.start()
    remote = connect_world(f"ws://127.0.0.1:{server.port}")
    try:
        yield remote
    finally:
        remote.close()
        server.stop()
        thread.join()


def start(world: Any, state: Any, rows: int = 2) -> Start:
    """One initial frame a row, as the evaluator has it."""
    shape = (rows, 1, len(world.views), *world.frame_shape)
    frames = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    none = np.zeros((rows, 0, world.spec.size), np.float32)
    told = np.tile(np.array(state, np.float32), (rows, 1))
    return Start(frames, tuple(range(7, 7 + rows)), none, ("push",) * rows, told)


def moves(world: Any, actions: int, rows: int = 2) -> Any:
    rng = np.random.default_rng(1)
    low, high = np.array(world.spec.low), np.array(world.spec.high)
    shape = (rows, actions, world.spec.size)
    return rng.uniform(0.4 * low, 0.4 * high, shape).astype(np.float32)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_each_is_short_and_says_what_was_not_run(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 150
    if path.stem != "gripper_moves":
        assert "RUN:" in text and "NOT RUN:" in text and "Read from" in text


def test_moves_are_those_of_the_training_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """By hand: half a turn about z, then forward along the base's x is backward for the gripper."""
    module = adapter("gripper_moves", monkeypatch)
    before = np.array([0, 0, 0, 0, 0, np.pi, 0.0])
    told = module.gripper_moves(before, np.array([[0.1, 0, 0, 0, 0, np.pi - 0.2, 0.5]]))
    assert told[0].tolist() == pytest.approx([-2.0, 0, 0, 0, 0, -4.0, 0.5], abs=1e-5)


class CosmosPipe:
    """Of Cosmos-Predict2: the first frame back, then frames that depend on all moves and the
    seed."""

    def __call__(
        self,
        first_frame: Any,
        actions: Any,
        num_conditional_frames: int,
        guidance: float,
        seed: int,
    ) -> torch.Tensor:
        assert actions.shape == (12, 7) and num_conditional_frames == 1 and 0 <= seed < 2**31
        return _video(first_frame, torch.from_numpy(actions), seed)


class Video2WorldInference:
    """Of cosmos-predict2.5 and DreamDojo."""

    def generate_vid2world(
        self,
        prompt: str,
        input_path: torch.Tensor,
        action: torch.Tensor,
        guidance: float,
        num_video_frames: int,
        num_latent_conditional_frames: int,
        resolution: str,
        seed: int,
        lam_video: Any = None,
    ) -> torch.Tensor:
        assert input_path.dtype == torch.uint8 and input_path.shape[:3] == (1, 3, 13)
        assert action.dtype == torch.float32 and len(action) == 12 == num_video_frames - 1
        assert resolution == f"{input_path.shape[3]},{input_path.shape[4]}"
        self.told = action
        return _video(input_path[0, :, 0].permute(1, 2, 0).numpy(), action, seed)


def _video(frame: Any, action: torch.Tensor, seed: int) -> torch.Tensor:
    """[1, C, 13, H, W] in [-1, 1]."""
    first = torch.from_numpy(frame.copy()).permute(2, 0, 1).float() / 127.5 - 1.0
    noise = torch.rand(first.shape, generator=torch.Generator().manual_seed(seed)) - 0.5
    drift = torch.sin(action.sum())
    return torch.stack(
        [(first * (1 - t / 24) + t / 24 * (noise + drift)).clamp(-1, 1) for t in range(13)], dim=1
    )[None]


def test_cosmos_predict(monkeypatch: pytest.MonkeyPatch) -> None:
    module = adapter("cosmos_predict", monkeypatch)
    shape = (16, 24, 3)
    for generate in (
        module.of_pipeline(CosmosPipe(), 7),
        module.of_inference(Video2WorldInference(), 7),
    ):
        world = module.CosmosWorld(generate, "cosmos", shape)
        with served(world) as remote:
            check_world(remote, tolerance=0)
            gap = later_actions(remote)
            assert gap is not None and gap > 1  # not causal, and it says so
            fitted = FittedWorld(remote, hold=True)
            state, frames = fitted.step(fitted.begin(start(world, POSE)), moves(world, 8))
            after, more = fitted.step(state, moves(world, 12))
            assert frames.shape == (2, 8, 1, *shape) and more.shape == (2, 12, 1, *shape)
            assert np.allclose(fitted.robot_states(after), moves(world, 12))


def test_irasim(monkeypatch: pytest.MonkeyPatch) -> None:
    module = adapter("irasim", monkeypatch)
    args = SimpleNamespace(video_size=(16, 24), num_frames=16)

    def generate_single_video(
        args: Any, batch_start_frame: Any, actions: Any, device: Any, vae: Any, model: Any
    ) -> Any:
        assert batch_start_frame.shape == (1, 1, 4, 2, 3) and actions.shape == (1, 15, 7)
        drift = torch.tanh(actions.sum()) + torch.rand(1, 16, 4, 2, 3)
        latents = batch_start_frame + drift / 16
        videos = latents[:, :, :3].repeat_interleave(8, 3).repeat_interleave(8, 4)
        return videos.clamp(-1, 1), latents

    world = module.IRASimWorld(generate_single_video, args, _vae(4), None, "cpu")
    with served(world) as remote:
        check_world(remote, tolerance=0)
        fitted = FittedWorld(remote)
        state, frames = fitted.step(fitted.begin(start(world, POSE)), moves(world, 30))
        _, tail = fitted.step(state, moves(world, 4))
        assert frames.shape[1] == 30 and tail.shape[1] == 4


def _vae(channels: int) -> Any:
    """An autoencoder that keeps one pixel of eight by eight."""

    def encode(image: torch.Tensor) -> Any:
        small = image[:, :, ::8, ::8]
        latent = torch.cat([small, small[:, :1]], dim=1)[:, :channels]
        return SimpleNamespace(latent_dist=SimpleNamespace(sample=lambda: latent))

    return SimpleNamespace(encode=encode, config=SimpleNamespace(scaling_factor=0.2))


class CtrlAgent:
    """`agent.forward_wm` of Ctrl-World: 5 frames of 3 views, the current one first."""

    device, dtype = "cpu", torch.float32
    model = SimpleNamespace(pipeline=SimpleNamespace(vae=_vae(4)))

    def forward_wm(
        self,
        action_cond: Any,
        video_latent_true: Any,
        video_latent_cond: Any,
        his_cond: Any,
        text: Any,
    ) -> Any:
        assert action_cond.shape == (11, 7) and video_latent_cond.shape == (1, 4, 72, 40)
        assert (his_cond.shape == (1, 6, 4, 72, 40) and text == "open the drawer") or text == "push"
        assert [tuple(view.shape) for view in video_latent_true] == [(5, 4, 24, 40)] * 3
        drift = np.tanh(float(action_cond.sum())) * torch.linspace(0, 1, 5)[:, None, None, None]
        whole = video_latent_cond + 0.1 * his_cond.mean(1) + drift + 0.1 * torch.rand(5, 4, 72, 40)
        latents = torch.stack(list(whole.split(24, dim=2)))  # [3, 5, 4, 24, 40]
        pixels = latents[:, :, :3].repeat_interleave(8, 3).repeat_interleave(8, 4)
        videos = ((pixels + 1) * 60).clamp(0, 255).permute(0, 1, 3, 4, 2).numpy().astype(np.uint8)
        return None, None, videos, latents


def test_ctrl_world(monkeypatch: pytest.MonkeyPatch) -> None:
    world = adapter("ctrl_world", monkeypatch).CtrlWorld(CtrlAgent())
    with served(world) as remote:
        for rule in ("the same input gives the same result", "a batch equals its rows one by one"):
            check = world_rules(remote, 0)[rule].check
            assert check is not None
            check()
        fitted = FittedWorld(remote)
        _, frames = fitted.step(fitted.begin(start(world, POSE)), moves(world, 24))
        assert frames.shape == (2, 24, 3, 192, 320, 3)
        assert np.array_equal(frames[:, 2], frames[:, 3]) and not np.array_equal(
            frames[:, 2], frames[:, 5]
        )


def test_dreamdojo(monkeypatch: pytest.MonkeyPatch) -> None:
    names = tuple(f"joint_{i}" for i in range(4))
    spec = ActionSpec(
        names, "joint_position", "1 rad", "none", "none", (-3.0,) * 4, (3.0,) * 4, 10.0
    )
    inference = Video2WorldInference()
    module = adapter("dreamdojo", monkeypatch)
    world = module.DreamDojoWorld(inference, spec, 58, (16, 24, 3))
    with served(world) as remote:
        check_world(remote, tolerance=0)
    joints = np.arange(48, dtype=np.float32).reshape(1, 12, 4)
    world.step(world.begin(start(world, [1, 1, 1, 1], 1)), joints)
    told = inference.told.numpy()
    assert told.shape == (12, 384) and not told[:, :58].any() and not told[:, 62:].any()
    # from the action before each block of four
    assert told[:, 58].tolist() == [-1, 3, 7, 11, 4, 8, 12, 16, 4, 8, 12, 16]


class Recorded(BaseHTTPRequestHandler):
    """Answers as GE-Sim V2's own server did when its example world was asked by the adapter
    (tests/vectors/ge_sim_v2.npz says of what); a request must be the recorded one."""

    left: ClassVar[list[tuple[dict[str, Any], Mapping[str, Any]]]] = []

    def do_POST(self) -> None:
        told, bodies = self.left.pop(0)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        asked = [self.path.strip("/"), self.headers["Content-Type"]]
        assert asked == [told["path"], told["content_type"]]
        if "request" in told:
            assert json.loads(body) == told["request"]
        else:
            self.compare(_blocks(body), _blocks(bodies["request"].tobytes()))
        data = json.dumps(told["answer"]).encode() if "answer" in told else bodies["answer"]
        self.send_response(told["status"])
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(bytes(data))

    def compare(self, mine: list[bytes], recorded: list[bytes]) -> None:
        """JPEGs by their size: another encoder's bytes differ."""
        assert len(mine) == len(recorded)
        for own, known in zip(mine, recorded, strict=True):
            if known.startswith(JPEG):
                assert Image.open(io.BytesIO(own)).size == Image.open(io.BytesIO(known)).size
            elif known[4:].startswith(JPEG):
                self.compare(_blocks(own), _blocks(known))
            else:
                assert own == known

    def log_message(self, *words: Any) -> None:
        pass


def _blocks(data: bytes) -> list[bytes]:
    found = []
    while data:
        size = struct.unpack(">I", data[:4])[0]
        found.append(data[4 : 4 + size])
        data = data[4 + size :]
    return found


def test_ge_sim_v2(monkeypatch: pytest.MonkeyPatch) -> None:
    module = adapter("ge_sim_v2", monkeypatch)
    with np.load(VECTORS / "ge_sim_v2.npz") as recorded:
        exchange = json.loads(recorded["exchange"].tobytes())["exchange"]
        Recorded.left = [
            (told, {kind: recorded.get(f"{kind}_{i}") for kind in ("request", "answer")})
            for i, told in enumerate(exchange)
        ]
    server = ThreadingHTTPServer(("127.0.0.1", 0), Recorded)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    colours = np.array([[200, 40, 40], [40, 180, 60], [30, 60, 150]])

    def draw(joints: Any) -> Any:
        band = np.zeros((3, len(joints), 384, 512, 3), np.uint8)
        band[:, :, :, :64] = 255
        return band, np.tile(np.eye(4, dtype=np.float32), (3, len(joints), 1, 1))

    try:
        world = module.GESimWorld(
            f"http://127.0.0.1:{server.server_address[1]}", draw, np.tile(np.eye(3), (3, 1, 1))
        )
        with served(world) as remote:
            fitted = FittedWorld(remote)
            joints = np.arange(400, dtype=np.float32).reshape(1, 25, 16) / 400.0
            views = np.broadcast_to(colours[:, None, None], (1, 1, 3, 384, 512, 3))
            begin = replace(start(world, [0.0] * 16, 1), frames=views.astype(np.uint8))
            state, frames = fitted.step(
                fitted.begin(replace(begin, instructions=("lift the cup",))), joints
            )
            assert frames.shape == (1, 25, 3, 384, 512, 3)
            assert np.array_equal(fitted.robot_states(state), joints)
            # its example brightens the initial image by a quarter of white
            middle = frames[0, :, :, 192, 256].astype(int)
            assert np.abs(middle[0] - colours).max() <= 2
            assert np.abs(middle[-1] - np.minimum(colours + 64, 255)).max() <= 2
            rules = world_rules(remote)
            assert rules["the same input gives the same result"].reason == "it takes no seed"
        # its own refusals: more than a chunk, and a session that it does not know
        with pytest.raises(RuntimeError, match=r"/step: 400 .*26 exceeds model chunk_size 25"):
            shape = {"client_id": exchange[0]["answer"]["client_id"], "action_shape": [26, 16]}
            zeros = np.zeros((26, 16), np.float32).tobytes()
            world._post("step", module.block(zeros) + module.block(json.dumps(shape).encode()))
        with pytest.raises(RuntimeError, match=r"/reset: 403 .*unknown client_id"):
            world._say("reset", {"client_id": "nobody"})
        assert not Recorded.left
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
