"""The demo starts without what it needs only at its end, or never."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
import worldgym.reference.demo
late = ("scipy.stats", "scipy.optimize", "scipy.spatial", "scipy.ndimage", "torch._dynamo")
print(*(name for name in late if name in sys.modules))
"""


def test_slow_imports_wait_until_they_are_needed() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
