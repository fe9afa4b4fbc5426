"""Commands that make tasks: from recordings, or from other tasks by editing them; and the search
for the mildest edit that breaks a policy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from worldgym.cli.data_commands import ReadingOptions
from worldgym.cli.options import EngineName, JudgePlace, Positional, TasksPlace, WorldPlace
from worldgym.cli.output import answer, command_line, end_as, print_skipped
from worldgym.io.text import amount


@dataclass(frozen=True, kw_only=True)
class New(ReadingOptions):
    """Make tasks from the first frame of every episode of a dataset, or one from a photo, which is
    turned upright and cut to --size."""

    source: Positional[Path]
    """folder (or HDF5 file) of the dataset, whose format is detected; or a photo (JPEG, PNG)"""
    out: Path
    """folder for the tasks"""
    partial_credit: str = ""
    """written criterion for a score of 0.5"""
    steps: int = 40
    """actions a rollout may take"""
    limit: int = 0
    """at most this many tasks; 0 = all"""

    def __call__(self) -> None:
        from worldgym.tasks.new_tasks import NewTasks, new_tasks

        request = NewTasks(
            self.source,
            self.out,
            self.options(),
            self.partial_credit,
            self.steps,
            self.limit,
            self.strict,
        )
        names, skipped = new_tasks(request)
        print(
            f"{self.out}: {amount(len(names), 'task')}, {amount(len(skipped), 'episode')} skipped"
        )
        print_skipped(skipped)


@dataclass(frozen=True)
class Bridge17:
    """Combine your initial frames with the published Bridge suite: 17 tasks and the real results of
    four policies."""

    frames: Positional[Path]
    """folder of NN-TASK/*.png; the command names missing ones"""
    out: Path
    """folder for the tasks"""
    size: tuple[int, int] | None = None
    """height and width to resize frames to"""

    def __call__(self) -> None:
        from worldgym.tasks.bridge17 import make_bridge17

        names, missing = make_bridge17(self.frames, self.out, self.size)
        print(f"{self.out}: {amount(len(names), 'task')}")
        if missing:
            print(f"no initial frames for {', '.join(missing)}")


@dataclass(frozen=True)
class EditTasks:
    """Make an out-of-distribution suite: edited initial frames and instructions, together with the
    original tasks."""

    tasks: Positional[TasksPlace]
    """folder of NAME.png + NAME.json"""
    edits: Path
    """edits.toml, see docs/ood.md"""
    out: Path
    """folder for the suite"""
    limit: int = 0
    """tasks per group; 0 = all"""
    budget: float | None = None
    """limit for the cost of edits by a model, in US dollars"""

    def __call__(self) -> None:
        from worldgym.tasks.edited_tasks import PerturbConfig, perturb

        nominal, counts, refused = perturb(
            PerturbConfig(self.tasks, self.edits, self.out, self.limit, self.budget)
        )
        print(f"{self.out}: {nominal} original tasks, {sum(counts.values())} edited")
        for name, count in counts.items():
            print(f"  {name}: {count}")
        print_skipped(refused)


@dataclass(frozen=True)
class Stress:
    """Search the mildest edit that breaks a policy, confirm it on new initial frames and seeds, and
    write a suite with it. Resumes. Exit codes 3 and 4 as for `worldgym evaluate`.
    """

    world: WorldPlace
    """checkpoint of a world, or the folder that `worldgym world train` wrote"""
    policy: str
    """one: "still", "random", or the folder of a policy"""
    tasks: TasksPlace
    """folder of NAME.png + NAME.json; half of the initial frames of each group are kept for the
    confirmation"""
    judge: JudgePlace
    """checkpoint of a judge, or judge.toml"""
    edits: Path
    """edits.toml with ranges: gain = { mild = 1.0, harsh = 0.2 }"""
    rollouts: int
    """total number of rollouts: search, nominal tasks and confirmation"""
    out: Path
    drop: float = 0.5
    """drop of the success rate at which a policy counts as broken"""
    levels: int = 6
    """number of strengths tried for each edit"""
    keep: int = 2
    """number of candidates to confirm"""
    budget: float | None = None
    """limit for the cost of all verdicts of the search, in US dollars; then it stops, and continues
    with a higher limit"""
    seed: int = 0
    batch: int = 20
    device: str = "auto"
    engine: EngineName = "auto"
    other_engine: bool = False
    """continue a run that began on another engine or device: numbers differ slightly"""
    on: str = "local"
    workers: int = 0
    gpus: float = 0.0
    json: bool = False

    def __call__(self) -> None:
        from worldgym.api import Run
        from worldgym.evaluation.stress import StressConfig, stress
        from worldgym.evaluation.stress_parts import StressSources
        from worldgym.report.edit_section import stress_text

        parts = (self.world, self.policy, self.tasks, self.judge, self.edits)
        sources = StressSources(*parts, self.device, self.engine, self.budget)
        search = (self.drop, self.levels, self.keep, self.seed, self.batch, command_line())
        where = (self.other_engine, self.on, self.workers, self.gpus)
        config = StressConfig(self.out, self.rollouts, *search, *where)
        found = stress(sources, config)
        answer(found, stress_text, self.json)
        end_as([Run(self.out / name) for name in found.runs])
