"""The runs below some folders: found by scanning, each with a card for the list.

A run's address is its path below the given folder, in UTF-8. It is looked up among the runs that
were found, never built from a request. A card is made again when log or trust report changed; older
cards are kept in the user's cache folder, so that thousands of runs are listed at once.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from worldgym.errors import InputError
from worldgym.io.files import write_atomic
from worldgym.io.migration import found_beside
from worldgym.io.records import from_mapping
from worldgym.io.run_log import LOG_NAME
from worldgym.io.run_records import TASKS_KEY
from worldgym.io.text import clean
from worldgym.stats.world_trust import TRUST_NAME, WorldTrust
from worldgym.web.live_counts import LiveCounts, run_state
from worldgym.web.log_index import LogIndex

DEPTH = 6  # folders below the named one
MOST = 50_000  # runs
OPEN = 12  # runs whose index is kept
FORM = 1  # of the kept cards
HEADER = b'"type": "header"'
Stamp = tuple[int, int, int]  # size and time of the log, time of the trust report


@dataclass(frozen=True)
class PolicyRate:
    """Of one policy over all its tasks but those that the trust report of the world calls red."""

    policy: str
    scored: int
    rate: float | None
    low: float
    high: float


@dataclass(frozen=True)
class RunCard:
    """A run in the list.

    suite: digest of its tasks, "" where the log does not say.   cost_usd: what its verdicts cost.
    seconds: of rollouts.   trust: colour => how many of its tasks have it.   fault: why it cannot
    be read, "" for a sound one."""

    world: str = ""
    judge: str = ""
    policies: tuple[PolicyRate, ...] = ()
    tasks: tuple[str, ...] = ()
    suite: str = ""
    started: str = ""
    changed: float = 0.0
    done: int = 0
    planned: int | None = None
    failed: int = 0
    cost_usd: float = 0.0
    seconds: float = 0.0
    trust: dict[str, int] | None = None
    fault: str = ""

    @property
    def state(self) -> str:
        """finished, running, stopped, or damaged."""
        return "damaged" if self.fault else run_state(self.done, self.planned, self.changed)


@dataclass(frozen=True)
class ListedRun:
    """name: its address.   card: None until it was read."""

    name: str
    folder: Path
    stamp: Stamp
    card: RunCard | None


class RunLibrary:
    """All runs below the folders. Safe from several threads."""

    def __init__(self, folders: Sequence[Path], cache: Path | None = None) -> None:
        """InputError for a folder that does not exist. cache: folder for kept cards; None keeps
        none."""
        for folder in folders:
            if not folder.is_dir():
                raise InputError(f"{folder}: no such folder; name a run, or a folder of runs")
        self.folders = [folder.resolve() for folder in folders]
        self._kept = None if cache is None else cache / "run-cards.json"
        self._runs = dict[str, ListedRun]()
        self._counts = OrderedDict[str, LiveCounts]()
        self._lock = threading.RLock()
        self._scanning = threading.Lock()
        self._scanned = 0.0
        self.version = 0  # rises with every change of the list
        self._cards = self._read_kept()

    def runs(self) -> list[ListedRun]:
        with self._lock:
            return list(self._runs.values())

    def run(self, name: str) -> ListedRun | None:
        with self._lock:
            return self._runs.get(name)

    @property
    def reading(self) -> int:
        """Runs whose card is still to be made."""
        return sum(run.card is None for run in self.runs())

    def find(self) -> None:
        """Looks for runs; cards that are not known yet are left open."""
        found = dict[str, ListedRun]()
        for name, folder in self._walk():
            stamp = run_stamp(folder)
            if stamp is not None and len(found) < MOST:
                known = self._cards.get(str(folder))
                card = known[1] if known is not None and known[0] == stamp else None
                found[name] = ListedRun(name, folder, stamp, card)
        with self._lock:
            before = self._runs
            self._runs = found
            self._scanned = time.monotonic()
            if found != before:
                self.version += 1

    def scan(self) -> None:
        """`find`, and makes the cards that are missing. One scan at a time; a second returns at
        once."""
        if not self._scanning.acquire(blocking=False):
            return
        try:
            self.find()
            waiting = [run for run in self.runs() if run.card is None]
            for run in waiting:
                card = self._card(run)
                self._cards[str(run.folder)] = (run.stamp, card)
                with self._lock:
                    self._runs[run.name] = ListedRun(run.name, run.folder, run.stamp, card)
                    self.version += 1
            if waiting:
                self._keep()
        finally:
            self._scanning.release()

    def counts(self, run: ListedRun) -> LiveCounts:
        """The live counts of a run, read up to now. InputError for a damaged log."""
        with self._lock:
            counts = self._counts.get(run.name)
            if counts is None:
                counts = self._counts[run.name] = LiveCounts(LogIndex(run.folder))
            self._counts.move_to_end(run.name)
            while len(self._counts) > OPEN:
                self._counts.popitem(last=False)
        with counts.lock:
            counts.refresh()
        return counts

    def _walk(self) -> Iterator[tuple[str, Path]]:
        several = len(self.folders) > 1
        taken = dict[str, int]()
        for root in self.folders:
            for folder in _run_folders(root, DEPTH):
                below = folder.relative_to(root).as_posix()
                name = root.name if below == "." else f"{root.name}/{below}" if several else below
                name = clean(name)  # a page cannot hold what is no UTF-8
                taken[name] = taken.get(name, 0) + 1
                yield name if taken[name] == 1 else f"{name}~{taken[name]}", folder

    def _card(self, run: ListedRun) -> RunCard:
        try:
            return make_card(run, self.counts(run))
        except InputError as error:
            return RunCard(changed=run.stamp[1] / 1e9, fault=str(error))

    def _read_kept(self) -> dict[str, tuple[Stamp, RunCard]]:
        """{} where there is nothing, or nothing of this form: it is made again."""
        try:
            data = json.loads(self._kept.read_bytes()) if self._kept is not None else {}
            if data.get("form") != FORM:
                return {}
            return {
                path: (tuple(stamp), from_mapping(RunCard, card))
                for path, (stamp, card) in data["cards"].items()
            }
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return {}

    def _keep(self) -> None:
        if self._kept is None:
            return
        known = {str(run.folder) for run in self.runs()}
        cards = {p: (s, asdict(c)) for p, (s, c) in self._cards.items() if p in known}
        try:
            write_atomic(self._kept, json.dumps({"form": FORM, "cards": cards}).encode())
        except InputError:
            self._kept = None  # a cache that cannot be written is none


def make_card(run: ListedRun, counts: LiveCounts) -> RunCard:
    """InputError for a damaged trust report."""
    index = counts.index
    header = index.header
    if header is None:
        raise InputError(f"{run.folder / LOG_NAME}: holds no header yet")
    report = WorldTrust.of_run(run.folder)
    tasks = sorted({cell.task for cell in counts.cells})
    left_out = frozenset[str]() if report is None else report.left_out(tasks)
    overall = counts.overall(left_out)
    trust: dict[str, int] | None = None
    if report is not None:
        colours = [report.colour(task) for task in tasks]
        trust = {colour: colours.count(colour) for colour in sorted(set(colours))}
    changed = run.stamp[1] / 1e9
    return RunCard(
        world=header.world,
        judge=header.judge,
        policies=tuple(
            PolicyRate(name, told["scored"], told["rate"], told["low"], told["high"])
            for name, told in overall.items()
        ),
        tasks=tuple(tasks),
        suite=str(header.config.get(TASKS_KEY, "")),
        started=header.started,
        changed=changed,
        done=counts.done,
        planned=counts.planned,
        failed=sum(told["failed"] for told in overall.values()),
        cost_usd=float(sum(index.columns["cost"])),
        seconds=float(sum(index.columns["seconds"])),
        trust=trust,
    )


def _run_folders(root: Path, depth: int) -> Iterator[Path]:
    """Folders with the log of a run, by name. Links are not followed, and runs not looked into."""
    try:
        with os.scandir(root) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return
    if any(entry.name == LOG_NAME and _is_run(entry) for entry in found):
        yield root
        return
    for entry in found:
        if depth and not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False):
            yield from _run_folders(Path(entry.path), depth - 1)


def _is_run(entry: os.DirEntry[str]) -> bool:
    """Other programs write a log.jsonl too."""
    try:
        if not entry.is_file(follow_symlinks=False):
            return False
        with open(entry.path, "rb") as file:
            return HEADER in file.read(64)
    except OSError:
        return False


def run_stamp(folder: Path) -> Stamp | None:
    """Of a run as it is now. None where the log went away meanwhile."""
    try:
        log = (folder / LOG_NAME).stat()
    except OSError:
        return None
    trust = found_beside(TRUST_NAME, folder)
    return log.st_size, log.st_mtime_ns, 0 if trust is None else trust.stat().st_mtime_ns
