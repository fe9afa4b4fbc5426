"""The name "bundled" stands for the bundle wherever a world, judge, tasks, codec, inverse-dynamics
model or policy is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from worldgym.cli.catalogue import commands
from worldgym.cli.options import options_of
from worldgym.errors import CheckpointError, InputError, did_you_mean
from worldgym.io import bundled as module
from worldgym.io.bundled import BUNDLE, bundled, bundled_policies, each_policy
from worldgym.policies.load_policy import load_policy

needs_bundle = pytest.mark.skipif(not (BUNDLE / "world").exists(), reason="no bundle yet")


@needs_bundle
def test_the_name_stands_for_each_part() -> None:
    assert {part: bundled("bundled", part) for part in ("world", "judge", "tasks")} == {
        part: BUNDLE / part for part in ("world", "judge", "tasks")
    }
    assert (
        each_policy(["still", "bundled"]) == ("still", *bundled_policies())
        and "bc-large" in bundled_policies()
    )


def test_a_folder_of_that_name_is_the_users_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bundled").mkdir()
    assert bundled("bundled", "world") == Path("bundled") and each_policy(["bundled"]) == (
        "bundled",
    )
    assert bundled(Path("x/y"), "world") == Path("x/y")


def test_an_installation_without_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BUNDLE", tmp_path)
    with pytest.raises(CheckpointError, match="missing from this installation"):
        bundled("bundled", "judge")


@needs_bundle
def test_a_bundled_policy_goes_by_its_name_and_a_near_one_is_proposed() -> None:
    assert load_policy("bc-large").name == "bc-large"
    with pytest.raises(InputError, match=r"did you mean bc-large\?"):
        load_policy("bc-larg")


def test_nothing_is_proposed_for_what_is_like_nothing() -> None:
    assert did_you_mean("zzz", ["drawer", "door"]) == "" and "drawer" in did_you_mean(
        "drawr", ["drawer", "door"]
    )


def test_every_command_takes_the_name() -> None:
    parts = {
        (called, option.field): option.part
        for called, entry in commands()
        for option in options_of(entry.load())
        if option.field in ("world", "judge", "tasks", "codec", "inverse_dynamics")
    }
    others = {  # names of tasks, folders that a bundle is made from, a name on a hub
        ("reference record", "tasks"),
        ("reference record-panda", "tasks"),
        ("reference measure-crossings", "tasks"),
        ("reference evaluate", "tasks"),
        ("reference generate-rollouts", "tasks"),
        ("reference bundle", "judge"),
        ("reference bundle", "inverse_dynamics"),
        ("world import", "codec"),
        ("play", "world"),  # takes the name too: with it, the bundled tasks and judge are defaults
    }
    assert {place for place, part in parts.items() if not part} == others
    assert parts["world check", "world"] == parts["world trust", "world"] == "world"
    assert parts["codec fine-tune", "codec"] == "codec"
    assert parts["world fit-error-predictor", "inverse_dynamics"] == "inverse-dynamics"
