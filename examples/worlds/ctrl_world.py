"""Ctrl-World as a world: in its own environment, from its repository's folder

    pip install --no-deps worldgym && pip install websockets msgpack
    PYTHONPATH=. python .../ctrl_world.py --ckpt_path A --svd_model_path B --clip_model_path C
    worldgym evaluate --world ws://127.0.0.1:8000 ...

Read from Ctrl-World dc79865 (scripts/rollout_interact_pi.py). RUN: this file against a stand-in
with the signatures of its `agent`, tests/test_world_examples.py. NOT RUN: the model (16 GB of
weights) and `load` below.

Three views (two outside, one at the wrist), 192 x 320. Poses at 15 Hz in, frames at 5 Hz out: 12
poses make 4 frames. It was trained on poses that were reached; told are those that were commanded.
Its history is 6 frames, 4 frames apart as in training (its own rollouts take one a call instead);
before there are so many, the evaluator repeats the initial frame and says so. No generator is
passed to its pipeline, so PyTorch's own is seeded here for each row and step. Between two steps the
latents are kept, which pixels do not give back: --align hold is refused."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from worldgym.types import ActionSpec
from worldgym.world.capabilities import Capabilities, Chunk, History

STEP, STRIDE = 12, 3
PAST = 6  # frames before the newest
LAST_INDEX = STEP // STRIDE  # of the newest frame in an answer of 5
START = ("x", "y", "z", "roll", "pitch", "yaw", "gripper_closed")
TURN = 3.1416


@dataclass(frozen=True)
class Row:
    """latents: of the last PAST + 1 frames, each [1, 4, 72, 40], three views above each other.
    poses: at each of them, [PAST + 1, 7].   steps: so far."""

    latents: tuple[Any, ...]
    poses: np.ndarray
    text: str
    seed: int
    steps: int = 0


class CtrlWorld:
    name = "ctrl-world"
    views = ("exterior_1", "exterior_2", "wrist")
    frame_shape = (192, 320, 3)
    spec = ActionSpec(
        ("x", "y", "z", "roll", "pitch", "yaw", "gripper"),
        "absolute_pose",
        "1 m; rotation in rad",
        "euler_xyz",
        "1_closed_0_open",
        (-1.0, -1.0, -0.5, -TURN, -TURN, -TURN, 0.0),
        (1.0, 1.0, 1.5, TURN, TURN, TURN, 1.0),
        15.0,
    )
    capabilities = Capabilities(
        chunk=Chunk.exactly(STEP),
        stride=STRIDE,
        history=History(PAST + 1, STEP),
        causal=False,
        instruction=True,
        state=START,
    )

    def __init__(self, agent):
        """agent: of scripts/rollout_interact_pi.py, loaded."""
        self._agent = agent

    def begin(self, start):
        return tuple(self._row(start, b) for b in range(len(start.frames)))

    def _row(self, start, b):
        torch.manual_seed(start.seeds[b])
        frames = start.frames[b]
        known = []
        for t, views in enumerate(frames):
            same = t > 0 and np.array_equal(views, frames[t - 1])
            known.append(known[-1] if same else self._encode(views))
        # the pose at each of the frames; before the first action it is the one of the start
        past = [start.state[b], *start.actions[b][STEP - 1 :: STEP]]
        return Row(tuple(known), np.stack(past), start.instructions[b], start.seeds[b])

    def step(self, state, actions):
        """Row by row: its pipeline is asked for one."""
        done = [self._play(row, poses) for row, poses in zip(state, actions, strict=True)]
        return tuple(row for row, _ in done), np.stack([frames for _, frames in done])

    def _play(self, row, poses):
        torch.manual_seed(row.seed + row.steps + 1)
        current = row.latents[-1]
        to_come = np.vstack([row.poses[-1], poses[STRIDE - 1 :: STRIDE]])  # [5, 7]
        told = np.concatenate([row.poses[:-1], to_come])  # [11, 7]
        shown = [current[:, :, 24 * v : 24 * (v + 1)].repeat(5, 1, 1, 1) for v in range(3)]
        _, _, videos, latents = self._agent.forward_wm(
            told,
            shown,  # the ground truth, which it draws beside its own frames and does not look at
            current,
            his_cond=torch.cat(row.latents[:-1])[None],
            text=row.text,
        )
        newest = torch.cat([view[LAST_INDEX] for view in latents], dim=1)[None]
        after = replace(
            row,
            latents=(*row.latents[1:], newest),
            poses=np.vstack([row.poses[1:], poses[-1]]),
            steps=row.steps + STEP,
        )
        return after, np.stack(list(videos), axis=1)[1 : LAST_INDEX + 1]  # [4, 3, H, W, 3]

    def _encode(self, views):
        """uint8 [3, 192, 320, 3] => [1, 4, 72, 40]."""
        agent = self._agent
        image = torch.from_numpy(views.copy()).to(agent.device).to(agent.dtype)
        vae = agent.model.pipeline.vae
        with torch.no_grad():
            latent = vae.encode(image.permute(0, 3, 1, 2) / 127.5 - 1.0).latent_dist.sample()
        return torch.cat(list(latent * vae.config.scaling_factor), dim=1)[None]


def load():
    """The agent of its own script, with its policy left out."""
    import sys

    from config import wm_args
    from scripts import rollout_interact_pi as script

    script.policy_config.create_trained_policy = lambda config, folder: None
    args = wm_args()
    for name, value in zip(sys.argv[1::2], sys.argv[2::2], strict=True):
        setattr(args, name.removeprefix("--"), value)
    return script.agent(args)


if __name__ == "__main__":
    from worldgym.world.wire.world_server import serve_world

    serve_world(CtrlWorld(load()))
