"""Commands for making a new bundled world."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from worldgym.cli.options import JudgePlace, Policies, WorldPlace
from worldgym.io.text import amount


@dataclass(frozen=True)
class MineFalseSuccesses:
    """Find closed loops that look like successes in the world but truly failed, and keep them for
    its next training."""

    world: WorldPlace
    judge: JudgePlace
    data: Path
    """episode store that `worldgym reference generate-rollouts` wrote"""
    out: Path
    """episode store for them, and for the same number of closed loops that are judged right"""
    batch: int = 30

    def __call__(self) -> None:
        from worldgym.reference.mined_failures import MineConfig, mine_false_successes

        config = MineConfig(self.world, self.judge, self.data, self.out, batch=self.batch)
        found = mine_false_successes(config)
        print(
            f"{self.out}: {found.false} false successes of {found.looked_at} closed loops, and "
            f"{found.kept} that are judged right beside them"
        )


@dataclass(frozen=True)
class Chain:
    """All stages to a new bundled world: recordings, world, distillation, mining, judge, error
    predictor, calibration, evaluation. Resumes; --dry-run shows the stages."""

    out: Path
    """folder for everything; stages/ records what was done"""
    only: tuple[str, ...] = ()
    """stages to run; default: all that are not finished"""
    extent: Literal["full", "tiny"] = "full"
    """tiny: a few minutes, to check that every stage runs; its world is useless"""
    dry_run: bool = False
    """print the stages with their estimated times, and run nothing"""

    def __call__(self) -> None:
        from worldgym.reference.chain_stages import SIZES, stages
        from worldgym.reference.training_chain import is_finished, run_chain

        if not self.dry_run:
            ran = run_chain(self.out, SIZES[self.extent], self.only)
            print(f"{self.out}: {', '.join(ran) or 'nothing'} run; all else was finished")
            return
        total = 0
        for stage in stages(self.out, SIZES[self.extent]):
            done = is_finished(self.out, stage)
            total += 0 if done else stage.minutes
            print(f"{stage.name}: about {stage.minutes} minutes{', finished' if done else ''}")
            for command in stage.commands:
                print(f"  worldgym {' '.join(command)}")
        print(
            f"about {total / 60:.0f} hours on two idle cores, estimated, partly from measured parts"
        )


@dataclass(frozen=True)
class MeasureCrossings:
    """The hand-crossing test: the hand passes in front of an object without touching it. PSNR
    around the object, before and after, by task."""

    world: WorldPlace
    out: Path
    """gets hand-crossing.json"""
    crossings: int = 10
    """passes per task"""
    first_seed: int = 12_000
    tasks: tuple[str, ...] = ()
    """default: all"""
    json: bool = False

    def __call__(self) -> None:
        from worldgym.reference.hand_crossing import CrossingConfig, measure_crossings
        from worldgym.reference.reference_tasks import TASKS

        tasks = self.tasks or tuple(TASKS)
        found = measure_crossings(
            CrossingConfig(self.world, self.out, tasks, self.crossings, self.first_seed)
        )
        if self.json:
            print(json.dumps(found, indent=2))
            return
        for task, row in found["tasks"].items():
            told = "no crossing without contact was found"
            if row["lost"] is not None:
                told = (
                    f"{row['before']:.1f} dB before, {row['after']:.1f} dB after, "
                    f"{row['lost']:.1f} lost"
                )
            print(f"{task}: {row['crossings']} crossings, {told}")


@dataclass(frozen=True)
class GenerateReplays:
    """Replay recorded actions in a world and keep the videos with the simulator's labels, for
    training a judge."""

    world: WorldPlace
    data: Path
    out: Path
    every: int = 4
    """use one of N seeds, those that the judge's threshold is chosen on, and every closed-loop
    episode"""
    batch: int = 30

    def __call__(self) -> None:
        from worldgym.reference.generated_replays import ReplayConfig, generate_replays

        config = ReplayConfig(self.world, self.data, self.out, self.every, self.batch)
        print(f"{self.out}: {amount(len(generate_replays(config)), 'episode')}")


@dataclass(frozen=True)
class GenerateRollouts:
    """Let policies act in a learned world, replay their actions in the simulator, and keep the true
    outcome. Resumes."""

    world: WorldPlace
    policy: Policies
    """folders of policies that will not be evaluated"""
    out: Path
    """episode store to add to"""
    first_seed: int = 0
    seeds: int = 40
    """start states per task"""
    tasks: tuple[str, ...] = ()
    """default: all"""
    processes: int = 0
    """0 = one per core"""

    def __call__(self) -> None:
        from worldgym.reference.behaviours import is_closed_loop
        from worldgym.reference.generated_rollouts import ClosedLoopConfig, generate_rollouts
        from worldgym.reference.reference_tasks import TASKS

        seeds = tuple(range(self.first_seed, self.first_seed + self.seeds))
        tasks = self.tasks or tuple(TASKS)
        store = generate_rollouts(
            ClosedLoopConfig(
                self.world, self.policy, self.out, seeds, tasks, workers=self.processes
            )
        )
        generated = [info for info in store if is_closed_loop(info)]
        print(
            f"{store.root}: {amount(len(store), 'episode')}, {len(generated)} from closed loops, "
            f"{sum(bool(i.success) for i in generated)} of them successes"
        )


@dataclass(frozen=True)
class Bundle:
    """Assemble codec, world, judge, policies, initial frames and true results into the bundled
    demo."""

    trained: Path
    """folder that `worldgym world train` wrote"""
    judge: Path
    policy: tuple[Path, ...]
    """folders of checkpoints"""
    truth: Path
    """folder that `worldgym reference evaluate` wrote"""
    inverse_dynamics: Path | None = None
    """from `worldgym world train-inverse-dynamics`"""
    error_predictor: Path | None = None
    """from `worldgym world fit-error-predictor`, on a run of this same world and judge"""
    motions: Path | None = None
    """from `worldgym world measure-motions`"""

    def __call__(self) -> None:
        from worldgym.reference.make_bundle import BundleConfig, bundle

        config = BundleConfig(
            self.trained,
            self.judge,
            self.policy,
            self.truth,
            inverse_dynamics=self.inverse_dynamics,
            error_predictor=self.error_predictor,
            motions=self.motions,
        )
        print(f"{bundle(config):.1f} MiB")


@dataclass(frozen=True)
class CompareRelease:
    """Score the bundled world again on the held-out policies and seeds, and compare with the
    figures of its release. Resumes."""

    data: Path = Path("data/train")
    """recordings that the policies are trained on; made if they are missing"""
    policies: Path = Path("runs/zoo/held-out")
    """policies of the set; trained if they are missing"""
    out: Path = Path("runs/release-check")
    seeds: int = 0
    """start states per task; default: those of the release"""
    write: bool = False
    """store the figures with the bundle instead of comparing: for a new world"""
    processes: int = 0
    """0 = one per core"""

    def __call__(self) -> None:
        from worldgym.reference.release_check import ReleaseConfig, release_check, require_release

        config = ReleaseConfig(
            self.data,
            self.policies,
            self.out,
            seeds=self.seeds,
            write=self.write,
            workers=self.processes,
        )
        check = release_check(config)
        print(f"{check.same} of {check.policies} policies are identical to those of the release")
        for line in check.lines:
            verdict = "holds" if line.holds else "FAILS"
            print(
                f"{verdict}  {line.measure}: released {line.released}, now {line.found}, tolerance "
                f"{line.tolerance:g}"
            )
        require_release(check.lines)
