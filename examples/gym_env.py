"""A bundled policy in the bundled world as an environment: python examples/gym_env.py ROWS STEPS"""

import sys
import time
from dataclasses import replace

import numpy as np

import worldgym as wg
import worldgym.env

rows, steps = map(int, sys.argv[1:3])
world = wg.load_world("bundled")
tasks = [replace(task, steps=steps) for task in wg.load_tasks("bundled")[:rows]]
envs = worldgym.env.WorldVectorEnv(
    world, tasks, wg.load_judge("bundled"), worldgym.env.EnvConfig(num_envs=rows)
)
policy = wg.load_policy("bc-large", world.spec)

seen, told = envs.reset(seed=0)
memory = policy.reset(envs.trials)
returns = np.zeros(rows)
truncated = np.zeros(rows, bool)
started = time.perf_counter()
while not truncated.all():  # every row runs one trial
    memory, chunk = policy.act(memory, envs.observed(policy.needs))
    seen, reward, terminated, truncated, told = envs.step(chunk)
    returns += reward
print(f"{rows * steps / (time.perf_counter() - started):.0f} frames per second, judge included")
for trial, score in zip(envs.trials, returns, strict=True):
    print(f"{trial.key}: {score:g}")
