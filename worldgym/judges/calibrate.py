"""Calibrates a judge: its verdicts on videos with a known outcome (from people or the robot's
records), and tests of its robustness that need no label.

blank    every frame black: nothing can be seen, so no verdict may be a success
frozen   the initial frame all along: nothing happened, so a success means that the judge guesses
         from the scene
order    a model asked with its options in reverse order: a verdict that changes depends on how it
         was asked"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from worldgym.errors import InputError, NothingWorked
from worldgym.io.files import sha256_file, write_atomic, write_json
from worldgym.io.jsonl import json_line
from worldgym.io.progress import progress
from worldgym.io.user_code import Failure
from worldgym.judges.judge_protocol import Judge
from worldgym.judges.judging import Bench, charge, judge_each, note_failure
from worldgym.judges.labels import LabelledClip, prepare_clips, read_labels
from worldgym.judges.vlm import VlmJudge
from worldgym.stats.judge_calibration import CALIBRATION_NAME, Judged
from worldgym.stats.judge_figures import calibration_figures
from worldgym.stats.raters import krippendorff_alpha
from worldgym.stats.repeated_failures import RepeatedFailures
from worldgym.types import Rollout, Verdict, is_success

BATCH = 16  # videos decoded at once
VERDICTS_NAME = "verdicts.jsonl"


@dataclass(frozen=True)
class CalibrateConfig:
    """labels: a label file, or an episode store whose successes are known.   robustness: videos for
    each robustness test, 0 = none."""

    labels: Path
    out: Path
    robustness: int = 20


def calibrate(config: CalibrateConfig, judge: Judge) -> dict[str, Any]:
    """Writes OUT/calibration.json and OUT/verdicts.jsonl (one line per video), and returns the
    former.

    Videos on which the labellers differ, or cannot tell, are left out and counted; so are those
    that the judge broke on, unless that is all of them: NothingWorked; SameFailure where one
    failure keeps repeating."""
    if config.robustness < 0:
        raise InputError(
            f"--robustness is {config.robustness}: give a number of videos, 0 for none"
        )
    labelled = read_labels(config.labels)
    known = [clip for clip in labelled if clip.score is not None]
    if not known:
        raise InputError(f"{config.labels}: no video has a known outcome; label some more")
    prepare_clips(judge, [clip.clip for clip in known])
    charge(judge, config.out)
    repeated = RepeatedFailures()
    judged = list[Judged]()
    lines = list[bytes]()
    broken = list[str]()
    batches = [known[i : i + BATCH] for i in range(0, len(known), BATCH)]
    for batch in progress(batches, len(batches), "judging", "batch"):
        rollouts = [clip.clip.rollout() for clip in batch]
        for clip, verdict in zip(batch, judge_each(judge, rollouts), strict=True):
            lines.append(_line(clip, verdict))
            if isinstance(verdict, Failure):
                broken.append(verdict.reason)
            else:
                judged.append(_judged(clip, verdict))
            note_failure(repeated, verdict)
    if not judged:
        raise NothingWorked(
            f"the judge failed on all of {len(broken)} videos, on the first because: {broken[0]}"
        )
    figures = {
        "judge": judge.name,
        "settings": dict(judge.settings),
        "labels": _labels(config.labels, labelled, known),
        "broken": len(broken),
        **calibration_figures(judged, _threshold(judge)),
        "robustness": _robustness(Bench(judge, repeated), known[: config.robustness]),
    }
    write_atomic(config.out / VERDICTS_NAME, b"".join(lines))
    write_json(config.out / CALIBRATION_NAME, figures)
    return figures


def _judged(clip: LabelledClip, verdict: Verdict) -> Judged:
    truth = clip.score is not None and is_success(clip.score)
    return Judged(truth, verdict.score, verdict.probability, clip.clip.initial_frame)


def _threshold(judge: Judge) -> float:
    """Of its probability, from which on it says success; one half for a judge that names none, such
    as a majority of votes."""
    return float(judge.settings.get("threshold", 0.5))


def _labels(
    path: Path, labelled: Sequence[LabelledClip], known: Sequence[LabelledClip]
) -> dict[str, Any]:
    """Whose labels, and how far the labellers agree among themselves, which bounds what a judge can
    be shown to do."""
    names = sorted({label.labeller for clip in labelled for label in clip.labels})
    ratings = [
        [{label.labeller: label.score for label in clip.labels}.get(name) for name in names]
        for clip in labelled
    ]
    frames = [clip.clip.initial_frame for clip in labelled]
    alpha, (low, high) = krippendorff_alpha(ratings, frames=frames)
    return {
        "sha256": sha256_file(path) if path.is_file() else None,
        "labellers": names,
        "undecided": len(labelled) - len(known),
        "alpha": {"value": alpha, "low": low, "high": high} if len(names) > 1 else None,
    }


def _line(clip: LabelledClip, verdict: Verdict | Failure) -> bytes:
    said = verdict.to_json() if isinstance(verdict, Failure) else asdict(verdict)
    return json_line({"video": str(clip.clip.video), "known": clip.score, **said})


def _robustness(bench: Bench, clips: Sequence[LabelledClip]) -> dict[str, Any]:
    """SameFailure as for the labelled videos. Without `order` where a question has no options."""
    if not clips:
        return {}
    judge = bench.judge
    rollouts = [clip.clip.rollout() for clip in clips]
    black = [replace(rollout, frames=np.zeros_like(rollout.frames)) for rollout in rollouts]
    still = [
        replace(rollout, frames=np.repeat(rollout.frames[:1], len(rollout.frames), axis=0))
        for rollout in rollouts
    ]
    found = {"blank": _successes(bench, black), "frozen": _successes(bench, still)}
    if isinstance(judge, VlmJudge) and judge.has_options:
        found["order"] = _changes(bench, replace(bench, judge=judge.backwards()), rollouts)
    return found


def _verdicts(bench: Bench, rollouts: Sequence[Rollout]) -> list[Verdict | Failure]:
    found = list[Verdict | Failure]()
    for verdict in judge_each(bench.judge, rollouts):
        found.append(verdict)
        note_failure(bench.repeated, verdict)
    return found


def _successes(bench: Bench, rollouts: Sequence[Rollout]) -> dict[str, int]:
    found = _verdicts(bench, rollouts)
    scores = [verdict.score for verdict in found if isinstance(verdict, Verdict)]
    return {
        "videos": len(found),
        "successes": sum(score is not None and is_success(score) for score in scores),
        "unscored": scores.count(None),
        "broken": len(found) - len(scores),
    }


def _changes(bench: Bench, turned: Bench, rollouts: Sequence[Rollout]) -> dict[str, int]:
    """How verdicts change when the order of the options is reversed; a judge without position bias
    changes equally often in both directions."""
    pairs = list(zip(_verdicts(bench, rollouts), _verdicts(turned, rollouts), strict=True))
    scores = [
        (first.score, second.score)
        for first, second in pairs
        if isinstance(first, Verdict) and isinstance(second, Verdict)
    ]
    both = [(first, second) for first, second in scores if first is not None and second is not None]
    return {
        "videos": len(pairs),
        "higher": sum(second > first for first, second in both),
        "lower": sum(second < first for first, second in both),
        "unscored_in_one": sum((first is None) != (second is None) for first, second in scores),
        "broken": len(pairs) - len(scores),
    }
