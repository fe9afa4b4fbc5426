"""Cameras of any name are found by shape; outcomes, texts and what states are is read; names may
hold hyphens."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from synthetic_sets import jpeg, recordings, write_act, write_isaac, write_robomimic, write_robotwin

from worldgym.actions.conventions import convention
from worldgym.episodes.readers.hdf5 import Hdf5Source
from worldgym.episodes.recording import SourceOptions
from worldgym.episodes.sources import open_source
from worldgym.episodes.time_rule import TimeRule, to_episode
from worldgym.errors import InputError


def renamed(path: Path, demo: str) -> None:
    with h5py.File(path, "r+") as file:
        file.move("data/demo_0", f"data/{demo}")


@pytest.mark.parametrize("single", [True, False])
@pytest.mark.parametrize("stem", ["demos", "pick-cup", "2026-05-01"])
@pytest.mark.parametrize("demo", ["demo_0", "demo-0", "demos", "pick-cup"])
def test_every_listed_name_is_read(tmp_path: Path, single: bool, stem: str, demo: str) -> None:
    write_robomimic(tmp_path, recordings(2))
    path = (tmp_path / "demos.hdf5").rename(tmp_path / f"{stem}.hdf5")
    renamed(path, demo)
    source = Hdf5Source(path if single else tmp_path, SourceOptions(camera="agentview_image"))
    lengths = sorted(len(source.read(listed.name).frames) for listed in source.listing())
    assert lengths == [6, 7]
    for wrong in ("none", f"{stem}-none", f"{stem}-", "-demo_1"):
        with pytest.raises(InputError, match="no episode"):
            source.read(wrong)


@pytest.mark.parametrize("single", [True, False])
def test_an_act_file_with_hyphens(tmp_path: Path, single: bool) -> None:
    write_act(tmp_path, recordings(1))
    path = (tmp_path / "episode_0.hdf5").rename(tmp_path / "pick-cup.hdf5")
    source = Hdf5Source(path if single else tmp_path, SourceOptions(camera="front"))
    assert [listed.name for listed in source.listing()] == ["pick-cup"] and len(
        source.read("pick-cup").frames
    ) == 6


def test_frames_that_are_no_bytes_are_refused(tmp_path: Path) -> None:
    write_robomimic(tmp_path, recordings(1))
    with h5py.File(tmp_path / "demos.hdf5", "r+") as file:
        frames = np.asarray(file["data/demo_0/obs/agentview_image"])
        del file["data/demo_0/obs/agentview_image"]
        file["data/demo_0/obs/agentview_image"] = frames.astype(np.float32) / 255
    source = Hdf5Source(tmp_path, SourceOptions(camera="agentview_image"))
    with pytest.raises(
        InputError,
        match="frames of camera agentview_image are float32; store them as uint8, 0 to 255",
    ):
        source.read("demos-demo_0")


def one_demo(
    path: Path, images: dict[str, object], attributes: dict[str, object] | None = None
) -> Path:
    """A file of one demonstration of six steps, with these arrays beside its actions."""
    with h5py.File(path, "w") as file:
        demo = file.create_group("data/demo_0")
        demo["actions"] = EPISODE.actions
        for key, array in images.items():
            demo[key] = array
        demo.attrs.update(attributes or {})
    return path


EPISODE = recordings(1)[0]
RGB = EPISODE.frames
ALPHA = np.concatenate([RGB, np.full((*RGB.shape[:3], 1), 9, np.uint8)], axis=3)
GREY = np.repeat(RGB[..., :1], 3, axis=3)
CODED = [np.frombuffer(jpeg(frame), np.uint8) for frame in RGB]


@pytest.mark.parametrize(
    ("stored", "shown", "said"),
    [
        (RGB, RGB, ""),
        (np.moveaxis(RGB, 3, 1), RGB, "channels first"),
        (ALPHA, RGB, "alpha channel"),
        (np.moveaxis(ALPHA, 3, 1), RGB, "alpha channel"),
        (RGB[..., 0], GREY, ""),
        (RGB[..., :1], GREY, ""),
        (np.moveaxis(RGB[..., :1], 3, 1), GREY, "channels first"),
    ],
)
def test_layouts_of_frames(
    stored: np.ndarray, shown: np.ndarray, said: str, tmp_path: Path
) -> None:
    path = one_demo(tmp_path / "x.hdf5", {"obs/top_view": stored})
    found = open_source(path).read("demo_0")
    np.testing.assert_array_equal(found.frames, shown)
    assert bool(said) == bool(found.facts.notes) and said in " ".join(found.facts.notes)
    assert open_source(path, SourceOptions(size=(8, 12))).read("demo_0").frames.shape == (
        6,
        8,
        12,
        3,
    )


def test_rows_of_jpeg_of_changing_length(tmp_path: Path) -> None:
    path = one_demo(tmp_path / "x.hdf5", {"obs/state": np.zeros((6, 40), np.uint8)})
    with h5py.File(path, "r+") as file:
        rows = file["data/demo_0"].create_dataset("cam/rgb", (6,), h5py.vlen_dtype(np.uint8))
        for i, row in enumerate(CODED):
            rows[i] = row
    source = open_source(path)
    assert (
        source.cameras == ("cam/rgb",)
        and np.abs(source.read("demo_0").frames.astype(int) - RGB).mean() < 3.0
    )


def test_depth_and_segments_are_no_default_and_colour_comes_first(tmp_path: Path) -> None:
    images = {
        "obs/a_depth": np.zeros((6, 32, 32), np.uint16),
        "obs/b": np.zeros((6, 32, 32, 1), np.float32),
        "obs/c_seg": RGB[..., 0],
        "obs/d_grey": RGB[..., 0],
        "obs/e_colour": RGB,
        "obs/pose": np.zeros((6, 4, 4), np.float32),
        "next_obs/e_colour": RGB,
    }
    source = open_source(one_demo(tmp_path / "x.hdf5", images))
    assert (
        source.cameras == ("e_colour", "d_grey", "a_depth", "b", "c_seg")
        and source.camera == "e_colour"
    )
    assert (
        open_source(tmp_path / "x.hdf5", SourceOptions(camera="c_seg")).read("demo_0").facts.depth
    )
    with pytest.raises(
        InputError, match="frames of camera a_depth are uint16; store them as uint8"
    ):
        open_source(tmp_path / "x.hdf5", SourceOptions(camera="a_depth")).read("demo_0")
    del images["obs/e_colour"], images["obs/d_grey"], images["next_obs/e_colour"]
    with pytest.raises(InputError, match="holds only depth maps"):
        open_source(one_demo(tmp_path / "x.hdf5", images))


@pytest.mark.parametrize(
    ("attributes", "arrays", "outcome"),
    [
        ({"success": True}, {}, True),
        ({"success": np.int64(0)}, {}, False),
        ({"success": "true"}, {}, True),
        ({"success": [1, 0]}, {}, None),
        ({}, {"rewards": np.eye(6)[5]}, True),
        ({}, {"rewards": np.zeros(6)}, None),  # of a set without rewards too
        ({}, {"rewards": np.linspace(0, 1, 6)}, None),
        ({}, {"success": np.zeros(6, bool)}, False),
        ({}, {"success": np.arange(6) > 3}, True),
        ({}, {"dones": np.eye(6)[5]}, None),  # that it ended
        ({}, {}, None),
    ],
)
def test_outcomes(
    attributes: dict[str, object], arrays: dict[str, object], outcome: bool | None, tmp_path: Path
) -> None:
    path = one_demo(tmp_path / "x.hdf5", {"obs/cam": RGB, **arrays}, attributes)
    assert open_source(path).read("demo_0").success is outcome


def test_splits_and_texts(tmp_path: Path) -> None:
    write_isaac(tmp_path / "isaac", recordings(3))
    source = open_source(tmp_path / "isaac" / "recorded.hdf5")
    found = [source.read(listed.name) for listed in source.listing()]
    assert [episode.extras for episode in found] == [{"split": "train"}, {}, {"split": "train"}]
    path = one_demo(tmp_path / "x.hdf5", {"obs/cam": RGB}, {"language_instruction": "lift \x1b it"})
    assert open_source(path).read("demo_0").instruction == "lift it"
    path = one_demo(
        tmp_path / "x.hdf5",
        {"obs/cam": RGB, "language_instruction": ["a", "a", "b", "b", "b", "b"]},
    )
    assert open_source(path).read("demo_0").instruction == "a, then b"
    split = open_source(path, SourceOptions(subtasks="split"))
    assert [split.read(listed.name).instruction for listed in split.listing()] == ["a", "b"]


def test_other_layouts(tmp_path: Path) -> None:
    """Groups of any name below the root, as ManiSkill has them: one observation more than
    actions."""
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["traj_0/actions"], file["traj_0/obs/sensor_data/base_camera/rgb"] = (
            EPISODE.actions[:-1],
            RGB,
        )
        file["traj_0/success"] = np.arange(5) == 4
    source = open_source(tmp_path)
    found = source.read(source.listing()[0].name)
    assert (
        source.cameras == ("sensor_data/base_camera/rgb",)
        and found.success
        and len(found.actions) == 5
    )
    write_robotwin(tmp_path / "twin", recordings(2))
    assert [listed.name for listed in open_source(tmp_path / "twin").listing()] == [
        "episode0",
        "episode1",
    ]


def test_keys_are_named_by_hand(tmp_path: Path) -> None:
    images = {
        "obs/cam": RGB,
        "obs/robot0_eef_pos": np.asarray(EPISODE.states)[:, :3],
        "obs/robot0_eef_quat": np.eye(4)[[3] * 6],
    }
    path = one_demo(
        tmp_path / "x.hdf5",
        {**images, "obs/joint_pos": np.zeros((6, 7)), "obs/mine": np.zeros((6, 6))},
    )
    with h5py.File(path, "r+") as file:
        file.move("data/demo_0/actions", "data/demo_0/commands")
    with pytest.raises(
        InputError,
        match=(
            r"has no actions; name the array that holds them with --action: commands, "
            r"obs/joint_pos"
        ),
    ):
        open_source(path).read("demo_0")
    with pytest.raises(
        InputError, match='has no state "obs/absent"; --state names one of commands, obs/cam'
    ):
        open_source(path, SourceOptions(action="commands", state="obs/absent")).read("demo_0")
    spec, rule = convention("bridge_v2"), TimeRule(relabel=True)
    for state in ("obs/robot0_eef_pos, obs/robot0_eef_quat",):
        found = open_source(path, SourceOptions(action="commands", state=state)).read("demo_0")
        np.testing.assert_array_equal(found.actions, EPISODE.actions)
        assert len(to_episode(found, spec, rule)) == 5
    for state in ("obs/joint_pos", "obs/robot0_eef_quat, obs/mine"):
        found = open_source(path, SourceOptions(action="commands", state=state)).read("demo_0")
        with pytest.raises(InputError, match="not the robot's pose"):
            to_episode(found, spec, rule)


@pytest.mark.parametrize(
    ("write", "why"),
    [(write_robomimic, "the whole simulator's state"), (write_act, "positions of the joints")],
)
def test_usual_states_of_these_layouts_are_no_pose(write: object, why: str, tmp_path: Path) -> None:
    write(tmp_path, recordings(1))  # type: ignore[operator]
    source = open_source(tmp_path)
    with pytest.raises(InputError, match=f"not the robot's pose .*{why}"):
        to_episode(
            source.read(source.listing()[0].name), convention("bridge_v2"), TimeRule(relabel=True)
        )


def test_a_broken_file_leaves_the_others_readable(tmp_path: Path) -> None:
    write_act(tmp_path, recordings(2))
    (tmp_path / "episode_0.hdf5").write_text("version https://git-lfs.github.com/spec/v1\n")
    source = open_source(tmp_path)
    assert len(source.read("episode_1").frames) == 7
    with pytest.raises(InputError, match="git lfs pull"):
        source.read("episode_0")
