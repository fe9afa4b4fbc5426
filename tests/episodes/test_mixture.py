"""Which stores may train one model, and what their robots are called."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from worldgym.actions.embodiment import Reach, Scaling
from worldgym.episodes.mixture import NamedStore, check_shares, draw_episodes, open_mixture
from worldgym.episodes.store import EpisodeStore
from worldgym.errors import InputError
from worldgym.testing import FAKE_SPEC
from worldgym.types import Episode

OTHER = replace(FAKE_SPEC, unit="1 inch")


@pytest.fixture
def make_store(tmp_path: Path, make_episode: Callable[..., Episode]) -> Callable[..., NamedStore]:
    def make(name: str, folder: str, **fields: object) -> NamedStore:
        episode = make_episode(**fields)
        EpisodeStore.create(tmp_path / folder, episode.spec, episode.fps).write("one", episode)
        return NamedStore(name, tmp_path / folder)

    return make


def test_a_store_is_named_by_the_user_or_after_its_folder() -> None:
    assert NamedStore.parse("droid=data/a") == NamedStore("droid", Path("data/a"))
    assert NamedStore.parse("data/a/") == NamedStore("a", Path("data/a"))


def test_two_robots_are_scaled_each_by_its_own_actions(
    make_store: Callable[..., NamedStore],
) -> None:
    a, b = open_mixture([make_store("a", "a"), make_store("b", "b", spec=OTHER, seed=1)])
    assert (a.robot.name, b.robot.name, b.robot.spec) == ("a", "b", OTHER)
    for part in (a, b):
        shown = part.robot.scaling.shown(part.store.actions("one"))
        np.testing.assert_allclose(np.square(shown).mean(0), 1.0, rtol=1e-4)


def test_stores_of_one_spec_are_one_robots_and_left_as_they_are(
    make_store: Callable[..., NamedStore],
) -> None:
    sources = [make_store("a", "a"), make_store("b", "b", seed=1)]
    a, b = open_mixture(sources)
    assert a.robot == b.robot and a.robot.name == "a" and a.robot.scaling == Scaling()
    (c, d) = open_mixture(sources, normalize=True)
    both = np.concatenate([part.robot.scaling.shown(part.store.actions("one")) for part in (c, d)])
    np.testing.assert_allclose(np.square(both).mean(0), 1.0, rtol=1e-4)


def test_what_cannot_be_mixed_is_refused(make_store: Callable[..., NamedStore]) -> None:
    with pytest.raises(InputError, match="name one with --data"):
        open_mixture(())
    first = make_store("a", "a")
    with pytest.raises(InputError, match=r"b: another robot is called \"a\" too; .* --data other="):
        open_mixture([first, make_store("a", "b", spec=OTHER)])
    with pytest.raises(InputError, match="one model has one rate"):
        open_mixture([first, make_store("c", "c", fps=7.0)])
    with pytest.raises(InputError, match=r"48x48 .* of 32x32, .*convert one of them with --size"):
        open_mixture([first, make_store("d", "d", size=48)])


def test_stores_of_one_robot_have_one_reach(make_store: Callable[..., NamedStore]) -> None:
    sources, size = [make_store("a", "a"), make_store("a", "b", seed=1)], FAKE_SPEC.size
    header = sources[0].root / "store.json"
    reach = Reach((((-1.0,) * size, (2.0,) * size),))
    header.write_text(json.dumps(json.loads(header.read_text()) | {"reach": reach.to_json()}))
    with pytest.raises(InputError, match="different reaches"):
        open_mixture(sources)
    assert open_mixture(sources[:1])[0].robot.scaling == Scaling(reach=reach)
    scaled = open_mixture(sources[:1], normalize=True)[0].robot.scaling
    assert scaled.reach == reach and scaled.scale


@pytest.mark.parametrize(
    ("shares", "good"), [((), True), ((1.0, 0.2), True), ((1.0,), False), ((1.0, 0.0), False)]
)
def test_each_store_has_a_share(shares: tuple[float, ...], good: bool) -> None:
    with (
        nullcontext()
        if good
        else pytest.raises(InputError, match="for each of 2 stores: give as many as stores")
    ):
        check_shares(shares, 2)


@pytest.mark.parametrize("shares", [(1.0, 1.0), (3.0, 1.0), (0.2, 1.0)])
def test_every_batch_keeps_the_shares(shares: tuple[float, float]) -> None:
    stores = np.array([0, 3, 9])
    counts = []
    for step in range(40):
        drawn = draw_episodes(stores, shares, 24, np.random.default_rng([0, step]))
        assert drawn.min() >= 0 and drawn.max() < 9
        counts.append(int((drawn < 3).sum()))
    wanted = 24 * shares[0] / sum(shares)
    assert max(abs(count - wanted) for count in counts) <= 1
    assert np.mean(counts) == pytest.approx(wanted, abs=0.3)
