"""The app of `worldgym play`: one page that steers a world, and what it asks for."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import torch
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from worldgym.episodes.store import EpisodeStore, numbered_names
from worldgym.episodes.writers.lerobot_writer import LeRobotWriter
from worldgym.errors import InputError
from worldgym.io.images import decode_image, resized
from worldgym.judges.judge_protocol import Judge
from worldgym.policies.policy_protocol import Policy
from worldgym.tasks.write_tasks import write_task
from worldgym.types import Actions, ActionSpec, Episode, Task, Trial, joined_views
from worldgym.web.app_pages import AppPages, Missing, json_body, static_file
from worldgym.web.guard import Guard, SessionSecrets
from worldgym.web.play_session import HAND, RECORDED, PlayNode, PlaySession
from worldgym.world.world_protocol import World

STEPS = 40  # of a task that is made from an uploaded picture
MAX_INSTRUCTION = 500  # characters
TASK_NAME = re.compile(r"\w[\w.-]{0,79}", re.ASCII)


@dataclass(frozen=True)
class PlayConfig:
    """tasks: to choose from.   judge: None = there is no live score.   out: folder for what is
    saved.   recorded: (trial, its actions [T, A]) to begin with."""

    world: World[Any]
    tasks: tuple[Task, ...]
    policies: tuple[Policy[Any], ...]
    judge: Judge | None
    out: Path
    seed: int = 0
    recorded: tuple[Trial, Actions] | None = None
    secret: SessionSecrets = field(default_factory=SessionSecrets)


class PlayPages:
    """Answers of the app. One session at a time. World and policies compute in one thread, the
    judge in another that takes one core, so that a frame never waits for a score."""

    def __init__(self, config: PlayConfig, pages: AppPages) -> None:
        self.config = config
        self.pages = pages
        self.session: PlaySession | None = None
        threads = torch.get_num_threads()
        self._world = ThreadPoolExecutor(1, "world", torch.set_num_threads, (threads,))
        self._judging = ThreadPoolExecutor(1, "judge", torch.set_num_threads, (1,))

    @property
    def routes(self) -> list[Route]:
        return [
            Route("/", self.page),
            Route("/play/start", self.start, methods=["POST"]),
            Route("/play/upload", self.upload, methods=["POST"]),
            Route("/play/step", self.step, methods=["POST"]),
            Route("/play/save", self.save, methods=["POST"]),
            Route("/play/frame", self.frame),
            Route("/play/judge", self.judge),
        ]

    def page(self, request: Request) -> Response:
        config = self.config
        recorded = None if config.recorded is None else config.recorded[0].task
        tasks = config.tasks if recorded is None else (recorded, *config.tasks)
        context = {
            "title": "Play",
            "world": config.world,
            "tasks": list({task.name: task for task in tasks}.values()),
            "policies": [policy.name for policy in config.policies],
            "judge": None if config.judge is None else config.judge.name,
            "recorded": recorded is not None,
            "out": config.out,
            "facts": {
                "spec": config.world.spec.to_json(),
                "rest": resting_action(config.world.spec),
                "views": list(config.world.views),
            },
        }
        return self.pages.page("play.html", context)

    async def start(self, request: Request) -> Response:
        said = await json_body(request)
        return await _done(self._world, self._start, str(said.get("task", "")))

    def _start(self, name: str) -> Response:
        config = self.config
        trial, actions = config.recorded if config.recorded is not None else (None, None)
        if trial is None or trial.task.name != name:
            task = next((task for task in config.tasks if task.name == name), None)
            if task is None:
                raise Missing("there is no such task")
            trial, actions = Trial(task, 0, config.seed), None
        return self._begin(trial, actions)

    async def upload(self, request: Request) -> Response:
        """A picture as the body, its instruction in the address."""
        data = await request.body()
        instruction = request.query_params.get("instruction", "").strip()
        return await _done(self._world, self._upload, data, instruction)

    def _upload(self, data: bytes, instruction: str) -> Response:
        if not 0 < len(instruction) <= MAX_INSTRUCTION:
            raise InputError(f"say what the robot should do, in 1 to {MAX_INSTRUCTION} characters")
        height, width, _ = self.config.world.frame_shape
        frame = resized(decode_image(data, "the uploaded picture"), (height, width))
        task = Task("uploaded", "uploaded", frame, instruction, STEPS)
        return self._begin(Trial(task, 0, self.config.seed), None)

    def _begin(self, trial: Trial, actions: Actions | None) -> Response:
        self.session = PlaySession(self.config.world, trial, self.config.policies)
        self.session.recorded = actions
        return _picture(self.session.nodes[0], self.session.trial.task.instruction)

    async def step(self, request: Request) -> Response:
        """{"node", "by", "action"}: by is "hand", "recorded", or the name of a policy."""
        said = await json_body(request)
        return await _done(self._world, self._step, said)

    def _step(self, said: Mapping[str, Any]) -> Response:
        number, by, action = said.get("node"), said.get("by", HAND), said.get("action")
        if not isinstance(number, int) or not isinstance(by, str):
            raise InputError("a step names its node, and who chooses the action")
        session = self._session()
        if by == HAND:
            if not isinstance(action, list) or not all(
                isinstance(value, int | float) for value in action
            ):
                raise InputError("an action is a list of numbers")
            return _picture(session.steer(number, action))
        if by == RECORDED:
            return _picture(session.repeat(number))
        return _picture(session.hand_over(number, by))

    def frame(self, request: Request) -> Response:
        return _picture(self._session().node(_number(request)))

    async def judge(self, request: Request) -> Response:
        """What the judge says of the way to a node, as if it ended there."""
        return await _done(self._judging, self._judge, request)

    def _judge(self, request: Request) -> Response:
        if self.config.judge is None:
            raise Missing("no judge was given: --judge")
        session = self._session()
        rollout = session.rollout(_number(request))
        verdict = self.config.judge(rollout, session.trial.task)
        told = ("score", "reason", "probability", "progress")
        return JSONResponse({name: vars(verdict)[name] for name in told})

    async def save(self, request: Request) -> Response:
        """{"node", "kind": "episode", "lerobot" or "task", "name", "instruction", "success"}."""
        said = await json_body(request)
        return await run_in_threadpool(self._save, said)

    def _save(self, said: Mapping[str, Any]) -> Response:
        number, name = said.get("node"), said.get("name", "")
        if not isinstance(number, int) or not isinstance(name, str):
            raise InputError("what is saved is a node, under a name")
        if said.get("kind") == "task":
            return self._save_task(number, name, str(said.get("instruction", "")).strip())
        success = said.get("success")
        episode = self._session().episode(number, success if isinstance(success, bool) else None)
        if said.get("kind") == "lerobot":
            return self._save_lerobot(episode, name)
        spec, views = self.config.world.spec, self.config.world.views
        store = EpisodeStore.create(self.config.out / "episodes", spec, spec.rate_hz, views=views)
        free = next(n for n in numbered_names(_name(name, "played")) if n not in store)
        store.write(free, episode)
        return JSONResponse({"saved": str(store.root), "name": free})

    def _save_lerobot(self, episode: Episode, name: str) -> Response:
        """A separate dataset: LeRobot's are written whole."""
        folder = self.config.out / "lerobot"
        free = next(n for n in numbered_names(_name(name, "played")) if not (folder / n).exists())
        writer = LeRobotWriter(folder / free, episode.spec, episode.fps, episode.views)
        writer.write(free, episode)
        writer.finish()
        return JSONResponse({"saved": str(folder), "name": free})

    def _save_task(self, number: int, name: str, instruction: str) -> Response:
        if not 0 < len(instruction) <= MAX_INSTRUCTION:
            raise InputError(f"say what the robot should do, in 1 to {MAX_INSTRUCTION} characters")
        folder = self.config.out / "tasks"
        names = numbered_names(_name(name, "task"))
        free = next(n for n in names if not (folder / f"{n}.json").exists())
        write_task(folder, self._session().task(number, free, instruction))
        return JSONResponse({"saved": str(folder), "name": free})

    def _session(self) -> PlaySession:
        if self.session is None:
            raise InputError("nothing is being played: choose a task")
        return self.session


def play_app(config: PlayConfig) -> ASGIApp:
    """What `worldgym play` serves."""
    pages = AppPages(config.secret.write, (("/", "Play"),))
    app = Starlette(
        routes=[*PlayPages(config, pages).routes, Route("/static/{name}", static_file)],
        exception_handlers=pages.handlers,
    )
    return Guard(app, config.secret)


async def _done(thread: Executor, work: Callable[..., Response], *given: object) -> Response:
    return await asyncio.wrap_future(thread.submit(work, *given))


def resting_action(spec: ActionSpec) -> list[float]:
    """Numbers from which the hand begins: no motion where zero means none, else the middle."""
    middle = [0.5 * (low + high) for low, high in zip(spec.low, spec.high, strict=True)]
    return [
        0.0 if low <= 0.0 <= high else centre
        for low, high, centre in zip(spec.low, spec.high, middle, strict=True)
    ]


def _number(request: Request) -> int:
    number = request.query_params.get("node", "")
    return int(number) if number.isdecimal() and len(number) < 9 else -1


def _name(name: str, default: str) -> str:
    """A file's name. InputError for one that is none."""
    name = name.strip() or f"{default}-{datetime.now():%Y%m%d-%H%M%S}"
    if not TASK_NAME.fullmatch(name):
        raise InputError(f"the name {name!r} must be 1 to 80 letters, digits, dots and dashes")
    return name


def _picture(node: PlayNode, instruction: str = "") -> Response:
    """All views side by side as raw RGB: nothing has to be coded, and nothing is lost."""
    shown = joined_views(node.frame[None])[0]
    headers = {
        "x-node": str(node.number),
        "x-step": str(node.step),
        "x-size": f"{shown.shape[1]} {shown.shape[0]}",
        "x-by": quote(node.by),
        "x-action": " ".join(f"{value:.4f}" for value in node.action),
        "x-instruction": quote(instruction),
    }
    return Response(shown.tobytes(), media_type="application/octet-stream", headers=headers)


def chosen_tasks(tasks: Sequence[Task], shape: tuple[int, int, int]) -> tuple[Task, ...]:
    """Those whose picture has the world's size. InputError where none has."""
    fitting = tuple(task for task in tasks if task.frame.shape == shape)
    if tasks and not fitting:
        raise InputError(f"no task has a picture of the world's size, {shape[1]}x{shape[0]}")
    return fitting
