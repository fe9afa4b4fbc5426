"""Making the inverse-dynamics model of a world from the episodes it was trained on: a minute or
two on one core."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from worldgym.actions.embodiment import Embodiment
from worldgym.codecs.codec_protocol import Codec
from worldgym.episodes.store import EpisodeStore
from worldgym.errors import InputError, SpecMismatch
from worldgym.io.checkpoint import config_markdown
from worldgym.io.devices import resolve_device
from worldgym.train.latent_shards import LatentEpisodes, latent_episodes
from worldgym.train.loop import LoopOptions, training_loop
from worldgym.train.optimizer import FitConfig
from worldgym.trust.inverse_dynamics import (
    InverseDynamicsConfig,
    InverseDynamicsModel,
    InverseDynamicsNetwork,
    Meaning,
    Readable,
    responses,
)
from worldgym.trust.latent_statistics import LatentStatistics
from worldgym.types import Actions, ActionSpec

HELD_OUT = 0.1  # of the episodes
# standard deviation added to latents in training: a codec's latents are no more exact than that
NOISE = 0.1
SEEN = 6000  # frames that components and neighbours come from
CHECKED = 1000  # held-out frames that scale the drift
READ = 4000  # held-out windows that are read
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class InverseDynamicsTrainConfig:
    """store: the episodes that the world was trained on.   width, blocks, components: see
    InverseDynamicsConfig."""

    store: Path
    out: Path
    width: int = 64
    components: int = 48
    fit: FitConfig = field(
        default_factory=lambda: FitConfig(steps=600, batch=96, lr=2e-3, warmup=30)
    )


@dataclass(frozen=True)
class Windows:
    """One row per action of some episodes. frames: int [N, n] rows of the latents read for
    it.   actions: float32 [N, A]."""

    frames: Ints
    actions: Actions

    @staticmethod
    def of(data: LatentEpisodes, episodes: Ints, offsets: Sequence[int]) -> Windows:
        """Frames beyond an episode's ends are its first and last one."""
        frames, rows = [], []
        for i in episodes:
            first = data.first[i]
            count = data.lengths[i] - 1
            places = np.arange(count)[:, None] + np.asarray(offsets)
            frames.append(first + places.clip(0, count))
            # an action is kept with the frame that it led to
            rows.append(first + 1 + np.arange(count))
        actions = data.shown[np.concatenate(rows), : data.robot.spec.size]
        return Windows(np.concatenate(frames), actions)

    def draw(self, count: int, rng: np.random.Generator) -> Windows:
        """`count` of them at random, or all in their order where there are no more."""
        if count >= len(self.actions):
            return self
        picked = rng.integers(len(self.actions), size=count)
        return Windows(self.frames[picked], self.actions[picked])


def train_inverse_dynamics(
    codec: Codec, spec: ActionSpec, config: InverseDynamicsTrainConfig, device: str = "cpu"
) -> InverseDynamicsModel:
    """Trains, measures on the held-out episodes, saves to `config.out`, and returns the
    inverse-dynamics model.   device: see `resolve_device`."""
    device = resolve_device(device)
    data = latent_episodes(_checked(EpisodeStore(config.store), spec), codec, Embodiment("", spec))
    trained_on, held_out = _split(len(data))
    network = InverseDynamicsConfig(
        codec.latent_shape, spec.size, width=config.width, components=config.components
    )
    windows = Windows.of(data, trained_on, network.offsets)
    scale = windows.actions.std(0)
    scale[scale < 1e-6] = 1.0
    torch.manual_seed(config.fit.seed)
    net = InverseDynamicsNetwork(network).to(device)
    trained = training_loop(
        net,
        inverse_dynamics_loss(net, data, windows, torch.from_numpy(scale), config.fit),
        config.fit.optimizer(),
        LoopOptions("inverse dynamics", autocast=True),
    )
    trained.put_into(net)
    meaning = Meaning(codec.latents, spec, tuple(float(s) for s in scale))
    inverse_dynamics = InverseDynamicsModel(
        net, _statistics(data, trained_on, held_out, network), meaning
    )
    readable = _readable(inverse_dynamics, data, Windows.of(data, held_out, network.offsets))
    inverse_dynamics = InverseDynamicsModel(
        net, inverse_dynamics.statistics, replace(meaning, readable=readable)
    )
    facts = {
        "trained": {
            "episodes": len(trained_on),
            "fit": asdict(config.fit),
            "final_loss": trained.final_loss,
        }
    }
    inverse_dynamics.save(config.out, facts, _card(inverse_dynamics, len(held_out), config.fit))
    return InverseDynamicsModel.load(config.out, device)


def _checked(store: EpisodeStore, spec: ActionSpec) -> EpisodeStore:
    if store.spec != spec:
        raise SpecMismatch(f"store {store.root}", store.spec, "the world", spec)
    return store


def _split(count: int) -> tuple[Ints, Ints]:
    """(trained on, held out), the same for the same number of episodes."""
    if count < 2:
        raise InputError(
            f"the store holds {count} episode: an inverse-dynamics model needs two or more, one of "
            f"them to be "
            f"measured on"
        )
    order = np.random.default_rng(0).permutation(count)
    cut = max(1, round(count * HELD_OUT))
    return order[cut:], order[:cut]


def inverse_dynamics_loss(
    net: InverseDynamicsNetwork,
    data: LatentEpisodes,
    windows: Windows,
    scale: Tensor,
    config: FitConfig,
) -> Callable[[int], Tensor]:
    """Smooth L1 in standard deviations: commands that an arm cannot follow must not dominate the
    fit."""

    device = net.maps.weight.device

    def loss_at(step: int) -> Tensor:
        rng = np.random.default_rng([config.seed, step])
        picked = windows.draw(config.batch, rng)
        latents = _latents(data, picked)
        latents = latents + NOISE * torch.from_numpy(rng.standard_normal(latents.shape, np.float32))
        wanted = torch.from_numpy(picked.actions) / scale
        return F.smooth_l1_loss(net(latents.to(device)), wanted.to(device), beta=0.3)

    return loss_at


def _latents(data: LatentEpisodes, windows: Windows) -> Tensor:
    """[N, n, C, h, w]."""
    return torch.from_numpy(data.latents[windows.frames].astype(np.float32))


def _statistics(
    data: LatentEpisodes, trained_on: Ints, held_out: Ints, config: InverseDynamicsConfig
) -> LatentStatistics:
    rng = np.random.default_rng(0)

    def some(episodes: Ints, count: int) -> Tensor:
        rows = np.concatenate([data.first[i] + np.arange(data.lengths[i]) for i in episodes])
        picked = np.sort(rng.permutation(rows)[:count])
        return torch.from_numpy(data.latents[picked].astype(np.float32))

    return LatentStatistics.of(some(trained_on, SEEN), some(held_out, CHECKED), config.components)


def _readable(
    inverse_dynamics: InverseDynamicsModel, data: LatentEpisodes, windows: Windows
) -> dict[str, Readable]:
    picked = windows.draw(READ, np.random.default_rng(0))
    return responses(
        inverse_dynamics.read(_latents(data, picked)),
        picked.actions,
        inverse_dynamics.meaning.spec.names,
    )


def _card(inverse_dynamics: InverseDynamicsModel, held_out: int, config: FitConfig) -> str:
    rows = [
        f"| {name} | {'–' if r.correlation is None else f'{r.correlation:.2f}'} | "
        f"{'–' if r.slope is None else f'{r.slope:.2f}'} | {r.rms_error:.3g} |"
        for name, r in inverse_dynamics.meaning.readable.items()
    ]
    head = ["| action number | correlation | slope | rms error |", "| --- | --- | --- | --- |"]
    return (
        f"# Inverse-dynamics model\n\nReads actions off latents of the codec "
        f"{inverse_dynamics.meaning.codec}, and knows what "
        f"recorded latents look like.\n\n"
        f"Actions of {held_out} recorded episodes that were held out:\n\n"
        + "\n".join(head + rows)
        + f"\n\n## Recipe\n\n{config_markdown(asdict(config))}"
    )
