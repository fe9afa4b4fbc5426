"""Entries per frame and per action stay in step with the frames and actions of an episode."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from worldgym.actions.compose import composed
from worldgym.actions.conventions import convention
from worldgym.actions.convert import convert_actions
from worldgym.episodes.conversion import ConvertRequest, convert_dataset
from worldgym.episodes.extras import selected_extras, with_expert
from worldgym.episodes.store import EpisodeStore
from worldgym.episodes.time_rule import TimeRule
from worldgym.types import Actions, Episode

SPEC = convention("bridge_v2")
STEPS = 8


def expert() -> Actions:
    rng = np.random.default_rng(1)
    return rng.uniform(-0.01, 0.01, (STEPS, SPEC.size)).astype(np.float32)


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """A store of one episode with labels as `worldgym.reference.record` writes them."""
    extras = {
        "seed": 3,
        "distance": [float(t) for t in range(STEPS + 1)],
        "success_at": [t > 4 for t in range(STEPS + 1)],
        "expert": expert().tolist(),
        "other": ["no", "list", "of either"],
    }
    frames = np.zeros((STEPS + 1, 1, 16, 16, 3), np.uint8)
    actions = np.full((STEPS, SPEC.size), 0.01, np.float32)
    store = EpisodeStore.create(tmp_path / "in", SPEC, SPEC.rate_hz)
    store.write("a", Episode(frames, actions, "go", SPEC, SPEC.rate_hz, True, "a", extras), {})
    return tmp_path / "in"


def converted(labelled: Path, **options: Any) -> Episode:
    out = labelled.parent / "out"
    convert_dataset(ConvertRequest(labelled, out, **options))
    store = EpisodeStore(out)
    return store.without_frames(next(iter(store)).name)


def test_a_lower_rate_keeps_the_entries_of_the_kept_frames(labelled: Path) -> None:
    found = converted(labelled, fps=SPEC.rate_hz / 2)
    assert found.extras["distance"] == [0.0, 2.0, 4.0, 6.0, 8.0]
    assert found.extras["success_at"] == [False, False, False, True, True]
    due = [composed(pair, SPEC) for pair in expert().reshape(4, 2, -1)]
    np.testing.assert_allclose(found.extras["expert"], due, atol=1e-7)
    assert found.extras["other"] == ["no", "list", "of either"] and found.extras["seed"] == 3


def test_a_time_rule_cuts_them_with_the_frames_and_actions(labelled: Path) -> None:
    found = converted(labelled, rule=TimeRule(drop_first=True, shift=1))
    assert len(found) == STEPS - 2
    assert found.extras["distance"] == [float(t) for t in range(1, STEPS)]
    np.testing.assert_array_equal(found.extras["expert"], expert()[2:])


def test_the_expert_is_converted_with_the_actions(labelled: Path) -> None:
    found = converted(labelled, target="released_10")
    due = convert_actions(expert(), "bridge_v2", "released_10")
    np.testing.assert_allclose(found.extras["expert"], due, atol=1e-6)


def test_what_belongs_to_neither_is_left_alone() -> None:
    extras = {"a": [1, 2, 3], "b": "text", "c": [[1], [2]]}
    assert selected_extras(extras, (5, 4), range(2), range(1)) == extras
    assert selected_extras({"a": [1, 2]}, (2, 2), [1], [0]) == {"a": [2]}
    two = np.zeros((2, 7), np.float32)
    odd: list[dict[str, Any]] = [{}, {"expert": [[1.0], [2.0]]}, {"expert": [1.0, 2.0]}]
    for one in odd:
        assert with_expert(one, two, lambda told: told + 1) == one
