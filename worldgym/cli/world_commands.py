"""Commands that make worlds, and serve them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from worldgym.cli.options import CodecPlace, EngineName, Positional, WorldName, WorldPlace
from worldgym.errors import InputError
from worldgym.train.training_requests import DistillRequest, TrainRequest
from worldgym.world.published_request import PublishedImport


@dataclass(frozen=True)
class Train(TrainRequest):
    """Train a world from recorded episodes: codec, latents, transformer. Run it again to resume."""

    data: tuple[str, ...]
    """episode stores to train on, each [NAME=]FOLDER, also of several robots (NAME: the robot's)"""
    held_out: tuple[Path, ...]
    """episode stores for the open-loop replay during training, one for each robot"""
    codec: CodecPlace | None = None
    """checkpoint of a codec (default: OUT/codec, trained first if absent)"""
    start: WorldPlace | None = None
    """checkpoint of a world to continue from (same recipe, robots and codec)"""
    dry_run: bool = False
    """print parameters, memory, products per step and a lower bound of the training time, and train
    nothing"""

    def __call__(self) -> None:
        from worldgym.train.codec_and_world import expected, train_codec_and_world

        print(expected(self) if self.dry_run else train_codec_and_world(self))


@dataclass(frozen=True)
class Distill(DistillRequest):
    """Teach a world to sample in one or two network calls per frame, from its own rollouts. Run it
    again to resume."""

    world: Positional[WorldPlace]
    """the teacher's checkpoint, as `worldgym world train` wrote it"""
    data: tuple[str, ...]
    """episode stores whose initial frames and actions are rolled out, normally those of the
    teacher's training"""
    held_out: tuple[Path, ...]
    """episode store for the open-loop replay during training"""
    codec: CodecPlace | None = None
    """checkpoint of the teacher's codec (default: in its folder)"""

    def __call__(self) -> None:
        from worldgym.train.distillation_run import distill_world

        print(distill_world(self))


@dataclass(frozen=True)
class TrainStates:
    """Train a network that predicts the robot's state in the frames that a world draws: joints,
    pose, gripper, whatever the episodes contain. The world itself does not change."""

    world: Positional[WorldPlace]
    """checkpoint of the world; state-head/ is written into its folder"""
    data: Path
    """episode store with states, of the world's codec and actions"""
    held_out: Path
    """episode store for its errors, on recorded and on generated frames"""
    steps: int = 1500
    seed: int = 0

    def __call__(self) -> None:
        from worldgym.train.optimizer import FitConfig
        from worldgym.train.state_head_training import StateHeadRequest, train_state_head

        fit = FitConfig(steps=self.steps, batch=128, seed=self.seed)
        found = train_state_head(StateHeadRequest(self.world, self.data, self.held_out, fit))
        print("| number | spread | error, recorded | error, drawn |\n| --- | --- | --- | --- |")
        for one in found:
            print(f"| {one.name} | {one.spread:.4f} | {one.recorded:.4f} | {one.drawn:.4f} |")


@dataclass(frozen=True)
class ImportWorld(PublishedImport):
    """Import a published WorldGym checkpoint (.pt): no code in the file is run, and every weight is
    used or named."""

    file: Positional[Path]
    """published file, NAME.pt"""

    def __call__(self) -> None:
        from worldgym.world.published_checkpoints import import_published

        print(import_published(self))


@dataclass(frozen=True)
class CheckWorld:
    """Check that a world follows the protocol, as far as it promises to, and time it. `worldgym
    world trust` measures whether it can be trusted."""

    world: Positional[WorldName]
    """anything that `worldgym evaluate --world` takes"""
    device: str = "auto"
    json: bool = False
    """print the results instead of a table"""

    def __call__(self) -> None:
        from worldgym.report.world_rules_text import print_world_report
        from worldgym.testing.world_conformance import check_and_time_world
        from worldgym.world.world_source import load_world

        report = check_and_time_world(load_world(self.world, device=self.device))
        found = report.to_json()
        print(json.dumps(found, indent=2)) if self.json else print_world_report(found)
        if report.broken:
            raise InputError(
                f"{self.world}: {report.broken} of {len(report.results)} rules are broken; fix "
                f"the world, or the capabilities that it declares"
            )


@dataclass(frozen=True)
class ServeWorld:
    """Serve a world to other programs, until Ctrl-C: `worldgym evaluate --world ws://HOST:PORT`
    uses it from elsewhere."""

    world: Positional[WorldName]
    """anything that `worldgym evaluate --world` takes"""
    host: str = "127.0.0.1"
    """address to listen on; --key-env is required for any but this machine's own"""
    port: int = 8000
    """0 = any free port"""
    key_env: str = ""
    """environment variable with the key that clients must send"""
    states: int = 64
    """maximum number of batch states kept; if a client asks for a dropped one, its trials run
    again"""
    rows: int = 64
    """maximum rows per call, if the world itself sets no limit"""
    embodiment: str | None = None
    """which robot's actions the world takes, if its checkpoint holds several"""
    device: str = "auto"
    engine: EngineName = "auto"
    """auto: eager, because it is unknown how many frames will be drawn"""

    def __call__(self) -> None:
        from worldgym.evaluation.provenance import details_of
        from worldgym.world.engine_choice import on_engine
        from worldgym.world.model import DiffusionWorld
        from worldgym.world.row_threads import on_all_cores
        from worldgym.world.wire.world_server import ServeOptions, serve_world
        from worldgym.world.world_source import load_world

        if not 0 <= self.port < 2**16:
            raise InputError(f"--port is {self.port}: give 0 to 65535")
        world = load_world(self.world, self.embodiment, self.device)
        details = {}
        if isinstance(world, DiffusionWorld):
            world = on_engine(world, self.engine)
            details = details_of(world)
            world = on_all_cores(world)
        options = ServeOptions(self.host, self.port, self.key_env, self.states, self.rows, details)
        serve_world(world, options)
