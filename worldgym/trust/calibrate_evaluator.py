"""`worldgym world calibrate`: recorded rollouts of policies, successes and failures, replayed
through world model and judge => how often both together err, task by task.

OUT/replayed.jsonl      what was judged: its identity, then one line per episode; a stopped
calibration
                        continues from here
OUT/calibration.json    `worldgym report RUN --calibration` takes it up
                        (stats/evaluator_calibration.py)"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from worldgym.episodes.store import EpisodeStore
from worldgym.errors import InputError
from worldgym.io.files import write_json
from worldgym.io.jsonl import LineFile, read_lines
from worldgym.io.progress import progress
from worldgym.io.records import from_mapping
from worldgym.judges.judge_protocol import Judge
from worldgym.stats.evaluator_calibration import EvaluatorCalibration
from worldgym.stats.judge_calibration import CALIBRATION_NAME
from worldgym.trust.replay_test import replay_test
from worldgym.trust.rollout_replay import Recorded, ReplayOptions, recorded_rollouts
from worldgym.world.world_protocol import World

REPLAYED_NAME = "replayed.jsonl"
WHOSE = ("policy", "behaviour")  # extras of an episode that may say whose it is


@dataclass(frozen=True)
class Replayed:
    """Line of OUT/replayed.jsonl. judged: the verdict on what the world model drew, None =
    unscored."""

    episode: str
    policy: str
    task: str
    truth: bool
    judged: bool | None


def calibrate_evaluator(
    world: World[Any], judge: Judge, stores: Sequence[Path], out: Path, replaying: ReplayOptions
) -> EvaluatorCalibration:
    """Writes both files. InputError where it is unknown which recordings succeeded, or all did, or
    none."""
    done = dict[str, Replayed]()
    with LineFile(out / REPLAYED_NAME) as file:
        _resume(file, {"world": world.name, "judge": judge.name}, done)
        for folder in stores:
            store = EpisodeStore(folder)
            whose = {info.name: _policy(info.extras) for info in store}
            left = [
                episode
                for episode in recorded_rollouts(store)
                if episode.success is not None and _key(folder, episode) not in done
            ]
            batches = [left[i : i + replaying.batch] for i in range(0, len(left), replaying.batch)]
            for batch in progress(batches, len(batches), "replaying", "batch"):
                outcomes, _ = replay_test(world, judge, batch, replaying)
                lines = [
                    Replayed(
                        _key(folder, episode),
                        whose[episode.rollout.trial.task.name],
                        found.group,
                        bool(episode.success),
                        found.judged,
                    )
                    for episode, found in zip(batch, outcomes, strict=True)
                ]
                file.append(*map(asdict, lines))
                done |= {line.episode: line for line in lines}
    known = [(line.policy, line.task, line.truth, line.judged) for line in done.values()]
    calibration = EvaluatorCalibration.of(world.name, judge.name, known)
    counts = calibration.counts
    if not counts.successes or not counts.failures:
        raise InputError(
            f"{', '.join(map(str, stores))}: {counts.successes} known successes and "
            f"{counts.failures} known failures; a calibration needs both"
        )
    write_json(out / CALIBRATION_NAME, asdict(calibration))
    return calibration


def _policy(extras: Any) -> str:
    return next((str(extras[key]) for key in WHOSE if extras.get(key)), "")


def _key(folder: Path, episode: Recorded) -> str:
    return f"{folder.resolve().name}/{episode.rollout.trial.task.name}"


def _resume(file: LineFile, identity: dict[str, str], done: dict[str, Replayed]) -> None:
    """InputError if it was replayed with something else."""
    remedy = "remove the file, and everything is replayed again"
    lines = read_lines(file.path, "a file of replays", remedy)
    if not lines:
        file.append({"replayed_with": identity})
        return
    first = lines[0].read(dict).get("replayed_with")
    if first != identity:
        raise InputError(
            f"{file.path}: was made with {first}, now it is {identity}; choose another --out"
        )
    for line in lines[1:]:
        found = line.read(lambda data: from_mapping(Replayed, data))
        done[found.episode] = found
