"""How far the learned world may be believed: recorded action sequences played through it, against the simulator's truth.

Open-loop replay    PSNR of generated against recorded frames
Replay test         the judge's verdict on generated video against the simulator's success: world and judge together
Judge alone         its verdict on the recorded video: what is left is the world's error
Shuffled control    every episode's actions replaced by another's: a world that follows actions fails them
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from worldgym.episodes.frames import frame_cache
from worldgym.episodes.store import EpisodeStore
from worldgym.files import write_json
from worldgym.judges.classifier import ClassifierJudge
from worldgym.memory import keep_freed_memory
from worldgym.progress import progress
from worldgym.types import Episode, Frames, Rollout, Task, Trial
from worldgym.world.model import load_world
from worldgym.world.protocol import World
from worldgym.world.replay import HORIZONS, contact_sheet, replay

SHEET_ROWS = 2  # episodes a task on the contact sheet


@dataclass(frozen=True)
class Outcome:
    """One held-out episode. psnr: dB at each frame.   judged/recorded/shuffled: verdicts on generated video, recorded video,
    and video generated from another episode's actions; None = unscored."""

    name: str
    task: str
    success: bool
    psnr: tuple[float, ...]
    judged: bool | None
    recorded: bool | None
    shuffled: bool | None


@dataclass(frozen=True)
class ValidateConfig:
    """store: held-out episodes of one length.   chunk: actions a step.   batch: episodes advanced together."""

    world: Path
    judge: Path
    store: Path
    out: Path
    chunk: int = 1
    batch: int = 30


def validate(config: ValidateConfig) -> dict[str, Any]:
    """Writes OUT/validation.json and OUT/sheet.png, and returns the figures: over all episodes and per task."""
    keep_freed_memory()
    world, judge = load_world(config.world), ClassifierJudge.load(config.judge)
    cache = frame_cache(EpisodeStore(config.store))
    order = np.random.default_rng(0).permutation(len(cache.names))
    names = [cache.names[i] for i in order]
    outcomes: list[Outcome] = []
    sheet: dict[str, list[tuple[Frames, Frames]]] = {}
    batches = [range(i, min(i + config.batch, len(names))) for i in range(0, len(names), config.batch)]
    for rows in progress(batches, len(batches), "replaying", "batch"):
        episodes = [cache.episode(names[i]) for i in rows]
        others = [cache.episode(names[(i + 1) % len(names)]).actions for i in rows]  # a fixed shuffle without fixed points
        some, generated = _outcomes(world, judge, episodes, others, config.chunk)
        outcomes += some
        for outcome, episode, frames in zip(some, episodes, generated, strict=True):
            sheet.setdefault(outcome.task, []).append((episode.frames, frames))
    figures = summarize(outcomes) | {"world": world.name, "judge": judge.name, "chunk": config.chunk, "store": str(config.store)}
    write_json(config.out / "validation.json", figures)
    rows_shown = [video for task in sorted(sheet) for pair in sheet[task][:SHEET_ROWS] for video in pair]
    config.out.mkdir(parents=True, exist_ok=True)
    Image.fromarray(contact_sheet(rows_shown)).save(config.out / "sheet.png")
    return figures


def summarize(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """PSNR at the usual horizons and agreement with the truth, as means over tasks and for each task."""
    tasks = {task: _figures([o for o in outcomes if o.task == task]) for task in sorted({o.task for o in outcomes})}
    over = {key: float(np.mean([figures[key] for figures in tasks.values()])) for key in next(iter(tasks.values()))}
    return {"mean_over_tasks": over, "all_episodes": _figures(outcomes), "tasks": tasks}


def _figures(outcomes: Sequence[Outcome]) -> dict[str, float]:
    curves = np.array([outcome.psnr for outcome in outcomes])
    truth = [outcome.success for outcome in outcomes]
    figures: dict[str, float] = {f"psnr_{h}": float(curves[:, h - 1].mean()) for h in HORIZONS if h <= curves.shape[1]}
    for kind, verdicts in (("judged", [o.judged for o in outcomes]), ("recorded", [o.recorded for o in outcomes])):
        scored = [(v, t) for v, t in zip(verdicts, truth, strict=True) if v is not None]
        figures[f"{kind}_agreement"] = float(np.mean([v == t for v, t in scored]))
        figures[f"{kind}_success_rate"] = float(np.mean([v for v, _ in scored]))
    figures["true_success_rate"] = float(np.mean(truth))
    figures["shuffled_success_rate"] = float(np.mean([bool(o.shuffled) for o in outcomes]))
    figures["episodes"] = len(outcomes)
    return figures


def _outcomes(
    world: World[Any], judge: ClassifierJudge, episodes: Sequence[Episode], others: Sequence[Any], chunk: int
) -> tuple[list[Outcome], Frames]:
    own = replay(world, episodes, chunk=chunk)
    swapped = [replace(episode, actions=actions) for episode, actions in zip(episodes, others, strict=True)]
    other = replay(world, swapped, chunk=chunk)
    judged, recorded, shuffled = (
        _verdicts(judge, episodes, frames) for frames in (own.frames, [e.frames for e in episodes], other.frames)
    )
    outcomes = [
        Outcome(e.source, e.extras["task"], bool(e.success), tuple(own.psnr[i]), judged[i], recorded[i], shuffled[i])
        for i, e in enumerate(episodes)
    ]
    return outcomes, own.frames


def _verdicts(judge: ClassifierJudge, episodes: Sequence[Episode], videos: Sequence[Frames] | Frames) -> list[bool | None]:
    rollouts = []
    for episode, frames in zip(episodes, videos, strict=True):
        task = Task(episode.source, episode.extras["task"], episode.frames[0], episode.instruction, len(episode))
        rollouts.append(Rollout(Trial(task, 0, 0), "recorded", frames, episode.actions))
    return [None if verdict.score is None else verdict.score > 0.5 for verdict in judge.judge_many(rollouts)]
