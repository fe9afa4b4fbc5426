"""Reading speed of data formats: episodes of the real sample data, decoded whole, one thread, in
processor time.

Needs the sample data in $WORLDGYM_SAMPLE_DATA (or ../shared/data). The store and the LeRobot set
are converted from its Bridge clips.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

from machine import note

from worldgym.episodes.conversion import ConvertRequest, convert_dataset
from worldgym.episodes.recording import SourceOptions
from worldgym.episodes.sources import open_source

SAMPLES = Path(
    os.environ.get("WORLDGYM_SAMPLE_DATA", Path(__file__).parents[2] / "shared" / "data")
)
RELEASED = SourceOptions(convention="released_10")


def line(root: Path, options: SourceOptions) -> str:
    """One row: opening, and all episodes read."""
    started = time.process_time()
    source = open_source(root, options)
    names = [listed.name for listed in source.listing()]
    opened = time.process_time() - started
    frames = 0
    for name in names:
        shape = source.read(name).frames.shape
        frames += shape[0]
    spent = time.process_time() - started - opened
    size = f"{shape[2]}x{shape[1]}"
    return (
        f"| {source.kind} | {size} | {len(names)} | {frames} | {1000 * opened:.1f} | "
        f"{frames / spent:.0f} |"
    )


def main() -> None:
    if not SAMPLES.is_dir():
        print(f"{SAMPLES}: no sample data, nothing measured", file=sys.stderr)
        return
    clips = SAMPLES / "bridge_mp4"
    rows = [line(SAMPLES / "bridge_rlds" / "1.0.0", SourceOptions()), line(clips, RELEASED)]
    rows += [line(SAMPLES / "droid_mp4", SourceOptions())]
    with tempfile.TemporaryDirectory() as folder:
        for form in ("worldgym", "lerobot"):
            convert_dataset(ConvertRequest(clips, Path(folder) / form, form, RELEASED))
            rows.append(line(Path(folder) / form, SourceOptions()))
    head = [
        "| format | frames | episodes | frames read | opening, ms | frames per second |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    note(
        "Reading speed, processor time of one thread: `python benchmarks/read_speed.py`",
        head + rows,
    )


if __name__ == "__main__":
    main()
