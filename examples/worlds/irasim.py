"""IRASim as a world: in its own environment, from its repository's folder

    pip install --no-deps worldgym && pip install websockets msgpack
    PYTHONPATH=. python .../irasim.py configs/evaluation/bridge/frame_ada.yaml
    worldgym evaluate --world ws://127.0.0.1:8000 ...

Read from IRASim 1bcbb77 (evaluate/generate_short_video.py, generate_long_video.py). RUN: this file
against stand-ins with their signatures, tests/test_world_examples.py. NOT RUN: the model and
`load` below (weights of 29 to 34 GB a dataset).

Exactly 15 actions a step, one frame an action; every frame depends on all of them. Its state is the
last frame's latent, which pixels do not give back, so --align hold is refused. It draws from
PyTorch's own generator, which is seeded here for each row and step, so a trial's frames repeat. The
tail of a rollout is filled up by the evaluator with the last pose; IRASim's own script repeats the
tail's first action."""

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from gripper_moves import START, gripper_moves, pose_spec

from worldgym.world.capabilities import Capabilities, Chunk

STEP = 15


@dataclass(frozen=True)
class Row:
    """latent: of the last frame, [1, 4, H / 8, W / 8].   pose: the last one told, [7].   steps: so
    far."""

    latent: Any
    pose: np.ndarray
    seed: int
    steps: int = 0


class IRASimWorld:
    name = "irasim"
    views = ("main",)
    capabilities = Capabilities(chunk=Chunk.exactly(STEP), causal=False, state=START)

    def __init__(self, generate_single_video, args, vae, model, device="cuda", rate_hz=5.0):
        """generate_single_video: of evaluate/generate_short_video.py.   args: of its config.
        rate_hz: of the recordings: Bridge 5, RT-1 3."""
        self._generate = generate_single_video
        self._args = args
        self._vae = vae
        self._model = model
        self._device = device
        self.frame_shape = (*args.video_size, 3)
        self.spec = pose_spec(rate_hz)

    def begin(self, start):
        rows = []
        for frames, state, seed in zip(start.frames, start.state, start.seeds, strict=True):
            torch.manual_seed(seed)
            rows.append(Row(self._encode(frames[-1, 0]), state, seed))
        return tuple(rows)

    def step(self, state, actions):
        """Row by row, each with noise of its own."""
        rows = []
        drawn = []
        for row, poses in zip(state, actions, strict=True):
            torch.manual_seed(row.seed + row.steps + 1)
            moves = torch.from_numpy(gripper_moves(row.pose, poses))[None]
            videos, latents = self._generate(
                self._args, row.latent[None], moves, self._device, self._vae, self._model
            )
            rows.append(Row(latents[0, -1:].clone(), poses[-1], row.seed, row.steps + STEP))
            drawn.append(self._pixels(videos[0, 1:]))  # without the given frame
        return tuple(rows), np.stack(drawn)[:, :, None]

    def _encode(self, frame):
        """uint8 [H, W, 3] => [1, 4, H / 8, W / 8]."""
        image = torch.from_numpy(frame.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1.0
        with torch.no_grad():
            latent = self._vae.encode(image.to(self._device)).latent_dist.sample()
        return latent * self._vae.config.scaling_factor

    @staticmethod
    def _pixels(video):
        """[T, 3, H, W] in [-1, 1] => uint8 [T, H, W, 3]."""
        shown = (video.float() / 2.0 + 0.5).clamp(0, 1).permute(0, 2, 3, 1) * 255
        return shown.cpu().numpy().astype(np.uint8)


def load(config):
    """The world of one of its configs for evaluation, by its own functions."""
    from diffusers.models import AutoencoderKL
    from evaluate.generate_short_video import generate_single_video
    from models import get_models
    from util import get_args, update_paths

    args = get_args(type("Asked", (), {"config": config})())
    update_paths(args)
    model = get_models(args).to("cuda").eval()
    weights = torch.load(args.evaluate_checkpoint, weights_only=True)
    model.load_state_dict(weights["ema"])
    vae = AutoencoderKL.from_pretrained(args.vae_model_path, subfolder="vae").to("cuda")
    return IRASimWorld(generate_single_video, args, vae, model)


if __name__ == "__main__":
    from worldgym.world.wire.world_server import serve_world

    serve_world(load(sys.argv[1]))
