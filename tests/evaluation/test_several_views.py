"""A run of two views: its log names them, its videos show them side by side, and judging and
labelling it take them apart again; a policy of two cameras gets both, or is refused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_networks import tiny_codec, tiny_world

from worldgym.cli import main
from worldgym.episodes.store import EpisodeStore
from worldgym.errors import InputError
from worldgym.evaluation.plan import EvaluateConfig
from worldgym.evaluation.provenance import Origin
from worldgym.evaluation.rejudge import RejudgeConfig, clips_of_run, rejudge
from worldgym.evaluation.run import evaluate_parts
from worldgym.io.run_log import LOG_NAME, read_log
from worldgym.io.run_records import run_views
from worldgym.io.video import decode_video
from worldgym.policies.policy_protocol import Needs, Observation
from worldgym.tasks.task_folder import load_tasks
from worldgym.tasks.write_tasks import write_task
from worldgym.testing import FakeJudge, FakePolicy, FakeWorld
from worldgym.train.recipes import RECIPES, Recipe
from worldgym.types import Frames, Rollout, Task, Verdict
from worldgym.world.world_checkpoint import load_diffusion_world
from worldgym.world.world_protocol import Given

VIEWS = ("front", "wrist")


class Drawing(FakeWorld):
    def complete(self, frames: Frames, given: Given, seeds: Sequence[int]) -> Frames:
        return np.where(given[..., None, None, None], frames, np.uint8(200)).astype(np.uint8)


class SeesViews(FakeJudge):
    """Says what it was shown."""

    def __call__(self, rollout: Rollout, task: Task) -> Verdict:
        shown = f"{rollout.views} {rollout.frames.shape} {rollout.frames[0, 1].mean():.0f}"
        return Verdict(1.0, self.name, shown)


class Both(FakePolicy):
    def act(
        self, states: Sequence[Any], observations: Sequence[Observation]
    ) -> tuple[list[Any], Any]:
        assert all(set(seen.views) == set(VIEWS) for seen in observations)
        return super().act(states, observations)


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    """The first brings a wrist picture, the second does not."""
    for i in range(2):
        others = {} if i else {"wrist": np.full((16, 24, 3), 90, np.uint8)}
        frame = np.full((16, 24, 3), 40 + i, np.uint8)
        write_task(tmp_path / "tasks", Task(f"a/{i}", "a", frame, "push", 3, others=others))
    return tmp_path / "tasks"


def test_from_tasks_to_judging_again(tasks: Path, tmp_path: Path) -> None:
    world, policy = Drawing(views=VIEWS), Both(needs=Needs(cameras=VIEWS))
    config = EvaluateConfig(tmp_path / "run", 2)
    origin = Origin({"tasks": str(tasks)})
    evaluate_parts(config, world, [policy], load_tasks(tasks), SeesViews(), origin)
    header, records = read_log(tmp_path / "run" / "log.jsonl")
    assert run_views(header) == VIEWS
    assert [record.flags for record in records] == [(), ("wrist view generated",)]
    seen = ["('front', 'wrist') (4, 2, 16, 24, 3) 90", "('front', 'wrist') (4, 2, 16, 24, 3) 200"]
    assert [record.reason for record in records] == seen
    assert decode_video(tmp_path / "run" / str(records[0].video)).shape == (4, 16, 48, 3)
    rejudge(RejudgeConfig(tmp_path / "run", tmp_path / "again"), SeesViews())
    again = read_log(tmp_path / "again" / "log.jsonl")[1]
    for before, after in zip(seen, (record.reason for record in again), strict=True):
        assert before.rpartition(" ")[0] == after.rpartition(" ")[0]
        assert abs(int(before.split()[-1]) - int(after.split()[-1])) < 6  # what video costs
    clip = clips_of_run(tmp_path / "run")[0]
    assert clip.views == VIEWS and clip.rollout().frames.shape == (4, 2, 16, 24, 3)


def test_what_a_world_does_not_draw_is_refused_before_the_first_frame(
    tasks: Path, tmp_path: Path
) -> None:
    policy = Both(needs=Needs(cameras=("front", "hand")))
    config = EvaluateConfig(tmp_path / "run", 2)
    with pytest.raises(InputError, match='needs the camera "hand", and the world draws front, wri'):
        evaluate_parts(config, Drawing(views=VIEWS), [policy], load_tasks(tasks), FakeJudge())
    with pytest.raises(InputError, match=r"task a/1: brings no initial frame of the view wrist"):
        plain = FakePolicy()
        evaluate_parts(config, FakeWorld(views=VIEWS), [plain], load_tasks(tasks), FakeJudge())
    assert not (tmp_path / "run" / "log.jsonl").exists()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning:tensorboard")
def test_droid_goes_all_the_way_with_both_cameras(
    sample_data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Eleven real episodes: looked at, converted, learned from for a few steps, and evaluated, with
    the recorded wrist view and with one that the world draws. What such a world draws is of no use.
    """
    monkeypatch.setitem(RECIPES, "tiny", Recipe(tiny_codec, tiny_world))
    source = str(sample_data / "droid_mp4")
    both = ["--views", "exterior=0", "wrist=2", "--size", "32", "32"]

    def ran(*words: str) -> str:
        main(list(words))
        return capsys.readouterr().out

    assert "views: exterior, wrist" in ran("data", "inspect", source, *both[:3])
    ran("data", "convert", source, "--out", str(tmp_path / "store"), *both)
    store = EpisodeStore(tmp_path / "store")
    assert len(store) == 11 and store.views == ("exterior", "wrist")
    data = ["--data", str(store.root), "--held-out", str(store.root)]
    run = str(tmp_path / "run")
    ran("world", "train", *data, "--out", run, "--recipe", "tiny", "--device", "cpu")
    world = load_diffusion_world(tmp_path / "run")
    assert world.views == store.views
    tasks = tmp_path / "tasks"
    told = ["--instruction", "do it", "--limit", "3", "--steps", "5"]
    ran("tasks", "new", source, "--out", str(tasks), *both, *told)
    asked = ["--world", run, "--tasks", str(tasks), "--judge", "later", "--policy", "random"]
    ran("evaluate", *asked, "--trials", "1", "--out", str(tmp_path / "given"))
    brought = list(tasks.rglob("*.wrist.png"))
    assert len(brought) == 3
    for picture in brought:
        picture.unlink()
    ran("evaluate", *asked, "--trials", "1", "--out", str(tmp_path / "drawn"))
    for name, flags in (("given", ()), ("drawn", ("wrist view generated",))):
        header, records = read_log(tmp_path / name / LOG_NAME)
        assert run_views(header) == store.views and len(records) == 3
        assert all(record.flags == flags for record in records)
