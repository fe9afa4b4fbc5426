"""A world of fixed steps, asked as if it took any: against the world itself, stepped by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from stand_in_worlds import WIDE, StandInWorld, stated

from worldgym.actions.no_motion import no_motion
from worldgym.errors import InputError
from worldgym.evaluation.fitting import fitted
from worldgym.evaluation.rollout import roll_out
from worldgym.policies.policy_protocol import Needs, Observation
from worldgym.testing import FAKE_SPEC, FakeWorld, check_world
from worldgym.types import Actions, Task, Trial
from worldgym.world.capabilities import Capabilities, Chunk, History
from worldgym.world.fitted_world import FittedWorld, SpentState, rebuilt_seed
from worldgym.world.world_start import Start

RNG = np.random.default_rng(0)
STARTS = RNG.integers(0, 256, (2, 1, 3, 8, 12, 3), np.uint8)
MOVES = RNG.uniform(-1, 1, (2, 60, 3)).astype(np.float32)
SEEDS = (3, 4)


def start(frames: Any = STARTS, actions: Any = None, seeds: Any = SEEDS) -> Start:
    none = np.zeros((2, 0, 3), np.float32)
    told = none if actions is None else actions
    return Start(frames, seeds, told, ("push", "pull"), np.zeros((2, 0), np.float32))


def own_start(frames: Any, actions: Any, seeds: Any = SEEDS) -> Any:
    return StandInWorld().begin(start(frames, actions, seeds))


def beginning() -> Any:
    """The stand-in's state with the initial frame repeated and no motion before."""
    return own_start(STARTS.repeat(7, 1), np.zeros((2, 6, 3), np.float32))


def test_the_initial_frame_is_the_history_and_long_steps_are_made_in_pieces() -> None:
    world = StandInWorld()
    fitted = FittedWorld(world)
    assert fitted.capabilities == replace(
        WIDE, chunk=Chunk(12, None, 12), history=History(), rewind=False
    )
    state = fitted.begin(start())
    _, frames = fitted.step(state, MOVES[:, :36])
    own = beginning()
    parts = []
    for at in (0, 12, 24):
        own, drawn = world.step(own, MOVES[:, at : at + 12])
        parts.append(drawn)
    assert np.array_equal(frames, np.concatenate(parts, axis=1))
    # stepped twice, the same state gives the same
    assert np.array_equal(fitted.step(state, MOVES[:, :36])[1], frames)


def test_a_step_that_is_filled_up_shows_its_own_frames_alone_and_cannot_go_on() -> None:
    world = StandInWorld()
    fitted = FittedWorld(world)
    state, frames = fitted.step(fitted.begin(start()), MOVES[:, :8])
    filled = np.concatenate(
        [MOVES[:, :8], no_motion(MOVES[:, 7], world.spec)[:, None].repeat(4, 1)], axis=1
    )
    assert np.array_equal(frames, world.step(beginning(), filled)[1][:, :8])
    with pytest.raises(SpentState, match="from the middle of it"):
        fitted.step(state, MOVES[:, 8:16])


def test_held_it_goes_on_from_a_state_built_from_its_frames() -> None:
    world = StandInWorld()
    fitted = FittedWorld(world, hold=True)
    state, first = fitted.step(fitted.begin(start()), MOVES[:, :8])
    _, second = fitted.step(state, MOVES[:, 8:16])
    seeds = [rebuilt_seed(seed, 8) for seed in SEEDS]
    own = own_start(first[:, 1:8], MOVES[:, 2:8], seeds)
    still = no_motion(MOVES[:, 15], world.spec)[:, None].repeat(4, 1)
    _, drawn = world.step(own, np.concatenate([MOVES[:, 8:16], still], axis=1))
    assert np.array_equal(second, drawn[:, :8])
    assert seeds[0] != SEEDS[0]  # or each step would draw the same noise


def test_what_is_given_of_a_row_does_not_depend_on_where_others_end() -> None:
    fitted = FittedWorld(StandInWorld())
    answer = MOVES[:, :48]
    both = fitted.whole(answer, 40, [20, 40])
    alone = fitted.whole(answer[:1], 20, [20])
    assert both.shape[1] == 48 and alone.shape[1] == 24
    assert np.array_equal(both[0, :24], alone[0])
    assert np.array_equal(both[0, :20], answer[0, :20])
    assert (both[0, 20:, :2] == 0).all() and (both[0, 20:, 2] == answer[0, 19, 2]).all()
    assert np.array_equal(both[1, :40], answer[1, :40])
    loose = FittedWorld(stated(chunk=Chunk(4, 24, 4), history=History()))
    assert loose.whole(answer, 10, [10, 3]).shape[1] == 48  # its steps look at all of it


class Foreseeing(FakeWorld):
    """Every frame of a step sees all of its actions."""

    def step(self, state: Any, actions: Actions) -> Any:
        whole = np.broadcast_to(actions.mean(1, keepdims=True), actions.shape)
        return super().step(state, whole.astype(np.float32))


class Rising:
    """Chunks of four, each action larger than the one before."""

    name, spec, chunk, needs = "rising", FAKE_SPEC, 4, Needs()

    def reset(self, trials: Sequence[Trial]) -> list[None]:
        return [None] * len(trials)

    def act(self, states: Any, seen: Sequence[Observation]) -> tuple[Any, Actions]:
        low, high = np.array(FAKE_SPEC.low), np.array(FAKE_SPEC.high)
        chunk = low + (high - low) * np.linspace(0.1, 0.9, 4)[:, None]
        return states, np.tile(chunk.astype(np.float32), (len(seen), 1, 1))


def test_in_a_world_that_is_not_causal_a_trial_does_not_depend_on_its_batch() -> None:
    """Though it takes any chunk: of a step behind a trial's end it is told no other actions."""
    frames = np.random.default_rng(0).integers(0, 256, (2, 16, 24, 3), np.uint8)
    tasks = [Task(f"t{i}", "g", frames[i], "go", steps) for i, steps in enumerate((5, 8))]
    trials = [Trial(task, 0, 0) for task in tasks]
    world = Foreseeing(capabilities=Capabilities(causal=False))
    chosen = fitted(world, [Rising()], tasks, "commit")
    together = roll_out(chosen.world, chosen.policies[0], trials)
    (alone,) = roll_out(chosen.world, chosen.policies[0], trials[:1])
    assert np.array_equal(together[0].frames, alone.frames)


def test_a_frame_every_three_actions_is_shown_until_the_next() -> None:
    world = stated(stride=3, returns=("x", "y"))
    fitted = FittedWorld(world)
    state = fitted.begin(start())
    after, frames = fitted.step(state, MOVES[:, :24])
    own, first = world.step(beginning(), MOVES[:, :12])
    told = [own.told]
    own, second = world.step(own, MOVES[:, 12:24])
    told.append(own.told)
    drawn = np.concatenate([first, second], axis=1)
    assert frames.shape[1] == 24 and drawn.shape[1] == 8
    shown = np.concatenate([STARTS, drawn], axis=1)
    for t in range(24):
        assert np.array_equal(frames[:, t], shown[:, (t + 1) // 3])
    states = fitted.robot_states(after)
    assert states.shape == (2, 24, 2)
    assert np.array_equal(states[:, 2::3], np.concatenate(told, axis=1))


def test_a_world_that_begins_with_a_state_it_does_not_predict_cannot_be_held() -> None:
    with pytest.raises(InputError, match='the robot\'s "x", and does not predict it'):
        FittedWorld(stated(state=("x",)), hold=True)
    with pytest.raises(InputError, match="cannot be rebuilt from frames"):
        FittedWorld(stated(rewind=False), hold=True)


def test_one_that_predicts_it_begins_again_with_it() -> None:
    world = stated(state=("x", "y"), returns=("x", "y"))
    fitted = FittedWorld(world, hold=True)
    begun = replace(start(), state=np.array([[1.0, 2.0], [3.0, 4.0]], np.float32))
    state, _ = fitted.step(fitted.begin(begun), MOVES[:, :8])
    assert np.allclose(state.inner.told[:, -1], begun.state + MOVES[:, :8, :2].sum(1), atol=1e-5)


def test_a_fitted_world_keeps_the_rules_of_a_world() -> None:
    check_world(FittedWorld(StandInWorld(), hold=True), tolerance=0)
    check_world(FittedWorld(stated(stride=3, history=History(7, 3))), tolerance=0)
    plain = FakeWorld(capabilities=Capabilities(chunk=Chunk(1, 2)))
    check_world(FittedWorld(plain), tolerance=0)
