"""The optimizer of every training here: float32 master weights, AdamW and Muon, a learning rate
that rises, stays and falls, and a moving average of the weights (EMA)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from worldgym.train.distributed import SINGLE_PROCESS, ProcessGroup, Shards
from worldgym.train.muon import Muon


@dataclass(frozen=True)
class OptimizerConfig:
    """lr: peak of AdamW's.   muon_lr: of matrices inside the network (0 = AdamW for all).

    warmup: steps of a linear rise.   decay: share of the steps, at the end of the run, in which the
    rate falls along half a cosine.   floor: share of the peak that it falls to.
    ema: decay of the weights' moving average, per step.   clip: largest norm of a gradient."""

    steps: int
    lr: float = 1e-3
    muon_lr: float = 0.0
    weight_decay: float = 0.01
    warmup: int = 100
    ema: float = 0.999
    clip: float = 1.0
    decay: float = 0.6
    floor: float = 0.0
    betas: tuple[float, float] = (0.9, 0.99)

    def rate(self, step: int) -> float:
        """Share of the peak learning rate: linear warm-up, a plateau, then half a cosine down."""
        decay = max(min(int(self.steps * self.decay), self.steps - self.warmup), 1)
        up = min(1.0, (step + 1) / max(self.warmup, 1))
        left = max(0.0, min(1.0, (self.steps - step) / decay))
        return up * (self.floor + (1.0 - self.floor) * 0.5 * (1.0 - math.cos(math.pi * left)))


@dataclass(frozen=True)
class FitConfig:
    """What the recipes of small models (policies, judges, inverse dynamics) choose.

    steps: optimizer steps.   lr: its peak.   average: decay of the weights' moving average."""

    steps: int = 2000
    batch: int = 128
    lr: float = 1e-3
    weight_decay: float = 0.01
    warmup: int = 100
    average: float = 0.995
    seed: int = 0

    def optimizer(self) -> OptimizerConfig:
        """Their learning rate falls from the end of the warm-up on, to 2 %."""
        return OptimizerConfig(
            self.steps,
            self.lr,
            weight_decay=self.weight_decay,
            warmup=self.warmup,
            ema=self.average,
            decay=1.0,
            floor=0.02,
            betas=(0.9, 0.999),
        )


class Optimizer:
    """float32 master weights behind a model that may live in bf16, with AdamW, Muon for matrices,
    and an EMA.

    A model in bf16 throughout beats autocast on a CPU: no weight is cast twice and no activation
    returns to float32. Processes that train together share the weights out: master, moments and EMA
    of a weight are held and updated by one of them (ZeRO, arXiv 1910.02054, stage 1), which gets
    its gradients from the others and sends them the weight."""

    def __init__(
        self,
        model: nn.Module,
        config: OptimizerConfig,
        matrices: Iterable[str] = (),
        group: ProcessGroup = SINGLE_PROCESS,
    ) -> None:
        """matrices: prefixes of the parameter names that Muon takes if they are two-dimensional.

        group: the processes that train the same model, each with the gradients of its rows of a
        batch; all take every step."""
        self.config = config
        self.group = group
        self.model_parameters = dict(model.named_parameters())
        names = list(self.model_parameters)
        prefixes = tuple(matrices)
        shapes = {name: p.shape for name, p in self.model_parameters.items()}
        chosen = [
            n for n in names if config.muon_lr and len(shapes[n]) == 2 and n.startswith(prefixes)
        ]
        self._names = {"adam": [name for name in names if name not in set(chosen)], "muon": chosen}
        costs = [
            orthogonal_work(shapes[name]) if name in set(chosen) else shapes[name].numel()
            for name in names
        ]
        shards = Shards.balanced([shapes[name].numel() for name in names], costs, group.world_size)
        self._owner = dict(zip(names, shards.owners, strict=True))
        self._place = dict(zip(names, shards.places, strict=True))
        own = {
            name: p for name, p in self.model_parameters.items() if self._owner[name] == group.rank
        }
        self.master = {name: p.detach().float().clone().requires_grad_() for name, p in own.items()}
        self.ema = {name: p.detach().clone() for name, p in self.master.items()}
        some = self.model_parameters[names[0]]
        self.rows = torch.zeros(
            group.world_size, shards.length, dtype=some.dtype, device=some.device
        )
        self.gradients = torch.zeros(sum(p.numel() for p in own.values()), device=some.device)
        self.optimizers = {key: self._optimizer(key) for key in self._names if self._own(key)}

    def step(self, step: int) -> float:
        """Takes the gradients of the model, moves the master weights, and returns the gradients'
        norm before clipping."""
        self._take_gradients()
        norm = math.sqrt(self.group.all_reduce(torch.linalg.vector_norm(self.gradients).square()))
        if norm > self.config.clip:
            self.gradients *= self.config.clip / norm
        for key, optimizer in self.optimizers.items():
            peak = self.config.lr if key == "adam" else self.config.muon_lr
            for settings in optimizer.param_groups:
                settings["lr"] = peak * self.config.rate(step)
            optimizer.step()
        decay = min(self.config.ema, (1 + step) / (10 + step))
        if self.ema:
            torch._foreach_lerp_(
                list(self.ema.values()), [p.detach() for p in self.master.values()], 1 - decay
            )
        self._publish()
        return norm

    def tensors(self) -> dict[str, Tensor]:
        """Everything that a resumed run needs, whatever the number of its processes. All processes
        must ask for it."""
        flat = {f"master/{name}": value.detach() for name, value in self.master.items()}
        flat |= {f"ema/{name}": value for name, value in self.ema.items()}
        for key, optimizer in self.optimizers.items():
            own = self._own(key)
            for index, state in optimizer.state_dict()["state"].items():
                flat |= {
                    f"{key}/{self._names[key].index(own[index])}/{name}": value
                    for name, value in state.items()
                }
        return self.group.gather_dict(flat)

    def load(self, tensors: dict[str, Tensor]) -> None:
        for kind, held in (("master", self.master), ("ema", self.ema)):
            for name, value in held.items():
                value.data.copy_(tensors[f"{kind}/{name}"])
        for key, optimizer in self.optimizers.items():
            own = self._own(key)
            state: dict[int, dict[str, Tensor]] = {}
            for name, value in tensors.items():
                kind, *rest = name.split("/")
                if kind == key and (weight := self._names[key][int(rest[0])]) in own:
                    state.setdefault(own.index(weight), {})[rest[1]] = value
            optimizer.load_state_dict(
                {"state": state, "param_groups": optimizer.state_dict()["param_groups"]}
            )
        self._publish()

    def _own(self, key: str) -> list[str]:
        """Names of the weights that this process moves with that optimizer, in its order."""
        return [name for name in self._names[key] if name in self.master]

    def _optimizer(self, key: str) -> torch.optim.Optimizer:
        weights = [self.master[name] for name in self._own(key)]
        c = self.config
        if key == "adam":
            return torch.optim.AdamW(weights, c.lr, betas=c.betas, weight_decay=c.weight_decay)
        return Muon(weights, c.muon_lr, c.weight_decay)

    def _take_gradients(self) -> None:
        """Of the own weights, averaged over all processes in float32. One without a gradient stays
        as it is."""
        for name, parameter in self.model_parameters.items():
            row = self.rows[self._owner[name], self._place[name]]
            if parameter.grad is None:
                row.zero_()
            else:
                row.copy_(parameter.grad.flatten())
            if (weight := self.master.get(name)) is not None:
                weight.grad = (
                    None
                    if parameter.grad is None
                    else self.gradients[self._place[name]].view_as(parameter)
                )
            parameter.grad = None
        first, *others = self.group.all_to_all(self.rows)[:, : len(self.gradients)]
        self.gradients.copy_(first)
        for other in others:
            self.gradients += other
        self.gradients /= self.group.world_size

    @torch.no_grad()
    def _publish(self) -> None:
        """The weights go to the model, in every process."""
        row = self.rows[self.group.rank]
        for name, weight in self.master.items():
            row[self._place[name]] = weight.flatten()
        gathered = self.group.all_gather(row)
        for name, parameter in self.model_parameters.items():
            parameter.copy_(gathered[self._owner[name], self._place[name]].view_as(parameter))


def averaged(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The moving averages in the state of an optimizer, by the names of the model's parameters."""
    return {
        name.removeprefix("ema/"): value
        for name, value in tensors.items()
        if name.startswith("ema/")
    }


def orthogonal_work(shape: torch.Size) -> int:
    """Multiplications of one of Muon's iterations on a matrix."""
    small, large = sorted(shape)
    return 2 * small**2 * large + small**3
