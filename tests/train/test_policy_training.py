from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_networks import TRUNK

from worldgym.episodes.frame_cache import frame_cache
from worldgym.episodes.store import EpisodeStore
from worldgym.errors import InputError
from worldgym.io.checkpoint import read_config
from worldgym.policies.load_policy import load_policy
from worldgym.policies.own.bc import BCConfig
from worldgym.policies.own.diffusion import DiffusionConfig
from worldgym.policies.policy_protocol import Observation
from worldgym.train.optimizer import FitConfig
from worldgym.train.policy_samples import SampleConfig
from worldgym.train.policy_training import PolicyTrainConfig, train_policy
from worldgym.types import Task, Trial

LENGTH = 6
NETS = {
    "bc": BCConfig(chunk=2, hidden=16, trunk=TRUNK),
    "diffusion": DiffusionConfig(chunk=2, width=16, layers=1, heads=2, trunk=TRUNK),
}


def recipe(store: Path, out: Path, kind: str = "bc", steps: int = 60) -> PolicyTrainConfig:
    fit = FitConfig(steps=steps, batch=16, lr=1e-2, warmup=5)
    return PolicyTrainConfig(out, "toy", SampleConfig(store, shift=1), NETS[kind], fit)


@pytest.mark.parametrize("kind", NETS)
def test_training_learns_the_experts_labels(sided_store: Path, tmp_path: Path, kind: str) -> None:
    assert train_policy(recipe(sided_store, tmp_path / "toy", kind)) == [tmp_path / "toy"]
    policy, cache = load_policy(tmp_path / "toy"), frame_cache(EpisodeStore(sided_store))
    looks = [Observation(cache.main(name)[0], "go left", 0) for name in ("e0", "e2")]
    states = policy.reset(
        [Trial(Task("left/0", "left", look.frame, look.instruction, 2), 0, 0) for look in looks]
    )
    _, actions = policy.act(states, looks)
    assert actions.shape == (2, 2, 2)
    assert actions[0, 0, 0] > 0.5 and actions[1, 0, 0] < -0.5
    trained = read_config(tmp_path / "toy")["trained"]
    assert (trained["samples"], trained["step"], trained["settings"]["fit"]["steps"]) == (
        8 * LENGTH,
        60,
        60,
    )
    assert "store" not in trained["settings"]["samples"]


@pytest.mark.parametrize("kind", NETS)
def test_a_policy_of_two_cameras_sees_what_only_the_second_shows(
    sided_store: Path, tmp_path: Path, kind: str
) -> None:
    plain = EpisodeStore(sided_store)
    views = ("front", "wrist")
    store = EpisodeStore.create(tmp_path / "store", plain.spec, 20.0, views=views)
    for info in plain:
        episode = plain[info.name]
        frames = np.concatenate([np.zeros_like(episode.frames), episode.frames], 1)
        told = replace(episode, frames=frames, views=views, instruction="go")
        store.write(info.name, told)
    config = recipe(store.root, tmp_path / "toy", kind)
    train_policy(replace(config, net=replace(config.net, cameras=views)))
    policy = load_policy(tmp_path / "toy")
    assert policy.needs.cameras == views
    looks = []
    for name in ("e0", "e2"):
        front, wrist = store[name].frames[0]
        looks.append(Observation(front, "go", 0, views={"front": front, "wrist": wrist}))
    trials = [Trial(Task("go/0", "go", look.frame, "go", 2), 0, 0) for look in looks]
    _, actions = policy.act(policy.reset(trials), looks)
    # left and right, told apart by the wrist alone
    assert actions[0, 0, 0] * actions[1, 0, 0] < 0 and abs(actions[:, 0, 0]).min() > 0.4


@pytest.mark.parametrize("kind", NETS)
def test_training_is_deterministic_and_saving_on_the_way_changes_nothing(
    sided_store: Path, tmp_path: Path, kind: str
) -> None:
    config = recipe(sided_store, tmp_path / "a", kind, steps=4)
    train_policy(config)
    train_policy(replace(config, out=tmp_path / "b"))
    series = train_policy(replace(config, out=tmp_path / "c", save_at=(1, 4)))
    assert series == [tmp_path / "c@1", tmp_path / "c@4"]
    first, again, early, late = (
        (folder / "model.safetensors").read_bytes()
        for folder in (config.out, tmp_path / "b", *series)
    )
    assert first == again == late != early
    assert [load_policy(folder).name for folder in series] == ["toy@1", "toy@4"]
    assert [read_config(folder)["trained"]["step"] for folder in series] == [1, 4]


def test_a_step_that_never_comes_is_refused(sided_store: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="after step 9 of 4"):
        replace(recipe(sided_store, tmp_path / "a", steps=4), save_at=(1, 9))
