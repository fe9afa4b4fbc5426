"""Policies by name, folder, or module."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from worldgym.errors import InputError, did_you_mean
from worldgym.io.bundled import BUNDLE, bundled_policies
from worldgym.io.checkpoint import fingerprint, load_any
from worldgym.io.devices import resolve_device
from worldgym.io.named_source import NamedSource
from worldgym.io.user_factory import check_no_module, files_of
from worldgym.policies.adapters.converted import spoken_in
from worldgym.policies.adapters.disturbed_policy import disturbed_as_saved
from worldgym.policies.adapters.user_policy import own_policy
from worldgym.policies.adapters.wrapped import renamed
from worldgym.policies.own import bc, diffusion, retrieval
from worldgym.policies.own.scripted import RandomPolicy, StillPolicy
from worldgym.policies.policy_protocol import Policy
from worldgym.policies.wire.address import is_address
from worldgym.types import ActionSpec

# a name as in policies/policy_protocol.py, but without blanks
GIVEN_NAME = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_.@+-]{0,99})=(.+)")
SCRIPTED = ("still", "random")
OTHERS = ("lerobot", "openvla")  # frameworks whose policies run in this process
MADE_HERE = re.compile(rf"({'|'.join(OTHERS)}):.*|[\w.]+:\w+(\?.*)?", re.DOTALL)


def given_name(source: str | Path) -> tuple[str, str]:
    """ "grasp@20k=runs/20000" => ("grasp@20k", "runs/20000"); ("", source) where no name is
    given."""
    found = GIVEN_NAME.fullmatch(str(source))
    return ("", str(source)) if found is None else (found[1], found[2])


@dataclass(frozen=True)
class Loaded:
    """identity: distinguishes the policy from others of its name, when a run is resumed; None for
    the scripted ones.

    code: of a policy made in this process, a digest of the source and the files that it is made of;
    of a scripted one under another name, its own; "" of others.
    device: what a policy of ours computes on, see `resolve_device`; "" of others.
    """

    policy: Policy[Any]
    identity: str | None
    code: str = ""
    device: str = ""


def load_policy(
    source: str | Path, spec: ActionSpec | None = None, device: str = "auto"
) -> Policy[Any]:
    """The policy of `load`."""
    return load(source, spec, device).policy


def load(
    source: str | Path,
    spec: ActionSpec | None = None,
    device: str = "auto",
    apart: bool = False,
) -> Loaded:
    """ "still", "random", the folder of a checkpoint, the name of a bundled policy ("bc-large"),
    the address of a server (ws://, http://; see `wire.address`),
    "lerobot:DIR", "openvla:DIR", or "MODULE:FACTORY" of the user's own; with NAME= before it to be
    called so in this run.

    spec: the world's; the two scripted ones use it, and actions are converted to it if a conversion
    is registered. InputError for an unknown name, CheckpointError for a folder that is not an
    intact policy.
    device: of the networks of ours, of LeRobot and of OpenVLA: see `resolve_device`.   apart: the
    world computes on another device, and continues with other trials meanwhile."""
    device = resolve_device(device)
    name, source = given_name(source)
    if name in SCRIPTED and source in SCRIPTED and name != source:
        raise InputError(
            f'the policy "{source}" cannot be called "{name}", which is another scripted policy; '
            f"choose another name"
        )
    if source in SCRIPTED:
        scripted = _scripted(source, spec)
        scripted.name = name or source
        return Loaded(scripted, None, source if name else "")
    if name:
        found = load(source, spec, device, apart)
        return replace(found, policy=renamed(found.policy, name))
    if is_address(source):
        from worldgym.policies.wire.remote import connect_policy

        remote = connect_policy(source)
        return Loaded(spoken_in(remote, spec), remote.identity)
    if MADE_HERE.fullmatch(source) and not os.path.exists(source):
        parsed = NamedSource.parse(source)
        policy = _made_here(parsed, device, apart)
        own = [] if parsed.kind in OTHERS else files_of(parsed, policy)
        return Loaded(spoken_in(policy, spec), parsed.identity, parsed.code(own))
    return _from_folder(source, device, apart)


def _scripted(source: str, spec: ActionSpec | None) -> StillPolicy | RandomPolicy:
    if spec is None:
        raise InputError(
            f'the policy "{source}" needs an action spec: load it together with a world'
        )
    return StillPolicy(spec) if source == "still" else RandomPolicy(spec)


def _from_folder(source: str, device: str, apart: bool) -> Loaded:
    """The checkpoint in a folder, or the bundled one of this name."""
    folder = (
        BUNDLE / "policies" / source
        if source in bundled_policies() and not os.path.exists(source)
        else Path(source)
    )
    if not os.path.isdir(folder):
        check_no_module("policy", source)
        hint = did_you_mean(source, ["still", "random", *bundled_policies()])
        raise InputError(
            f'no policy "{source}"{hint}: give "still", "random", the folder of a policy '
            f"checkpoint, ws://HOST:PORT, "
            f"MODULE:FACTORY, or one of the bundled world's: {', '.join(bundled_policies())}"
        )
    network = _network(folder, device)
    network.needs = replace(network.needs, elsewhere=apart)
    policy = disturbed_as_saved(network, folder)
    return Loaded(policy, fingerprint(folder), device=device)


Saved = bc.BCPolicy | diffusion.DiffusionPolicy | retrieval.RetrievalPolicy


def _network(folder: Path, device: str) -> Saved:
    """A WorldGym policy, from its checkpoint."""
    loaders: Mapping[str, Callable[[Path], Saved]] = {
        bc.KIND: partial(bc.BCPolicy.load, device=device),
        diffusion.KIND: partial(diffusion.DiffusionPolicy.load, device=device),
        retrieval.KIND: retrieval.RetrievalPolicy.load,  # too small for a device
    }
    return load_any(folder, loaders, "a policy")


def _made_here(source: NamedSource, device: str, apart: bool) -> Policy[Any]:
    """A policy of another framework, or the user's own, that runs in this process."""
    if source.kind == "lerobot":
        from worldgym.policies.adapters.lerobot_policy import load_lerobot

        lerobot = load_lerobot(source, device)
        lerobot.needs = replace(lerobot.needs, elsewhere=apart)
        return lerobot
    if source.kind == "openvla":
        from worldgym.policies.adapters.openvla_policy import load_openvla

        openvla = load_openvla(source, device)
        openvla.needs = replace(openvla.needs, elsewhere=apart)
        return openvla
    return own_policy(source)
