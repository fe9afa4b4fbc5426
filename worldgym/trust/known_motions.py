"""Which motions, in which scenes, a world was trained on; how far a rollout's are from them.

A world generates video for any motion, also one that is in no recording: it then draws what usually
follows similar motions. A motion is described in its scene: the initial frame, where the actions
have led since, and where they lead in the next steps. Nearest neighbours among recordings say how
far it is, in units of the same distance of recordings that were held out.

WORLD/known-motions/   a checkpoint that `worldgym world measure-motions` writes"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from worldgym.actions.embodiment import MOVING_MODES
from worldgym.codecs.codec_protocol import Codec
from worldgym.episodes.frame_cache import frame_cache
from worldgym.episodes.store import EpisodeStore
from worldgym.episodes.subsample import evenly_spaced
from worldgym.errors import CheckpointError, InputError
from worldgym.io.checkpoint import fingerprint, load_folder, save_folder
from worldgym.io.progress import progress
from worldgym.io.records import from_mapping
from worldgym.trust.inverse_dynamics import encode_frames
from worldgym.trust.latent_statistics import LatentStatistics
from worldgym.types import Actions, ActionSpec

KIND = "known-motions"
AHEAD = (2, 4, 6, 8)  # steps from now at which the path is looked at
EVERY = 4  # steps between two looks
MOST = 8192  # looks kept, spread over all recordings
SCENES = 8  # components of initial frames
HELD_OUT_EVERY = 10  # one in so many episodes gives the scale
LEAST = 20  # episodes


@dataclass(frozen=True)
class KnownMotions:
    """scenes: of the latents of initial frames.   deviation [F]: of recorded looks, number by
    number.   looks [M, SCENES + F]: recorded ones, in these units.   scale [1]: mean distance of
    looks that were held out.   codec, spec: what latents and actions mean.   name: identifies
    it."""

    scenes: LatentStatistics
    deviation: Tensor
    looks: Tensor
    scale: Tensor
    codec: str
    spec: ActionSpec
    name: str = "unsaved"

    def signals(self, latents: Tensor, actions: Actions) -> dict[str, float]:
        """latents [T+1, C, h, w] of a rollout's frames and its actions [T, A] => logarithms of
        distances, 0 = as far as recordings are from each other."""
        scene = self.scenes.drift(latents[:1])
        far = self._distances(latents[:1], actions)
        return {
            "scene_distance": _log(float(scene.nearest[0])),
            "scene_residual": _log(float(scene.residual[0])),
            "motion_distance": _log(float(far.mean())),
            "furthest_motion": _log(float(far.max())),
        }

    def _distances(self, first: Tensor, actions: Actions) -> Tensor:
        """[looks], 1 = that of held-out recordings."""
        own = _placed(self.scenes, first, looks_of(actions, self.spec) / self.deviation)
        return torch.cdist(own, self.looks).amin(1) / self.scale

    def check(self, codec: Codec, spec: ActionSpec) -> None:
        """CheckpointError if it was measured with another codec or other actions."""
        if self.codec != codec.latents or self.spec != spec:
            raise CheckpointError(
                f"{self.name} was measured with the codec {self.codec} and the actions "
                f"{', '.join(self.spec.names)}, not with this world's; make it with `worldgym "
                f"world measure-motions`"
            )

    def save(self, folder: Path, facts: Mapping[str, object]) -> None:
        tensors = {f"scenes.{name}": value for name, value in vars(self.scenes).items()}
        tensors |= {"deviation": self.deviation, "looks": self.looks, "scale": self.scale}
        config = {"kind": KIND, "codec": self.codec, "spec": self.spec.to_json(), **facts}
        save_folder(folder, config, tensors, "# Motions that a world was trained on\n", half=True)

    @staticmethod
    def load(folder: Path) -> KnownMotions:
        """CheckpointError if the folder is incomplete, altered or of another kind."""
        config, tensors = load_folder(folder, KIND)
        scenes = {
            name.removeprefix("scenes."): tensors.pop(name)
            for name in list(tensors)
            if name.startswith("scenes.")
        }
        try:
            return KnownMotions(
                LatentStatistics(**scenes),
                **tensors,
                codec=config["codec"],
                spec=from_mapping(ActionSpec, config["spec"]),
                name=f"{KIND}-{fingerprint(folder)}",
            )
        except (TypeError, KeyError) as error:
            raise CheckpointError(
                f"{folder}: tensors do not fit the config ({error}); measure the motions again"
            ) from error


def looks_of(actions: Actions, spec: ActionSpec) -> Tensor:
    """float32 [looks, (1 + len(AHEAD)) x A]: every few steps, where the actions have led since the
    start, and by how much further they lead. Numbers that are places are taken as they are."""
    path = actions.astype(np.float64)
    if spec.mode in MOVING_MODES:
        path = np.concatenate([np.zeros((1, actions.shape[1])), np.cumsum(path, axis=0)])
    now = np.arange(0, max(len(actions) - AHEAD[0], 1), EVERY)
    later = [path[np.minimum(now + step, len(path) - 1)] - path[now] for step in AHEAD]
    return torch.from_numpy(np.concatenate([path[now], *later], axis=1)).float()


def measure_motions(
    codec: Codec, store: EpisodeStore, out: Path, components: int = SCENES
) -> KnownMotions:
    """Writes OUT from the recordings that a world was trained on. InputError for a store of fewer
    than 20 episodes."""
    names = [info.name for info in store]
    if len(names) < LEAST:
        raise InputError(
            f"{store.root}: {len(names)} episodes; known motions need {LEAST} or more recordings"
        )
    held = set(names[::HELD_OUT_EVERY])
    firsts, looks = _read(codec, store, names)
    kept = [name for name in names if name not in held]
    scenes = LatentStatistics.of(
        torch.cat([firsts[name] for name in kept]),
        torch.cat([firsts[name] for name in held]),
        components,
    )
    deviation = torch.cat([looks[name] for name in kept]).std(0).clamp(min=1e-6)
    rows = torch.cat([_placed(scenes, firsts[name], looks[name] / deviation) for name in kept])
    rows = rows[evenly_spaced(len(rows), MOST)]
    known = KnownMotions(scenes, deviation, rows, torch.ones(1), codec.latents, store.spec)
    others = [
        torch.cdist(_placed(scenes, firsts[name], looks[name] / deviation), rows).amin(1)
        for name in sorted(held)
    ]
    scale = torch.cat(others).mean().clamp(min=1e-6)[None]
    KnownMotions(**{**vars(known), "scale": scale}).save(
        out, {"episodes": len(names), "looks": len(rows)}
    )
    return KnownMotions.load(out)


def _read(
    codec: Codec, store: EpisodeStore, names: list[str]
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """By episode: latents of the initial frame [1, C, h, w], and looks."""
    cache = frame_cache(store)
    firsts, looks = dict[str, Tensor](), dict[str, Tensor]()
    for name in progress(names, len(names), "measuring motions", "episode"):
        episode = cache.episode(name)
        firsts[name] = encode_frames(codec, episode.main[:1])
        looks[name] = looks_of(episode.actions, store.spec)
    return firsts, looks


def _placed(scenes: LatentStatistics, first: Tensor, looks: Tensor) -> Tensor:
    """[looks, SCENES + F]: the scene beside each look; either half weighs the same."""
    place = scenes.place(first).expand(len(looks), -1)
    parts = (place / math.sqrt(place.shape[1]), looks / math.sqrt(looks.shape[1]))
    return torch.cat(parts, dim=1)


def _log(value: float) -> float:
    return math.log(max(value, 1e-6))
