"""The description of edits, EDITS.toml, and what it makes of a task.

    [masks]
    robot = [{ hue = [350, 10], saturation = [0.6, 1] }]

    [[edit]]
    name = "mug"                    # edited tasks are called mug/NAME
    axis = "distractor"             # what the report sums over; left out: the kind of the first
    step
    only = ["drawer-*"]             # tasks by name, left out: all
    success = "the mug is lifted"   # only where the goal is another one: what then counts as
    success steps = [
      { kind = "add", object = "mug", at = [0.7, 0.7], behind = "robot" },
      { kind = "reword", to = "lift the mug" },
    ]

Steps are done in order. Randomness depends on the file's `seed`, the edit and the task, so a repeat
gives the same bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, TypeVar

from worldgym.errors import EditRefused, InputError, pick
from worldgym.io.files import read_toml
from worldgym.io.records import field_types, from_mapping, located
from worldgym.servers.model_client import ModelClient
from worldgym.servers.provider import Server
from worldgym.servers.votes import Ledger, Price, default_cache
from worldgym.tasks.edits import generated_edits as generate
from worldgym.tasks.edits import instruction_edits, objects, optics
from worldgym.tasks.edits.edit_protocol import ImageStep, Scene, TextStep, generator_of
from worldgym.tasks.edits.masks import Region, read_region
from worldgym.tasks.task_digest import frame_digest
from worldgym.types import Frames, Task

IMAGE_STEPS: Mapping[str, type[ImageStep]] = {
    "add": objects.Add,
    "remove": objects.Remove,
    "recolour": objects.Recolour,
    "swap": objects.Swap,
    "picture": objects.Picture,
    "lighting": optics.Lighting,
    "background": optics.Background,
    "camera": optics.Camera,
    "noise": optics.Noise,
    "blur": optics.Blur,
    "generate": generate.Generate,
}
TEXT_STEPS: Mapping[str, type[TextStep]] = {
    "paraphrase": instruction_edits.Paraphrase,
    "synonym": instruction_edits.Synonym,
    "word_order": instruction_edits.WordOrder,
    "typo": instruction_edits.Typo,
    "language": instruction_edits.Language,
    "reference": instruction_edits.Reference,
    "mention": instruction_edits.Mention,
    "reword": instruction_edits.Reword,
    "ask": generate.Ask,
}
T = TypeVar("T")
SMALLEST = 16  # pixels of a frame's shorter side
NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")


@dataclass(frozen=True)
class Edit:
    """name: first part of the edited tasks' names.   axis: what results are summed over.   success:
    of a new goal, "" = the same.

    described: the steps as written, for the task's provenance.
    """

    name: str
    axis: str
    image: tuple[ImageStep, ...]
    text: tuple[TextStep, ...]
    described: tuple[Mapping[str, Any], ...]
    only: tuple[str, ...] = ("*",)
    success: str = ""
    seed: int = 0

    def fits(self, task: Task) -> bool:
        return fits_any(self.only, task.name)

    @property
    def asks_a_model(self) -> bool:
        return any(
            isinstance(step, generate.Generate | generate.Ask) for step in (*self.image, *self.text)
        )

    def of(self, task: Task) -> Task:
        """The edited twin of a task. Where its picture is edited it loses its further views,
        because what was painted into one is not in the others: a world draws them again.
        InputError, with the names of edit and task, where a step cannot be done."""
        scene = Scene(generator_of(f"{self.seed}/{self.name}/{task.name}"))
        frame = task.frame
        instruction = task.instruction
        try:
            if min(frame.shape[:2]) < SMALLEST:
                raise InputError(
                    f"its image is {frame.shape[1]}x{frame.shape[0]}; give one of {SMALLEST} "
                    f"pixels per side or more"
                )
            for image_step in self.image:
                frame = image_step.paint(frame, scene)
            for text_step in self.text:
                instruction = text_step.say(instruction, scene)
        except (InputError, EditRefused) as error:
            raise type(error)(f"edit {self.name} of task {task.name}: {error}") from None
        return replace(
            task,
            name=f"{self.name}/{task.name}",
            group=f"{self.name}/{task.group}",
            frame=frame,
            others={} if self.image else task.others,
            instruction=instruction,
            partial_credit="" if self.success else task.partial_credit,
            nominal=task.name,
            axis=self.axis,
            new_goal=bool(self.success),
            success=self.success or task.success,
            extras={**task.extras, "edit": self._provenance(task, frame, scene)},
        )

    def _provenance(self, task: Task, frame: Frames, scene: Scene) -> dict[str, Any]:
        origin = {
            "name": self.name,
            "steps": [dict(step) for step in self.described],
            "instruction_before": task.instruction,
            "sha256_before": frame_digest(task.frame),
            "sha256_after": frame_digest(frame),
        }
        return origin | ({"notes": scene.notes} if scene.notes else {})


@dataclass(frozen=True)
class Described:
    """An [[edit]] as it is written."""

    name: str
    steps: tuple[Mapping[str, Any], ...]
    axis: str = ""
    only: tuple[str, ...] = ("*",)
    success: str = ""


@dataclass(frozen=True)
class SuiteFile:
    """A file of edits as it is written. server, price: as in a judge's description
    (docs/judges.md).   masks: what `read_region` takes, by name."""

    edit: tuple[Described, ...] = ()
    seed: int = 0
    masks: Mapping[str, Any] = field(default_factory=dict)
    server: Server | None = None
    price: Price = field(default_factory=Price)
    cache: Path | None = None


@dataclass(frozen=True)
class Suite:
    """A file of edits. folder: files are relative to it.   masks: named regions.   described: the
    edits as written.

    client: of its [server].
    """

    folder: Path
    masks: Mapping[str, Region] = field(default_factory=dict)
    described: tuple[Described, ...] = ()
    seed: int = 0
    client: ModelClient | None = None

    def steps(
        self, tables: Sequence[Mapping[str, Any]]
    ) -> tuple[tuple[ImageStep, ...], tuple[TextStep, ...]]:
        """Those of the image and those of the instruction. InputError names what is wrong in a
        table."""
        image, text = [], []
        for table in tables:
            kind = str(table.get("kind", ""))
            values = {key: value for key, value in table.items() if key != "kind"}
            if kind in IMAGE_STEPS:
                image.append(self._step(IMAGE_STEPS[kind], values))
            elif kind in TEXT_STEPS:
                text.append(self._step(TEXT_STEPS[kind], values))
            else:
                pick("kind of edit", kind, {**IMAGE_STEPS, **TEXT_STEPS})
        return tuple(image), tuple(text)

    def _step(self, step: type[T], values: Mapping[str, Any]) -> T:
        own: dict[str, Any] = {"folder": self.folder, "client": self.client}
        here = {name: own[name] for name in field_types(step) if name in own}
        readers = {Region: lambda value: read_region(value, self.masks, self.folder)}
        return from_mapping(step, values, here, readers)

    def edit(self, described: Described) -> Edit:
        """InputError names what is wrong in the description."""
        if not described.name or not set(described.name) <= NAME or described.name[0] == ".":
            raise InputError(
                f'an edit\'s name is "{described.name}"; use letters, digits, - and _, because it '
                f"names a folder"
            )
        if not described.steps:
            raise InputError(f"edit {described.name} has no steps; give one or more")
        with located(f"edit {described.name}"):
            image, text = self.steps(described.steps)
        return Edit(
            described.name,
            described.axis or str(described.steps[0]["kind"]),
            image,
            text,
            described.steps,
            described.only,
            described.success,
            self.seed,
        )


def read_edits(
    path: Path, budget_usd: float | None = None, payments: Path | None = None
) -> list[Edit]:
    """The edits of a file, in order. InputError names what is wrong, and where.

    budget_usd: what those by a model may cost.   payments: folder that they are paid for, over all
    starts; see `Ledger.keep`."""
    suite = read_suite(path, budget_usd)
    if suite.client is not None and payments is not None:
        suite.client.check()
        suite.client.ledger.keep(payments)
    with located(path):
        return [suite.edit(described) for described in suite.described]


def read_suite(path: Path, budget_usd: float | None = None) -> Suite:
    """The file's masks and descriptions; their steps are not looked into yet."""
    data = read_toml(path, "edits are described in a TOML file")
    with located(path):
        file = from_mapping(SuiteFile, data)
        masks = {name: read_region(value, {}, path.parent) for name, value in file.masks.items()}
        if not file.edit:
            raise InputError("holds no [[edit]]; describe one or more")
        names = [edit.name for edit in file.edit]
        if double := next((name for name in names if names.count(name) > 1), None):
            raise InputError(f'two edits are called "{double}"; rename one')
        return Suite(
            path.parent, masks, file.edit, file.seed, _client(file, path.parent, budget_usd)
        )


def fits_any(patterns: Sequence[str], name: str) -> bool:
    """As a shell matches names, with capitals told from small letters."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _client(file: SuiteFile, folder: Path, budget_usd: float | None) -> ModelClient | None:
    """None without a server."""
    if file.server is None:
        if budget_usd is not None:
            raise InputError(
                "no edit of this file costs anything: it has no [server]; leave out --budget"
            )
        return None
    cache = default_cache() if file.cache is None else folder / file.cache
    return ModelClient(file.server, cache, Ledger(file.price, budget_usd))
