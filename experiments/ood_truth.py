"""Predicted against true drops under out-of-distribution changes, per policy and axis: the check of
the whole method.

    python -m experiments.ood_truth --out runs/ood --seeds 20 [--policy P ...] [--arm edit |
    simulator | true]

Truth: the policies in the varied simulator (worldgym/reference/variations.py). Predicted: the same
policies in the learned world, from initial frames edited as pictures (experiments/ood_edits.toml),
or, with --arm simulator, from the varied simulator's own initial frames, which tells errors of the
edit from errors of the world. The arm `true` draws nothing: the judge is shown the varied
simulator's own video, which tells errors of the judge from both (ood_judge.py). Each stage resumes.
OUT/ARM/run holds log, summary and report, OUT/ARM/ood.json the figures printed. In all policies x
(variations + 1) x tasks x seeds episodes, once simulated, once generated."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from experiments.ood_judge import judge_true_videos
from worldgym.cli.script import read_options
from worldgym.evaluation.load_parts import Sources
from worldgym.evaluation.plan import EvaluateConfig
from worldgym.evaluation.run import run_sources
from worldgym.io.bundled import BUNDLE
from worldgym.io.files import write_atomic, write_json
from worldgym.io.json_form import to_json
from worldgym.reference.demo import bundled_sources
from worldgym.reference.reference_tasks import FIRST_HELD_OUT_SEED, TASKS
from worldgym.reference.simulator_truth import TruthConfig, truth, write_tasks
from worldgym.reference.variations import VARIATIONS
from worldgym.stats.summary import Summary
from worldgym.tasks.edited_tasks import PerturbConfig, perturb

EDITS = Path(__file__).parent / "ood_edits.toml"


@dataclass(frozen=True)
class Experiment:
    """Options of the command line."""

    out: Path = Path("runs/ood")
    seeds: int = 20
    """initial frames per task, from the first held-out seed on"""
    policy: tuple[str, ...] = ()
    """default: all that are bundled"""
    tasks: tuple[str, ...] = tuple(TASKS)
    variations: tuple[str, ...] = tuple(VARIATIONS)
    arm: Literal["edit", "simulator", "true"] = "edit"
    world: Path = BUNDLE
    judge: Path = BUNDLE / "judge"
    workers: int = 0
    """simulator processes; 0 = one per core"""


def run(options: Experiment) -> dict[str, Any]:
    policies = options.policy or tuple(map(str, bundled_sources().policies))
    seeds = tuple(range(FIRST_HELD_OUT_SEED, FIRST_HELD_OUT_SEED + options.seeds))
    if options.arm == "true":
        return judge_true_videos(
            options.out / "true",
            policies,
            options.tasks,
            options.variations,
            seeds,
            options.judge,
            options.workers,
        )
    known = options.out / "truth"
    config = TruthConfig(
        known,
        policies,
        seeds,
        options.tasks,
        workers=options.workers,
        variations=options.variations,
    )
    truth(config)
    write_tasks(known / "tasks", seeds, options.tasks, options.variations)
    suite = known / "tasks" if options.arm == "simulator" else _edited(options, known)
    out = options.out / options.arm / "run"
    evaluated = EvaluateConfig(out, options.seeds, truth=known, command="experiments/ood_truth.py")
    summary = run_sources(Sources(options.world, policies, suite, options.judge), evaluated).ended()
    found = figures(summary)
    write_json(options.out / options.arm / "ood.json", found)
    return found


def figures(summary: Summary) -> dict[str, Any]:
    """By policy and axis: predicted and true drop, and how they agree."""
    drops = summary.perturbed
    assert drops is not None, "the suite has edited tasks"
    cells = [to_json(cell) for axis in drops.axes for cell in axis.cells]
    keys = (
        "policy",
        "axis",
        "drop",
        "low",
        "high",
        "n",
        "true_drop",
        "true_n",
        "nominal_rate",
        "edited_rate",
    )
    return {
        "agreement": to_json(drops.truth),
        "cells": [{key: cell[key] for key in keys} for cell in cells],
    }


def _edited(options: Experiment, known: Path) -> Path:
    """The nominal initial frames with the local edits of the chosen variations."""
    described = EDITS.read_text(encoding="utf-8").split("\n[[edit]]\n")
    chosen = [
        part
        for part in described[1:]
        if any(part.startswith(f'name = "{name}"\n') for name in options.variations)
    ]
    edits = options.out / "edit" / "edits.toml"
    suite = options.out / "edit" / "tasks"
    write_atomic(edits, "\n[[edit]]\n".join([described[0], *chosen]).encode())
    perturb(PerturbConfig(known / "tasks", edits, suite))
    return suite


if __name__ == "__main__":
    print(json.dumps(run(read_options(Experiment, __doc__)), indent=2))
