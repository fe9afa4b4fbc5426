"""How many trials? For an interval of a wanted width, to tell A from B, and on the robot if many
trials can be generated."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy
from scipy.special import bdtr, ndtri

from worldgym.errors import InputError
from worldgym.stats.comparison import MAX_BARNARD
from worldgym.stats.prediction import expected_gain
from worldgym.stats.success_rates import wilson_interval
from worldgym.stats.trial_plan_request import TrialPlanRequest

MAX_TRIALS = 1_000_000
NUISANCES = 40  # common rates in (0, 0.5) that Barnard's test is held to
BEYOND = 8  # numbers after a sufficient one that must suffice too: exact power is not monotonic
ROUNDING = 1e-9  # of a probability or a width


@dataclass(frozen=True)
class TwoRates:
    """True rates of A and B, and the correlation of their outcomes in the same trial: 0 as if in
    separate ones."""

    a: float
    b: float
    correlation: float = 0.0

    def __post_init__(self) -> None:
        if not (0 < self.a < 1 and 0 < self.b < 1):
            raise InputError(
                f"rates must lie between 0 and 1, not {self.a} and {self.b}; name what you expect "
                f"of A and B"
            )
        if not -1 <= self.correlation <= 1:
            raise InputError(
                f"a correlation lies between -1 and 1, not at {self.correlation}; 0 is the careful "
                f"choice"
            )
        if min(self.only_a, self.only_b, self.a - self.only_a, 1 - self.b - self.only_a) < -1e-12:
            raise InputError(
                f"rates {self.a} and {self.b} cannot correlate by {self.correlation}; choose a "
                f"smaller correlation"
            )

    @property
    def both(self) -> float:
        return self.a * self.b + self.correlation * math.sqrt(
            self.a * (1 - self.a) * self.b * (1 - self.b)
        )

    @property
    def only_a(self) -> float:
        """Probability that only A succeeds in a trial."""
        return self.a - self.both

    @property
    def only_b(self) -> float:
        return self.b - self.both


@dataclass(frozen=True)
class TrialNumbers:
    """Numbers of trials, None where they were not asked for; all for the same repeats of an initial
    frame. for_width_with_generated: real ones.   trials_to_tell: of each policy, unpaired."""

    for_width: int | None = None
    for_width_with_generated: int | None = None
    pairs_to_tell: int | None = None
    trials_to_tell: int | None = None


def plan(wanted: TrialPlanRequest) -> TrialNumbers:
    """InputError where nothing is asked for."""
    if wanted.real_correlation and not wanted.generated:
        raise InputError(
            "real and generated outcomes correlate, but none are generated; give --generated too"
        )
    factor = repeats_factor(wanted.repeats, wanted.repeat_correlation)
    numbers = {}
    if wanted.width is not None:
        numbers["for_width"] = _upwards(factor * trials_for_width(wanted.width, wanted.rate))
        if wanted.generated:
            real = real_trials_with_generated(
                wanted.width, wanted.rate, wanted.real_correlation, wanted.generated
            )
            numbers["for_width_with_generated"] = _upwards(factor * real)
    if wanted.a is not None and wanted.b is not None:
        rates = TwoRates(wanted.a, wanted.b, wanted.correlation)
        numbers["pairs_to_tell"] = _upwards(factor * pairs_to_tell(rates, wanted.power))
        numbers["trials_to_tell"] = _upwards(factor * trials_to_tell(rates, wanted.power))
    if not numbers or (wanted.a is None) != (wanted.b is None):
        raise InputError(
            "nothing to plan: give --width for an interval, or --a and --b for two rates to tell "
            "apart"
        )
    return TrialNumbers(**numbers)


def trials_for_width(width: float, rate: float = 0.5, level: float = 0.95) -> int:
    """Smallest n whose Wilson interval at this observed rate has at most this width, from end to
    end. 0.5 is the widest."""
    if not 0 < width < 1 or not 0 <= rate <= 1:
        raise InputError(
            f"width must lie between 0 and 1, and the rate too, not {width} and {rate}; 0.2 is 10 "
            f"points to either side"
        )

    def narrow(n: int) -> bool:
        low, high = wilson_interval(rate * n, n, level)
        return high - low <= width + ROUNDING

    return _smallest(narrow, f"an interval of width {width}")


def repeats_factor(repeats: int, correlation: float) -> float:
    """How many times as many trials it takes when each initial frame is tried `repeats` times, and
    outcomes of one frame have this correlation: the design effect 1 + (m - 1) rho of L. Kish
    (1965), Survey Sampling, section 5.4."""
    if repeats < 1 or not 0 <= correlation <= 1:
        raise InputError(
            f"needs 1 repeat or more and a correlation from 0 to 1, not {repeats} and "
            f"{correlation}; change --repeats or --repeat-correlation"
        )
    return 1 + (repeats - 1) * correlation


def pairs_to_tell(rates: TwoRates, power: float = 0.8, alpha: float = 0.05) -> int:
    """Smallest number of common trials from which on McNemar's exact test calls the difference with
    this probability."""
    _check_power(rates, power)
    return _smallest(
        lambda n: mcnemar_power(rates, n, alpha) >= power - ROUNDING,
        f"telling {rates.a} from {rates.b}",
    )


def mcnemar_power(rates: TwoRates, n: int, alpha: float = 0.05) -> float:
    """Exact probability that McNemar's exact two-sided test on n pairs gives p <= alpha."""
    discordant = rates.only_a + rates.only_b
    if discordant <= 0:
        return 0.0
    counts = np.arange(n + 1)
    share = scipy.stats.binom.pmf(counts, n, discordant)  # of so many discordant pairs
    critical = _critical(n, alpha)
    towards_b = np.where(
        critical >= 0, scipy.stats.binom.cdf(critical, counts, rates.only_a / discordant), 0.0
    )
    towards_a = np.where(
        critical >= 0, scipy.stats.binom.cdf(critical, counts, rates.only_b / discordant), 0.0
    )
    return float(share @ (towards_a + towards_b))


def trials_to_tell(rates: TwoRates, power: float = 0.8, alpha: float = 0.05) -> int:
    """Trials of each policy, not paired, from which on Barnard's test calls the difference with
    this probability. Up to MAX_BARNARD by its exact power; above, where the formula is as good: J.
    L. Fleiss (1981), Statistical Methods for Rates and Proportions, 2nd ed., chapter 3, without
    continuity correction."""
    _check_power(rates, power)
    z_alpha, z_power = float(ndtri(1 - alpha / 2)), float(ndtri(power))
    mean = (rates.a + rates.b) / 2
    spread = math.sqrt(rates.a * (1 - rates.a) + rates.b * (1 - rates.b))
    pooled = math.sqrt(2 * mean * (1 - mean))
    formula = math.ceil(((z_alpha * pooled + z_power * spread) / (rates.a - rates.b)) ** 2)
    if formula > MAX_BARNARD:
        return formula

    def enough(n: int) -> bool:
        return barnard_power(rates, n, alpha) >= power - ROUNDING

    start = formula
    while start > 1 and enough(start):
        start = max(1, start - BEYOND)
    return _from_on(enough, start)


def barnard_power(rates: TwoRates, n: int, alpha: float = 0.05) -> float:
    """Exact probability that Barnard's two-sided test on n + n trials gives p <= alpha."""
    counts = np.arange(n + 1)
    a, b = (scipy.stats.binom.pmf(counts, n, rate) for rate in (rates.a, rates.b))
    return float(a @ barnard_calls(n, alpha) @ b)


@lru_cache(maxsize=64)
def barnard_calls(n: int, alpha: float = 0.05) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """[n + 1, n + 1]: which counts of successes of A and B Barnard's test (see comparison.py) calls
    different. The p-value is the largest over the common rate, here over a grid of it."""
    counts = np.arange(n + 1)
    total = counts[:, None] + counts
    spread = np.sqrt(np.maximum(total * (2 * n - total), 1))
    statistic = np.round(abs(counts[:, None] - counts) / spread, 9).ravel()  # ties are one group
    order = np.argsort(-statistic, kind="stable")
    last = np.append(np.diff(statistic[order]) < 0, True)  # of its group
    rate = (np.arange(NUISANCES) + 0.5) / (2 * NUISANCES)  # the other half is its mirror
    pmf = scipy.stats.binom.pmf(counts[:, None], n, rate)  # [n + 1, rates]
    tables = (pmf[:, None, :] * pmf[None, :, :]).reshape(len(statistic), -1)
    p = np.cumsum(tables[order], axis=0).max(axis=1)[last]
    least = statistic[order][last][p <= alpha].min(initial=np.inf)
    return np.asarray((statistic >= least).reshape(n + 1, n + 1))


def real_trials_with_generated(
    width: float, rate: float, correlation: float, generated: int, level: float = 0.95
) -> int:
    """Real trials, one per initial frame, for an interval of `worldgym estimate` of this width,
    with this many further generated frames and this correlation of real and generated outcomes of a
    frame.

    From the estimator's own variance (see prediction.expected_gain). Never more than without.
    """
    if not 0 <= correlation < 1 or generated < 0:
        raise InputError(
            f"needs a correlation from 0 to below 1 and 0 generated trials or more, not "
            f"{correlation} "
            f"and {generated}; change --real-correlation or --generated"
        )
    alone = trials_for_width(width, rate, level)
    if not generated:
        return alone

    def narrow(n: int) -> bool:
        worth = n * expected_gain(n, generated, rate, correlation)
        low, high = wilson_interval(rate * worth, worth, level)
        return high - low <= width + ROUNDING

    return min(alone, _smallest(narrow, f"an interval of width {width}"))


def _critical(n: int, alpha: float) -> np.ndarray[tuple[int], np.dtype[np.int_]]:
    """For each number of discordant pairs 0 .. n the largest smaller count that gives p <= alpha;
    -1 where none does."""
    counts = np.arange(n + 1)
    # the smallest k with a tail of alpha / 2 or more
    k = scipy.stats.binom.ppf(alpha / 2, counts, 0.5).astype(int)
    return np.asarray(np.where(2 * bdtr(np.maximum(k, 0), counts, 0.5) <= alpha, k, k - 1))


def _check_power(rates: TwoRates, power: float) -> None:
    if rates.a == rates.b or not 0 < power < 1:
        raise InputError(
            f"needs two different rates and a power between 0 and 1, not {rates.a}, {rates.b} and "
            f"{power}; change --a, --b or --power"
        )


def _upwards(trials: float) -> int:
    """The next whole number, rounding apart: 1.1 times 110 is 121."""
    return math.ceil(trials - ROUNDING)


def _smallest(enough: Callable[[int], bool], purpose: str) -> int:
    """The smallest n from 1 on that is enough, as are the BEYOND after it. InputError above a
    million."""
    high = 1
    while not enough(high):
        high *= 2
        if high > MAX_TRIALS:
            raise InputError(f"{purpose} takes more than {MAX_TRIALS} trials; ask for less")
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return _from_on(enough, high)


def _from_on(enough: Callable[[int], bool], start: int) -> int:
    """The smallest n from `start` on that is enough, as are the BEYOND after it."""
    n = tested = start
    while tested <= n + BEYOND:
        if not enough(tested):
            n = tested + 1
        tested += 1
    return n
