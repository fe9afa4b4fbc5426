"""A run in an object store, which cannot append: the run is made in a folder on this machine, and
its log is sent in parts.

    URL/log.parts/BYTE   whole lines of log.jsonl from that byte on, during the run
    URL/log.jsonl        all of it, once a start has ended; the parts are then removed
    URL/videos/...       and what else a line names: always there before the part with the line

A start on any machine first fetches what the store has of the log. Of two writers, the second is
detected at its first part, which has the same name."""

from __future__ import annotations

import hashlib
import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

from worldgym.errors import InputError
from worldgym.io.files import cache_folder
from worldgym.io.jsonl import LineFile, whole_size
from worldgym.io.object_store import ObjectExists, ObjectStore, StoreFault, is_store
from worldgym.io.run_files import files_named
from worldgym.io.run_log import LOG_NAME

PARTS = "log.parts"
PART = 2**22  # bytes of a part at most, but for a longer line
EVERY = 5.0  # seconds between two parts
TRIES = 3  # of the last upload, with a pause of EVERY between
DERIVED = ("summary.json", "report.html")  # of a folder, never fetched: made again from the log


@contextmanager
def run_folder(out: str | Path) -> Iterator[Path]:
    """The folder in which a run is made: the path itself, or for an address of a store a folder of
    this machine that is fetched before and sent after."""
    if not is_store(out):
        yield Path(out)
        return
    store = ObjectStore(str(out))
    with RunMirror(store, mirror_folder(store.url), EVERY) as mirror:
        yield mirror.folder


def mirror_folder(url: str) -> Path:
    """Where a run of this address lies on this machine."""
    digest = hashlib.sha256(url.encode()).hexdigest()[:8]
    return cache_folder("runs") / f"{url.rsplit('/', 1)[-1]}-{digest}"


class RunMirror:
    """As a context: fetches the log, sends it during the run, and everything at the end."""

    def __init__(self, store: ObjectStore, folder: Path, every: float) -> None:
        self.store = store
        self.folder = folder
        self._every = every
        self._sent = 0  # bytes of the log that the store has
        self._shared = set[str]()  # files that several lines name, and that were sent
        self._said = ""
        self._lost: ObjectExists | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="upload", daemon=True)

    def __enter__(self) -> RunMirror:
        self._hold = LineFile(self.folder / ".writer")  # against a second start on this machine
        try:
            self._fetch()
        except BaseException:
            self._hold.close()
            raise
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """InputError where the store does not take all of it, unless something else ended the run:
        then that is said alone."""
        self._stop.set()
        self._thread.join()
        try:
            self._finish(TRIES if kind is None else 1)
        except InputError as fault:
            if kind is None:
                raise
            print(f"worldgym: {fault}", file=sys.stderr, flush=True)
        finally:
            self._hold.close()

    def _fetch(self) -> None:
        """Makes the folder's log continue from the store's. InputError where neither begins with
        the other."""
        path = self.folder / LOG_NAME
        there = self.store.names()
        with path.open("ab+") as file:
            whole = whole_size(file.fileno())
            file.truncate(whole)  # what follows the last newline no store was ever sent
            file.seek(0)
            for data in self._log_blocks(there):
                self._sent += len(data)
                mine = file.read(min(len(data), max(whole - file.tell(), 0)))
                if data[: len(mine)] != mine:
                    raise InputError(
                        f"{self.store.url} and {self.folder} hold trials that the other lacks: "
                        f"move the folder away, and join both with `worldgym run merge`"
                    )
                if len(mine) < len(data):
                    file.write(data[len(mine) :])
        if path.stat().st_size == 0:
            path.unlink()
        for name in there:
            known = name in (LOG_NAME, *DERIVED) or "/" in name
            if not known and not (self.folder / name).exists():
                self.store.fetch(name, self.folder / name)

    def _log_blocks(self, there: dict[str, int]) -> Iterator[bytes]:
        """The store's log, in order. What a part says that the whole log says too is left out."""
        parts = sorted(name for name in there if name.startswith(f"{PARTS}/"))
        named = [(int(name.rsplit("/", 1)[1]), name) for name in parts]
        at = 0
        for start, name in chain([(0, LOG_NAME)] if LOG_NAME in there else [], named):
            end = start + there[name]
            if end <= at:
                continue
            if start > at:
                raise InputError(
                    f"{self.store.url} lacks bytes {at} to {start} of its log; restore the parts "
                    f"from a copy"
                )
            skip = at - start
            for data in self.store.blocks(name):
                yield data[skip:]
                skip = max(skip - len(data), 0)
            at = end

    def _follow(self) -> None:
        """A problem is reported once; the run continues, and the end tries again."""
        while not self._stop.wait(self._every):
            try:
                while self._send_part() and not self._stop.is_set():
                    pass
            except ObjectExists as error:
                self._lost = error
                self._say(f"{self._elsewhere()}; this one continues in {self.folder} alone")
                return
            except (StoreFault, OSError) as error:
                self._say(f"{error}; the run continues in {self.folder}")

    def _send_part(self) -> bool:
        """The next whole lines, and before them the files that they name. => whether there were
        any."""
        data = self._next_lines()
        if not data:
            return False
        for name in _files_of(data):
            if name not in self._shared and (self.folder / name).exists():
                self.store.put(name, self.folder / name)
            if not name.startswith("videos/"):
                self._shared.add(name)
        part = f"{PARTS}/{self._sent:015d}"
        try:
            self.store.put_new(part, data)
        except ObjectExists:
            if b"".join(self.store.blocks(part)) != data:  # else an answer was lost
                raise
        self._sent += len(data)
        return True

    def _next_lines(self) -> bytes:
        try:
            with (self.folder / LOG_NAME).open("rb") as file:
                file.seek(self._sent)
                data = file.read(PART)
                if len(data) == PART and b"\n" not in data:
                    data += file.readline()
                return data[: data.rfind(b"\n") + 1]
        except FileNotFoundError:
            return b""

    def _finish(self, tries: int) -> None:
        for left in reversed(range(tries)):
            try:
                if self._lost is not None:
                    raise self._lost
                self._send_all()
                return
            except ObjectExists:
                raise InputError(
                    f"{self._elsewhere()}; finished trials are in {self.folder}"
                ) from None
            except StoreFault as error:
                if not left:
                    raise InputError(
                        f"{error}; finished trials are in {self.folder}, and the same command "
                        f"sends them"
                    ) from error
                time.sleep(self._every)

    def _send_all(self) -> None:
        while self._send_part():
            pass
        path = self.folder / LOG_NAME
        there = self.store.names()
        if path.exists() and there.get(LOG_NAME) != self._sent:
            self.store.put(LOG_NAME, path)
        self.store.remove(name for name in there if name.startswith(f"{PARTS}/"))
        for file in sorted(self.folder.iterdir()):
            if file.is_file() and file.name != LOG_NAME and not file.name.startswith("."):
                self.store.put(file.name, file)

    def _elsewhere(self) -> str:
        return f"another process writes the run in {self.store.url}"

    def _say(self, text: str) -> None:
        if text != self._said:
            self._said = text
            print(f"worldgym: {text}", file=sys.stderr, flush=True)


def _files_of(lines: bytes) -> list[str]:
    """Videos, actions, true videos and initial frames that lines of a log name."""
    found: dict[str, None] = {}
    for line in lines.splitlines():
        told = json.loads(line)
        names = (told.get(key) for key in ("video", "truth_video", "frame"))
        found |= dict.fromkeys(files_named(*names))
    return list(found)
