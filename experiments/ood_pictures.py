"""The pictures of docs/ood.md: the edits of its example on one initial frame, and edits beside the
simulator's own variations.

python experiments/ood_pictures.py
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from worldgym.io.bundled import BUNDLE
from worldgym.reference.simulator import Simulator
from worldgym.reference.variations import variation
from worldgym.tasks.edits.edit_file import Edit, read_edits
from worldgym.tasks.task_folder import load_tasks
from worldgym.types import Frames

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "ood.md"
OUT = ROOT / "docs" / "ood"
GROUP = "drawer-open"
SEED = 10_000
SHOWN = 120  # pixels of a frame


def main() -> None:
    task = next(task for task in load_tasks(BUNDLE / "tasks") if task.name == f"{GROUP}/{SEED}")
    example = re.findall(
        r"^```toml\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )[0]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "edits.toml"
        file.write_text(example)
        pictured = [edit for edit in read_edits(file) if edit.image and edit.fits(task)]
    save(
        "edits.png",
        [("as it was", task.frame), *((edit.name, edit.of(task).frame) for edit in pictured)],
        5,
    )
    edits = {edit.name: edit for edit in read_edits(ROOT / "experiments" / "ood_edits.toml")}
    names = [name for name in edits if name not in ("clutter", "warm")]
    save(
        "simulator.png",
        [
            *((n, edits[n].of(task).frame) for n in names),
            *(("", simulated(edits[n])) for n in names),
        ],
        len(names),
    )


def simulated(edit: Edit) -> Frames:
    simulator = Simulator(GROUP, change=variation(edit.name))
    frame = simulator.reset(SEED).frame
    simulator.close()
    return frame


def save(name: str, frames: Sequence[tuple[str, Frames]], columns: int) -> None:
    rows = -(-len(frames) // columns)
    sheet = Image.new("RGB", (columns * SHOWN, rows * SHOWN))
    for place, (label, frame) in enumerate(frames):
        picture = Image.fromarray(np.asarray(frame)).resize(
            (SHOWN - 2, SHOWN - 2), Image.Resampling.LANCZOS
        )
        ImageDraw.Draw(picture).text((3, 1), label, fill=(255, 255, 160))
        sheet.paste(picture, (place % columns * SHOWN, place // columns * SHOWN))
    OUT.mkdir(exist_ok=True)
    sheet.quantize(256, Image.Quantize.FASTOCTREE).save(OUT / name, optimize=True)


if __name__ == "__main__":
    main()
