"""Sets of policies for any motion: imitators of several kinds, disturbed ones and near misses, as
any_motion.json states them. The file was fixed before any of them was trained.

    worldgym reference train-policies --set any-motion --data data/train --out runs/any/held-out"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from worldgym.episodes.store import EpisodeStore
from worldgym.errors import InputError, pick
from worldgym.io.checkpoint import MANIFEST, read_config, verify_folder
from worldgym.io.files import read_json
from worldgym.io.records import from_mapping, located
from worldgym.policies.adapters.disturbed_policy import (
    DISTURBANCE_KEY,
    Disturbance,
    save_disturbed,
)
from worldgym.policies.own.retrieval import RetrievalConfig, remember
from worldgym.reference.zoo_training import train_policies

SPLIT = Path(__file__).parent / "any_motion.json"


@dataclass(frozen=True)
class Recipes:
    """Which of a set of the zoo."""

    set: str
    only: tuple[str, ...]


@dataclass(frozen=True)
class DisturbedRecipe:
    """of: name of an imitator of the same set."""

    of: str
    by: Disturbance


@dataclass(frozen=True)
class AnyMotionSet:
    """seeds: (first, end) of the start states of each task that it is scored on."""

    seeds: tuple[int, int]
    training_seed: int
    recipes: Recipes
    retrieval: Mapping[str, RetrievalConfig] = field(default_factory=dict)
    disturbed: Mapping[str, DisturbedRecipe] = field(default_factory=dict)
    near_missing: Mapping[str, DisturbedRecipe] = field(default_factory=dict)

    @property
    def kinds(self) -> dict[str, str]:
        """{policy: imitator, disturbed or near-missing}, in the order of making."""
        imitators = (*self.recipes.only, *self.retrieval)
        parts = {"imitator": imitators, "disturbed": self.disturbed}
        parts |= {"near-missing": self.near_missing}
        return {name: kind for kind, names in parts.items() for name in names}


def any_motion_set(name: str) -> AnyMotionSet:
    """InputError for a name that the file has not."""
    data = read_json(SPLIT, "the split of policies for any motion")
    data.pop("about")
    found = pick("set", name, data)
    with located(SPLIT, "restore it from the repository"):
        return from_mapping(
            AnyMotionSet, {key.replace("-", "_"): value for key, value in found.items()}
        )


def make_any_motion(
    store: Path, out: Path, name: str, device: str = "cpu", steps: int = 0
) -> list[Path]:
    """Makes what is missing in OUT/POLICY, and returns the folders. Resumes. device, steps: see
    `train_policies`."""
    asked = any_motion_set(name)
    seed = asked.training_seed
    folders = train_policies(store, out, asked.recipes.set, asked.recipes.only, seed, device, steps)
    for policy, config in asked.retrieval.items():
        if not _is_there(out / policy):
            remember(EpisodeStore(store), out / policy, policy, config)
        folders.append(out / policy)
    for policy, recipe in {**asked.disturbed, **asked.near_missing}.items():
        base = out / recipe.of
        if base not in folders:
            raise InputError(
                f"{policy} would disturb {recipe.of}, which is not an imitator of the set"
            )
        if not _is_there(out / policy, recipe.by):
            save_disturbed(base, out / policy, policy, recipe.by)
        folders.append(out / policy)
    return folders


def _is_there(folder: Path, by: Disturbance | None = None) -> bool:
    """Whether an intact checkpoint lies there, with this disturbance."""
    if not (folder / MANIFEST).exists():
        return False
    verify_folder(folder)
    saved: Any = read_config(folder).get(DISTURBANCE_KEY)
    return saved is None if by is None else saved and from_mapping(Disturbance, saved) == by
