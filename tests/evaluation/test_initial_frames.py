"""Initial frames: those that a world does not know are flagged, those that are solved already too,
and nothing else is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldgym.actions.embodiment import motionless
from worldgym.codecs.load_codec import load_codec
from worldgym.evaluation.initial_frames import merged, solved_starts, strange_starts, with_solved
from worldgym.evaluation.plan import EvaluateConfig
from worldgym.evaluation.run import evaluate_parts
from worldgym.io.run_log import read_log
from worldgym.io.run_records import SOLVED, STRANGE
from worldgym.policies.own.scripted import StillPolicy
from worldgym.report.findings import sentences
from worldgym.stats.flag_counts import FlagCount
from worldgym.tasks.task_folder import load_tasks
from worldgym.testing import FAKE_SPEC, FakeJudge, FakePolicy, FakeWorld
from worldgym.types import MOTIONLESS, Frames, Rollout, Task, Verdict
from worldgym.world.familiarity import familiarity_of


@dataclass(frozen=True)
class Bright:
    """A judge that takes every video for a success whose last frame is bright."""

    free: bool = True
    concurrency: ClassVar[int] = 1
    name: ClassVar[str] = "bright"
    settings: ClassVar[dict[str, str]] = {"kind": "bright"}

    def __call__(self, rollout: Rollout, task: Task) -> Verdict:
        if rollout.frames[-1].mean() < 10:
            raise ValueError("too dark to see")
        return Verdict(float(rollout.frames[-1].mean() > 128), self.name)


class Generous(FakeJudge):
    """Takes whatever is asked in task group a for a success, unless it sees two frames alone."""

    def __call__(self, rollout: Rollout, task: Task) -> Verdict:
        return Verdict(float(task.group == "a" and len(rollout.frames) > 2), self.name)


def task(name: str, level: int) -> Task:
    return Task(name, name.split("/")[0], np.full((8, 8, 3), level, np.uint8), "do it", 3)


def strange_frames(frames: list[Frames]) -> dict[str, list[Frames]]:
    """Frames of kinds that no world of these recordings can know."""
    rng = np.random.default_rng(0)
    drawn = []
    for _ in frames:
        cartoon = np.full_like(frames[0], rng.integers(0, 256, 3))
        for _ in range(4):
            (top, left), (height, width) = rng.integers(0, 64, 2), rng.integers(24, 48, 2)
            cartoon[top : top + height, left : left + width] = rng.integers(0, 256, 3)
        drawn.append(cartoon)
    return {
        "swapped colours": [frame[..., ::-1] for frame in frames],
        "mirrored": [frame[:, ::-1] for frame in frames],
        "upside down": [frame[::-1] for frame in frames],
        "noise": [rng.integers(0, 256, frame.shape).astype(np.uint8) for frame in frames],
        "cartoon": drawn,
    }


def test_the_bundled_world_knows_its_frames_and_no_strange_ones(unpacked_bundle: Path) -> None:
    familiarity = familiarity_of(unpacked_bundle, load_codec(unpacked_bundle / "codec"))
    assert familiarity is not None
    own = [task.frame for task in load_tasks(unpacked_bundle / "tasks")][::40]
    assert not any(familiarity.unknown(own))
    for kind, frames in strange_frames(own).items():
        assert all(familiarity.unknown(frames)), kind


def test_the_judge_is_asked_about_the_frame_alone() -> None:
    tasks = [task("a/1", 200), task("a/2", 90), task("b/1", 250), task("b/2", 0)]
    assert solved_starts(tasks, Bright()) == {"a/1", "b/1"}  # one that breaks says nothing
    assert solved_starts(tasks, Bright(free=False)) == frozenset()  # a paid one is not asked
    assert strange_starts(tasks, None) == frozenset() and solved_starts([], Bright()) == frozenset()


@given(
    st.lists(st.sampled_from(["black view: wrist", STRANGE, SOLVED]), unique=True), st.booleans()
)
def test_flags_stand_once_and_follow_the_judge(flags: list[str], solved: bool) -> None:
    again = with_solved(flags, solved)
    assert (SOLVED in again) == solved and set(again) - {SOLVED} == set(flags) - {SOLVED}
    assert with_solved(again, solved) == again
    both = merged(flags, {"t": (STRANGE, SOLVED)}, "t")
    assert len(set(both)) == len(both) and set(both) == {*flags, STRANGE, SOLVED}
    assert merged(flags, {}, "t") == tuple(flags)


def test_flags_reach_log_summary_and_sentences(tmp_path: Path) -> None:
    world, tasks = FakeWorld(), [task("a/1", 200), task("a/2", 90), task("b/1", 100)]
    tasks = [
        Task(
            t.name,
            t.group,
            np.full(world.frame_shape, t.frame[0, 0, 0], np.uint8),
            t.instruction,
            t.steps,
        )
        for t in tasks
    ]
    summary = evaluate_parts(
        EvaluateConfig(tmp_path, 2, batch=2), world, [FakePolicy()], tasks, Bright()
    )
    header, records = read_log(tmp_path / "log.jsonl")
    assert {r.task for r in records if SOLVED in r.flags} == {"a/1"}
    (found,) = [flag for flag in summary.flags if flag.flag == SOLVED]
    assert found.trials == 1 and found.of == 4 and found.tasks == {"a": ("a/1",)}
    said = " ".join(sentences(summary))
    assert "already solved at the start (a/1)" in said and "It is unknown whether these" in said
    assert header.config["familiarity"] is None
    # an older run says nothing of it
    assert "It is unknown" not in " ".join(sentences(replace(summary, config={})))


def test_success_without_motion_is_said(tmp_path: Path) -> None:
    world = FakeWorld()
    tasks = [
        replace(task(name, 90), frame=np.full(world.frame_shape, 90, np.uint8))
        for name in ("a/1", "b/1")
    ]
    policies = [StillPolicy(world.spec), FakePolicy(level=0.7, name="moves")]
    summary = evaluate_parts(EvaluateConfig(tmp_path, 1), world, policies, tasks, Generous())
    (found,) = [flag for flag in summary.flags if flag.flag == MOTIONLESS]
    assert found == FlagCount(MOTIONLESS, 2, 4, {"a": 1}, {"a": ("a/1",), "b": ("b/1",)})
    assert "1 of 2\N{NO-BREAK SPACE}trials without any motion of the arm succeed (a 1)" in " ".join(
        sentences(summary)
    )
    none = replace(summary, flags=(replace(found, succeeded={}),))
    assert "without any motion" not in " ".join(sentences(none))


def test_what_no_motion_is() -> None:
    still, moving = (
        np.zeros((3, FAKE_SPEC.size), np.float32),
        np.zeros((3, FAKE_SPEC.size), np.float32),
    )
    still[:, -1], moving[1, 0] = 1.0, -0.1  # the gripper may do what it likes
    assert (
        FAKE_SPEC.names[-1] == "gripper"
        and motionless(still, FAKE_SPEC)
        and not motionless(moving, FAKE_SPEC)
    )
    assert not motionless(still[:0], FAKE_SPEC)
    # a place is commanded there, not a move
    assert not motionless(still, replace(FAKE_SPEC, mode="absolute_pose"))


@dataclass(frozen=True)
class SeesBright(Bright):
    """Looks at the views that it names."""

    views: tuple[str, ...] = ()

    def __call__(self, rollout: Rollout, task: Task) -> Verdict:
        return Verdict(float(rollout.shown(self.views)[-1].mean() > 128), self.name)


@pytest.mark.parametrize(
    ("views", "solved"),
    [((), "m"), (("front",), "m"), (("wrist",), "w"), (("front", "wrist"), "m w")],
)
def test_a_judge_of_any_views_is_asked(
    views: tuple[str, ...], solved: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of each task that brings them; it is said where one does not."""
    dark, bright = (np.full((8, 8, 3), level, np.uint8) for level in (40, 230))
    tasks = [
        replace(task("m", 230), others={"wrist": dark}),
        replace(task("w", 40), others={"wrist": bright}),
    ]
    both = "m w" if len(views) == 2 else solved
    assert solved_starts(tasks, SeesBright(views=views), ("front", "wrist")) == set(both.split())
    assert not capsys.readouterr().err
    lacking = [*tasks, task("bare", 230)]
    found = solved_starts(lacking, SeesBright(views=views), ("front", "wrist"))
    assert ("bare" in found) == (views in ((), ("front",)))
    said = capsys.readouterr().err
    assert ("1 of 3 initial frames are not checked" in said) == ("wrist" in views)
