"""Recorded episodes as a world draws them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from worldgym.episodes.store import EpisodeStore
from worldgym.reference.reference_tasks import METAWORLD_SPEC
from worldgym.reference.world_videos import SUFFIX, ImagineConfig, imagine
from worldgym.types import Episode


@pytest.fixture
def store(tmp_path: Path) -> Path:
    rng, writer = (
        np.random.default_rng(0),
        EpisodeStore.create(tmp_path / "store", METAWORLD_SPEC, 20.0),
    )
    for seed, behaviour in enumerate(("expert", "expert", "dreamt-one", "expert")):
        frames = (
            np.broadcast_to(rng.integers(0, 256, (1, 8, 8, 3), dtype=np.uint8), (4, 8, 8, 3))
            .repeat(12, 1)
            .repeat(12, 2)
        )
        extras = {"task": "push", "seed": seed, "behaviour": behaviour}
        actions = rng.uniform(-1, 1, (3, 4)).astype(np.float32)
        writer.write(
            f"e{seed}",
            Episode(
                frames, actions, "push", METAWORLD_SPEC, 20.0, seed % 2 == 0, "synthetic", extras
            ),
        )
    return tmp_path / "store"


def test_every_nth_seed_and_all_dreams_are_imagined_the_same_in_any_batch(
    store: Path, unpacked_bundle: Path, tmp_path: Path
) -> None:
    config = ImagineConfig(unpacked_bundle, store, tmp_path / "together", every=3, batch=4)
    together = imagine(config)
    alone = imagine(replace(config, out=tmp_path / "alone", batch=1))
    assert [info.name for info in together] == [
        "e0",
        f"e0{SUFFIX}",
        "e1",
        "e2",
        f"e2{SUFFIX}",
        "e3",
        f"e3{SUFFIX}",
    ]
    for name in ("e0", "e2", "e3"):
        one, other, true = together[name + SUFFIX], alone[name + SUFFIX], EpisodeStore(store)[name]
        # rounding differs with the size of a batch
        assert np.abs(one.frames.astype(float) - other.frames).mean() < 1.0
        assert (
            one.success is true.success
            and (one.actions == true.actions).all()
            and "imagined by" in one.source
        )
        assert np.abs(one.frames[-1].astype(float) - true.frames[-1]).mean() > 1.0


def test_imagining_resumes(store: Path, unpacked_bundle: Path, tmp_path: Path) -> None:
    config = ImagineConfig(unpacked_bundle, store, tmp_path / "out", every=1, batch=4)
    whole = imagine(config)
    before = whole[f"e1{SUFFIX}"].frames
    for suffix in (".mp4", ".json"):
        (whole.root / "episodes" / f"e1{SUFFIX}{suffix}").unlink()
    assert np.abs(imagine(config)[f"e1{SUFFIX}"].frames.astype(float) - before).mean() < 1.0
