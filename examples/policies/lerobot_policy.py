"""A LeRobot policy in a world, for one task: python lerobot_policy.py FOLDER WORLD TASKS

FOLDER is what LeRobot's `save_pretrained` wrote, here of a policy that moves a gripper and reads no
state (docs/policies/lerobot.md)."""

import sys

import worldgym as wg
from worldgym.evaluation.rollout import roll_out
from worldgym.types import Trial

folder, world_place, tasks = sys.argv[1:]
world = wg.load_world(world_place)
policy = wg.load_policy(f"lerobot:{folder}?convention=metaworld", world.spec)
task = wg.load_tasks(tasks)[0]

(rollout,) = roll_out(world, policy, [Trial(task, repeat=0, run_seed=0)])
print(f"{policy.name}: {policy.chunk} actions an answer, {len(rollout.actions)} in {task.name}")
print(f"how often it closed the gripper: {(rollout.actions[:, 3] > 0).mean():.0%}")
