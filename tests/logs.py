"""Run logs written by hand: lines as a run writes them, with their checksums."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

Line = dict[str, Any]


def signed(line: Line) -> str:
    """A line of a log, without its newline."""
    body = json.dumps({key: value for key, value in line.items() if key != "crc32"})[:-1]
    return f'{body}, "crc32": {zlib.crc32(body.encode())}}}'


def rewrite(log: Path, change: Callable[[Line], Line]) -> None:
    """Passes every line of a log through `change`, the header first."""
    lines = [change(json.loads(line)) for line in log.read_text().splitlines()]
    log.write_text("".join(signed(line) + "\n" for line in lines))
