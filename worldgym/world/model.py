"""A trained world: codec + network + sampler, as a `World`. Loading and saving checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from worldgym.codecs.codec_protocol import Codec
from worldgym.codecs.compiled_codec import compiled_codec
from worldgym.errors import CheckpointError, InputError
from worldgym.io.devices import device_name
from worldgym.io.network_weights import frozen
from worldgym.io.timing import stage
from worldgym.native.compiled_module import Backend, batch_bucket
from worldgym.native.packed_layers import packed
from worldgym.types import Actions, ActionSpec, Frames
from worldgym.world.cache import TemporalCache
from worldgym.world.capabilities import PLAIN, Capabilities
from worldgym.world.compiled_dit import CompiledDiT
from worldgym.world.completion import COMPLETION_STEPS, draw_missing
from worldgym.world.conditioning import at_rest, beside, commanded_positions
from worldgym.world.context import Context, fill_rows
from worldgym.world.decoded_frames import decoded_frames
from worldgym.world.network import DiT
from worldgym.world.noise import frames_noise
from worldgym.world.sampler import SAMPLERS, Denoiser, Network
from worldgym.world.state_head import StateHead, check_state_head
from worldgym.world.view_latents import apart, stacked
from worldgym.world.world_config import WorldConfig
from worldgym.world.world_protocol import Given
from worldgym.world.world_start import RobotStates
from worldgym.world.world_state import WorldState


class DiffusionWorld:
    """Implements `worldgym.world.world_protocol.World[WorldState]`."""

    def __init__(
        self,
        config: WorldConfig,
        network: DiT,
        codec: Codec,
        name: str,
        dtype: torch.dtype = torch.bfloat16,
        engine: Network | None = None,
        states: StateHead | None = None,
    ) -> None:
        """network: copied where it is of another dtype or still in training, else shared; it is
        never changed.

        engine: what computes the network in rollouts; None = the network itself, packed. See
        `compiled`.   states: what says how the robot stands; None = nothing does."""
        if config.network.latent_shape != codec.latent_shape:
            raise CheckpointError(
                f"the world works on latents {config.network.latent_shape}, but the codec makes "
                f"{codec.latent_shape}: use the codec that it was trained with ({config.codec})"
            )
        config.check()
        if states is not None:
            check_state_head(states, codec.latents, config.network.stacked_shape)
        self.states = states
        self.config = config
        self.codec = codec
        self.name = name
        self.network = frozen(network, dtype)
        self.schedule = config.make_schedule()
        self._bounds = config.scaling.bounds(config.spec.size)
        self.engine = engine or packed(self.network)
        self._fixed = isinstance(self.engine, CompiledDiT)
        self._denoiser = Denoiser(self.engine, self.schedule, config.sampler, self._fixed)
        self._dtype, self._device = dtype, next(self.network.parameters()).device

    @property
    def spec(self) -> ActionSpec:
        return self.config.spec

    @property
    def frame_shape(self) -> tuple[int, int, int]:
        return self.codec.frame_shape

    @property
    def views(self) -> tuple[str, ...]:
        return self.config.views

    @property
    def capabilities(self) -> Capabilities:
        return PLAIN if self.states is None else Capabilities(returns=self.states.config.names)

    @property
    def dtype(self) -> torch.dtype:
        """Of weights and latents."""
        return self._dtype

    @property
    def device(self) -> str:
        """What it computes on, in words for a log: see `device_name`."""
        return device_name(self._device)

    @property
    def computes(self) -> str:
        """What computes the frames, for a log: other kernels, another dtype or another device round
        differently."""
        how = "compiled torch" if self._fixed else "torch"
        return f"{how}, {str(self._dtype).removeprefix('torch.')}, {self.device}"

    def with_sampler(self, sampler: str | None = None, /, **changes: Any) -> DiffusionWorld:
        """The same weights with other sampler settings (see SamplerConfig): a named set, guidance
        excepted, and single ones."""
        base = self.config.sampler
        if sampler is not None:
            if sampler not in SAMPLERS:
                raise InputError(f'no sampler "{sampler}": one of {", ".join(SAMPLERS)}')
            base = replace(SAMPLERS[sampler], cfg=base.cfg)
        config = replace(self.config, sampler=replace(base, **changes))
        known = (self.network, self.codec, self.name, self._dtype)
        return DiffusionWorld(config, *known, self.engine, self.states)

    def compiled(self, backend: Backend = "package") -> DiffusionWorld:
        """The same world, its network and the codec's decoder compiled for this machine at the
        first step of each size; see `worldgym.native.compiled_module`."""
        codec = compiled_codec(self.codec, backend)
        known = (self.network, codec, self.name, self._dtype, CompiledDiT(self.network, backend))
        return DiffusionWorld(self.config, *known, self.states)

    @torch.inference_mode()
    def reset(self, frames: Frames, seeds: Sequence[int]) -> WorldState:
        """frames: uint8 [B, V, H, W, 3].   seeds: one per row."""
        shape = (len(self.views), *self.frame_shape)
        if frames.shape[1:] != shape or frames.dtype != np.uint8 or len(seeds) != len(frames):
            raise InputError(
                f"the world starts from uint8 frames [B, {', '.join(map(str, shape))}] "
                f"and one seed per row, "
                f"not {frames.dtype} {frames.shape} and {len(seeds)} seeds: resize the initial "
                f"frames"
            )
        latents = stacked(self._encoded(frames))
        actions = self._at_rest(len(frames))
        moved = np.zeros((len(frames), self.config.scaling.sums, self.spec.size), np.float32)
        told = self._told(latents[:, None], actions)
        return WorldState(
            Context(latents[:, None], actions, latents), None, 0, tuple(seeds), 1, moved, told
        )

    def robot_states(self, state: WorldState) -> RobotStates:
        """See `worldgym.world.world_start.Proprioceptive`."""
        return np.zeros((len(state.seeds), 0, 0), np.float32) if state.told is None else state.told

    def _told(self, latents: Tensor, shown: Tensor) -> RobotStates | None:
        """latents [B, h, C, V h, w], shown [B, h, A] => [B, h, S]."""
        if self.states is None:
            return None
        found: RobotStates = self.states(latents, shown).cpu().numpy()
        return found

    @torch.inference_mode()
    def complete(self, frames: Frames, given: Given, seeds: Sequence[int]) -> Frames:
        """See `worldgym.world.world_protocol.Completing`."""
        latents = self._encoded(frames)
        there = torch.from_numpy(given).to(self._device)
        shape = self.config.network.stacked_shape
        noise = frames_noise(seeds, 0, 1, shape)[:, 0].to(self._device, self._dtype)
        drawn = draw_missing(
            self.network,
            self.schedule,
            max(self.config.sampler.steps, COMPLETION_STEPS),
            latents,
            there,
            apart(noise, len(self.views)),
            self._at_rest(len(frames)),
        )
        pictures = self.codec.decode(drawn.flatten(0, 1).float()).unflatten(0, given.shape)
        whole: Frames = np.where(given[..., None, None, None], frames, pictures.cpu().numpy())
        return whole

    def _encoded(self, frames: Frames) -> Tensor:
        """uint8 [B, V, H, W, 3] => latents [B, V, C, h, w]."""
        pixels = torch.from_numpy(np.ascontiguousarray(frames)).to(self._device)
        latents = self.codec.encode(pixels.flatten(0, 1))
        return latents.unflatten(0, frames.shape[:2]).to(self._dtype)

    def _at_rest(self, rows: int) -> Tensor:
        size = self.config.network.action_size
        return at_rest(rows, size, self.config.conditioning).to(self._device)

    @torch.inference_mode()
    def step(self, state: WorldState, actions: Actions) -> tuple[WorldState, Frames]:
        """actions: float32 [B, h, A] => (new state, uint8 [B, h, V, H, W, 3])."""
        if (
            actions.ndim != 3
            or actions.shape[0] != len(state.seeds)
            or actions.shape[2] != self.spec.size
        ):
            raise InputError(
                f"the world takes actions [{len(state.seeds)}, h, {self.spec.size}], not "
                f"{list(actions.shape)}"
            )
        largest = self.config.sampler.longest_chunk
        pieces = []
        asked = []
        for start in range(0, actions.shape[1], largest):
            state, shown = self._conditioning(state, actions[:, start : start + largest])
            state, latents = self.generate(state, shown)
            pieces.append(latents)
            asked.append(shown)
        latents = torch.cat(pieces, 1)
        state = replace(state, told=self._told(latents, torch.cat(asked, 1)))
        if self._device.type == "cuda":
            # so that decoding is not charged with what was queued before it
            torch.cuda.synchronize(self._device)
        with stage("decode"):
            views = apart(latents, len(self.views))
            frames = decoded_frames(self.codec, views.flatten(0, 2).float())
            return state, frames.reshape(*views.shape[:3], *frames.shape[1:])

    def _conditioning(self, state: WorldState, actions: Actions) -> tuple[WorldState, Tensor]:
        """float32 [B, h, A] => (state moved on, [B, h, action_size]) as in
        `worldgym.world.conditioning.conditioning`."""
        known = self.config.scaling.shown(actions)
        sums = None
        if self.config.conditioning == "sum":
            sums = commanded_positions(known, self._bounds, state.moved)
            state = replace(state, moved=sums[:, -1])
        shown = beside(known, sums, self.config.network.action_size)
        return state, torch.from_numpy(shown).to(self._device)

    @torch.inference_mode()
    def generate(self, state: WorldState, actions: Tensor) -> tuple[WorldState, Tensor]:
        """`step` without the codec: actions as shown [B, h, action_size] => latents [B, h, C, ...];
        h up to `longest_chunk`."""
        chunk = actions.shape[1]
        cached = self.config.sampler.cached
        state = state.with_room(chunk, self.config.sampler, self.config.network.pairs)
        shape = self.config.network.stacked_shape
        noise = frames_noise(state.seeds, state.frame, chunk, shape)
        cache = None
        noise = noise.to(self._device, self._dtype)
        if cached:
            cache, pending = self._cache(state, chunk)
            latents = self._denoiser.cached(cache, state.context.last(pending), noise, actions)
        else:
            latents = self._denoiser.plain(state.context, noise, actions)
        context = state.context.append(latents, actions)
        stored = cache.length if cache is not None else 0
        return WorldState(
            context, cache, stored, state.seeds, state.frame + chunk, state.moved
        ), latents

    def _cache(self, state: WorldState, chunk: int) -> tuple[TemporalCache, int]:
        """The state's cache, and how many frames at the end of its context are not in it yet. A
        copy if another branch has gone on from it; a new one if that branch has overwritten what
        this one needs, or the batch or chunk does not fit."""
        sampler = self.config.sampler
        context = state.context
        cache = state.cache
        rows = self._rows(len(state.seeds))
        pending = context.length if cache is None else state.frame - cache.start - state.stored
        # rolling: what a frame sees, and both the finished frames and the new ones of a call
        capacity = sampler.window - 1 + 2 * chunk if sampler.rule == "rolling" else sampler.window
        # a compiled program has a number of slots
        fits = cache is not None and (cache.capacity == capacity or not self._fixed)
        if cache is None or not fits or not self._serves(cache, rows, state.stored, pending, chunk):
            first = state.frame - context.length
            cache = self.network.new_cache(rows, capacity, context.latents, first)
            pending = context.length
        elif cache.length != state.stored:
            cache = cache.fork(state.stored, self._last(context.first(context.length - pending)))
        return cache, pending

    def _serves(
        self, cache: TemporalCache, rows: int, stored: int, pending: int, chunk: int
    ) -> bool:
        """Whether the first `stored` frames of this cache are there, and these many more fit behind
        them."""
        sight = self.config.sampler.sight
        return (
            cache.rows == rows
            and cache.holds(stored, sight)
            and cache.room(stored + pending, sight) >= chunk
        )

    def _last(self, context: Context) -> Tensor | None:
        """The newest frame of a context as the network was shown it, in every row of the cache;
        None if there is none."""
        if not context.length:
            return None
        last, _ = self.schedule.context(context.latents[:, -1:])
        guided = self.config.sampler.cfg != 1.0
        last = fill_rows(last, self._rows(len(last)) // (1 + guided))
        return torch.cat([last, last]) if guided else last

    def _rows(self, batch: int) -> int:
        """Of a cache for so many trials."""
        filled_up = batch_bucket(batch) if self._fixed else batch
        return filled_up * (1 if self.config.sampler.cfg == 1.0 else 2)
