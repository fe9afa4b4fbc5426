"""Jobs on the machines of a Ray cluster (extra `ray`). A job is a task of an actor, which holds
what it works with; nodes may come and go."""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, TypeVar

from worldgym.errors import InputError, MissingExtra
from worldgym.evaluation.executor import (
    IN_FLIGHT,
    Dispatch,
    Event,
    Results,
    Setup,
    Watch,
    as_sent,
    result_of,
)

J = TypeVar("J")
R = TypeVar("R")
PATIENCE = 10.0  # seconds for an address to answer
LOOK_AGAIN = 5.0  # seconds after which the cluster is asked for its size


@dataclass(frozen=True)
class RayExecutor:
    """address: None = $RAY_ADDRESS, or a cluster of this machine alone; else what `ray.init` takes.

    count: of actors; 0 = as many as the cluster has room for, as it grows and shrinks.
    cpus, gpus: that an actor takes; a fraction of a GPU lets several share it."""

    address: str | None = None
    count: int = 0
    cpus: float = 1.0
    gpus: float = 0.0

    def run(self, setup: Setup[J, R], jobs: Sequence[J], watch: Watch) -> Results[R]:
        if jobs:
            yield from Dispatch(_Actors(self, setup), jobs, watch).run()


class _Actor:
    """Lives in the worker."""

    def __init__(self, setup: Setup[Any, Any]) -> None:
        # an error here would look like a worker that died
        self._fault: Exception | None = None
        self._one_by_one = threading.Lock()
        try:
            self._work = setup()
        except Exception as error:
            self._fault = as_sent(error)

    def ready(self) -> None:
        if self._fault is not None:
            raise self._fault

    def work(self, job: Any) -> Any:
        try:
            with self._one_by_one:
                given = self._work(job)
            return result_of(given)
        except Exception as error:
            raise as_sent(error) from None


class _Actors:
    def __init__(self, asked: RayExecutor, setup: Setup[Any, Any]) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            ray: Any = import_module("ray")
        except ImportError as error:
            raise MissingExtra("ray", "ray", "evaluation on a cluster") from error
        self._ray = ray
        self._asked = asked
        self._began = not ray.is_initialized()
        if self._began:
            # without "local" Ray would wait for a cluster of before, which may be gone
            _connect(ray, asked.address or os.environ.get("RAY_ADDRESS") or "local")
        self._setup = ray.put(setup)
        options = {"max_restarts": 0, "max_concurrency": IN_FLIGHT}
        self._class = ray.remote(num_cpus=asked.cpus, num_gpus=asked.gpus, **options)(_Actor)
        self._actors: dict[int, Any] = {}
        self._asked_for: dict[Any, tuple[int, int]] = {}  # reference => worker, job; -1 = ready
        self._room = (0, -LOOK_AGAIN)  # actors, and when that was

    def wanted(self) -> int:
        if self._asked.count:
            return self._asked.count
        if time.monotonic() - self._room[1] > LOOK_AGAIN:
            there = self._ray.cluster_resources()
            room = int(there.get("CPU", 0.0) / self._asked.cpus) if self._asked.cpus else 2**20
            if self._asked.gpus:
                room = min(room, int(there.get("GPU", 0.0) / self._asked.gpus))
            # one that has to wait for room, so that a cluster that can grow does
            self._room = room + 1, time.monotonic()
        return self._room[0]

    def start(self, worker: int) -> None:
        self._actors[worker] = self._class.remote(self._setup)
        self._asked_for[self._actors[worker].ready.remote()] = worker, -1

    def submit(self, worker: int, number: int, job: Any) -> None:
        self._asked_for[self._actors[worker].work.remote(job)] = worker, number

    def events(self) -> Sequence[Event]:
        there, _ = self._ray.wait(
            list(self._asked_for), num_returns=len(self._asked_for), timeout=0.0
        )
        if not there:
            there, _ = self._ray.wait(list(self._asked_for), num_returns=1, timeout=1.0)
        return [event for reference in there for event in self._event(reference)]

    def _event(self, reference: Any) -> Iterator[Event]:
        if reference not in self._asked_for:  # of a worker that is known to be gone
            return
        worker, number = self._asked_for.pop(reference)
        try:
            result = self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:  # the job's own error, with its type
            raise error.cause from None
        except self._ray.exceptions.RayError as error:
            self._forget(worker)
            yield Event(worker, "gone", reason=f"{type(error).__name__}: {_short(error)}")
            return
        yield Event(worker, "ready") if number < 0 else Event(worker, "done", number, result)

    def _forget(self, worker: int) -> None:
        self._actors.pop(worker, None)
        for reference in [r for r, (w, _) in self._asked_for.items() if w == worker]:
            del self._asked_for[reference]

    def close(self) -> None:
        for actor in self._actors.values():
            self._ray.kill(actor)
        self._actors.clear()
        if self._began:
            self._ray.shutdown()


def _connect(ray: Any, address: str) -> None:
    """InputError where no cluster answers. Signals stay as they are: Ray handles SIGTERM by an end
    without a report."""
    options = {"include_dashboard": False} if address == "local" else {}
    main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM)
    try:
        _require_answer(address)
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **options)
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise InputError(
            f"no Ray cluster at {address} takes this driver ({_short(error)}): check the "
            f"address and whether it runs; where it asks for a token, set RAY_AUTH_MODE=token"
        ) from error
    finally:
        if main:
            signal.signal(signal.SIGTERM, before)


def _require_answer(address: str) -> None:
    """OSError where nothing listens at HOST:PORT: Ray would ask again for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and "/" not in host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), PATIENCE).close()


def _short(error: Exception) -> str:
    """The first line; of an actor that could not be made the last, which is its own error."""
    lines = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip().splitlines() or [""]
    return lines[-1 if "creation task" in lines[0] else 0].strip()[:200]
