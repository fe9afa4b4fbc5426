"""Correlation of two series over several episodes, and whether it is more than chance.

Neighbouring steps of an episode are correlated, so neither the usual test of a correlation nor one
that shuffles steps is valid here. `lag_p_value` compares with the same episodes turned against each
other by random amounts (circular shifts), which keeps what each series does by itself.
`chance_of_gain` tests whether one series explains a third better than another does, by blocks of
steps. Axes legend: N steps of an episode, D numbers of a step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student

Numbers = npt.NDArray[np.float64]
NEAREST = 3  # steps; a smaller turn would still show what the lags from -2 to 2 show
BLOCK = 10  # steps that are treated as one observation
DRAWS = 999
FLAT = 1e-12  # a number that varies less has no correlation


@dataclass(frozen=True)
class Pairs:
    """Of one episode.   moves, commands: float64 [N, D].   first: the step that row 0 belongs
    to."""

    moves: Numbers
    commands: Numbers
    first: int = 0

    def within(self, first: int, last: int) -> Pairs:
        """The steps first to last - 1."""
        chosen = slice(max(first - self.first, 0), max(last - self.first, 0))
        return Pairs(self.moves[chosen], self.commands[chosen], max(first, self.first))

    @property
    def last(self) -> int:
        return self.first + len(self.moves)


def correlation(episodes: Sequence[Pairs]) -> float | None:
    """Pearson correlation over the steps of all episodes, the mean of those of the D numbers; None
    where none is defined."""
    products = _products(episodes)
    return None if products is None else float(np.concatenate(products).mean())


def lag_p_value(lags: Mapping[int, Sequence[Pairs]], seed: int = 0) -> float:
    """Probability of a largest correlation over the lags as large as the one found, where moves and
    commands are unrelated.

    lags: the same episodes, paired with each lag. 1.0 where no correlation is defined.
    """
    rng = np.random.default_rng(seed)
    turned = [sums for episodes in lags.values() if (sums := _turned(episodes)) is not None]
    if not turned:
        return 1.0
    found = max(sum(float(products[0]) for products in lag) / sum(map(len, lag)) for lag in turned)
    best = np.full(DRAWS, -np.inf)
    where = rng.random((DRAWS, len(turned[0])))
    for lag in turned:
        total = np.zeros(DRAWS)
        for episode, products in enumerate(lag):
            total += products[_turns(len(products), where[:, episode])]
        best = np.maximum(best, total / sum(map(len, lag)))
    return float((1 + (best >= found - 1e-9).sum()) / (1 + DRAWS))


def chance_of_gain(better: Sequence[Pairs], worse: Sequence[Pairs]) -> float:
    """One-sided probability of a gain in correlation as large as the one found, where both explain
    the moves equally well.

    The moves of both are the same ones; steps that only one of them has are left out. Student's t
    over blocks of BLOCK steps."""
    spans = [
        (max(a.first, b.first), min(a.last, b.last)) for a, b in zip(better, worse, strict=True)
    ]
    gains = _products([a.within(*span) for a, span in zip(better, spans, strict=True)])
    losses = _products([b.within(*span) for b, span in zip(worse, spans, strict=True)])
    if gains is None:
        return 1.0
    losses = losses if losses is not None else [np.zeros(len(gain)) for gain in gains]
    blocks = [block for a, b in zip(gains, losses, strict=True) for block in _blocks(a - b)]
    sums = np.array([block.sum() for block in blocks])
    sizes = np.array([len(block) for block in blocks])
    if len(sums) < 3:
        return 1.0
    mean = sums.sum() / sizes.sum()
    spread = np.sqrt(((sums - mean * sizes) ** 2).sum() * len(sums) / (len(sums) - 1))
    if spread < FLAT:
        return 0.0 if mean > FLAT else 1.0
    return float(student.sf(mean * sizes.sum() / spread, len(sums) - 1))


def _products(episodes: Sequence[Pairs]) -> list[Numbers] | None:
    """[N] an episode, whose mean over all steps is the correlation; None where no number varies on
    both sides."""
    scaled = _scaled(episodes)
    return (
        None if scaled is None else [(moves * commands).mean(axis=1) for moves, commands in scaled]
    )


def _turned(episodes: Sequence[Pairs]) -> list[Numbers] | None:
    """[N] an episode: the sum of products with the commands turned by 0 to N - 1 steps."""
    scaled = _scaled(episodes)
    if scaled is None:
        return None
    out = []
    for moves, commands in scaled:
        spectrum = np.fft.rfft(moves, axis=0).conj() * np.fft.rfft(commands, axis=0)
        out.append(
            np.fft.irfft(spectrum, len(moves), axis=0).mean(axis=1) if len(moves) else np.zeros(0)
        )
    return [sums for sums in out if len(sums)]


def _scaled(episodes: Sequence[Pairs]) -> list[tuple[Numbers, Numbers]] | None:
    """Zero mean and unit variance over all episodes; numbers that do not vary are left out."""
    moves = np.concatenate([pairs.moves for pairs in episodes])
    commands = np.concatenate([pairs.commands for pairs in episodes])
    if len(moves) < 3:
        return None
    varies = (moves.std(axis=0) > FLAT) & (commands.std(axis=0) > FLAT)
    if not varies.any():
        return None

    def scaled(values: Numbers, whole: Numbers) -> Numbers:
        numbers: Numbers = (values[:, varies] - whole[:, varies].mean(axis=0)) / whole[
            :, varies
        ].std(axis=0)
        return numbers

    return [(scaled(pairs.moves, moves), scaled(pairs.commands, commands)) for pairs in episodes]


def _turns(length: int, where: Numbers) -> npt.NDArray[np.intp]:
    """Turns of an episode of that length, from `where` in [0, 1): by NEAREST steps or more either
    way, if it is long enough."""
    nearest = min(NEAREST, length // 2)
    return np.asarray(nearest + where * (length - 2 * nearest + 1), np.intp) % length


def _blocks(values: Numbers) -> list[Numbers]:
    """Blocks of at least BLOCK values each, all of an episode in one if it is shorter."""
    return np.array_split(values, max(len(values) // BLOCK, 1)) if len(values) else []
