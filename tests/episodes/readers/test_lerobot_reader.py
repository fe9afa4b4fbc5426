"""What the common tests of all readers do not reach: images in tables, versions, damaged lists."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from synthetic_sets import FPS, SUBTASKS, film, recordings, write_lerobot_v2, write_lerobot_v3

from worldgym.actions.conventions import convention
from worldgym.episodes.readers.lerobot_reader import LeRobotSource
from worldgym.episodes.recording import SourceOptions
from worldgym.episodes.sources import open_source
from worldgym.episodes.time_rule import TimeRule, to_episode
from worldgym.errors import InputError

pa = pytest.importorskip("pyarrow", reason="the extra [data] is not installed")
from pyarrow import parquet  # noqa: E402


def change_info(root: Path, **changes: object) -> None:
    path = root / "meta" / "info.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_images_in_the_table_are_exact(tmp_path: Path) -> None:
    episode = recordings(1)[0]
    write_lerobot_v2(tmp_path, [episode])
    info = json.loads((tmp_path / "meta" / "info.json").read_text())
    change_info(
        tmp_path,
        features=info["features"] | {"observation.image": {"dtype": "image", "shape": [32, 32, 3]}},
    )
    path = tmp_path / "data" / "chunk-000" / "episode_000000.parquet"
    cells = []
    for frame in episode.frames:
        buffer = io.BytesIO()
        Image.fromarray(frame).save(buffer, "PNG")
        cells.append({"bytes": buffer.getvalue(), "path": None})
    parquet.write_table(
        parquet.read_table(path).append_column("observation.image", pa.array(cells)), path
    )
    options = SourceOptions(camera="observation.image")
    np.testing.assert_array_equal(
        LeRobotSource(tmp_path, options).read("episode_000000").frames, episode.frames
    )


def test_frames_of_a_shared_video_are_found_by_their_time(tmp_path: Path) -> None:
    """Fine enough to tell a frame from its neighbours."""
    episodes = recordings(4)
    write_lerobot_v3(tmp_path, episodes, codec="libx264")
    source = LeRobotSource(tmp_path)
    for i, episode in enumerate(episodes):
        found = source.read(f"episode_{i:06d}").frames.astype(int)
        distance = np.abs(found[:, None] - episode.frames[None].astype(int)).mean(axis=(2, 3, 4))
        same = np.array([[np.array_equal(a, b) for b in episode.frames] for a in episode.frames])
        assert all(same[t, row.argmin()] for t, row in enumerate(distance))


def films(root: Path) -> list[Path]:
    """The front camera's video files."""
    return sorted(path for path in root.rglob("*.mp4") if "front" in str(path))


@pytest.mark.parametrize("case", ["late", "jitter", "slow", "fast"])
@pytest.mark.parametrize("write", [write_lerobot_v2, write_lerobot_v3])
def test_where_frames_and_rows_are_equally_many_the_clock_of_the_video_does_not_matter(
    write: Callable[..., None], case: str, tmp_path: Path
) -> None:
    episodes = recordings(2)
    write(tmp_path, episodes)
    seen = [episode.frames for episode in episodes]
    for path, frames in zip(
        films(tmp_path), seen if len(films(tmp_path)) > 1 else [np.concatenate(seen)], strict=True
    ):
        times = np.arange(len(frames)) / FPS * {"slow": 1.3, "fast": 0.7}.get(case, 1.0)
        if case == "late":
            times = times + 0.2
        if case == "jitter":
            times = times + 0.08 * np.sin(np.arange(len(frames)) * 2.0) + 0.1
        path.write_bytes(film(frames, times=times.tolist()))
    source = LeRobotSource(tmp_path)
    for i, episode in enumerate(episodes):
        found = source.read(f"episode_{i:06d}")
        assert np.abs(found.frames.astype(int) - episode.frames).mean() < 6.0 and found.fps == FPS
        assert found.facts.times is not None and len(found.facts.times) == len(episode.frames)
        said = " ".join(found.facts.contradictions)
        assert ("the metadata say 5: the metadata are used" in said) == (case in ("slow", "fast"))


def test_frames_that_are_fewer_than_rows_are_found_by_time_or_refused(tmp_path: Path) -> None:
    episodes = recordings(2)
    write_lerobot_v3(tmp_path, episodes, codec="libx264")
    (path,) = films(tmp_path)
    frames = np.concatenate([episode.frames for episode in episodes])
    path.write_bytes(film(frames[:-1]))
    source = LeRobotSource(tmp_path)
    assert (
        np.abs(source.read("episode_000000").frames.astype(int) - episodes[0].frames).mean() < 6.0
    )
    for late in (0.0, 0.2):  # a file that begins one frame late has lost one at either end
        path.write_bytes(
            film(frames[:-1], times=(late + np.arange(len(frames) - 1) / FPS).tolist())
        )
        source = LeRobotSource(tmp_path)
        with pytest.raises(
            InputError,
            match=r"file-000\.mp4: 12 frames, but the tables have 13, and none at the times of",
        ):
            source.read("episode_000001")


@pytest.mark.parametrize("write", [write_lerobot_v2, write_lerobot_v3])
def test_subtasks_are_read_from_the_rows(write: Callable[..., None], tmp_path: Path) -> None:
    write(tmp_path, recordings(2), subtasks=True)
    for rule, said in (
        ("join", ", then ".join(SUBTASKS)),
        ("first", SUBTASKS[0]),
        ("last", SUBTASKS[1]),
    ):
        found = open_source(tmp_path, SourceOptions(subtasks=rule)).read("episode_000000")
        assert (
            found.instruction == said
            and found.facts.texts == (SUBTASKS[0],) * 3 + (SUBTASKS[1],) * 3
        )
        assert "the instruction changes within the episode" in found.facts.notes[0]
    source, whole = open_source(tmp_path, SourceOptions(subtasks="split")), recordings(2)[1]
    assert [(listed.name, listed.frames) for listed in source.listing()][2:] == [
        ("episode_000001-1", 4),
        ("episode_000001-2", 4),
    ]
    first, last = (source.read(f"episode_000001-{i}") for i in (1, 2))
    assert (first.instruction, last.instruction, first.success, last.success) == (
        *SUBTASKS,
        None,
        True,
    )
    np.testing.assert_array_equal(np.concatenate([first.actions, last.actions]), whole.actions)
    assert (
        len(first.frames) == 4
        and np.array_equal(first.frames[-1], last.frames[0])
        and not first.facts.notes
    )
    with pytest.raises(InputError, match="no episode"):
        source.read("episode_000001-3")


def test_subtasks_of_which_no_file_says_where_they_begin(tmp_path: Path) -> None:
    write_lerobot_v2(tmp_path, recordings(1), subtasks=True)
    (tmp_path / "meta" / "tasks.jsonl").unlink()
    source = open_source(tmp_path, SourceOptions(subtasks="split"))
    assert [listed.name for listed in source.listing()] == ["episode_000000"]
    found = source.read("episode_000000")
    assert set(found.instruction.split(", then ")) == set(SUBTASKS)
    assert "no file says where each begins: all are joined" in found.facts.notes[0]


@pytest.mark.parametrize("name", ["tasks.parquet", "file-000.parquet"])
def test_texts_that_are_no_utf_8_get_one_sentence(name: str, tmp_path: Path) -> None:
    write_lerobot_v3(tmp_path, recordings(1), codec="libx264", subtasks=True)
    (path,) = (path for path in tmp_path.rglob(name) if "episodes" not in str(path))
    table = parquet.read_table(path)
    broken = pa.Array.from_buffers(
        pa.string(), len(table), pa.array([b"\xff\xf4"] * len(table), pa.binary()).buffers()
    )
    key = "task" if name == "tasks.parquet" else "language_instruction"
    parquet.write_table(table.append_column(key, broken), path)
    with pytest.raises(InputError, match=rf"{name}: not a readable table \(.*UTF"):
        LeRobotSource(tmp_path).read("episode_000000")


def test_wordings_in_columns(tmp_path: Path) -> None:
    write_lerobot_v2(tmp_path, recordings(1))
    path = tmp_path / "data" / "chunk-000" / "episode_000000.parquet"
    table = parquet.read_table(path)
    parquet.write_table(
        table.append_column("language_instruction_2", pa.array(["shove it"] * len(table))), path
    )
    assert LeRobotSource(tmp_path).read("episode_000000").facts.wordings == (
        "push the square 0",
        "shove it",
    )
    assert (
        LeRobotSource(tmp_path, SourceOptions(wording=2)).read("episode_000000").instruction
        == "shove it"
    )


@pytest.mark.parametrize(
    "mark",
    [
        {"info": {"video.is_depth_map": True}},
        {"video_info": {"video.is_depth_map": True}},
        {"shape": [32, 32, 1]},
    ],
)
def test_depth_is_never_the_default_camera(mark: dict[str, object], tmp_path: Path) -> None:
    write_lerobot_v2(tmp_path, recordings(1))
    features = json.loads((tmp_path / "meta" / "info.json").read_text())["features"]
    front, wrist = "observation.images.front", "observation.images.wrist"
    change_info(tmp_path, features=features | {front: features[front] | mark})
    assert LeRobotSource(tmp_path).camera == wrist and LeRobotSource(tmp_path).cameras == (
        front,
        wrist,
    )
    assert LeRobotSource(tmp_path, SourceOptions(camera=front)).read("episode_000000").facts.depth
    change_info(tmp_path, features={"action": features["action"], front: features[front] | mark})
    with pytest.raises(InputError, match=r"holds only depth maps .* name one with --camera"):
        LeRobotSource(tmp_path)


def test_keys_of_other_names_are_found_or_named(tmp_path: Path) -> None:
    write_lerobot_v2(tmp_path, recordings(1))
    features = json.loads((tmp_path / "meta" / "info.json").read_text())["features"]
    path = tmp_path / "data" / "chunk-000" / "episode_000000.parquet"
    table, truth = parquet.read_table(path), recordings(1)[0]

    def renamed(action: str, state: str) -> None:
        names = {"action": action, "observation.state": state}
        parquet.write_table(
            table.rename_columns([names.get(name, name) for name in table.column_names]), path
        )
        change_info(
            tmp_path, features={names.get(key, key): value for key, value in features.items()}
        )

    renamed("actions", "state")  # as openpi's own sets
    np.testing.assert_array_equal(
        LeRobotSource(tmp_path).read("episode_000000").actions, truth.actions
    )
    renamed("arm", "body")
    with pytest.raises(
        InputError,
        match=(
            r"lists no feature called action or actions; name the one .* with --action: arm, "
            r"body"
        ),
    ):
        LeRobotSource(tmp_path)
    with pytest.raises(InputError, match='has no feature "leg"; --state names one of arm, body'):
        LeRobotSource(tmp_path, SourceOptions(action="arm", state="leg"))
    found = LeRobotSource(tmp_path, SourceOptions(action="arm", state="body, arm")).read(
        "episode_000000"
    )
    np.testing.assert_array_equal(found.actions, truth.actions)
    np.testing.assert_array_equal(
        np.asarray(found.states), np.hstack([np.asarray(truth.states), truth.actions])
    )


@pytest.mark.parametrize(
    "names", [["joint_0", "joint_1", "joint_2", "joint_3", "joint_4", "joint_5", "gripper"], None]
)
@pytest.mark.parametrize("form", ["list", "motors"])
def test_names_of_states_are_held_against_relabelling(
    names: list[str] | None, form: str, tmp_path: Path
) -> None:
    write_lerobot_v2(tmp_path, recordings(1))
    features = json.loads((tmp_path / "meta" / "info.json").read_text())["features"]
    written = {"motors": names} if form == "motors" and names else names
    named = features["observation.state"] | {"names": written}
    change_info(tmp_path, features=features | {"observation.state": named, "action": named})
    found = LeRobotSource(tmp_path, SourceOptions(convention="bridge_v2")).read("episode_000000")
    spec = convention("bridge_v2")
    if not names:
        with pytest.raises(
            InputError, match="nothing says whether its states are the robot's pose"
        ):
            to_episode(found, spec, TimeRule(relabel=True))
        return
    with pytest.raises(
        InputError, match=r"not the robot's pose \(its numbers are named joint_0, joint_1"
    ):
        to_episode(found, spec, TimeRule(relabel=True))
    assert (
        "info.json speaks against the convention: of the action its numbers are named joint_0"
        in found.facts.contradictions[0]
    )


def test_version_2_0_is_read(tmp_path: Path) -> None:
    write_lerobot_v2(tmp_path, recordings(1))
    change_info(tmp_path, codebase_version="v2.0")
    source = LeRobotSource(tmp_path)
    assert source.kind == "lerobot v2.0" and len(source.read("episode_000000").frames) == 6


@pytest.mark.parametrize("end", [".mp4", ".parquet", "episodes.jsonl", "info.json"])
def test_a_git_lfs_pointer_is_called_so(end: str, tmp_path: Path) -> None:
    write_lerobot_v2(tmp_path, recordings(1))
    for path in [path for path in tmp_path.rglob("*") if path.name.endswith(end)]:
        path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n")
    with pytest.raises(InputError, match=r"pointer to the file .* git lfs pull"):
        LeRobotSource(tmp_path).read("episode_000000")


def test_rows_without_their_order_are_refused(tmp_path: Path) -> None:
    write_lerobot_v2(tmp_path, recordings(1))
    path = tmp_path / "data" / "chunk-000" / "episode_000000.parquet"
    parquet.write_table(parquet.read_table(path).drop_columns("frame_index"), path)
    with pytest.raises(InputError, match=r"not a readable table .*frame_index.*download it again"):
        LeRobotSource(tmp_path).read("episode_000000")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"codebase_version": "v1.6"}, 'LeRobot format "v1.6"; convert it to v3.0'),
        ({"features": {}}, "lists no feature called action"),
        ({"fps": 0}, "fps is 0; it should lie between"),
        ({"features": {"action": {}}}, "holds no camera"),
        (
            {"worldgym": {"action_spec": {"names": 3}}},
            r'"worldgym.action_spec.mode" is missing; name a convention',
        ),
    ],
)
def test_wrong_metadata_get_one_sentence(
    tmp_path: Path, changes: dict[str, object], said: str
) -> None:
    write_lerobot_v2(tmp_path, recordings(1))
    change_info(tmp_path, **changes)
    with pytest.raises(InputError, match=said):
        LeRobotSource(tmp_path)


def test_a_list_of_episodes_that_lies_is_refused(tmp_path: Path) -> None:
    write_lerobot_v2(tmp_path, recordings(1))
    (tmp_path / "meta" / "episodes.jsonl").write_text(
        '{"episode_index": 0, "tasks": [], "length": 9}\n'
    )
    with pytest.raises(InputError, match="6 rows of episode 0, which has 9"):
        LeRobotSource(tmp_path).read("episode_000000")
    (tmp_path / "meta" / "episodes.jsonl").write_text('{"episode_index": 0}\n')
    with pytest.raises(InputError, match=r"episodes\.jsonl: not a list of episodes"):
        LeRobotSource(tmp_path)
