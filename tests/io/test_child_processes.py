from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from multiprocessing.connection import Connection

import pytest

from worldgym.io.child_processes import SHARED, end_with_parent, started_deaf

ASKS = "import signal; print(sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])))"


def blocked() -> str:
    return subprocess.run([sys.executable, "-c", ASKS], capture_output=True, text=True).stdout


def test_a_child_is_deaf_from_its_first_moment_and_the_parent_is_not() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    with started_deaf():
        said = blocked()
    assert all(repr(number) in said for number in SHARED)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before
    assert "SIGTERM" not in blocked()


def _parent(pipe: Connection) -> None:
    child = multiprocessing.get_context("spawn").Process(target=_child, args=(pipe,))
    child.start()
    pipe.close()
    child.join()


def _child(pipe: Connection) -> None:
    end_with_parent()
    pipe.send(os.getpid())
    time.sleep(600)


def test_workers_end_with_a_killed_run() -> None:
    mine, theirs = multiprocessing.Pipe()
    parent = multiprocessing.get_context("spawn").Process(target=_parent, args=(theirs,))
    parent.start()
    theirs.close()
    assert mine.poll(120)
    worker = int(mine.recv())
    os.kill(worker, 0)  # it is there
    parent.kill()
    parent.join()
    assert mine.poll(20)
    with pytest.raises(EOFError):  # nobody holds the other end any more
        mine.recv()
