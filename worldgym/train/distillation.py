"""Few steps: a student with its teacher's network learns to jump from noise to where the teacher's
steps end.

The teacher's sampler takes no noise on its way, so noise eps, finished frames c and an action lead
to one end x*(eps, c). The student is taught it by regression (Luhman & Luhman 2021, arXiv
2101.02388), from pure noise and from the straight line between noise and end, on which its own
steps of few lie (rectified flow, arXiv 2209.03003):

    x_t = add_noise(x*, eps, t),   x^ = x_t stepped to clean by v(x_t, t | c),   loss = w |x^ -
    x*|^2,   t of the student's grid

c are frames that the student itself has finished, as in self forcing (arXiv 2506.08009): trained
after recorded frames, it would never see how its own small errors grow. Both roll out together: the
student's frames become the context of both.

The ends may also be the frames that were recorded (`DistillConfig.recorded`): then no teacher is
asked, and what is learned is to return from the student's own frames to what truly follows, as in
DAgger (Ross et al. 2011, arXiv 1011.0686). One step from noise to that is the mean of what may
follow: sure where the actions decide, soft where they do not.

With several views, a student also continues to learn to complete an initial frame from the main
view alone (`worldgym.train.view_noise`), because rollouts never train that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from worldgym.actions.embodiment import Scaling
from worldgym.errors import InputError
from worldgym.io.network_weights import frozen
from worldgym.train.distributed import ProcessGroup
from worldgym.train.place_weights import place_weight
from worldgym.train.view_noise import completion_loss, recorded_places
from worldgym.train.world_batches import Batch, Tables, make_batch
from worldgym.train.world_train_config import WorldTrainConfig
from worldgym.train.world_training import Objective
from worldgym.world.conditioning import DISPLACEMENT_SCALE, commanded_positions
from worldgym.world.context import Context
from worldgym.world.model import DiffusionWorld
from worldgym.world.network import DiT
from worldgym.world.noise import frames_noise
from worldgym.world.sampler import SamplerConfig
from worldgym.world.world_checkpoint import load_diffusion_world
from worldgym.world.world_state import WorldState


@dataclass(frozen=True)
class DistillConfig:
    """teacher: its checkpoint.   teacher_steps: network calls per frame that lead to the end
    points.

    steps: those of the student. It rolls out with each number in turn; the first is the one that
    its checkpoint names. shuffled: share of rows that take the actions of another clip, so that it
    also follows actions that were not demonstrated. steered: share of rows whose ends lie behind
    the teacher's own frames, not the student's: these pull a drifted student back to the teacher's
    rollout; after the student's frames the teacher continues from the drift. recorded: the ends are
    the recorded frames, of rows neither shuffled nor steered."""

    teacher: Path
    teacher_steps: int = 4
    steps: tuple[int, ...] = (1, 2)
    shuffled: float = 0.25
    steered: float = 0.5
    recorded: bool = False

    def __post_init__(self) -> None:
        most = float("inf") if self.recorded else self.teacher_steps  # no teacher is asked
        fewer = self.steps and min(self.steps) >= 1 and max(self.steps) < most
        if not fewer or not 0 <= self.shuffled <= 1 or not 0 <= self.steered <= 1:
            raise InputError(
                f"a student of {self.steps} steps per frame cannot be distilled from "
                f"{self.teacher_steps} with shares of "
                f"{self.shuffled:g} shuffled and {self.steered:g} steered: give fewer steps than "
                f"the teacher's, at least 1, and "
                "shares of 0 to 1"
            )


class Rolled(NamedTuple):
    """A batch rolled out: frames [b, T, C, h, w], the first as recorded, the others the student's;
    noise and the teacher's (or recorded) ends [b, T - 1, C, h, w] of those others.
    """

    frames: Tensor
    noise: Tensor
    ends: Tensor


class Span(NamedTuple):
    """Frames first .. last - 1 are a window's, from position 0 on; those from `begin` on were new
    in it."""

    first: int
    begin: int
    last: int


def distillation(config: WorldTrainConfig, distill: DistillConfig, codec: Path) -> Objective:
    """config: of the student's training, with the teacher's network, schedule and window.   codec:
    the teacher's."""
    teacher = load_diffusion_world(distill.teacher, codec, config.device, config.dtype)
    work = Distillation(config, distill, teacher)
    facts = {
        "teacher": teacher.name,
        "teacher_steps": distill.teacher_steps,
        "steps": list(distill.steps),
    }
    shares: dict[str, float] = {"shuffled": distill.shuffled, "steered": distill.steered}
    if distill.recorded:
        shares = {"recorded": True}
    return Objective(work.loss, work.passes, {"distillation": facts | shares})


class Distillation:
    """A student's loss at each step; holds the frozen teacher and a copy of the student to roll out
    with."""

    def __init__(
        self, config: WorldTrainConfig, distill: DistillConfig, teacher: DiffusionWorld
    ) -> None:
        self.config = config
        self.distill = distill
        self.teacher = teacher.with_sampler(steps=distill.teacher_steps, rule="recompute")
        self.schedule = teacher.schedule
        self._mirror = frozen(DiT(config.network).to(config.device), teacher.dtype)
        self._spans = spans(config.frames, self.teacher.config.sampler)

    @property
    def passes(self) -> float:
        """See `Objective`: of teacher and student in the rollout, and of windows and branches with
        their gradients."""
        asked = 0 if self.distill.recorded else self.distill.teacher_steps + 1
        rolled = asked + sum(self.distill.steps) / len(self.distill.steps) + 1
        taught = sum(2 * span.last - span.first - 1 - span.begin for span in self._spans)
        return rolled + 3.0 * taught / self.config.frames

    def loss(self, network: DiT, tables: Tables, step: int, group: ProcessGroup) -> Tensor:
        """Of whole rollouts from recorded frames, over all their frames; a function of (seed,
        step)."""
        generator = torch.Generator().manual_seed(self.config.seed * 1_000_003 + step)
        batch = self._batch(tables, step, group, generator)
        steps = self.distill.steps[step % len(self.distill.steps)]
        first = (self.config.seed * 1_000_003 + step) * self.config.batch
        steered = (torch.rand(self.config.batch, generator=generator) < self.distill.steered)[
            batch.rows
        ]
        seeds = range(first + batch.rows.start, first + batch.rows.stop)
        rolled = self.roll_out(network, batch, steps, seeds, steered.to(batch.mask.device))
        grid = self.schedule.grid(steps)[:-1]
        drawn = torch.randint(
            0, steps, (self.config.batch, self.config.frames - 1), generator=generator
        )[batch.rows]
        jumps = self.jump(network, batch, rolled, grid[drawn].to(rolled.frames.device))
        seen = torch.cat([rolled.frames[:, :1], rolled.ends], 1).float()
        weight = (
            place_weight(seen, batch.start, self.config)[:, 1:]
            * batch.mask[:, 1:, None, None, None]
            * recorded_places(batch.present, seen.shape[-2])
        )
        loss = ((jumps - seen[:, 1:]).square() * weight).mean()
        if self.config.network.cameras > 1:
            loss = loss + completion_loss(network, self.schedule, batch, self.config, generator)
        return loss

    def _batch(
        self, tables: Tables, step: int, group: ProcessGroup, generator: torch.Generator
    ) -> Batch:
        """Clips as in training, some rows with the actions of other clips."""
        batch = make_batch(tables, self.config, step, group)
        if self.distill.recorded:
            return batch
        other = make_batch(tables, replace(self.config, seed=self.config.seed + 1), step, group)
        swapped = (torch.rand(self.config.batch, generator=generator) < self.distill.shuffled)[
            batch.rows, None
        ].to(batch.mask.device)
        scaling = self.teacher.config.scaling if self.config.conditioning == "sum" else None
        actions = continued(batch.actions, other.actions, scaling)
        actions = torch.where(swapped[..., None], actions, batch.actions)
        return replace(batch, actions=actions, mask=batch.mask & (other.mask | ~swapped))

    def student(self, network: DiT, steps: int) -> DiffusionWorld:
        """A copy of the network as it is now, behind a sampler of so many steps."""
        self._mirror.load_state_dict(network.state_dict())
        sampler = replace(self.teacher.config.sampler, steps=steps, cfg=1.0)
        config = replace(self.teacher.config, sampler=sampler)
        return DiffusionWorld(
            config, self._mirror, self.teacher.codec, "student", self.teacher.dtype
        )

    @torch.no_grad()
    def roll_out(
        self, network: DiT, batch: Batch, steps: int, seeds: Sequence[int], steered: Tensor
    ) -> Rolled:
        """Recorded frame, then the student's by the clip's actions; beside each the teacher's, from
        the same noise, or the recorded one.

        steered: bool [b], rows where the teacher continues from its own frames; in the others it
        continues from the student's."""
        student = self.student(network, steps)
        dtype = self.teacher.dtype
        frames = [batch.latents[:, :1].to(dtype)]
        ends = []
        context = Context(frames[0], batch.actions[:, :1], batch.start.to(dtype))
        unused = np.zeros((len(seeds), 0, 0), np.float32)  # the clip's sums come with its actions
        state = taught = WorldState(context, None, 0, tuple(seeds), 1, unused)
        for actions in batch.actions[:, 1:].split(1, 1):
            state, frame = student.generate(state, actions)
            frames.append(frame)
            if self.distill.recorded:
                continue
            taught, end = self.teacher.generate(taught, actions)
            # not in the teacher's cache yet
            newest = torch.where(steered[:, None, None, None, None], end, frame)
            before = taught.context.first(taught.context.length - 1)
            taught = replace(taught, context=before.append(newest, actions))
            ends.append(end)
        noise = frames_noise(seeds, 1, len(frames) - 1, self.config.network.stacked_shape)
        reached = batch.latents[:, 1:].to(dtype) if self.distill.recorded else torch.cat(ends, 1)
        return Rolled(torch.cat(frames, 1), noise.to(frames[0]), reached)

    def jump(self, network: DiT, batch: Batch, rolled: Rolled, level: Tensor) -> Tensor:
        """=> [b, T - 1, C, h, w] float32: where one step from `level` [b, T - 1] to clean takes
        each frame behind the first."""
        pieces = []
        clean = self.schedule.grid(1)[-1].to(level.device)
        for span in self._spans:
            new = slice(span.begin - 1, span.last - 1)
            done = slice(span.first, span.last - 1)
            shown, done_level = self.schedule.context(rolled.frames[:, done])
            now = level[:, new]
            x = self.schedule.add_noise(rolled.ends[:, new], rolled.noise[:, new], now)
            levels = torch.cat(
                [
                    torch.full(shown.shape[:2], done_level, device=now.device),
                    self.schedule.shown_level(now),
                ],
                1,
            )
            actions = torch.cat(
                [batch.actions[:, done], batch.actions[:, span.begin : span.last]], 1
            )
            latents = torch.cat([shown, self.schedule.shown(x, now)], 1)
            branches = span.last - span.begin
            v = network(latents, levels, actions, batch.start.to(x.dtype), branches=branches)[
                :, -branches:
            ]
            pieces.append(self.schedule.step(x.float(), v.float(), now, clean.expand(now.shape)))
        return torch.cat(pieces, 1)


def spans(frames: int, sampler: SamplerConfig) -> list[Span]:
    """The windows of a rollout of so many frames, the first recorded, one frame per step, as
    `DiffusionWorld` moves them."""
    found = []
    first = 0
    begin = 1
    for new in range(1, frames):
        if new - first + 1 > sampler.window:
            found.append(Span(first, begin, new))
            first = new - (sampler.keep or sampler.window - 1)
            begin = new
    return [*found, Span(first, begin, frames)]


def continued(actions: Tensor, other: Tensor, scaling: Scaling | None) -> Tensor:
    """Actions as shown [B, T, numbers] of two clips => those of the other behind the first frame of
    the one: where sums of actions are shown, they continue from that frame's.

    scaling: by which they are shown; None = no sums are.
    """
    found = torch.cat([actions[:, :1], other[:, 1:]], 1)
    if scaling is not None:
        count = (actions.shape[-1] - 1) // (1 + scaling.sums)
        begun = actions[:, 0, count:-1].unflatten(-1, (-1, count)) / DISPLACEMENT_SCALE
        sums = commanded_positions(
            other[:, 1:, :count].cpu().numpy(), scaling.bounds(count), begun.cpu().numpy()
        )
        found[:, 1:, count:-1] = DISPLACEMENT_SCALE * torch.from_numpy(sums).flatten(-2).to(
            found.device
        )
    return found
