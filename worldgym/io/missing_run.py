"""What is said where a run was to be, and there is none."""

from __future__ import annotations

from pathlib import Path

from worldgym.errors import InputError

NAMED = 5  # runs below a folder that are named


def missing_run(log: Path) -> InputError:
    """For the log of a run that is no file: that there is no such folder, that it is none, which
    runs lie below it, or that it holds none."""
    folder = log.parent
    if folder.is_file():
        return InputError(f"{folder}: is a file; give the folder of a run, which holds {log.name}")
    if not folder.is_dir():
        return InputError(
            f"{folder}: no such folder; give the folder of a run (--out of `worldgym evaluate`)"
        )
    below = sorted(found.parent for found in folder.glob(f"*/{log.name}"))
    if below:
        shown = ", ".join(map(str, below[:NAMED])) + (", ..." if len(below) > NAMED else "")
        return InputError(f"{folder}: is a folder of runs; give one of them: {shown}")
    return InputError(
        f"{folder}: holds no run (no {log.name}); give the folder of one (--out of `worldgym "
        f"evaluate`)"
    )
