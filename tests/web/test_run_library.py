"""Runs are found by scanning; what lies elsewhere is not."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from app_runs import fill, header, trial

from worldgym.errors import InputError
from worldgym.io.run_log import LOG_NAME, read_log
from worldgym.stats.summarize import summarize
from worldgym.stats.world_trust import WorldTrust
from worldgym.web.run_library import RunLibrary


def test_every_run_is_found_with_its_card(make_run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    runs = [make_run("a"), make_run("deep/er/b")]
    (tmp_path / "runs" / "other").mkdir()
    (tmp_path / "runs" / "other" / LOG_NAME).write_text('{"event": "of another program"}\n')
    library = RunLibrary([tmp_path / "runs"])
    library.scan()
    assert [run.name for run in library.runs()] == ["a", "deep/er/b"] and not library.reading
    for run, folder in zip(library.runs(), runs, strict=True):
        summary = summarize(*read_log(folder / LOG_NAME))
        assert run.card is not None and run.card.state == "finished"
        for told, known in zip(run.card.policies, summary.policies, strict=True):
            assert (told.rate, told.low, told.high) == (known.rate, known.low, known.high)
        assert run.card.tasks == ("door", "drawer") and run.card.suite == "ab" * 32


def test_red_tasks_stay_out_of_the_rates(make_run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    run = make_run()
    tasks = {"door": {"colour": "red", "reason": "no"}, "drawer": {"colour": "green", "reason": ""}}
    (run / "trust.json").write_text(json.dumps({"world": "world-1", "tasks": tasks}))
    library = RunLibrary([run])
    library.scan()
    summary = summarize(*read_log(run / LOG_NAME), None, WorldTrust.of_run(run))
    (listed,) = library.runs()
    assert listed.name == "a" and listed.card is not None
    assert listed.card.trust == {"green": 1, "red": 1}
    assert [p.rate for p in listed.card.policies] == [p.rate for p in summary.policies]


def test_cards_are_kept_and_made_again_when_the_log_changed(make_run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    run = make_run()
    RunLibrary([tmp_path / "runs"], tmp_path / "cache").scan()
    again = RunLibrary([tmp_path / "runs"], tmp_path / "cache")
    again.find()
    assert not again.reading and again.runs()[0].card is not None
    shutil.rmtree(run)
    fill(run, header(), [trial("good", "door", 0)])
    again.find()
    assert again.reading == 1
    again.scan()
    card = again.runs()[0].card
    assert card is not None and card.done == 1
    (tmp_path / "cache" / "run-cards.json").write_text("{")
    assert RunLibrary([tmp_path / "runs"], tmp_path / "cache").runs() == []


def test_a_folder_whose_name_is_no_utf8_is_listed(make_run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    run = make_run()
    for name in (b"caf\xe9", b"caf\xe8"):
        shutil.copytree(run, tmp_path / "runs" / os.fsdecode(name))
    for _ in range(2):  # made, then out of the cache
        library = RunLibrary([tmp_path / "runs"], tmp_path / "cache")
        library.scan()
        assert [found.name for found in library.runs()] == ["a", "caf\ufffd", "caf\ufffd~2"]
        assert all(found.card is not None and not found.card.fault for found in library.runs())
    known = library.run("caf\ufffd~2")
    assert known is not None and os.fsencode(known.folder).endswith(b"/caf\xe9")


def test_links_lead_nowhere(make_run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    run = make_run()
    outside = fill(tmp_path / "outside", header(), [trial("good", "door", 0)])
    (tmp_path / "runs" / "link").symlink_to(outside)
    (tmp_path / "runs" / "c").mkdir()
    (tmp_path / "runs" / "c" / LOG_NAME).symlink_to(outside / LOG_NAME)
    library = RunLibrary([tmp_path / "runs"])
    library.scan()
    assert [found.folder for found in library.runs()] == [run.resolve()]


def test_a_damaged_log_is_listed_with_its_fault(make_run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    run = make_run()
    (run / LOG_NAME).write_bytes((run / LOG_NAME).read_bytes() + b"{}\n")
    library = RunLibrary([tmp_path / "runs"])
    library.scan()
    card = library.runs()[0].card
    assert card is not None and card.state == "damaged" and "line 14" in card.fault


def test_folders_of_one_name_keep_apart(make_run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    make_run("x/a")
    make_run("y/a")
    library = RunLibrary([tmp_path / "runs/x/a", tmp_path / "runs/y/a", tmp_path / "runs"])
    library.find()
    assert [run.name for run in library.runs()] == ["a", "a~2", "runs/x/a", "runs/y/a"]
    with pytest.raises(InputError, match="no such folder"):
        RunLibrary([tmp_path / "none"])
