"""A store gives back what was written, reads lazily, and never shows half an episode."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from worldgym.actions.embodiment import Reach
from worldgym.episodes import store as store_module
from worldgym.episodes import store_index
from worldgym.episodes.frame_cache import frame_cache
from worldgym.episodes.store import EpisodeStore
from worldgym.errors import InputError
from worldgym.testing import FAKE_SPEC
from worldgym.types import Episode, States

MakeEpisode = Callable[..., Episode]


@pytest.fixture
def own_store(tmp_path: Path, make_episode: MakeEpisode) -> EpisodeStore:
    """Two episodes, free to be changed."""
    store = EpisodeStore.create(tmp_path / "store", FAKE_SPEC, 5.0)
    for seed in range(2):
        store.write(f"square-{seed}", make_episode(seed, steps=4))
    return EpisodeStore(store.root)


def test_an_episode_comes_back(episode_store: EpisodeStore, make_episode: MakeEpisode) -> None:
    written, read = make_episode(1), episode_store["square-1"]
    np.testing.assert_array_equal(read.actions, written.actions)
    assert read.actions.dtype == np.float32
    assert np.abs(read.frames.astype(int) - written.frames.astype(int)).mean() < 2.0
    assert (read.instruction, read.success, read.source) == (
        written.instruction,
        written.success,
        written.source,
    )
    assert (read.spec, read.fps) == (FAKE_SPEC, 5.0)
    assert read.extras == {"seed": 1, "distance": [0.5] * 9}


@pytest.mark.parametrize("success", [True, False, None])
def test_success_has_three_values(
    tmp_path: Path, make_episode: MakeEpisode, success: bool | None
) -> None:
    store = EpisodeStore.create(tmp_path, FAKE_SPEC, 5.0)
    store.write("one", make_episode(success=success))
    assert EpisodeStore(tmp_path)["one"].success is success
    assert [info.success for info in EpisodeStore(tmp_path)] == [success]


def test_the_index_knows_all_but_pixels_and_lists(episode_store: EpisodeStore) -> None:
    assert [info.name for info in episode_store] == ["square-0", "square-1", "square-2"]
    assert [info.length for info in episode_store] == [8, 8, 3]
    assert episode_store.infos[2].extras == {"seed": 2}
    assert len(episode_store) == 3
    assert "square-2" in episode_store and "square-3" not in episode_store


def test_opening_decodes_nothing(
    episode_store: EpisodeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> None:
        raise AssertionError(f"{path} was decoded")

    monkeypatch.setattr(store_module, "decode_video", refuse)
    assert len(EpisodeStore(episode_store.root)) == 3


def test_the_index_follows_added_and_deleted_episodes(
    own_store: EpisodeStore, make_episode: MakeEpisode
) -> None:
    own_store.write("square-9", make_episode(9))
    assert [info.name for info in EpisodeStore(own_store.root)] == [
        "square-0",
        "square-1",
        "square-9",
    ]
    for suffix in (".mp4", ".json"):
        (own_store.root / "episodes" / f"square-0{suffix}").unlink()
    assert [info.name for info in EpisodeStore(own_store.root)] == ["square-1", "square-9"]


def test_the_index_follows_episodes_replaced_by_hand_and_its_own_damage(
    own_store: EpisodeStore,
) -> None:
    path, index = own_store.root / "episodes" / "square-1.json", own_store.root / "index.jsonl"
    EpisodeStore(own_store.root)
    path.write_text(
        json.dumps(json.loads(path.read_text()) | {"success": False, "instruction": "another"})
    )
    os.utime(path, ns=(0, index.stat().st_mtime_ns + 1))
    found = EpisodeStore(own_store.root).infos
    assert (found[1].success, found[1].instruction) == (False, "another")
    for damage in ('{"name": 1', "[]\n", '{"colour": 1}\n'):
        index.write_text(damage)
        assert EpisodeStore(own_store.root).infos == found


def test_the_index_is_derived(own_store: EpisodeStore) -> None:
    (own_store.root / "index.jsonl").unlink()
    assert EpisodeStore(own_store.root).infos == own_store.infos


def test_a_recording_killed_before_the_json_leaves_no_episode(
    own_store: EpisodeStore, make_episode: MakeEpisode
) -> None:
    own_store.write("torn", make_episode())
    (own_store.root / "episodes" / "torn.json").unlink()
    assert "torn" not in EpisodeStore(own_store.root)


def test_an_empty_store_opens(tmp_path: Path) -> None:
    assert len(EpisodeStore.create(tmp_path, FAKE_SPEC, 5.0)) == 0
    assert list(EpisodeStore(tmp_path)) == []


def test_create_opens_what_is_there_and_agrees(own_store: EpisodeStore) -> None:
    assert len(EpisodeStore.create(own_store.root, FAKE_SPEC, 5.0)) == 2


@pytest.mark.parametrize(
    ("spec", "fps"), [(replace(FAKE_SPEC, gripper="+1_open"), 5.0), (FAKE_SPEC, 20.0)]
)
def test_create_refuses_another_convention(
    own_store: EpisodeStore, spec: object, fps: float
) -> None:
    with pytest.raises(
        InputError, match="another action spec, rate, reach or views; choose another folder"
    ):
        EpisodeStore.create(own_store.root, spec, fps)  # type: ignore[arg-type]


def test_the_reach_of_the_robot_is_kept(tmp_path: Path) -> None:
    reach = Reach((((-1.0,) * FAKE_SPEC.size, (2.0,) * FAKE_SPEC.size),))
    assert EpisodeStore.create(tmp_path / "store", FAKE_SPEC, 5.0, reach).reach == reach
    assert EpisodeStore(tmp_path / "store").reach == reach
    with pytest.raises(InputError, match="reach"):
        EpisodeStore.create(tmp_path / "store", FAKE_SPEC, 5.0)
    assert EpisodeStore.create(tmp_path / "plain", FAKE_SPEC, 5.0).reach == Reach()


def test_a_folder_that_is_no_store_gets_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not an episode store"):
        EpisodeStore(tmp_path)
    (tmp_path / "store.json").write_text(json.dumps({"format": "worldgym-episodes", "version": 99}))
    with pytest.raises(InputError, match="not an episode store of version 1"):
        EpisodeStore(tmp_path)


def test_frames_and_actions_that_do_not_fit_get_one_sentence(
    own_store: EpisodeStore, make_episode: MakeEpisode
) -> None:
    own_store.write("longer", make_episode(steps=6))
    (own_store.root / "episodes" / "longer.mp4").replace(
        own_store.root / "episodes" / "square-0.mp4"
    )
    with pytest.raises(
        InputError, match=r"square-0\.mp4: 7 frames for 4 actions; remove the episode"
    ):
        own_store["square-0"]


def test_an_unknown_episode_gets_one_sentence(own_store: EpisodeStore) -> None:
    with pytest.raises(InputError, match=r"absent\.json: no such file"):
        own_store["absent"]


def test_states_come_back(own_store: EpisodeStore, make_episode: MakeEpisode) -> None:
    values = np.arange(10, dtype=np.float32).reshape(5, 2) / 7
    own_store.write(
        "stated", replace(make_episode(steps=4), states=States(values, ("x", "y"), "a reason"))
    )
    states = EpisodeStore(own_store.root)["stated"].states
    assert states is not None and (states.names, states.no_pose) == (("x", "y"), "a reason")
    np.testing.assert_array_equal(states.values, values)
    assert own_store["square-0"].states is None


def test_names_belong_to_origins(own_store: EpisodeStore, make_episode: MakeEpisode) -> None:
    own_store.write("named", make_episode(), "set#1")
    store = EpisodeStore(own_store.root)
    assert store.info("named").origin == "set#1" and store.info("square-0").origin == ""
    assert store.is_free("named", "set#1") and store.is_free("other", "set#2")
    assert not store.is_free("named", "set#2") and not store.is_free("square-0", "set#1")


def test_an_index_from_before_origins_is_made_anew(own_store: EpisodeStore) -> None:
    index = own_store.root / "index.jsonl"
    lines = [json.loads(line) for line in index.read_text().splitlines()]
    index.write_text(
        "".join(
            json.dumps({k: v for k, v in line.items() if k not in ("origin", "digest")}) + "\n"
            for line in lines
        )
    )
    assert EpisodeStore(own_store.root).infos == own_store.infos and all(
        info.digest for info in own_store
    )


def test_a_store_that_cannot_be_written_opens(
    own_store: EpisodeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, data: bytes) -> None:
        raise InputError("Read-only file system")

    (own_store.root / "index.jsonl").unlink()
    monkeypatch.setattr(store_index, "write_atomic", refuse)
    assert len(EpisodeStore(own_store.root)) == 2


def test_several_views_and_one_that_is_absent(tmp_path: Path, make_episode: MakeEpisode) -> None:
    plain = make_episode(0)
    views = ("front", "wrist")
    both = np.concatenate([plain.frames, plain.frames[:, :, ::-1]], axis=1)
    whole = replace(plain, frames=both, views=views)
    missing = replace(whole, frames=both * np.uint8([1, 0])[:, None, None, None], absent=("wrist",))
    store = EpisodeStore.create(tmp_path, plain.spec, plain.fps, views=views)
    store.write("a", whole)
    store.write("b", missing)
    with pytest.raises(InputError, match="has the views main"):
        store.write("c", plain)
    store = EpisodeStore(tmp_path)
    assert store.views == views and [info.absent for info in store] == [(), ("wrist",)]
    assert np.abs(store["a"].frames.astype(int) - both).mean() < 3.0
    assert store["b"].absent == ("wrist",) and store["b"].frames[:, 1].max() == 0
    np.testing.assert_array_equal(store["a"].main, store["b"].main)
    assert not store.video("b", "wrist").exists() and len({info.digest for info in store}) == 2
    cache = frame_cache(store)
    for name in ("a", "b"):
        np.testing.assert_array_equal(cache.frames(name), store[name].frames)
        np.testing.assert_array_equal(cache.main(name), store[name].main)
    with pytest.raises(InputError, match="another action spec, rate, reach or views"):
        EpisodeStore.create(tmp_path, plain.spec, plain.fps)
    for names in (("a/b",), ("a", "a"), ()):
        with pytest.raises(InputError):
            EpisodeStore.create(tmp_path / "other", plain.spec, plain.fps, views=names)
