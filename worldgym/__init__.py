"""WorldGym: how often would a robot policy succeed, how sure are we, and may this world model be
believed?"""

from worldgym.errors import CheckpointError, InputError, MissingExtra, SpecMismatch, WorldGymError
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
