"""A student learns on its own rollouts to end where its teacher does; what it is taught is what it
will meet."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tests.train.test_world_training import Codec, Stop, config, episodes, quiet, stop
from worldgym.actions.embodiment import Reach, Scaling
from worldgym.errors import InputError
from worldgym.io.checkpoint import save_folder
from worldgym.train.distillation import Distillation, DistillConfig, Span, continued, spans
from worldgym.train.distributed import ProcessGroup
from worldgym.train.latent_shards import LatentEpisodes
from worldgym.train.world_batches import Tables
from worldgym.train.world_train_config import WorldTrainConfig
from worldgym.train.world_training import Objective, Worlds, train_world
from worldgym.world.completion import draw_missing
from worldgym.world.conditioning import DISPLACEMENT_SCALE, at_rest
from worldgym.world.model import DiffusionWorld
from worldgym.world.network import DiT
from worldgym.world.sampler import SamplerConfig
from worldgym.world.world_config import WorldConfig

SETTINGS = DistillConfig(Path("teacher"), teacher_steps=4, steps=(1, 2), shuffled=0.5, steered=0.5)
RECORDED = DistillConfig(Path("teacher"), teacher_steps=4, steps=(1,), recorded=True)
NONE = torch.zeros(8, dtype=torch.bool)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> DiffusionWorld:
    """Trained until it follows actions, on clips as long as its window."""
    run = config(
        tmp_path_factory.mktemp("teacher"), steps=150, batch=16, dtype="float32", save_every=1000
    )
    return train_world(
        replace(run, sampler=SamplerConfig(4, window=4, keep=2)), episodes(), Codec(), quiet, quiet
    )["fake"]


def student_run(
    out: Path, teacher: DiffusionWorld, steps: int, **changes: object
) -> WorldTrainConfig:
    base = config(
        out,
        steps=steps,
        batch=8,
        frames=7,
        dtype="float32",
        action_dropout=0.0,
        start=None,
        **changes,
    )
    return replace(base, sampler=replace(teacher.config.sampler, steps=1))


def work(
    run: WorldTrainConfig, teacher: DiffusionWorld, settings: DistillConfig = SETTINGS
) -> Distillation:
    return Distillation(run, settings, teacher)


def network_like(teacher: DiffusionWorld) -> DiT:
    network = DiT(teacher.config.network)
    network.load_state_dict(teacher.network.state_dict())
    return network


@pytest.fixture
def begun(teacher: DiffusionWorld, tmp_path: Path) -> Path:
    """A checkpoint to start from: the teacher's weights."""
    save_folder(tmp_path / "teacher", teacher.config.to_json(), teacher.network.state_dict(), "")
    return tmp_path / "teacher"


@pytest.mark.parametrize("window, keep", [(4, 2), (4, 0), (6, 3), (16, 8)])
def test_what_is_taught_is_what_the_student_does(
    teacher: DiffusionWorld, tmp_path: Path, window: int, keep: int
) -> None:
    """With one step a jump from pure noise is the frame that the student drew, whichever window it
    stood in."""
    world = (
        teacher.with_sampler(window=window, keep=keep)
        if window < 9
        else teacher.with_sampler(window=8, keep=4)
    )
    run = student_run(tmp_path, teacher, 1)
    task, network = work(run, world), network_like(teacher)
    batch = task._batch(
        Tables.of(episodes(), run), 0, ProcessGroup(0, 1), torch.Generator().manual_seed(0)
    )
    rolled = task.roll_out(network, batch, 1, range(8), NONE)
    jumped = task.jump(network, batch, rolled, torch.full((8, 6), 1000.0))
    torch.testing.assert_close(jumped, rolled.frames[:, 1:], atol=1e-4, rtol=1e-4)


def test_the_ends_are_the_teachers_behind_the_students_frames(
    teacher: DiffusionWorld, tmp_path: Path
) -> None:
    """A student of as many steps with the teacher's weights draws the ends themselves."""
    run = student_run(tmp_path, teacher, 1)
    task, network = work(run, teacher), network_like(teacher)
    batch = task._batch(
        Tables.of(episodes(), run), 3, ProcessGroup(0, 1), torch.Generator().manual_seed(0)
    )
    same = task.roll_out(network, batch, 4, range(8), NONE)
    torch.testing.assert_close(same.frames[:, 1:], same.ends, atol=1e-5, rtol=1e-5)
    other = task.roll_out(network, batch, 1, range(8), NONE)
    assert (other.frames[:, 1:] - other.ends).abs().max() > 1e-3
    assert torch.equal(other.frames[:, 0], same.frames[:, 0]) and torch.equal(
        other.noise, same.noise
    )


def test_a_steered_row_is_taught_the_teachers_own_rollout(
    teacher: DiffusionWorld, tmp_path: Path
) -> None:
    run = student_run(tmp_path, teacher, 1)
    task, network = work(run, teacher), network_like(teacher)
    batch = task._batch(
        Tables.of(episodes(), run), 3, ProcessGroup(0, 1), torch.Generator().manual_seed(0)
    )
    # of the teacher's steps and weights: its own rollout
    alone = task.roll_out(network, batch, 4, range(8), NONE).frames
    half = torch.arange(8) < 4
    rolled = task.roll_out(network, batch, 1, range(8), half)
    torch.testing.assert_close(rolled.ends[half], alone[half, 1:], atol=1e-5, rtol=1e-5)
    assert (rolled.ends[~half] - alone[~half, 1:]).abs().max() > 1e-3


def distance(task: Distillation, network: DiT, steps: int) -> float:
    """Mean squared distance of the student's frames from the teacher's ends behind them, on clips
    that were not drawn before."""
    run = task.config
    batch = task._batch(
        Tables.of(episodes(), run), 10_000, ProcessGroup(0, 1), torch.Generator().manual_seed(1)
    )
    rolled = task.roll_out(network, batch, steps, range(1000, 1008), NONE)
    return float((rolled.frames[:, 1:] - rolled.ends).square().mean())


def test_what_should_stay_weighs_more_where_asked(teacher: DiffusionWorld, tmp_path: Path) -> None:
    moving = episodes()[0]
    thing = np.zeros((2, 4, 4), np.float16)
    thing[:, 1, 1] = 2.0

    def loss(still_weight: float) -> float:
        run = student_run(tmp_path, teacher, 1, still_weight=still_weight)
        tables = Tables.of([replace(moving, latents=moving.latents + thing)], run)
        return work(run, teacher).loss(network_like(teacher), tables, 0, ProcessGroup(0, 1)).item()

    assert loss(4.0) > 1.001 * loss(0.0) > 0.0


def test_few_steps_come_closer_to_the_teacher(
    teacher: DiffusionWorld, begun: Path, tmp_path: Path
) -> None:
    run = replace(student_run(tmp_path, teacher, 60), start=begun)
    task, student = work(run, teacher), train(run, teacher)["fake"]
    before = [distance(task, network_like(teacher), steps) for steps in (1, 2)]
    after = [distance(task, student.network, steps) for steps in (1, 2)]
    assert after[0] < 0.5 * before[0], (before, after)
    assert after[1] < before[1], (before, after)
    assert student.config.sampler.steps == 1


def test_recorded_ends_ask_no_teacher(
    teacher: DiffusionWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = student_run(tmp_path, teacher, 1)
    task, network = work(run, teacher, RECORDED), network_like(teacher)
    student = task.student(network, 1)
    monkeypatch.setattr(task, "student", lambda network, steps: student)
    monkeypatch.setattr(task, "teacher", SimpleNamespace(dtype=teacher.dtype))  # it draws nothing
    tables, generator = Tables.of(episodes(), run), torch.Generator().manual_seed(0)
    batch = task._batch(tables, 3, ProcessGroup(0, 1), generator)
    rolled = task.roll_out(network, batch, 1, range(8), NONE)
    assert torch.equal(rolled.ends, batch.latents[:, 1:])
    assert (rolled.frames[:, 1:] - rolled.ends).abs().max() > 1e-3


def test_recorded_ends_bring_rollouts_closer_to_what_was_recorded(
    teacher: DiffusionWorld, begun: Path, tmp_path: Path
) -> None:
    run = replace(student_run(tmp_path, teacher, 60), start=begun)
    task = work(run, teacher, RECORDED)
    before = distance(task, network_like(teacher), 1)
    after = distance(task, train(run, teacher, settings=RECORDED)["fake"].network, 1)
    assert after < 0.5 * before, (before, after)


def train(
    run: WorldTrainConfig,
    teacher: DiffusionWorld,
    visit: object = quiet,
    settings: DistillConfig = SETTINGS,
) -> Worlds:
    task = work(run, teacher, settings)
    return train_world(run, episodes(), Codec(), quiet, visit, Objective(task.loss, task.passes))  # type: ignore[arg-type]


def test_stopped_and_resumed_is_uninterrupted(teacher: DiffusionWorld, tmp_path: Path) -> None:
    whole = train(student_run(tmp_path / "whole", teacher, 6), teacher)["fake"]
    broken = student_run(tmp_path / "broken", teacher, 6)
    with pytest.raises(Stop):
        train(broken, teacher, stop)
    resumed = train(broken, teacher)["fake"]
    for name, value in whole.network.state_dict().items():
        assert torch.equal(value, resumed.network.state_dict()[name]), name


def test_two_processes_take_the_step_of_one(teacher: DiffusionWorld, tmp_path: Path) -> None:
    run = student_run(tmp_path, teacher, 1)
    task, network, tables = work(run, teacher), network_like(teacher), Tables.of(episodes(), run)

    def gradient(group: ProcessGroup) -> torch.Tensor:
        network.zero_grad()
        task.loss(network, tables, 5, group).backward()
        return torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None])

    halves = (gradient(ProcessGroup(0, 2)) + gradient(ProcessGroup(1, 2))) / 2
    torch.testing.assert_close(halves, gradient(ProcessGroup(0, 1)), atol=1e-6, rtol=1e-3)


def test_spans_of_a_rollout() -> None:
    assert spans(25, SamplerConfig(window=16, keep=8)) == [
        Span(0, 1, 16),
        Span(8, 16, 24),
        Span(16, 24, 25),
    ]
    assert spans(5, SamplerConfig(window=3, keep=0)) == [
        Span(0, 1, 3),
        Span(1, 3, 4),
        Span(2, 4, 5),
    ]
    assert spans(16, SamplerConfig(window=16, keep=8)) == [Span(0, 1, 16)]


def test_actions_of_another_clip_go_on_from_this_one() -> None:
    def shown(start: float, actions: list[float]) -> torch.Tensor:
        sums = start + np.cumsum(actions)
        return scaled(
            torch.tensor(
                [[[a, s, 0.0] for a, s in zip(actions, sums, strict=True)]], dtype=torch.float32
            )
        )

    def scaled(numbers: torch.Tensor) -> torch.Tensor:
        """Sums are shown in other units."""
        return torch.cat([numbers[..., :1], DISPLACEMENT_SCALE * numbers[..., 1:]], -1)

    mine, other = shown(3.0, [1.0, 1.0, 1.0]), shown(-7.0, [5.0, 2.0, -1.0])
    expected = torch.tensor([[[1.0, 4.0, 0.0], [2.0, 6.0, 0.0], [-1.0, 5.0, 0.0]]])
    torch.testing.assert_close(continued(mine, other, Scaling()), scaled(expected))
    near = Scaling(reach=Reach((((-9.0,), (5.0,)), ((-9.0,), (9.0,)))))
    mine, other = (torch.cat([x[..., :2], x[..., 1:]], -1) for x in (mine, other))
    expected = torch.tensor([[[1.0, 4.0, 4.0, 0.0], [2.0, 5.0, 6.0, 0.0], [-1.0, 4.0, 5.0, 0.0]]])
    torch.testing.assert_close(continued(mine, other, near), scaled(expected))
    plain = continued(mine, other, None)
    assert torch.equal(plain[:, :1], mine[:, :1]) and torch.equal(plain[:, 1:], other[:, 1:])


@pytest.mark.parametrize(
    "changes",
    [{"steps": ()}, {"steps": (0,)}, {"steps": (1, 4)}, {"shuffled": 1.5}, {"steered": -0.1}],
)
def test_settings_that_cannot_be_are_named(changes: dict[str, object]) -> None:
    with pytest.raises(InputError, match="fewer steps than the teacher's"):
        DistillConfig(Path("t"), **changes)  # type: ignore[arg-type]


def test_without_a_teacher_its_steps_do_not_matter() -> None:
    DistillConfig(Path("t"), teacher_steps=1, steps=(1, 2), recorded=True)


def test_a_world_config_survives(teacher: DiffusionWorld) -> None:
    few = replace(teacher.config, sampler=replace(teacher.config.sampler, steps=1))
    assert WorldConfig.from_json(few.to_json()) == few


def two_views() -> list[LatentEpisodes]:
    """Those of one view, each begun somewhere else, and below them their negative; one episode
    lacks the second view."""
    (plain,) = episodes(24)
    begins = np.random.default_rng(1).uniform(-2, 2, len(plain)).astype(np.float16)
    front = plain.latents + np.repeat(begins, plain.lengths)[:, None, None, None]
    both = np.concatenate([front, -front], axis=2)
    present = np.ones((len(plain), 2), np.bool_)
    present[1, 1] = False
    return [replace(plain, latents=both, present=present)]


def test_a_student_of_two_views_is_taught_both_and_completes_like_its_teacher(
    tmp_path: Path,
) -> None:
    base = config(tmp_path / "t", steps=400, batch=16, dtype="float32", save_every=1000)
    run = replace(
        base,
        network=replace(base.network, cameras=2),
        views=("front", "wrist"),
        sampler=SamplerConfig(4, window=4, keep=2),
    )
    teacher = train_world(run, two_views(), Codec(), quiet, quiet)["fake"]
    save_folder(tmp_path / "w", teacher.config.to_json(), teacher.network.state_dict(), "")
    begun = replace(student_run(tmp_path / "s", teacher, 60), start=tmp_path / "w")
    learning = replace(begun, network=run.network, views=run.views)
    task = work(learning, teacher)

    def distance(network: DiT) -> float:
        batch = task._batch(
            Tables.of(two_views(), learning),
            10_000,
            ProcessGroup(0, 1),
            torch.Generator().manual_seed(1),
        )
        rolled = task.roll_out(network, batch, 1, range(1000, 1008), NONE)
        return float((rolled.frames[:, 1:] - rolled.ends).square().mean())

    student = train_world(
        learning, two_views(), Codec(), quiet, quiet, Objective(task.loss, task.passes)
    )["fake"]
    assert distance(student.network) < 0.5 * distance(network_like(teacher))

    # the wrist of an initial frame is the negative of the front
    (data,) = two_views()
    latents = torch.from_numpy(data.latents[data.first, :, :4]).float()

    def completed(world: DiffusionWorld) -> float:
        x = torch.stack([latents, torch.zeros_like(latents)], 1)
        given = torch.tensor([[True, False]] * len(x))
        noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(3))
        rest = at_rest(len(x), world.config.network.action_size, "sum")
        drawn = draw_missing(world.network, world.schedule, 4, x, given, noise, rest)
        return float((drawn[:, 1] + latents).square().mean() / latents.square().mean())

    assert completed(teacher) < 0.4
    assert completed(student) < 0.4
