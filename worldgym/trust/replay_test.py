"""The replay test: recorded actions replayed through the world, and the verdict on what it draws
compared with what happened.

judged     the verdict on the generated video against the label: world and judge together
recorded   the verdict on the recorded video against the label: the judge alone"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
    frame of the main view.   others: of the further views that were recorded, by their names.

    judged, recorded: verdicts on the generated and on the recorded video, None = unscored.
    """

    name: str
    group: str
    success: bool | None
    psnr: tuple[float, ...]
    judged: bool | None
    recorded: bool | None
    others: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


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
        main, others = _levels(new, episode.rollout)
        outcomes.append(
            ReplayOutcome(task.name, task.group, episode.success, main, judged, recorded, others)
        )
    return outcomes, generated


def _levels(new: Rollout, true: Rollout) -> tuple[tuple[float, ...], dict[str, tuple[float, ...]]]:
    """PSNR of the main view, and of the others that both have."""

    def level(drawn: int, recorded: int) -> tuple[float, ...]:
        return tuple(map(float, psnr(new.frames[1:, drawn], true.frames[1:, recorded])))

    others = {
        view: level(v, true.views.index(view))
        for v, view in enumerate(new.views)
        if v and view in true.trial.task.others
    }
    return level(0, 0), others


def replay_figures(outcomes: Sequence[ReplayOutcome]) -> dict[str, Any]:
    """Of one group of tasks, as JSON values: episodes, psnr at the usual horizons of the main view
    (and of the others, where there are any), and sensitivity and specificity with 95 % intervals of
    both verdicts (value None without labelled successes, or failures)."""
    others = psnr_of_others(outcomes)
    return {
        "episodes": len(outcomes),
        "psnr": psnr_at([o.psnr for o in outcomes]),
        **({"psnr_of_others": others} if others else {}),
        "judged": _confusion([(o.success, o.judged) for o in outcomes]),
        "recorded": _confusion([(o.success, o.recorded) for o in outcomes]),
    }


def psnr_at(levels: Sequence[Sequence[float]]) -> dict[str, float]:
    """levels: dB at each frame of each episode => their mean at each of the usual horizons that one
    of them reaches, by its number."""
    reached = {h: [some[h - 1] for some in levels if len(some) >= h] for h in HORIZONS}
    return {str(h): float(np.mean(known)) for h, known in reached.items() if known}


def psnr_of_others(outcomes: Sequence[ReplayOutcome]) -> dict[str, dict[str, float]]:
    """By the names of the further views."""
    views = sorted({view for outcome in outcomes for view in outcome.others})
    return {view: psnr_at([o.others[view] for o in outcomes if view in o.others]) for view in views}


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
