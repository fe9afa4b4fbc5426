"""Training the convolutional codec: single frames, an absolute error with more weight on what
moves."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from worldgym.codecs.conv import ConvCodec, ConvCodecConfig, to_unit_pixels
from worldgym.episodes.frame_cache import FrameCache
from worldgym.episodes.mixture import draw_episodes
from worldgym.episodes.windows import Ints
from worldgym.native.processor import mixed_precision
from worldgym.train.loop import LoopOptions, save_steps, training_loop
from worldgym.train.optimizer import OptimizerConfig
from worldgym.types import Frames

# a pixel that differs by 12 grey values between two frames of an episode has moved
MOVED = 12.0 / 127.5
# contrast: deviation within so many pixels, and what is added so that plain walls do not weigh most
AROUND = 9
FLAT = 12.0 / 127.5


@dataclass(frozen=True)
class CodecTrainConfig:
    """moving_weight: extra weight of pixels that change within the episode (the still background is
    easy and large).

    edge_weight: of the error of differences between neighbouring pixels, where handles and gaps are
    a large part. contrast: share of the loss in which errors are weighted by the local contrast:
    dark objects on a dark background count as much. start: checkpoint of a codec to continue from,
    of as many channels or fewer than `model`; None = a new one. decoder_only: of `start`, whose
    latents then stay what they are. mix: share of every store in a batch, in any unit; empty =
    every episode is as likely as any other."""

    out: Path
    model: ConvCodecConfig = field(default_factory=ConvCodecConfig)
    optimizer: OptimizerConfig = field(default_factory=lambda: OptimizerConfig(steps=2500, lr=1e-3))
    batch: int = 32
    seed: int = 0
    moving_weight: float = 4.0
    save_every: int = 100
    device: str = "cpu"
    edge_weight: float = 0.0
    contrast: float = 0.0
    start: Path | None = None
    decoder_only: bool = False
    mix: tuple[float, ...] = ()


@dataclass(frozen=True)
class Frameset:
    """Frames of many episodes, store after store.

    pixels: uint8 [frames, H, W, 3] a store.   spans: [episodes, 3] store, first row and rows of
    each.   stores: [stores + 1] number of the first episode of each, and of all.
    """

    pixels: tuple[Frames, ...]
    spans: Ints
    stores: Ints

    @staticmethod
    def of(*caches: FrameCache) -> Frameset:
        """Every view of every episode that was recorded with it counts as an episode."""
        pixels = list[Frames]()
        spans = list[tuple[int, int, int]]()
        stores = [0]
        for cache in caches:
            for view in cache.store.views:
                spans += [
                    (len(pixels), *span)
                    for name, span in cache.spans.items()
                    if view not in cache.store.info(name).absent
                ]
                pixels.append(cache.others.get(view, cache.pixels))
            stores.append(len(spans))
        return Frameset(tuple(pixels), np.array(spans), np.array(stores))


def train_codec(
    config: CodecTrainConfig,
    data: Frameset,
    folder: Path,
    report: Callable[[int, dict[str, float]], None],
) -> ConvCodec:
    """Trains, or resumes what `config.out` holds, saves the codec to `folder` and returns it.
    report(step, scalars)."""
    torch.manual_seed(config.seed)
    codec, learned = _learner(config)
    options = LoopOptions(
        "codec",
        save_steps(config.save_every, config.optimizer.steps),
        config.out / "state.safetensors",
        report=report,
        batch=config.batch,
        unit="frame",
    )
    training_loop(
        learned,
        lambda step: _loss(codec, config, _batch(data, config, step), step),
        config.optimizer,
        options,
    ).put_into(learned)
    if not config.decoder_only:
        _recalibrate(codec, data, config)
    what = (
        f"Codec {codec.latents} with its decoder trained on"
        if config.decoder_only
        else "Convolutional autoencoder"
    )
    card = f"# Codec\n{what}, {config.optimizer.steps} steps of {config.batch} frames.\n"
    codec.save(
        folder,
        card,
        {"optimizer": asdict(config.optimizer), "batch": config.batch, "seed": config.seed},
    )
    return ConvCodec.load(folder, config.device)


def print_codec_step(step: int, scalars: Mapping[str, float]) -> None:
    """A line on standard error."""
    values = "  ".join(f"{name} {value:.4g}" for name, value in scalars.items())
    print(f"codec step {step}  {values}", file=sys.stderr, flush=True)


def _learner(config: CodecTrainConfig) -> tuple[ConvCodec, nn.Module]:
    """=> the codec in training mode, and the part of it that learns."""
    if config.start is not None and config.decoder_only:
        codec = ConvCodec.to_tune_decoder(config.start, config.device)
        return codec, codec.decoder.train()
    codec = ConvCodec(config.model)
    if config.start is not None:
        codec.load_grown(ConvCodec.load(config.start))
    codec = codec.to(config.device)
    codec = codec.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return codec.train(), codec


def _batch(data: Frameset, config: CodecTrainConfig, step: int) -> tuple[Tensor, Tensor]:
    """Two frames each of `batch` random episodes => uint8 [B, H, W, 3] twice."""
    rng = np.random.default_rng([config.seed, step])
    spans = data.spans[draw_episodes(data.stores, config.mix, config.batch, rng)]
    places = spans[:, 1:2] + rng.integers(0, spans[:, 2:], (config.batch, 2))
    picked = [data.pixels[store][rows] for store, rows in zip(spans[:, 0], places, strict=True)]
    both = torch.from_numpy(np.stack(picked)).to(config.device)
    return both[:, 0], both[:, 1]


def _loss(
    codec: ConvCodec, config: CodecTrainConfig, batch: tuple[Tensor, Tensor], step: int
) -> Tensor:
    frames, others = batch
    pixels = to_unit_pixels(frames)
    generator = torch.Generator().manual_seed(config.seed * 1_000_003 + step)
    moved = ((pixels - to_unit_pixels(others)).abs().amax(1, keepdim=True) > MOVED).float()
    weight = 1.0 + config.moving_weight * moved
    if config.contrast:
        relative = weight / (local_contrast(pixels) + FLAT)
        weight = (
            1.0 - config.contrast
        ) * weight / weight.mean() + config.contrast * relative / relative.mean()
    with mixed_precision(frames.device.type):
        output = codec.reconstruct(pixels, generator)
    error = torch.nn.functional.smooth_l1_loss(output, pixels, beta=0.05, reduction="none")
    loss = (error * weight).sum() / (weight.sum() * 3)
    if config.edge_weight:
        loss = loss + config.edge_weight * (
            _edge_error(output, pixels, weight, 2) + _edge_error(output, pixels, weight, 3)
        )
    return loss


def local_contrast(pixels: Tensor) -> Tensor:
    """[B, 3, H, W] in [-1, 1] => [B, 1, H, W], the standard deviation of the mean colour around
    each pixel."""
    grey = pixels.mean(1, keepdim=True)
    mean, square = (
        torch.nn.functional.avg_pool2d(x, AROUND, 1, AROUND // 2, count_include_pad=False)
        for x in (grey, grey.square())
    )
    return (square - mean.square()).clamp(min=0.0).sqrt()


def _edge_error(output: Tensor, pixels: Tensor, weight: Tensor, dim: int) -> Tensor:
    """Mean error of the differences between neighbours along `dim`."""
    error = (output - pixels).diff(dim=dim).abs()
    where = weight.narrow(dim, 1, error.shape[dim])
    return (error * where).sum() / (where.sum() * 3)


@torch.no_grad()
def _recalibrate(codec: ConvCodec, data: Frameset, config: CodecTrainConfig) -> None:
    """The averaged weights need new statistics, because a codec guarantees latents of unit
    variance."""
    codec.normalize.reset_running_stats()
    codec.normalize.momentum = None  # a plain average
    for index in range(40):
        frames, _ = _batch(data, config, config.optimizer.steps + index)
        with mixed_precision(frames.device.type):
            codec.normalize(codec.encoder(to_unit_pixels(frames)).float())
