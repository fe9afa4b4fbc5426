"""The command line: words -> one dataclass -> one call. What a command needs is imported when it
runs, so that help is quick."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

try:
    from worldgym import __version__
    from worldgym.cli.catalogue import CommandEntry, commands, entries
    from worldgym.cli.help_pages import command_page, noun_page, overview
    from worldgym.cli.options import parse
    from worldgym.errors import InputError, Unfinished, WorldGymError, did_you_mean
    from worldgym.evaluation.stop_conditions import Terminated, terminated_at_once
    from worldgym.io.text import clean
except KeyboardInterrupt:  # Ctrl-C while modules are loaded: nothing has begun
    sys.exit(130)

HELP = ("--help", "-h")


@dataclass(frozen=True)
class Page:
    """A page of help, as a command."""

    text: str

    def __call__(self) -> None:
        print(self.text)


def parsed(words: Sequence[str]) -> Callable[[], None]:
    """The command that the words describe, or a page of help. InputError for an unknown command,
    with the nearest known name."""
    if not words or words[0] in HELP:
        return Page(overview())
    if words[0] == "--version":
        return Page(f"worldgym {__version__}")
    entry = _named(words[0], entries(), "worldgym")
    called = f"worldgym {words[0]}"
    rest = words[1:]
    if entry.verbs:
        if not rest or rest[0] in HELP:
            return Page(noun_page(entry))
        entry = _named(rest[0], entry.verbs, called)
        called = f"{called} {rest[0]}"
        rest = rest[1:]
    if any(word in HELP for word in rest):
        return Page(command_page(called, entry.load(rest)))
    command: Callable[[], None] = parse(entry.load(rest), rest, called)
    out, tasks = getattr(command, "out", None), getattr(command, "tasks", None)
    if isinstance(out, Path) and tasks is not None:
        from worldgym.io.output_folder import check_output

        check_output(out, tasks)
    return command


def main(arguments: list[str] | None = None) -> None:
    """Ends with the exit codes of docs/conventions.md; an error is one sentence on standard
    error."""
    speak_plainly(sys.stdout, sys.stderr)
    try:
        try:
            with terminated_at_once():
                parsed(sys.argv[1:] if arguments is None else arguments)()
        finally:
            # here and not at the end of the process, where a closed pipe is a traceback
            sys.stdout.flush()
    except WorldGymError as error:
        # names from files and servers' words, which a terminal would obey
        print(f"worldgym: {clean(str(error))}", file=sys.stderr)
        sys.exit(error.exit_code)
    except OSError as error:
        _end_without_output(error)
    except KeyboardInterrupt as stop:
        by_system = isinstance(stop, Terminated)
        print(
            f"worldgym: stopped{' by SIGTERM' if by_system else ''}; finished work is kept, and "
            f"the same command continues from there",
            file=sys.stderr,
        )
        sys.stdout.flush()
        sys.stderr.flush()
        # threads that wait for a judge's server would hold the process for as long as their
        # patience lasts
        os._exit(Unfinished.exit_code if by_system else 130)


def speak_plainly(*streams: TextIO) -> None:
    """Characters that a terminal's encoding lacks become "?", instead of ending the command."""
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _named(word: str, known: Sequence[CommandEntry], before: str) -> CommandEntry:
    for entry in known:
        if entry.name == word:
            return entry
    elsewhere = [called for called, _ in commands() if called.split()[-1] == word]
    hint = (
        f" (did you mean {' or '.join(elsewhere)}?)"
        if elsewhere
        else did_you_mean(word, [entry.name for entry in known])
    )
    raise InputError(f'there is no command "{before} {word}"{hint}; `{before} --help` lists them')


def _end_without_output(error: OSError) -> None:
    """Exits quietly if nobody reads the output, and with a message if the disk is full; raises any
    other fault again."""
    if error.errno not in (errno.ENOSPC, errno.EPIPE) or error.filename is not None:
        raise error
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if error.errno == errno.EPIPE:  # whoever read the output has seen enough
        sys.exit(141)
    print(
        "worldgym: the output cannot be written: no space is left on the disk",
        file=sys.stderr,
    )
    sys.exit(2)
