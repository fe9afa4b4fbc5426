"""One resumable GPU run: codec and world from a pack, within a budget of minutes. Needs torch,
numpy, safetensors and OpenCV.

    python gpu/train_world.py .work/pack WORK --out OUT --minutes 22

Call it again with the same arguments after an interruption. The first call measures a training step
and settles how many fit the budget, so that the learning rate reaches zero. OUT receives codec/,
world/ and log.txt after every checkpoint, files split into pieces under 15 MiB (put them together
with `cat model.safetensors.* > model.safetensors`)."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from worldgym.actions.embodiment import Embodiment
from worldgym.codecs.conv import ConvCodec
from worldgym.io.records import from_mapping
from worldgym.native.processor import mixed_precision
from worldgym.train.carrier_training import carrier_loss
from worldgym.train.codec_training import CodecTrainConfig, Frameset, train_codec
from worldgym.train.direct_training import apart_from, direct_loss
from worldgym.train.distributed import ProcessGroup
from worldgym.train.latent_shards import LatentEpisodes, join
from worldgym.train.optimizer import Optimizer
from worldgym.train.recipes import RECIPES
from worldgym.train.world_batches import Tables, make_batch
from worldgym.train.world_train_config import WorldTrainConfig
from worldgym.train.world_training import MATRICES, diffusion_loss, train_world
from worldgym.types import Actions, ActionSpec, Frames
from worldgym.world.model import DiffusionWorld
from worldgym.world.network import DiT

PIECE = 15 * 2**20
CODEC_SHARE = 0.15  # of the budget
FIRST_SHARE = 0.15  # of what is left, for each part that the recipe trains first


@dataclass(frozen=True)
class Pack:
    """frames uint8 [E, T+1, H, W, 3], actions float32 [E, T, A]."""

    frames: Frames
    actions: Actions
    spec: ActionSpec


def read_pack(folder: Path) -> Pack:
    table = np.load(folder / "actions.npz")
    actions = table["actions"]
    videos = np.concatenate([_decode(path) for path in sorted(folder.glob("part-*.mp4"))])
    frames = videos.reshape(len(actions), actions.shape[1] + 1, *videos.shape[1:])
    return Pack(frames, actions, from_mapping(ActionSpec, json.loads(str(table["spec"]))))


def _decode(path: Path) -> Frames:
    """By OpenCV, which such machines have, or else by PyAV."""
    try:
        import cv2
    except ImportError:
        from worldgym.io.video import decode_video

        return decode_video(path)
    capture, frames = cv2.VideoCapture(str(path)), []
    while (read := capture.read())[0]:
        frames.append(read[1][..., ::-1])
    return np.stack(frames)


def frameset(pack: Pack) -> Frameset:
    episodes, count = pack.frames.shape[:2]
    spans = np.array([(0, i * count, count) for i in range(episodes)])
    return Frameset(
        (pack.frames.reshape(-1, *pack.frames.shape[2:]),), spans, np.array([0, episodes])
    )


def encode(pack: Pack, codec: ConvCodec, device: str) -> LatentEpisodes:
    flat = pack.frames.reshape(-1, *pack.frames.shape[2:])
    latents = [
        codec.encode(torch.from_numpy(flat[i : i + 512]).to(device)).half().cpu().numpy()
        for i in range(0, len(flat), 512)
    ]
    return join(np.concatenate(latents), list(pack.actions), Embodiment("", pack.spec))


def settle_steps(path: Path, seconds: float, one_step: Callable[[], None], device: str) -> int:
    """Steps that fit, measured once and remembered: a resumed run must follow the same learning
    rate."""
    if path.exists():
        return int(json.loads(path.read_text())["steps"])
    for _ in range(5):
        one_step()
    _wait(device)
    started = time.perf_counter()
    for _ in range(20):
        one_step()
    _wait(device)
    steps = max(int(seconds / ((time.perf_counter() - started) / 20)), 20)
    path.write_text(json.dumps({"steps": steps}))
    return steps


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def codec_of(
    pack: Pack, config: CodecTrainConfig, work: Path, seconds: float, say: Callable[..., None]
) -> ConvCodec:
    if (work / "codec" / "manifest.json").exists():
        return ConvCodec.load(work / "codec", config.device)
    data = frameset(pack)
    trial = replace(
        config, out=work / "trial", optimizer=replace(config.optimizer, steps=60), save_every=10**6
    )
    if not (work / "codec-steps.json").exists():
        started = time.perf_counter()
        train_codec(trial, data, work / "trial-codec", say)
        pace = (time.perf_counter() - started) / 60
        (work / "codec-steps.json").write_text(json.dumps({"steps": max(int(seconds / pace), 20)}))
    steps = int(json.loads((work / "codec-steps.json").read_text())["steps"])
    return train_codec(
        replace(config, optimizer=replace(config.optimizer, steps=steps)), data, work / "codec", say
    )


def within(
    data: LatentEpisodes, config: WorldTrainConfig, work: Path, seconds: float
) -> WorldTrainConfig:
    """With as many steps of each stage as fit."""
    network = DiT(config.network).to(config.device, getattr(torch, config.dtype))
    tables = Tables.of([data], config)
    alone = ProcessGroup(0, 1)

    def steps(
        stage: str,
        seconds: float,
        loss: Callable[[int], torch.Tensor],
        taught: torch.nn.Module = network,
    ) -> int:
        optimizer = Optimizer(taught, config.optimizer, MATRICES)

        def one_step() -> None:
            with nullcontext() if taught is network else mixed_precision(config.device):
                found = loss(0)
            torch.autograd.backward(found)
            optimizer.step(0)

        return settle_steps(work / f"{stage}-steps.json", seconds, one_step, config.device)

    def forcing(step: int) -> torch.Tensor:
        return diffusion_loss(network, config, make_batch(tables, config, step, alone), step)

    left = seconds
    if config.carrier is not None:
        loss = carrier_loss(network, tables, config, alone)
        first = replace(config.carrier, steps=steps("carrier", FIRST_SHARE * seconds, loss))
        config, left = replace(config, carrier=first), left - FIRST_SHARE * seconds
    if config.direct is not None and network.direct is not None:
        taught = apart_from(network.direct)
        loss = direct_loss(taught, tables, config, alone)
        # a third of them for the steps that learn where the camera goes, which are cheaper
        count = steps("direct", FIRST_SHARE * seconds * 2 / 3, loss, taught)
        direct = config.direct.of_steps(count)
        config, left = replace(config, direct=direct), left - FIRST_SHARE * seconds
    count = steps("world", left, forcing)
    return replace(config, optimizer=replace(config.optimizer, steps=count))


def deliver(source: Path, out: Path) -> None:
    """Copies a checkpoint, large files in pieces."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    for file in source.iterdir():
        data = file.read_bytes()
        if len(data) <= PIECE:
            (out / file.name).write_bytes(data)
            continue
        for number, start in enumerate(range(0, len(data), PIECE)):
            (out / f"{file.name}.{number:02d}").write_bytes(data[start : start + PIECE])


def run(pack_folder: Path, work: Path, out: Path, minutes: float, recipe: str, device: str) -> None:
    work.mkdir(parents=True, exist_ok=True)
    out.mkdir(parents=True, exist_ok=True)

    def say(step: int, scalars: dict[str, float]) -> None:
        line = f"{time.strftime('%H:%M:%S')} step {step}  " + "  ".join(
            f"{k} {v:.4g}" for k, v in scalars.items()
        )
        print(line, file=sys.stderr, flush=True)
        with (out / "log.txt").open("a") as file:
            file.write(line + "\n")

    def visit(step: int, worlds: Mapping[str, DiffusionWorld]) -> None:
        deliver(work / "world", out / "world")

    pack = read_pack(pack_folder)
    seconds, chosen = 60.0 * minutes, RECIPES[recipe]
    if chosen.codec is None:
        raise SystemExit(
            f"the recipe {recipe} trains no codec: choose one that does, or use `worldgym world "
            f"train "
            f"--codec`"
        )
    codec = codec_of(
        pack, chosen.codec(work / "codec-run", device), work, CODEC_SHARE * seconds, say
    )
    deliver(work / "codec", out / "codec")
    data = encode(pack, codec, device)
    config = within(data, chosen.world(work, device), work, (1.0 - CODEC_SHARE) * seconds)
    train_world(config, [data], codec, say, visit)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pack", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=22.0)
    parser.add_argument("--recipe", default="reference")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    run(options.pack, options.work, options.out, options.minutes, options.recipe, options.device)
