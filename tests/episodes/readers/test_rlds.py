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
from worldgym.errors import InputError

NAME = "bridge_dataset-train.tfrecord-00000-of-00001"


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_layouts_name_conventions_of_their_size(name: str) -> None:
    layout = LAYOUTS[name]
    parts = {"world_vector": 3, "rotation_delta": 3, "gripper_closedness_action": 1, "open_gripper": 1}
    sizes = [parts.get(key.removeprefix("action/"), 0) for key in layout.actions]
    assert 0 in sizes or sum(sizes) == convention(layout.convention).size


def test_actions_in_parts_are_joined(tmp_path: Path) -> None:
    """As RT-1 has them."""
    episode = recordings(1)[0]
    write_rlds(tmp_path, [episode], "fractal20220817_data")
    features = {key: value for key, value in rlds_features(episode).items() if key != "steps/action"}
    features["steps/action/world_vector"] = episode.actions[:, :3].ravel()
    features["steps/action/rotation_delta"] = episode.actions[:, 3:6].ravel()
    features["steps/action/gripper_closedness_action"] = episode.actions[:, 6].ravel()
    codes = np.frombuffer(b"push it".ljust(12, b"\0"), np.uint8).astype(np.int64)
    del features["steps/language_instruction"]
    features["steps/observation/instruction"] = np.tile(codes, len(episode.frames))
    (tmp_path / "fractal20220817_data-train.tfrecord-00000-of-00001").write_bytes(record(example(features)))
    source = RldsSource(tmp_path)
    found = source.read("train-00000-00000")
    assert source.spec == convention("rt_1") and found.instruction.startswith("push it")
    np.testing.assert_allclose(found.actions, episode.actions, atol=1e-6)


def test_an_unknown_set_with_actions_in_parts_is_refused(tmp_path: Path) -> None:
    episode = recordings(1)[0]
    write_rlds(tmp_path, [episode], "unheard_of")
    features = {key.replace("steps/action", "steps/action/left"): value for key, value in rlds_features(episode).items()}
    (tmp_path / "unheard_of-train.tfrecord-00000-of-00001").write_bytes(record(example(features)))
    with pytest.raises(
        InputError, match="has no steps/action; it holds action/left; name those that are the action with --action"
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
    with pytest.raises(InputError, match=r"has no steps/observation/image_0, though features\.json lists it"):
        RldsSource(tmp_path).read("train-00000-00000")
    features = rlds_features(recordings(1)[0]) | {"steps/action": np.zeros(8)}
    (tmp_path / NAME).write_bytes(record(example(features)))
    with pytest.raises(InputError, match="steps/action holds 8 values for 6 frames"):
        RldsSource(tmp_path).read("train-00000-00000")
