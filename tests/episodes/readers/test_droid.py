"""Episodes that hold states alone, frames and states that differ by one, keys named by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from synthetic_sets import film, recordings, write_droid

from worldgym.episodes.recording import SourceOptions
from worldgym.episodes.sources import open_source
from worldgym.episodes.states import pose_moves
from worldgym.errors import InputError

EPISODE = recordings(1)[0]
DELTA = SourceOptions(convention="droid_delta")


@pytest.fixture
def annotated(tmp_path: Path) -> Callable[..., Path]:
    """A set of one episode, its annotation changed; None removes a key."""

    def make(**changes: Any) -> Path:
        write_droid(tmp_path, [EPISODE])
        path = tmp_path / "annotation" / "train" / "0.json"
        data = {**json.loads(path.read_text()), **changes}
        path.write_text(
            json.dumps({key: value for key, value in data.items() if value is not None})
        )
        return tmp_path

    return make


RECORDED = (
    "raw_length",
    "action.joint_velocity",
    "action.cartesian_position",
    "action.gripper_position",
)


def test_states_alone_give_their_own_moves(annotated: Callable[..., Path]) -> None:
    root = annotated(**dict.fromkeys(RECORDED))
    found = open_source(root, DELTA).read("train-0")
    assert found.fps is None and len(found.actions) == 5
    states = np.asarray(EPISODE.states)
    np.testing.assert_allclose(
        found.actions, np.hstack([pose_moves(states), states[1:, 6:]]), atol=1e-6
    )
    assert (
        open_source(root, SourceOptions(convention="droid_delta", fps=5.0)).read("train-0").fps
        == 5.0
    )
    for name in ("droid_joint_velocity", "droid_cartesian"):
        with pytest.raises(
            InputError,
            match=r"holds no action\..*; --convention droid_delta takes actions from the states",
        ):
            open_source(root, SourceOptions(convention=name)).read("train-0")


@pytest.mark.parametrize(
    ("frames", "said"),
    [(7, "one frame more than states"), (5, "one state more than frames"), (6, "")],
)
def test_one_too_many_is_left_out_and_said(
    frames: int, said: str, annotated: Callable[..., Path]
) -> None:
    root = annotated()
    more = np.concatenate([EPISODE.frames, EPISODE.frames[-1:]])[:frames]
    (root / "videos" / "train" / "0" / "0.mp4").write_bytes(film(more))
    found = open_source(root, DELTA).read("train-0")
    assert (
        len(found.frames) == min(frames, 6)
        and said in " ".join(found.facts.notes)
        and bool(said) == bool(found.facts.notes)
    )


def test_two_too_many_are_refused(annotated: Callable[..., Path]) -> None:
    root = annotated()
    (root / "videos" / "train" / "0" / "0.mp4").write_bytes(film(EPISODE.frames[:4]))
    with pytest.raises(InputError, match="6 states for 4 frames"):
        open_source(root, DELTA).read("train-0")


def test_wordings_and_keys(annotated: Callable[..., Path]) -> None:
    root = annotated(texts=["lift it", "raise it"], mine=EPISODE.actions.tolist())
    with pytest.raises(
        InputError,
        match=r"its actions are .*, not bridge_v2; name one of them, or a key with --action",
    ):
        open_source(root, SourceOptions(convention="bridge_v2"))
    options = SourceOptions(
        convention="bridge_v2", action="mine", state="action.gripper_position", wording=2
    )
    with pytest.raises(InputError, match="17 states for 6 frames"):
        open_source(root, options).read("train-0")
    found = open_source(root, SourceOptions(convention="bridge_v2", action="mine", wording=2)).read(
        "train-0"
    )
    assert found.instruction == "raise it" and found.actions.shape == (6, 7)
    with pytest.raises(InputError, match='has no key "leg"; --action names one of'):
        open_source(root, SourceOptions(action="leg")).read("train-0")
    raw = open_source(
        root, SourceOptions(action="action.cartesian_position,action.gripper_position")
    ).read("train-0")
    assert raw.actions.shape == (5, 7)
