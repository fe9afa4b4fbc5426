"""How far the learned world can be trusted: recorded action sequences replayed through it, against
the simulator's truth.

Open-loop replay    PSNR of generated against recorded frames
Replay test         the judge's verdict on generated video against the simulator's success: world
                    and judge together
Judge alone         its verdict on the recorded video: what is left is the world's error
Shuffled control    every episode's actions replaced by another's: a world that follows actions
                    fails them"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from worldgym.episodes.store import EpisodeStore
from worldgym.io.files import write_json
from worldgym.judges.classifier import ClassifierJudge
from worldgym.native.memory import keep_freed_memory
from worldgym.trust.controls import control_floors
from worldgym.trust.kept_scores import KeptScores
from worldgym.trust.replay_test import (
    ReplayOutcome,
    by_group,
    psnr_at,
    psnr_of_others,
    replay_test,
)
from worldgym.trust.rollout_replay import RECORDED, Recorded, ReplayOptions, recorded_rollouts
from worldgym.types import Frames, Rollout, joined_views
from worldgym.world.open_loop_replay import contact_sheet
from worldgym.world.row_threads import on_all_cores
from worldgym.world.world_checkpoint import load_diffusion_world

SHEET_ROWS = 2  # episodes per task on the contact sheet


@dataclass(frozen=True)
class ValidateConfig:
    """store: held-out episodes.   chunk: actions per step.   batch: episodes advanced together."""

    world: Path
    judge: Path
    store: Path
    out: Path
    chunk: int = 1
    batch: int = 30


def validate(config: ValidateConfig) -> dict[str, Any]:
    """Writes OUT/validation.json and OUT/sheet.png, and returns the figures: over all episodes and
    per task."""
    keep_freed_memory()
    world = on_all_cores(load_diffusion_world(config.world))
    judge = ClassifierJudge.load(config.judge)
    episodes = recorded_rollouts(EpisodeStore(config.store))
    replaying = ReplayOptions(config.batch, {RECORDED: config.chunk})
    outcomes, generated = replay_test(world, judge, episodes, replaying)
    rollouts = [episode.rollout for episode in episodes]
    floors = control_floors(world, judge, rollouts, replaying, KeptScores(), ("shuffled",))
    figures = summarize_replays(outcomes, {floor.group: floor.rate.value for floor in floors})
    figures |= {
        "world": world.name,
        "judge": judge.name,
        "chunk": config.chunk,
        "store": str(config.store),
    }
    write_json(config.out / "validation.json", figures)
    Image.fromarray(_sheet(episodes, generated)).save(config.out / "sheet.png")
    return figures


def summarize_replays(
    outcomes: Sequence[ReplayOutcome], shuffled: Mapping[str, float | None]
) -> dict[str, Any]:
    """PSNR at the usual horizons and agreement with the truth, as means over tasks and for each
    task.

    shuffled: success rate of each task with shuffled actions; None where the judge scored none.
    """
    tasks = {
        task: _figures(some) | {"shuffled_success_rate": shuffled[task]}
        for task, some in by_group(outcomes).items()
    }
    keys = dict.fromkeys(key for figures in tasks.values() for key in figures)
    over = {key: _mean([figures.get(key) for figures in tasks.values()]) for key in keys}
    return {"mean_over_tasks": over, "all_episodes": _figures(outcomes), "tasks": tasks}


def _figures(outcomes: Sequence[ReplayOutcome]) -> dict[str, float | None]:
    figures: dict[str, float | None] = {}
    for h, level in psnr_at([outcome.psnr for outcome in outcomes]).items():
        figures[f"psnr_{h}"] = level
    for view, levels in psnr_of_others(outcomes).items():
        figures |= {f"psnr_{h}_{view}": level for h, level in levels.items()}
    for kind, verdicts in (
        ("judged", [o.judged for o in outcomes]),
        ("recorded", [o.recorded for o in outcomes]),
    ):
        scored = [(v, o.success) for v, o in zip(verdicts, outcomes, strict=True) if v is not None]
        figures[f"{kind}_agreement"] = _mean([float(v == truth) for v, truth in scored])
        figures[f"{kind}_success_rate"] = _mean([float(v) for v, _ in scored])
    figures["true_success_rate"] = _mean([float(bool(outcome.success)) for outcome in outcomes])
    figures["episodes"] = len(outcomes)
    return figures


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _sheet(episodes: Sequence[Recorded], generated: Sequence[Rollout]) -> Frames:
    """Recorded above generated, all views side by side, the first few episodes of each task."""
    rows: dict[str, list[Frames]] = {}
    for episode, rollout in zip(episodes, generated, strict=True):
        rows.setdefault(rollout.trial.task.group, []).extend(
            [joined_views(shown.frames) for shown in (episode.rollout, rollout)]
        )
    return contact_sheet([video for task in sorted(rows) for video in rows[task][: 2 * SHEET_ROWS]])
