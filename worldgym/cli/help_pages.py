"""The pages of --help: all commands by job, the verbs of a noun, the options of a command. They
fit the terminal, and are bold where it shows that and NO_COLOR (https://no-color.org) is unset."""

from __future__ import annotations

import inspect
import os
import shutil
import sys
import textwrap
from collections.abc import Sequence

from worldgym.cli.catalogue import SECTIONS, CommandEntry
from worldgym.cli.options import Option, options_of

WIDEST = 100  # columns
COLUMN = 26  # where the second column begins
INTRODUCTION = "How often would a robot policy succeed? WorldGym measures it in a world model."


def overview() -> str:
    """Every first word, grouped by the job that it is for; 80 x 40 holds it."""
    blocks = [_filled(INTRODUCTION), bold("usage") + ": worldgym COMMAND [options]"]
    blocks += [_section(title, [(e.name, e.line) for e in group]) for title, group in SECTIONS]
    blocks += [
        _filled("worldgym COMMAND --help explains one; worldgym --version prints the version.")
    ]
    return "\n\n".join(blocks)


def noun_page(noun: CommandEntry) -> str:
    """The verbs of a noun."""
    usage = f"{bold('usage')}: worldgym {noun.name} VERB [options]"
    verbs = _section(f"{noun.name}: {noun.line}", [(verb.name, verb.line) for verb in noun.verbs])
    return "\n\n".join(
        [usage, verbs, f"worldgym {noun.name} VERB --help lists the options of each."]
    )


def command_page(called: str, command: type, about: str = "") -> str:
    """What a command does (its docstring, where `about` is empty), and its options: those it needs
    first."""
    known = options_of(command)
    needed = [option for option in known if option.required]
    other = [option for option in known if not option.required]
    usage = " ".join([called, *map(_in_usage, needed), *["[options]"][: bool(other)]])
    said = inspect.cleandoc(about or command.__doc__ or "").split("\n\n")
    blocks = [_filled(f"usage: {usage}", hang=7).replace("usage", bold("usage"), 1)]
    blocks += [_filled(" ".join(paragraph.split())) for paragraph in said]
    for title, group in (("needed", needed), ("options", other)):
        if group:
            blocks.append(_section(title, [(_in_usage(o), _right(o)) for o in group]))
    return "\n\n".join(blocks)


def bold(text: str) -> str:
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return text if plain or not sys.stdout.isatty() else f"\x1b[1m{text}\x1b[0m"


def _section(title: str, rows: Sequence[tuple[str, str]]) -> str:
    """A heading over two columns."""
    lines = [bold(title)]
    for left, right in rows:
        told = _wrapped(right, COLUMN)
        if len(left) + 3 > COLUMN:  # the text begins below
            lines += [f"  {bold(left)}", *told]
        else:
            pad = " " * (COLUMN - 2 - len(left))
            lines += [f"  {bold(left)}{pad}{told[0].lstrip() if told else ''}", *told[1:]]
    return "\n".join(line.rstrip() for line in lines)


def _in_usage(option: Option) -> str:
    if option.positional:
        return option.name + " ..." * (option.count is None)
    return f"{option.name} {_values(option)}".rstrip()


def _values(option: Option) -> str:
    """METAVAR, "N N" for two, "TEXT ..." for any number."""
    if option.count is None:
        return f"{option.metavar} ..."
    return " ".join([option.metavar] * option.count)


def _right(option: Option) -> str:
    default = option.default
    silent = option.required or option.flag or default in (None, "", ()) or "default" in option.text
    if silent:
        return option.text
    shown = " ".join(map(str, default)) if isinstance(default, tuple) else str(default)
    return f"{option.text} (default: {shown})".lstrip()


def _filled(text: str, hang: int = 0) -> str:
    return textwrap.fill(text, _width(), subsequent_indent=" " * hang, break_on_hyphens=False)


def _wrapped(text: str, indent: int) -> list[str]:
    pad = " " * indent
    return textwrap.wrap(
        text, _width(), initial_indent=pad, subsequent_indent=pad, break_on_hyphens=False
    )


def _width() -> int:
    return max(50, min(shutil.get_terminal_size().columns, WIDEST))
