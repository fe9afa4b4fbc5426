"""Where the parts of a run came from, and on which hardware it ran: for the header of its log."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

import worldgym
from worldgym.io.devices import CPU, device_name
from worldgym.io.run_records import CHECKPOINTS_KEY, ENGINE_KEY
from worldgym.policies.load_policy import Loaded
from worldgym.world.familiarity import Familiarity
from worldgym.world.model import DiffusionWorld
from worldgym.world.wire.served_world import ServedWorld


@dataclass(frozen=True)
class Origin:
    """What the names of world, policies, tasks and judge do not tell. All of it but `device`
    belongs to the run's identity.

    settings:    further entries of the header's `config`.   code: digests of policies made in this
    process, by name: see `Loaded.code`.   device: what the world computes on.
    familiarity: tells initial frames that the world does not know; None = nothing does."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    code: Mapping[str, str] = field(default_factory=dict)
    device: str = "cpu"
    familiarity: Familiarity | None = None

    @staticmethod
    def of(
        world: DiffusionWorld | ServedWorld,
        loaded: Sequence[Loaded],
        settings: Mapping[str, Any] | None = None,
        familiarity: Familiarity | None = None,
    ) -> Origin:
        """Of loaded parts. World and judge carry hashes in their names. settings: further ones."""
        told = dict(world.card.details) if isinstance(world, ServedWorld) else details_of(world)
        device = told.pop("device")
        checkpoints = {"codec": told.pop("codec"), "policies": _identities(loaded)}
        identities = {
            **told,
            CHECKPOINTS_KEY: checkpoints,
            ENGINE_KEY: _engine(told[ENGINE_KEY], device, loaded),
        }
        return Origin({**(settings or {}), **identities}, code_of(loaded), device, familiarity)

    @staticmethod
    def of_parts(loaded: Sequence[Loaded], settings: Mapping[str, Any], device: str) -> Origin:
        """Of a world that is not ours, which does not say what it computes on.   device: of what
        else was loaded."""
        told = _engine("", CPU, loaded).removeprefix(", ")
        settings = {**settings, CHECKPOINTS_KEY: {"policies": _identities(loaded)}}
        settings |= {ENGINE_KEY: told} if told else {}
        return Origin(settings, code_of(loaded), device_name(device))


def _identities(loaded: Sequence[Loaded]) -> dict[str, str | None]:
    """Of the policies, by name; see `Loaded.identity`."""
    return {known.policy.name: known.identity for known in loaded}


def _engine(world: str, device: str, loaded: Sequence[Loaded]) -> str:
    """What draws the frames, and what policies compute on where that is another device."""
    names = {device_name(known.device) for known in loaded if known.device}
    return ", ".join([world, *(f"policies {name}" for name in sorted(names - {device}))])


def details_of(world: DiffusionWorld) -> dict[str, Any]:
    """What the name of a world of ours does not tell of how it computes: what its server says too,
    so that a run in a served world has the same header."""
    return {
        "sampler": asdict(world.config.sampler),
        "codec": world.codec.fingerprint,
        "device": world.device,
        ENGINE_KEY: world.computes,
    }


def is_ours(details: Mapping[str, Any]) -> bool:
    """Whether a server's details are those of a world of ours."""
    told = (details.get("codec"), details.get("device"), details.get(ENGINE_KEY))
    return "sampler" in details and all(isinstance(one, str) for one in told)


def code_of(loaded: Sequence[Loaded]) -> dict[str, str]:
    """For `Origin.code`."""
    return {known.policy.name: known.code for known in loaded if known.code}


def environment(device: str) -> dict[str, Any]:
    """Versions and machine, for the log's header."""
    root = Path(worldgym.__file__).parents[1]
    return {
        "python": platform.python_version(),
        "worldgym": worldgym.__version__,
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "commit": _commit(root),
        "machine": f"{platform.machine()} {platform.system()}, {torch.get_num_threads()} threads",
        "device": device,
    }


def _commit(root: Path) -> str | None:
    """Of the repository that WorldGym runs from; None where it is installed, or where there is no
    git."""
    git = ["git", "rev-parse", "--show-toplevel", "HEAD"]
    try:
        told = subprocess.run(
            git, cwd=root, capture_output=True, text=True, check=False
        ).stdout.split()
    except OSError:
        return None
    # an installed copy may lie in somebody else's repository
    ours = len(told) == 2 and Path(told[0]) == root.resolve()
    return told[1] if ours else None


def now() -> str:
    """ISO time, for the log."""
    return datetime.now(UTC).isoformat(timespec="seconds")
