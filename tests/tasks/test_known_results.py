"""Known results of single trials and of whole groups."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from worldgym.errors import InputError
from worldgym.tasks.known_results import GroupTruth, KnownResults, known_results, load_group_truth
from worldgym.types import Task

TASKS = [Task(f"lift/{i}", "lift", np.zeros((8, 8, 3), np.uint8), "lift it", 4) for i in range(2)]
HEAD = "policy,group,category,trials,successes\n"


def test_published_names_are_known_by_their_letters_and_only_evaluated_groups_count(
    tmp_path: Path,
) -> None:
    (tmp_path / "published.csv").write_text(
        f"{HEAD}RT-1-X,lift,a,10,3.5\nOcto,lift,a,10,1\nRT-1-X,push,a,10,4\n"
    )
    found = known_results(tmp_path, ["rt_1_x", "mine"], TASKS)
    assert found == KnownResults({}, (GroupTruth("rt_1_x", "lift", 10, 3.5),))


def test_both_tables_are_read(tmp_path: Path) -> None:
    (tmp_path / "published.csv").write_text(f"{HEAD}a,lift,,10,3\n")
    (tmp_path / "truth.csv").write_text("policy,task,success\na,lift/0,1\n")
    assert known_results(tmp_path, ["a"], TASKS).trials == {("a", "lift/0"): True}
    assert known_results(None, ["a"], TASKS) == KnownResults()
    (tmp_path / "published.csv").unlink()
    assert known_results(tmp_path, ["a"], TASKS) == KnownResults({("a", "lift/0"): True})


def test_unknown_policies_are_told_of_and_a_folder_without_tables_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InputError, match=r"truth\.csv"):
        known_results(tmp_path, ["a"], TASKS)
    (tmp_path / "published.csv").write_text(f"{HEAD}Octo,lift,,10,3\n")
    assert known_results(tmp_path, ["a", "b"], TASKS).groups == ()
    assert "knows results of Octo, but none of a, b on these tasks" in capsys.readouterr().err


@pytest.mark.parametrize(
    "row",
    [
        "a,lift,,10,11",
        "a,lift,,0,0",
        "a,lift,,ten,1",
        "a,lift,,10,nan",
        "a,lift,,10,-1",
        ",lift,,10,1",
        "a,,,10,1",
    ],
)
def test_a_wrong_row_is_named_by_its_line(tmp_path: Path, row: str) -> None:
    (tmp_path / "published.csv").write_text(f"{HEAD}b,lift,,10,1\n{row}\n")
    with pytest.raises(InputError, match="line 3: "):
        load_group_truth(tmp_path / "published.csv")


def test_a_policy_stands_once_a_group(tmp_path: Path) -> None:
    (tmp_path / "published.csv").write_text(f"{HEAD}a,lift,,10,1\na,lift,,10,2\n")
    with pytest.raises(InputError, match="appears twice"):
        load_group_truth(tmp_path / "published.csv")
