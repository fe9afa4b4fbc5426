"""The command line: parse, one dataclass, one call. Heavy imports wait until a command runs, so
that --help is quick."""

from __future__ import annotations

import errno
import io
import os
import re
import sys
from collections.abc import Sequence
from typing import Annotated, Protocol, TextIO, get_args

try:
    import tyro

    from worldgym import __version__
    from worldgym.cli.data_commands import Convert, Data, Tasks
    from worldgym.cli.edit_commands import Augment, Perturb, Stress
    from worldgym.cli.judge_commands import Judge
    from worldgym.cli.policy_commands import PolicyCommand, ServePolicy
    from worldgym.cli.reference_commands import Reference
    from worldgym.cli.run_commands import Demo, Evaluate, Export, Merge, Report
    from worldgym.cli.statistics_commands import Agreement, Compare, Estimate, Plan
    from worldgym.cli.trust_commands import Check, Trust
    from worldgym.cli.world_commands import (
        Distill,
        ImportCheckpoint,
        ImportCodec,
        Sharpen,
        Train,
    )
    from worldgym.errors import InputError, WorldGymError, did_you_mean
except KeyboardInterrupt:  # Ctrl-C while modules are loaded: nothing has begun
    sys.exit(130)

DESCRIPTION = (
    "Measures robot policies in a learned world model. COMMAND --help lists the options of each; "
    "--version: which this is."
)
Command = (
    Demo
    | Evaluate
    | Report
    | Merge
    | Export
    | Agreement
    | Compare
    | Estimate
    | Plan
    | Judge
    | Annotated[PolicyCommand, tyro.conf.subcommand(name="policy")]
    | ServePolicy
    | Check
    | Trust
    | Train
    | Distill
    | Sharpen
    | Data
    | Convert
    | Tasks
    | Perturb
    | Augment
    | Stress
    | ImportCheckpoint
    | ImportCodec
    | Reference
)


APPENDED = ("--data", "--held-out")  # options that are given once for each value


def speak_plainly(*streams: TextIO) -> None:
    """Characters that a terminal's encoding lacks become "?", instead of ending the command."""
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def commands() -> list[str]:
    """Their names, in the order of the help."""
    names = []
    for command in get_args(Command):
        told = get_args(command)[1:]  # an Annotated one carries its name
        names.append(
            told[0].name if told else re.sub(r"(?<!^)(?=[A-Z])", "-", command.__name__).lower()
        )
    return names


def parsed(arguments: Sequence[str]) -> Runnable:
    """The command that the arguments describe. InputError for one that does not exist; help and
    other faults end here."""
    if arguments and not arguments[0].startswith("-") and arguments[0] not in (known := commands()):
        hint = did_you_mean(arguments[0], known)
        raise InputError(
            f'there is no command "{arguments[0]}"{hint}; `worldgym --help` lists them'
        )
    _refuse_repeated(arguments)
    style = (tyro.conf.OmitArgPrefixes, tyro.conf.OmitSubcommandPrefixes)
    terminal = os.environ.get("TERM")
    # tyro does not know https://no-color.org, but it knows what a dumb terminal wants
    if os.environ.get("NO_COLOR"):
        os.environ["TERM"] = "dumb"
    try:
        command: Runnable = tyro.cli(
            Command, args=arguments, prog="worldgym", description=DESCRIPTION, config=style
        )
        return command
    finally:
        if terminal is not None:
            os.environ["TERM"] = terminal


class Runnable(Protocol):
    def run(self) -> None: ...


def main(arguments: list[str] | None = None) -> None:
    """Ends with the exit codes of docs/conventions.md; an error is one sentence on standard
    error."""
    speak_plainly(sys.stdout, sys.stderr)
    asked = sys.argv[1:] if arguments is None else arguments
    try:
        try:
            if asked == ["--version"]:
                print(f"worldgym {__version__}")
            else:
                parsed(asked).run()
        finally:
            # here and not at the end of the process, where a closed pipe is a traceback
            sys.stdout.flush()
    except WorldGymError as error:
        print(f"worldgym: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EPIPE) or error.filename is not None:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if error.errno == errno.EPIPE:  # whoever read the output has seen enough
            sys.exit(141)
        print(
            "worldgym: the output cannot be written: no space is left; write it elsewhere",
            file=sys.stderr,
        )
        sys.exit(2)
    except KeyboardInterrupt:
        print(
            "worldgym: stopped; what ran is kept, and the same command goes on from there",
            file=sys.stderr,
        )
        sys.stdout.flush()
        sys.stderr.flush()
        # threads that wait for a judge's server would hold the process for as long as their
        # patience lasts
        os._exit(130)


def _refuse_repeated(arguments: Sequence[str]) -> None:
    """InputError where an option is given again: its last values alone would count, and the others
    be lost without a word."""
    names = [
        word.partition("=")[0].replace("_", "-") for word in arguments if word.startswith("--")
    ]
    for name in names:
        if names.count(name) > 1 and name not in APPENDED:
            raise InputError(
                f"{name} is given {names.count(name)} times: give it once, with all its values "
                f"behind it"
            )
