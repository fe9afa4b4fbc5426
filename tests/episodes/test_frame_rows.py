"""Rows of episodes that stayed are taken over; those of new and changed ones alone are computed."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from numpy.lib.format import open_memmap

from worldgym.episodes.frame_rows import RowCache, Rows, Spans
from worldgym.episodes.store import EpisodeStore
from worldgym.errors import InputError
from worldgym.testing import FAKE_SPEC
from worldgym.types import Episode


def write(store: EpisodeStore, name: str, value: int, length: int) -> None:
    frames = np.random.default_rng(value).integers(0, 256, (length + 1, 16, 16, 3), np.uint8)
    store.write(
        name,
        Episode(
            frames[:, None],
            np.zeros((length, FAKE_SPEC.size), np.float32),
            "",
            FAKE_SPEC,
            20.0,
            True,
            "",
            {},
        ),
    )


@dataclass
class Means:
    """The mean of each frame; notes which episodes it was asked for."""

    root: Path
    asked: list[str] = field(default_factory=list)
    width: int = 1

    stop: str = ""

    def fill(self, out: Path, spans: Spans, done: Callable[[str], None]) -> None:
        store, rows = EpisodeStore(self.root), open_memmap(out, "r+")
        for name, (start, count) in spans.items():
            self.asked.append(name)
            if name == self.stop:
                raise KeyboardInterrupt
            rows[start : start + count] = store[name].main.mean((1, 2, 3))[:, None]
            done(name)

    def open(self) -> Rows:
        self.asked.clear()
        names = "means.npy", "means.json", "a cache of means"
        cache = RowCache(
            EpisodeStore(self.root), *names, lambda: (np.float32, (self.width,)), self.fill
        )
        rows, spans = cache.open()
        assert sum(count for _, count in spans.values()) == len(rows)
        return rows.copy()

    def anew(self) -> Rows:
        (self.root / "cache" / "means.json").unlink()
        return self.open()


@pytest.fixture
def means(tmp_path: Path) -> Means:
    store = EpisodeStore.create(tmp_path, FAKE_SPEC, 20.0)
    for value, name in enumerate(("b", "d", "f")):
        write(store, name, value, 3 + value)
    means = Means(tmp_path)
    means.open()
    assert means.asked == ["b", "d", "f"]
    return means


def test_only_new_episodes_are_computed(means: Means) -> None:
    store = EpisodeStore(means.root)
    for value, name in enumerate(("a", "e", "g"), 5):
        write(store, name, value, 2)
    grown = means.open()
    assert means.asked == ["a", "e", "g"]
    np.testing.assert_array_equal(grown, means.anew())
    assert means.asked == ["a", "b", "d", "e", "f", "g"]
    means.open()
    assert means.asked == []


@pytest.mark.parametrize("length", [4, 6])
def test_a_changed_episode_is_noticed(means: Means, length: int) -> None:
    """Though its video may have as many bytes, as noise of one length has."""
    write(EpisodeStore(means.root), "d", 9, length)
    changed = means.open()
    assert means.asked == ["d"]
    np.testing.assert_array_equal(changed, means.anew())


def test_removed_episodes_leave_no_rows(means: Means) -> None:
    for ending in ("mp4", "json"):
        (means.root / "episodes" / f"b.{ending}").unlink()
    left = means.open()
    assert means.asked == [] and len(left) == 5 + 6
    np.testing.assert_array_equal(left, means.anew())


def test_what_does_not_fit_is_computed_anew(means: Means) -> None:
    """An index of names alone, as once written; rows of another shape; a file cut short."""
    index, data = means.root / "cache" / "means.json", means.root / "cache" / "means.npy"
    index.write_text(json.dumps({"episodes": ["b", "d", "f"]}))
    means.open()
    assert means.asked == ["b", "d", "f"]
    contents = json.loads(index.read_text())["episodes"]
    np.save(data, np.zeros((3, 1), np.float32))
    index.write_text(json.dumps({"episodes": contents[:2]}))
    means.open()
    assert means.asked == ["b", "d", "f"]
    # as written before times were kept
    index.write_text(json.dumps({"episodes": [entry[:3] for entry in contents]}))
    means.open()
    assert means.asked == []
    means.width = 2
    write(EpisodeStore(means.root), "h", 7, 2)
    assert means.open().shape == (4 + 5 + 6 + 3, 2)
    assert means.asked == ["b", "d", "f", "h"]


def test_a_computation_that_breaks_leaves_what_was(
    means: Means, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(EpisodeStore(means.root), "h", 7, 2)
    monkeypatch.setattr(means, "fill", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        means.open()
    assert sorted(path.name for path in (means.root / "cache").iterdir()) == [
        "means.json",
        "means.npy",
    ]
    monkeypatch.undo()
    means.open()
    assert means.asked == ["h"]


def test_a_store_that_cannot_be_written_has_its_rows_in_the_users_cache(
    means: Means, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its cache/ is a file here: nobody may write into that, root neither."""
    plain = means.open()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    for path in (tmp_path / "cache").iterdir():
        path.unlink()
    (tmp_path / "cache").rmdir()
    (tmp_path / "cache").touch()
    np.testing.assert_array_equal(means.open(), plain)
    assert (
        means.asked == ["b", "d", "f"]
        and len(list((tmp_path / "home" / "worldgym" / "stores").rglob("means.*"))) == 2
    )
    means.open()
    assert means.asked == []
    (tmp_path / "home" / "worldgym").rename(tmp_path / "away")
    (tmp_path / "home" / "worldgym").touch()
    with pytest.raises(
        InputError, match=r"cannot write .*cache.*; cannot write .*; make one of them writable"
    ):
        means.open()


def test_rows_that_lie_in_a_store_are_used_without_writing(
    means: Means, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.mkstemp", lambda **_: pytest.fail("nothing is to be written"))
    assert len(means.open()) and means.asked == []


def test_what_is_missing_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = EpisodeStore.create(tmp_path / "s", FAKE_SPEC, 20.0)
    means = Means(store.root)
    with pytest.raises(InputError, match="holds no episode"):
        means.open()
    write(store, "a", 1, 3)
    store = EpisodeStore(store.root)

    def full(*_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full, raising=False)
    with pytest.raises(InputError, match=r"no room for \d+ MiB \(No space left"):
        means.open()
    assert not [path for path in (store.root / "cache").iterdir() if path.suffix != ".json"]
    monkeypatch.undo()
    store.video("a").unlink()
    with pytest.raises(InputError, match=r"a\.mp4: is missing"):
        means.open()
    header = json.loads((store.root / "store.json").read_text())
    for rate in (None, 0.0, "ten"):
        (store.root / "store.json").write_text(json.dumps(header | {"fps": rate}))
        with pytest.raises(InputError, match=r"store\.json: fps is"):
            EpisodeStore(store.root)


@pytest.mark.parametrize("more", [False, True])
def test_what_was_done_when_it_was_stopped_is_not_done_again(tmp_path: Path, more: bool) -> None:
    """Nor what was there before; what was not begun is never taken for done."""
    store = EpisodeStore.create(tmp_path, FAKE_SPEC, 20.0)
    for value, name in enumerate(("b", "d", "f")):
        write(store, name, value, 3 + value)
    means = Means(tmp_path)
    if more:
        means.open()
        for value, name in enumerate(("a", "c", "e"), 5):
            write(store, name, value, 2)
    means.stop = "e" if more else "d"
    with pytest.raises(KeyboardInterrupt):
        means.open()
    stopped = list(means.asked)
    means.stop = ""
    rows = means.open()
    assert means.asked == (["e"] if more else ["d", "f"])
    assert stopped == (["a", "c", "e"] if more else ["b", "d"])
    np.testing.assert_array_equal(rows, means.anew())
    assert not list((tmp_path / "cache").glob(".*"))


def test_what_killed_processes_left_is_removed_and_what_is_being_written_is_not(
    means: Means,
) -> None:
    cache = means.root / "cache"
    left, fresh, held = (cache / f".means.npy.{name}" for name in ("left", "fresh", "held"))
    for file in (left, fresh, held):
        file.write_bytes(b"rows")
    long_ago = time.time() - 3600
    for file in (left, held):
        os.utime(file, (long_ago, long_ago))
    with held.open("rb") as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        write(EpisodeStore(means.root), "h", 7, 2)
        means.open()
        assert not left.exists() and fresh.exists() and held.exists()
