"""Trains a behaviour-cloning policy from an episode store.

Labels are what an expert would have done at every visited state (`extras["expert"]`), good episodes and bad alike: the
policy then knows the way back from a mistake. A store without them is cloned as executed, from its successes only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from worldgym.checkpoint import describe
from worldgym.episodes.frames import FrameCache, frame_cache
from worldgym.episodes.store import EpisodeInfo, EpisodeStore
from worldgym.errors import InputError
from worldgym.language import instruction_features
from worldgym.learning import FitConfig, fit
from worldgym.policies.bc import BCConfig, BCNet, BCPolicy
from worldgym.policies.bounds import to_unit
from worldgym.types import Actions, ActionSpec, Frames
from worldgym.vision import TrunkConfig, shifted

Mask = npt.NDArray[np.float32]


@dataclass(frozen=True)
class BCTrainConfig:
    """One policy: data, network, optimizer."""

    store: Path
    out: Path
    name: str = "bc"
    chunk: int = 1
    hidden: int = 256
    trunk: TrunkConfig = field(default_factory=TrunkConfig)
    episodes: int = 0
    """episodes an instruction; 0 = all"""
    tasks: tuple[str, ...] = ()
    """only episodes whose extras["task"] is one of these; empty = all"""
    imitate: str = "expert"
    """"expert": the expert's labels at visited states; "executed": what was done, mistakes included"""
    path_tolerance: float = 0.5
    """later actions of a chunk count while executed and expert actions differ by less than this on average, in [-1, 1]"""
    shift: int = 2
    """random shift of the image, pixels"""
    fit: FitConfig = field(default_factory=FitConfig)


@dataclass(frozen=True)
class Samples:
    """Row i of `pixels` at `rows[i]` is answered by `chunks[i]` [h, A] in [-1, 1] where `mask[i]` [h] is 1."""

    pixels: Frames
    rows: npt.NDArray[np.int64]
    instruction: npt.NDArray[np.int64]
    instructions: tuple[str, ...]
    chunks: npt.NDArray[np.float32]
    mask: Mask

    def __len__(self) -> int:
        return len(self.rows)


def train_bc(config: BCTrainConfig) -> BCPolicy:
    """Trains, saves to `config.out`, and returns the policy."""
    store = EpisodeStore(config.store)
    cache = frame_cache(store)
    samples = make_samples(cache, config)
    torch.manual_seed(config.fit.seed)
    height, width = cache.pixels.shape[1:3]
    net = BCNet(BCConfig((height, width), store.spec.size, config.chunk, config.hidden, config.trunk))
    losses = fit(net, bc_loss(net, samples, config), config.fit, config.name)
    trained = trained_facts(config, samples, losses)
    policy = BCPolicy(net, store.spec, config.name)
    policy.save(config.out, trained, card(config, trained))
    return policy


def make_samples(cache: FrameCache, config: BCTrainConfig) -> Samples:
    """Every visited state with its chunk of labels. InputError if no episode is left."""
    infos = chosen_episodes(cache.store, config)
    instructions = tuple(sorted({info.instruction for info in infos}))
    rows, texts, chunks, masks = [], [], [], []
    for info in infos:
        episode, first = cache.episode(info.name), cache.spans[info.name][0]
        executed = to_unit(episode.actions, episode.spec)
        labels = expert_labels(episode.extras.get("expert"), executed, episode.spec, config.imitate)
        steps = np.arange(len(episode))
        window = steps[:, None] + np.arange(config.chunk)
        rows.append(first + steps)
        texts.append(np.full(len(steps), instructions.index(info.instruction)))
        chunks.append(labels[np.minimum(window, steps[-1])])
        masks.append(label_mask(executed, labels, config.chunk, config.path_tolerance))
    joined = [np.concatenate(parts) for parts in (rows, texts, chunks, masks)]
    return Samples(cache.pixels, joined[0], joined[1], instructions, joined[2], joined[3])


def chosen_episodes(store: EpisodeStore, config: BCTrainConfig) -> list[EpisodeInfo]:
    """The first `episodes` of each instruction, in the order of the store."""
    counts: dict[str, int] = {}
    chosen = []
    for info in store:
        if config.tasks and info.extras.get("task") not in config.tasks:
            continue
        if counts.setdefault(info.instruction, 0) < (config.episodes or len(store)):
            counts[info.instruction] += 1
            chosen.append(info)
    if not chosen:
        raise InputError(f"{store.root}: no episode of the tasks {config.tasks}; choose others or record them")
    return chosen


def expert_labels(expert: list[list[float]] | None, executed: Actions, spec: ActionSpec, imitate: str) -> Actions:
    """[T, A] in [-1, 1]: the expert's actions where the store has them and they are wanted, else the executed ones."""
    if imitate not in ("expert", "executed"):
        raise InputError(f'imitate must be "expert" or "executed", not "{imitate}"')
    if imitate == "executed" or expert is None:
        return executed
    return to_unit(np.asarray(expert, np.float32), spec)


def label_mask(executed: Actions, labels: Actions, chunk: int, tolerance: float) -> Mask:
    """float32 [T, h]: 1 where label t + k answers frame t.

    The first label always does. Later ones were given at states that the executed actions led to, so they count only
    while those stayed near the labels (on average since t), and never beyond the episode.
    """
    length = len(executed)
    gap = np.abs(executed - labels).mean(axis=1)
    total = np.concatenate([[0.0], np.cumsum(gap)])
    mask = np.ones((length, chunk), np.float32)
    for k in range(1, chunk):
        end = np.minimum(np.arange(length) + k, length)
        near = (total[end] - total[:length]) / k <= tolerance
        mask[:, k] = near & (np.arange(length) + k < length)
    return mask


def bc_loss(net: BCNet, samples: Samples, config: BCTrainConfig) -> Callable[[int], Tensor]:
    """Smooth L1 of masked chunks on a random batch. Batch and augmentation depend on (seed, step) alone."""
    features = instruction_features(samples.instructions, net.config.trunk.buckets)
    device = next(net.parameters()).device

    def loss_at(step: int) -> Tensor:
        rng = np.random.default_rng([config.fit.seed, step])
        picked = np.sort(rng.integers(0, len(samples), config.fit.batch))
        frames = augment(samples.pixels[samples.rows[picked]], config.shift, rng)
        words = features[torch.from_numpy(samples.instruction[picked])]
        predicted = net(torch.from_numpy(frames).to(device), words.to(device))
        wanted, mask = (torch.from_numpy(x[picked]).to(device) for x in (samples.chunks, samples.mask))
        error = F.smooth_l1_loss(predicted, wanted, beta=0.2, reduction="none").mean(-1)
        return (error * mask).sum() / mask.sum()

    return loss_at


def augment(frames: Frames, shift: int, rng: np.random.Generator) -> Frames:
    """Each image moved by up to `shift` pixels, brighter or darker by up to 8 %."""
    gains = rng.uniform(0.92, 1.08, (len(frames), 1, 1, 1)).astype(np.float32)
    brighter: Frames = np.minimum(shifted(frames, shift, rng) * gains, 255.0).astype(np.uint8)
    return brighter


def settings(config: BCTrainConfig) -> dict[str, Any]:
    """The recipe without its paths: what makes two trainings the same."""
    return {key: value for key, value in asdict(config).items() if key not in ("store", "out")}


def trained_facts(config: BCTrainConfig, samples: Samples, losses: list[float]) -> dict[str, Any]:
    """What a reader of the checkpoint needs to know about its training."""
    last = losses[-100:]
    final = sum(last) / max(len(last), 1)
    return {
        "settings": settings(config),
        "samples": len(samples),
        "instructions": list(samples.instructions),
        "final_loss": final,
    }


def card(config: BCTrainConfig, trained: dict[str, Any]) -> str:
    return (
        f"# {config.name}\n\nBehaviour-cloning policy of WorldGym: one frame and an instruction in, {config.chunk} action(s) "
        f"out. Trained on {trained['samples']} frames with imitate = {config.imitate}.\n\n{describe(trained)}"
    )
