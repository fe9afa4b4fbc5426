"""Worlds by name: what a name stands for, and one sentence for what is no world."""

from __future__ import annotations

from pathlib import Path

import pytest

from worldgym.errors import CheckpointError, InputError
from worldgym.io.user_factory import digest_of_code
from worldgym.testing import FakeWorld
from worldgym.world.world_source import is_foreign, load_world

MODULE = """
from worldgym.testing import FakeWorld
from worldgym.world.capabilities import Capabilities

def make(side="16"):
    return FakeWorld(frame_shape=(int(side), 24, 3), name="mine")

def nothing():
    return None

def unsound():
    return FakeWorld(views=())

def wordy():
    return FakeWorld(capabilities=Capabilities(instruction=True))

def broken():
    raise OSError("no weights")
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "my_worlds.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(__import__("sys").modules, "my_worlds", raising=False)
    return "my_worlds"


def test_a_world_of_ones_own_is_made_by_its_factory(module: str, tmp_path: Path) -> None:
    source = f"{module}:make?side=8"
    world = load_world(source)
    assert isinstance(world, FakeWorld) and world.frame_shape == (8, 24, 3)
    code = digest_of_code("world", source, world)
    assert (
        len(code) == 12
        and digest_of_code("world", "ws://h", world)
        == digest_of_code("world", "runs/x", world)
        == ""
    )
    (tmp_path / "my_worlds.py").write_text(MODULE + "\nMORE = 1\n", encoding="utf-8")
    assert (
        digest_of_code("world", source, world) != code
    )  # another run: its log is not gone on with


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("nothing", 'returned NoneType, whose "name" cannot be read'),
        ("unsound", "views are one name or more"),
        ("wordy", 'which has no method "begin"'),
        ("broken", "broken failed (OSError: no weights at"),
        ("absent", 'has no function "absent"; it has make'),
    ],
)
def test_what_is_no_world_is_said_in_one_sentence(module: str, place: str, words: str) -> None:
    with pytest.raises(InputError) as error:
        load_world(f"{module}:{place}")
    assert words in str(error.value) and str(error.value).startswith(f'world "{module}:{place}"')


def test_names_and_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_foreign("ws://h:1") and is_foreign("a.b:c?d=e") and not is_foreign("runs/world")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a:b").mkdir()
    assert not is_foreign("a:b")  # a folder of that name
    with pytest.raises(CheckpointError):
        load_world(tmp_path / "a:b")
    with pytest.raises(InputError, match="--embodiment chooses a robot of a checkpoint"):
        load_world("a.b:c", embodiment="left")
