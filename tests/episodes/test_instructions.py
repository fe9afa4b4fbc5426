"""One rule for what an episode is called, said where it had a choice; parts of an episode hold all
of it once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worldgym.episodes.instructions import SplitSource, called, part, stretches, subtasks
from worldgym.episodes.recording import Listed, Recording, SourceOptions
from worldgym.errors import InputError

TEXTS = st.lists(st.sampled_from(["", "pick", "place", "push"]), min_size=2, max_size=12)


def test_one_text_is_the_instruction_and_nothing_is_said() -> None:
    for wordings, texts in (
        (["go "], []),
        ([], ["go", " go"]),
        ([], ["", "go", ""]),
        (["", "go"], ["", ""]),
    ):
        instruction, facts = called(SourceOptions(instruction="other"), wordings, texts)
        assert instruction == "go" and not facts.notes


def test_an_episode_without_one_takes_the_one_that_is_given() -> None:
    assert called(SourceOptions(instruction="go\x07 on"), ["", "  "], [""])[0] == "go on"
    assert (
        called(SourceOptions(), [])[0] == ""
        and subtasks(SourceOptions(instruction="go"), [])[0] == "go"
    )


def test_wordings_are_counted_from_one() -> None:
    several = ["lift it", "raise it", "lift it"]
    for wording, expected in ((1, "lift it"), (2, "raise it"), (9, "raise it")):
        instruction, facts = called(SourceOptions(wording=wording), several)
        assert instruction == expected and facts.wordings == ("lift it", "raise it")
        assert f"number {min(wording, 2)} is taken (--wording chooses)" in facts.notes[0]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [("join", "a, then b, then a"), ("first", "a"), ("last", "a"), ("split", "a, then b, then a")],
)
def test_subtasks_by_rule(rule: str, expected: str) -> None:
    instruction, facts = called(SourceOptions(subtasks=rule), ["whole"], ["a", "a", "", "b", "a"])
    assert (
        instruction == expected
        and facts.texts == ("a", "a", "", "b", "a")
        and facts.wordings == ("whole",)
    )
    assert bool(facts.notes) == (rule != "split")


def test_unknown_rules_are_refused() -> None:
    with pytest.raises(
        InputError,
        match="is no way to name an episode of several subtasks: one of join, first, last, split",
    ):
        SourceOptions(subtasks="all")
    with pytest.raises(InputError, match="wording 0 does not exist"):
        SourceOptions(wording=0)


@settings(max_examples=60)
@given(TEXTS, st.integers(0, 1))
def test_parts_hold_every_action_once_under_its_own_text(texts: list[str], missing: int) -> None:
    n = len(texts)
    frames = np.zeros((n, 4, 4, 3), np.uint8) + np.arange(n, dtype=np.uint8)[:, None, None, None]
    actions = np.arange(n - missing, dtype=np.float32)[:, None]
    whole = Recording(
        frames,
        actions,
        actions.repeat(2, axis=1) if not missing else None,
        "x",
        "here",
        success=True,
    )
    found = stretches(texts)
    assert [t for first, last, _ in found for t in range(first, last)] == list(range(n))
    try:
        parts = [part(whole, *stretch) for stretch in found]
    except InputError:
        raise AssertionError(found) from None
    np.testing.assert_array_equal(np.concatenate([p.actions for p in parts]), actions)
    assert [p.success for p in parts] == [None] * (len(parts) - 1) + [True]
    for (first, last, text), p in zip(found, parts, strict=True):
        assert (
            p.instruction == text
            and p.frames[0, 0, 0, 0] == first
            and p.frames[-1, 0, 0, 0] == min(last, n - 1)
        )
        assert set(filter(None, texts[first:last])) <= {text}


@dataclass
class Whole:
    """Episodes that nothing splits; counts how often it is listed."""

    kind: str = "none"
    camera: str = "main"
    cameras: tuple[str, ...] = ("main",)
    spec: None = None
    listed: int = 0

    def listing(self) -> Sequence[Listed]:
        self.listed += 1
        return [Listed(f"e{i}") for i in range(5)]

    def read(self, name: str) -> Recording:
        frames = np.zeros((2, 8, 8, 3), np.uint8)
        return Recording(frames, np.zeros((2, 7), np.float32), None, name, "x")


def test_episodes_that_are_not_split_are_listed_once() -> None:
    asked: list[str] = []

    def texts(name: str) -> list[str]:
        asked.append(name)
        return ["go", "go"]

    source = SplitSource(whole := Whole(), texts)
    for name in [f"e{i}" for i in range(5)]:
        assert source.read(name).instruction == name
    assert len(asked) == 5 and whole.listed == 1
    with pytest.raises(InputError, match="e9"):
        source.read("e9")
