"""Pictures stored another way than they are meant are put right for every reader, and it is found
where cameras disagree."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_sets import recordings, write_lerobot_v2, write_mp4_npz, write_rlds

from worldgym.actions.conventions import POSE, convention
from worldgym.episodes.channel_order import exchanged, hue_shares
from worldgym.episodes.picture_form import corrected, with_state_names
from worldgym.episodes.recording import Recording, SourceOptions
from worldgym.episodes.sources import open_source
from worldgym.episodes.time_rule import TimeRule, to_episode
from worldgym.errors import InputError
from worldgym.types import Frames

FRAMES: Frames = np.arange(2 * 3 * 4 * 3, dtype=np.uint8).reshape(2, 3, 4, 3)


def test_upside_down_mirrored_and_on_their_side() -> None:
    np.testing.assert_array_equal(
        corrected(FRAMES, SourceOptions(flip="vertical"))[:, 0], FRAMES[:, -1]
    )
    np.testing.assert_array_equal(
        corrected(FRAMES, SourceOptions(flip="horizontal"))[:, :, 0], FRAMES[:, :, -1]
    )
    np.testing.assert_array_equal(
        corrected(FRAMES, SourceOptions(flip="both")), corrected(FRAMES, SourceOptions(rotate=180))
    )
    turned = corrected(FRAMES, SourceOptions(rotate=90))
    assert turned.shape == (2, 4, 3, 3)
    # clockwise: the upper left corner goes to the right
    np.testing.assert_array_equal(turned[:, 0, -1], FRAMES[:, 0, 0])
    np.testing.assert_array_equal(
        corrected(FRAMES, SourceOptions(swap_red_blue=True))[..., 0], FRAMES[..., 2]
    )


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(["", "vertical", "horizontal", "both"]), st.booleans())
def test_every_change_undoes_itself(flip: str, swap: bool) -> None:
    options = SourceOptions(flip=flip, swap_red_blue=swap)
    np.testing.assert_array_equal(corrected(corrected(FRAMES, options), options), FRAMES)


def test_any_reader_takes_the_options_and_sizes_are_of_the_turned_picture(tmp_path: Path) -> None:
    write_rlds(tmp_path, recordings(1))
    plain = open_source(tmp_path).read("train-00000-00000").frames
    flipped = (
        open_source(tmp_path, SourceOptions(flip="vertical", swap_red_blue=True))
        .read("train-00000-00000")
        .frames
    )
    np.testing.assert_array_equal(flipped, plain[:, ::-1, :, ::-1])
    options = SourceOptions(size=(16, 24), rotate=90)
    assert open_source(tmp_path, options).read("train-00000-00000").frames.shape[1:3] == (16, 24)


@pytest.mark.parametrize("wrong", [{"flip": "upside"}, {"rotate": 45}])
def test_other_turns_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError, match="turned by 90, 180 or 270"):
        SourceOptions(**wrong)  # type: ignore[arg-type]


def test_cameras_that_disagree_about_red() -> None:
    scene = np.zeros((2, 16, 16, 3), np.uint8) + np.array([40, 60, 90], np.uint8)
    scene[:, :4, :4] = (220, 120, 40)
    other = np.roll(scene, 5, axis=2)
    assert (
        exchanged(other[..., ::-1], scene)
        and exchanged(other, scene[..., ::-1])
        and not exchanged(other, scene)
    )
    grey = np.full_like(scene, 90)
    assert hue_shares(grey) is None and not exchanged(grey, scene)


def test_real_cameras_agree(sample_data: Path) -> None:
    root = sample_data / "droid_mp4"
    name = open_source(root).listing()[0].name
    one, two = (
        open_source(root, SourceOptions(camera=camera)).read(name).frames[::16]
        for camera in ("0", "1")
    )
    assert not exchanged(one, two) and not exchanged(two, one)


NAMES = (*POSE, "gripper")
WRITERS = {"lerobot": write_lerobot_v2, "mp4": write_mp4_npz}


@pytest.mark.parametrize("form", WRITERS)
def test_states_without_names_are_taken_for_a_pose_only_where_the_user_says_so(
    form: str, tmp_path: Path
) -> None:
    WRITERS[form](tmp_path, recordings(1))
    rule, spec = TimeRule(relabel=True), convention("bridge_v2")

    def read(*names: str) -> Recording:
        options = SourceOptions(convention="bridge_v2", state_names=names, rotate=180)
        source = open_source(tmp_path, options)
        return source.read(source.listing()[0].name)

    with pytest.raises(InputError, match="name their numbers, for example --state-names x y z"):
        to_episode(read(), spec, rule)
    assert len(to_episode(read(*NAMES), spec, rule)) == 5
    with pytest.raises(InputError, match="its numbers are named joint_0, joint_1"):
        to_episode(read(*(f"joint_{i}" for i in range(7))), spec, rule)
    with pytest.raises(InputError, match="a state has 7 numbers, and --state-names names 2"):
        read("x", "y")


def test_names_of_states_that_are_not_there_are_refused() -> None:
    recording = replace(recordings(1)[0], states=None)
    with pytest.raises(InputError, match="holds no states; leave --state-names out"):
        with_state_names(recording, NAMES)
    assert with_state_names(recording, ()) is recording
