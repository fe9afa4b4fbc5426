"""From words to options: what is taken, what is refused and in which words; and the options of all
commands, read from the commands themselves."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from worldgym.cli import main
from worldgym.cli.catalogue import commands
from worldgym.cli.options import BatchSize, Positional, options_of, parse
from worldgym.errors import InputError


@dataclass(frozen=True)
class Painted:
    colour: Literal["red", "blue"] = "red"
    """of all walls"""


@dataclass(frozen=True, kw_only=True)
class House(Painted):
    """A house."""

    plan: Positional[Path]
    """drawing of it"""
    rooms: int
    size: tuple[int, int] = (4, 5)
    guests: tuple[str, ...] = ()
    height: float | None = None
    seed: int = 0
    garden: bool = False
    extras: dict[str, int] = field(default_factory=dict)


def house(*words: str) -> House:
    return parse(House, words, "worldgym house")


def test_words_become_a_dataclass() -> None:
    assert house("a.png", "--rooms", "3") == House(plan=Path("a.png"), rooms=3)
    all_given = house(
        *shlex.split(
            "--rooms=3 --size 6 7 --guests Ann Bo --height -1.5 --garden --colour blue a.png"
        )
    )
    assert (all_given.size, all_given.guests, all_given.height) == ((6, 7), ("Ann", "Bo"), -1.5)
    assert all_given.garden and all_given.colour == "blue" and all_given.plan == Path("a.png")


def test_a_list_may_be_given_in_several_goes() -> None:
    found = house("a.png", "--guests", "Ann", "--rooms", "1", "--guests", "Bo", "Cy")
    assert found.guests == ("Ann", "Bo", "Cy")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("a.png", "worldgym house needs --rooms"),
        ("--rooms 3", "worldgym house needs PLAN"),
        ("a.png --rooms three", '--rooms is "three": give a whole number'),
        ("a.png --rooms 3 --height tall", '--height is "tall": give a number'),
        ("a.png --rooms", "--rooms needs a value (N), but got 0"),
        ("a.png --rooms 3 --size 6", "--size needs 2 values (N), but got 1"),
        ("a.png --rooms 3 --guests", "--guests needs one or more values (TEXT), but got 0"),
        ("a.png --rooms 3 --rooms 4", "--rooms is given twice"),
        ("a.png --rooms 3 --garden=no", "--garden takes no value"),
        ("a.png --rooms 3 --gardn", "no option --gardn (did you mean --garden?)"),
        ("a.png --rooms 3 --colour bleu", 'cannot be "bleu" (did you mean blue?)'),
        ("a.png --rooms 3 --colour x", 'cannot be "x"; it is one of red, blue'),
        ("a.png b.png --rooms 3", 'cannot tell what "b.png" is for'),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(words: str, said: str) -> None:
    with pytest.raises(InputError) as wrong:
        house(*words.split())
    assert said in str(wrong.value) and "\n" not in str(wrong.value)


def test_the_text_of_a_field_is_its_help() -> None:
    told = {option.name: option.text for option in options_of(House)}
    assert told["PLAN"] == "drawing of it" and told["--colour"] == "of all walls"
    assert told["--seed"] == "seed of all random numbers" and told["--rooms"] == ""


def test_every_option_of_every_command_is_explained() -> None:
    silent = {
        f"{called} {option.name}"
        for called, entry in commands()
        for option in options_of(entry.load())
        if not option.text
    }
    assert silent == set()


def test_one_word_means_one_thing() -> None:
    """An option that two commands share takes values of the same kind."""
    kinds: dict[str, dict[str, list[str]]] = {}
    for called, entry in commands():
        for option in options_of(entry.load()):
            kind = str(option.kind)
            kinds.setdefault(option.field, {}).setdefault(kind, []).append(called)
    several = {name: found for name, found in kinds.items() if len(found) > 1}
    assert set(several) <= {
        "codec",  # of a published checkpoint it may be a name on the hub
        "data",  # [NAME=]FOLDER where several robots are mixed
        "mix",  # shares of stores; or a mixture of behaviours
        "out",  # a folder; or the address of one in an object store
        "policy",  # a name or an address; folders where checkpoints are copied
        "source",
        "tasks",  # a folder; names in the reference world
        "videos",
        "world",  # a checkpoint; or an address or a factory, where any world does
    }, several


def test_a_scalar_option_is_not_dropped_without_a_word(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", "--seed", "1", "--seed", "2"])
    assert stop.value.code == 2 and "--seed is given twice" in capsys.readouterr().err


def test_a_value_that_may_be_left_to_the_program() -> None:
    @dataclass(frozen=True)
    class Command:
        batch: BatchSize = 32
        """trials"""

    assert parse(Command, [], "x") == Command(32)
    assert parse(Command, ["--batch", "auto"], "x").batch is None
    assert parse(Command, ["--batch=8"], "x").batch == 8
    with pytest.raises(InputError, match='--batch is "many": give a whole number or auto'):
        parse(Command, ["--batch", "many"], "x")
