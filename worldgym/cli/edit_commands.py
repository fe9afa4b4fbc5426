"""Commands for out-of-distribution tests: suites of edited tasks, and the search for the mildest
edit that breaks a policy."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from worldgym.cli.output import command_line, print_skipped
from worldgym.cli.places import JudgePlace, TasksPlace, WorldPlace


@dataclass(frozen=True)
class Perturb:
    """Make an out-of-distribution suite: edited initial images and instructions beside the tasks
    they were made from."""

    tasks: tyro.conf.Positional[TasksPlace]
    """folder of NAME.png + NAME.json"""
    edits: Annotated[Path, tyro.conf.arg(name="with")]
    """edits.toml, see docs/ood.md"""
    out: Path
    limit: int = 0
    """tasks a group; 0 = all"""
    budget: float | None = None
    """US dollars that edits by a model may cost"""

    def run(self) -> None:
        from worldgym.tasks.edited_tasks import PerturbConfig, perturb

        nominal, counts, refused = perturb(
            PerturbConfig(self.tasks, self.edits, self.out, self.limit, self.budget)
        )
        print(f"{self.out}: {nominal} tasks as they were, {sum(counts.values())} edited")
        for name, count in counts.items():
            print(f"  {name}: {count}")
        print_skipped(refused)


@dataclass(frozen=True)
class Augment:
    """Copy recordings with their pictures edited, so that a world may learn scenes that nobody
    recorded. Resumes."""

    store: tyro.conf.Positional[Path]
    """episode store"""
    edits: Annotated[Path, tyro.conf.arg(name="with")]
    """edits.toml, ranges allowed: gain = { mild = 1.0, harsh = 0.2 }"""
    out: Path
    """episode store for the edited copies"""
    limit: int = 0
    """episodes a task; 0 = all"""
    seed: int = 0

    def run(self) -> None:
        from worldgym.tasks.augment import AugmentConfig, augment_store

        counts, skipped = augment_store(
            AugmentConfig(self.store, self.edits, self.out, self.limit, self.seed)
        )
        print(f"{self.out}: {sum(counts.values())} edited episodes")
        for name, count in counts.items():
            print(f"  {name}: {count}")
        print_skipped(skipped)


@dataclass(frozen=True)
class Stress:
    """Search the mildest edit that breaks a policy, confirm it on fresh initial frames and seeds,
    write a suite of it. Resumes."""

    world: WorldPlace
    """checkpoint of a world, or the folder that `worldgym train` wrote"""
    policy: str
    """one: "still", "random", or the folder of a policy"""
    tasks: TasksPlace
    """folder of NAME.png + NAME.json; half of the initial frames of each group are kept for the
    confirmation"""
    judge: JudgePlace
    """checkpoint of a judge, or judge.toml"""
    edits: Annotated[Path, tyro.conf.arg(name="with")]
    """edits.toml with ranges: gain = { mild = 1.0, harsh = 0.2 }"""
    budget: int
    """rollouts in all: search, nominal arm and confirmation"""
    out: Path
    drop: float = 0.5
    """fall of the success rate from which on a policy counts as broken"""
    levels: int = 6
    """strengths tried of each edit"""
    keep: int = 2
    """candidates that are confirmed"""
    seed: int = 0
    batch: int = 20
    json: bool = False

    def run(self) -> None:
        from worldgym.evaluation.stress import StressConfig, StressSources, stress
        from worldgym.report.edit_section import stress_text

        sources = StressSources(self.world, self.policy, self.tasks, self.judge, self.edits)
        search = (self.drop, self.levels, self.keep, self.seed, self.batch, command_line())
        found = stress(sources, StressConfig(self.out, self.budget, *search))
        print(json.dumps(found, indent=2) if self.json else stress_text(found))
