"""Trains the success classifier from an episode store that knows, frame by frame, whether the task
was done.

Episodes are drawn half successes, half not, every instruction alike, generated ones as often as
recorded ones, and half of them are cut short: the beginning of a success is not a success yet. A
few get another task's instruction and count as failures, so that the text must be read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from worldgym.episodes.frame_cache import frame_cache
from worldgym.episodes.store import EpisodeStore
from worldgym.errors import InputError
from worldgym.io.checkpoint import config_markdown, fingerprint
from worldgym.io.devices import resolve_device
from worldgym.judges.classifier import (
    ClassifierJudge,
    DecisionRule,
    JudgeConfig,
    JudgeNet,
    chosen_frames,
)
from worldgym.judges.classifier_agreement import (
    choose_decision,
    confusion_of,
    fit_rates,
    judge_store,
    table,
)
from worldgym.judges.degrade import degrade
from worldgym.policies.image_trunk import TrunkConfig, in_channels, shifted
from worldgym.policies.instruction_features import instruction_features
from worldgym.stats.confusion import Confusion
from worldgym.train.judge_labels import (
    HELD_OUT_EVERY,
    Labels,
    draw,
    make_labels,
    sampling_pools,
    split_names,
)
from worldgym.train.loop import LoopOptions, training_loop
from worldgym.train.optimizer import FitConfig
from worldgym.types import Frames

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
SWAPPED = 0.05  # share of episodes shown with another task's instruction
CUT = 0.5  # share of episodes that end early, after a quarter of their frames at the soonest
FRAMES = 0.5  # weight of the answers to single frames, which the verdict does not use


@dataclass(frozen=True)
class JudgeTrainConfig:
    """Data, network, optimizer, and what is held out to choose the decision."""

    store: Path
    out: Path
    held_out_every: int = HELD_OUT_EVERY
    """one in so many seeds (extras["seed"]) is held out from training, whatever was recorded from
    it"""
    drawn: str = ""
    """ending of the names of generated episodes, e.g. "-generated". They are half of the training
    data, and only the held-out ones among them choose the decision, by the rates of tasks
    (`fit_rates`). Empty = no difference is made"""
    hidden: int = 128
    trunk: TrunkConfig = field(default_factory=lambda: TrunkConfig(channels=6))
    stride: int = 2
    degradation: float = 0.3
    """of recorded frames, 0 to 1: the less, the more generated episodes there are to learn from"""
    band: float = 0.0
    """half-width of the unscored band around the threshold, in probability"""
    start: Path | None = None
    """checkpoint of a judge with the same network, or one of one view, to continue from"""
    views: tuple[str, ...] = ()
    """names of the cameras that it reads; empty = the main one"""
    fit: FitConfig = field(default_factory=lambda: FitConfig(batch=16))
    """its batch: of episodes"""


def train_judge(config: JudgeTrainConfig, device: str = "cpu") -> ClassifierJudge:
    """Trains, chooses the threshold on the held-out episodes, saves to `config.out`, and returns
    the judge.   device: see `resolve_device`."""
    device = resolve_device(device)
    store = EpisodeStore(config.store)
    cache = frame_cache(store)
    trained_on, held_out = split_names(store, config.held_out_every)
    known = {info.name for info in store if info.success is not None}
    held_out = [name for name in held_out if name.endswith(config.drawn) and name in known]
    if not held_out:
        raise InputError(
            f'{store.root}: no held-out episode of known success ends in "{config.drawn}"; '
            f"generate some, or leave out --drawn"
        )
    labels = make_labels(cache, trained_on, config.drawn, config.views)
    torch.manual_seed(config.fit.seed)
    height, width = cache.pixels.shape[1:3]
    trunk = replace(config.trunk, channels=6 * max(len(config.views), 1))
    shape = JudgeConfig((height, width), config.hidden, trunk, config.stride, views=config.views)
    net = JudgeNet(shape)
    if config.start is not None:
        net = _learned_before(config.start, net.config)
    net = net.to(device)
    trained = training_loop(
        net,
        judge_loss(net, labels, config),
        config.fit.optimizer(),
        LoopOptions("judge", autocast=True),
    )
    trained.put_into(net)
    untuned = ClassifierJudge(net, DecisionRule(), "untuned")
    scores = judge_store(untuned, cache, held_out)
    choose = fit_rates if config.drawn else choose_decision  # a world's judge is asked for rates
    judge = ClassifierJudge(net, choose(scores, config.band), "trained")
    confusion = confusion_of(judge.decision, scores)
    judge.save(
        config.out,
        facts(config, trained_on, held_out, trained.final_loss, confusion),
        judge_card(judge, config, confusion),
    )
    return ClassifierJudge.load(config.out, device)


def _learned_before(start: Path, wanted: JudgeConfig) -> JudgeNet:
    """The network of `start`, with the stride and the views that are wanted. One of one view is
    shown the first as before, and does not see the others yet."""
    begun = ClassifierJudge.load(start).net
    trunk = replace(begun.config.trunk, channels=wanted.trunk.channels)
    same = replace(begun.config, trunk=trunk, stride=wanted.stride, views=wanted.views)
    known = begun.config.views or wanted.views[:1]  # (): the main one, whatever its name
    grown = begun.config.trunk.channels == 6 and known == wanted.views[:1]
    if same != wanted or not (grown or begun.config.views == wanted.views):
        raise InputError(
            f"{start}: a judge of another network ({begun.config}) than this training's ({wanted});"
            f" leave out --start"
        )
    net = JudgeNet(wanted)
    read = begun.trunk.of_more_views(trunk.channels)
    net.load_state_dict(begun.state_dict() | {f"trunk.{name}": read[name] for name in read})
    return net


def judge_loss(net: JudgeNet, labels: Labels, config: JudgeTrainConfig) -> Callable[[int], Tensor]:
    """Cross-entropy of success, of the video and less so of its frames, plus smooth L1 of progress.
    Batch and augmentation depend on (seed, step) alone."""
    features = instruction_features(labels.instructions, net.config.trunk.buckets)
    device = next(net.parameters()).device
    pools = sampling_pools(labels)

    def lesson_at(step: int) -> Lesson:
        rng = np.random.default_rng([config.fit.seed, step])
        return make_lesson(labels, draw(pools, config.fit.batch, rng), config, rng)

    lessons = Ahead(lesson_at)

    def loss_at(step: int) -> Tensor:
        lesson = lessons(step)
        known = torch.from_numpy(lesson.known).to(device)
        pairs = torch.from_numpy(lesson.pairs).to(device)
        answers = net(pairs, features[torch.from_numpy(lesson.text)].to(device), known)
        video, frames, progress = (
            torch.from_numpy(np.float32(x)).to(device)
            for x in (lesson.success, lesson.done, lesson.progress)
        )
        verdict = F.binary_cross_entropy_with_logits(answers.video, video)
        single = F.binary_cross_entropy_with_logits(answers.frames[known], frames[known])
        true_text = known & torch.from_numpy(~lesson.swapped).to(device)[:, None]
        error = F.smooth_l1_loss(answers.progress[true_text], progress[true_text], beta=0.1)
        return verdict + FRAMES * single + error

    return loss_at


class Ahead:
    """A function of the step. The next batch is made during the current step; otherwise it would
    take half of a step's time."""

    def __init__(self, make: Callable[[int], Lesson]) -> None:
        self._make = make
        self._pool = ThreadPoolExecutor(1, "lesson")
        self._coming: dict[int, Future[Lesson]] = {}

    def __call__(self, step: int) -> Lesson:
        coming = self._coming.pop(step, None) or self._pool.submit(self._make, step)
        self._coming = {step + 1: self._pool.submit(self._make, step + 1)}
        return coming.result()


@dataclass(frozen=True)
class Lesson:
    """A batch: pairs uint8 [B, K, H, W, 6 V]; known, done and progress [B, K]; success, text and
    swapped [B]. See `Labels`.

    known: False behind a video's end.   swapped: under another task's instruction.
    """

    pairs: Frames
    known: Bools
    done: Bools
    progress: npt.NDArray[np.float32]
    success: Bools
    text: Ints
    swapped: Bools


def make_lesson(
    labels: Labels, episodes: Ints, config: JudgeTrainConfig, rng: np.random.Generator
) -> Lesson:
    """Of these episodes: cut, looked at from a random frame on, degraded, some under another task's
    instruction."""
    last = labels.later[episodes]
    last = np.where(
        rng.random(len(last)) < CUT, rng.integers(np.maximum(last // 4, 1), last + 1), last
    )
    phases = rng.integers(0, config.stride, len(last))
    first = labels.first[episodes]
    times = [
        chosen_frames(int(n), config.stride, int(phase))
        for n, phase in zip(last, phases, strict=True)
    ]
    known = np.arange(max(map(len, times))) < np.array([len(own) for own in times])[:, None]
    rows = np.zeros(known.shape, np.int64)
    rows[known] = np.concatenate(
        [begin + np.array(own) for begin, own in zip(first, times, strict=True)]
    )
    channels = 6 * len(labels.pixels)
    pairs = np.zeros((*known.shape, *labels.pixels[0].shape[1:3], channels), np.uint8)
    pairs[known] = make_pairs(
        labels.pixels, np.repeat(first, known.sum(1)), rows[known], config.degradation, rng
    )
    others = len(labels.instructions) - 1
    swapped = (rng.random(len(last)) < SWAPPED) & (others > 0)
    text = labels.text[episodes] + np.where(
        swapped, rng.integers(1, max(others, 1) + 1, len(last)), 0
    )
    done = labels.done[rows] & known & ~swapped[:, None]
    success = labels.done_within(first, last) & ~swapped
    return Lesson(pairs, known, done, labels.progress[rows], success, text % (others + 1), swapped)


def make_pairs(
    pixels: Sequence[Frames], starts: Ints, rows: Ints, degradation: float, rng: np.random.Generator
) -> Frames:
    """uint8 [M, H, W, 6 V]: initial frame as recorded, later frame degraded and moved by up to a
    pixel, then both moved alike, all views."""
    later = [shifted(degrade(view[rows], degradation, rng), 1, rng) for view in pixels]
    return shifted(in_channels([*(view[starts] for view in pixels), *later]), 2, rng)


def facts(
    config: JudgeTrainConfig,
    trained_on: list[str],
    held_out: list[str],
    final_loss: float,
    confusion: dict[str, Confusion],
) -> dict[str, Any]:
    settings = {key: value for key, value in asdict(config).items() if key not in ("store", "out")}
    settings["start"] = None if config.start is None else fingerprint(config.start)
    trained = {
        "settings": settings,
        "episodes": len(trained_on),
        "final_loss": final_loss,
    }
    return {
        "trained": trained,
        "validation": {"episodes": len(held_out), **{k: asdict(v) for k, v in confusion.items()}},
    }


def judge_card(
    judge: ClassifierJudge, config: JudgeTrainConfig, confusion: dict[str, Confusion]
) -> str:
    decision = judge.decision
    unscored = (
        f"unscored strictly between {decision.band[0]:.3f} and {decision.band[1]:.3f}"
        if decision.band
        else "no unscored band"
    )
    return (
        "# Success classifier\n\nReads initial frame, later frames and instruction of a rollout; "
        "success counts at any time.\n"
        f"Success from a probability of {decision.threshold:.3f} on; {unscored}.\n\n"
        f"## Held-out episodes (training stores, one seed of {config.held_out_every})\n\n"
        f"{table(confusion)}\n## Recipe\n\n{config_markdown(asdict(config.fit))}"
    )
