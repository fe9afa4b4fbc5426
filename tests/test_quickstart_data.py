"""Every command of docs/quickstart-your-data.md runs as it stands, in order, on small synthetic
sets."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from synthetic_sets import recordings, write_mp4_npz, write_rlds, write_robomimic

from worldgym.actions.conventions import load_convention
from worldgym.cli import main
from worldgym.codecs.conv import ConvCodecConfig
from worldgym.episodes.sources import open_source
from worldgym.episodes.store import EpisodeStore
from worldgym.tasks.task_folder import load_tasks
from worldgym.train.codec_training import CodecTrainConfig
from worldgym.train.optimizer import OptimizerConfig
from worldgym.train.recipes import RECIPES, Recipe
from worldgym.train.world_train_config import WorldTrainConfig
from worldgym.world.network_config import DiTConfig
from worldgym.world.sampler import SamplerConfig

pytest.importorskip("pyarrow", reason="the extra [data] is not installed")
pytest.importorskip("h5py", reason="the extra [data] is not installed")

GUIDE = Path(__file__).parent.parent / "docs" / "quickstart-your-data.md"
BLOCKS = re.findall(
    r"^```(\w*)\n(.*?)^```", GUIDE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
)
COMMANDS = [
    line
    for kind, block in BLOCKS
    for line in block.splitlines()
    if kind == "" and line.startswith("worldgym ")
]
OPTIONS = re.findall(r"`(--[\w-]+)", GUIDE.read_text(encoding="utf-8"))


RUN_FILES = ("both/world/config.json", "arm/summary.json", "bridge17/summary.json")


def tiny_codec(out: Path, device: str) -> CodecTrainConfig:
    return CodecTrainConfig(
        out,
        ConvCodecConfig(128, 4, 8, 1),
        OptimizerConfig(steps=2, warmup=1),
        batch=2,
        device=device,
    )


def tiny_world(out: Path, device: str) -> WorldTrainConfig:
    network = DiTConfig((4, 16, 16), width=16, pairs=1, heads=1, window=8)
    sampler, optimizer = (
        SamplerConfig(steps=1, window=6, keep=3),
        OptimizerConfig(steps=2, warmup=1),
    )
    return WorldTrainConfig(
        out,
        network,
        optimizer,
        sampler,
        batch=3,
        frames=4,
        save_every=2,
        device=device,
        normalize=True,
    )


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with my-data/ as the guide has it, made the current one."""
    data = tmp_path / "my-data"
    write_rlds(data / "rlds", recordings(3))
    write_mp4_npz(data / "clips", recordings(3))
    write_robomimic(data / "hdf5", recordings(2))
    (data / "my-robot.json").write_text(next(block for kind, block in BLOCKS if kind == "json"))
    monkeypatch.setitem(RECIPES, "bridge_sample", Recipe(tiny_codec, tiny_world))
    frames = data / "bridge17-frames" / "08-put-carrot-on-plate"
    frames.mkdir(parents=True)
    Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(frames / "1.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.filterwarnings("ignore::DeprecationWarning:tensorboard")
def test_every_command_runs(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = ""
    for command in COMMANDS:
        main(shlex.split(command)[1:])
        said = capsys.readouterr()
        out += said.out
        told = {
            "worldgym world": "held-out replay PSNR",
            "worldgym evaluate": "knows results of RT-1-X",
        }
        # on a busy machine, how far it is comes too
        lines = [line for line in said.err.splitlines() if not re.search(r"\d+ s$", line)]
        usual = told.get(" ".join(shlex.split(command)[:2]), "no line")
        assert not lines or usual in said.err, said.err
    both, arm, bridge17 = (json.loads((work / "runs" / path).read_text()) for path in RUN_FILES)
    assert [robot["name"] for robot in both["embodiments"]] == ["bridge", "arm"]
    assert arm["world"].endswith("-arm") and sum(cell["unscored"] for cell in arm["cells"]) == len(
        arm["cells"]
    )
    assert [cell["task"] for cell in bridge17["cells"]] == ["08-put-carrot-on-plate"]
    assert "rlds: 3 episodes, 3 read, 0 broken" in out and "hdf5 (robomimic): 2 episodes" in out
    assert "stores/train: 3 episodes written, 0 skipped" in out and "tasks/bridge17: 1 task" in out
    with Image.open(work / "sheet.png") as sheet:
        assert sheet.height == 3 * 128
    store, released = EpisodeStore(work / "stores/train"), EpisodeStore(work / "stores/released")
    assert store["train-00000-00000"].main.shape == (5, 128, 128, 3) and released.spec.size == 10
    assert json.loads((work / "stores/train/statistics.json").read_text())["episodes"] == 3
    assert [len(load_tasks(work / "tasks" / name)) for name in ("mine", "clips", "bridge17")] == [
        3,
        3,
        1,
    ]
    assert open_source(work / "lerobot/train").spec == store.spec


def test_there_are_commands_and_the_training_command_is_one_of_ours(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert len(COMMANDS) >= 10
    train, _ = (
        shlex.split(command)[1:]
        for command in COMMANDS
        if command.startswith("worldgym world train")
    )
    main([*train, "--help"])
    assert "--held-out" in capsys.readouterr().out


def test_the_example_of_a_convention_is_sound(work: Path) -> None:
    assert load_convention("my-data/my-robot.json").rate_hz == 10


def test_every_option_that_is_named_exists(capsys: pytest.CaptureFixture[str]) -> None:
    helps = []
    for words in (
        ["data", "inspect"],
        ["data", "convert"],
        ["tasks", "new"],
        ["world", "train"],
        ["evaluate"],
    ):
        main([*words, "--help"])
        helps.append(capsys.readouterr().out)
    missing = {option for option in OPTIONS if not any(option in text for text in helps)}
    assert not missing


def test_broken_and_strict_on_the_command_line(
    work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (work / "my-data/clips/train/001.mp4").write_bytes(b"")
    main(["data", "convert", "my-data/clips", "--out", "out", "--convention", "bridge_v2"])
    out, err = capsys.readouterr()
    assert (
        "out: 2 episodes written, 1 skipped" in out
        and "skipped train-001: " in err
        and "001.mp4" in err
    )
    with pytest.raises(SystemExit) as stop:
        main(
            [
                "data",
                "convert",
                "my-data/clips",
                "--out",
                "other",
                "--convention",
                "bridge_v2",
                "--recorded-fps",
                "5",
                "--strict",
            ]
        )
    assert stop.value.code == 2 and "001.mp4: the file is empty" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stop:
        main(["data", "inspect", "my-data/bridge17-frames"])
    assert stop.value.code == 2 and "not a readable dataset" in capsys.readouterr().err


def test_a_dataset_of_which_nothing_can_be_read_is_refused(
    work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (work / "my-data/clips").rglob("*.mp4"):
        path.write_bytes(b"")
    with pytest.raises(SystemExit) as stop:
        main(["data", "inspect", "my-data/clips"])
    out, err = capsys.readouterr()
    assert stop.value.code == 2 and "3 broken" in out and "none of the episodes" in err


def test_inspection_as_json(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["data", "inspect", "my-data/rlds", "--json", "--limit", "0"])
    found = json.loads(capsys.readouterr().out)
    assert (
        found["read"] == [f"train-00000-{i:05d}" for i in range(3)]
        and found["alignment"]["pairs"] == 18
    )
