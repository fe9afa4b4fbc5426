"""OpenVLA by transformers in a world, for one task: python openvla_policy.py FOLDER WORLD TASKS

FOLDER is a download of the weights with their Python files, which are run: read them first
(docs/policies/openvla.md)."""

import sys

import worldgym as wg
from worldgym.evaluation.rollout import roll_out
from worldgym.types import Trial

folder, world_place, tasks = sys.argv[1:]
world = wg.load_world(world_place)
meaning = "convention=bridge_v2&unnorm_key=bridge_orig"  # actions of the Bridge dataset
policy = wg.load_policy(f"openvla:{folder}?{meaning}&trust_remote_code=yes", world.spec)
task = wg.load_tasks(tasks)[0]

(rollout,) = roll_out(world, policy, [Trial(task, repeat=0, run_seed=0)])
moved = rollout.actions[:, :3].sum(axis=0)
print(f"{policy.name} was told to {task.instruction}; it moved by {moved.round(3)} m")
