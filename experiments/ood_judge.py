"""The third arm of ood_truth.py: the judge alone, on the varied simulator's own true video.

An error of the arms `edit` and `simulator` may be the world's or the judge's. Here no world draws:
the policies act in the varied simulator, and the judge is shown what truly happened. What is wrong
here is the judge's.

OUT/true/judged.jsonl   one line per trial; a stopped arm continues from here
OUT/true/ood.json       by variation: true successes that are missed, true failures that are called
                        successes, and drops as judged beside true ones"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from worldgym.errors import InputError
from worldgym.evaluation.rollout import roll_out
from worldgym.io.files import write_json
from worldgym.io.jsonl import LineFile, read_lines
from worldgym.io.progress import progress
from worldgym.io.records import from_mapping
from worldgym.judges.judging import scores
from worldgym.judges.load_judge import load_judge
from worldgym.policies.load_policy import load_policy
from worldgym.reference.reference_tasks import METAWORLD_SPEC, STEPS
from worldgym.reference.simulator import Simulator
from worldgym.reference.simulator_world import SimulatorJudge, SimulatorWorld
from worldgym.reference.variations import variation
from worldgym.types import Trial, is_success

NAME = "judged.jsonl"


@dataclass(frozen=True)
class JudgedTrial:
    """variation: "" = the scene as it is.   judged: None = unscored."""

    variation: str
    policy: str
    task: str
    seed: int
    truth: bool
    judged: bool | None


@dataclass(frozen=True)
class Scene:
    """One policy in one scene."""

    variation: str
    task: str
    policy: str
    seeds: tuple[int, ...]
    judge: Path


def judge_true_videos(
    out: Path,
    policies: Sequence[str],
    tasks: Sequence[str],
    variations: Sequence[str],
    seeds: Sequence[int],
    judge: Path,
    workers: int = 0,
) -> dict[str, Any]:
    """Judges what is missing, and returns and writes the figures."""
    with LineFile(out / NAME) as file:
        name = load_judge(judge).name
        done = _known(file, name)
        scenes = [
            Scene(change, task, policy, tuple(seeds), judge)
            for change in ("", *variations)
            for task in tasks
            for policy in policies
        ]
        finished = {(t.variation, t.task, t.policy, t.seed) for t in done}
        left = [
            scene
            for scene in scenes
            if any(
                (scene.variation, scene.task, load_name(scene.policy), seed) not in finished
                for seed in seeds
            )
        ]
        count = min(workers or multiprocessing.cpu_count(), max(len(left), 1))
        with multiprocessing.get_context("spawn").Pool(count, torch.set_num_threads, (1,)) as pool:
            found = pool.imap_unordered(_judged, left)
            for rows in progress(found, len(left), "judging true video", "scene"):
                new = [r for r in rows if (r.variation, r.task, r.policy, r.seed) not in finished]
                file.append(*map(asdict, new))
                done += new
    asked = {load_name(policy) for policy in policies}
    used = [
        trial
        for trial in done
        if trial.policy in asked
        and trial.task in tasks
        and trial.seed in seeds
        and trial.variation in ("", *variations)
    ]
    figures = {"judge": name, "variations": judged_figures(used)}
    write_json(out / "ood.json", figures)
    return figures


def judged_figures(trials: Iterable[JudgedTrial]) -> dict[str, Any]:
    """By variation, "nominal" first: counts, and drops in points against the same trials in the
    nominal scene, of those that the judge scored in both."""
    every = {(t.variation, t.task, t.policy, t.seed): t for t in trials}
    found = {}
    for name in sorted({trial.variation for trial in every.values()}):
        all_own = [trial for trial in every.values() if trial.variation == name]
        own = [trial for trial in all_own if trial.judged is not None]
        good, bad = [t for t in own if t.truth], [t for t in own if not t.truth]
        twins = [(every.get(("", t.task, t.policy, t.seed)), t) for t in own]
        pairs = [(a, b) for a, b in twins if a is not None and a.judged is not None]
        found[name or "nominal"] = {
            "trials": len(own),
            "unscored": len(all_own) - len(own),
            "successes": len(good),
            "missed": sum(not t.judged for t in good),
            "failures": len(bad),
            "invented": sum(bool(t.judged) for t in bad),
            "pairs": len(pairs),
            "judged_drop": _points([(bool(a.judged), bool(b.judged)) for a, b in pairs]),
            "true_drop": _points([(a.truth, b.truth) for a, b in pairs]),
        }
    return found


def _points(pairs: Sequence[tuple[bool, bool]]) -> float | None:
    """Mean of first minus second, in points; None without a pair."""
    return 100 * sum(a - b for a, b in pairs) / len(pairs) if pairs else None


def load_name(policy: str) -> str:
    return load_policy(policy, METAWORLD_SPEC).name


def _judged(scene: Scene) -> list[JudgedTrial]:
    policy = load_policy(scene.policy, METAWORLD_SPEC)
    simulator = Simulator(scene.task, change=variation(scene.variation))
    world = SimulatorWorld(simulator, scene.variation)
    rows = []
    for seed in scene.seeds:
        task = world.task(seed, STEPS)
        (rollout,) = roll_out(world, policy, [Trial(task, 0, 0)])
        truth = bool(SimulatorJudge(world)(rollout, task).score)
        (score,) = scores(load_judge(scene.judge), [rollout])
        judged = None if score is None else is_success(score)
        rows.append(JudgedTrial(scene.variation, policy.name, scene.task, seed, truth, judged))
    simulator.close()
    return rows


def _known(file: LineFile, judge: str) -> list[JudgedTrial]:
    """InputError if another judge was asked."""
    lines = read_lines(file.path, "a file of verdicts", "remove the file, and all is judged again")
    if not lines:
        file.append({"judge": judge})
        return []
    if (asked := lines[0].read(dict).get("judge")) != judge:
        raise InputError(
            f"{file.path}: was judged by {asked}, not by {judge}; choose another --out"
        )
    return [line.read(lambda data: from_mapping(JudgedTrial, data)) for line in lines[1:]]
