"""Each disturbed motion is disturbed in its own way; none needs the simulator to say so."""

from __future__ import annotations

import numpy as np
import pytest

from worldgym.reference.disturbed import DISTURBED, HAND, MOVE, OBJECT, Numbers, make_disturbed
from worldgym.reference.reference_tasks import STEPS

STATE = np.concatenate([[0.0, 0.6, 0.2, 1.0], [0.1, 0.7, 0.1], np.zeros(32)])


def expert(state: Numbers) -> Numbers:
    """Towards the object."""
    return np.append(10.0 * (state[OBJECT] - state[HAND]), 1.0)


def played(name: str, seed: int) -> Numbers:
    """[STEPS, 4] in front of a scene in which the hand goes where it is sent."""
    act, state, actions = (
        make_disturbed(name, np.random.default_rng(seed), expert),
        STATE.copy(),
        [],
    )
    for step in range(STEPS):
        actions.append(np.clip(act(state, step), -1.0, 1.0))
        state[HAND] += MOVE * actions[-1][:3]
    return np.stack(actions)


def path(name: str, seed: int) -> Numbers:
    """[STEPS, 3]: where the hand is after each action."""
    return STATE[HAND] + MOVE * np.cumsum(played(name, seed)[:, :3], axis=0)


def nearest(name: str, seed: int) -> float:
    """Metres between hand and object, at their nearest."""
    return float(np.linalg.norm(path(name, seed) - STATE[OBJECT], axis=1).min())


@pytest.mark.parametrize("name", DISTURBED)
def test_it_repeats_by_seed_and_differs_between_seeds(name: str) -> None:
    np.testing.assert_array_equal(played(name, 3), played(name, 3))
    assert any(not np.array_equal(played(name, 3), played(name, seed)) for seed in (4, 5, 6))


@pytest.mark.parametrize(
    ("name", "low", "high"), [("displaced", 0.059, 0.161), ("above", 0.04, 0.17)]
)
def test_it_ends_beside_the_object(name: str, low: float, high: float) -> None:
    ends = [path(name, seed)[-1] - STATE[OBJECT] for seed in range(20)]
    distances = np.linalg.norm(ends, axis=1)
    assert np.all((distances > low) & (distances < high))
    if name == "displaced":
        assert np.allclose([end[2] for end in ends], 0.0, atol=1e-6)
    else:
        assert all(end[2] > 0.04 for end in ends)


def test_hovering_and_crossing_keep_away_and_prodding_arrives() -> None:
    seeds = range(20)
    assert min(nearest("crossing", seed) for seed in seeds) > 0.06
    assert np.median([nearest("hovering", seed) for seed in seeds]) > 0.03
    assert np.median([nearest("prodding", seed) for seed in seeds]) < 0.03


def test_crossing_passes_over_the_object() -> None:
    for seed in range(10):
        over = np.linalg.norm((path("crossing", seed) - STATE[OBJECT])[:, :2], axis=1)
        assert over.min() < 0.07 < 0.09 < over.max()


def test_delayed_stands_first_and_then_does_the_same() -> None:
    for seed in range(10):
        actions = played("delayed", seed)
        late = int(np.argmax(np.any(actions != 0.0, axis=1)))
        assert 1 <= late <= 4
        np.testing.assert_array_equal(actions[:late], 0.0)
        np.testing.assert_array_equal(actions[late], np.clip(expert(STATE), -1.0, 1.0))


def test_scaled_and_warped_keep_direction_and_gripper() -> None:
    asked = np.clip(expert(STATE), -1.0, 1.0)
    for name in ("scaled", "warped"):
        first = [
            make_disturbed(name, np.random.default_rng(s), expert)(STATE, 0) for s in range(30)
        ]
        gains = np.stack(first)[:, :3] / asked[:3]
        assert np.allclose(gains, gains[:, :1]) and np.ptp(gains) > 0.3
        np.testing.assert_array_equal(np.stack(first)[:, 3], asked[3])


def test_mirrored_turns_one_axis() -> None:
    for seed in range(10):
        last = make_disturbed("mirrored", np.random.default_rng(seed), expert)(STATE, STEPS - 1)
        turned = np.sign(last) != np.sign(expert(STATE))
        assert turned[:3].sum() == 1 and not turned[3]


def test_wrong_grip_moves_as_the_expert() -> None:
    grips = set()
    for seed in range(20):
        action = make_disturbed("wrong-grip", np.random.default_rng(seed), expert)(STATE, 0)
        np.testing.assert_array_equal(action[:3], expert(STATE)[:3])
        grips.add(float(action[3]))
    assert grips == {-1.0, 1.0}
