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

from worldgym.episodes.store_index import EpisodeInfo
from worldgym.errors import InputError
from worldgym.io.files import write_json
from worldgym.io.jsonl import LineFile, read_lines
from worldgym.io.progress import progress
from worldgym.io.records import from_mapping
from worldgym.judges.judge_protocol import Judge
from worldgym.stats.evaluator_calibration import EvaluatorCalibration
from worldgym.stats.judge_calibration import CALIBRATION_NAME
from worldgym.tasks.task_folder import check_frames
from worldgym.trust.replay_test import replay_test
from worldgym.trust.rollout_replay import ReplayOptions, recorded_rollouts
from worldgym.trust.trust_inputs import matching_store
from worldgym.world.world_protocol import World

REPLAYED_NAME = "replayed.jsonl"
WHOSE = ("policy", "behaviour")  # extras of an episode that may say whose it is


@dataclass(frozen=True)
class Replayed:
    """Line of OUT/replayed.jsonl. episode: where it is, and what it holds, see `_key`.   judged:
    the verdict on what the world model drew, None = unscored.   policy, task, truth: for readers;
    a calibration takes them from the store, where a label may have been set right since."""

    episode: str
    policy: str
    task: str
    truth: bool
    judged: bool | None


def calibrate_evaluator(
    world: World[Any], judge: Judge, stores: Sequence[Path], out: Path, replaying: ReplayOptions
) -> EvaluatorCalibration:
    """Writes both files. SpecMismatch where a store's actions are not the world's. InputError where
    frames are of another size, where it is unknown which recordings succeeded, or all did, or
    none."""
    opened = {folder.resolve(): matching_store(folder, world) for folder in stores}
    done = dict[str, Replayed]()
    known = list[Replayed]()
    with LineFile(out / REPLAYED_NAME) as file:
        _resume(file, {"world": world.name, "judge": judge.name}, done)
        for folder, store in opened.items():
            infos = {info.name: info for info in store}
            labelled = [e for e in recorded_rollouts(store) if e.success is not None]
            check_frames([episode.rollout.trial.task for episode in labelled], world.frame_shape)
            keys = {name: _key(folder, info) for name, info in infos.items()}
            left = [e for e in labelled if keys[e.rollout.trial.task.name] not in done]
            batches = [left[i : i + replaying.batch] for i in range(0, len(left), replaying.batch)]
            for batch in progress(batches, len(batches), "replaying", "batch"):
                outcomes, _ = replay_test(world, judge, batch, replaying)
                lines = [_line(infos[o.name], keys[o.name], o.judged) for o in outcomes]
                file.append(*map(asdict, lines))
                done |= {line.episode: line for line in lines}
            for episode in labelled:
                name = episode.rollout.trial.task.name
                known.append(_line(infos[name], keys[name], done[keys[name]].judged))
    rows = [(line.policy, line.task, line.truth, line.judged) for line in known]
    calibration = EvaluatorCalibration.of(world.name, judge.name, rows)
    counts = calibration.counts
    if not counts.successes or not counts.failures:
        unscored = f" ({counts.unscored} were not scored)" if counts.unscored else ""
        raise InputError(
            f"{', '.join(map(str, stores))}: {counts.successes} known successes and "
            f"{counts.failures} known failures{unscored}; a calibration needs both"
        )
    write_json(out / CALIBRATION_NAME, asdict(calibration))
    return calibration


def _line(info: EpisodeInfo, key: str, judged: bool | None) -> Replayed:
    policy = next((str(info.extras[key]) for key in WHOSE if info.extras.get(key)), "")
    return Replayed(key, policy, info.group, bool(info.success), judged)


def _key(folder: Path, info: EpisodeInfo) -> str:
    """Its place and its digest: stores may share a name, and an episode may have been replaced."""
    return f"{folder}/{info.name} {info.digest}".rstrip()


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
