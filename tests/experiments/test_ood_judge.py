"""The arm that shows the judge true video: counts by variation, and a small run that resumes."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

if importlib.util.find_spec("metaworld") is None:
    pytest.skip("the extra [reference] is not installed", allow_module_level=True)

from experiments.ood_judge import JudgedTrial, judge_true_videos, judged_figures
from worldgym.errors import InputError
from worldgym.io.bundled import BUNDLE
from worldgym.io.jsonl import signed_line


def test_misses_and_drops_are_counted_by_variation() -> None:
    trials = [
        JudgedTrial(change, "p", "drawer-open", seed, seed < 3, judged)
        for change, verdicts in (
            ("", (True, True, True, False)),
            ("dim", (False, True, None, True)),
        )
        for seed, judged in enumerate(verdicts)
    ]
    found = judged_figures(trials)
    assert found["nominal"] == {
        "trials": 4,
        "successes": 3,
        "missed": 0,
        "failures": 1,
        "invented": 0,
        "judged_drop": 0.0,
        "true_drop": 0.0,
    }
    assert (found["dim"]["missed"], found["dim"]["invented"], found["dim"]["trials"]) == (1, 1, 3)
    assert found["dim"]["judged_drop"] == pytest.approx(75.0 - 200 / 3)
    assert found["dim"]["true_drop"] == pytest.approx(75.0 - 200 / 3)


@pytest.mark.slow
@pytest.mark.reference
def test_a_small_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = (["bc-large"], ["drawer-open"], ["dim"], (10_000,), BUNDLE / "judge", 1)
    found = judge_true_videos(tmp_path, *asked)
    assert {n: row["trials"] for n, row in found["variations"].items()} == {"nominal": 1, "dim": 1}
    lines = (tmp_path / "judged.jsonl").read_text().splitlines()
    assert len(lines) == 3 and judge_true_videos(tmp_path, *asked) == found
    assert len((tmp_path / "judged.jsonl").read_text().splitlines()) == 3
    (tmp_path / "judged.jsonl").write_bytes(signed_line({"judge": "another"}))
    with pytest.raises(InputError, match="was judged by another"):
        judge_true_videos(tmp_path, *asked)
