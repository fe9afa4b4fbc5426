"""From an episode store and a codec to a trained world: data, processes, logging, held-out replay
while training."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, fields
from pathlib import Path

import torch
from torch import distributed
from torch.multiprocessing.spawn import spawn

from worldgym.codecs.codec_protocol import Codec
from worldgym.codecs.load_codec import load_codec
from worldgym.episodes.frame_cache import frame_cache
from worldgym.episodes.inspection import write_sheet
from worldgym.episodes.mixture import NamedStore, RobotStore, open_mixture
from worldgym.episodes.store import EpisodeStore
from worldgym.errors import InputError
from worldgym.io.child_processes import end_with_parent
from worldgym.io.tracking import Trackers, check_trackers
from worldgym.native.memory import keep_freed_memory
from worldgym.train.distillation import DistillConfig, distillation
from worldgym.train.distributed import TIMEOUT, ProcessGroup, rank_zero_first
from worldgym.train.latent_shards import LatentEpisodes, latent_episodes
from worldgym.train.training_state import hold_settings
from worldgym.train.world_train_config import WorldTrainConfig
from worldgym.train.world_training import Worlds, train_world
from worldgym.types import ONE_VIEW, Episode, joined_views
from worldgym.world.familiarity import FAMILIARITY_NAME, measure_familiarity
from worldgym.world.open_loop_replay import contact_sheet, replay

REPLAYED = 12  # held-out episodes replayed at every checkpoint
SHOWN = 6  # of them on the contact sheet


@dataclass(frozen=True)
class TrainRun:
    """train: episode stores.   held_out: one for each robot, or for some.   codec: its checkpoint.
    processes: on a CPU one per core, one thread each: several threads of one process wait for each
    other at every operation, and are very slow when anything else runs. distill: how to distil the
    world from a teacher, if it is a student.   other_device: see `hold_settings`.   track: see
    `Trackers`; TensorBoard's files in OUT/tensorboard are always written.
    """

    config: WorldTrainConfig
    train: tuple[NamedStore, ...]
    held_out: tuple[Path, ...]
    codec: Path
    processes: int = 1
    distill: DistillConfig | None = None
    other_device: bool = False
    track: tuple[str, ...] = ()


def launch(run: TrainRun) -> Path:
    """Trains (or resumes) and returns the folder of the world's checkpoint; in every process, where
    `distributed.process_group` met others."""
    with rank_zero_first():
        _prepare(run)
    if run.processes == 1:
        _train(run)
    else:
        with tempfile.TemporaryDirectory() as folder:
            spawn(_spawned, args=(run, f"file://{folder}/meeting"), nprocs=run.processes)
    if ProcessGroup.current().first:
        measure_familiarity(
            load_codec(run.codec, run.config.device),
            run.held_out,
            run.config.out / FAMILIARITY_NAME,
        )
    return run.config.out / "world"


def _prepare(run: TrainRun) -> None:
    """Encodes what is missing before several processes ask for it, and refuses a folder trained
    with other settings."""
    check_trackers(run.track)
    codec = load_codec(run.codec, run.config.device)
    mixture = open_mixture(run.train, run.config.normalize)
    _data(mixture, codec, run.config)
    held_out_stores(mixture, run.held_out)
    # what may differ between the two starts of one run
    free = ("out", "device", "save_every", "sampler", "checkpointing", "views", "carrier", "direct")
    told = [f for f in fields(run.config) if f.name not in free]
    settings = {f.name: repr(getattr(run.config, f.name)) for f in told} | {"codec": codec.latents}
    # by what is in the stores, so these must stay as they were
    scaled = run.config.normalize or len(mixture) > 1
    settings["stores"] = repr([part.robot for part in mixture]) if scaled else ""
    settings["views"] = repr(run.config.views) if run.config.views != ONE_VIEW else ""
    for name in ("carrier", "direct"):
        stage = getattr(run.config, name)
        settings[name] = repr(stage) if stage else ""
    settings["distill"] = repr(run.distill) if run.distill else ""
    hold_settings(run.config.out, settings, run.config.device, run.other_device)


def _spawned(rank: int, run: TrainRun, meeting: str) -> None:
    end_with_parent()
    keep_freed_memory()
    torch.set_num_threads(1)
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    distributed.init_process_group(
        "gloo", init_method=meeting, timeout=TIMEOUT, rank=rank, world_size=run.processes
    )
    _train(run)
    distributed.destroy_process_group()


def _train(run: TrainRun) -> None:
    codec = load_codec(run.codec, run.config.device)
    mixture = open_mixture(run.train, run.config.normalize)
    data = _data(mixture, codec, run.config)
    visitor = Visitor(run, mixture) if ProcessGroup.current().first else None
    report, visit = (visitor.report, visitor.visit) if visitor else (_silent, _silent)
    objective = distillation(run.config, run.distill, run.codec) if run.distill else None
    with visitor.trackers if visitor else nullcontext():
        train_world(run.config, data, codec, report, visit, objective)


def _data(
    mixture: Sequence[RobotStore], codec: Codec, config: WorldTrainConfig
) -> list[LatentEpisodes]:
    sizes = [config.plain_size(part.robot) for part in mixture]
    return [
        latent_episodes(part.store, codec, part.robot, config.device, size)
        for part, size in zip(mixture, sizes, strict=True)
    ]


def held_out_stores(mixture: Sequence[RobotStore], held_out: Sequence[Path]) -> dict[str, Path]:
    """{name of the robot: its store}. InputError for a store of another robot than those trained,
    or a second of one."""
    names = {part.store.spec: part.robot.name for part in mixture}
    found: dict[str, Path] = {}
    for path in held_out:
        spec = EpisodeStore(path).spec
        if spec not in names:
            known = ", ".join(
                f"{name}: {', '.join(spec.names)} at {spec.rate_hz:g} Hz"
                for spec, name in names.items()
            )
            raise InputError(
                f"{path}: its actions are those of no robot that is trained ({known}); hold out a "
                f"store of theirs"
            )
        if names[spec] in found:
            raise InputError(
                f"{path} and {found[names[spec]]} hold out the same robot; give one of them"
            )
        found[names[spec]] = path
    return found


def _silent(step: int, anything: object) -> None:
    pass


class Visitor:
    """Sends scalars to trackers, one line a report on standard error, and a held-out replay at
    every checkpoint."""

    def __init__(self, run: TrainRun, mixture: Sequence[RobotStore]) -> None:
        self.run = run
        here = f"tensorboard:{run.config.out / 'tensorboard'}"
        self.trackers = Trackers.named((here, *run.track))
        stores = held_out_stores(mixture, run.held_out)
        self.episodes = {name: held_out_sample(store, REPLAYED) for name, store in stores.items()}

    def report(self, step: int, scalars: dict[str, float]) -> None:
        self.trackers.log({f"train/{name}": value for name, value in scalars.items()}, step)
        line = "  ".join(f"{name} {value:.4g}" for name, value in scalars.items())
        print(f"step {step}/{self.run.config.optimizer.steps}  {line}", file=sys.stderr, flush=True)

    def visit(self, step: int, worlds: Worlds) -> None:
        """Held-out open-loop replay: PSNR at 1, 5, 10, 20, 40 frames, and recorded above generated
        on a contact sheet.

        Of every robot that was held out; each under its name where there are several.
        """
        for name, episodes in self.episodes.items():
            several = len(worlds) > 1
            result = replay(worlds[name], episodes)
            place = f"replay/{name}" if several else "replay"
            psnr = {f"{place}/psnr_{h}": value for h, value in result.horizons().items()}
            self.trackers.log(psnr, step)
            shown = [
                v
                for e, g in zip(episodes[:SHOWN], result.frames, strict=False)
                for v in (joined_views(e.frames), joined_views(g[: len(e.frames)]))
            ]
            sheet = (
                self.run.config.out
                / "sheets"
                / (f"{step:07d}-{name}.png" if several else f"{step:07d}.png")
            )
            write_sheet(contact_sheet(shown), sheet)
            for v, view in enumerate(worlds[name].views):
                shown_as = f" {view}" if v else ""
                values = "  ".join(f"@{h} {value:.2f}" for h, value in result.horizons(v).items())
                print(
                    f"step {step}  held-out replay PSNR{shown_as} {values}  {sheet}",
                    file=sys.stderr,
                    flush=True,
                )


def held_out_sample(store: Path, count: int) -> Sequence[Episode]:
    """`count` episodes, or all if they are fewer, spread evenly over the store."""
    cache = frame_cache(EpisodeStore(store))
    names = cache.names
    wanted = min(count, len(names))
    return [cache.episode(names[i * len(names) // wanted]) for i in range(wanted)]
