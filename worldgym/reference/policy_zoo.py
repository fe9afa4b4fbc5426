"""The policy zoo, and the split of policies and start states that was made before any of them was
scored.

development   the eight policies of the bundle and one of the other architecture, on the start
              states of seeds 450-479. Used whenever a world, a judge or a setting is chosen; so
              were the bundled start states, seeds 10000-10019.
held-out      fifteen policies on the start states of seeds 20000-20099: scored once per release of
the bundled world (`make release-check`), and not used to choose anything.
collectors    twelve policies, most of them weak, that act in a learned world so that its errors
              become training data (generated_rollouts.py). Never evaluated.
panda         two of the second reference world, with and without its wrist camera (docs/panda.md).

The sets differ in the seed of their training too. All learn from recordings with seeds of neither
range, never from closed-loop ones. An evaluation is only as convincing as its policies are
different: each of the held-out ones differs from `full` in one way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from worldgym.errors import InputError
from worldgym.policies.image_trunk import TrunkConfig
from worldgym.policies.own.bc import BCConfig
from worldgym.policies.own.diffusion import DiffusionConfig
from worldgym.reference.behaviours import CLOSED_LOOP
from worldgym.train.optimizer import FitConfig
from worldgym.train.policy_samples import SampleConfig
from worldgym.train.policy_training import PolicyTrainConfig

SMALL = TrunkConfig(width=24, blocks=1, points=8, values=2, buckets=64, language=16)
MEDIUM = TrunkConfig(width=40, blocks=2, points=16, values=3, buckets=128, language=24)
SERIES = (75, 150, 300, 600, 1200)  # training steps after which one run is saved
# the same of a collector: policies fail in more ways than experts that are disturbed
EARLY = (60, 110, 200, 400)


@dataclass(frozen=True)
class StorePart:
    """Part of the store that the recipes learn from: see record.py. episodes: a task."""

    first_seed: int
    episodes: int
    mix: str


RECORDINGS = (StorePart(0, 400, "varied"), StorePart(500, 200, "near-misses"))
FIRST_RECORDING = 400  # seeds below: all that the bundled policies learned from


@dataclass(frozen=True)
class Maker:
    """Recipes that share a store, the folder they go to, and a seed."""

    store: Path
    out: Path
    seed: int

    @property
    def data(self) -> SampleConfig:
        return SampleConfig(self.store, without=CLOSED_LOOP)

    def __call__(
        self,
        name: str,
        steps: int,
        net: BCConfig | DiffusionConfig,
        data: SampleConfig | None = None,
        save_at: tuple[int, ...] = (),
    ) -> PolicyTrainConfig:
        # several draws of noise stand for each of its frames
        batch = 64 if isinstance(net, DiffusionConfig) else 128
        fit = FitConfig(steps, batch, lr=2e-3, seed=self.seed)
        return PolicyTrainConfig(self.out / name, name, data or self.data, net, fit, save_at)


@dataclass(frozen=True)
class PolicySet:
    """seeds: of the start states that its policies are scored on, empty for policies that are not.

    recipes: in the order of training.   training_seed: of all of them.
    """

    seeds: range
    recipes: Callable[[Maker], list[PolicyTrainConfig]]
    training_seed: int


def policy_set(name: str) -> PolicySet:
    """InputError for a name that is no set's."""
    if name not in SETS:
        raise InputError(f"no set of policies is called {name}; there are {', '.join(SETS)}")
    return SETS[name]


def zoo(name: str, store: Path, out: Path, seed: int | None = None) -> list[PolicyTrainConfig]:
    """The recipes of a set, to be learned from `store` into OUT/POLICY. `seed`: another than the
    set's own."""
    chosen = policy_set(name)
    return chosen.recipes(Maker(store, out, chosen.training_seed if seed is None else seed))


def _development(make: Maker) -> list[PolicyTrainConfig]:
    """Three good ones, then policies spoiled in one way each: too few steps or data, a small
    network, careless teachers, half of the tasks. The last came later and learns from the whole
    store."""
    data = replace(make.data, below_seed=FIRST_RECORDING)
    return [
        make("bc-large", 1500, BCConfig(), data),
        make("bc-chunk4", 1200, BCConfig(chunk=4), data),
        make("bc-chunk8", 1200, BCConfig(chunk=8), data),
        make(
            "bc-three",
            500,
            BCConfig(),
            replace(data, tasks=("drawer-open", "button-press", "window-close")),
        ),
        make("bc-executed", 500, BCConfig(), replace(data, imitate="executed")),
        make("bc-few", 400, BCConfig(), replace(data, episodes=15)),
        make("bc-small", 700, BCConfig(hidden=64, trunk=SMALL), data),
        make("bc-short", 400, BCConfig(), data),
        make("diffusion", 1800, DiffusionConfig()),
    ]


def _held_out(make: Maker) -> list[PolicyTrainConfig]:
    """Three sizes, chunks of 1, 4 and 8, two amounts of data, five steps of one run, two
    architectures, and one trained only on flawless experts: it has not learned to recover from
    mistakes."""
    chunked = BCConfig(chunk=4)
    return [
        make("full", 1000, chunked),
        make("medium", 1000, BCConfig(chunk=4, hidden=128, trunk=MEDIUM)),
        make("small", 1000, BCConfig(chunk=4, hidden=64, trunk=SMALL)),
        make("chunk1", 1000, BCConfig(chunk=1)),
        make("chunk8", 1000, BCConfig(chunk=8)),
        make("data20", 600, chunked, replace(make.data, episodes=20)),
        make("data80", 800, chunked, replace(make.data, episodes=80)),
        make("flawless", 800, chunked, replace(make.data, behaviours=("expert",), successes=True)),
        make("series", SERIES[-1], BCConfig(chunk=2), save_at=SERIES),
        make("diffusion8", 1800, DiffusionConfig()),
        make("diffusion4", 1300, DiffusionConfig(chunk=4, layers=2, temperature=1.0)),
    ]


def _collectors(make: Maker) -> list[PolicyTrainConfig]:
    return [
        make("collector-chunk2", 900, BCConfig(chunk=2)),
        make("collector-chunk6", 900, BCConfig(chunk=6)),
        make("collector-plain", 700, BCConfig()),
        make("collector-brief", 300, BCConfig(chunk=3)),
        make("collector-halting", 500, BCConfig(chunk=4), replace(make.data, imitate="executed")),
        make("collector-narrow", 500, BCConfig(chunk=5), replace(make.data, episodes=30)),
        make("collector-early", EARLY[-1], BCConfig(chunk=2), save_at=EARLY),
        make("collector-slight", 800, BCConfig(chunk=3, hidden=64, trunk=SMALL)),
        make("collector-drawn", 900, DiffusionConfig(chunk=6, layers=2, temperature=0.7)),
    ]


def _panda(make: Maker) -> list[PolicyTrainConfig]:
    """Labels where an expert still knows what to do: the object lies where it lay."""
    data = replace(make.data, behaviours=("expert", "noisy", "beside", "above"))
    both = BCConfig(chunk=6, cameras=("front", "wrist"))
    return [
        make("panda-both", 2000, both, data),
        make("panda-front", 2000, replace(both, cameras=()), data),
    ]


SETS: Mapping[str, PolicySet] = {
    "development": PolicySet(range(450, 480), _development, 0),
    "held-out": PolicySet(range(20_000, 20_100), _held_out, 20),
    "collectors": PolicySet(range(0), _collectors, 100),
    "panda": PolicySet(range(0), _panda, 200),
}
