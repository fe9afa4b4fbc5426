"""Episodes of the reference world recorded a minute, rendering and encoding included, on all
cores."""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from pathlib import Path

from machine import note

from worldgym.reference.record import RecordConfig, record

EPISODES = 10  # a task


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        store = record(RecordConfig(Path(folder) / "store", EPISODES))
        minutes = (time.perf_counter() - started) / 60
    rate = (
        f"{len(store) / minutes:.0f} episodes of 40 actions a minute on "
        f"{multiprocessing.cpu_count()} cores"
    )
    note(
        "Recording speed: `python benchmarks/record_speed.py`",
        [f"{rate} (start of the processes included)."],
    )


if __name__ == "__main__":
    main()
