from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from worldgym.errors import InputError
from worldgym.stats.cells import CellPair
from worldgym.stats.tables import CellRate, RealTrial, paired_cells, read_rates, read_real_trials


def table(folder: Path, text: str) -> Path:
    path = folder / "table.csv"
    path.write_text(text)
    return path


def test_counts_and_rates_are_read(tmp_path: Path) -> None:
    counted = read_rates(table(tmp_path, "task,policy,trials,successes\nopen,a,10,3.5\n"))
    assert counted == {("a", "open"): CellRate(0.35, 10)}
    rated = read_rates(table(tmp_path, "policy,task,rate,trials\na,open,0.35,\nb,open,1,4\n"))
    assert rated == {("a", "open"): CellRate(0.35, None), ("b", "open"): CellRate(1.0, 4)}
    both = "policy,task,rate,trials,successes\na,open,0.33,3,1\nb,open,,3,1\nc,open,0.5,,1\n"
    assert read_rates(table(tmp_path, both)) == {
        ("a", "open"): CellRate(0.33, 3),
        ("b", "open"): CellRate(1 / 3, 3),
        ("c", "open"): CellRate(0.5, None),
    }


def test_real_trials_are_read_with_repeats_and_partial_credit(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        "policy,task,success,group,note\na,door/1,1,door,x\na,door/1,False,door,\na,door/2,0.5,,\n",
    )
    assert read_real_trials(path) == [
        RealTrial("a", "door/1", "door", 1.0),
        RealTrial("a", "door/1", "door", 0.0),
        RealTrial("a", "door/2", "", 0.5),
    ]
    assert read_real_trials(table(tmp_path, "policy,task,success\na,x,1\n")) == [
        RealTrial("a", "x", "", 1.0)
    ]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("policy,task,rate\n", "holds no row"),
        ("policy,rate\na,1\n", "lacks the column task"),
        ("policy,task,rate\na,,1\n", "line 2: policy or task is empty"),
        ("policy,task,rate\na,x,1\na,x,1\n", "line 3: policy a on task x appears twice"),
        ("policy,task,rate\na,x,35\n", 'line 2: rate is "35"; write a number from 0 to 1'),
        ("policy,task,rate\na,x,nan\n", "write a number from 0 to 1"),
        ("policy,task,trials\na,x,10\n", "needs trials and successes, or rate"),
        ("policy,task,successes\na,x,10\n", "needs trials and successes, or rate"),
        (
            "policy,task,rate,trials,successes\na,x,0.9,10,1\n",
            "line 2: a rate of 0.9 is not 1 successes in 10 trials; correct one",
        ),
        ("policy,task,rate,trials,successes\na,x,0.9,2,3\n", "write a number from 0 to 2"),
        ("policy,task,trials,successes\na,x,2,3\n", "write a number from 0 to 2"),
        ("policy,task,trials,successes\na,x,0,0\n", "whole number of 1 or more"),
        ("policy,task,trials,successes\na,x,2.5,1\n", "whole number of 1 or more"),
    ],
)
def test_a_wrong_table_of_rates_gets_one_sentence(
    tmp_path: Path, text: str, complaint: str
) -> None:
    with pytest.raises(InputError, match=rf"table\.csv.*{complaint}"):
        read_rates(table(tmp_path, text))


@pytest.mark.parametrize(
    "text",
    ["policy,task,success\n", "policy,task,success\na,x,yes\n", "policy,task,success\na,x,2\n"],
)
def test_a_wrong_table_of_trials_gets_one_sentence(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"table\.csv"):
        read_real_trials(table(tmp_path, text))


@pytest.mark.parametrize("read", [read_rates, read_real_trials])
def test_an_absent_table_gets_one_sentence(tmp_path: Path, read: Callable[[Path], object]) -> None:
    with pytest.raises(InputError, match="cannot be read as a table"):
        read(tmp_path / "absent.csv")


def test_cells_are_paired_by_name() -> None:
    world = {
        ("b", "x"): CellRate(0.5, 10),
        ("a", "x"): CellRate(0.25, None),
        ("c", "x"): CellRate(0, 1),
    }
    real = {("a", "x"): CellRate(1.0, 4), ("b", "x"): CellRate(0.5, 2), ("a", "y"): CellRate(0, 1)}
    assert paired_cells(world, real) == [
        CellPair("a", "x", 0.25, 1.0, None, 4),
        CellPair("b", "x", 0.5, 0.5, 10, 2),
    ]
    with pytest.raises(InputError, match=r"share no policy and task.*c on x.*a on y"):
        paired_cells({("c", "x"): CellRate(0, 1)}, {("a", "y"): CellRate(0, 1)})
