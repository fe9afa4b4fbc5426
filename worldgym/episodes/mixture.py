"""The stores that one model is trained on, and the robots in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from worldgym.actions.embodiment import Embodiment, Reach, Scaling
from worldgym.episodes.store import EpisodeStore
from worldgym.episodes.windows import Ints
from worldgym.errors import InputError
from worldgym.types import ActionSpec


@dataclass(frozen=True)
class NamedStore:
    """A store and what its robot is called."""

    name: str
    root: Path

    @staticmethod
    def parse(text: str) -> NamedStore:
        """ "NAME=FOLDER", or "FOLDER", whose last part is the name."""
        name, equals, folder = text.partition("=")
        path = Path(folder if equals else text)
        return NamedStore(name if equals else path.resolve().name, path)


@dataclass(frozen=True)
class RobotStore:
    """A store, and the robot that moved in it. Stores of one action spec are one robot's, called as
    the first of them is."""

    store: EpisodeStore
    robot: Embodiment


def open_mixture(sources: Sequence[NamedStore], normalize: bool = False) -> list[RobotStore]:
    """Opens stores that will train one model. normalize: scale the actions of a single robot too;
    several always are.

    InputError where rates or sizes of the frames differ, or two robots share a name.
    """
    if not sources:
        raise InputError("there is no episode store to train on: name one with --data")
    stores = [EpisodeStore(source.root) for source in sources]
    _check_rates(stores)
    _check_sizes(stores)
    _check_views(stores)
    names: dict[ActionSpec, str] = {}
    for source, store in zip(sources, stores, strict=True):
        if source.name in names.values() and store.spec not in names:
            raise InputError(
                f'{source.root}: another robot is called "{source.name}" too; rename one, '
                f"e.g. --data other={source.root}"
            )
        names.setdefault(store.spec, source.name)
    scaled = normalize or len(names) > 1
    robots = {
        spec: Embodiment(name, spec, _scaling(spec, stores, scaled)) for spec, name in names.items()
    }
    return [RobotStore(store, robots[store.spec]) for store in stores]


def check_shares(mix: Sequence[float], stores: int) -> None:
    """InputError unless there is one share above 0 for each store, or none at all."""
    if mix and (len(mix) != stores or min(mix) <= 0):
        raise InputError(
            f"the shares {mix} are not one above 0 for each of {stores} stores: give as many as "
            f"stores"
        )


def draw_episodes(stores: Ints, mix: Sequence[float], count: int, rng: np.random.Generator) -> Ints:
    """=> [count] any episodes; or by the shares of `mix`, as many of each store as is its share,
    give or take one.

    stores: int [stores + 1], number of the first episode of each.
    """
    if not mix:
        return rng.integers(0, stores[-1], count)
    ends = np.cumsum(mix) / sum(mix)
    store = np.searchsorted(ends[:-1], (np.arange(count) + rng.random()) / count, side="right")
    return stores[store] + rng.integers(0, np.diff(stores)[store])


def _check_rates(stores: Sequence[EpisodeStore]) -> None:
    """All stores must have the same frame rate: the network has no other notion of time."""
    first = stores[0]
    for store in stores[1:]:
        if store.fps != first.fps:
            raise InputError(
                f"{store.root} has {store.fps:g} frames per second and {first.root} {first.fps:g}, "
                f"but one model has one rate: "
                "train two, or convert the faster one with `worldgym data convert --fps`"
            )


def _check_sizes(stores: Sequence[EpisodeStore]) -> None:
    """Left alone for a single store: its frames are compared with the codec's."""
    if len(stores) == 1:
        return
    sizes = [store.frame_size() for store in stores]
    for store, size in zip(stores, sizes, strict=True):
        if size != sizes[0]:
            raise InputError(
                f"{store.root} has frames of {size[1]}x{size[0]} and {stores[0].root} of "
                f"{sizes[0][1]}x{sizes[0][0]}, but one "
                f"model has one size: convert one of them with --size {size[0]} {size[1]}"
            )


def _check_views(stores: Sequence[EpisodeStore]) -> None:
    """The views of one model are those of every store; a store of fewer has the others absent."""
    first = stores[0]
    for store in stores[1:]:
        if store.views != first.views:
            raise InputError(
                f"{store.root} has the views {', '.join(store.views)} and {first.root} "
                f"{', '.join(first.views)}, but one model has one set of them, in one order: "
                "convert one of them with --views"
            )


def _reach(spec: ActionSpec, stores: Sequence[EpisodeStore]) -> Reach:
    """Of the robot, as its stores have it; they must agree."""
    own = [store for store in stores if store.spec == spec]
    if other := next((store for store in own if store.reach != own[0].reach), None):
        raise InputError(
            f"{other.root} and {own[0].root} hold one robot's episodes, but different reaches; "
            f"make them equal"
        )
    return own[0].reach


def _scaling(spec: ActionSpec, stores: Sequence[EpisodeStore], scaled: bool) -> Scaling:
    """Measured on all actions of the robot; of its reach alone where nothing is to be scaled."""
    reach = _reach(spec, stores)
    if not scaled:
        return Scaling(reach=reach)
    actions = [store.actions(info.name) for store in stores if store.spec == spec for info in store]
    if not any(len(table) for table in actions):
        raise InputError(
            f"{stores[0].root}: holds no action to measure; convert some episodes into it first"
        )
    return Scaling.measured(spec, np.concatenate(actions), reach)
