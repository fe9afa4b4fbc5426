"""All stages to a new bundled world as one command that resumes: recordings, world,
distillation, mining of its false successes, judge, error predictor, calibration, evaluation.

OUT/data, OUT/policies, OUT/world, ...    what the stages make
OUT/stages/NAME.json                      a finished stage: its commands, seconds, and when
OUT/stages/NAME.log                       what its commands printed

A stage (`chain_stages.py`) is a list of `worldgym` commands, each of which resumes by itself. A
stage that is finished with exactly the same commands is not run again."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from worldgym.errors import WorldGymError, pick
from worldgym.evaluation.provenance import now
from worldgym.evaluation.stop_conditions import Terminated
from worldgym.io.files import read_json, write_json
from worldgym.io.migration import migrated_command
from worldgym.reference.chain_stages import ChainSizes, Command, Stage, stages

Run = Callable[[Command, Path], int]  # (words, log) => exit code


class StageFailed(WorldGymError):
    """A command of the chain ended with an error."""


def run_chain(
    out: Path, sizes: ChainSizes, only: Sequence[str] = (), run: Run | None = None
) -> list[str]:
    """Runs what is not finished, and returns the names of the stages run. StageFailed names the
    command and its log; InputError an unknown stage."""
    run = run or run_command
    asked = stages(out, sizes)
    for name in only:
        pick("stage", name, {stage.name: stage for stage in asked})
    ran = []
    for stage in asked:
        if (only and stage.name not in only) or is_finished(out, stage):
            continue
        log = out / "stages" / f"{stage.name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        started = time.monotonic()
        for command in stage.commands:
            code = run(_expanded(command), log)
            if code:
                raise StageFailed(
                    f"the stage {stage.name} stopped with exit code {code} at worldgym "
                    f"{' '.join(command)}: see {log}, then start the chain again"
                )
        seconds = round(time.monotonic() - started, 1)
        write_json(_marker(out, stage), {**asdict(stage), "seconds": seconds, "time": now()})
        ran.append(stage.name)
    return ran


def is_finished(out: Path, stage: Stage) -> bool:
    """Whether it ran to its end with exactly the same commands."""
    marker = _marker(out, stage)
    if not marker.exists():
        return False
    done = read_json(marker, "a finished stage")
    before = [migrated_command(command) for command in done.get("commands", [])]
    return before == [list(command) for command in stage.commands]


def run_command(command: Command, log: Path) -> int:
    """In its own process; its output is added to the log. => exit code; runs that lack a few
    trials (3, 4) end the chain as well, so that nothing is chosen by half a run."""
    with log.open("a", encoding="utf-8") as file:
        file.write(f"$ worldgym {' '.join(command)}\n")
        file.flush()
        words = [sys.executable, "-m", "worldgym", *command]
        child = subprocess.Popen(words, stdout=file, stderr=subprocess.STDOUT)
        try:
            return child.wait()
        except KeyboardInterrupt as stop:  # it finishes what it has begun, as the user would see
            if isinstance(stop, Terminated):
                child.terminate()
            child.wait()
            raise


def _expanded(command: Command) -> Command:
    """A word that ends in "/*" stands for the folders there, by name."""
    words = list[str]()
    for word in command:
        if word.endswith("/*"):
            words += sorted(str(path) for path in Path(word[:-2]).glob("*/"))
        else:
            words.append(word)
    return tuple(words)


def _marker(out: Path, stage: Stage) -> Path:
    return out / "stages" / f"{stage.name}.json"
