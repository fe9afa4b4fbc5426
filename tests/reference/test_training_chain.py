"""The chain runs its stages in order, once each, and says where it stopped."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import pytest

from worldgym.cli import Page, main, parsed
from worldgym.errors import InputError
from worldgym.reference.chain_stages import FULL, TINY, Command, stages
from worldgym.reference.training_chain import StageFailed, run_chain

NAMES = [stage.name for stage in stages(Path("x"), FULL)]


def test_stages_run_once_in_order_and_again_where_they_changed(tmp_path: Path) -> None:
    ran: list[Command] = []

    def run(command: Command, log: Path) -> int:
        ran.append(command)
        return 0

    assert run_chain(tmp_path, TINY, run=run) == NAMES
    assert stages(tmp_path, TINY)[0].commands[0] == ran[0]
    told = json.loads((tmp_path / "stages" / "mine.json").read_text())
    assert told["commands"][0][1] == "mine-false-successes" and told["seconds"] >= 0
    assert run_chain(tmp_path, TINY, run=run) == []
    assert run_chain(tmp_path, replace(TINY, judge_steps=3), run=run) == ["judge"]
    with pytest.raises(InputError, match="distill"):
        run_chain(tmp_path, TINY, ["distil"], run)


def test_a_stage_that_ran_under_old_names_of_its_commands_is_finished(tmp_path: Path) -> None:
    run_chain(tmp_path, TINY, run=lambda command, log: 0)
    for name, new, old in (
        ("calibration", "validate-calibration", "check-calibration"),
        ("checks", "measure-crossings", "check-crossings"),
    ):
        marker = tmp_path / "stages" / f"{name}.json"
        assert new in marker.read_text()
        marker.write_text(marker.read_text().replace(new, old))
    assert run_chain(tmp_path, TINY, run=lambda command, log: 0) == []


def test_a_failure_names_its_command_and_log_and_the_chain_goes_on_there(tmp_path: Path) -> None:
    codes = iter([0, 0, 2])
    with pytest.raises(StageFailed, match=r"record-others stopped with exit code 2 at"):
        run_chain(tmp_path, TINY, run=lambda command, log: next(codes))
    assert not (tmp_path / "stages" / "record-others.json").exists()
    assert run_chain(tmp_path, TINY, run=lambda command, log: 0)[0] == "record-others"


def test_folders_stand_for_what_is_in_them(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / "policies" / "collectors" / name).mkdir(parents=True)
    seen: list[Command] = []
    run_chain(tmp_path, TINY, ["loops"], lambda command, log: seen.append(command) or 0)
    (command,) = seen
    place = command.index("--policy") + 1
    assert [Path(word).name for word in command[place : place + 2]] == ["a", "b"]


def test_every_command_of_the_chain_is_there_and_held_out_ones_come_last() -> None:
    chain = stages(Path("x"), FULL)
    for stage in (*chain, *stages(Path("x"), TINY)):
        assert stage.minutes > 0
        for command in stage.commands:
            assert not isinstance(parsed(command), Page)  # InputError for an unknown option
    early = [word for stage in chain[:-2] for command in stage.commands for word in command]
    assert (
        not {"any-motion", "held-out"} & set(early)
        and "30000" not in early
        and "20000" not in early
    )


def test_it_shows_what_it_would_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["reference", "chain", "--out", str(tmp_path), "--dry-run"])
    out = capsys.readouterr().out
    assert all(f"{name}: about" in out for name in NAMES) and "hours on two idle cores" in out
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.reference
def test_the_whole_chain_at_tiny_size(tmp_path: Path) -> None:
    if importlib.util.find_spec("metaworld") is None:
        pytest.skip("the extra [reference] is not installed")
    assert run_chain(tmp_path, TINY) == NAMES
    assert (tmp_path / "runs" / "any-motion" / "summary.json").exists()
