"""WorldGym: how often would a robot policy succeed, how sure are we, and may this world model be
believed?"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worldgym.errors import (
        CheckpointError,
        InputError,
        MissingExtra,
        SpecMismatch,
        WorldGymError,
    )
    from worldgym.types import ActionSpec, Episode, Rollout, Task, Trial, Verdict

__version__ = "0.1.0"

__all__ = [
    "ActionSpec",
    "CheckpointError",
    "Episode",
    "InputError",
    "MissingExtra",
    "Rollout",
    "SpecMismatch",
    "Task",
    "Trial",
    "Verdict",
    "WorldGymError",
    "__version__",
]
_ERRORS = ("CheckpointError", "InputError", "MissingExtra", "SpecMismatch", "WorldGymError")


def __getattr__(name: str) -> object:
    """A public name is imported when it is first asked for, so that `import worldgym` is quick."""
    if name not in __all__:
        raise AttributeError(f"module 'worldgym' has no attribute {name!r}")
    found = getattr(import_module("worldgym.errors" if name in _ERRORS else "worldgym.types"), name)
    globals()[name] = found
    return found
