"""The split holds: policies, seeds and names of the sets never meet."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest

from worldgym.errors import InputError
from worldgym.io.bundled import BUNDLE
from worldgym.policies.own.bc import BCConfig
from worldgym.policies.own.diffusion import DiffusionConfig
from worldgym.reference.behaviours import CLOSED_LOOP
from worldgym.reference.policy_zoo import SERIES, SETS, policy_set, zoo
from worldgym.reference.reference_tasks import FIRST_HELD_OUT_SEED
from worldgym.train.policy_training import PolicyTrainConfig, settings

STORE = Path("store")


def recipes(name: str) -> list[PolicyTrainConfig]:
    return zoo(name, STORE, Path("out"))


def names(name: str) -> list[str]:
    return [policy for config in recipes(name) for policy in config.names.values()]


def test_no_name_training_seed_or_start_state_is_shared() -> None:
    for a, b in combinations(SETS, 2):
        assert not set(names(a)) & set(names(b))
        assert not {c.fit.seed for c in recipes(a)} & {c.fit.seed for c in recipes(b)}
        assert not set(policy_set(a).seeds) & set(policy_set(b).seeds)
    assert all(len(set(names(name))) == len(names(name)) for name in SETS)


def test_held_out_policies_are_many_and_differ_in_what_was_promised() -> None:
    configs = {config.name: config for config in recipes("held-out")}
    assert len(names("held-out")) >= 12 and len(policy_set("held-out").seeds) == 100
    assert policy_set("held-out").seeds.start >= FIRST_HELD_OUT_SEED
    assert (
        len(
            {
                config.net.trunk.width
                for config in configs.values()
                if isinstance(config.net, BCConfig)
            }
        )
        == 3
    )
    assert {1, 4, 8} <= {config.net.chunk for config in configs.values()}
    assert len({config.samples.episodes for config in configs.values()} - {0}) == 2
    assert configs["series"].save_at == SERIES and len(SERIES) == 5
    assert any(isinstance(config.net, DiffusionConfig) for config in configs.values())
    assert configs["flawless"].samples.behaviours == ("expert",)


def test_nobody_learns_from_closed_loops_or_from_start_states_that_are_scored() -> None:
    for name in SETS:
        for config in recipes(name):
            assert config.samples.without == CLOSED_LOOP
            assert config.samples.store == STORE and config.out.parent == Path("out")


def test_the_bundled_policies_are_of_the_development_set() -> None:
    bundled = {folder.name for folder in (BUNDLE / "policies").iterdir()}
    assert bundled <= set(names("development"))


def test_collectors_are_as_they_were_trained() -> None:
    found = {
        c.name: (c.fit.steps, c.net.chunk, c.samples.imitate, c.samples.episodes)
        for c in recipes("collectors")
    }
    assert found == {
        "collector-chunk2": (900, 2, "expert", 0),
        "collector-chunk6": (900, 6, "expert", 0),
        "collector-plain": (700, 1, "expert", 0),
        "collector-brief": (300, 3, "expert", 0),
        "collector-halting": (500, 4, "executed", 0),
        "collector-narrow": (500, 5, "expert", 30),
        "collector-early": (400, 2, "expert", 0),
        "collector-slight": (800, 3, "expert", 0),
        "collector-drawn": (900, 6, "expert", 0),
    }
    assert {(c.fit.seed, c.fit.lr) for c in recipes("collectors")} == {(100, 2e-3)}


def test_another_seed_changes_that_alone() -> None:
    own, other = (
        settings(config)
        for config in (recipes("held-out")[0], zoo("held-out", STORE, Path("out"), seed=5)[0])
    )
    assert other == {**own, "fit": {**own["fit"], "seed": 5}}


def test_an_unknown_set_is_named() -> None:
    with pytest.raises(
        InputError,
        match="no set of policies is called finals; there are development, held-out, collectors",
    ):
        zoo("finals", STORE, Path("out"))
