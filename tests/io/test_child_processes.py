from __future__ import annotations

import signal
import subprocess
import sys

from worldgym.io.child_processes import SHARED, started_deaf

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
