import sys
from dataclasses import replace
from pathlib import Path

import pytest

from experiments import frame
from experiments.chart import Chart, Point, Series
from experiments.frame import (
    Finding,
    Setup,
    lines,
    main,
    measures,
    other_worlds,
    publish,
    to_csv,
    told,
    with_sampler,
)
from worldgym.errors import InputError
from worldgym.io.bundled import BUNDLE
from worldgym.io.checkpoint import fingerprint, read_config
from worldgym.reference.scoring import ScoredRun

CHART = Chart("x", "y", (Series("s", (Point(0, 1),)),))
FINDING = Finding(
    "b_second",
    "Does it?",
    "yes, 2 of 3",
    "two policies",
    ({"x": 0, "y": 1}, {"x": 1, "z": [1, 2]}),
    CHART,
)


def rows_of(results: Path) -> list[str]:
    return [line for line in results.read_text().splitlines() if line.startswith("| [")]


def test_publishing_replaces_its_own_row_and_no_other(tmp_path: Path) -> None:
    results = tmp_path / "docs" / "results.md"
    publish(FINDING, results)
    publish(replace(FINDING, name="a_first"), results)
    results.write_text(results.read_text() + "\nWords below the table.\n")
    publish(replace(FINDING, result="no"), results)
    first, second = rows_of(results)
    assert first.startswith("| [a_first](figures/a_first.svg) | Does it? | yes, 2 of 3 |")
    assert "| no |" in second and results.read_text().endswith("Words below the table.\n")
    assert (
        tmp_path / "docs" / "figures" / "b_second.csv"
    ).read_text() == 'x,y,z\n0,1,\n1,,"[1, 2]"\n'
    assert (tmp_path / "docs" / "figures" / "b_second.svg").read_text().startswith("<svg")


def test_the_measures_of_a_run(known_run: ScoredRun) -> None:
    found = measures(known_run)
    assert found["trial_agreement"] == pytest.approx(0.9) and found["seconds"] == 2.0
    # A task has 146 true failures; of the verdicts on them, those on start states 9, 19, 29 and 39
    # are turned round.
    assert found["false_successes"] == pytest.approx((1 + 1 + 3 + 2 + 3 + 4 + 2 + 1) / 146)
    assert found["optimism"] == pytest.approx(100 * known_run_gap(known_run))
    assert found["pearson"] is not None and found["pearson"] > 0.9


def known_run_gap(run: ScoredRun) -> float:
    trials = run.trials()
    return sum((t.score or 0.0) - float(bool(t.truth)) for t in trials) / len(trials)


def test_rows_in_words_and_as_series() -> None:
    rows = [{"setting": "1", "pearson": 0.5}, {"setting": "2", "pearson": None}]
    assert told(rows, "pearson") == "1: 0.50, 2: –"
    (series,) = lines(rows, {"pearson": "r"})
    assert series.points == (Point(0, 0.5, name="1"),)
    assert to_csv([]) == "\n"


def test_worlds_to_compare_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="lacks the worlds all few: train them by"):
        other_worlds(Setup(out=tmp_path), ("all", "few"))
    with pytest.raises(InputError, match="--worlds there: write NAME=FOLDER"):
        other_worlds(Setup(worlds=("a=b", "there")), ("all",))
    found = other_worlds(Setup(worlds=("bundled=" + str(BUNDLE),)), ("all",))
    assert found["bundled"].world == BUNDLE / "world"


def test_another_sampler_is_another_world_with_the_same_weights(
    unpacked_bundle: Path, tmp_path: Path
) -> None:
    setup = Setup(world=unpacked_bundle / "world", out=tmp_path)
    two, three = with_sampler(setup, steps=2), with_sampler(setup, steps=3)
    assert len({instrument.label for instrument in (setup.instrument, two, three)}) == 3
    assert read_config(two.world)["sampler"] == {**read_config(setup.world)["sampler"], "steps": 2}
    assert with_sampler(setup, steps=2).label == two.label
    assert fingerprint(two.world.parent / "codec") == fingerprint(unpacked_bundle / "codec")


def test_bad_input_is_one_sentence_and_exit_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def refuses(setup: Setup) -> Finding:
        raise InputError("nothing to see")

    monkeypatch.setattr(sys, "argv", ["x_figure.py", "--out", str(tmp_path)])
    with pytest.raises(SystemExit) as stopped:
        main(refuses)
    assert stopped.value.code == 2 and capsys.readouterr().err == "x_figure: nothing to see\n"
    monkeypatch.setattr(sys, "argv", ["x_figure.py", "--results", str(tmp_path / "results.md")])
    main(lambda setup: replace(FINDING, on=str(setup.seeds)))
    assert "| 0 |" in rows_of(tmp_path / "results.md")[0] and frame.HEAD.startswith("# Results")
