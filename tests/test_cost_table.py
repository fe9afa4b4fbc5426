"""benchmarks/cost_table.py: what the page says follows from the figures that were measured."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture
def script(load_script: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "gpu")
    return load_script("benchmarks/cost_table.py")


def test_the_page_says_what_the_measured_figures_give(script: ModuleType) -> None:
    found = script.Measured.read(script.RESULTS.read_text(encoding="utf-8"))
    assert "\n".join(script.lines(found)) in script.DOCS.read_text(encoding="utf-8")


def test_costs_of_known_figures(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "gpu_seconds", lambda: 7.2)
    m = script.Measured(3.6, 100.0, 20_000.0, 2.0, 50.0, 700.0)
    rows = [[c.strip() for c in line.split("|")[1:-1]] for line in script.lines(m)[2:5]]
    assert rows[0] == [
        "1,000",
        *("60 min", "$0.04", "56.2 s"),
        *("2 h", "$7.00", "15 min"),
        *("10 s", "0.02 GB"),
    ]
    # ten million: the driver's 100 trials a second and not the 64 cores decide
    assert rows[2][1:4] == ["417 days", "$400.00", "6.51 days"] and rows[2][7] == "27.8 h"
    text = " ".join(script.lines(m)[5:])
    assert "from 360 cores, or 720 GPUs, on" in text and "20 million files" in text
    fast = script.Measured(0.036, 100.0, 20_000.0, 2.0, 50.0, 700.0)
    assert script.lines(fast)[4].split("|")[4].strip() == "27.8 h"


def test_a_figure_that_is_absent_is_named(script: ModuleType) -> None:
    with pytest.raises(SystemExit, match="no figure of: A whole evaluation"):
        script.Measured.read("## A whole evaluation: `x`\n\nnothing\n")
