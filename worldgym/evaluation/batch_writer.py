"""What workers have done => the run's folder, beside the driver: while one lot of batches waits for
the disk, the next is received, and then waits once for all of it."""

from __future__ import annotations

from collections.abc import Callable
from queue import Queue
from threading import Thread

from worldgym.evaluation.batch_records import OpenRun
from worldgym.evaluation.executor import Done
from worldgym.evaluation.remote_batches import BatchJob, BatchResult, lines_of, new_files

MOST = 16  # batches of a lot, and that wait beside it

Put = tuple[BatchJob, Done[BatchResult]]


class BatchWriter:
    """As a context: all that was `put` is on the disk at its end, however it ends.

    written: called after every lot."""

    def __init__(self, run: OpenRun, written: Callable[[], object]) -> None:
        self._run = run
        self._written = written
        self._queue = Queue[Put | None](MOST)
        self._fault: BaseException | None = None
        self._thread = Thread(target=self._follow, name="write")

    def __enter__(self) -> BatchWriter:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._queue.put(None)
        self._thread.join()
        if kind is None:
            self._tell()

    def put(self, job: BatchJob, done: Done[BatchResult]) -> None:
        """Raises what kept an earlier batch from the disk."""
        self._tell()
        self._queue.put((job, done))

    def _tell(self) -> None:
        if self._fault is not None:
            raise self._fault

    def _follow(self) -> None:
        ends = False
        while not ends:
            lot = [self._queue.get()]
            while not self._queue.empty() and len(lot) < MOST:
                lot.append(self._queue.get())
            ends = None in lot
            batches = [one for one in lot if one is not None]
            if batches and self._fault is None:  # else only the driver's `put` must not wait
                try:
                    self._write(batches)
                except BaseException as fault:
                    self._fault = fault

    def _write(self, lot: list[Put]) -> None:
        """The files of all before the lines of any."""
        files: dict[str, bytes] = {}
        for _, done in lot:
            files |= new_files(self._run, done)
        self._run.files.put(files)
        self._run.log.append(*(line for one in lot for line in lines_of(self._run, *one)))
        self._written()
