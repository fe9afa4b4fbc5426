"""What a policy learns from: frames of an episode store, each with the chunk of actions that
answers it.

Labels are what an expert would have done at every visited state (`extras["expert"]`), good episodes
and bad alike: the policy then knows the way back from a mistake. A store without them is cloned as
executed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from worldgym.episodes.frame_cache import FrameCache
from worldgym.episodes.store import EpisodeStore
from worldgym.episodes.store_index import EpisodeInfo
from worldgym.errors import InputError
from worldgym.policies.image_trunk import in_channels, shifted
from worldgym.policies.own.action_bounds import to_unit
from worldgym.types import Actions, ActionSpec, Frames

Mask = npt.NDArray[np.float32]


@dataclass(frozen=True)
class SampleConfig:
    """Which episodes of a store are used for training, and which of their labels."""

    store: Path
    episodes: int = 0
    """episodes per instruction; 0 = all"""
    below_seed: int = 0
    """only episodes whose extras["seed"] is smaller; 0 = all"""
    tasks: tuple[str, ...] = ()
    """only episodes whose extras["task"] is one of these; empty = all"""
    behaviours: tuple[str, ...] = ()
    """only episodes whose extras["behaviour"] is one of these; empty = all"""
    without: str = ""
    """episodes whose extras["behaviour"] begins so are left out"""
    successes: bool = False
    """only episodes that succeeded"""
    imitate: str = "expert"
    """"expert": the expert's labels at visited states; "executed": what was done, mistakes included
    """
    path_tolerance: float = 0.5
    """later actions of a chunk count while executed and expert actions differ by less than this on
    average, in [-1, 1]"""
    shift: int = 2
    """random shift of the image, pixels"""

    def __post_init__(self) -> None:
        if self.imitate not in ("expert", "executed"):
            raise InputError(f'imitate must be "expert" or "executed", not "{self.imitate}"')


@dataclass(frozen=True)
class Samples:
    """Row i of `pixels`, one array per view, at `rows[i]` is answered by `chunks[i]` [h, A] in
    [-1, 1] where `mask[i]` [h] is 1."""

    pixels: tuple[Frames, ...]
    rows: npt.NDArray[np.int64]
    instruction: npt.NDArray[np.int64]
    instructions: tuple[str, ...]
    chunks: npt.NDArray[np.float32]
    mask: Mask

    def __len__(self) -> int:
        return len(self.rows)

    def frames(self, picked: npt.NDArray[np.int64]) -> Frames:
        """uint8 [B, H, W, 3 V] of these samples."""
        return in_channels([view[self.rows[picked]] for view in self.pixels])


def make_samples(
    cache: FrameCache, config: SampleConfig, chunk: int, views: Sequence[str] = ()
) -> Samples:
    """Every visited state with its chunk of labels. InputError if no episode is left, and for
    `views` that are missing; () = the main one."""
    infos = chosen_episodes(cache.store, config)
    instructions = tuple(sorted({info.instruction for info in infos}))
    rows, texts, chunks, masks = [], [], [], []
    for info in infos:
        episode = cache.episode(info.name)
        first = cache.spans[info.name][0]
        executed = to_unit(episode.actions, episode.spec)
        labels = expert_labels(episode.extras.get("expert"), executed, episode.spec, config.imitate)
        steps = np.arange(len(episode))
        window = steps[:, None] + np.arange(chunk)
        rows.append(first + steps)
        texts.append(np.full(len(steps), instructions.index(info.instruction)))
        chunks.append(labels[np.minimum(window, steps[-1])])
        masks.append(label_mask(executed, labels, chunk, config.path_tolerance))
    joined = [np.concatenate(parts) for parts in (rows, texts, chunks, masks)]
    return Samples(cache.of_views(views), joined[0], joined[1], instructions, joined[2], joined[3])


def chosen_episodes(store: EpisodeStore, config: SampleConfig) -> list[EpisodeInfo]:
    """The first `episodes` of each instruction among those that fit, in the order of the store."""
    counts: dict[str, int] = {}
    chosen = []
    for info in store:
        if _fits(info, config) and counts.setdefault(info.instruction, 0) < (
            config.episodes or len(store)
        ):
            counts[info.instruction] += 1
            chosen.append(info)
    if not chosen:
        raise InputError(
            f"{store.root}: no episode fits the choice of tasks, seeds and behaviours; widen it or "
            f"record some"
        )
    return chosen


def _fits(info: EpisodeInfo, config: SampleConfig) -> bool:
    behaviour = str(info.extras.get("behaviour", ""))
    return (
        (not config.tasks or info.extras.get("task") in config.tasks)
        and (not config.below_seed or int(info.extras["seed"]) < config.below_seed)
        and (not config.behaviours or behaviour in config.behaviours)
        and not (config.without and behaviour.startswith(config.without))
        and (not config.successes or bool(info.success))
    )


def expert_labels(
    expert: list[list[float]] | None, executed: Actions, spec: ActionSpec, imitate: str
) -> Actions:
    """[T, A] in [-1, 1]: the expert's actions where the store has them and they are wanted, else
    the executed ones."""
    if imitate == "executed" or expert is None:
        return executed
    return to_unit(np.asarray(expert, np.float32), spec)


def label_mask(executed: Actions, labels: Actions, chunk: int, tolerance: float) -> Mask:
    """float32 [T, h]: 1 where label t + k answers frame t.

    The first label always does. Later ones were given at states that the executed actions led to,
    so they count only while those stayed near the labels (on average since t), and never beyond the
    episode."""
    length = len(executed)
    gap = np.abs(executed - labels).mean(axis=1)
    total = np.concatenate([[0.0], np.cumsum(gap)])
    mask = np.ones((length, chunk), np.float32)
    for k in range(1, chunk):
        end = np.minimum(np.arange(length) + k, length)
        near = (total[end] - total[:length]) / k <= tolerance
        mask[:, k] = near & (np.arange(length) + k < length)
    return mask


def augment_frames(frames: Frames, shift: int, rng: np.random.Generator) -> Frames:
    """Each image moved by up to `shift` pixels, brighter or darker by up to 8 %."""
    gains = rng.uniform(0.92, 1.08, (len(frames), 1, 1, 1)).astype(np.float32)
    brighter: Frames = np.minimum(shifted(frames, shift, rng) * gains, 255.0).astype(np.uint8)
    return brighter
