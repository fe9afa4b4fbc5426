from pathlib import Path

import numpy as np
import pytest

from worldgym.episodes.frame_cache import frame_cache
from worldgym.episodes.store import EpisodeStore
from worldgym.errors import InputError
from worldgym.types import ActionSpec, Episode

SPEC = ActionSpec(("x", "y"), "delta_pose", "m", "none", "none", (-1.0, -1.0), (1.0, 1.0), 20.0)


def make_episode(seed: int, length: int = 5, size: int = 16) -> Episode:
    rng = np.random.default_rng(seed)
    frames = np.repeat(rng.integers(0, 256, (length + 1, 1, 1, 3), np.uint8), size, 1).repeat(
        size, 2
    )
    actions = rng.uniform(-1, 1, (length, 2)).astype(np.float32)
    return Episode(
        frames[:, None],
        actions,
        "do it",
        SPEC,
        20.0,
        True,
        "synthetic",
        {"task": "a", "list": [1, 2]},
    )


def make_store(root: Path, episodes: int) -> EpisodeStore:
    store = EpisodeStore.create(root, SPEC, 20.0)
    for i in range(episodes):
        store.write(f"e{i:03d}", make_episode(i, length=3 + i))
    return EpisodeStore(root)


def test_cached_equals_decoded(tmp_path: Path) -> None:
    store = make_store(tmp_path, 3)
    cache = frame_cache(store)
    assert cache.names == [info.name for info in store]
    for name in cache.names:
        slow, fast = store[name], cache.episode(name)
        assert np.array_equal(slow.frames, cache.frames(name)) and np.array_equal(
            slow.frames, fast.frames
        )
        assert np.array_equal(slow.actions, fast.actions)
        assert (slow.instruction, slow.success, slow.source, slow.extras) == (
            fast.instruction,
            fast.success,
            fast.source,
            fast.extras,
        )


def test_parallel_equals_serial(tmp_path: Path) -> None:
    store = make_store(tmp_path, 3)
    serial = frame_cache(store, workers=1).pixels.copy()
    (tmp_path / "cache" / "index.json").unlink()
    assert np.array_equal(serial, frame_cache(store, workers=2).pixels)


def test_rebuilt_only_when_the_episodes_changed(tmp_path: Path) -> None:
    store = make_store(tmp_path, 2)
    frame_cache(store)
    pixels = tmp_path / "cache" / "frames.npy"
    before = pixels.stat().st_mtime_ns
    frame_cache(store)
    assert pixels.stat().st_mtime_ns == before
    store.write("e002", make_episode(2))
    assert len(frame_cache(EpisodeStore(tmp_path)).names) == 3
    assert not list((tmp_path / "cache").glob(".frames*"))


def test_views_are_read_only(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="read-only"):
        frame_cache(make_store(tmp_path, 1)).frames("e000")[0] = 0


def test_empty_store_and_wrong_sizes_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no episode"):
        frame_cache(EpisodeStore.create(tmp_path / "empty", SPEC, 20.0))
    store = make_store(tmp_path / "mixed", 1)
    store.write("z", make_episode(1, size=32))
    for _ in range(2):  # what was decoded before is kept, and no cache that one could open
        with pytest.raises(InputError, match="remove or re-record"):
            frame_cache(EpisodeStore(tmp_path / "mixed"))
    for path in (tmp_path / "mixed" / "episodes").glob("z.*"):
        path.unlink()
    assert len(frame_cache(EpisodeStore(tmp_path / "mixed")).names) == 1
