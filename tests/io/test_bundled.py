"""The name "bundled" stands for the bundle wherever a world, judge, tasks, codec, inverse-dynamics
model or policy is named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import is_dataclass
from pathlib import Path
from typing import Annotated, get_args, get_origin, get_type_hints

import pytest

from worldgym.cli import Command
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


def options(command: type) -> Iterator[tuple[str, str, object]]:
    """(command, option, type) of it and of its subcommands."""
    for field, kind in get_type_hints(command, include_extras=True).items():
        yield command.__name__, field, kind
    inner = get_type_hints(command).get("action")
    for one in get_args(inner) or [inner]:
        if is_dataclass(one) and isinstance(one, type):
            yield from options(one)


def test_every_command_takes_the_name() -> None:
    commands = [
        get_args(one)[0] if get_origin(one) is Annotated else one for one in get_args(Command)
    ]
    named = [row for command in commands for row in options(command)]
    other = {"Agreement", "Bundle"}  # rates in a table; what a bundle is made from
    named = [
        (c, f, kind)
        for c, f, kind in named
        if f in ("world", "judge", "tasks", "codec", "inverse_dynamics") and c not in other
    ]
    taken = [(c, f) for c, f, kind in named if "PATH|bundled" in str(kind)]
    names = {(c, f) for c, f, kind in named if "Path" in str(kind)}
    assert names <= set(taken) and {
        ("Check", "world"),
        ("Distill", "world"),
        ("Sharpen", "codec"),
        ("Fit", "inverse_dynamics"),
    } <= set(taken)
