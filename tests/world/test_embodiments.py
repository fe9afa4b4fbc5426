"""Several robots in one network: each is a plain world of its own, and none knows of the others'
actions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from worldgym.actions.embodiment import Embodiment, Scaling
from worldgym.episodes.windows import cut, random_starts
from worldgym.errors import CheckpointError, InputError
from worldgym.testing import FAKE_SPEC, check_world
from worldgym.train.distributed import ProcessGroup
from worldgym.train.latent_shards import LatentEpisodes, join
from worldgym.train.optimizer import OptimizerConfig
from worldgym.train.world_batches import Tables, make_batch
from worldgym.train.world_train_config import WorldTrainConfig
from worldgym.train.world_training import checkpoint_config, train_world
from worldgym.types import ActionSpec
from worldgym.world.conditioning import conditioning, null_actions, shown_columns
from worldgym.world.embodiments import single
from worldgym.world.model import DiffusionWorld
from worldgym.world.network import DiT, Robots
from worldgym.world.network_config import DiTConfig
from worldgym.world.sampler import SamplerConfig
from worldgym.world.world_checkpoint import load_diffusion_world

WIDE = ActionSpec(
    tuple("abcde"), "delta_pose", "1 m", "none", "none", (-1.0,) * 5, (1.0,) * 5, FAKE_SPEC.rate_hz
)
ROBOTS = [
    Embodiment("narrow", FAKE_SPEC, Scaling((0.0,) * FAKE_SPEC.size, (0.5,) * FAKE_SPEC.size)),
    Embodiment("wide", WIDE, Scaling((0.0,) * 5, (2.0,) * 5)),
]
SIZES = {"sum": 11, "action": 5}


class Codec:
    latent_shape, frame_shape, fingerprint, latents = (3, 4, 4), (4, 4, 3), "none", "none"

    def encode(self, frames: torch.Tensor) -> torch.Tensor:
        return frames.permute(0, 3, 1, 2).float() / 127.5 - 1.0

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        return ((latents.permute(0, 2, 3, 1) + 1.0) * 127.5).round().clamp(0, 255).to(torch.uint8)


def config(out: Path, form: str = "sum", **changes: object) -> WorldTrainConfig:
    network = DiTConfig(
        (3, 4, 4),
        width=32,
        pairs=1,
        heads=2,
        action_size=SIZES[form],
        action_octaves=2,
        embodiments=2,
    )
    optimizer = OptimizerConfig(steps=6, lr=3e-3, muon_lr=3e-3, warmup=2, ema=0.9)
    sampler = SamplerConfig(steps=2, window=6, keep=3)
    base = WorldTrainConfig(
        out,
        network,
        optimizer,
        sampler,
        batch=8,
        frames=6,
        save_every=3,
        conditioning=form,
        dtype="float32",
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def data(counts: tuple[int, int] = (3, 6), form: str = "sum") -> list[LatentEpisodes]:
    """Episodes of noise, 4 to 9 frames long."""
    rng, stores = np.random.default_rng(0), []
    for robot, count in zip(ROBOTS, counts, strict=True):
        actions = [
            rng.uniform(-1, 1, (3 + i, robot.spec.size)).astype(np.float32) for i in range(count)
        ]
        latents = rng.normal(size=(sum(len(a) + 1 for a in actions), 3, 4, 4)).astype(np.float16)
        stores.append(join(latents, actions, robot, config(Path("out"), form).plain_size(robot)))
    return stores


def network(form: str) -> DiT:
    """Random weights, none of them zero."""
    torch.manual_seed(0)
    net = DiT(config(Path("out"), form).network)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return net.requires_grad_(False)


def rows(form: str, index: int, count: int = 2) -> Robots:
    known = torch.zeros(SIZES[form], dtype=torch.bool)
    known[torch.from_numpy(shown_columns(form, ROBOTS[index].spec.size, SIZES[form], widest=5))] = (
        True
    )
    return Robots(torch.full((count,), index), known.expand(count, -1))


def inputs() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(3)
    x = torch.randn(2, 4, 3, 4, 4, generator=g)
    return x, 1000 * torch.rand(2, 4, generator=g), torch.randn(2, 3, 4, 4, generator=g)


def test_columns_are_the_robots_own_in_the_order_in_which_they_are_shown() -> None:
    assert shown_columns("sum", 2, 11, widest=5).tolist() == [0, 1, 5, 6, 10]
    assert shown_columns("sum", 5, 11).tolist() == list(range(11))
    assert shown_columns("action", 3, 5).tolist() == [0, 1, 2, 4]
    assert shown_columns("action", 5, 5).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("form", ["sum", "action"])
@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize("dropped", [False, True])
def test_the_plain_network_of_a_robot_computes_what_the_shared_one_does(
    form: str, index: int, dropped: bool
) -> None:
    net, robots = network(form), rows(form, index)
    described = checkpoint_config(config(Path("out"), form), ROBOTS, Codec())
    found, tensors = single(described, net.state_dict(), ROBOTS[index].name, Path("out"))
    alone = DiT(DiTConfig(**found["network"] | {"latent_shape": (3, 4, 4)}))
    alone.load_state_dict(tensors)
    x, level, start = inputs()
    own = torch.randn(2, 4, int(robots.known[0].sum()), generator=torch.Generator().manual_seed(1))
    own = null_actions(own) if dropped else own
    padded = torch.zeros(2, 4, SIZES[form])
    padded[..., robots.known[0]] = own
    with torch.no_grad():
        torch.testing.assert_close(
            alone(x, level, own, start),
            net(x, level, padded, start, robots=robots),
            atol=1e-5,
            rtol=1e-4,
        )


@pytest.mark.parametrize("form", ["sum", "action"])
def test_masked_columns_have_no_effect(form: str) -> None:
    """Neither what stands in another robot's numbers nor what the network learned of them; the
    token does have one."""
    net, robots, (x, level, start) = network(form), rows(form, 0), inputs()
    actions = torch.randn(2, 4, SIZES[form], generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        before = net(x, level, actions, start, robots=robots)
        others = actions + 9.0 * ~robots.known[:, None]
        assert torch.equal(net(x, level, others, start, robots=robots), before)
        assert not torch.equal(
            net(x, level, others, start, robots=rows(form, 1)),
            net(x, level, actions, start, robots=rows(form, 1)),
        )
        assert net.embodiment_token is not None
        net.embodiment_token[1] += 5.0
        assert torch.equal(net(x, level, actions, start, robots=robots), before)
        net.embodiment_token[0] += 5.0
        assert not torch.equal(net(x, level, actions, start, robots=robots), before)


def test_training_one_robot_leaves_the_others_weights_alone() -> None:
    net, run = network("sum"), config(Path("out"))
    net.requires_grad_(True)
    x, level, start = inputs()
    net(x, level, torch.randn(2, 4, 11), start, robots=rows("sum", 0)).square().sum().backward()
    assert net.embodiment_token is not None and net.embodiment_token.grad is not None
    gradient = net.action_embedder.weight.grad
    assert gradient is not None
    touched = gradient.abs().sum(0)[: run.network.action_size] > 0
    assert touched.tolist() == rows("sum", 0).known[0].tolist()
    assert net.embodiment_token.grad[0].any() and not net.embodiment_token.grad[1].any()


@pytest.mark.parametrize("form", ["sum", "action"])
def test_batches_hold_each_robots_scaled_actions_at_its_own_places(form: str) -> None:
    stores, run = data(form=form), config(Path("out"), form)
    tables = Tables.of(stores, run)
    row = 0
    for part in stores:
        columns = run.columns(part.robot, max(p.robot.spec.size for p in stores))
        shown = tables.shown[row : row + len(part.shown)].numpy()
        np.testing.assert_array_equal(shown[:, columns], part.shown)
        assert not np.delete(shown, columns, axis=1).any()
        row += len(part.shown)
    batch = make_batch(tables, run, 4, ProcessGroup(0, 1))
    assert batch.robots is not None and set(batch.robots.index.tolist()) == {0, 1}
    for index, known, actions in zip(
        batch.robots.index, batch.robots.known, batch.actions, strict=True
    ):
        assert torch.equal(known, rows(form, int(index)).known[0])
        assert not actions[:, ~known].any()


def test_scaling_is_applied_once_on_either_side() -> None:
    """What training shows with a frame is what the world shows its network there."""
    rng = np.random.default_rng(0)
    actions = rng.uniform(-1, 1, (5, FAKE_SPEC.size)).astype(np.float32)
    described = checkpoint_config(config(Path("out")), ROBOTS, Codec())
    world = built(described, network("sum"), "narrow")
    state = world.reset(np.zeros((1, 1, 4, 4, 3), np.uint8), [1])
    for step in range(5):
        state, _ = world.step(state, actions[None, step : step + 1])
    learnt = conditioning(actions / np.float32(0.5))
    np.testing.assert_allclose(
        state.context.actions[0].numpy(), learnt[-state.context.length :], atol=1e-5
    )


def built(described: Mapping[str, object], net: DiT, name: str) -> DiffusionWorld:
    from worldgym.world.world_config import WorldConfig

    found, tensors = single(described, net.state_dict(), name, Path("out"))
    world = WorldConfig.from_json(found)
    alone = DiT(world.network)
    alone.load_state_dict(tensors)
    return DiffusionWorld(world, alone, Codec(), name, torch.float32)


def test_one_store_is_drawn_from_as_it_was_before_there_could_be_several() -> None:
    part, run = data()[0], config(Path("out"), batch=32)
    one = replace(
        run, network=replace(run.network, action_size=2 * FAKE_SPEC.size + 1, embodiments=1)
    )
    batch = make_batch(Tables.of([part], one), one, 7, ProcessGroup(0, 1))
    rng = np.random.default_rng([one.seed, 7])
    episodes = rng.integers(0, len(part.lengths), 32)
    lengths = part.lengths[episodes]
    frames, mask = cut(lengths, one.frames, random_starts(lengths, one.frames, rng))
    places = part.first[episodes][:, None] + frames
    assert batch.robots is None
    np.testing.assert_array_equal(batch.mask, mask)
    np.testing.assert_array_equal(batch.latents, part.latents[places].astype(np.float32))
    np.testing.assert_array_equal(batch.actions[batch.mask], part.shown[places][mask])


def test_two_robots_train_resume_and_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stop(Exception):
        pass

    def stop(step: int, worlds: object) -> None:
        raise Stop

    def quiet(step: int, anything: object) -> None:
        pass

    run = config(tmp_path / "whole", mix=(1.0, 2.0))
    whole = train_world(run, data(), Codec(), quiet, quiet)
    broken = replace(run, out=tmp_path / "broken")
    with pytest.raises(Stop):
        train_world(broken, data(), Codec(), quiet, stop)
    resumed = train_world(broken, data(), Codec(), quiet, quiet)
    monkeypatch.setattr(
        "worldgym.world.world_checkpoint.load_codec", lambda folder, device: Codec()
    )
    for robot in ROBOTS:
        loaded = load_diffusion_world(tmp_path / "whole", dtype="float32", embodiment=robot.name)
        assert (
            loaded.spec == robot.spec
            and loaded.config == whole[robot.name].config
            and loaded.name.endswith(robot.name)
        )
        check_world(loaded)
        for name, value in whole[robot.name].network.state_dict().items():
            assert torch.equal(value, resumed[robot.name].network.state_dict()[name]), name
    token = (
        (whole["wide"].network.action_embedder.bias - whole["narrow"].network.action_embedder.bias)
        .abs()
        .max()
    )
    assert token > 0, "the token was learned"


def test_a_robot_must_be_named_where_there_are_several_and_only_there() -> None:
    several = checkpoint_config(config(Path("out")), ROBOTS, Codec())
    for name in (None, "other"):
        with pytest.raises(InputError, match=r"several robots, narrow, wide; .*--embodiment"):
            single(several, {}, name, Path("out"))
    one = {"spec": FAKE_SPEC.to_json(), "network": asdict(DiTConfig())}
    assert single(one, {}, None, Path("out")) == (one, {})
    with pytest.raises(InputError, match="leave --embodiment out"):
        single(one, {}, "narrow", Path("out"))


def test_damaged_weights_and_configurations_that_do_not_fit_are_named() -> None:
    several = checkpoint_config(config(Path("out")), ROBOTS, Codec())
    weights = {
        name: value
        for name, value in network("sum").state_dict().items()
        if name != "embodiment_token"
    }
    with pytest.raises(CheckpointError, match="not those of a network for several robots"):
        single(several, weights, "wide", Path("out"))
    for changed, match in (
        (config(Path("out"), mix=(1.0,)), "shares"),
        (config(Path("out"), mix=(1.0, 0.0)), "shares"),
        (
            config(Path("out"), network=replace(config(Path("out")).network, embodiments=1)),
            "embodiments 2",
        ),
    ):
        with pytest.raises((InputError, CheckpointError), match=match):
            train_world(changed, data(), Codec(), lambda *_: None, lambda *_: None)
