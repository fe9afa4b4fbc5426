"""What a training run will take, before it starts: counted on tensors without storage, and one
timed matrix product."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from worldgym.train.direct_training import FRAMES_PER_CLIP
from worldgym.train.motion_training import PAIRS_PER_CLIP
from worldgym.train.world_train_config import WorldTrainConfig
from worldgym.train.world_training import MATRICES
from worldgym.world.network import DiT

CHECKPOINTING_FACTOR = 4 / 3  # one forward pass more beside forward and backward (2 x forward)


@dataclass(frozen=True)
class Budget:
    """parameters: of the network.   state_bytes: weights, gradients, master copy, average and
    optimiser, resident throughout.   activation_bytes: kept between forward and backward pass of
    one process's whole batch.   flops: matrix products of a step.   first_flops: of all steps
    that train parts of the network alone before them.   flops_rate: per second, measured on one
    large product of the run's type on its device.   steps: of the run."""

    parameters: int
    state_bytes: int
    activation_bytes: int
    flops: float
    first_flops: float
    flops_rate: float
    steps: int

    @property
    def hours(self) -> float:
        """Lower bound of the run's time, at the rate of the measured product."""
        return (self.steps * self.flops + self.first_flops) / self.flops_rate / 3600

    def __str__(self) -> str:
        return (
            f"parameters        {self.parameters / 1e6:.1f} M\n"
            f"memory            {(self.state_bytes + self.activation_bytes) / 2**30:.2f} GiB and "
            f"the data: weights and optimiser "
            f"{self.state_bytes / 2**30:.2f}, activations {self.activation_bytes / 2**30:.2f}\n"
            f"products a step   {self.flops / 1e12:.3g} TFLOP, attention's left out\n"
            f"measured rate     {self.flops_rate / 1e12:.3g} TFLOP/s, one large matrix product\n"
            f"expected time     at least {self.hours:.3g} hours for {self.steps} steps"
            f"{' behind those of its parts' if self.first_flops else ''}, all else taking "
            f"none"
        )


def budget(config: WorldTrainConfig, processes: int = 1) -> Budget:
    """Of one process, where `processes` of one machine each share the rows of a batch."""
    with torch.device("meta"):
        parameters = {name: p.numel() for name, p in DiT(config.network).named_parameters()}
        matrices = sum(
            p.numel()
            for name, p in DiT(config.network).named_parameters()
            if _muon(config, name, p)
        )
    total = sum(parameters.values())
    width = getattr(torch, config.dtype).itemsize
    # weights, gradients, and what is exchanged with the others
    whole = width * total * (3 if processes == 1 else 4)
    # master, EMA, gradients; of moments Adam keeps two, Muon one
    dealt = 4 * (3 * total + 2 * (total - matrices) + matrices)
    state = whole + dealt // processes
    factor = 3.0 * (CHECKPOINTING_FACTOR if config.checkpointing else 1.0)
    frames = config.frames * config.batch
    network = config.network
    # what draws frames directly is not trained with the rest
    taught = network.flops_per_frame - network.direct_flops
    flops = (factor * taught + network.direct_flops) * frames
    carried = config.carrier.steps * frames if config.carrier else 0
    first = 3.0 * network.carrier_flops * carried
    if config.direct:
        some, motion = FRAMES_PER_CLIP * config.batch, PAIRS_PER_CLIP * config.batch
        first += 3.0 * network.direct_flops * some * config.direct.frames.steps
        pictures = network.cameras * network.picture_flops
        first += 3.0 * pictures * motion * config.direct.motion.steps
    rows = -(-config.batch // processes)
    rate = processes * matmul_rate(config.device, getattr(torch, config.dtype))
    kept = activation_bytes(config, rows)
    return Budget(total, state, kept, flops, first, rate, config.optimizer.steps)


def _muon(config: WorldTrainConfig, name: str, parameter: Tensor) -> bool:
    return bool(config.optimizer.muon_lr) and parameter.ndim == 2 and name.startswith(MATRICES)


def activation_bytes(config: WorldTrainConfig, rows: int) -> int:
    """Of `rows` clips. Every pair of blocks keeps the same amount: measured with one and with two
    pairs."""
    one, two = (
        _saved(replace(config, network=replace(config.network, pairs=pairs)), rows)
        for pairs in (1, 2)
    )
    pair = two - one
    rest = 2 * one - two
    pairs = config.network.pairs
    if not config.checkpointing:
        return rest + pairs * pair
    entering = (
        rows
        * config.frames
        * config.network.tokens
        * config.network.width
        * getattr(torch, config.dtype).itemsize
    )
    return rest + pairs * entering + pair


def _saved(config: WorldTrainConfig, rows: int) -> int:
    """Bytes that autograd keeps of a forward pass, weights left out. On the meta device: nothing is
    computed."""
    c = config.network
    dtype = getattr(torch, config.dtype)
    with torch.device("meta"):
        network = DiT(c).to(dtype)
        x = torch.empty(rows, config.frames, *c.stacked_shape, dtype=dtype)
        actions = torch.empty(rows, config.frames, c.action_size)
        level = torch.empty(rows, config.frames)
    weights = {p.untyped_storage()._cdata for p in network.parameters()}
    sizes: dict[int, int] = {}
    kept: list[Tensor] = []  # a freed storage's identity would be given to the next

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in weights:
            sizes[storage._cdata] = storage.nbytes()
        kept.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        network(x, level, actions, x[:, 0])
    return sum(sizes.values())


def matmul_rate(device: str, dtype: torch.dtype) -> float:
    """Floating-point operations per second of square matrix products; the best of a few, after a
    warm-up. A single one if it takes a second, as bfloat16 does without a matrix unit."""
    size = 8192 if device.startswith("cuda") else 1024
    a = torch.randn(size, size, device=device).to(dtype)
    times = list[float]()
    while len(times) < 4 and sum(times) < 1.0:
        started = time.perf_counter()
        (a @ a)[0, 0].item()  # waits for the device
        times.append(time.perf_counter() - started)
    return float(2 * size**3 / min(times[1:] or times))
