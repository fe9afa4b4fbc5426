"""DreamDojo's teacher as a world: in its own environment, from its repository's folder

    pip install --no-deps worldgym && pip install websockets msgpack
    PYTHONPATH=. python .../dreamdojo.py CONFIG CHECKPOINT EXPERIMENT gr1.json 0
    worldgym evaluate --world ws://127.0.0.1:8000 ...

Read from DreamDojo 75e2c17 (cosmos_predict2/action_conditioned.py, docs/POSTTRAIN.md). RUN: this
file against a stand-in with the signature of its inference class, tests/test_world_examples.py.
NOT RUN: the model, 2 or 14 billion weights under NVIDIA's terms, and `load` below. Its own script
hands over `lam_video`, cut from the true video. In closed loop there is none; none is given here,
and nobody has said what that costs. The student (4 actions a step, 10 frames per second) has
another interface, and its two scripts disagree about it: it is not served here.

Exactly 12 actions a step, in aligned blocks of 4: a joint's number is its distance from the last
action before its block. Told are joint positions, by a convention of yours in JSON (see
`worldgym data conventions`), and the slot of the robot among the 384 numbers: GR-1 0, G1 58, YAM
101, AgiBot 147."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from worldgym.io.records import from_mapping
from worldgym.types import ActionSpec
from worldgym.world.capabilities import Capabilities, Chunk

STEP, BLOCK, SLOTS = 12, 4, 384
SEEDS = 2**31


@dataclass(frozen=True)
class Row:
    """frame: uint8 [H, W, 3].   joints: those told last, [h, A].   steps: so far."""

    frame: np.ndarray
    joints: np.ndarray
    seed: int
    steps: int = 0


class DreamDojoWorld:
    name = "dreamdojo"
    views = ("ego",)

    def __init__(self, inference, spec, slot, frame_shape=(480, 640, 3), guidance=0):
        """inference: a Video2WorldInference, loaded.   spec: of joint positions.   slot: first of
        its numbers among the 384."""
        self._inference = inference
        self._slot = slot
        self._guidance = guidance
        self.spec = spec
        self.frame_shape = frame_shape
        self.capabilities = Capabilities(
            chunk=Chunk.exactly(STEP),
            causal=False,
            rewind=True,  # it continues from the last frame as pixels
            state=spec.names,
            returns=spec.names,
        )

    def begin(self, start):
        rows = zip(start.frames, start.state, start.seeds, strict=True)
        return [Row(frames[-1, 0], state[None], seed) for frames, state, seed in rows]

    def step(self, state, actions):
        done = [self._play(row, joints) for row, joints in zip(state, actions, strict=True)]
        return [row for row, _ in done], np.stack([frames for _, frames in done])[:, :, None]

    def robot_states(self, state):
        """What was told: nobody knows more of the robot here."""
        return np.stack([row.joints for row in state])

    def _play(self, row, joints):
        import torch

        video = np.zeros((1, STEP + 1, *row.frame.shape), np.uint8)
        video[0, 0] = row.frame
        answer = self._inference.generate_vid2world(
            prompt="",
            input_path=torch.from_numpy(video).permute(0, 4, 1, 2, 3),  # [B, C, T, H, W]
            action=torch.from_numpy(self._slotted(row.joints[-1], joints)),
            guidance=self._guidance,
            num_video_frames=STEP + 1,
            num_latent_conditional_frames=1,
            resolution=f"{row.frame.shape[0]},{row.frame.shape[1]}",
            seed=(row.seed + row.steps) % SEEDS,
            lam_video=None,
        )
        shown = (answer[0].float() / 2 + 0.5).clamp(0, 1).permute(1, 2, 3, 0) * 255
        frames = shown.cpu().numpy().astype(np.uint8)[1:]  # without the given frame
        return Row(frames[-1], joints, row.seed, row.steps + STEP), frames

    def _slotted(self, last, joints):
        """[A], [12, A] => float32 [12, 384]: distances from the action before each block."""
        before = np.vstack([last, joints[BLOCK - 1 : -1 : BLOCK]]).repeat(BLOCK, axis=0)
        out = np.zeros((STEP, SLOTS), np.float32)
        out[:, self._slot : self._slot + self.spec.size] = joints - before
        return out


def load(config, checkpoint, experiment, convention, slot):
    from cosmos_predict2._src.predict2.inference.video2world import Video2WorldInference

    inference = Video2WorldInference(
        experiment_name=experiment,
        ckpt_path=Path(checkpoint),
        s3_credential_path="",
        context_parallel_size=1,
        config_file=config,
    )
    spec = from_mapping(ActionSpec, json.loads(Path(convention).read_text(encoding="utf-8")))
    return DreamDojoWorld(inference, spec, int(slot))


if __name__ == "__main__":
    from worldgym.world.wire.world_server import serve_world

    serve_world(load(*sys.argv[1:]))
