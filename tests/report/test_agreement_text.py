from __future__ import annotations

from worldgym.report.agreement_text import agreement_text
from worldgym.report.formats import NBSP
from worldgym.stats.agreement import agreement_of_cells
from worldgym.stats.cells import CellPair


def told(cells: list[CellPair], world: int = 0, **options: bool) -> str:
    found = agreement_of_cells(cells, **options)
    return agreement_text(found, {"world": world, "real": 0}).replace(NBSP, " ")


def grid(name: str = "p{}") -> list[CellPair]:
    """Six policies on six tasks."""
    return [
        CellPair(name.format(i % 6), f"t{i // 6}", i / 36, (i + i % 5) / 40, 10, 10)
        for i in range(36)
    ]


def test_agreement_names_the_ceilings_and_what_was_left_out() -> None:
    text = told(grid(), world=2)
    assert "36 cells of policy and task known on both sides: 6 policies, 6 tasks" in text
    assert "95 % over policies" in text and "2 cells of the world" in text
    assert "if the initial frames of the two sides decide nothing in common" in text
    assert "from the same initial frames, if these decide the outcome" in text
    apart = told(grid(), separate=True)
    assert "(a perfect evaluator; 95 % of studies" in apart and "same initial frames" not in apart
    assert "noise ceiling of r: not defined" in told([CellPair("a", "t", 0.5, 0.5)])
    assert told([]) == "No cell of policy and task is known on both sides."


def test_agreement_tells_bias_line_and_regret_with_intervals() -> None:
    text = told(grid())
    for what in (
        "r without trial noise, if",
        "world model's rate over true rate: slope",
        "top-1 regret",
    ):
        assert what in text
    rows = [line.split() for line in text.splitlines() if line.startswith("    ")]
    assert sorted(row[0] for row in rows if row[0][0] == "t") == [f"t{i}" for i in range(6)]
    assert all("(95 % for these trials" in " ".join(row) for row in rows if row[0][0] in "pt")
    bare = told([CellPair("a", f"t{i}", i / 9, i / 10) for i in range(3)])
    assert (
        "bias, world model minus truth: +1.1 points\n" in bare and "without trial noise" not in bare
    )


def test_agreement_counts_trainings() -> None:
    assert "6 policies of 1 training, 6 tasks" in told(grid("grasp@{}k"))


def test_agreement_says_which_tasks_order_the_policies() -> None:
    assert "of all policies" not in told(grid())
    some = told([cell for cell in grid() if (cell.policy, cell.task) != ("p0", "t0")])
    assert "(0 = same order; over the 5 tasks of all policies)" in some
    apart = [cell for cell in grid() if cell.task == f"t{cell.policy[1:]}"]
    assert "MMRV and top-1 regret: not defined, because no task is known for every" in told(apart)
    alone = [cell for cell in grid() if cell.policy == "p0"]
    assert "MMRV" not in told(alone)
