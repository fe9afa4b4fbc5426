"""The same trials of a policy through the Gymnasium environment and through `roll_out`, in turn:
frames per second of each. Frames are equal to the bit; nobody judges."""

from __future__ import annotations

import argparse
import time

import numpy as np
from machine import note

from worldgym.env import EnvConfig, WorldVectorEnv
from worldgym.env.reference_env import reference_vector_env
from worldgym.evaluation.rollout import roll_out
from worldgym.policies.load_policy import load_policy
from worldgym.policies.policy_protocol import Policy
from worldgym.types import Frames, Trial


def through_env(envs: WorldVectorEnv, policy: Policy[object], trials: list[Trial]) -> Frames:
    """[N, T/h, H, W, 3]: the newest frame after every step."""
    envs.reset(options={"trials": trials})
    memory = policy.reset(trials)
    newest = []
    truncated = np.zeros(len(trials), np.bool_)
    while not truncated.any():
        memory, chunk = policy.act(memory, envs.observed(policy.needs))
        seen, _, _, truncated, _ = envs.step(chunk)
        newest.append(seen["views"]["main"])
    return np.stack(newest, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--policy", default="bc-large")
    asked = parser.parse_args()
    loaded = reference_vector_env(judge=None)
    policy = load_policy(asked.policy, loaded.world.spec)
    trials = [Trial(task, 0, 0) for task in loaded.tasks[: asked.rows]]
    config = EnvConfig(asked.rows, chunk=policy.chunk)
    envs = WorldVectorEnv(loaded.world, loaded.tasks, config=config)
    seconds: dict[str, list[float]] = {"environment": [], "roll_out": []}
    for _ in range(asked.rounds + 1):
        started = time.perf_counter()
        seen = through_env(envs, policy, trials)
        between = time.perf_counter()
        rollouts = roll_out(loaded.world, policy, trials)
        seconds["environment"].append(between - started)
        seconds["roll_out"].append(time.perf_counter() - between)
        drawn = np.stack([rollout.main[policy.chunk :: policy.chunk] for rollout in rollouts])
        assert np.array_equal(seen, drawn)
    frames = sum(trial.task.steps for trial in trials)
    rates = {way: frames / min(found[1:]) for way, found in seconds.items()}  # the first warms up
    note(
        f"The Gymnasium environment against roll_out: {asked.policy}, {asked.rows} rows",
        [
            *(f"- {way}: {rate:.1f} frames per second" for way, rate in rates.items()),
            f"- ratio {rates['environment'] / rates['roll_out']:.3f}, frames equal to the bit",
        ],
    )


if __name__ == "__main__":
    main()
