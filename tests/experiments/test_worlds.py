"""Worlds to compare: which episodes each learns from, and one trained at the smallest size and
found again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from experiments.frame import Setup, other_worlds
from experiments.worlds import VARIANTS, Training, chosen, train_all, world_config
from worldgym.codecs.conv import ConvCodec, ConvCodecConfig
from worldgym.episodes.store import EpisodeStore
from worldgym.episodes.store_index import EpisodeInfo
from worldgym.errors import InputError
from worldgym.io.checkpoint import fingerprint
from worldgym.reference.reference_tasks import METAWORLD_SPEC
from worldgym.types import Episode


@pytest.fixture
def store(tmp_path: Path) -> Path:
    rng, writer = (
        np.random.default_rng(0),
        EpisodeStore.create(tmp_path / "store", METAWORLD_SPEC, 20.0),
    )
    for i, behaviour in enumerate(
        ("expert", "noisy-0.3", "grazing", "dreamt-one", "expert", "expert")
    ):
        frames = rng.integers(0, 256, (21, 96, 96, 3), dtype=np.uint8)
        actions = rng.uniform(-1, 1, (20, 4)).astype(np.float32)
        extras = {"task": "door-open", "seed": i, "behaviour": behaviour}
        writer.write(
            f"e{i}",
            Episode(
                frames[:, None], actions, "open", METAWORLD_SPEC, 20.0, success=True, extras=extras
            ),
        )
    return tmp_path / "store"


def test_episodes_of_a_kind_are_spread_over_the_store(store: Path) -> None:
    episodes = list(EpisodeStore(store))
    assert chosen(episodes, {"expert": 2}).tolist() == [0, 4]
    assert chosen(episodes, {"expert": 0}).tolist() == [0, 4, 5]
    assert chosen(episodes, {"varied": 1, "near-misses": 1, "closed-loop": 1}).tolist() == [0, 2, 3]
    assert chosen(episodes, VARIANTS["all"].episodes).tolist() == [0, 1, 2, 3, 4, 5]
    with pytest.raises(InputError, match="3 episodes of the kind expert of door-open, not 4"):
        chosen(episodes, {"expert": 4})
    with pytest.raises(InputError, match="no episode of the kind closed-loop"):
        chosen(
            [EpisodeInfo("a", 20, "open", True, "", {"task": "a", "behaviour": "expert"})],
            {"closed-loop": 0},
        )


def test_variants_differ_in_one_thing_and_see_as_many_frames_a_step(store: Path) -> None:
    configs = {name: world_config(Training(store), name) for name in VARIANTS}
    assert {config.batch * config.frames for config in configs.values()} == {384}
    base = VARIANTS["all"]
    for variant in VARIANTS.values():
        changed = [
            key
            for key in ("episodes", "window", "width")
            if getattr(variant, key) != getattr(base, key)
        ]
        assert len(changed) == (variant is not base)
    assert configs["all"].network.action_size == 9  # four actions, their sums, and a mark


@pytest.mark.slow
def test_a_world_is_trained_and_found_by_its_name(store: Path, tmp_path: Path) -> None:
    codec = ConvCodec(ConvCodecConfig(channels=24, width=16, blocks=1))
    codec.save(tmp_path / "codec", "# a codec\n", {})
    out = tmp_path / "experiments" / "trained"
    with pytest.raises(InputError, match="no such world: none"):
        train_all(Training(store, out, ("none",), 2, tmp_path / "codec"))
    with pytest.raises(InputError, match="--processes 0: give 1 or more"):
        train_all(Training(store, out, (), 2, tmp_path / "codec", processes=0))
    train_all(Training(store, out, ("width-64",), 2, tmp_path / "codec"))
    (found,) = other_worlds(Setup(out=out.parent), ("width-64",)).values()
    assert found.world == out / "width-64" / "world"
    before = fingerprint(found.world)
    train_all(Training(store, out, ("width-64",), 2, tmp_path / "codec"))
    assert fingerprint(found.world) == before
    opened = EpisodeStore(store)
    opened.write("e9", opened["e0"])
    with pytest.raises(InputError, match="holds a run with another episodes"):
        train_all(Training(store, out, ("width-64",), 2, tmp_path / "codec"))
