"""The console that tables are printed on."""

from __future__ import annotations

import errno
import os

from rich.console import Console


class OutputConsole(Console):
    """A closed pipe is an error to it as it is to `print`, so that a command ends with the exit
    code of docs/conventions.md; rich alone would end the process with 1."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
