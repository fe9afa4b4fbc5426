"""A server in another process that is killed and started again on its port."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parent


class ServedProcess:
    """`python SCRIPT PORT WORDS`, which prints its address or its port when it listens. Killed and
    started again it keeps its port."""

    def __init__(self, script: str, scheme: str, *words: str) -> None:
        self.script = script
        self.scheme = scheme
        self.words = words
        self.port = 0  # any free one
        self.process: subprocess.Popen[str] | None = None
        self.start()

    @property
    def address(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, self.script, str(self.port), *self.words],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": f"{TESTS.parent}{os.pathsep}{TESTS}"},
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline().rpartition(":")[2])

    def kill(self) -> None:
        if self.process is not None and self.process.stdout is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process.stdout.close()
            self.process = None
