"""Layouts of the Open X sets, texts in characters, and metadata that promise what is not there."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from synthetic_sets import example, record, recordings, rlds_features, write_rlds

from worldgym.actions.conventions import convention
from worldgym.episodes.readers.rlds import RldsSource
from worldgym.episodes.readers.rlds_layouts import LAYOUTS
from worldgym.episodes.recording import SourceOptions
from worldgym.episodes.sources import open_source
from worldgym.episodes.time_rule import TimeRule, to_episode
from worldgym.errors import InputError

EPISODE = "train-00000-00000"
NAME = "bridge_dataset-train.tfrecord-00000-of-00001"


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_layouts_name_conventions_of_their_size(name: str) -> None:
    layout = LAYOUTS[name]
    parts = {
        "world_vector": 3,
        "rotation_delta": 3,
        "gripper_closedness_action": 1,
        "open_gripper": 1,
    }
    sizes = [parts.get(key.removeprefix("action/"), 0) for key in layout.actions]
    assert 0 in sizes or sum(sizes) == convention(layout.convention).size


def test_actions_in_parts_are_joined(tmp_path: Path) -> None:
    """As RT-1 has them."""
    episode = recordings(1)[0]
    write_rlds(tmp_path, [episode], "fractal20220817_data")
    features = {
        key: value for key, value in rlds_features(episode).items() if key != "steps/action"
    }
    features["steps/action/world_vector"] = episode.actions[:, :3].ravel()
    features["steps/action/rotation_delta"] = episode.actions[:, 3:6].ravel()
    features["steps/action/gripper_closedness_action"] = episode.actions[:, 6].ravel()
    codes = np.frombuffer(b"push it".ljust(12, b"\0"), np.uint8).astype(np.int64)
    del features["steps/language_instruction"]
    features["steps/observation/instruction"] = np.tile(codes, len(episode.frames))
    (tmp_path / "fractal20220817_data-train.tfrecord-00000-of-00001").write_bytes(
        record(example(features))
    )
    source = RldsSource(tmp_path)
    found = source.read("train-00000-00000")
    assert source.spec == convention("rt_1") and found.instruction.startswith("push it")
    np.testing.assert_allclose(found.actions, episode.actions, atol=1e-6)


def test_an_unknown_set_with_actions_in_parts_is_refused(tmp_path: Path) -> None:
    episode = recordings(1)[0]
    write_rlds(tmp_path, [episode], "unheard_of")
    features = {
        key.replace("steps/action", "steps/action/left"): value
        for key, value in rlds_features(episode).items()
    }
    (tmp_path / "unheard_of-train.tfrecord-00000-of-00001").write_bytes(record(example(features)))
    with pytest.raises(
        InputError,
        match=(
            "has no steps/action; it holds action/left; name those that are the action with "
            "--action"
        ),
    ):
        RldsSource(tmp_path).read("train-00000-00000")


def test_missing_shards_and_episodes_are_named(tmp_path: Path) -> None:
    write_rlds(tmp_path, recordings(2))
    info = json.loads((tmp_path / "dataset_info.json").read_text())
    info["splits"][0]["shardLengths"] = ["3", "1"]
    (tmp_path / "dataset_info.json").write_text(json.dumps(info))
    source = RldsSource(tmp_path)
    assert len(source.listing()) == 4
    with pytest.raises(InputError, match=r"holds 2 records, fewer than dataset_info\.json says"):
        source.read("train-00000-00002")
    with pytest.raises(InputError, match=r"train\.tfrecord-00001-of-\?\?\?\?\?: cannot be read"):
        source.read("train-00001-00000")


def test_a_record_of_another_set_is_refused(tmp_path: Path) -> None:
    write_rlds(tmp_path, recordings(1))
    (tmp_path / NAME).write_bytes(record(example({"steps/action": np.zeros(7)})))
    with pytest.raises(
        InputError, match=r"has no steps/observation/image_0, though features\.json lists it"
    ):
        RldsSource(tmp_path).read("train-00000-00000")
    features = rlds_features(recordings(1)[0]) | {"steps/action": np.zeros(8)}
    (tmp_path / NAME).write_bytes(record(example(features)))
    with pytest.raises(InputError, match="steps/action holds 8 values for 6 frames"):
        RldsSource(tmp_path).read("train-00000-00000")


def rewritten(
    root: Path, changes: dict[str, object], name: str = "my_robot", **described: object
) -> Path:
    """A set of one episode whose record has other features; described: features of a step besides
    the usual ones."""
    write_rlds(root, recordings(1), name)
    features = {
        key: value
        for key, value in (rlds_features(recordings(1)[0]) | changes).items()
        if value is not None
    }
    (root / f"{name}-train.tfrecord-00000-of-00001").write_bytes(record(example(features)))
    tree = json.loads((root / "features.json").read_text())
    steps = tree["featuresDict"]["features"]["steps"]["sequence"]["feature"]["featuresDict"][
        "features"
    ]
    observation = steps["observation"]["featuresDict"]["features"]
    for key, feature in described.items():
        (observation if key in ("image_0", "image_1", "state", "depth") else steps)[key] = feature
    (root / "features.json").write_text(json.dumps(tree))
    return root


def test_another_file_format_gets_one_sentence(tmp_path: Path) -> None:
    write_rlds(tmp_path, recordings(1))
    info = json.loads((tmp_path / "dataset_info.json").read_text())
    (tmp_path / "dataset_info.json").write_text(json.dumps({**info, "fileFormat": "array_record"}))
    with pytest.raises(
        InputError,
        match=(
            r"its shards are array_record files, and only tfrecord is read; .* tfds "
            r"convert_format"
        ),
    ):
        RldsSource(tmp_path)


def test_instructions_of_steps_and_wordings(tmp_path: Path) -> None:
    steps = [b"pick"] * 2 + [b"place"] * 4
    root = rewritten(
        tmp_path,
        {"steps/language_instruction": steps, "steps/language_instruction_2": [b"lift"] * 6},
    )
    found = RldsSource(root).read(EPISODE)
    assert found.instruction == "pick, then place" and found.facts.wordings == ("lift",)
    split = open_source(root, SourceOptions(subtasks="split"))
    assert [(listed.name, split.read(listed.name).instruction) for listed in split.listing()] == [
        (f"{EPISODE}-1", "pick"),
        (f"{EPISODE}-2", "place"),
    ]
    root = rewritten(
        tmp_path,
        {"steps/language_instruction": [b""] * 6, "steps/language_instruction_2": [b"lift"] * 6},
    )
    # as DROID leaves the first one empty
    assert RldsSource(root).read(EPISODE).instruction == "lift"
    root = rewritten(
        tmp_path,
        {f"steps/language_instruction{i}": [i.encode() or b"1"] * 6 for i in ("", "_2", "_3")},
    )
    assert [
        RldsSource(root, SourceOptions(wording=i)).read(EPISODE).instruction for i in (1, 2, 3)
    ] == ["1", "_2", "_3"]
    root = rewritten(tmp_path, {"steps/language_instruction": None})
    assert RldsSource(root, SourceOptions(instruction="go")).read(EPISODE).instruction == "go"


def test_depth_is_no_default(tmp_path: Path) -> None:
    image = {"image": {"shape": {"dimensions": ["32", "32", "1"]}, "dtype": "uint16"}}
    source = RldsSource(rewritten(tmp_path, {}, image_0=image))
    assert source.camera == "image_1" and source.cameras == ("image_0", "image_1")
    assert RldsSource(tmp_path, SourceOptions(camera="image_0")).read(EPISODE).facts.depth


def test_keys_are_named_by_hand(tmp_path: Path) -> None:
    truth = recordings(1)[0]
    changes = {
        "steps/action": None,
        "steps/act/arm": truth.actions[:, :6].ravel(),
        "steps/act/hand": truth.actions[:, 6].ravel(),
    }
    tensor = {"tensor": {"shape": {"dimensions": ["6"]}, "dtype": "float32"}}
    act = {"featuresDict": {"features": {"arm": tensor, "hand": tensor}}}
    root = rewritten(tmp_path, changes, act=act)
    with pytest.raises(
        InputError,
        match=(
            "has no steps/action; it holds no action; name those that are the action with --action"
        ),
    ):
        RldsSource(root).read(EPISODE)
    with pytest.raises(
        InputError,
        match='has no action "leg"; --action names one of act/arm, act/hand, action, state',
    ):
        RldsSource(root, SourceOptions(action="leg"))
    found = RldsSource(
        root, SourceOptions(action="act/arm,act/hand", state="observation/state")
    ).read(EPISODE)
    np.testing.assert_allclose(found.actions, truth.actions, atol=1e-6)
    np.testing.assert_allclose(np.asarray(found.states), np.asarray(truth.states), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "text", "pose"),
    [
        ("my_robot", "Robot state: 7x joint angles", False),
        ("bridge_dataset", "", True),
    ],
)
def test_states_that_are_described_as_joints_are_no_pose(
    name: str, text: str, pose: bool, tmp_path: Path
) -> None:
    state = {"tensor": {"shape": {"dimensions": ["7"]}, "dtype": "float32"}, "description": text}
    source = RldsSource(
        rewritten(tmp_path, {}, name, state=state), SourceOptions(convention="bridge_v2")
    )
    found = source.read(EPISODE)
    if pose:
        assert len(to_episode(found, convention("bridge_v2"), TimeRule(relabel=True))) == 5
        return
    with pytest.raises(
        InputError, match=r'features\.json describes them as "Robot state: 7x joint angles"'
    ):
        to_episode(found, convention("bridge_v2"), TimeRule(relabel=True))


def test_a_git_lfs_pointer_is_called_so(tmp_path: Path) -> None:
    write_rlds(tmp_path, recordings(1))
    (tmp_path / NAME).write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n"
    )
    with pytest.raises(InputError, match="git lfs pull"):
        RldsSource(tmp_path).read(EPISODE)
