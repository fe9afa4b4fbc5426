"""Every `worldgym` command line of the pages, the Makefile and the scripts is one that the command
line takes: no option gone, none lacking."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from worldgym.cli import Page, parsed
from worldgym.cli.catalogue import commands, entries
from worldgym.errors import InputError

ROOT = Path(__file__).parent.parent
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "Makefile")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *(path for room in ("benchmarks", "gpu", "experiments") for path in (ROOT / room).glob("*.md")),
]
SOURCES = [
    path
    for room in ("worldgym", "benchmarks", "examples", "experiments", "gpu")
    for path in sorted((ROOT / room).rglob("*.py"))
]
# "compare | plan", "LIST|VIDEO", "evaluate ...": no one command
A_CHOICE = re.compile(r"\s\|\s|\w\|\w|(?<!\[)\w+ \.\.\.")
OPTIONAL = re.compile(r"\[([^]]*)\]")  # "[--seed S]" => with it, "P [P ...]" => twice
# a command in the middle of a sentence: `worldgym judge label ...`
IN_A_SENTENCE = re.compile(r"`worldgym ([a-z][a-z0-9-]*)(?: ([a-z][a-z0-9-]*))?")


def lines(text: str) -> Iterator[str]:
    """Of a page: a line for each command, without its comment; a backslash at the end goes on in
    the next line."""
    for line in re.sub(r"\s*\\\n\s*", " ", text).splitlines():
        program = r"\s*(?:\$\(BIN\)/)?(worldgym .*)"
        if found := re.match(program, re.sub(r"\s+#\s.*$", "", line)):
            yield from re.split(r";\s+(?=worldgym)", found[1].strip())


def whole(command: str) -> str | None:
    """With everything optional in it, and numbers for N, S and F; None where it stands for several
    commands."""
    full = re.sub(
        r"\b[FNS]\b", "1", OPTIONAL.sub(lambda part: part[1].removesuffix(" ..."), command)
    )
    return None if A_CHOICE.search(full) else full


def named(text: str) -> Iterator[str]:
    """The commands that sentences name, over the end of a line too; "worldgym world" for a noun."""
    nouns = {entry.name for entry in entries() if entry.verbs}
    for first, second in IN_A_SENTENCE.findall(re.sub(r'"?\s*\n\s*(?:f?")?', " ", text)):
        yield f"{first} {second}".rstrip() if first in nouns else first


def test_what_a_page_says() -> None:
    page = """text
    worldgym plan --width 0.2   # how many
worldgym judge a | b
    worldgym x P [P ...] \\
        --n N [--s S]; worldgym y
"""
    assert [whole(command) for command in lines(page)] == [
        "worldgym plan --width 0.2",
        None,
        "worldgym x P P --n 1 --s 1",
        "worldgym y",
    ]
    assert list(named("`worldgym world\n  check W` or `worldgym report`")) == [
        "world check",
        "report",
    ]


def test_the_pages_have_commands_and_most_can_be_parsed() -> None:
    found = [
        whole(command) for page in PAGES for command in lines(page.read_text(encoding="utf-8"))
    ]
    assert len(found) > 100 and sum(command is None for command in found) < 0.1 * len(found)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_its_commands_are_taken(page: Path) -> None:
    for command in filter(None, map(whole, lines(page.read_text(encoding="utf-8")))):
        try:
            parsed(shlex.split(command)[1:])
        except InputError as wrong:
            pytest.fail(f"{command}\n{wrong}")


def test_every_command_that_a_sentence_names_exists() -> None:
    known = {called for called, _ in commands()} | {entry.name for entry in entries()}
    wrong = {
        f"{path.relative_to(ROOT)}: worldgym {name}"
        for path in (*PAGES, *SOURCES)
        for name in named(path.read_text(encoding="utf-8"))
        if name not in known
    }
    assert wrong == set()


def test_every_command_has_a_page_of_help() -> None:
    for called, _ in commands():
        page = parsed([*called.split(), "--help"])
        assert isinstance(page, Page) and f"usage: worldgym {called}" in page.text
