"""A policy without a network: it does what was done in the recorded frame that looks most like the
one it sees, under the most similar instruction. With a chunk as long as an episode it observes once
and then acts blindly. It imitates in another way than behaviour cloning, with other errors: a set
of policies for testing a world needs several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from worldgym.episodes.frame_cache import frame_cache
from worldgym.episodes.store import EpisodeStore
from worldgym.errors import InputError
from worldgym.io.checkpoint import load_folder, save_folder
from worldgym.io.records import from_mapping
from worldgym.policies.instruction_features import instruction_features
from worldgym.policies.policy_protocol import NEWEST_FRAME, Observation
from worldgym.types import Actions, ActionSpec, Frames, Trial

KIND = "retrieval"
SIDE = 16  # places a side at which frames are compared
BUCKETS = 64
WORDS = 100.0  # weight of the instruction: another one never wins


@dataclass(frozen=True)
class RetrievalConfig:
    """chunk: actions carried out before it looks again.   every: steps between frames that are
    remembered.   episodes: at most, a task.   behaviours: only episodes of these; empty = all.
    successes: only those."""

    chunk: int = 4
    every: int = 2
    episodes: int = 40
    behaviours: tuple[str, ...] = ("expert",)
    successes: bool = True


class RetrievalPolicy:
    """keys: float32 [N, F] of remembered frames.   moves: float32 [N, chunk, A]. No memory between
    calls: its state is None."""

    def __init__(self, keys: Tensor, moves: Tensor, spec: ActionSpec, name: str) -> None:
        self.keys = keys
        self.moves = moves
        self.spec = spec
        self.name = name
        self.chunk = int(moves.shape[1])
        self.needs = NEWEST_FRAME

    def reset(self, trials: Sequence[Trial]) -> list[None]:
        return [None] * len(trials)

    def act(
        self, states: Sequence[None], observations: Sequence[Observation]
    ) -> tuple[list[None], Actions]:
        frames = np.stack([seen.frame for seen in observations])
        own = keys_of(frames, [seen.instruction for seen in observations])
        rows = [int((self.keys - key).square().sum(1).argmin()) for key in own]
        moves: Actions = self.moves[rows].numpy().astype(np.float32)
        return list(states), moves

    def save(self, folder: Path, trained: dict[str, Any]) -> None:
        config = {"kind": KIND, "name": self.name, "spec": self.spec.to_json(), "trained": trained}
        tensors = {"keys": self.keys, "moves": self.moves}
        card = f"# {self.name}\n\nNearest recorded frames, {len(self.keys)} of them.\n"
        save_folder(folder, config, tensors, card, half=True)

    @staticmethod
    def load(folder: Path) -> RetrievalPolicy:
        """CheckpointError if the folder is incomplete, altered or of another kind."""
        config, tensors = load_folder(folder, KIND)
        spec = from_mapping(ActionSpec, config["spec"])
        return RetrievalPolicy(tensors["keys"], tensors["moves"], spec, config["name"])


def keys_of(frames: Frames, instructions: Sequence[str]) -> Tensor:
    """uint8 [B, H, W, 3] => float32 [B, F]: small pictures beside what is asked for."""
    pixels = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2).float() / 255
    small = F.adaptive_avg_pool2d(pixels, (SIDE, SIDE)).flatten(1)
    return torch.cat([small, WORDS * instruction_features(instructions, BUCKETS)], dim=1)


def remember(store: EpisodeStore, out: Path, name: str, config: RetrievalConfig) -> RetrievalPolicy:
    """Writes OUT from recordings. InputError where none fits the config."""
    chosen = dict[str, list[str]]()
    for info in store:
        fits = not config.behaviours or info.extras.get("behaviour") in config.behaviours
        if fits and (info.success or not config.successes):
            chosen.setdefault(info.group, []).append(info.name)
    names = [name for group in sorted(chosen) for name in chosen[group][: config.episodes]]
    if not names:
        raise InputError(
            f"{store.root}: no episode is of {', '.join(config.behaviours) or 'any behaviour'}"
            f"{' and a success' if config.successes else ''}; record some"
        )
    cache = frame_cache(store)
    keys, moves = [], []
    for episode in map(cache.episode, names):
        steps = range(0, len(episode), config.every if config.chunk < len(episode) else 10**9)
        keys.append(keys_of(episode.main[list(steps)], [episode.instruction] * len(steps)))
        ahead = np.minimum(np.array(steps)[:, None] + np.arange(config.chunk), len(episode) - 1)
        moves.append(torch.from_numpy(episode.actions[ahead]))
    policy = RetrievalPolicy(torch.cat(keys), torch.cat(moves), store.spec, name)
    policy.save(out, asdict(config) | {"episodes_used": len(names)})
    return RetrievalPolicy.load(out)
