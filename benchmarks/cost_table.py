"""Time, money and disk of 10^3, 10^5 and 10^7 trials, from the figures of RESULTS.md and, for a
GPU, from the roofline of gpu/: what docs/cluster.md says of them.

    PYTHONPATH=gpu python benchmarks/cost_table.py --run RUN   # a trial on the disk, first
    PYTHONPATH=gpu python benchmarks/cost_table.py --write     # the table, into docs/cluster.md
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap

from machine import RESULTS, note
from roofline import CARDS, Sampling, parts

from worldgym.io.run_log import LOG_NAME, each_outcome
from worldgym.world.network_config import published_network

DOCS = Path(__file__).parents[1] / "docs" / "cluster.md"
BEGIN, END = "<!-- costs: benchmarks/cost_table.py -->", "<!-- end of costs -->"
TRIALS = (10**3, 10**5, 10**7)
FRAMES = 80  # of a trial, as those of the bundled tasks
CORE_HOUR, GPU_HOUR = 0.04, 3.5  # US dollars, assumed: about what clouds ask for on demand
CORES, GPUS = 64, 8  # machines of the last columns
FILES = "A trial on the disk"
WIDTH = 140  # of a line of the page


@dataclass(frozen=True)
class Measured:
    """core_seconds: of a trial of the bundled world.   driver: trials per second.   size, files: of
    a trial, on the disk.   report_seconds, report_mb: of a million trials."""

    core_seconds: float
    driver: float
    size: float
    files: float
    report_seconds: float
    report_mb: float

    @staticmethod
    def read(text: str) -> Measured:
        """From the last measurement of each kind in RESULTS.md."""
        whole = _last(text, r"A whole evaluation", r"(\d+) threads.*?\| 20 \| (\d+) \| ([\d.]+) \|")
        rate = _last(text, r"Many workers: .* driver", r"(\d+) trials per second in batches")
        files = _last(text, FILES, r"(\d+) bytes in ([\d.]+) files")
        report = _last(
            text, r"A run of many trials", r"worldgym report \| ([\d.]+) \| [\d.]+ \| (\d+)"
        )
        threads, trials, minutes = whole
        seconds = float(minutes) * 60 * int(threads) / int(trials)
        return Measured(
            seconds, float(rate[0]), float(files[0]), float(files[1]), *map(float, report)
        )


def _last(text: str, title: str, figures: str) -> tuple[str, ...]:
    """What the last section with this title says."""
    sections = [s for s in re.split(r"^## ", text, flags=re.M) if re.match(title, s)]
    found = [hit.groups() for s in sections if (hit := re.search(figures, s, re.S))]
    if not found:
        raise SystemExit(f"RESULTS.md has no figure of: {title}")
    return found[-1]


def gpu_seconds() -> float:
    """Of a trial in the 608 M world on the first card, as its roofline has it: 10 steps, chunks of
    4, 32 trials at once."""
    sampling = Sampling(batch=32, chunk=4, cfg=1.0, steps=10)
    of_frame = sum(part.seconds(CARDS[0]) for part in parts(published_network(16), sampling))
    return FRAMES * of_frame / sampling.batch


def hours(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("min", 60.0), ("h", 3600.0), ("days", 86400.0)):
        if seconds < 100 * size or unit == "days":
            return f"{seconds / size:.3g} {unit}"
    raise AssertionError


HEADS = (
    "trials",
    "bundled world, core time",
    "cost",
    f"on {CORES} cores",
    f"608 M world, {CARDS[0].name} time",
    "cost",
    f"on {GPUS} GPUs",
    "the driver's part",
    "disk",
)


def lines(m: Measured) -> list[str]:
    table = [_row(HEADS), "|" + " --- |" * len(HEADS), *(_row(_cells(m, n)) for n in TRIALS)]
    return [*table, "", *_measured(m), "", *_breaks(m)]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(m: Measured, n: int) -> list[str]:
    cells = [f"{n:,}"]
    for seconds, count, price in (
        (m.core_seconds, CORES, CORE_HOUR),
        (gpu_seconds(), GPUS, GPU_HOUR),
    ):
        wall = max(n * seconds / count, n / m.driver)
        cells += [hours(n * seconds), f"${n * seconds / 3600 * price:,.2f}", hours(wall)]
    return [*cells, hours(n / m.driver), f"{n * m.size / 1e9:.3g} GB"]


def _measured(m: Measured) -> list[str]:
    text = (
        f"Measured: {m.core_seconds:.2f} core seconds per trial of the bundled world, with judge, "
        f"videos and log; {m.driver:.0f} trials per second through the driver; "
        f"{m.size / 1e3:.1f} kB in {m.files:.1f} files per trial; {m.report_seconds:.0f} s and "
        f"{m.report_mb:.0f} MB for the report of a million. Not measured: the "
        f"{gpu_seconds():.2f} s of a GPU are a roofline (docs/gpu.md) without policy and judge; "
        f"${CORE_HOUR} per core hour and ${GPU_HOUR} per GPU hour are assumed. Extrapolated: "
        f"every row is the cost of one trial times their number; the start of workers, and cores "
        f"that share their memory, come on top."
    )
    return wrap(text, WIDTH)


def _breaks(m: Measured) -> list[str]:
    most = TRIALS[-1]
    report = most / 1e6
    text = (
        f"What breaks first: from {m.driver * m.core_seconds:.0f} cores, or "
        f"{m.driver * gpu_seconds():.0f} GPUs, on, all wait for the one driver; use shards and "
        f"`worldgym run merge`. At {most:,} trials the report would take "
        f"{report * m.report_mb / 1e3:.0f} GB and {hours(report * m.report_seconds)} of a "
        f"processor, and the run {most * m.files / 1e6:.0f} million files: make several runs, each "
        f"with its own report."
    )
    return wrap(text, WIDTH)


def trial_on_disk(run: Path) -> list[str]:
    trials = len({outcome.key for outcome, _ in each_outcome(run / LOG_NAME)[1]})
    # not the page and the true videos, of which there are as many whatever the number of trials
    kept = [run / LOG_NAME, *(p for p in (run / "videos").rglob("*") if p.is_file())]
    sizes = [p.stat().st_size for p in kept]
    each, files = sum(sizes) / trials, len(sizes) / trials
    return [f"{each:.0f} bytes in {files:.2f} files, over {trials} trials of the bundled world."]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--run", type=Path)
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    if asked.run is not None:
        note(f"{FILES}: `python {sys.argv[0]} --run RUN`", trial_on_disk(asked.run))
        return
    table = "\n".join(lines(Measured.read(RESULTS.read_text(encoding="utf-8"))))
    print(table)
    if asked.write:
        page = DOCS.read_text(encoding="utf-8")
        before, rest = page.split(BEGIN)
        DOCS.write_text(f"{before}{BEGIN}\n{table}\n{END}{rest.split(END)[1]}", encoding="utf-8")


if __name__ == "__main__":
    main()
