from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from worldgym import cli
from worldgym.cli.sweep_commands import expanded, read_sweep
from worldgym.errors import InputError
from worldgym.io.bundled import BUNDLE
from worldgym.io.run_log import read_header, read_log

PAGE = Path(__file__).parents[2] / "docs" / "sweeps.md"
RUN = Path("runs/nightly/small/all/learned")


def told() -> str:
    """The example of the page."""
    found = re.search(r"<!-- sweep.toml -->\n```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With two tasks, and room for checkpoints."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "tasks").mkdir()
    for place in sorted((BUNDLE / "tasks").rglob("*.json"))[:2]:
        for file in (place, place.with_suffix(".png")):
            target = tmp_path / "tasks" / file.relative_to(BUNDLE / "tasks")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)
            if file == place:
                values = json.loads(file.read_text())
                target.write_text(json.dumps({**values, "steps": 2}))
    text = told().replace('\nall = "bundled"', '\nall = "tasks"')
    (tmp_path / "sweep.toml").write_text(text)
    return tmp_path


def checkpoint(folder: Path, step: int) -> None:
    source = next(place for place in sorted((BUNDLE / "policies").iterdir()) if place.is_dir())
    shutil.copytree(source, folder / "checkpoints" / f"step-{step}")


def command(*words: str) -> None:
    try:
        cli.main(["evaluate", "--config", "sweep.toml", *words])
    except SystemExit as stop:
        assert not stop.code, stop.code


class Ended:
    """A run that was ended early."""

    ended_early = True


def test_a_sweep_that_is_ended_early_begins_no_other_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint(folder, 100)
    file = folder / "sweep.toml"
    more = file.read_text().replace("[worlds]", '[worlds]\nlarge = "bundled"')
    file.write_text(more + "\nmax_minutes = 60.0\n")
    assert len(read_sweep(file)) == 2
    asked: list[float] = []

    def evaluate(**options: Any) -> Ended:
        asked.append(options["max_minutes"])
        return Ended()

    monkeypatch.setattr("worldgym.api.evaluate", evaluate)
    monkeypatch.setattr("worldgym.cli.sweep_commands._preview", lambda one: None)
    monkeypatch.setattr("worldgym.cli.sweep_commands.preview_text", lambda expected: "")
    monkeypatch.setattr("worldgym.cli.sweep_commands.show", lambda run, as_json: None)
    monkeypatch.setattr("worldgym.cli.sweep_commands.end_as", lambda runs: None)
    with pytest.raises(AssertionError, match="75"):
        command()
    assert len(asked) == 1 and 59.0 < asked[0] < 60.0  # minutes are those of the sweep
    assert "not begun: 1 run; give the same command again" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ('on = "slurm"', "--on is slurm"),
        ('track = ["wandbb:x"]', 'no tracker "wandbb:x"'),
        ("max_minutes = nan", '"options.max_minutes" holds nan; it must be a finite number'),
        ("max_minutes = -3.0", "--max-minutes is -3"),
        ("stall_minutes = inf", '"options.stall_minutes" holds inf; it must be a finite number'),
    ],
)
def test_a_wrong_option_is_found_before_anything_runs(
    option: str, says: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint(folder, 100)
    file = folder / "sweep.toml"
    file.write_text(f"{file.read_text()}\n{option}\n")
    with pytest.raises(SystemExit) as stop:
        cli.main(["evaluate", "--config", "sweep.toml", "--dry-run"])
    assert stop.value.code == 2 and says in capsys.readouterr().err


def test_the_example_runs_and_grows_every_night(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint(folder, 100)
    command("--dry-run")
    said = capsys.readouterr().out
    assert f"{RUN}: 4 of 4 trials to do\n  policies still, copy@100\n" in said
    assert "unknown until trials have run" in said and not (folder / "runs").exists()
    command()
    capsys.readouterr()
    first = read_log(folder / RUN / "log.jsonl")[1]
    assert {record.policy for record in first} == {"still", "copy@100"} and len(first) == 4
    checkpoint(folder, 2000)
    checkpoint(folder, 300)
    command("--dry-run", "--json")
    (expected,) = json.loads(capsys.readouterr().out)
    assert expected["policies"] == ["still", "copy@100", "copy@300", "copy@2000"]
    assert (expected["planned"], expected["left"]) == (8, 4)
    mean = sum(record.seconds for record in first) / 4
    assert expected["seconds"] == pytest.approx(4 * mean)
    command()
    records = read_log(folder / RUN / "log.jsonl")[1]
    assert records[:4] == first and len(records) == 8
    assert len(read_header(folder / RUN / "log.jsonl").policies) == 4
    command("--dry-run")
    assert "in all 0 of 8 to do" in capsys.readouterr().out


def test_all_is_checked_before_anything_runs(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint(folder, 100)
    text = (folder / "sweep.toml").read_text()
    (folder / "sweep.toml").write_text(text.replace("[tasks]", 'other = "nowhere"\n\n[tasks]'))
    with pytest.raises(SystemExit) as stop:
        cli.main(["evaluate", "--config", "sweep.toml"])
    *loading, said = capsys.readouterr().err.splitlines()
    assert stop.value.code == 2 and said.startswith("worldgym: runs/nightly/other/all/learned: ")
    assert "nowhere" in said and not (folder / "runs").exists()
    assert set(loading) <= {"worldgym: loading the world"}  # where that takes long


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("trials = 2", "trails = 2", '"trails" is unknown (did you mean trials?); known are out, '),
        ("trials = 2", 'trials = "2"', "\"trials\" holds '2'; it must be a whole number"),
        ("trials = 2 ", "# ", '"trials" is missing'),
        ("batch = 32", "batchs = 32", '"options.batchs" is unknown (did you mean batch?)'),
        ("batch = 32", 'rule = "all"', "\"options.rule\" holds 'all'; it must be one of"),
        ("batch = 32", 'out = "x"', '"options.out" is unknown'),
        ('small = "bundled"', "small = 3", '"worlds.small" holds 3; it must be a text'),
        ('small = "bundled"', '"a/b" = "bundled"', '"worlds.a/b" cannot be a folder name'),
        ('small = "bundled"', "", '"worlds" is empty: name at least one'),
        ("policies = [", "policies = [[", "not valid TOML"),
        ("checkpoints/step-*", "nothing/*", 'nothing matches "nothing/*"'),
    ],
)
def test_what_is_wrong_in_the_file_is_one_sentence(
    folder: Path, old: str, new: str, said: str
) -> None:
    checkpoint(folder, 100)
    text = (folder / "sweep.toml").read_text()
    assert old in text
    (folder / "sweep.toml").write_text(text.replace(old, new))
    with pytest.raises(InputError) as refused:
        read_sweep(Path("sweep.toml"))
    told = str(refused.value)
    assert told.startswith("sweep.toml: ") and told.count("sweep.toml") == 1 and said in told


def test_options_are_those_of_the_command_line_and_each_run_has_its_curves(folder: Path) -> None:
    checkpoint(folder, 100)
    tracked = 'track = ["tensorboard:curves/", "wandb:mine"]\nbatch = "auto"'
    text = (folder / "sweep.toml").read_text().replace("batch = 32", tracked)
    (folder / "sweep.toml").write_text(text.replace("[options]", 'second = "x"\n\n[options]'))
    found = read_sweep(Path("sweep.toml"))
    assert [one.batch for one in found] == [None, None]
    assert [one.track for one in found] == [
        (f"tensorboard:curves/small/all/{judge}", "wandb:mine") for judge in ("learned", "second")
    ]


def test_every_world_with_every_set_of_tasks_and_every_judge(folder: Path) -> None:
    checkpoint(folder, 100)
    text = (folder / "sweep.toml").read_text().replace("[options]", 'second = "x"\n\n[options]')
    (folder / "sweep.toml").write_text(text.replace("[judges]", 'few = "y"\n\n[judges]'))
    found = read_sweep(Path("sweep.toml"))
    assert [one.out for one in found] == [
        f"runs/nightly/small/{tasks}/{judge}"
        for tasks in ("all", "few")
        for judge in ("learned", "second")
    ]
    assert {one.policy for one in found} == {("still", "copy@100=checkpoints/step-100")}
    options: dict[str, Any] = found[-1].asked("typed")
    assert options["seed"] == 0 and options["command"] == "typed" and "json" not in options


def test_stars_are_expanded_in_the_order_of_their_numbers(folder: Path) -> None:
    for step in (20, 100, 3):
        (folder / "checkpoints" / f"step-{step}").mkdir()
    (folder / "checkpoints" / "step-5").write_text("no folder")
    names = ["step-3", "step-20", "step-100"]
    assert expanded("checkpoints/step-*") == [f"checkpoints/{name}" for name in names]
    assert expanded("still") == ["still"] and expanded("a=ws://h:1") == ["a=ws://h:1"]
    assert expanded("g@*=checkpoints/step-*")[2] == "g@100=checkpoints/step-100"
    for slashes in ("checkpoints//step-*", ".///checkpoints/step-*", "*s//step-3"):
        assert "=" not in (found := expanded(f"g@*={slashes}")[0].partition("="))[0]
        assert (
            found[0] == ("g@checkpoint" if slashes.endswith("3") else "g@3") and "//" not in found
        )
    with pytest.raises(InputError, match="a star in its name"):
        expanded("g@*=checkpoints")
    with pytest.raises(InputError, match="names no folder"):  # a star is all that has a meaning
        expanded("g@*=checkpoints/step-[12]*")
    (folder / "checkpoints" / "step-[1]-9").mkdir()
    assert expanded("g@*=checkpoints/step-[1]-*") == ["g@9=checkpoints/step-[1]-9"]


def test_help_names_both_ways(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["evaluate", "--help"])
    assert "--config FILE.toml" in " ".join(capsys.readouterr().out.split())
    cli.main(["evaluate", "--config", "--help"])
    assert "--dry-run" in capsys.readouterr().out
