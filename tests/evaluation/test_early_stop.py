"""Trials end once the judge is certain, by their own frames alone; without the option nothing
changes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worldgym.errors import InputError
from worldgym.evaluation.early_stop import LOOK, STOPPED, EarlyStop
from worldgym.evaluation.plan import EvaluateConfig
from worldgym.evaluation.rollout import roll_out
from worldgym.evaluation.run import evaluate_parts
from worldgym.io.run_log import read_log
from worldgym.testing import FakeJudge, FakePolicy, FakeWorld
from worldgym.types import Rollout, Task, Trial

LEVEL = 0.6
SPREAD = FakePolicy(level=0.5, spread=0.4)


@dataclass(frozen=True)
class FreeJudge(FakeJudge):
    free: bool = True


def trials(seeds: list[int], steps: list[int]) -> list[Trial]:
    frame = np.zeros((16, 24, 3), np.uint8)
    return [
        Trial(Task(f"t/{seed}", "t", frame, "push", length), 0, seed)
        for seed, length in zip(seeds, steps, strict=True)
    ]


def same(a: Rollout, b: Rollout) -> bool:
    return (
        np.array_equal(a.frames, b.frames)
        and np.array_equal(a.actions, b.actions)
        and (a.flags, a.clipped) == (b.flags, b.clipped)
    )


BATCHES = st.lists(st.tuples(st.integers(0, 999), st.integers(1, 40)), min_size=1, max_size=6)


@settings(max_examples=40, deadline=None)
@given(BATCHES, st.sampled_from([1, 3, 8, 11]), st.randoms())
def test_a_trial_ends_by_its_own_frames_alone(
    drawn: list[tuple[int, int]], chunk: int, random: object
) -> None:
    batch = trials([seed for seed, _ in drawn], [steps for _, steps in drawn])
    policy = FakePolicy(0.5, 0.4, chunk)
    stop = EarlyStop(FreeJudge(), LEVEL)
    together = roll_out(FakeWorld(), policy, batch, stop)
    for trial, rollout in zip(batch, together, strict=True):
        assert same(rollout, roll_out(FakeWorld(), policy, [trial], stop)[0])
        whole = roll_out(FakeWorld(), policy, [trial])[0]
        taken = len(rollout.actions)
        assert len(whole.actions) == trial.task.steps and STOPPED not in whole.flags
        assert np.array_equal(rollout.frames, whole.frames[: taken + 1])
        assert np.array_equal(rollout.actions, whole.actions[:taken])
        looks = [n for n in looked_at(chunk, trial.task.steps) if certain(whole, n)]
        assert taken == (looks[0] if looks else trial.task.steps)
        assert (STOPPED in rollout.flags) == (taken < trial.task.steps)
        if not looks:
            assert same(rollout, whole)
    backwards = roll_out(FakeWorld(), policy, batch[::-1], stop)
    assert all(same(a, b) for a, b in zip(together, backwards[::-1], strict=True))


def looked_at(chunk: int, steps: int) -> list[int]:
    """Numbers of actions after which a trial is looked at."""
    found, last = list[int](), 0
    for step in range(chunk, steps, chunk):
        if step >= last + LOOK:
            found.append(step)
            last = step
    return found


def certain(whole: Rollout, step: int) -> bool:
    return float(whole.main[step, 0, 0, 0]) / 255.0 >= LEVEL


def run(out: Path, level: float | None, judge: FakeJudge | None = None, batch: int = 3) -> None:
    tasks = [trial.task for trial in trials(list(range(6)), [30, 9, 30, 24, 40, 8])]
    config = EvaluateConfig(out, trials=6, batch=batch, stop_when_certain=level)
    evaluate_parts(config, FakeWorld(), [SPREAD], tasks, judge or FreeJudge())


def test_the_log_tells_and_a_resumed_run_must_agree(tmp_path: Path) -> None:
    run(tmp_path / "with", LEVEL)
    run(tmp_path / "alone", LEVEL, batch=1)
    run(tmp_path / "without", None)
    told, records = read_log(tmp_path / "with" / "log.jsonl")
    plain, whole = read_log(tmp_path / "without" / "log.jsonl")
    assert told.config["stop_when_certain"] == LEVEL and "stop_when_certain" not in plain.config
    stopped = [record for record in records if STOPPED in record.flags]
    assert stopped and all(record.score == 1.0 and record.steps < 40 for record in stopped)
    assert not any(STOPPED in record.flags for record in whole)
    lengths = {record.task: record.steps for record in records}
    _, alone = read_log(tmp_path / "alone" / "log.jsonl")
    assert lengths == {record.task: record.steps for record in alone}
    for out, level in (("with", None), ("with", 0.7), ("without", LEVEL)):
        with pytest.raises(InputError, match="stop_when_certain"):
            run(tmp_path / out, level)


def test_what_cannot_be_certain_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not free"):
        run(tmp_path, 0.9, FakeJudge())
    for level in (0.5, 1.01, float("nan")):
        with pytest.raises(InputError, match=r"probability above 0\.5"):
            run(tmp_path, level)
    assert not list(tmp_path.iterdir())


def test_a_judge_that_declines_or_breaks_is_not_certain() -> None:
    class Broken(FreeJudge):
        def __call__(self, rollout: Rollout, task: Task):  # type: ignore[no-untyped-def]
            raise RuntimeError("broken")

    batch = trials([1, 2], [20, 20])
    for judge in (Broken(), FreeJudge(band=0.6)):
        stopped = roll_out(FakeWorld(), SPREAD, batch, EarlyStop(judge, LEVEL))
        for a, b in zip(stopped, roll_out(FakeWorld(), SPREAD, batch), strict=True):
            assert same(a, b)
