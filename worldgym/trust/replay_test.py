"""The replay test: recorded actions replayed through the world, and the verdict on what it draws
compared with what happened.

judged     the verdict on the generated video against the label: world and judge together
recorded   the verdict on the recorded video against the label: the judge alone"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from worldgym.judges.judge_protocol import Judge
from worldgym.judges.judging import scores
from worldgym.stats.confusion import Confusion
from worldgym.stats.judge_calibration import false_positive_rate, true_positive_rate
from worldgym.trust.rollout_replay import Recorded, ReplayOptions, replay_rollouts
from worldgym.types import Rollout, is_success
from worldgym.world.open_loop_replay import HORIZONS, psnr
from worldgym.world.world_protocol import World


@dataclass(frozen=True)
class ReplayOutcome:
    """One recorded episode. success: its label, None = unknown.   psnr: dB at each generated
    frame of the main view.

    judged, recorded: verdicts on the generated and on the recorded video, None = unscored.
    """

    name: str
    group: str
    success: bool | None
    psnr: tuple[float, ...]
    judged: bool | None
    recorded: bool | None


def replay_test(
    world: World[Any], judge: Judge, episodes: Sequence[Recorded], replaying: ReplayOptions
) -> tuple[list[ReplayOutcome], list[Rollout]]:
    """=> (outcomes, the rollouts as generated), in the order of the episodes."""
    rollouts = [episode.rollout for episode in episodes]
    generated = replay_rollouts(world, rollouts, replaying, what="replaying")
    verdicts = zip(
        *(
            [None if s is None else is_success(s) for s in scores(judge, some)]
            for some in (generated, rollouts)
        ),
        strict=True,
    )
    outcomes = []
    for episode, new, (judged, recorded) in zip(episodes, generated, verdicts, strict=True):
        task = new.trial.task
        levels = psnr(new.main[1:], episode.rollout.main[1:])
        outcomes.append(
            ReplayOutcome(
                task.name, task.group, episode.success, tuple(map(float, levels)), judged, recorded
            )
        )
    return outcomes, generated


def replay_figures(outcomes: Sequence[ReplayOutcome]) -> dict[str, Any]:
    """Of one group of tasks, as JSON values: episodes, psnr at the usual horizons, and sensitivity
    and specificity with 95 % intervals of both verdicts (value None without labelled successes, or
    failures)."""
    levels = {h: [o.psnr[h - 1] for o in outcomes if len(o.psnr) >= h] for h in HORIZONS}
    return {
        "episodes": len(outcomes),
        "psnr": {str(h): float(np.mean(known)) for h, known in levels.items() if known},
        "judged": _confusion([(o.success, o.judged) for o in outcomes]),
        "recorded": _confusion([(o.success, o.recorded) for o in outcomes]),
    }


def _confusion(pairs: Sequence[tuple[bool | None, bool | None]]) -> dict[str, Any]:
    """(label, verdict) pairs. Specificity is one minus the false positive rate, and so are its
    ends."""
    counts = Confusion.of((label, verdict) for label, verdict in pairs if label is not None)
    tpr = true_positive_rate(counts)
    fpr = false_positive_rate(counts)
    specificity = None if fpr.value is None else 1.0 - fpr.value
    return {
        "sensitivity": {"value": tpr.value, "low": tpr.low, "high": tpr.high, "of": tpr.trials},
        "specificity": {
            "value": specificity,
            "low": 1.0 - fpr.high,
            "high": 1.0 - fpr.low,
            "of": fpr.trials,
        },
        "unscored": counts.unscored,
    }


def by_group(outcomes: Sequence[ReplayOutcome]) -> Mapping[str, list[ReplayOutcome]]:
    """Sorted by group."""
    return {
        group: [o for o in outcomes if o.group == group]
        for group in sorted({o.group for o in outcomes})
    }
