"""What products of 8-bit floats would cost in fidelity: the bundled world in float32, in bfloat16,
and in bfloat16 with its linear layers in float8, on the same actions and noise.

    python benchmarks/float8_agreement.py

Weights are scaled per output and inputs per row, both to float8_e4m3fn, and multiplied by
`torch._scaled_mm`: what torchao's `Float8DynamicActivationFloat8WeightConfig(PerRow())` does on a
GPU that has such products. A CPU computes the same numbers slowly, so no speed is measured.
Layers whose sides are no multiples of 16, which a GPU refuses, stay as they are.
"""

from __future__ import annotations

import argparse
from copy import deepcopy

import numpy as np
import numpy.typing as npt
import torch
from machine import note
from torch import Tensor, nn

from worldgym.evaluation.rollout import roll_out
from worldgym.io.bundled import BUNDLE
from worldgym.judges.classifier import ClassifierJudge
from worldgym.native.memory import keep_freed_memory
from worldgym.policies.load_policy import load_policy
from worldgym.tasks.task_folder import load_tasks
from worldgym.types import Frames, Rollout, Trial
from worldgym.world.model import DiffusionWorld
from worldgym.world.world_checkpoint import load_diffusion_world

LARGEST = torch.finfo(torch.float8_e4m3fn).max
HORIZONS = (1, 10, 40)
Latents = npt.NDArray[np.float32]


class Float8Linear(nn.Module):
    """An `nn.Linear` whose product is one of 8-bit floats, summed in float32."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.weight, self.scale = scaled(layer.weight)
        self.bias = layer.bias

    def forward(self, x: Tensor) -> Tensor:
        """x [..., I] => [..., O]."""
        rows, scale = scaled(x.flatten(0, -2))
        out: Tensor = torch._scaled_mm(
            rows, self.weight.t(), scale, self.scale.t().contiguous(), out_dtype=x.dtype
        )
        out = out if self.bias is None else out + self.bias
        shaped: Tensor = out.unflatten(0, x.shape[:-1])
        return shaped


def scaled(x: Tensor) -> tuple[Tensor, Tensor]:
    """x [R, I] => (float8 [R, I], float32 [R, 1]), whose product it is but for rounding."""
    scale = x.float().abs().amax(-1, keepdim=True).clamp(min=1e-12) / LARGEST
    return (x.float() / scale).to(torch.float8_e4m3fn), scale


def in_float8(world: DiffusionWorld) -> DiffusionWorld:
    network = deepcopy(world.network)
    for module in list(network.modules()):
        for name, layer in module.named_children():
            if isinstance(layer, nn.Linear) and not any(side % 16 for side in layer.weight.shape):
                setattr(module, name, Float8Linear(layer))
    known = (world.config, world.network, world.codec, world.name, world.dtype)
    return DiffusionWorld(*known, network, world.states)


def replayed(world: DiffusionWorld, rollouts: list[Rollout]) -> tuple[Frames, Latents]:
    """Frames [B, T, V, H, W, 3] and latents [B, T, C, h, w] of their actions, open loop."""
    first = np.stack([rollout.frames[0] for rollout in rollouts])
    state = world.reset(first, range(len(rollouts)))
    frames, latents = [first[:, None]], []
    for action in np.stack([rollout.actions for rollout in rollouts], 1):
        state, new = world.step(state, action[:, None].astype(np.float32))
        frames.append(new)
        latents.append(state.context.latents[:, -1].float().numpy())
    return np.concatenate(frames, 1), np.stack(latents, 1)


def line(
    name: str, frames: Frames, latents: Latents, true: Frames, exact: Latents, judged: str
) -> str:
    error = np.square(frames.astype(np.float32) - true).mean((0, 2, 3, 4, 5))
    levels = [f"{10 * np.log10(255**2 / error[h]):.1f}" for h in HORIZONS]
    drift = [
        f"{np.square(latents[:, h - 1] - exact[:, h - 1]).mean() ** 0.5 / exact.std():.3f}"
        for h in HORIZONS
    ]
    return f"| {name} | {' | '.join([*levels, *drift, judged])} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=40, help="of the bundled tasks' 200")
    parser.add_argument("--steps", type=int, nargs="+", default=[1, 10], help="of the sampler")
    parser.add_argument("--policy", default="bc-large")
    asked = parser.parse_args()
    keep_freed_memory()
    exact, half = (
        load_diffusion_world(BUNDLE / "world", dtype=name) for name in ("float32", "bfloat16")
    )
    worlds = {"float32": exact, "bfloat16": half, "float8 products": in_float8(half)}
    judge = ClassifierJudge.load(BUNDLE / "judge")
    tasks = load_tasks(BUNDLE / "tasks")
    trials = [Trial(task, 0, 0) for task in tasks[:: max(1, len(tasks) // asked.trials)]]
    policy = load_policy(asked.policy, exact.spec)
    heads = [*(f"dB at {h}" for h in HORIZONS), *(f"latent rms at {h}" for h in HORIZONS)]
    lines = [
        f"| steps | numbers | {' | '.join(heads)} | verdicts as float32's |",
        "|" + " --- |" * 9,
    ]
    for steps in asked.steps:
        rollouts = roll_out(exact.with_sampler(steps=steps), policy, trials)
        rollouts = [rollout for rollout in rollouts if len(rollout.actions) >= max(HORIZONS)]
        found = {
            name: replayed(world.with_sampler(steps=steps), rollouts)
            for name, world in worlds.items()
        }
        verdicts = {
            name: [
                judge(Rollout(one.trial, name, video, one.actions), one.trial.task).score
                for one, video in zip(rollouts, frames, strict=True)
            ]
            for name, (frames, _) in found.items()
        }
        success = {k: np.array([s is not None and s > 0.5 for s in v]) for k, v in verdicts.items()}
        for name in list(worlds)[1:]:
            same = int((success[name] == success["float32"]).sum())
            judged = f"{same} of {len(rollouts)}"
            lines.append(f"| {steps} " + line(name, *found[name], *found["float32"], judged))
    lines += ["", f"Against float32, {len(trials)} trials of {asked.policy}, its actions replayed."]
    note("Float8 products: `python benchmarks/float8_agreement.py`", lines)


if __name__ == "__main__":
    main()
