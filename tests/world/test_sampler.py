"""The fast sampler is the plain one: same frames to 1e-4 in float32, whatever the chunk, guidance,
order or batch."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_worlds import latents_of, make_world

from worldgym.actions.embodiment import Reach, Scaling
from worldgym.errors import CheckpointError, InputError
from worldgym.testing import check_world
from worldgym.world.conditioning import conditioning
from worldgym.world.model import DiffusionWorld
from worldgym.world.noise import FlowMatching, SigmoidV
from worldgym.world.sampler import SAMPLERS, frame_spans, level_plan
from worldgym.world.world_config import WorldConfig
from worldgym.world.world_state import WorldState


@pytest.mark.parametrize("chunk", [1, 4])
@pytest.mark.parametrize("cfg", [1.0, 3.0])
@pytest.mark.parametrize("order", ["pyramid", "parallel"])
@pytest.mark.parametrize("positions", ["learned", "rotary", "rotary_pixel"])
def test_cached_is_plain(chunk: int, cfg: float, order: str, positions: str) -> None:
    fast = make_world(positions, cfg=cfg, order=order)
    slow = fast.with_sampler(cached=False)
    difference = np.abs(latents_of(fast, 2, 12, chunk) - latents_of(slow, 2, 12, chunk)).max()
    assert difference < 1e-4


@pytest.mark.parametrize("cfg", [1.0, 2.0])
def test_cached_is_plain_in_chunks_of_eight(cfg: float) -> None:
    fast = make_world(cfg=cfg, window=12, keep=4)
    assert (
        np.abs(
            latents_of(fast, 2, 24, 8) - latents_of(fast.with_sampler(cached=False), 2, 24, 8)
        ).max()
        < 1e-4
    )


@pytest.mark.parametrize("schedule", ["flow", "sigmoid_v"])
@pytest.mark.parametrize("views", [(True, True), (False, True), (True, False), (False, False)])
def test_cached_is_plain_under_every_schedule(schedule: str, views: tuple[bool, bool]) -> None:
    fast = make_world(schedule=schedule, views=views)
    assert (
        np.abs(
            latents_of(fast, 1, 9, 3) - latents_of(fast.with_sampler(cached=False), 1, 9, 3)
        ).max()
        < 1e-4
    )


@settings(max_examples=12, deadline=None)
@given(
    window=st.integers(3, 9),
    keep_share=st.floats(0.1, 0.9),
    chunk=st.integers(1, 7),
    steps=st.integers(1, 3),
    rows=st.integers(1, 3),
)
def test_cached_is_plain_for_any_window(
    window: int, keep_share: float, chunk: int, steps: int, rows: int
) -> None:
    fast = make_world(window=window, keep=max(1, int(keep_share * (window - 1))), steps=steps)
    difference = np.abs(
        latents_of(fast, rows, 11, chunk)
        - latents_of(fast.with_sampler(cached=False), rows, 11, chunk)
    ).max()
    assert difference < 1e-4


@settings(max_examples=12, deadline=None)
@given(
    window=st.integers(2, 6),
    chunk=st.integers(1, 5),
    rows=st.integers(1, 2),
    cfg=st.sampled_from([1.0, 2.0]),
    positions=st.sampled_from(["learned", "rotary"]),
    schedule=st.sampled_from(["flow", "sigmoid_v"]),
)
def test_rolling_is_its_plain_twin(
    window: int, chunk: int, rows: int, cfg: float, positions: str, schedule: str
) -> None:
    """The twin computes all of the past that reaches a frame, at every call, with each frame's view
    cut to the window."""
    fast = make_world(positions, schedule, rule="rolling", window=window, keep=1, steps=2, cfg=cfg)
    assert (
        np.abs(
            latents_of(fast, rows, 17, chunk)
            - latents_of(fast.with_sampler(cached=False), rows, 17, chunk)
        ).max()
        < 1e-4
    )


@settings(max_examples=8, deadline=None)
@given(
    window=st.integers(3, 7),
    keep=st.integers(0, 2),
    chunk=st.integers(1, 8),
    schedule=st.sampled_from(["flow", "sigmoid_v"]),
)
def test_a_sliding_window_is_its_plain_twin(
    window: int, keep: int, chunk: int, schedule: str
) -> None:
    fast = make_world("rotary", schedule, window=window, keep=keep, steps=2)
    assert (
        np.abs(
            latents_of(fast, 1, 13, chunk)
            - latents_of(fast.with_sampler(cached=False), 1, 13, chunk)
        ).max()
        < 1e-4
    )


@pytest.mark.parametrize(("chunk", "positions"), [(1, "learned"), (3, "rotary")])
def test_inside_the_window_all_rules_are_one(chunk: int, positions: str) -> None:
    worlds = [
        make_world(positions, window=12, steps=2, **rule)
        for rule in ({"rule": "rolling"}, {"keep": 0}, {"keep": 6})
    ]
    inside, beyond = (
        [latents_of(world, 2, count, chunk) for world in worlds] for count in (11, 20)
    )
    assert max(np.abs(latents - inside[0]).max() for latents in inside) < 1e-4
    gaps = [np.abs(beyond[i] - beyond[j]).max() for i, j in ((0, 1), (0, 2), (1, 2))]
    assert min(gaps) > 1e-3, "past the window the rules are different ones"


@pytest.mark.parametrize(
    ("rule", "per_frame"),
    [({"rule": "rolling"}, 4 + 1), ({"keep": 0}, 4 + 7), ({"cached": False, "keep": 0}, 4 * 8)],
)
def test_frames_computed_a_new_frame(
    rule: dict[str, object], per_frame: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Past a window of 8, with 4 steps: rolling computes a finished frame once, a sliding window
    all that it keeps."""
    world = make_world(window=8, **rule)
    state, _ = world.step(
        world.reset(np.zeros((1, 1, 8, 8, 3), np.uint8), [0]),
        np.zeros((1, 12, 2), np.float32)[:, :1],
    )
    for _ in range(11):
        state, _ = world.step(state, np.zeros((1, 1, 2), np.float32))
    seen: list[int] = []
    denoise = world.engine.denoise
    count = lambda x, *rest: seen.append(x.shape[0] * x.shape[1]) or denoise(x, *rest)  # noqa: E731
    monkeypatch.setattr(world.engine, "denoise", count)
    world.step(state, np.zeros((1, 1, 2), np.float32))
    assert sum(seen) == per_frame and len(seen) == 4


@pytest.mark.parametrize(
    ("order", "steps", "calls"),
    [("pyramid", 1, [3 + 1, 2, 2]), ("pyramid", 2, [3 + 1, 2, 3, 2]), ("parallel", 2, [3 + 3, 3])],
)
def test_frames_computed_a_chunk(
    order: str, steps: int, calls: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of the chunk before, then what moves and what finished in the call before; no frame
    that has not begun."""
    world = make_world(rule="rolling", window=8, keep=4, order=order, steps=steps)
    state, _ = world.step(
        world.reset(np.zeros((1, 1, 8, 8, 3), np.uint8), [0]), np.zeros((1, 3, 2), np.float32)
    )
    seen: list[int] = []
    denoise = world.engine.denoise
    count = lambda x, *rest: seen.append(x.shape[1]) or denoise(x, *rest)  # noqa: E731
    monkeypatch.setattr(world.engine, "denoise", count)
    state, _ = world.step(state, np.zeros((1, 3, 2), np.float32))
    assert seen == calls
    assert state.cache is not None and state.cache.length == state.stored == 4, (
        "the chunk's own frames are not stored yet"
    )


def test_a_rolling_state_may_be_stepped_after_a_branch_overwrote_it() -> None:
    world, rng = make_world(rule="rolling", window=4, keep=1), np.random.default_rng(4)
    actions = rng.uniform(-1, 1, (1, 24, 2)).astype(np.float32)
    root = world.reset(np.zeros((1, 1, 8, 8, 3), np.uint8), [5])
    for i in range(10):
        root, _ = world.step(root, actions[:, i : i + 1])
    expected, _ = world.step(root, actions[:, 10:13])
    branch = root
    for i in range(10, 20):
        branch, _ = world.step(branch, actions[:, i : i + 1])
    again, _ = world.step(root, actions[:, 10:13])
    torch.testing.assert_close(again.context.latents, expected.context.latents, atol=1e-4, rtol=0)
    assert branch.cache is not again.cache


def test_settings_may_change_on_the_way() -> None:
    """A cache of other guidance, or shorter than the chunk, is made anew."""
    world, actions = (
        make_world(rule="rolling", window=5, keep=1),
        np.full((1, 4, 2), 0.3, np.float32),
    )
    state, _ = world.step(world.reset(np.zeros((1, 1, 8, 8, 3), np.uint8), [5]), actions[:, :1])
    for changes in ({"cfg": 2.0}, {"rule": "recompute"}, {"cached": False}, {}):
        other = world.with_sampler(**changes)
        found, _ = other.step(state, actions)
        expected, _ = other.step(replace(state, cache=None, stored=0), actions)
        torch.testing.assert_close(
            found.context.latents, expected.context.latents, atol=1e-4, rtol=0
        )
        state = found


@pytest.mark.parametrize(
    "changes",
    [
        {"rule": "forget"},
        {"order": "spiral"},
        {"keep": 8},
        {"keep": -1},
        {"steps": 0},
        {"cfg": float("nan")},
        {"cfg": -1.0},
    ],
)
def test_settings_that_make_no_sampler_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(InputError):
        make_world(**changes)


def test_a_window_longer_than_the_learned_positions_is_refused() -> None:
    with pytest.raises(CheckpointError, match="32"):
        make_world(window=40)
    assert make_world("rotary", window=40).config.sampler.window == 40


def test_a_named_sampler_keeps_the_guidance() -> None:
    world = make_world("rotary", cfg=3.0).with_sampler("paper", steps=5)
    assert world.config.sampler == replace(SAMPLERS["paper"], cfg=3.0, steps=5)
    with pytest.raises(InputError, match="paper"):
        world.with_sampler("novel")


def test_the_network_answers_to_actions_and_noise() -> None:
    """Guards the tests above: with weights that ignore their input every sampler would agree."""
    world = make_world()
    frames = np.zeros((2, 1, 8, 8, 3), np.uint8)
    state = world.reset(frames, [1, 1])
    _, moved = world.step(state, np.array([[[1.0, 0.0]], [[-1.0, 0.5]]], np.float32))
    assert np.abs(moved[0].astype(int) - moved[1]).max() > 1
    _, other = world.step(world.reset(frames, [1, 2]), np.zeros((2, 1, 2), np.float32))
    assert np.abs(other[0].astype(int) - other[1]).max() > 1


@pytest.mark.parametrize("shown", [True, False])
def test_the_initial_frame_is_remembered_when_it_has_left_the_window(shown: bool) -> None:
    world = make_world(views=(True, shown), window=3, keep=1)
    state, _ = world.step(
        world.reset(np.zeros((1, 1, 8, 8, 3), np.uint8), [0]), np.zeros((1, 5, 2), np.float32)
    )
    other = replace(
        state, context=replace(state.context, start=state.context.start + 1), cache=None, stored=0
    )
    after, changed = (
        world.step(s, np.zeros((1, 1, 2), np.float32))[0].context.latents[:, -1]
        for s in (state, other)
    )
    assert torch.allclose(after, changed, atol=1e-4) != shown


def test_batch_of_eight_is_eight_batches_of_one() -> None:
    world, rng = make_world(), np.random.default_rng(1)
    frames = rng.integers(0, 256, (8, 1, 8, 8, 3)).astype(np.uint8)
    actions = rng.uniform(-1, 1, (8, 10, 2)).astype(np.float32)
    state = world.step(world.reset(frames, range(8)), actions)[0]
    for row in range(8):
        alone = world.step(world.reset(frames[row : row + 1], [row]), actions[row : row + 1])[0]
        torch.testing.assert_close(
            alone.context.latents[0], state.context.latents[row], atol=1e-4, rtol=0
        )


def test_a_state_may_be_stepped_twice() -> None:
    """Branches share a cache until one of them moves on; the other then works on a copy."""
    world, rng = make_world(), np.random.default_rng(2)
    start = world.reset(rng.integers(0, 256, (1, 1, 8, 8, 3)).astype(np.uint8), [5])
    root, _ = world.step(start, rng.uniform(-1, 1, (1, 2, 2)).astype(np.float32))
    left, right = (rng.uniform(-1, 1, (1, 2, 2)).astype(np.float32) for _ in range(2))

    def twice(world: DiffusionWorld, root: WorldState) -> np.ndarray:
        first, _ = world.step(world.step(root, left)[0], left)
        second, _ = world.step(world.step(root, right)[0], right)
        again, _ = world.step(world.step(root, left)[0], left)
        torch.testing.assert_close(first.context.latents, again.context.latents, atol=1e-5, rtol=0)
        return second.context.latents.numpy()

    plain = world.with_sampler(cached=False)
    expected = twice(plain, plain.step(start, np.asarray(root.context.actions[:, 1:, :2]))[0])
    np.testing.assert_allclose(twice(world, root), expected, atol=1e-4)


def test_conforms_to_the_seam() -> None:
    check_world(make_world())


def test_plan_of_a_pyramid() -> None:
    plan = level_plan(FlowMatching(), steps=2, chunk=3, order="pyramid").tolist()
    assert plan == [[1000, 1000, 1000], [500, 1000, 1000], [0, 500, 1000], [0, 0, 500], [0, 0, 0]]
    assert level_plan(FlowMatching(), 2, 2, "parallel").tolist() == [
        [1000, 1000],
        [500, 500],
        [0, 0],
    ]


def test_frames_that_each_call_of_a_pyramid_computes() -> None:
    plan = level_plan(FlowMatching(), steps=2, chunk=4, order="pyramid")
    assert frame_spans(plan) == [(0, 1), (0, 2), (0, 3), (1, 4), (2, 4)]
    assert frame_spans(level_plan(FlowMatching(), 2, 4, "parallel")) == [(0, 4), (0, 4)]


@pytest.mark.parametrize("order", ["pyramid", "parallel"])
@pytest.mark.parametrize("steps", [1, 10, 1001, 1200])
def test_every_call_computes_a_frame_even_where_neighbouring_levels_are_equal(
    order: str, steps: int
) -> None:
    plan = level_plan(SigmoidV(), steps, 3, order)
    spans = frame_spans(plan)
    assert len(spans) == len(plan) - 1 and all(0 <= first < behind <= 3 for first, behind in spans)


def test_released_level_grid() -> None:
    assert SigmoidV().grid(10).tolist() == [999, 899, 799, 699, 599, 499, 399, 299, 199, 99, -1]


def test_sampler_settings_travel() -> None:
    world = make_world()
    assert world.with_sampler(steps=7).config.sampler == replace(world.config.sampler, steps=7)


NEAR = Reach((((-0.5, -0.2), (0.1, 9.0)), ((0.0, -1.0), (1.0, 0.3))))


@pytest.mark.parametrize(
    "scaling", [Scaling(), Scaling(reach=NEAR), Scaling((0.0, 0.0), (0.5, 2.0), NEAR)]
)
def test_the_world_shows_what_training_showed(scaling: Scaling) -> None:
    """Actions reach the network in rollouts exactly as windows show them in training."""
    world, rng = make_world(window=12, scaling=scaling), np.random.default_rng(3)
    assert WorldConfig.from_json(json.loads(json.dumps(world.config.to_json()))) == world.config
    actions = rng.uniform(-1, 1, (1, 9, 2)).astype(np.float32)
    state = world.reset(np.zeros((1, 1, 8, 8, 3), np.uint8), [0])
    for start, size in ((0, 1), (1, 3), (4, 5)):
        state, _ = world.step(state, actions[:, start : start + size])
    learnt = conditioning(scaling.shown(actions[0]), bounds=scaling.bounds(2))
    np.testing.assert_allclose(state.context.actions[0].numpy(), learnt, atol=1e-6)
