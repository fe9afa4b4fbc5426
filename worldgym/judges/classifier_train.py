"""Trains the success classifier from an episode store that knows, frame by frame, whether the task was done.

Needs `extras["success_at"]` (bool a frame) and `extras["distance"]` (object to goal, any unit, a frame). Frames are drawn
half successes, half not, every instruction alike; of the failures half are near misses. A few pairs get another task's
instruction and count as failures, so that the text must be read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from worldgym.checkpoint import describe
from worldgym.confusion import Confusion
from worldgym.episodes.frames import FrameCache, frame_cache
from worldgym.episodes.store import EpisodeStore
from worldgym.errors import InputError
from worldgym.judges.classifier import ClassifierJudge, Decision, JudgeConfig, JudgeNet
from worldgym.judges.degrade import degrade
from worldgym.judges.validation import choose_decision, confusion_of, judge_store, table
from worldgym.language import instruction_features
from worldgym.learning import FitConfig, fit
from worldgym.types import Frames
from worldgym.vision import TrunkConfig, shifted

Ints = npt.NDArray[np.int64]
SWAPPED = 0.05  # share of pairs shown with another task's instruction
NEAR = 0.3  # the nearest share of the failures counts as near misses


@dataclass(frozen=True)
class JudgeTrainConfig:
    """Data, network, optimizer, and what is held back to choose the decision."""

    store: Path
    out: Path
    validation_from: int = 360
    """episodes whose extras["seed"] is at least this are held back from training"""
    decide_on: str = ""
    """of those held back, only names that end so choose the decision, e.g. "-imagined"; empty = all"""
    hidden: int = 256
    trunk: TrunkConfig = field(default_factory=lambda: TrunkConfig(channels=6))
    degradation: float = 1.0
    band: float = 0.0
    """half-width of the unscored band around the threshold, in probability"""
    fit: FitConfig = field(default_factory=FitConfig)


@dataclass(frozen=True)
class Labels:
    """One row a later frame: where it and its start frame lie in the pixels, and what is true of it."""

    pixels: Frames
    start: Ints
    row: Ints
    text: Ints
    instructions: tuple[str, ...]
    success: npt.NDArray[np.bool_]
    progress: npt.NDArray[np.float32]


def train_judge(config: JudgeTrainConfig) -> ClassifierJudge:
    """Trains, chooses threshold and window on the episodes held back, saves to `config.out`, and returns the judge."""
    store = EpisodeStore(config.store)
    cache = frame_cache(store)
    trained_on, held_back = split_names(store, config.validation_from)
    held_back = [name for name in held_back if name.endswith(config.decide_on)]
    if not held_back:
        raise InputError(
            f'{store.root}: no episode held back ends in "{config.decide_on}"; imagine some or leave decide_on empty'
        )
    labels = make_labels(cache, trained_on)
    torch.manual_seed(config.fit.seed)
    height, width = cache.pixels.shape[1:3]
    net = JudgeNet(JudgeConfig((height, width), config.hidden, config.trunk))
    losses = fit(net, judge_loss(net, labels, config), config.fit, "judge")
    untuned = ClassifierJudge(net, Decision(), "untuned")
    scores = judge_store(untuned, cache, held_back)
    judge = ClassifierJudge(net, choose_decision(scores, config.band), "trained")
    confusion = confusion_of(judge.decision, scores)
    judge.save(config.out, facts(config, trained_on, held_back, losses, confusion), card(judge, config, confusion))
    return ClassifierJudge.load(config.out)


def split_names(store: EpisodeStore, validation_from: int) -> tuple[list[str], list[str]]:
    """(trained on, held back), by extras["seed"]. InputError if either is empty."""
    held_back = [info.name for info in store if info.extras.get("seed", -1) >= validation_from]
    trained_on = [info.name for info in store if info.extras.get("seed", -1) < validation_from]
    if not held_back or not trained_on:
        raise InputError(
            f"{store.root}: {len(trained_on)} episodes with seeds below {validation_from} and {len(held_back)} from it on; "
            f"a judge needs both, so choose another validation_from"
        )
    return trained_on, held_back


def make_labels(cache: FrameCache, names: Sequence[str]) -> Labels:
    """Every later frame of the episodes. InputError for an episode without frame labels."""
    infos = {info.name: info for info in cache.store}
    instructions = tuple(sorted({infos[name].instruction for name in names}))
    starts, rows, texts, success, progress = [], [], [], [], []
    for name in names:
        extras, (first, count) = cache.episode(name).extras, cache.spans[name]
        if "success_at" not in extras or "distance" not in extras:
            raise InputError(f'{cache.store.root}: episode {name} lacks extras "success_at" or "distance"; record it with them')
        starts.append(np.full(count - 1, first))
        rows.append(np.arange(first + 1, first + count))
        texts.append(np.full(count - 1, instructions.index(infos[name].instruction)))
        success.append(np.asarray(extras["success_at"][1:], bool))
        progress.append(progress_of(np.asarray(extras["distance"], np.float32)))
    join = np.concatenate
    return Labels(cache.pixels, join(starts), join(rows), join(texts), instructions, join(success), join(progress))


def progress_of(distance: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Distances [T+1] => share of the way done at each later frame [T], in [0, 1]."""
    done: npt.NDArray[np.float32] = 1.0 - distance[1:] / np.float32(max(float(distance[0]), 1e-3))
    return np.clip(done, 0.0, 1.0)


def judge_loss(net: JudgeNet, labels: Labels, config: JudgeTrainConfig) -> Callable[[int], Tensor]:
    """Cross-entropy of success plus smooth L1 of progress. Batch and augmentation depend on (seed, step) alone."""
    features = instruction_features(labels.instructions, net.config.trunk.buckets)
    device = next(net.parameters()).device
    pools = sampling_pools(labels)

    def loss_at(step: int) -> Tensor:
        rng = np.random.default_rng([config.fit.seed, step])
        picked = draw(pools, config.fit.batch, rng)
        pairs = torch.from_numpy(make_pairs(labels, picked, config.degradation, rng)).to(device)
        offset = rng.integers(1, max(len(labels.instructions), 2), len(picked))
        swapped = (rng.random(len(picked)) < SWAPPED) & (len(labels.instructions) > 1)
        texts = np.where(swapped, (labels.text[picked] + offset) % len(labels.instructions), labels.text[picked])
        logit, progress = net(pairs, features[torch.from_numpy(texts)].to(device))
        success = torch.from_numpy(np.float32(labels.success[picked] & ~swapped)).to(device)
        error = F.smooth_l1_loss(progress, torch.from_numpy(labels.progress[picked]).to(device), beta=0.1, reduction="none")
        kept = torch.from_numpy(np.float32(~swapped)).to(device)
        return F.binary_cross_entropy_with_logits(logit, success) + (error * kept).mean()

    return loss_at


def sampling_pools(labels: Labels) -> list[tuple[Ints, float]]:
    """(rows, weight) pools: for each instruction successes 1/2, near misses 1/4, other failures 1/4."""
    pools: list[tuple[Ints, float]] = []
    for text in range(len(labels.instructions)):
        own = labels.text == text
        failures = np.flatnonzero(own & ~labels.success)
        order = failures[np.argsort(labels.progress[failures], kind="stable")]
        cut = int(len(order) * (1.0 - NEAR))
        pools += [(np.flatnonzero(own & labels.success), 0.5), (order[cut:], 0.25), (order[:cut], 0.25)]
    return [pool for pool in pools if len(pool[0])]


def draw(pools: list[tuple[Ints, float]], count: int, rng: np.random.Generator) -> Ints:
    """`count` rows, a pool by its weight and then evenly within it."""
    weights = np.array([weight for _, weight in pools])
    chosen = rng.choice(len(pools), count, p=weights / weights.sum())
    return np.array([pools[i][0][rng.integers(len(pools[i][0]))] for i in chosen])


def make_pairs(labels: Labels, picked: Ints, degradation: float, rng: np.random.Generator) -> Frames:
    """uint8 [B, H, W, 6]: start frame as recorded, later frame degraded and moved by up to a pixel, then both moved alike."""
    later = shifted(degrade(labels.pixels[labels.row[picked]], degradation, rng), 1, rng)
    return shifted(np.concatenate([labels.pixels[labels.start[picked]], later], axis=-1), 2, rng)


def facts(
    config: JudgeTrainConfig, trained_on: list[str], held_back: list[str], losses: list[float], confusion: dict[str, Confusion]
) -> dict[str, Any]:
    settings = {key: value for key, value in asdict(config).items() if key not in ("store", "out")}
    last = losses[-100:]
    trained = {"settings": settings, "episodes": len(trained_on), "final_loss": sum(last) / max(len(last), 1)}
    return {"trained": trained, "validation": {"episodes": len(held_back), **{k: asdict(v) for k, v in confusion.items()}}}


def card(judge: ClassifierJudge, config: JudgeTrainConfig, confusion: dict[str, Confusion]) -> str:
    decision = judge.decision
    unscored = (
        f"unscored strictly between {decision.band[0]:.3f} and {decision.band[1]:.3f}" if decision.band else "no unscored band"
    )
    return (
        "# Success classifier\n\nReads start frame, later frames and instruction of a rollout; success counts at any time.\n"
        f"Success from a probability of {decision.threshold:.3f} on, in the best {decision.window} neighbouring frame(s); "
        f"{unscored}.\n\n## Held-back episodes (training stores, seeds from {config.validation_from} on)\n\n"
        f"{table(confusion)}\n## Recipe\n\n{describe(asdict(config.fit))}"
    )
