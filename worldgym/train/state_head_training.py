"""`worldgym world train-states`: the small network that estimates the robot's state in generated
frames (`worldgym.world.state_head`).

It learns from recorded latents with added noise, because a world's latents are never exact; it is
measured on held-out recordings, and on what the world draws by their actions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from worldgym.actions.embodiment import Embodiment
from worldgym.episodes.store import EpisodeStore
from worldgym.errors import InputError
from worldgym.train.latent_shards import LatentEpisodes, latent_episodes
from worldgym.train.loop import LoopOptions, training_loop
from worldgym.train.optimizer import FitConfig
from worldgym.types import Episode, States
from worldgym.world.model import DiffusionWorld
from worldgym.world.state_head import STATE_HEAD, StateHead, StateHeadConfig
from worldgym.world.world_checkpoint import load_diffusion_world, root_of

Floats = npt.NDArray[np.float32]
NOISE = 0.3  # of latents, whose spread is 1


@dataclass(frozen=True)
class StateHeadRequest:
    """world: its folder.   data, held_out: episode stores with states."""

    world: Path
    data: Path
    held_out: Path
    fit: FitConfig = field(default_factory=lambda: FitConfig(steps=1500, batch=128))
    episodes: int = 24
    """held-out ones that the world draws"""


@dataclass(frozen=True)
class StateError:
    """Of one number, root mean squares in its own unit: spread, how far it lies from its mean;
    recorded, the head's error on recorded frames; drawn, on frames that the world draws by
    recorded actions."""

    name: str
    spread: float
    recorded: float
    drawn: float


def train_state_head(request: StateHeadRequest) -> list[StateError]:
    """Writes WORLD/state-head and returns its errors. InputError for episodes without states."""
    root = root_of(request.world)
    world = load_diffusion_world(request.world)
    robot = Embodiment("robot", world.spec, world.config.scaling)
    data = _recorded(EpisodeStore(request.data), world, robot)
    torch.manual_seed(request.fit.seed)
    net = StateHead(
        StateHeadConfig(
            data.names,
            world.config.network.stacked_shape,
            world.config.network.action_size,
            world.codec.latents,
        )
    )
    net.mean.copy_(torch.from_numpy(data.values.mean(0)))
    net.deviation.copy_(torch.from_numpy(np.maximum(data.values.std(0), 1e-4)))
    trained = training_loop(
        net, _loss(net, data, request), request.fit.optimizer(), LoopOptions("states")
    )
    trained.put_into(net)
    facts = {"trained": {"fit": asdict(request.fit), "final_loss": trained.final_loss}}
    net.save(root / STATE_HEAD, facts, f"# State head\n\nPredicts {', '.join(data.names)}.\n")
    return measure_state_head(request)


def measure_state_head(request: StateHeadRequest) -> list[StateError]:
    """On recordings held out, and on what the world draws by their actions."""
    world = load_diffusion_world(request.world)
    if world.states is None:
        raise InputError(f"{request.world}: has no state head; train one first")
    robot = Embodiment("robot", world.spec, world.config.scaling)
    store = EpisodeStore(request.held_out)
    known = _recorded(store, world, robot)
    with torch.no_grad():
        read = torch.cat(
            [
                world.states(*known.take(rows))
                for rows in np.array_split(np.arange(len(known.values)), 64)
                if len(rows)
            ]
        ).numpy()
    names = [info.name for info in store]
    picked = names[:: max(len(names) // request.episodes, 1)]
    errors = np.concatenate([drawn_errors(world, store[name]) for name in picked])
    root = [np.sqrt(np.square(e).mean(0)) for e in (read - known.values, errors)]
    spread = known.values.std(0)
    return [
        StateError(name, *map(float, row))
        for name, *row in zip(known.names, spread, *root, strict=True)
    ]


def drawn_errors(world: DiffusionWorld, episode: Episode) -> Floats:
    """[T, S]: predicted minus recorded, at every frame that the world draws by the actions."""
    assert episode.states is not None
    state = world.reset(episode.frames[:1], [0])
    told = []
    for action in episode.actions:
        state, _ = world.step(state, action[None, None])
        told.append(world.robot_states(state)[0, 0])
    found: Floats = np.stack(told) - episode.states.values[1:]
    return found


@dataclass(frozen=True)
class StateRows:
    """Frames with latents float16 [N, C, V h, w], what was shown with them [N, A] and the robot's
    state [N, S]."""

    names: tuple[str, ...]
    latents: npt.NDArray[np.float16]
    shown: Floats
    values: Floats

    def take(self, rows: npt.NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        latents = torch.from_numpy(np.ascontiguousarray(self.latents[rows])).float()
        return latents, torch.from_numpy(self.shown[rows])


def _recorded(store: EpisodeStore, world: DiffusionWorld, robot: Embodiment) -> StateRows:
    if store.spec != world.spec:
        raise InputError(f"{store.root}: its actions are not those of {world.name}")
    episodes: LatentEpisodes = latent_episodes(store, world.codec, robot)
    states = [_states(store, info.name) for info in store]
    if len(names := {tuple(one.names) for one in states}) > 1:
        raise InputError(f"{store.root}: its episodes name different states: {sorted(names)}")
    return StateRows(
        names.pop(),
        episodes.latents,
        episodes.shown,
        np.concatenate([one.values for one in states]).astype(np.float32),
    )


def _states(store: EpisodeStore, name: str) -> States:
    states = store.without_frames(name).states
    if states is None or not states.names:
        raise InputError(
            f"{store.root}: episode {name} names no states of the robot; record or convert the "
            f"store with them"
        )
    return states


def _loss(net: StateHead, data: StateRows, request: StateHeadRequest) -> Callable[[int], Tensor]:
    """Smooth L1 in units of each number's spread. A function of (seed, step)."""

    def loss_at(step: int) -> Tensor:
        rng = np.random.default_rng([request.fit.seed, step])
        rows = np.sort(rng.integers(0, len(data.values), request.fit.batch))
        latents, shown = data.take(rows)
        noise = torch.from_numpy(rng.standard_normal(latents.shape, np.float32))
        strength = torch.from_numpy(
            rng.uniform(0.0, NOISE, (len(rows), 1, 1, 1)).astype(np.float32)
        )
        wanted = (torch.from_numpy(data.values[rows]) - net.mean) / net.deviation
        return F.smooth_l1_loss(net.scaled(latents + strength * noise, shown), wanted, beta=0.2)

    return loss_at
