"""benchmarks/bridge_sample.py: from recordings to an evaluation, at a tiny size; two real robots in
one checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from synthetic_sets import recordings, write_mp4_npz
from tiny_networks import tiny_codec, tiny_world

from worldgym.actions.conventions import CONVENTIONS
from worldgym.cli import main
from worldgym.episodes.store import EpisodeStore
from worldgym.errors import InputError
from worldgym.train.recipes import RECIPES, Recipe
from worldgym.train.world_train_config import WorldTrainConfig
from worldgym.world.network_config import DiTConfig
from worldgym.world.open_loop_replay import replay
from worldgym.world.world_checkpoint import load_diffusion_world

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:tensorboard")


def bridge_world(out: Path, device: str) -> WorldTrainConfig:
    tiny = tiny_world(out, device)
    network = replace(tiny.network, action_size=DiTConfig.action_size)
    return replace(tiny, network=network, batch=4, save_every=4, normalize=True)


@pytest.fixture
def script(load_script: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setitem(RECIPES, "bridge_sample", Recipe(tiny_codec, bridge_world))
    return load_script("benchmarks/bridge_sample.py")


def test_the_whole_path_at_a_tiny_size(
    script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clips = [
        replace(clip, actions=np.pad(clip.actions, ((0, 0), (0, 3)))) for clip in recordings(4)
    ]
    write_mp4_npz(tmp_path / "bridge_mp4", clips)
    lines = script.run(tmp_path, tmp_path / "out", "")
    assert "held-out replay PSNR @1" in capsys.readouterr().err
    assert [line.split("`")[1] for line in lines if "`" in line][::2] == [
        "worldgym data convert",
        "worldgym world train",
        "worldgym evaluate",
    ]
    rows = {
        tuple(cell.strip() for cell in line.split("|")[1:3]): line for line in lines if "(" in line
    }
    assert list(rows)[:3] == [
        ("held out (1)", what) for what in ("world", "still picture", "codec alone")
    ]
    assert len(list((tmp_path / "out" / "evaluation" / "videos").rglob("*.mp4"))) == 4
    assert "resumed: no times" in script.run(tmp_path, tmp_path / "out", "")[0]


@pytest.mark.slow
def test_bridge_and_droid_share_a_checkpoint(
    script: ModuleType, sample_data: Path, tmp_path: Path
) -> None:
    """Real episodes of both, at 32x32: each is replayed through one checkpoint under its own
    spec."""
    size = ["--size", "32", "32", "--limit", "3"]
    main(
        [
            "data",
            "convert",
            f"{sample_data}/bridge_mp4",
            "--out",
            f"{tmp_path}/bridge",
            "--convention",
            "released_10",
            "--shift",
            "-1",
            *size,
        ]
    )
    main(["data", "convert", f"{sample_data}/droid_mp4", "--out", f"{tmp_path}/droid", *size])
    stores = {name: EpisodeStore(tmp_path / name) for name in ("bridge", "droid")}
    data = [
        word
        for name in stores
        for word in ("--data", f"{tmp_path}/{name}", "--held-out", f"{tmp_path}/{name}")
    ]
    main(
        ["world", "train", *data, "--mix", "1", "1", "--out", f"{tmp_path}/run"]
        + ["--recipe", "bridge_sample"]
    )
    assert len(list((tmp_path / "run" / "sheets").glob("*-droid.png"))) == 1
    for name, convention in (("bridge", "released_10"), ("droid", "droid_joint_velocity")):
        world, episode = (
            load_diffusion_world(tmp_path / "run", embodiment=name),
            stores[name][next(iter(stores[name])).name],
        )
        assert world.spec == replace(CONVENTIONS[convention], rate_hz=5.0)
        assert np.isfinite(replay(world, [episode]).psnr).all()
    with pytest.raises(InputError, match=r"bridge, droid; .*--embodiment"):
        load_diffusion_world(tmp_path / "run")
