"""Verdicts against known outcomes: the counts used to choose and calibrate judges."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

MOST = 10**12


@dataclass(frozen=True)
class Confusion:
    """Videos: judged against true. Unscored ones stand apart, by their truth."""

    true_success: int = 0
    false_success: int = 0
    false_failure: int = 0
    true_failure: int = 0
    unscored_success: int = 0
    unscored_failure: int = 0

    def __post_init__(self) -> None:
        for name, count in vars(self).items():
            if not 0 <= count <= MOST:
                raise ValueError(f'"{name}" is {count}: counts lie between 0 and {MOST:,}')

    @staticmethod
    def of(outcomes: Iterable[tuple[bool, bool | None]]) -> Confusion:
        """From (true success, judged success) of each video; None = unscored."""
        count = Counter(outcomes)
        scored = count[True, True], count[False, True], count[True, False], count[False, False]
        return Confusion(*scored, count[True, None], count[False, None])

    @property
    def successes(self) -> int:
        """True successes that were scored."""
        return self.true_success + self.false_failure

    @property
    def failures(self) -> int:
        """True failures that were scored."""
        return self.true_failure + self.false_success

    @property
    def unscored(self) -> int:
        return self.unscored_success + self.unscored_failure

    @property
    def agreement(self) -> float:
        """Share of the scored videos that were judged right; nan without any."""
        scored = self.successes + self.failures
        return (self.true_success + self.true_failure) / scored if scored else math.nan

    @property
    def balanced(self) -> float:
        """Mean of the true positive and the true negative rate; of one of them where the other has
        no video, nan without any."""
        sides = (self.true_success, self.successes), (self.true_failure, self.failures)
        rates = [right / known for right, known in sides if known]
        return sum(rates) / len(rates) if rates else math.nan
