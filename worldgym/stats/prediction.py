"""A few real trials and many generated ones: the real success rate, with intervals that hold
however wrong the world model is.

Prediction-powered inference: A. N. Angelopoulos et al. (2023), Science 382, 669-674; for robot
policies A. Badithela et al. (2025), "Reliable and Scalable Robot Policy Evaluation with Imperfect
Simulators" (SureSim), arXiv 2510.04354. On the initial frames that were tried for real, the world
model's error is measured; its mean over many other frames is corrected by it. Letters: y real
score, f generated score, n frames with both, N with f alone, lambda the weight of the world
model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from worldgym.stats.betting import betting_interval
from worldgym.stats.per_frame import Flags, Indices, Numbers
from worldgym.stats.success_rates import (
    Interval,
    clopper_pearson_interval,
    effective_trials,
    wilson_interval,
)

# frames added on either side, see _with_pseudo_frames and variance_with_pseudo_frames
PSEUDO_FRAMES = 0.5
NO_GAIN = 1e-9  # of one over another variance: rounding
# largest lambda of the betting interval: a larger one widens the bounds, so bets get smaller (n <
# 100)
MOST_BELIEF = 0.7
FIRST_BELIEF = 0.5  # its lambda before any frame has been seen ...
FIRST_WEIGHT = 1.0  # ... and the sum of squares it stands for, about five frames' worth


@dataclass(frozen=True)
class Frames:
    """One value per initial frame: the mean score of its trials, in [0, 1].

    real [n]:     on the robot.   twin [n]: the same frame in the world model, NaN where it was not
                  generated.
    groups [n]:   the frame's task group, counting from 0.   extra [N], extra_groups [N]: frames
                  that were only generated. A group's real frames must be drawn like its generated
                  ones; how many each group has may differ."""

    real: Numbers
    twin: Numbers
    groups: Indices
    extra: Numbers
    extra_groups: Indices


@dataclass(frozen=True)
class Powered:
    """The real success rate and what it rests on. All intervals at the level asked for.

    real, real_low, real_high:   from the real trials alone: mean, Wilson's interval at their
                                 effective number.
    exact_low, exact_high:       the same trials, valid for any number: Clopper-Pearson, or betting
                                 where scores are not whole.
    value, low, high:            with the generated ones, asymptotic: Wilson's interval at the
                                 trials of `real` times worth / n. The numbers of `real` where the
                                 world model does not help (helps is false).
    bet_low, bet_high:           with the generated ones, valid for any number of trials: betting.
    belief:       lambda in [0, 1] of `value`.   correlation: of real and generated scores within
    groups, None = not defined. worth, saved: real frames that would leave the same uncertainty, at
    most n + N, and how many more
                  that is than were tried.
    n, paired, N: real frames, those of them with a twin that counts, generated frames used beside
    them."""

    real: float
    real_low: float
    real_high: float
    exact_low: float
    exact_high: float
    value: float
    low: float
    high: float
    bet_low: float
    bet_high: float
    helps: bool
    belief: float
    correlation: float | None
    worth: float
    saved: float
    n: int
    paired: int
    N: int


def prediction_powered(frames: Frames, level: float = 0.95, seed: int = 0) -> Powered:
    """All intervals. ValueError without real frames. `seed` orders the frames for betting.

    They are about new initial frames drawn like these, in the groups' proportions among the real
    frames."""
    if len(frames.real) == 0:
        raise ValueError("needs at least one real trial")
    y = frames.real
    p = float(frames.real.mean())
    n = effective_trials(y, [str(i) for i in range(len(y))], level)
    g, noise, paired = _errors(frames)
    N = int(np.isin(frames.extra_groups, frames.groups[paired]).sum())
    belief, gain = power_tuning(*_with_pseudo_frames(y, g), noise)
    gain = _capped(gain, len(y), N)
    helps = gain > 1 + NO_GAIN
    if not helps:
        belief = 0.0
        gain = 1.0
    value = float(np.clip(p - belief * g.mean(), 0.0, 1.0))
    return Powered(
        p,
        *wilson_interval(p * n, n, level),
        *_exact(frames, level, seed),
        value,
        *wilson_interval(value * n * gain, n * gain, level),
        *_betting(frames, level, seed),
        helps,
        belief,
        correlation=_correlation(y[paired], g[paired], frames.groups[paired]),
        worth=len(y) * gain,
        saved=len(y) * (gain - 1),
        n=len(y),
        paired=int(paired.sum()),
        N=N,
    )


def power_tuning(y: Numbers, g: Numbers, weights: Numbers, noise: float) -> tuple[float, float]:
    """(lambda in [0, 1], variance of the mean of y over that of y - lambda g), for y, g [n] with
    weights [n] and the variance of what g was centred with.

    lambda minimises the variance: A. N. Angelopoulos, J. C. Duchi and T. Zrnic (2023), "PPI++",
    arXiv 2311.01453, example 6.1. A world model with a negative correlation gets no weight, rather
    than a negative one. (0, 1) below three frames."""
    total = float(weights.sum())
    y = y - weights @ y / total
    g = g - weights @ g / total
    var_y, var_g, covariance = (
        float(weights @ product) / total for product in (y * y, g * g, y * g)
    )
    if total <= 2 or var_g + noise <= 0:
        return 0.0, 1.0
    belief = float(np.clip(covariance / (var_g + total * noise), 0.0, 1.0))
    if belief == 0:
        return 0.0, 1.0
    residual = var_y - 2 * belief * covariance + belief**2 * var_g
    # lambda was fitted to the same frames
    after = residual / total * total / (total - 2) + belief**2 * noise
    return belief, var_y / total / after


def expected_gain(n: int, N: int, rate: float, correlation: float) -> float:
    """The factor by which n real frames gain if they, and N further ones, are generated too.

    For one group of whole scores that come as expected: the same rate on both sides, and scores of
    a frame that correlate so. What `prediction_powered` then finds, pseudo-frames included.
    """
    both = rate**2 + correlation * rate * (1 - rate)
    shares = np.array([both, rate - both, rate - both, 1 - 2 * rate + both])
    y = np.array([1.0, 1.0, 0.0, 0.0])
    f = np.array([1.0, 0.0, 1.0, 0.0])
    noise = variance_with_pseudo_frames(f, (0.0, 1.0), (n + N) * shares) / N
    return max(
        1.0, _capped(power_tuning(*_with_pseudo_frames(y, f - rate, n * shares), noise)[1], n, N)
    )


def _capped(gain: float, n: int, N: int) -> float:
    """A generated frame never carries more information than a real one."""
    return min(gain, 1 + N / n)


def _with_pseudo_frames(
    y: Numbers, g: Numbers, weights: Numbers | None = None
) -> tuple[Numbers, Numbers, Numbers]:
    """y, g and weights with half a frame each added in which the world model missed the best and
    the worst score.

    Few frames may show no error of a world model that errs in one of ten, and would then be as good
    as the generated ones: without pseudo-frames the 95 % interval of 10 to 20 frames covers 82-91 %
    for a world that is only ever too optimistic. The idea is that of D. G. Bonett and R. M. Price
    (2012), J. Educ. Behav. Stat. 37, 479-488; half the weight suffices here."""
    weights = np.append(
        np.ones_like(y) if weights is None else weights, [PSEUDO_FRAMES, PSEUDO_FRAMES]
    )
    return np.append(y, [y.max(), y.min()]), np.append(g, [g.min(), g.max()]), weights


def _exact(frames: Frames, level: float, seed: int) -> Interval:
    y = frames.real
    if set(np.unique(y)) <= {0.0, 1.0}:
        return clopper_pearson_interval(int(y.sum()), len(y), level)
    return betting_interval(np.random.default_rng(seed).permutation(y), np.zeros_like(y), level)


def _errors(frames: Frames) -> tuple[Numbers, float, Flags]:
    """(twin minus the mean of the group's extra frames [n], 0 where there is none; variance that
    those means bring into the mean of it; which frames count as paired [n]).

    A group's real frames are drawn like its extra ones, so the variance of a generated score is
    taken from both: three extra frames that all succeed say nothing about how much they vary.
    """
    g = np.zeros_like(frames.real)
    noise = 0.0
    generated = ~np.isnan(frames.twin)
    paired = generated & np.isin(frames.groups, frames.extra_groups)
    scores = np.concatenate([frames.twin[generated], frames.extra])
    for group in np.unique(frames.groups[paired]):
        own = paired & (frames.groups == group)
        extra = frames.extra[frames.extra_groups == group]
        g[own] = frames.twin[own] - extra.mean()
        variance = variance_with_pseudo_frames(
            np.append(frames.twin[own], extra), (float(scores.min()), float(scores.max()))
        )
        noise += (own.sum() / len(g)) ** 2 * variance / len(extra)
    return g, float(noise), paired


def variance_with_pseudo_frames(
    scores: Numbers, ends: tuple[float, float], weights: Numbers | None = None
) -> float:
    """Variance of scores [k >= 1] to which half a frame of either end was added.

    weights [k]: how often each score counts; None = once.
    """
    weights = np.ones_like(scores) if weights is None else weights
    scores = np.append(scores, ends)
    weights = np.append(weights, [PSEUDO_FRAMES, PSEUDO_FRAMES])
    total = float(weights.sum())
    squares = float(weights @ (scores - weights @ scores / total) ** 2)
    return squares / (total - 1)


def _betting(frames: Frames, level: float, seed: int) -> Interval:
    """Each real frame gets a share of its group's extra frames: z = y - lambda (f - mean f of the
    share) has the mean of y.

    lambda is fitted to the frames before, so z is bounded by what is known beforehand and no
    guarantee is lost: the single interval of SureSim's "uniform" estimator, with their lambda = 1
    tuned as we go.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(frames.real))
    y = frames.real[order]
    groups = frames.groups[order]
    h = frames.twin[order] - _shares(groups, ~np.isnan(frames.twin[order]), frames, rng)
    usable = ~np.isnan(h)
    h = np.where(usable, h, 0.0)
    beliefs = np.where(usable, _beliefs(y, h), 0.0)
    return betting_interval(y - beliefs * h, beliefs, level)


def _shares(groups: Indices, wanted: Flags, frames: Frames, rng: np.random.Generator) -> Numbers:
    """Mean of the extra frames given to each real frame [n], every one to one frame only; NaN where
    there is none to give."""
    means = np.full(len(groups), np.nan)
    for group in np.unique(groups):
        extra = rng.permutation(frames.extra[frames.extra_groups == group])
        own = np.flatnonzero((groups == group) & wanted)[: len(extra)]
        if len(own):
            means[own] = [share.mean() for share in np.array_split(extra, len(own))]
    return means


def _beliefs(y: Numbers, h: Numbers) -> Numbers:
    """lambda [n] in [0, MOST_BELIEF]: the slope of y on h over the frames before, drawn towards
    FIRST_BELIEF."""
    count = np.arange(len(y))
    before = np.maximum(count, 1)
    sums = [np.concatenate([[0.0], np.cumsum(column)[:-1]]) for column in (y, h, y * h, h * h)]
    s_y, s_h, s_yh, s_hh = sums
    together = s_yh - s_y * s_h / before
    spread = s_hh - s_h**2 / before
    return np.asarray(
        np.clip(
            (together + FIRST_BELIEF * FIRST_WEIGHT) / (spread + FIRST_WEIGHT), 0.0, MOST_BELIEF
        )
    )


def _correlation(y: Numbers, g: Numbers, groups: Indices) -> float | None:
    """Within groups: both minus their group's mean."""
    y, g = (
        np.concatenate([part - part.mean() for part in _parted(column, groups)] or [column])
        for column in (y, g)
    )
    if len(y) < 3 or y.std() < 1e-9 or g.std() < 1e-9:
        return None
    return float(np.corrcoef(y, g)[0, 1])


def _parted(column: Numbers, groups: Indices) -> list[Numbers]:
    return [column[groups == group] for group in np.unique(groups)]
