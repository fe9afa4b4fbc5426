"""The command line: parse, one dataclass, one call. Heavy imports wait until a command runs, so that --help is quick."""

from __future__ import annotations

import os
import sys
from typing import Annotated

try:
    import tyro

    from worldgym.cli.data import Convert, Data, Tasks
    from worldgym.cli.judge import Judge
    from worldgym.cli.ood import Augment, Perturb, Stress
    from worldgym.cli.policies import PolicyCommand, ServePolicy
    from worldgym.cli.reference import Reference
    from worldgym.cli.runs import Demo, Evaluate, Export, Merge, Report
    from worldgym.cli.statistics import Agreement, Compare, Estimate, Plan
    from worldgym.cli.trust import Check, Trust
    from worldgym.cli.worlds import Distill, ImportCheckpoint, ImportCodec, Sharpen, Train
    from worldgym.errors import WorldGymError
except KeyboardInterrupt:  # Ctrl-C while modules are loaded: nothing has begun
    sys.exit(130)

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


def main(arguments: list[str] | None = None) -> None:
    """Ends with the exit codes of docs/conventions.md; an error is one sentence on standard error."""
    style = (tyro.conf.OmitArgPrefixes, tyro.conf.OmitSubcommandPrefixes)
    try:
        command = tyro.cli(Command, args=arguments, prog="worldgym", config=style)
        command.run()
    except WorldGymError as error:
        print(f"worldgym: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except BrokenPipeError:  # whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except KeyboardInterrupt:
        print("worldgym: stopped; what ran is kept, and the same command goes on from there", file=sys.stderr)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(130)  # threads that wait for a judge's server would hold the process for as long as their patience lasts
