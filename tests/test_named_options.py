"""Every option that a message or a help text names is one that some command has."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from worldgym.cli.catalogue import commands
from worldgym.cli.options import options_of

ROOT = Path(__file__).parent.parent / "worldgym"
NAMED = re.compile(r"(?<![\w-])--[a-z][a-z0-9_-]*")
OURS = {"--help", "--version"}  # of every command, and of the program: no fields
ELSEWHERE = {  # options of other programs, by the file that names them
    "cli/options.py": {"--name"},  # stands for any option
    "episodes/readers/rlds.py": {"--dataset_version_dir", "--out_file_format", "--out_dir"},  # tfds
    "evaluation/provenance.py": {"--show-toplevel"},  # git
    "reference/panda.py": {"--no-deps"},  # pip
}


def known() -> set[str]:
    """The options of all commands, also those that take --config."""
    entries = [entry for _, entry in commands()]
    classes = [entry.load(words) for entry in entries for words in ((), ("--config",))]
    return {option.name for command in classes for option in options_of(command)} | OURS


def texts(source: str) -> Iterator[str]:
    """The strings of a module, docstrings included; two that stand in a row are one."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def unknown(strings: Iterator[str], options: set[str]) -> set[str]:
    return {name for text in strings for name in NAMED.findall(text)} - options


def test_what_counts_as_an_option() -> None:
    code = 'say(f"{x}: choose another --actions, or --out=" "PATH")\n"""for --most_of; a---b"""'
    assert unknown(texts(code), {"--out"}) == {"--actions", "--most_of"}


@pytest.mark.parametrize(
    "room", sorted({p.parent for p in ROOT.rglob("*.py")}), ids=lambda room: room.name
)
def test_every_option_that_is_named_exists(room: Path) -> None:
    options = known()
    for path in room.glob("*.py"):
        name = str(path.relative_to(ROOT))
        found = unknown(texts(path.read_text(encoding="utf-8")), options)
        assert found == ELSEWHERE.get(name, set()), f"{name} names options that no command has"
