"""The stages for making a new bundled world, each a list of `worldgym` commands. Held-out policies
and seeds are scored only in the last stages; all choices use development ones. Using the result as
the bundle is a separate decision: `worldgym reference bundle` is not a stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Command = tuple[str, ...]
_BUNDLE = Path(__file__).parent / "bundle"


@dataclass(frozen=True)
class ChainSizes:
    """How much of everything. episodes, seeds: a task."""

    varied: int = 400
    near_misses: int = 200
    disturbed: int = 300
    other_task: int = 50
    cameras: int = 40
    held_out: int = 45
    chosen_by: int = 20  # episodes of the development seeds
    scenes: int = 60
    policy_steps: int = 0  # 0 = those of the recipes
    world_steps: int = 4000
    next_steps: int = 2200
    distill_steps: int = 200
    loops: int = 40  # start states of closed loops in a world, a policy
    judge_steps: int = 5500
    reader_steps: int = 600
    trials: int = 20
    final_trials: int = 50
    tasks: tuple[str, ...] = ()  # () = all


FULL = ChainSizes()
TINY = ChainSizes(
    varied=18,  # seeds 14 and 17 are experts
    near_misses=2,
    disturbed=12,
    other_task=2,
    cameras=2,
    held_out=4,
    chosen_by=2,
    scenes=1,
    policy_steps=2,
    world_steps=1,
    next_steps=1,
    distill_steps=1,
    loops=2,
    judge_steps=2,
    reader_steps=2,
    trials=2,
    final_trials=1,
    tasks=("drawer-open", "drawer-close"),
)
SIZES = {"full": FULL, "tiny": TINY}


@dataclass(frozen=True)
class Stage:
    """minutes: on two idle cores at full size, estimated, partly from measured parts; the complete
    chain was never run at that size."""

    name: str
    minutes: int
    commands: tuple[Command, ...]


def stages(out: Path, sizes: ChainSizes) -> tuple[Stage, ...]:
    """All of them, in order."""
    return (*_recordings(out, sizes), *_world(out, sizes), *_trust(out, sizes))


def _recordings(out: Path, n: ChainSizes) -> tuple[Stage, ...]:
    data = out / "data"
    only = _only(n)

    def record(place: str, episodes: int, first: int, *more: str) -> Command:
        where = ("reference", "record", "--out", str(data / place))
        return _c(*where, "--episodes", episodes, "--first-seed", first, *more, *only)

    train = (
        record("train", n.varied, 0),
        record("train", n.near_misses, 500, "--mix", "near-misses"),
    )
    other = (
        record("disturbed", n.disturbed, 1500, "--mix", "disturbed"),
        record("other-task", n.other_task, 0, "--mix", "other-task"),
        record("cameras", n.cameras, 2500, "--moved-cameras"),
        record("dev", n.chosen_by, 450),
        record("dev", n.chosen_by, 480, "--mix", "disturbed"),
        record("heldout", n.held_out, 11_000),
    )
    edits = str(Path("experiments") / "scenes.toml")
    scenes = _c(
        "data", "augment", data / "train", "--edits", edits, "--out", data / "scenes",
        "--limit", n.scenes,
    )  # fmt: skip
    return (
        Stage("record", 70, train),
        Stage("record-others", 60, other),
        Stage("scenes", 15, (scenes,)),
        Stage(
            "policies",
            60,
            tuple(
                _c(
                    "reference", "train-policies", "--data", data / "train", "--set", which,
                    "--out", out / "policies" / which, *_steps(n.policy_steps),
                )
                for which in ("collectors", "any-motion-development")
            ),
        ),
    )  # fmt: skip


def _world(out: Path, n: ChainSizes) -> tuple[Stage, ...]:
    data = out / "data"
    stores = [data / name for name in ("train", "disturbed", "scenes", "other-task", "cameras")]
    bundled = ("--start", _BUNDLE / "world", "--codec", _BUNDLE / "codec")

    def train(
        place: str, more: Sequence[Path], mix: Sequence[int], steps: int, *start: Any
    ) -> Command:
        return _c(
            "world", "train", "--data", *stores, *more, "--mix", *mix, "--held-out",
            data / "heldout", "--out", out / place, "--steps", steps, "--still-weight", 3, *start,
        )  # fmt: skip

    def rollouts(world: str, first: int) -> Command:
        policies = [out / "policies" / w / "*" for w in ("collectors", "any-motion-development")]
        return _c(
            "reference", "generate-rollouts", "--world", out / world, "--policy", *policies,
            "--out", data / "loops", "--first-seed", first, "--seeds", n.loops, *_only(n),
        )  # fmt: skip

    mined = _c(
        "reference", "mine-false-successes", "--world", out / "student", "--judge",
        _BUNDLE / "judge", "--data", data / "loops", "--out", data / "mined",
    )  # fmt: skip
    goes_on = ("--start", out / "world" / "world", "--codec", out / "world" / "codec")
    distill = [
        _c(
            "world", "distill", out / teacher, "--data", data / "train", data / "disturbed",
            "--held-out", data / "heldout", "--out", out / student, "--steps", n.distill_steps,
            "--batch", 4, "--steered", 0, "--save-every", max(n.distill_steps // 4, 1),
            "--still-weight", 3,
        )
        for teacher, student in (("world", "student"), ("next", "final"))
    ]  # fmt: skip
    loops = [data / "loops", data / "mined"]
    return (
        Stage("world", 500, (train("world", [], (6, 3, 1, 1, 1), n.world_steps, *bundled),)),
        Stage("distill", 60, (distill[0],)),
        Stage("loops", 240, (rollouts("student", 100),)),
        Stage("mine", 60, (mined,)),
        Stage("next", 280, (train("next", loops, (4, 2, 1, 1, 1, 2, 2), n.next_steps, *goes_on),)),
        Stage("distill-next", 60, (distill[1],)),
        Stage("loops-next", 240, (rollouts("final", 200),)),
    )


def _trust(out: Path, n: ChainSizes) -> tuple[Stage, ...]:
    data, world, judge = out / "data", out / "final", out / "judge"
    development = out / "policies" / "any-motion-development" / "*"
    replays = tuple(
        _c(
            "reference", "generate-replays", "--world", world, "--data", data / store, "--out",
            data / "generated", "--every", every,
        )
        for store, every in (
            ("train", 4), ("disturbed", 1), ("other-task", 1), ("scenes", 1), ("loops", 1),
            ("dev", 1),
        )
    )  # fmt: skip
    judging = _c(
        "reference", "train-judge", "--data", data / "generated", "--out", judge,
        "--drawn=-generated", "--start", _BUNDLE / "judge", "--steps", n.judge_steps,
    )  # fmt: skip
    changed = ("recoloured", "clutter", "dim", "warm", "camera")
    truths = (
        _evaluate_true(out / "truth", [development], 450, n.trials, n),
        (*_evaluate_true(out / "truth-changed", [development], 450, max(n.trials // 4, 1), n),
         "--variation", *changed),
    )  # fmt: skip
    runs = tuple(
        _c(
            "evaluate", "--world", world, "--policy", development, "--tasks",
            out / truth / "tasks", "--truth", out / truth, "--judge", judge, "--trials",
            max(n.trials // share, 1), "--out", out / "runs" / run,
        )
        for truth, run, share in (("truth", "development", 1), ("truth-changed", "changed", 4))
    )  # fmt: skip
    read = _c(
        "world", "train-inverse-dynamics", world, "--data", data / "train", "--out",
        world / "inverse-dynamics", "--steps", n.reader_steps,
    )  # fmt: skip
    known = _c("world", "measure-motions", world, "--data", data / "train")
    fit = _c(
        "world", "fit-error-predictor", world, "--run", out / "runs" / "development",
        out / "runs" / "changed", "--judge", judge, "--out", out / "fit",
    )  # fmt: skip
    calibrate = (
        _c(
            "world", "calibrate", world, "--data", data / "loops", "--judge", judge, "--out",
            out / "calibration",
        ),
        _c("world", "validate-calibration", out / "runs" / "development"),
    )  # fmt: skip
    checks = (
        _c(
            "reference", "validate", "--world", world, "--judge", judge, "--data",
            data / "heldout", "--out", out / "validate",
        ),
        _c(
            "reference", "measure-crossings", "--world", world, "--out", out / "crossings",
            *_only(n),
        ),
    )  # fmt: skip
    return (
        Stage("replays", 180, replays),
        Stage("judge", 120, (judging,)),
        Stage("truth", 90, truths),
        Stage("runs", 120, runs),
        Stage("error-predictor", 60, (read, known, fit)),
        Stage("calibration", 60, calibrate),
        Stage("checks", 20, checks),
        Stage("held-out", 240, _scored_once(out, n, "any-motion", 30_000)),
        Stage("held-out-before", 240, _scored_once(out, n, "held-out", 20_000)),
    )


def _scored_once(out: Path, n: ChainSizes, which: str, first: int) -> tuple[Command, ...]:
    """A held-out set on its start states."""
    policies, truth = out / "policies" / which, out / f"truth-{which}"
    return (
        _c(
            "reference", "train-policies", "--data", out / "data" / "train", "--set", which,
            "--out", policies, *_steps(n.policy_steps),
        ),
        _evaluate_true(truth, [policies / "*"], first, n.final_trials, n),
        _c(
            "evaluate", "--world", out / "final", "--policy", policies / "*", "--tasks",
            truth / "tasks", "--truth", truth, "--judge", out / "judge", "--trials",
            n.final_trials, "--out", out / "runs" / which,
        ),
    )  # fmt: skip


def _evaluate_true(
    out: Path, policies: Sequence[Path], first: int, seeds: int, n: ChainSizes
) -> Command:
    return _c(
        "reference", "evaluate", "--policy", *policies, "--first-seed", first, "--seeds", seeds,
        "--out", out, *_only(n),
    )  # fmt: skip


def _only(n: ChainSizes) -> tuple[str, ...]:
    return ("--tasks", *n.tasks) if n.tasks else ()


def _steps(steps: int) -> tuple[str, ...]:
    return ("--steps", str(steps)) if steps else ()


def _c(*words: Any) -> Command:
    return tuple(str(word) for word in words)
