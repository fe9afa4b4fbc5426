"""Conversion keeps what matters, leaves out what is broken by name, resumes a store, and writes
LeRobot whole or not at all."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from synthetic_sets import WRITERS, recordings, write_droid, write_lerobot_v2, write_mp4_npz

from worldgym.actions.embodiment import NO_REACH, Reach
from worldgym.episodes.conversion import ConvertRequest, convert_dataset
from worldgym.episodes.frame_cache import frame_cache
from worldgym.episodes.recording import SourceOptions
from worldgym.episodes.sources import open_source
from worldgym.episodes.store import EpisodeStore
from worldgym.episodes.time_rule import TimeRule, to_episode
from worldgym.errors import InputError
from worldgym.testing import FAKE_SPEC
from worldgym.types import Episode

pytest.importorskip("pyarrow", reason="the extra [data] is not installed")

BRIDGE = SourceOptions(convention="bridge_v2")
STATED = SourceOptions(convention="bridge_v2", fps=5.0)  # the clips' files say 20


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three mp4 + npz episodes: test-000, train-001, train-002. Shared: do not write to it."""
    root = tmp_path_factory.mktemp("clips")
    write_mp4_npz(root, recordings())
    return root


@pytest.mark.parametrize("kind", sorted(WRITERS))
def test_every_format_becomes_a_store_that_training_reads(kind: str, tmp_path: Path) -> None:
    WRITERS[kind](tmp_path / "in", recordings())
    options = SourceOptions(convention="droid_delta" if kind == "droid" else "bridge_v2")
    done = convert_dataset(ConvertRequest(tmp_path / "in", tmp_path / "store", options=options))
    assert len(done.written) == 3 and not done.skipped
    cache = frame_cache(EpisodeStore(tmp_path / "store"))
    assert cache.pixels.shape == (6 + 7 + 8, 32, 32, 3)
    np.testing.assert_allclose(
        cache.episode(cache.names[0]).actions, recordings(1)[0].actions[:-1], atol=1e-6
    )


def test_a_store_lies_outside_its_dataset(tmp_path: Path) -> None:
    """Its videos would be read as recordings the next time."""
    write_mp4_npz(tmp_path, recordings())
    with pytest.raises(InputError, match="lies inside the input"):
        convert_dataset(ConvertRequest(tmp_path, tmp_path / "store", options=BRIDGE))


def test_a_second_start_measures_by_what_the_store_holds(tmp_path: Path) -> None:
    """Not by the first episode that it happens to write, which the first start left out."""
    first, other, last = recordings()
    large = replace(other, frames=other.frames.repeat(2, 1).repeat(2, 2))
    write_mp4_npz(tmp_path / "clips", [first, large, last])
    for written in (["test-000", "train-002"], []):
        done = convert_dataset(ConvertRequest(tmp_path / "clips", tmp_path / "out", options=BRIDGE))
        assert done.written == written
        assert "64x64" in done.skipped["train-001"] and "32x32" in done.skipped["train-001"]
    assert len(frame_cache(EpisodeStore(tmp_path / "out")).names) == 2


@pytest.mark.parametrize("changed", [False, True])
def test_a_copy_of_a_store_keeps_the_robots_reach(tmp_path: Path, changed: bool) -> None:
    """Unless actions are others, and their sums with them."""
    reach = Reach((((-5.0,) * 3, (5.0,) * 3),))
    store = EpisodeStore.create(tmp_path / "in", FAKE_SPEC, 20.0, reach)
    frames, actions = np.zeros((5, 1, 16, 16, 3), np.uint8), np.full((4, 3), 0.1, np.float32)
    store.write("e", Episode(frames, actions, "go", FAKE_SPEC, 20.0, True, "", {}))
    rule = TimeRule(drop_first=changed)
    convert_dataset(ConvertRequest(tmp_path / "in", tmp_path / "out", rule=rule))
    assert EpisodeStore(tmp_path / "out").reach == (NO_REACH if changed else reach)


def test_a_store_is_resumed_and_measured(clips: Path, tmp_path: Path) -> None:
    first = convert_dataset(ConvertRequest(clips, tmp_path / "store", options=BRIDGE, limit=2))
    again = convert_dataset(ConvertRequest(clips, tmp_path / "store", options=BRIDGE))
    assert (first.written, again.kept, again.written) == (
        ["test-000", "train-001"],
        ["test-000", "train-001"],
        ["train-002"],
    )
    statistics = json.loads((tmp_path / "store" / "statistics.json").read_text())
    actions = np.concatenate(
        [to_episode(r, EpisodeStore(tmp_path / "store").spec).actions for r in recordings()]
    )
    assert (statistics["episodes"], statistics["actions"], statistics["names"][0]) == (
        3,
        5 + 6 + 7,
        "x",
    )
    np.testing.assert_allclose(statistics["mean"], actions.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(statistics["std"], actions.std(axis=0), atol=1e-6)
    np.testing.assert_allclose(statistics["q99"], np.quantile(actions, 0.99, axis=0), atol=1e-6)


def test_actions_change_convention_and_time(clips: Path, tmp_path: Path) -> None:
    request = ConvertRequest(
        clips,
        tmp_path / "store",
        options=BRIDGE,
        rule=TimeRule(drop_first=True),
        target="released_10",
    )
    convert_dataset(request)
    episode = EpisodeStore(tmp_path / "store")["test-000"]
    raw = recordings(1)[0].actions[1:5]
    np.testing.assert_allclose(episode.actions[:, :3], raw[:, :3] * 35, atol=1e-5)
    np.testing.assert_allclose(episode.actions[:, 6], 1 - 2 * raw[:, 6], atol=1e-6)
    assert episode.spec.size == 10 and len(episode.frames) == 5


def test_lerobot_there_and_back(clips: Path, tmp_path: Path) -> None:
    convert_dataset(ConvertRequest(clips, tmp_path / "store", options=BRIDGE))
    convert_dataset(ConvertRequest(tmp_path / "store", tmp_path / "lerobot", to="lerobot"))
    source, store = open_source(tmp_path / "lerobot"), EpisodeStore(tmp_path / "store")
    assert source.spec == store.spec and [listed.frames for listed in source.listing()] == [6, 7, 8]
    for listed, info in zip(source.listing(), store, strict=True):
        back, truth = to_episode(source.read(listed.name), store.spec), store[info.name]
        np.testing.assert_array_equal(back.actions, truth.actions)
        # h264 with halved colour
        assert np.abs(back.main.astype(int) - truth.main).mean() < 3.0
        assert (back.instruction, back.success, back.fps) == (
            truth.instruction,
            truth.success,
            truth.fps,
        )
    assert not list(tmp_path.glob(".lerobot*"))


def test_the_lerobot_tables_are_as_lerobot_reads_them(tmp_path: Path) -> None:
    from pyarrow import parquet

    write_droid(tmp_path / "in", recordings())
    convert_dataset(ConvertRequest(tmp_path / "in", tmp_path / "out", to="lerobot"))
    info = json.loads((tmp_path / "out" / "meta" / "info.json").read_text())
    assert (
        info["codebase_version"],
        info["total_episodes"],
        info["total_frames"],
        info["fps"],
    ) == ("v3.0", 3, 21, 5)
    rows = parquet.read_table(tmp_path / "out" / "data" / "chunk-000" / "file-000.parquet")
    assert (
        rows["index"].to_pylist() == list(range(21))
        and rows.schema.field("action").type.list_size == 8
    )
    assert rows["timestamp"].to_pylist()[:3] == pytest.approx([0.0, 0.2, 0.4])
    assert set(rows.column_names) == set(info["features"]) - {"observation.images.main"}
    tasks = parquet.read_table(tmp_path / "out" / "meta" / "tasks.parquet")
    assert json.loads(tasks.schema.metadata[b"pandas"])["index_columns"] == ["task"]
    assert tasks.to_pylist() == [
        {"task_index": i, "task": f"push the square {i}"} for i in range(2)
    ]
    episodes = parquet.read_table(
        tmp_path / "out" / "meta" / "episodes" / "chunk-000" / "file-000.parquet"
    ).to_pylist()
    assert [row["success"] for row in episodes] == [False, True, False]
    assert [(row["dataset_from_index"], row["dataset_to_index"]) for row in episodes] == [
        (0, 6),
        (6, 13),
        (13, 21),
    ]
    key = "videos/observation.images.main"
    assert [row[f"{key}/from_timestamp"] for row in episodes] == pytest.approx([0.0, 1.2, 2.6])
    stats = json.loads((tmp_path / "out" / "meta" / "stats.json").read_text())
    assert np.shape(stats["observation.images.main"]["mean"]) == (3, 1, 1) and np.shape(
        stats["action"]["q99"]
    ) == (8,)


def test_a_broken_episode_is_left_out_by_name_or_stops_it(tmp_path: Path) -> None:
    write_mp4_npz(tmp_path / "in", recordings())
    (tmp_path / "in" / "train" / "001.npz").write_bytes(b"PK")
    done = convert_dataset(ConvertRequest(tmp_path / "in", tmp_path / "store", options=BRIDGE))
    assert (
        done.written == ["test-000", "train-002"]
        and "001.npz: not a readable npz file" in done.skipped["train-001"]
    )
    with pytest.raises(InputError, match=r"001\.npz"):
        convert_dataset(
            ConvertRequest(
                tmp_path / "in", tmp_path / "out", to="lerobot", options=STATED, strict=True
            )
        )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "store"]


def test_episodes_of_another_size_are_left_out(tmp_path: Path) -> None:
    write_mp4_npz(tmp_path / "in", recordings(2))
    other = recordings(1)[0]
    write_lerobot_v2(tmp_path / "x", [other])
    from worldgym.io.video import encode_mp4

    (tmp_path / "in" / "train" / "001.mp4").write_bytes(
        encode_mp4(recordings(2)[1].frames[:, ::2, ::2], 5.0)
    )
    done = convert_dataset(ConvertRequest(tmp_path / "in", tmp_path / "store", options=BRIDGE))
    assert "16x16 at 5 Hz, but the others are 32x32" in done.skipped["train-001"]
    assert not convert_dataset(
        ConvertRequest(
            tmp_path / "in",
            tmp_path / "other",
            options=SourceOptions(convention="bridge_v2", size=(16, 16)),
        )
    ).skipped


def test_what_cannot_be_converted_gets_one_sentence(clips: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="its files do not say what the actions mean"):
        convert_dataset(ConvertRequest(clips, tmp_path / "a"))
    with pytest.raises(InputError, match='no format "zarr" to write'):
        convert_dataset(ConvertRequest(clips, tmp_path / "a", to="zarr", options=BRIDGE))
    with pytest.raises(InputError, match=r"no episode could be converted .*the convention has 4"):
        convert_dataset(
            ConvertRequest(clips, tmp_path / "a", options=SourceOptions(convention="metaworld"))
        )
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(InputError, match="exists and is not empty"):
        convert_dataset(
            ConvertRequest(clips, tmp_path / "full", to="lerobot", options=STATED, strict=True)
        )
    assert not (tmp_path / "a").exists()


def test_an_episode_cannot_name_a_file_elsewhere(tmp_path: Path, clips: Path) -> None:
    (tmp_path / "in").mkdir()
    for kind in ("mp4", "npz"):
        (tmp_path / "in" / f"a b;c.{kind}").write_bytes(
            (clips / "test" / f"000.{kind}").read_bytes()
        )
    convert_dataset(ConvertRequest(tmp_path / "in", tmp_path / "store", options=BRIDGE))
    assert [info.name for info in EpisodeStore(tmp_path / "store")] == ["a_b_c"]


def test_episodes_whose_names_fall_together_are_all_kept(tmp_path: Path, clips: Path) -> None:
    (tmp_path / "in").mkdir()
    for name, number in (("run 1", "train/001"), ("run_1", "train/002"), ("train-001", "test/000")):
        for kind in ("mp4", "npz"):
            (tmp_path / "in" / f"{name}.{kind}").write_bytes(
                (clips / f"{number}.{kind}").read_bytes()
            )
    (tmp_path / "in" / "train").mkdir()
    for kind in ("mp4", "npz"):
        (tmp_path / "in" / "train" / f"001.{kind}").write_bytes(
            (clips / f"train/001.{kind}").read_bytes()
        )
    done = convert_dataset(ConvertRequest(tmp_path / "in", tmp_path / "store", options=BRIDGE))
    store = EpisodeStore(tmp_path / "store")
    assert len(done.written) == 4 == len(store)
    assert {info.name: info.length for info in store} == {
        "run_1": 6,
        "run_1-2": 7,
        "train-001": 6,
        "train-001-2": 5,
    }
    again = convert_dataset(ConvertRequest(tmp_path / "in", tmp_path / "store", options=BRIDGE))
    assert len(again.kept) == 4 and not again.written


@pytest.mark.parametrize("change", [{"rule": TimeRule(shift=1)}, {"target": "released_10"}])
def test_a_store_is_not_resumed_with_other_settings(
    clips: Path, tmp_path: Path, change: dict[str, object]
) -> None:
    request = ConvertRequest(clips, tmp_path / "store", options=STATED, limit=1)
    convert_dataset(request)
    with pytest.raises(
        InputError, match=r"converted otherwise: (shift|actions) is .* choose another --out"
    ):
        convert_dataset(replace(request, **change))  # type: ignore[arg-type]
    assert convert_dataset(replace(request, limit=0, strict=True)).kept == ["test-000"]


def test_a_full_disk_stops_at_once(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: EpisodeStore, name: str, episode: object, origin: str) -> None:
        raise InputError("cannot write: No space left on device")

    monkeypatch.setattr(EpisodeStore, "write", full)
    with pytest.raises(InputError, match=r"^cannot write: No space"):
        convert_dataset(ConvertRequest(clips, tmp_path / "store", options=BRIDGE))


def test_numbers_below_their_bounds(clips: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--limit is -1: give 0 or more"):
        convert_dataset(ConvertRequest(clips, tmp_path / "store", options=BRIDGE, limit=-1))
    with pytest.raises(InputError, match="0 frames per second are no rate"):
        SourceOptions(fps=0.0)


def test_real_bridge_to_lerobot_and_back(sample_data: Path, tmp_path: Path) -> None:
    options = SourceOptions(convention="released_10")
    request = ConvertRequest(
        sample_data / "bridge_mp4",
        tmp_path / "out",
        "lerobot",
        options,
        target="bridge_v2",
        limit=2,
    )
    assert convert_dataset(request).written == ["test-000000002", "train-000000000"]
    truth = open_source(sample_data / "bridge_mp4", options).read("train-000000000")
    back = open_source(tmp_path / "out").read("episode_000001")
    error = np.mean((truth.frames.astype(float) - back.frames) ** 2)
    assert 10 * np.log10(255**2 / error) > 36.0
    np.testing.assert_allclose(back.actions[:-1, :3] * 35, truth.actions[:-1, :3], atol=1e-4)


def test_states_are_kept_in_stores_and_lerobot_sets(tmp_path: Path) -> None:
    write_lerobot_v2(tmp_path / "in", recordings(2))
    info = tmp_path / "in" / "meta" / "info.json"
    data = json.loads(info.read_text())
    data["features"]["observation.state"]["names"] = [
        "x",
        "y",
        "z",
        "roll",
        "pitch",
        "yaw",
        "gripper",
    ]
    info.write_text(json.dumps(data))
    convert_dataset(ConvertRequest(tmp_path / "in", tmp_path / "store", options=BRIDGE))
    convert_dataset(ConvertRequest(tmp_path / "in", tmp_path / "again", "lerobot", BRIDGE))
    convert_dataset(ConvertRequest(tmp_path / "store", tmp_path / "out", "lerobot"))
    states = EpisodeStore(tmp_path / "store")["episode_000001"].states
    assert states is not None and states.names[:2] == ("x", "y")
    np.testing.assert_array_equal(states.values, recordings(2)[1].states)
    for folder in ("store", "again", "out"):
        back = open_source(tmp_path / folder).read("episode_000001")
        assert (
            back.states is not None
            and back.facts.state_names == states.names
            and back.no_pose() == ""
        )
        np.testing.assert_array_equal(back.states, states.values)
    relabelled = ConvertRequest(tmp_path / "out", tmp_path / "moves", rule=TimeRule(relabel=True))
    assert len(convert_dataset(relabelled).written) == 2


def test_states_that_are_no_pose_stay_so(tmp_path: Path) -> None:
    from synthetic_sets import write_act

    write_act(tmp_path / "in", recordings(1))
    convert_dataset(ConvertRequest(tmp_path / "in", tmp_path / "store", options=BRIDGE))
    convert_dataset(ConvertRequest(tmp_path / "store", tmp_path / "out", "lerobot"))
    for folder in ("store", "out"):
        source = open_source(tmp_path / folder)
        assert source.read(source.listing()[0].name).no_pose() != ""
        with pytest.raises(InputError, match="states are not the robot's pose"):
            convert_dataset(
                ConvertRequest(tmp_path / folder, tmp_path / "moves", rule=TimeRule(relabel=True))
            )


def test_time_and_rate_cut_states_with_the_frames(tmp_path: Path) -> None:
    from synthetic_sets import write_rlds

    write_rlds(tmp_path / "in", recordings(1))
    convert_dataset(
        ConvertRequest(tmp_path / "in", tmp_path / "store", rule=TimeRule(drop_first=True), fps=2.5)
    )
    episode = EpisodeStore(tmp_path / "store")["train-00000-00000"]
    truth = recordings(1)[0]
    assert (
        episode.fps == 2.5 == episode.spec.rate_hz
        and episode.states is not None
        and truth.states is not None
    )
    np.testing.assert_array_equal(episode.states.values, truth.states[1:6:2])
    np.testing.assert_allclose(
        episode.actions[:, :3], truth.actions[1:5, :3].reshape(2, 2, 3).sum(axis=1), atol=1e-6
    )


def test_a_rate_is_resampled_to_and_a_recorded_one_only_stated(clips: Path, tmp_path: Path) -> None:
    with pytest.raises(
        InputError,
        match=r"the video shows 20 frames per second, the convention says 5: .*--recorded-fps",
    ):
        convert_dataset(ConvertRequest(clips, tmp_path / "a", options=BRIDGE, fps=5.0))
    convert_dataset(
        ConvertRequest(clips, tmp_path / "b", options=replace(BRIDGE, fps=10.0), fps=5.0)
    )
    convert_dataset(ConvertRequest(clips, tmp_path / "c", options=replace(BRIDGE, fps=10.0)))
    fast, slow = EpisodeStore(tmp_path / "c"), EpisodeStore(tmp_path / "b")
    assert (fast.fps, slow.fps) == (10.0, 5.0)
    assert [info.length for info in fast] == [5, 6, 7] and [info.length for info in slow] == [
        2,
        3,
        3,
    ]
    with pytest.raises(InputError, match="converted otherwise: to_fps is"):
        convert_dataset(ConvertRequest(clips, tmp_path / "b", options=replace(BRIDGE, fps=10.0)))
    with pytest.raises(InputError, match="0 frames per second are no rate"):
        convert_dataset(ConvertRequest(clips, tmp_path / "d", options=BRIDGE, fps=0.0))


def test_what_clipping_takes_away_is_counted_and_stops_a_strict_conversion(tmp_path: Path) -> None:
    episodes = recordings(2)
    episodes[0].actions[1, 0] = 0.08  # 3 cm beyond what the released form holds: 1.74 / 35 m
    write_mp4_npz(tmp_path / "in", episodes)
    request = ConvertRequest(
        tmp_path / "in", tmp_path / "store", options=STATED, target="released_10"
    )
    done = convert_dataset(request)
    assert (done.clipped.touched, done.clipped.actions, dict(done.clipped.numbers)) == (
        1,
        5 + 6,
        {"x": 1},
    )
    assert done.clipped.metres == pytest.approx(0.08 - 1.74 / 35, abs=1e-6)
    (sentence,) = done.sentences()
    assert sentence == (
        "1 of 11 actions (9.1%) are out of bounds and are clipped: x 1, 3.0 cm of motion in all"
    )
    with pytest.raises(
        InputError, match=r"000\.mp4: 1 of 5 actions \(20\.0%\) .*--most-clipped 0\.2"
    ):
        convert_dataset(replace(request, out=tmp_path / "strict", strict=True))
    assert (
        convert_dataset(
            replace(request, out=tmp_path / "strict", strict=True, most_clipped=0.2)
        ).clipped.touched
        == 1
    )
    with pytest.raises(InputError, match="--most-clipped is 2: give a share"):
        convert_dataset(replace(request, most_clipped=2.0))


def test_faults_are_counted_and_stop_a_strict_conversion(tmp_path: Path) -> None:
    episodes = recordings(2)
    episodes[1].frames[3:] = 0
    write_mp4_npz(tmp_path / "in", episodes)
    request = ConvertRequest(tmp_path / "in", tmp_path / "store", options=STATED)
    assert convert_dataset(request).sentences() == ["frames are black: 1 of 2 episodes"]
    with pytest.raises(
        InputError,
        match=r"001\.mp4: frames are black \(4 of 7, from frame 3 on\); leave the episode",
    ):
        convert_dataset(replace(request, out=tmp_path / "strict", strict=True))


def test_frames_of_an_odd_size_are_taken_everywhere(tmp_path: Path) -> None:
    write_mp4_npz(tmp_path / "in", recordings(1))
    options = SourceOptions(convention="bridge_v2", size=(31, 27))
    convert_dataset(ConvertRequest(tmp_path / "in", tmp_path / "store", options=options))
    store = EpisodeStore(tmp_path / "store")
    assert store.frame_size() == (31, 27) and store["test-000"].main.shape == (6, 31, 27, 3)
    convert_dataset(ConvertRequest(tmp_path / "store", tmp_path / "out", "lerobot"))
    back, info = (
        open_source(tmp_path / "out").read("episode_000000"),
        json.loads((tmp_path / "out/meta/info.json").read_text()),
    )
    assert back.frames.shape == (6, 32, 28, 3) and info["features"]["observation.images.main"][
        "shape"
    ] == [32, 28, 3]
    assert (
        info["worldgym"]["padded"]
        == "the last row and the last column of every frame is shown twice"
    )
    assert np.abs(back.frames[:, :31, :27].astype(int) - store["test-000"].main).mean() < 5.0


def test_cameras_that_are_left_out_are_named(clips: Path, tmp_path: Path) -> None:
    write_droid(tmp_path / "in", recordings())
    options = SourceOptions(convention="droid_delta")
    done = convert_dataset(ConvertRequest(tmp_path / "in", tmp_path / "store", options=options))
    assert len(done.left_out) >= 1 and done.cameras[0] not in done.left_out
    assert done.sentences()[-1] == (
        f"one camera is kept, {done.cameras[0]}; left out: {', '.join(done.left_out)} "
        f"(--camera chooses one, --views several)"
    )
    one = convert_dataset(ConvertRequest(clips, tmp_path / "one", options=STATED))
    assert one.left_out == () and not any("left out" in said for said in one.sentences())


def test_a_strict_conversion_joins_subtasks_only_where_that_was_chosen(tmp_path: Path) -> None:
    write_lerobot_v2(tmp_path / "in", recordings(2), subtasks=True)
    request = ConvertRequest(tmp_path / "in", tmp_path / "store", options=STATED)
    with pytest.raises(InputError, match=r"; choose with --subtasks join, first, last or split$"):
        convert_dataset(replace(request, out=tmp_path / "strict", strict=True))
    joined = replace(STATED, subtasks="join")
    chosen = replace(request, out=tmp_path / "chosen", strict=True, options=joined)
    assert len(convert_dataset(chosen).written) == 2
    assert len(convert_dataset(request).written) == 2
    # asked for or not, the same store
    assert len(convert_dataset(replace(request, options=joined)).kept) == 2


def test_a_strict_conversion_says_once_that_a_rate_is_needed(clips: Path, tmp_path: Path) -> None:
    request = ConvertRequest(clips, tmp_path / "store", options=BRIDGE, strict=True)
    with pytest.raises(InputError) as raised:
        convert_dataset(request)
    said = str(raised.value)
    assert said.count("--recorded-fps") == 1 and "20 and 5 Hz" in said and "--strict" not in said
