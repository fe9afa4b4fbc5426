"""Cosmos-Predict2 and Cosmos-Predict2.5, action-conditioned, as a world: in their own environment

    pip install --no-deps worldgym && pip install websockets msgpack
    python cosmos_predict.py predict2          # or: predict2.5 CONFIG CHECKPOINT EXPERIMENT
    worldgym evaluate --world ws://127.0.0.1:8000 ...

Read from cosmos-predict2 599394a (examples/video2world_action.py) and cosmos-predict2.5 687da63
(cosmos_predict2/action_conditioned.py). RUN: this file against stand-ins with their signatures,
tests/test_world_examples.py. NOT RUN: the models (32 GB of GPU memory), `predict2`, `predict2_5`.

Exactly 12 actions a step, one frame an action, every frame depends on all 12. A step starts from
the last frame as pixels, so a state is that frame and the pose, and --align hold works. The first
frame of an answer is the given one again and is dropped. Their scripts seed by the action's number,
the same in every trial; here each trial and each step has its own."""

import sys
from dataclasses import dataclass

import numpy as np
from gripper_moves import START, gripper_moves, pose_spec

from worldgym.world.capabilities import Capabilities, Chunk

STEP = 12
SEEDS = 2**31


@dataclass(frozen=True)
class Row:
    """frame: uint8 [H, W, 3].   poses: those told last, [h, 7].   steps: so far."""

    frame: np.ndarray
    poses: np.ndarray
    seed: int
    steps: int = 0


class CosmosWorld:
    views = ("main",)
    capabilities = Capabilities(
        chunk=Chunk.exactly(STEP), causal=False, rewind=True, state=START, returns=START
    )

    def __init__(self, generate, name, frame_shape=(480, 640, 3), rate_hz=5.0):
        """generate(frame, moves [12, 7], seed) => uint8 [13, H, W, 3], the given frame first."""
        self._generate = generate
        self.name = name
        self.frame_shape = frame_shape
        self.spec = pose_spec(rate_hz)

    def begin(self, start):
        return tuple(
            Row(frames[-1, 0], state[None], seed)
            for frames, state, seed in zip(start.frames, start.state, start.seeds, strict=True)
        )

    def step(self, state, actions):
        """Row by row: their pipelines take one."""
        rows = []
        drawn = []
        for row, poses in zip(state, actions, strict=True):
            seed = (row.seed + row.steps) % SEEDS
            frames = self._generate(row.frame, gripper_moves(row.poses[-1], poses), seed)[1:]
            rows.append(Row(frames[-1], poses, row.seed, row.steps + STEP))
            drawn.append(frames)
        return tuple(rows), np.stack(drawn)[:, :, None]

    def robot_states(self, state):
        """The poses that were told, which is all that anybody knows of the robot here."""
        return np.stack([row.poses for row in state])


def predict2(guidance=7):
    """Cosmos-Predict2-2B-Sample-Action-Conditioned: `generate` of its pipeline."""
    import torch
    from cosmos_predict2.configs.action_conditioned.config import (
        PREDICT2_VIDEO2WORLD_PIPELINE_2B_ACTION_CONDITIONED as CONFIG,
    )
    from cosmos_predict2.pipelines.video2world_action import Video2WorldActionConditionedPipeline

    pipe = Video2WorldActionConditionedPipeline.from_config(
        config=CONFIG,
        dit_path="checkpoints/nvidia/Cosmos-Predict2-2B-Sample-Action-Conditioned/"
        "model-480p-4fps.pth",
        text_encoder_path="",
        device="cuda",
        torch_dtype=torch.bfloat16,
        load_ema_to_reg=False,
        load_prompt_refiner=False,
    )
    return of_pipeline(pipe, guidance)


def of_pipeline(pipe, guidance):
    def generate(frame, moves, seed):
        video = pipe(frame, moves, num_conditional_frames=1, guidance=guidance, seed=seed)
        return pixels(video[0])

    return generate


def predict2_5(config, checkpoint, experiment, guidance=7):
    """A checkpoint of Cosmos-Predict2.5: `generate` of its inference class."""
    from cosmos_predict2._src.predict2.inference.video2world import Video2WorldInference

    return of_inference(
        Video2WorldInference(
            experiment_name=experiment,
            ckpt_path=checkpoint,
            s3_credential_path="",
            context_parallel_size=1,
            config_file=config,
        ),
        guidance,
    )


def of_inference(inference, guidance):
    import torch

    def generate(frame, moves, seed):
        video = np.zeros((1, len(moves) + 1, *frame.shape), np.uint8)
        video[0, 0] = frame
        answer = inference.generate_vid2world(
            prompt="",
            input_path=torch.from_numpy(video).permute(0, 4, 1, 2, 3),  # [B, C, T, H, W]
            action=torch.from_numpy(moves),
            guidance=guidance,
            num_video_frames=len(moves) + 1,
            num_latent_conditional_frames=1,
            resolution=f"{frame.shape[0]},{frame.shape[1]}",
            seed=seed,
        )
        return pixels(answer[0])

    return generate


def pixels(video):
    """[C, T, H, W] in [-1, 1] => uint8 [T, H, W, 3]."""
    shown = (video.float() / 2 + 0.5).clamp(0, 1).permute(1, 2, 3, 0) * 255
    return shown.cpu().numpy().astype(np.uint8)


if __name__ == "__main__":
    from worldgym.world.wire.world_server import serve_world

    kind, *rest = sys.argv[1:]
    serve_world(CosmosWorld(predict2() if kind == "predict2" else predict2_5(*rest), kind))
