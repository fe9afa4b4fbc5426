"""A process that hangs is ended; one that works is left alone."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from worldgym.evaluation.watchdog import STALLED, Watchdog

HANGS = (
    "import time\nfrom worldgym.evaluation.watchdog import Watchdog\nwith Watchdog(0.005): "
    "time.sleep(60)"
)


def test_a_hanging_call_ends_the_process_with_one_sentence() -> None:
    done = subprocess.run(
        [sys.executable, "-c", HANGS], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == STALLED
    assert (
        "nothing was finished for 0.005 minutes" in done.stderr
        and "continues from there" in done.stderr
    )


@pytest.mark.parametrize("minutes", [0.0, 0.02])
def test_a_fed_dog_does_not_bite(minutes: float) -> None:
    bites: list[int] = []
    with Watchdog(minutes, bites.append) as dog:
        for _ in range(8):
            time.sleep(0.02)
            dog.fed()
    time.sleep(0.1)
    assert bites == []


def test_an_unfed_dog_bites_once(capsys: pytest.CaptureFixture[str]) -> None:
    bites: list[int] = []
    with Watchdog(0.001, bites.append):
        time.sleep(0.5)
    assert bites == [STALLED]
    assert "stopped" in capsys.readouterr().err
