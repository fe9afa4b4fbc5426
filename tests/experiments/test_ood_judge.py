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
        "unscored": 0,
        "successes": 3,
        "missed": 0,
        "failures": 1,
        "invented": 0,
        "pairs": 4,
        "judged_drop": 0.0,
        "true_drop": 0.0,
    }
    dim = found["dim"]
    assert (dim["missed"], dim["invented"], dim["trials"], dim["unscored"]) == (1, 1, 3, 1)
    # the unscored one is a success in the nominal scene: its pair does not count as a drop
    assert (dim["pairs"], dim["judged_drop"], dim["true_drop"]) == (3, 0.0, 0.0)
    alone = judged_figures([trial for trial in trials if trial.variation])["dim"]
    assert (alone["pairs"], alone["judged_drop"], alone["true_drop"]) == (0, None, None)


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
