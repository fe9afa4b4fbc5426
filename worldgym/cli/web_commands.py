"""Commands that open a page in the browser, served from this machine to this machine only."""

from __future__ import annotations

import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from worldgym.cli.options import JudgePlace, Policies, Positional, TasksPlace
from worldgym.errors import MissingExtra
from worldgym.io.files import cache_folder

if TYPE_CHECKING:
    from worldgym.web.web_server import WebServer


@dataclass(frozen=True)
class View:
    """Look at runs in the browser: a list of all runs below the folders, running evaluations, every
    trial with its videos. Reachable from this machine only, and writes nothing but your labels."""

    runs: Positional[tuple[Path, ...]] = (Path("runs"),)
    """runs, or folders of runs (default: runs)"""
    port: int = 0
    """0 = any free port"""
    no_browser: bool = False
    """print the address, and open no browser"""

    def __call__(self) -> None:
        with extra_installed("`worldgym view`"):
            from worldgym.web.view_app import ViewConfig, view_app
            from worldgym.web.web_server import WebServer

        config = ViewConfig(self.runs, cache_folder("view"))
        show_page(WebServer(view_app(config), config.secret, self.port), self.no_browser)


@dataclass(frozen=True)
class Play:
    """Steer a world by keyboard, mouse or gamepad; rewind, branch, take over from a policy and hand
    back; save what was played."""

    world: Positional[str]
    """checkpoint of a world, "bundled", ws://HOST:PORT, or MODULE:FACTORY"""
    tasks: TasksPlace | None = None
    """folder of tasks to start from (default: the bundled ones with the bundled world, else a
    picture that the page uploads)"""
    policy: Policies = ()
    """policies that can take over"""
    judge: JudgePlace | None = None
    """judge of the live score (default: the bundled one with the bundled world)"""
    replay: Path | None = None
    """video of a trial in a run: its actions are replayed first, and you can take over any time"""
    out: Path = Path("runs/play")
    """folder for saved episodes/ and tasks/"""
    embodiment: str | None = None
    """which robot's actions the world takes, if its checkpoint holds several"""
    seed: int = 0
    """seed of the world's noise"""
    device: str = "auto"
    port: int = 0
    """0 = any free port"""
    no_browser: bool = False
    """print the address, and open no browser"""

    def __call__(self) -> None:
        with extra_installed("`worldgym play`"):
            from worldgym.web.play_app import play_app
            from worldgym.web.play_setup import PlaySources, load_play
            from worldgym.web.web_server import WebServer

        sources = PlaySources(
            self.world, self.tasks, self.policy, self.judge, self.replay, self.embodiment
        )
        config = load_play(sources, self.out, self.seed, self.device)
        show_page(WebServer(play_app(config), config.secret, self.port), self.no_browser)


def show_page(server: WebServer, no_browser: bool, path: str = "/") -> None:
    """Prints the address, opens it, and answers until Ctrl-C."""
    print(f"{server.url(path)}   (Ctrl-C ends it)", flush=True)
    if not no_browser:
        webbrowser.open(server.url(path))
    server.serve()


@contextmanager
def extra_installed(purpose: str) -> Iterator[None]:
    """MissingExtra where what serves pages is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in ("starlette", "uvicorn"):
            raise
        raise MissingExtra(error.name, "web", purpose) from error
