"""WorldGym: how often would a robot policy succeed, how sure are we, and can this world model be
trusted?"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worldgym.actions.conventions import convention
    from worldgym.api import Run, agreement, compare, evaluate
    from worldgym.errors import (
        CheckpointError,
        InputError,
        MissingExtra,
        SpecMismatch,
        WorldGymError,
    )
    from worldgym.judges.judge_protocol import Judge
    from worldgym.judges.load_judge import load_judge
    from worldgym.policies.load_policy import load_policy
    from worldgym.policies.policy_protocol import Needs, Observation, Policy
    from worldgym.tasks.task_folder import load_tasks
    from worldgym.types import ActionSpec, Episode, Rollout, Task, Trial, Verdict
    from worldgym.world.world_protocol import World
    from worldgym.world.world_source import load_world

__version__ = "0.1.0"

__all__ = [
    "ActionSpec",
    "CheckpointError",
    "Episode",
    "InputError",
    "Judge",
    "MissingExtra",
    "Needs",
    "Observation",
    "Policy",
    "Rollout",
    "Run",
    "SpecMismatch",
    "Task",
    "Trial",
    "Verdict",
    "World",
    "WorldGymError",
    "__version__",
    "agreement",
    "compare",
    "convention",
    "evaluate",
    "load_judge",
    "load_policy",
    "load_tasks",
    "load_world",
]
_HOMES = {
    "actions.conventions": ("convention",),
    "api": ("Run", "agreement", "compare", "evaluate"),
    "errors": ("CheckpointError", "InputError", "MissingExtra", "SpecMismatch", "WorldGymError"),
    "judges.judge_protocol": ("Judge",),
    "judges.load_judge": ("load_judge",),
    "policies.load_policy": ("load_policy",),
    "policies.policy_protocol": ("Needs", "Observation", "Policy"),
    "tasks.task_folder": ("load_tasks",),
    "types": ("ActionSpec", "Episode", "Rollout", "Task", "Trial", "Verdict"),
    "world.world_source": ("load_world",),
    "world.world_protocol": ("World",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    """A public name is imported when it is first asked for: `import worldgym` loads neither torch
    nor NumPy."""
    if name not in _HOME:
        raise AttributeError(f"module 'worldgym' has no attribute {name!r}")
    found = getattr(import_module(f"worldgym.{_HOME[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
