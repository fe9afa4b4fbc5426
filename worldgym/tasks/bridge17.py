"""The published BridgeData V2 suite: 17 tasks, ten real trials each of four policies.

Results, categories and rules of partial credit: Kim et al., OpenVLA (arXiv 2406.09246), Table 4 of
the appendix. Successes may be halves, for partial credit counts 0.5. The initial frames are the
user's own: the suite is data without pictures, and `make_bridge17` joins both into a task folder,
with the published results beside it. Prompts are the tasks' names in lower case."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from worldgym.errors import InputError
from worldgym.io.files import write_atomic
from worldgym.io.images import resized
from worldgym.tasks.new_tasks import slug
from worldgym.tasks.task_folder import DEFAULT_STEPS, read_png
from worldgym.tasks.write_tasks import write_task
from worldgym.types import Task

TRIALS = 10  # a task and policy, on the real robot
POLICIES = ("RT-1-X", "Octo", "RT-2-X", "OpenVLA")

REACHES = "The arm moves towards the object that was asked for."
TOUCHES = "The gripper touches the eggplant."


@dataclass(frozen=True)
class PublishedTask:
    """prompts: what the policy was told; two where the trials were split.   successes: of TRIALS,
    in the order of POLICIES."""

    number: int
    title: str
    category: str
    prompts: tuple[str, ...]
    successes: tuple[float, float, float, float]
    partial_credit: str = ""

    @property
    def group(self) -> str:
        """What results are summed over: "07-put-carrot-on-plate-w-height-change"."""
        return f"{self.number:02d}-{slug(self.title)}"

    def folders(self) -> dict[str, str]:
        """Folder of initial frames => prompt: the group itself, or one below it a prompt."""
        if len(self.prompts) == 1:
            return {self.group: self.prompts[0]}
        return {f"{self.group}/{slug(prompt)}": prompt for prompt in self.prompts}


Cells = tuple[float, float, float, float]


def _task(
    number: int, title: str, category: str, successes: Cells, partial_credit: str = ""
) -> PublishedTask:
    """A task with one prompt, its title without what stands in brackets."""
    prompt = title.partition(" (")[0].lower().replace("aaa", "AAA")
    return PublishedTask(number, title, category, (prompt,), successes, partial_credit)


def _choice(number: int, title: str, successes: Cells, *prompts: str) -> PublishedTask:
    """A task of the category language: the trials are split between two prompts on the same
    scene."""
    return PublishedTask(number, title, "language", prompts, successes, REACHES)


BRIDGE17 = (
    _task(1, "Put Eggplant into Pot (Easy Version)", "visual", (1, 5, 7, 10)),
    _task(2, "Put Eggplant into Pot", "visual", (0, 1, 5, 10)),
    _task(3, "Put Cup from Counter into Sink", "visual", (1, 1, 0, 7)),
    _task(4, "Put Eggplant into Pot (w/ Clutter)", "visual", (1, 3.5, 6, 7.5), REACHES),
    _task(5, "Put Yellow Corn on Pink Plate", "visual", (1, 4, 8, 9), REACHES),
    _task(6, "Lift Eggplant", "motion", (3, 0.5, 6.5, 7.5), TOUCHES),
    _task(
        7,
        "Put Carrot on Plate (w/ Height Change)",
        "motion",
        (2, 1, 4.5, 4.5),
        "The carrot is held and touches the plate.",
    ),
    _task(8, "Put Carrot on Plate", "physical", (1, 0, 1, 8)),
    _task(9, "Flip Pot Upright", "physical", (2, 6, 5, 8)),
    _task(10, "Lift AAA Battery", "physical", (0, 0, 2, 7)),
    _task(11, "Move Skull into Drying Rack", "semantic", (1, 0, 5, 5)),
    _task(12, "Lift White Tape", "semantic", (3, 0, 0, 1)),
    _task(13, "Take Purple Grapes out of Pot", "semantic", (6, 0, 5, 4)),
    _task(
        14,
        "Stack Blue Cup on Pink Cup",
        "semantic",
        (0.5, 0, 5.5, 4.5),
        "The blue cup is held and touches the pink cup.",
    ),
    _choice(
        15,
        "Put Eggplant or Red Bottle into Pot",
        (2.5, 4, 8.5, 7.5),
        "put eggplant into pot",
        "put red bottle into pot",
    ),
    _choice(
        16,
        "Lift Cheese or Red Chili Pepper",
        (1.5, 2.5, 8.5, 10),
        "lift cheese",
        "lift red chili pepper",
    ),
    _choice(
        17,
        "Put Blue Cup or Pink Cup on Plate",
        (5, 5.5, 8.5, 9.5),
        "put blue cup on plate",
        "put pink cup on plate",
    ),
)


def make_bridge17(
    frames: Path, out: Path, size: tuple[int, int] | None = None
) -> tuple[list[str], list[str]]:
    """FRAMES/GROUP[/PROMPT]/ANY.png => a task folder OUT with published.csv => (names of the tasks,
    folders without frames).

    size: (height, width) to resize the frames to. InputError if no folder of the suite is there,
    with the names wanted."""
    if out.resolve() == frames.resolve():
        raise InputError(f"{out}: is the folder of the frames itself; choose another --out")
    names, missing = [], []
    for published in BRIDGE17:
        for folder, prompt in published.folders().items():
            images = sorted((frames / folder).glob("*.png"))
            if not images:
                missing.append(folder)
            for image in images:
                task = Task(
                    f"{folder}/{image.stem}",
                    published.group,
                    resized(read_png(image), size),
                    prompt,
                    DEFAULT_STEPS,
                    published.partial_credit,
                    (published.category,),
                )
                write_task(out, task)
                names.append(task.name)
    if not names:
        wanted = ", ".join(folder for published in BRIDGE17 for folder in published.folders())
        raise InputError(
            f"{frames}: holds no initial frame of the suite; put PNG files into folders named "
            f"{wanted}"
        )
    write_atomic(out / "published.csv", published_csv().encode())
    return names, missing


def published_csv() -> str:
    """The published results as a table: policy, group, category, trials, successes (halves are
    partial credit)."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["policy", "group", "category", "trials", "successes"])
    writer.writerows(_rows())
    return text.getvalue()


def _rows() -> Iterator[tuple[str, str, str, int, float]]:
    for task in BRIDGE17:
        for policy, successes in zip(POLICIES, task.successes, strict=True):
            yield policy, task.group, task.category, TRIALS, successes
