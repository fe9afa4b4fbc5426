"""From names to the parts of a session: world, tasks, policies, judge, and a trial to begin
with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worldgym.errors import InputError
from worldgym.evaluation.judge_recorded import task_of
from worldgym.evaluation.rejudge import tasks_of_run
from worldgym.io.bundled import NAME, bundled, each_policy
from worldgym.io.files import read_array
from worldgym.io.run_log import LOG_NAME
from worldgym.io.run_records import TrialRecord
from worldgym.io.video import decode_video, views_of
from worldgym.judges.load_judge import load_judge
from worldgym.policies.load_policy import load_policy
from worldgym.policies.observations import check_needs
from worldgym.tasks.task_folder import load_tasks
from worldgym.types import ONE_VIEW, Actions, Task, Trial
from worldgym.web.log_index import LogIndex
from worldgym.web.play_app import PlayConfig, chosen_tasks
from worldgym.world.world_protocol import World
from worldgym.world.world_source import load_world


@dataclass(frozen=True)
class PlaySources:
    """What the options of `worldgym play` name; None = as the world is, or nothing.   replay: video
    of a trial in a run."""

    world: str
    tasks: Path | None = None
    policies: tuple[str, ...] = ()
    judge: Path | None = None
    replay: Path | None = None
    embodiment: str | None = None


def load_play(sources: PlaySources, out: Path, seed: int = 0, device: str = "auto") -> PlayConfig:
    """InputError for what does not fit together."""
    world: World[Any] = load_world(sources.world, sources.embodiment, device)
    ours = sources.world == NAME
    folder = sources.tasks or (bundled(NAME, "tasks") if ours else None)
    judge = sources.judge or (bundled(NAME, "judge") if ours else None)
    tasks = chosen_tasks([] if folder is None else load_tasks(folder), world.frame_shape)
    policies = tuple(
        load_policy(name, world.spec, device) for name in each_policy(sources.policies)
    )
    for policy in policies:
        told = world.capabilities.returns
        check_needs(policy.name, policy.needs, world.spec, tasks, world.views, told)
    video = sources.replay
    replay = None if video is None else recorded_trial(video, sources.tasks, world.views)
    if replay is not None and replay[1].shape[1] != world.spec.size:
        raise InputError(
            f"{sources.replay}: its actions have {replay[1].shape[1]} numbers, those of the world "
            f"{world.spec.size}; name the world of the run"
        )
    return PlayConfig(
        world,
        tasks,
        policies,
        None if judge is None else load_judge(judge, device=device),
        out,
        seed,
        replay,
    )


def recorded_trial(
    video: Path, tasks: Path | None = None, views: Sequence[str] = ONE_VIEW
) -> tuple[Trial, Actions]:
    """The trial of a run that made this video, and its actions [T, A]. The same seed gives the
    same noise.   views: that the video shows side by side. InputError where the file is no such
    video."""
    run = next((folder for folder in video.parents if (folder / LOG_NAME).is_file()), None)
    if run is None:
        raise InputError(f"{video}: is not in a run; name a video below a run's folder")
    index = LogIndex(run)
    index.update()
    name = video.relative_to(run).as_posix()
    known = (index.record(int(row)) for row in index.rows())
    record = next((record for record in known if record.video == name), None)
    if record is None or index.header is None or record.actions_file is None:
        raise InputError(f"{video}: the log of {run} names no such video")
    actions = read_array(run / record.actions_file)
    return Trial(_task(run, record, tasks, views), record.repeat, index.header.run_seed), actions


def _task(run: Path, record: TrialRecord, tasks: Path | None, views: Sequence[str]) -> Task:
    """As the run knew it; where its folder of tasks is gone, from the video's own first frames."""
    try:
        return task_of(tasks_of_run(run, tasks), record)
    except InputError:
        if tasks is not None:
            raise
    video = run / str(record.video)
    first = views_of(decode_video(video), views, video)[0]
    return Task(
        record.task,
        record.group,
        first[0],
        record.instruction,
        max(record.steps, 1),
        others=dict(zip(views[1:], first[1:], strict=True)),
    )
