"""An episode is known by where it comes from and what it holds, never by its name alone."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from synthetic_sets import recordings, write_mp4_npz

from worldgym.episodes.conversion import ConvertRequest, convert_dataset
from worldgym.episodes.recording import Recording, SourceOptions
from worldgym.episodes.store import EpisodeStore, episode_digest
from worldgym.episodes.time_rule import TimeRule
from worldgym.errors import InputError

BRIDGE = SourceOptions(convention="bridge_v2")


def clips(root: Path, episodes: Sequence[Recording]) -> Path:
    write_mp4_npz(root, episodes)
    return root


def into(store: Path, source: Path, options: SourceOptions = BRIDGE) -> tuple[int, int]:
    """=> (written, kept)."""
    done = convert_dataset(ConvertRequest(source, store, options=options))
    assert not done.skipped
    return len(done.written), len(done.kept)


def test_two_sets_with_the_same_names_are_both_kept(tmp_path: Path) -> None:
    one, two = (
        clips(tmp_path / "one", recordings(5)[:2]),
        clips(tmp_path / "two", recordings(5)[2:]),
    )
    assert into(tmp_path / "store", one) == (2, 0) and into(tmp_path / "store", two) == (3, 0)
    names = [info.name for info in EpisodeStore(tmp_path / "store")]
    assert names == ["test-000", "train-001", "two-test-000", "two-train-001", "two-train-002"]
    assert into(tmp_path / "store", one) == (0, 2) and into(tmp_path / "store", two) == (0, 3)
    assert (
        json.loads((tmp_path / "store" / "convert.json").read_text())[str(two)]["prefix"] == "two-"
    )


def test_a_set_is_the_same_by_whatever_path_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = clips(tmp_path / "set", recordings(2))
    (tmp_path / "link").symlink_to(root)
    monkeypatch.chdir(tmp_path)
    assert into(tmp_path / "store", Path("set")) == (2, 0)
    for same in (root, Path("link"), Path("set/../set")):
        assert into(tmp_path / "store", same) == (0, 2)
        with pytest.raises(InputError, match="converted otherwise: shift is"):
            convert_dataset(
                ConvertRequest(same, tmp_path / "store", options=BRIDGE, rule=TimeRule(shift=1))
            )


def test_a_set_that_was_moved_is_known_by_what_it_holds(tmp_path: Path) -> None:
    root = clips(tmp_path / "set", recordings(2))
    assert into(tmp_path / "store", root) == (2, 0)
    root.rename(tmp_path / "moved")
    assert into(tmp_path / "store", tmp_path / "moved") == (0, 2)
    clips(tmp_path / "moved", recordings(3))
    assert into(tmp_path / "store", tmp_path / "moved") == (1, 2)


def test_a_third_set_called_like_the_second(tmp_path: Path) -> None:
    episodes = recordings(3)
    for folder, episode in zip(("a", "b/set", "c/set"), episodes, strict=True):
        assert into(tmp_path / "store", clips(tmp_path / folder, [episode])) == (1, 0)
    assert [info.name for info in EpisodeStore(tmp_path / "store")] == [
        "set-2-test-000",
        "set-test-000",
        "test-000",
    ]


def test_a_store_from_before_there_were_origins_is_resumed_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    clips(tmp_path / "set", recordings(2))
    into(tmp_path / "store", Path("set"))
    for path in (tmp_path / "store" / "episodes").glob("*.json"):
        data = json.loads(path.read_text())
        path.write_text(
            json.dumps(
                {key: value for key, value in data.items() if key not in ("origin", "digest")}
            )
        )
    (tmp_path / "store" / "index.jsonl").unlink(missing_ok=True)
    old = {
        "camera": "",
        "convention": "bridge_v2",
        "size": None,
        "fps": None,
        "drop_first": False,
        "shift": 0,
        "actions": "",
    }
    (tmp_path / "store" / "convert.json").write_text(json.dumps({"set": {**old, "relabel": False}}))
    clips(tmp_path / "set", recordings(3))
    assert into(tmp_path / "store", tmp_path / "set") == (1, 2)
    assert into(tmp_path / "store", clips(tmp_path / "other", recordings(4)[3:])) == (1, 0)
    assert len(EpisodeStore(tmp_path / "store")) == 4


def test_copies_within_a_set_are_counted_and_stop_a_strict_conversion(tmp_path: Path) -> None:
    one = recordings(1)[0]
    root, stated = clips(tmp_path / "set", [one, one, *recordings(2)[1:]]), replace(BRIDGE, fps=5.0)
    assert convert_dataset(ConvertRequest(root, tmp_path / "store", options=BRIDGE)).twice == 1
    with pytest.raises(InputError, match=r"train/001\.mp4: the same episode as test-000"):
        convert_dataset(ConvertRequest(root, tmp_path / "strict", options=stated, strict=True))


def _convert(source: Path, store: Path) -> None:
    into(store, source)


def test_two_sets_at_once(tmp_path: Path) -> None:
    sources = [
        clips(tmp_path / name, recordings(6)[i : i + 3]) for i, name in ((0, "one"), (3, "two"))
    ]
    jobs = [
        multiprocessing.get_context("fork").Process(target=_convert, args=(s, tmp_path / "store"))
        for s in sources
    ]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    store = EpisodeStore(tmp_path / "store")
    assert [job.exitcode for job in jobs] == [0, 0] and len(store) == 6 == len(
        {info.origin for info in store}
    )
    lengths = sorted(len(store[info.name]) for info in store)
    assert lengths == [5, 6, 7, 8, 9, 10]


def test_a_digest_is_of_what_is_shown_done_and_said(tmp_path: Path) -> None:
    into(tmp_path / "store", clips(tmp_path / "set", recordings(1)))
    episode = EpisodeStore(tmp_path / "store")["test-000"]
    frames = episode.frames.copy()
    frames[0, 0, 0, 0] ^= 1
    others = [
        replace(episode, frames=frames),
        replace(episode, instruction="x"),
        replace(episode, actions=episode.actions + 1),
    ]
    assert len({episode_digest(e) for e in (episode, *others)}) == 4
    assert episode_digest(episode) == episode_digest(
        replace(episode, actions=np.asfortranarray(episode.actions), source="elsewhere")
    )
