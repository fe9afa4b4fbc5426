"""The options of a script of this repository, by the same rules as those of the commands."""

from __future__ import annotations

import sys
from typing import TypeVar

from worldgym.cli.help_pages import command_page
from worldgym.cli.options import parse
from worldgym.errors import InputError

T = TypeVar("T")


def read_options(kind: type[T], about: str | None) -> T:
    """The dataclass that the words behind the script's name describe. --help prints `about` and
    the options; exit code 2 and one sentence for wrong words."""
    called = f"python {sys.argv[0]}"
    if {"-h", "--help"} & set(sys.argv[1:]):
        print(command_page(called, kind, about or ""))
        sys.exit(0)
    try:
        return parse(kind, sys.argv[1:], called)
    except InputError as wrong:
        print(wrong, file=sys.stderr)
        sys.exit(2)
