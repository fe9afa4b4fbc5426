"""The split that was fixed before any of its policies was trained."""

from __future__ import annotations

import hashlib
import json
from collections import Counter

import pytest

from worldgym.actions.conventions import convention
from worldgym.errors import InputError
from worldgym.policies.adapters.disturbed_policy import DisturbedPolicy
from worldgym.policies.own.scripted import StillPolicy
from worldgym.reference.any_motion import SPLIT, any_motion_set
from worldgym.reference.policy_zoo import policy_set
from worldgym.reference.reference_tasks import TASKS

FIXED = "3750ecb5da0d3665"  # of the held-out part: whoever changes it makes a new set


def test_the_held_out_set_is_the_one_that_was_fixed() -> None:
    held_out = json.loads(SPLIT.read_text())["held-out"]
    found = hashlib.sha256(json.dumps(held_out, sort_keys=True).encode()).hexdigest()[:16]
    assert found == FIXED


def test_there_are_twenty_or_more_of_all_kinds_on_seeds_of_their_own() -> None:
    held_out, development = any_motion_set("held-out"), any_motion_set("development")
    kinds = Counter(held_out.kinds.values())
    assert sum(kinds.values()) == 24 and min(kinds.values()) >= 6
    assert not set(held_out.kinds) & set(development.kinds)
    ranges = [range(*held_out.seeds), *(policy_set(n).seeds for n in ("held-out", "development"))]
    assert all(not set(ranges[0]) & set(other) for other in ranges[1:])
    assert held_out.seeds[0] >= 10_000 > development.seeds[1]
    for way in ("disturbed", "near_missing"):  # no disturbance is tuned by
        mine = [recipe.by for recipe in vars(held_out)[way].values()]
        assert not any(recipe.by in mine[1:] for recipe in vars(development)[way].values())
    with pytest.raises(InputError, match="held-out"):
        any_motion_set("heldout")


def test_every_disturbance_fits_the_reference_world() -> None:
    instructions = {task.instruction for task in TASKS.values()}
    for name in ("held-out", "development"):
        asked = any_motion_set(name)
        for recipe in (*asked.disturbed.values(), *asked.near_missing.values()):
            DisturbedPolicy(StillPolicy(convention("metaworld")), recipe.by, "p")
            told = recipe.by.instructions
            assert instructions >= {*told, *told.values()}
            assert recipe.of in (*asked.recipes.only, *asked.retrieval)
