"""A world as an environment of Gymnasium (extra [gym]):

import gymnasium, worldgym.env
env = gymnasium.make("worldgym/Reference-v0")                  # the bundled world, tasks, judge
envs = gymnasium.make_vec("worldgym/Reference-v0", num_envs=8)
envs = worldgym.env.WorldVectorEnv(world, tasks, judge)        # or your own
"""

from worldgym.errors import MissingExtra

try:
    import gymnasium
except ImportError as error:
    raise MissingExtra("gymnasium", "gym", "worldgym.env") from error

from worldgym.env.reference_env import reference_env, reference_vector_env
from worldgym.env.single_env import WorldEnv
from worldgym.env.vector_env import EnvConfig, WorldVectorEnv

REFERENCE = "worldgym/Reference-v0"

__all__ = ["REFERENCE", "EnvConfig", "WorldEnv", "WorldVectorEnv"]

gymnasium.register(REFERENCE, reference_env, vector_entry_point=reference_vector_env)
