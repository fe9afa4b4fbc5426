"""Views of an initial frame that a world draws itself, against those that were recorded.

    python benchmarks/generated_views.py WORLD STORE [--sheet views.png]

STORE: held-out episodes with all views. Prints PSNR in dB and writes a sheet: main view, recorded
and generated view, a row an episode.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from worldgym.episodes.inspection import write_sheet
from worldgym.episodes.store import EpisodeStore
from worldgym.trust.generated_views import view_quality
from worldgym.world.world_checkpoint import load_diffusion_world

ROWS = 12  # of the sheet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("world", type=Path)
    parser.add_argument("store", type=Path)
    parser.add_argument("--sheet", type=Path)
    asked = parser.parse_args()
    world = load_diffusion_world(asked.world)
    store = EpisodeStore(asked.store)
    found = view_quality(world, world.views, [store[info.name] for info in store])
    print("| view | episodes | generated, dB | mean picture | another episode's |")
    print("| --- | --- | --- | --- | --- |")
    for one in found:
        print(
            f"| {one.view} | {one.episodes} | {one.generated:.1f} | {one.mean:.1f} | "
            f"{one.other:.1f} |"
        )
        if asked.sheet:
            rows = [np.concatenate(list(row), axis=1) for row in one.frames[:ROWS]]
            write_sheet(np.concatenate(rows), asked.sheet)


if __name__ == "__main__":
    main()
