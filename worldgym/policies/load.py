"""Policies by name or folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from worldgym.checkpoint import read_config
from worldgym.errors import CheckpointError, InputError
from worldgym.policies import bc, diffusion
from worldgym.policies.protocol import Policy
from worldgym.policies.scripted import RandomPolicy, StillPolicy
from worldgym.policies.wire.address import is_address
from worldgym.types import ActionSpec


def load_policy(source: str | Path, spec: ActionSpec | None = None) -> Policy[Any]:
    """ "still", "random", the folder of a checkpoint, or the address of a server (ws://, http://; see `wire.address`).

    spec: the world's, which the two scripted ones speak, and to which a server's actions are converted where that is stated.
    InputError for an unknown name, CheckpointError for a folder that is not an intact policy.
    """
    if str(source) in ("still", "random"):
        if spec is None:
            raise InputError(f'the policy "{source}" needs an action spec: load it together with a world')
        return StillPolicy(spec) if str(source) == "still" else RandomPolicy(spec)
    if is_address(str(source)):
        from worldgym.policies.wire.remote import connect_policy

        return connect_policy(str(source), spec)
    folder = Path(source)
    if not folder.is_dir():
        raise InputError(f'no policy "{source}": give "still", "random", the folder of a policy checkpoint or ws://HOST:PORT')
    kind = read_config(folder).get("kind")
    if kind == bc.KIND:
        return bc.BCPolicy.load(folder)
    if kind == diffusion.KIND:
        return diffusion.DiffusionPolicy.load(folder)
    raise CheckpointError(f'{folder}: holds a "{kind}", which is not a policy; give the folder of a policy checkpoint')
