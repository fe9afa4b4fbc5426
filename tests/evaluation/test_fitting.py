"""Policies of any chunk in a world of fixed steps: refused, committed or held, by name, and a
trial's result depends on nobody else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stand_in_worlds import THREE, WIDE, StandInWorld, stated

from worldgym.actions.conventions import convention
from worldgym.errors import InputError
from worldgym.evaluation.fitting import (
    HELD_TAIL,
    REPEATED,
    RESIZED,
    at_frames,
    fitted,
    tasks_at_size,
)
from worldgym.evaluation.plan import EvaluateConfig
from worldgym.evaluation.rollout import roll_out
from worldgym.evaluation.run import evaluate_parts
from worldgym.io.run_log import read_log
from worldgym.io.video import decode_video
from worldgym.policies.adapters.converted import spoken_in
from worldgym.policies.adapters.wrapped import committed
from worldgym.policies.load_policy import load_policy
from worldgym.policies.policy_protocol import NEWEST_FRAME, Needs, Observation
from worldgym.report.findings import said_of_policies, sentences
from worldgym.testing import FAKE_SPEC, FakeJudge, FakePolicy, FakeWorld
from worldgym.types import Rollout, Task, Trial, Verdict
from worldgym.world.capabilities import Capabilities, Chunk, History
from worldgym.world.fitted_world import FittedWorld, begun
from worldgym.world.world_start import Start

SHAPE = (8, 12, 3)


def task(name: str, steps: int, **changes: Any) -> Task:
    frames = np.random.default_rng(len(name)).integers(0, 256, (3, *SHAPE)).astype(np.uint8)
    others = {"side": frames[1], "wrist": frames[2]}
    return replace(Task(f"a/{name}", "a", frames[0], "push", steps, others=others), **changes)


TASKS = [task("one", 24), task("three", 20), task("seven", 50)]


def run(out: Path, world: Any, policy: Any, tasks: Any = TASKS, **options: Any) -> Any:
    config = EvaluateConfig(out, trials=len(tasks), **{"batch": 4, **options})
    evaluate_parts(config, world, [policy], tasks, FakeJudge())
    return read_log(out / "log.jsonl")


@pytest.mark.parametrize(
    ("chunk", "words"),
    [
        (
            1,
            r"gives 1 action per call.*exactly 12 per step: --align hold fills a step up to 12,",
        ),
        (8, "--align hold fills a step up to 12, which costs 1.5 times.*or let it give 12 actions"),
        (50, "--align commit carries out 48 of its 50; or --align hold fills a step up to 60"),
    ],
)
def test_by_default_what_does_not_fit_is_refused_with_what_could_be_done(
    chunk: int, words: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=words):
        run(tmp_path / "run", StandInWorld(), FakePolicy(chunk=chunk))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("align", ["refuse", "commit", "hold"])
@pytest.mark.parametrize("source", ["still", "random", "idle=still", "noise=random"])
def test_control_arms_take_the_worlds_chunk(source: str, align: Any, tmp_path: Path) -> None:
    """They never look, so they are the same policies in any."""
    world = StandInWorld()
    policy = load_policy(source, world.spec)
    (chosen,) = fitted(world, [policy], [task("two", 24)], align).policies
    assert chosen.chunk == 12 and chosen.name == source.partition("=")[0]
    _, records = run(tmp_path, world, policy, [task("two", 24)], align=align)
    assert [record.finished for record in records] == [True]


@pytest.mark.parametrize(
    ("chunk", "align", "name"),
    [
        (1, "hold", "fake-policy+hold1of12"),
        (8, "hold", "fake-policy+hold8of12"),
        (50, "commit", "fake-policy+commit48of50"),
        (50, "hold", "fake-policy+hold50of60"),
    ],
)
def test_three_views_seven_frames_of_history_and_steps_of_twelve(
    chunk: int, align: Any, name: str, tmp_path: Path
) -> None:
    policy = FakePolicy(chunk=chunk, spread=0.4)
    header, records = run(tmp_path / "run", StandInWorld(), policy, align=align)
    assert [p["name"] for p in header.policies] == [name]
    assert header.config["align"] == align
    assert header.config["world_can"] == WIDE.to_json() | {
        "chunk": {"least": 12, "most": 12, "multiple": 12},
        "history": {"frames": 7, "spacing": 1, "pad": "repeat"},
    }
    assert len(records) == 3 and all(r.finished and r.score is not None for r in records)
    for record in records:
        steps = {t.name: t.steps for t in TASKS}[record.task]
        assert record.steps == steps and REPEATED in record.flags
        assert (HELD_TAIL in record.flags) == (chunk < 12 or steps % 12 != 0)
        video = decode_video(tmp_path / "run" / str(record.video))
        assert video.shape == (steps + 1, 8, 3 * 12, 3)  # side by side
    # one by one, and in other company
    again = run(tmp_path / "two", StandInWorld(), policy, align=align, batch=2)[1]
    assert sorted(again, key=lambda r: r.key) == sorted(records, key=lambda r: r.key)
    # the one that ends within a step is filled up by itself, whatever its neighbours do then
    alone = run(tmp_path / "alone", StandInWorld(), policy, TASKS[1:2], align=align)[1]
    assert alone == [r for r in records if r.task == TASKS[1].name]
    videos = [tmp_path / name / str(alone[0].video) for name in ("run", "alone")]
    assert videos[0].read_bytes() == videos[1].read_bytes()


@pytest.mark.parametrize(
    ("chunk", "parts", "committed_rows"), [(13, 5, 60), (7, 2, 12), (10, 5, None)]
)
def test_an_action_that_is_split_in_several_is_committed_whole(
    chunk: int, parts: int, committed_rows: int | None
) -> None:
    world = StandInWorld()
    slow = replace(world.spec, rate_hz=world.spec.rate_hz / parts)
    policy = spoken_in(FakePolicy(chunk=chunk, spec=slow), world.spec)
    if committed_rows is None:  # 48 of its 50 would be nine actions and three fifths of one
        with pytest.raises(InputError, match="exactly 12 per step: --align hold fills"):
            fitted(world, [policy], TASKS, "commit")
        return
    found = fitted(world, [policy], TASKS, "commit").policies[0]
    assert found.name.endswith(f"+commit{committed_rows}of{chunk * parts}")


def test_what_is_drawn_is_what_the_world_draws(tmp_path: Path) -> None:
    """A committed policy in the world of twelve, against the world stepped by hand."""
    world = StandInWorld()
    trial = Trial(TASKS[0], 0, 0)
    policy = committed(FakePolicy(chunk=50), 12)
    (rollout,) = roll_out(FittedWorld(world), policy, [trial])
    first = rollout.frames[None, :1].repeat(7, 1)
    still = np.zeros((1, 6, 3), np.float32)
    none = np.zeros((1, 0), np.float32)
    state = world.begin(Start(first, (trial.seed,), still, ("push",), none))
    for at in (0, 12):
        state, frames = world.step(state, rollout.actions[None, at : at + 12])
        assert np.array_equal(rollout.frames[at + 1 : at + 13], frames[0])


def test_commit_needs_an_answer_that_covers_a_step(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="or let it give 12 actions per call"):
        run(tmp_path, StandInWorld(), FakePolicy(chunk=8), align="commit")


def test_a_task_that_ends_within_a_step_is_refused_or_flagged(tmp_path: Path) -> None:
    policy = FakePolicy(chunk=12)
    with pytest.raises(
        InputError, match=r"a/three has 20 steps.*give it 12 or 24, or --align comm"
    ):
        run(tmp_path, StandInWorld(), policy)
    records = run(tmp_path / "fits", StandInWorld(), policy, TASKS[:1])[1]
    assert [r.flags for r in records] == [(REPEATED,)]


@pytest.mark.parametrize(
    ("changes", "tasks", "words"),
    [
        ({"horizon": 40}, TASKS, "takes at most 40 actions, and task a/seven has 50"),
        ({"history": History(7, 1, "refuse")}, TASKS, "begins with 7 recorded frames"),
        ({"state": ("joint_0",)}, TASKS, 'does not say its "joint_0"'),
        ({"instruction": True}, [task("one", 24, instruction="")], "needs an instruction"),
    ],
)
def test_what_a_task_lacks_is_said_before_the_first_frame(
    changes: Any, tasks: Any, words: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=words):
        run(tmp_path, stated(**changes), FakePolicy(chunk=12), tasks, align="hold")


class Reading(FakePolicy):
    """Keeps the states and frames that it is shown."""

    seen: list[Observation] = []  # noqa: RUF012

    def act(self, states: Any, observations: Any) -> Any:
        self.seen.extend(observations)
        return super().act(states, observations)


def test_a_policy_is_shown_the_state_that_the_world_predicts(tmp_path: Path) -> None:
    Reading.seen.clear()
    world = stated(state=("x", "y"), returns=("x", "y"))
    start = task("one", 24, state={"x": 1.0, "y": -2.0})
    policy = Reading(chunk=12, spread=0.4, needs=Needs(history=2, state=("y", "x")))
    run(tmp_path, world, policy, [start], batch=1)
    moves = np.load(next(tmp_path.glob("videos/**/*.npy")))
    first, second = Reading.seen
    assert first.state == first.past_states[0] == (-2.0, 1.0)
    sums = moves[:, :2].astype(np.float64).cumsum(0)[:, ::-1] + (-2.0, 1.0)
    assert second.state == pytest.approx(tuple(sums[11]), abs=1e-5)
    assert second.past_states[0] == pytest.approx(tuple(sums[10]), abs=1e-5)
    # the spec of the world does not let them be counted, and nothing is counted
    joints = replace(FAKE_SPEC, mode="joint_velocity")
    told = StandInWorld(replace(world.capabilities), spec=joints)
    run(tmp_path / "joints", told, replace(policy, spec=joints), [start])


class Counting(FakeJudge):
    """Remembers how many frames it is shown."""

    shown: list[int] = []  # noqa: RUF012

    def __call__(self, rollout: Rollout, task: Task) -> Verdict:
        self.shown.append(len(rollout.frames))
        assert len(rollout.actions) == len(rollout.frames) - 1
        return super().__call__(rollout, task)


def test_frames_that_come_every_third_action(tmp_path: Path) -> None:
    Counting.shown.clear()
    world = stated(stride=3)
    config = EvaluateConfig(tmp_path / "run", trials=1, batch=2)
    evaluate_parts(config, world, [FakePolicy(chunk=12)], TASKS[:1], Counting())
    assert Counting.shown == [9]  # the judge sees each once
    header, (record,) = read_log(tmp_path / "run" / "log.jsonl")
    assert header.config["world_can"]["stride"] == 3 and record.steps == 24
    assert len(decode_video(tmp_path / "run" / str(record.video))) == 25  # at the rate of actions
    with pytest.raises(InputError, match="remembers 2 frames, one per action"):
        remembers = FakePolicy(chunk=12, needs=Needs(history=2))
        run(tmp_path / "no", world, remembers, TASKS[:1])


def test_each_frame_once() -> None:
    trial = Trial(TASKS[0], 0, 0)
    frames = np.arange(8, dtype=np.uint8)[:, None, None, None, None] * np.ones(
        (1, 1, 2, 2, 3), np.uint8
    )
    whole = Rollout(trial, "p", frames, np.arange(7, dtype=np.float32)[:, None])
    thin = at_frames(whole, 3)
    assert thin.frames[:, 0, 0, 0, 0].tolist() == [0, 3, 6]
    assert thin.actions[:, 0].tolist() == [2, 5]
    assert at_frames(whole, 1) is whole


def test_a_world_without_seeds_for_rows_is_asked_row_by_row(tmp_path: Path) -> None:
    rows: list[int] = []

    class Noting(StandInWorld):
        def begin(self, start: Any) -> Any:
            rows.append(len(start.frames))
            return super().begin(start)

    run(tmp_path, Noting(replace(WIDE, seeds="batch")), FakePolicy(chunk=12), TASKS[:1])
    assert set(rows) == {1}


def test_without_seeds_comparisons_are_not_called_paired(tmp_path: Path) -> None:
    policies = [FakePolicy(chunk=12, name=name) for name in ("one", "two")]
    world = StandInWorld(replace(WIDE, seeds="none"))
    config = EvaluateConfig(tmp_path / "none", trials=1, batch=2)
    summary = evaluate_parts(config, world, policies, TASKS[:1], FakeJudge())
    assert any("takes no seed" in said for said in sentences(summary))
    assert any("not paired by trial" in said for said in said_of_policies(summary))
    config = replace(config, out=tmp_path / "row")
    seeded = evaluate_parts(config, StandInWorld(), policies, TASKS[:1], FakeJudge())
    assert not any("takes no seed" in said for said in sentences(seeded))


def test_a_fitted_world_draws_views_that_a_task_does_not_bring(tmp_path: Path) -> None:
    class Completing(StandInWorld):
        def complete(self, frames: Any, given: Any, seeds: Any) -> Any:
            return np.where(given[:, :, None, None, None], frames, 7).astype(np.uint8)

    lacking = task("one", 24, others={})
    (record,) = run(tmp_path, Completing(), FakePolicy(chunk=12), [lacking])[1]
    assert "wrist view generated" in record.flags
    with pytest.raises(InputError, match="brings no initial frame of the view side"):
        run(tmp_path / "no", StandInWorld(), FakePolicy(chunk=12), [lacking])


def test_a_frame_of_another_size_is_resized_and_flagged_and_of_another_shape_refused(
    tmp_path: Path,
) -> None:
    big = FakeWorld(frame_shape=(16, 24, 3), views=THREE)
    header, records = run(tmp_path / "run", big, FakePolicy(), TASKS[:2])
    assert header.config["resized"] == {"a/one": "12x8", "a/three": "12x8"}
    assert all(RESIZED in r.flags for r in records)
    with pytest.raises(
        InputError, match=r"a frame of 12 x 8 \(width x height\), and the world draws 16 x 16"
    ):
        run(tmp_path / "no", FakeWorld(frame_shape=(16, 16, 3), views=THREE), FakePolicy())


def test_a_world_like_ours_is_not_touched(tmp_path: Path) -> None:
    world = FakeWorld(frame_shape=SHAPE, views=THREE)
    header, records = run(tmp_path, world, FakePolicy(chunk=5))
    assert not {"align", "world_can", "resized"} & set(header.config)
    assert all(record.flags == () for record in records)
    assert Needs() == NEWEST_FRAME and world.capabilities == Capabilities(Chunk())


TARGETS = convention("droid_cartesian")
STANDS = dict.fromkeys(("x", "y", "z", "roll", "pitch", "yaw"), 0.25)


class Begun(StandInWorld):
    """Keeps what it was begun with."""

    starts: list[Start] = []  # noqa: RUF012

    def begin(self, start: Start) -> Any:
        self.starts.append(start)
        return super().begin(start)


@pytest.mark.parametrize(
    ("gripper", "names"),
    [
        ({"gripper": 1.0}, ()),
        ({"gripper_closed": 1.0}, ("gripper_open",)),
        ({"gripper_open": 0.0}, ("x", "gripper_closed")),
    ],
)
def test_the_history_of_a_world_of_targets_is_that_of_the_tasks_state(
    gripper: dict[str, float], names: tuple[str, ...]
) -> None:
    """Whether or not the world begins with the state, and in whatever form the task tells it."""
    Begun.starts.clear()
    can = replace(WIDE, instruction=False, state=names, rewind=False)
    standing = task("one", 24, state={**STANDS, **gripper})
    world = Begun(can, spec=TARGETS)
    found = fitted(world, [FakePolicy(chunk=12, spec=TARGETS)], [standing], "refuse")
    frames = np.stack([standing.frame, *standing.others.values()])[None]
    begun(found.world, [standing], frames, [1])
    (start,) = Begun.starts
    np.testing.assert_allclose(start.actions, np.tile([*[0.25] * 6, 1.0], (1, 6, 1)))
    due = {"x": 0.25, "gripper_open": 0.0, "gripper_closed": 1.0}
    assert start.state.tolist() == [[due[name] for name in names]]


@pytest.mark.parametrize(("state", "absent"), [({}, "x"), (STANDS, "gripper")])
def test_a_history_of_targets_that_is_not_known_is_refused_before_the_first_frame(
    state: dict[str, float], absent: str, tmp_path: Path
) -> None:
    world = StandInWorld(WIDE, spec=TARGETS)
    words = f'which are targets, so the robot\'s "{absent}" is needed, and task a/one'
    with pytest.raises(InputError, match=words):
        run(tmp_path, world, FakePolicy(chunk=12, spec=TARGETS), [task("one", 24, state=state)])


@pytest.mark.parametrize(
    ("horizon", "chunk", "align", "steps", "fits"),
    [
        (50, 12, "commit", 50, False),  # the world is sent 60
        (60, 12, "commit", 50, True),
        (48, 12, "refuse", 48, True),
        (59, 8, "hold", 50, False),  # the last step begins at 48
        (60, 8, "hold", 50, True),
        (50, 50, "commit", 50, False),
    ],
)
def test_a_horizon_holds_for_the_fill_of_a_step_too(
    horizon: int, chunk: int, align: Any, steps: int, fits: bool
) -> None:
    world = stated(horizon=horizon)
    policy, tasks = FakePolicy(chunk=chunk), [task("long", steps)]
    if fits:
        fitted(world, [policy], tasks, align)
        return
    with pytest.raises(InputError, match="of 50 steps ends within a step, which makes it 60"):
        fitted(world, [policy], tasks, align)


def sized(main: tuple[int, int], **others: tuple[int, int]) -> Task:
    """A task with frames of these sizes, height and width."""
    frames = {view: np.zeros((*size, 3), np.uint8) for view, size in others.items()}
    return Task("a/one", "a", np.zeros((*main, 3), np.uint8), "push", 9, others=frames)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (sized((8, 12)), None),
        (sized((16, 24), side=(16, 24), wrist=(16, 24)), "24x16"),
        (sized((16, 24), side=(8, 12), wrist=(4, 6)), "24x16, wrist 6x4"),
        (sized((8, 12), wrist=(16, 24)), "wrist 24x16"),
        (sized((8, 12), unseen=(9, 9)), None),
    ],
)
def test_every_view_is_resized_by_itself_and_it_is_said(given: Task, told: str | None) -> None:
    (made,), found = tasks_at_size([given], SHAPE, THREE)
    assert found == ({} if told is None else {"a/one": told})
    drawn = [frame for view, frame in made.others.items() if view in THREE]
    assert {frame.shape for frame in (made.frame, *drawn)} == {SHAPE}


def test_a_further_view_of_another_shape_is_refused() -> None:
    for main in ((8, 12), (16, 24)):
        with pytest.raises(
            InputError, match=r"a wrist frame of 40 x 16 \(width x height\), and the world draws 12"
        ):
            tasks_at_size([sized(main, wrist=(16, 40))], SHAPE, THREE)


def test_a_trial_whose_further_view_was_resized_is_flagged(tmp_path: Path) -> None:
    big = task("one", 12)
    others = {**big.others, "wrist": np.zeros((16, 24, 3), np.uint8)}
    world = FakeWorld(frame_shape=SHAPE, views=THREE)
    header, (record,) = run(tmp_path, world, FakePolicy(), [replace(big, others=others)])
    assert header.config["resized"] == {"a/one": "wrist 24x16"} and RESIZED in record.flags
