"""What `rolling` costs in fidelity: recorded actions of long episodes replayed in the bundled
world under both rules.

    python benchmarks/cache_rules.py STORE

STORE: held-out episodes longer than the window, all of one length, e.g. 80 actions from seeds of
12000 on: RecordConfig(STORE, episodes=5, first_seed=12_000, steps=80).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from machine import note

from worldgym.episodes.store import EpisodeStore
from worldgym.io.bundled import BUNDLE
from worldgym.judges.classifier import ClassifierJudge
from worldgym.native.memory import keep_freed_memory
from worldgym.types import Episode, Frames, Rollout, Task, Trial
from worldgym.world.open_loop_replay import replay
from worldgym.world.world_checkpoint import load_diffusion_world

HORIZONS = (1, 10, 20, 40, 60, 80)


def verdicts(judge: ClassifierJudge, episodes: list[Episode], videos: list[Frames]) -> list[bool]:
    """Success or not, of each video."""
    tasks = [Task(e.source, e.extras["task"], e.main[0], e.instruction, len(e)) for e in episodes]
    rollouts = [
        Rollout(Trial(task, 0, 0), "recorded", video, episode.actions)
        for task, episode, video in zip(tasks, episodes, videos, strict=True)
    ]
    found = [judge(rollout, rollout.trial.task) for rollout in rollouts]
    return [verdict.score is not None and verdict.score > 0.5 for verdict in found]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", type=Path)
    asked = parser.parse_args()
    keep_freed_memory()
    store = EpisodeStore(asked.store)
    episodes = [store[info.name] for info in store]
    truth = np.array([bool(episode.success) for episode in episodes])
    world = load_diffusion_world(BUNDLE / "world")
    judge = ClassifierJudge.load(BUNDLE / "judge")
    horizons = [h for h in HORIZONS if h <= len(episodes[0])]
    head = "".join(f" dB at {h} |" for h in horizons)
    lines = [
        f"| rule |{head} judged as the simulator | judged as the recording |",
        "| --- |" + " --- |" * (len(horizons) + 2),
    ]
    recorded = np.array(verdicts(judge, episodes, [episode.frames for episode in episodes]))
    curves = {}
    for rule in ("recompute", "rolling"):
        replayed = replay(world.with_sampler(rule=rule), episodes)
        curves[rule] = replayed.psnr[..., 0]
        judged = np.array(verdicts(judge, episodes, list(replayed.frames)))
        levels = "".join(f" {replayed.at(h):.1f} |" for h in horizons)
        lines.append(
            f"| {rule} |{levels} {(judged == truth).mean():.3f} | "
            f"{(judged == recorded).mean():.3f} |"
        )
    late = (curves["rolling"] - curves["recompute"])[:, world.config.sampler.window :].mean(1)
    spread = 1.96 * late.std(ddof=1) / np.sqrt(len(late))
    lines += [
        "",
        f"{len(episodes)} episodes. Rolling minus recompute past the window: {late.mean():+.2f} "
        f"dB, 95 % from "
        f"{late.mean() - spread:+.2f} to {late.mean() + spread:+.2f}. The judge agrees with the "
        f"simulator on "
        f"{(recorded == truth).mean():.3f} of the recorded videos.",
    ]
    note("Rules of the cache: `python benchmarks/cache_rules.py STORE`", lines)


if __name__ == "__main__":
    main()
