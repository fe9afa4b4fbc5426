"""The whole of `worldgym train` on synthetic episodes: codec, latents, world, replay,
checkpoint."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from shifting_latents import Codec, config
from tiny_networks import carrying_world, tiny_codec, tiny_world

from worldgym.actions.embodiment import Embodiment
from worldgym.codecs.conv import ConvCodec, ConvCodecConfig
from worldgym.episodes.mixture import NamedStore
from worldgym.episodes.store import EpisodeStore
from worldgym.errors import InputError
from worldgym.io.checkpoint import save_folder
from worldgym.testing import FAKE_SPEC, FakeWorld
from worldgym.train.codec_and_world import train_codec_and_world, world_config
from worldgym.train.optimizer import OptimizerConfig
from worldgym.train.recipes import RECIPES, Recipe
from worldgym.train.training_requests import TrainRequest
from worldgym.train.world_run import TrainRun, _prepare, held_out_sample
from worldgym.train.world_train_config import DirectTraining, WorldTrainConfig
from worldgym.train.world_training import checkpoint_config
from worldgym.world.network import DiT
from worldgym.world.open_loop_replay import contact_sheet, psnr, replay
from worldgym.world.sampler import SamplerConfig
from worldgym.world.world_checkpoint import load_diffusion_world


@pytest.mark.parametrize(
    ("recipe", "processes"),
    [
        (tiny_world, 1),
        pytest.param(tiny_world, 2, marks=pytest.mark.slow),
        pytest.param(carrying_world, 2, marks=pytest.mark.slow),
    ],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning:tensorboard")
def test_train_then_load(
    episode_store: EpisodeStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    recipe: Callable[[Path, str], WorldTrainConfig],
    processes: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(RECIPES, "tiny", Recipe(tiny_codec, recipe))
    request = TrainRequest(
        (f"square={episode_store.root}",),
        (episode_store.root,),
        tmp_path / "out",
        "tiny",
        processes=processes,
    )
    folder = train_codec_and_world(request)
    world = load_diffusion_world(folder)
    assert world.config.network == recipe(tmp_path, "cpu").network
    assert len(list((tmp_path / "out" / "sheets").glob("*.png"))) == 2
    result = replay(world, held_out_sample(episode_store.root, 2))
    assert result.frames.shape == (2, 9, 1, 32, 32, 3) and result.psnr.shape == (2, 8, 1)
    with pytest.raises(InputError, match="optimizer"):
        train_codec_and_world(replace(request, steps=6))
    with pytest.raises(InputError, match="batch"):
        train_codec_and_world(replace(request, batch=4))
    if processes == 1:  # a leg that goes on from it is whole by itself
        leg = replace(request, out=tmp_path / "leg", start=folder, codec=tmp_path / "out" / "codec")
        assert (
            load_diffusion_world(train_codec_and_world(leg)).codec.fingerprint
            == world.codec.fingerprint
        )
        ConvCodec(ConvCodecConfig(32, 4, 16, 1)).save(tmp_path / "other", "", {})
        with pytest.raises(InputError, match="holds another checkpoint"):
            train_codec_and_world(replace(leg, codec=tmp_path / "other"))


def test_the_held_out_sample_is_of_the_whole_store(episode_store: EpisodeStore) -> None:
    for count in (2, 3, 12):
        sample = held_out_sample(episode_store.root, count)
        assert len({episode.source for episode in sample}) == min(count, 3)
    lengths = {len(episode.actions) for episode in held_out_sample(episode_store.root, 12)}
    assert lengths == {8, 3}


def test_a_replay_of_several_lengths_scores_each_to_its_end(episode_store: EpisodeStore) -> None:
    episodes = held_out_sample(episode_store.root, 12)
    world = FakeWorld(frame_shape=(32, 32, 3))
    together = replay(world, episodes)
    for row, episode in enumerate(episodes):
        steps = len(episode.actions)
        alone = replay(world, [episode], seed=row)
        np.testing.assert_array_equal(together.psnr[row, :steps], alone.psnr[0])
        np.testing.assert_array_equal(together.frames[row, : steps + 1], alone.frames[0])
        assert np.isnan(together.psnr[row, steps:]).all()
    assert together.at(8) == together.psnr[:2, 7, 0].mean()


def test_a_run_goes_on_with_the_settings_that_it_began_with(
    episode_store: EpisodeStore, tmp_path: Path
) -> None:
    """Sampling and checkpointing do not touch what is learned."""
    codec = tmp_path / "codec"
    plain_codec = ConvCodec(ConvCodecConfig(32, 4, 16, 1))
    plain_codec.save(codec, "", {})
    run = TrainRun(
        tiny_world(tmp_path / "out", "cpu"),
        (NamedStore("square", episode_store.root),),
        (episode_store.root,),
        codec,
    )
    _prepare(run)
    free = replace(run.config, checkpointing=True, sampler=SamplerConfig(steps=9), save_every=1)
    _prepare(replace(run, config=free))
    with pytest.raises(InputError, match="conditioning"):
        _prepare(replace(run, config=replace(run.config, conditioning="action")))
    path = tmp_path / "out" / "run.json"
    stage = OptimizerConfig(steps=9)
    begun = json.loads(path.read_text())
    for name, settings in (("carrier", stage), ("direct", DirectTraining(stage, stage))):
        first = replace(run.config, **{name: settings})
        with pytest.raises(InputError, match=f"another {name}"):
            _prepare(replace(run, config=first))
        path.write_text(json.dumps({key: begun[key] for key in begun if key != name}))
        _prepare(run)  # began before that part could be trained first
        path.write_text(json.dumps(begun | {name: repr(settings)}))
        _prepare(replace(run, config=first))
        with pytest.raises(InputError, match=f"another {name}"):
            _prepare(run)
        path.write_text(json.dumps(begun))
    path.write_text(json.dumps(json.loads(path.read_text()) | {"stores": "two"}))
    with pytest.raises(InputError, match="another stores"):
        _prepare(run)


def test_a_recipe_without_a_codec_asks_for_one(episode_store: EpisodeStore, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--codec"):
        train_codec_and_world(
            TrainRequest(
                (f"square={episode_store.root}",), (), tmp_path / "out", recipe="paper_33m"
            )
        )
    assert not (tmp_path / "out").exists()


def test_steps_of_each_stage_are_chosen_by_themselves(tmp_path: Path) -> None:
    request = TrainRequest(("panda",), (), tmp_path, "panda", device="cpu")
    recipe = world_config(request)
    assert recipe.carrier is not None and recipe.direct is not None
    chosen = world_config(replace(request, carrier_steps=7))
    assert chosen == replace(recipe, carrier=replace(recipe.carrier, steps=7))
    chosen = world_config(replace(request, direct_steps=160))
    direct = recipe.direct
    tenth = DirectTraining(replace(direct.motion, steps=200), replace(direct.frames, steps=160))
    assert chosen == replace(recipe, direct=tenth)
    chosen = world_config(replace(request, steps=7))
    assert (chosen.carrier, chosen.direct) == (recipe.carrier, recipe.direct)
    for option in ("carrier", "direct"):
        chosen = world_config(replace(request, **{f"{option}_steps": 0}))
        assert chosen == replace(recipe, **{option: None})
        with pytest.raises(InputError, match=f"--{option}-steps is -3"):
            world_config(replace(request, **{f"{option}_steps": -3}))
        with pytest.raises(InputError, match="such as panda"):
            world_config(replace(request, recipe="reference", **{f"{option}_steps": 7}))


@pytest.mark.parametrize("width", [0, 8])
def test_parts_that_a_start_has_are_not_trained_alone(tmp_path: Path, width: int) -> None:
    """Its blocks are fitted to them, and to how actions are embedded for them."""
    begun = config(tmp_path)
    network = replace(begun.network, carrier_width=width, direct_width=width)
    begun = replace(begun, network=network)
    described = checkpoint_config(begun, [Embodiment("fake", FAKE_SPEC)], Codec())
    save_folder(tmp_path / "begun", described, DiT(begun.network).state_dict(), "")
    request = TrainRequest(("panda",), (), tmp_path, "panda", device="cpu")
    recipe = world_config(request)
    going_on = world_config(replace(request, start=tmp_path / "begun"))
    assert going_on.carrier == (None if width else recipe.carrier)
    assert going_on.direct == (None if width else recipe.direct)
    asked = replace(request, start=tmp_path / "begun", carrier_steps=7, direct_steps=160)
    assert world_config(asked).carrier is not None and world_config(asked).direct is not None


def test_unknown_recipe(episode_store: EpisodeStore, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="reference"):
        train_codec_and_world(
            TrainRequest((f"square={episode_store.root}",), (), tmp_path, recipe="none")
        )


def test_psnr_of_known_errors() -> None:
    black = np.zeros((4, 4, 3), np.uint8)
    assert psnr(black, black) == 60.0
    assert psnr(np.full_like(black, 255), black) == 0.0
    # 20 log10(255 / 51)
    assert psnr(np.full_like(black, 51), black) == pytest.approx(13.9794, abs=1e-3)


def test_contact_sheet_shows_first_and_last() -> None:
    video = np.arange(5, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)
    sheet = contact_sheet([video, video], count=3, scale=2)
    assert sheet.shape == (8, 12, 3)
    assert sheet[0, 0, 0] == 0 and sheet[0, -1, 0] == 4
