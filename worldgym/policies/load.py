"""Policies by name or folder."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from worldgym.checkpoint import read_config
from worldgym.errors import CheckpointError, InputError
from worldgym.policies import bc
from worldgym.policies.protocol import Policy
from worldgym.policies.renamed import Renamed
from worldgym.policies.scripted import RandomPolicy, StillPolicy
from worldgym.types import ActionSpec

GIVEN_NAME = re.compile(r"([\w@+-][\w.@+-]*)=(.+)")


def given_name(source: str | Path) -> tuple[str, str]:
    """ "grasp@20k=runs/20000" => ("grasp@20k", "runs/20000"); ("", source) where no name is given."""
    found = GIVEN_NAME.fullmatch(str(source))
    return ("", str(source)) if found is None else (found[1], found[2])


def load_policy(source: str | Path, spec: ActionSpec | None = None) -> Policy[Any]:
    """ "still", "random", or the folder of a checkpoint, with NAME= before it to be called so in this run. `spec` (the world's)
    is what the two scripted ones speak.

    InputError for an unknown name, CheckpointError for a folder that is not an intact policy.
    """
    name, source = given_name(source)
    if name:
        return Renamed(load_policy(source, spec), name)
    if str(source) in ("still", "random"):
        if spec is None:
            raise InputError(f'the policy "{source}" needs an action spec: load it together with a world')
        return StillPolicy(spec) if str(source) == "still" else RandomPolicy(spec)
    folder = Path(source)
    if not folder.is_dir():
        raise InputError(f'no policy "{source}": give "still", "random" or the folder of a policy checkpoint')
    kind = read_config(folder).get("kind")
    if kind == bc.KIND:
        return bc.BCPolicy.load(folder)
    raise CheckpointError(f'{folder}: holds a "{kind}", which is not a policy; give the folder of a policy checkpoint')
