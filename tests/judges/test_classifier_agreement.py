import math

import pytest

from worldgym.judges.classifier import DecisionRule
from worldgym.judges.classifier_agreement import (
    KnownProbability,
    choose_decision,
    confusion_of,
    fit_rates,
    table,
)
from worldgym.stats.confusion import Confusion


def known(group: str, success: bool, logit: float) -> KnownProbability:
    return KnownProbability(group, success, 1 / (1 + math.exp(-logit)))


EPISODES = [known("a", True, 2), known("a", False, -1), known("b", True, 3), known("b", False, 1)]


def test_confusion_per_group_and_in_all() -> None:
    confusion = confusion_of(DecisionRule(), EPISODES)
    assert list(confusion) == ["a", "b", "all"]
    assert confusion["a"] == Confusion(true_success=1, true_failure=1)
    assert confusion["b"] == Confusion(true_success=1, false_success=1)
    assert confusion["all"].agreement == 0.75 and confusion["all"].balanced == 0.75


def test_unscored_leave_the_denominator() -> None:
    confusion = confusion_of(DecisionRule(band=(0.6, 0.8)), EPISODES)["b"]
    assert confusion == Confusion(true_success=1, unscored_failure=1) and confusion.agreement == 1.0


def test_nothing_known() -> None:
    assert confusion_of(DecisionRule(), []) == {}


def test_the_decision_separates_what_can_be_separated() -> None:
    decision = choose_decision(EPISODES, band=0.02)
    assert confusion_of(decision, EPISODES)["all"].agreement == 1.0
    assert 1 / (1 + math.exp(-1)) < decision.threshold < 1 / (1 + math.exp(-2))
    assert decision.band == pytest.approx((decision.threshold - 0.02, decision.threshold + 0.02))
    assert choose_decision(EPISODES).band is None


def test_rates_are_fitted_where_agreement_would_let_one_error_outweigh_the_other() -> None:
    """Failures that look like successes are worth passing for the sake of agreement, and would
    raise the rate."""
    some = (
        [known("a", True, 1.5)] * 8
        + [known("a", False, 0.5)] * 4
        + [known("a", True, 0.0)] * 4
        + [known("a", False, -3)] * 16
    )
    agreed, fitted = choose_decision(some), fit_rates(some, band=0.01)
    rates = [
        sum(decision.outcome(k.probability) is True for k in some) for decision in (agreed, fitted)
    ]
    assert rates == [16, 12] and sum(k.success for k in some) == 12
    assert fitted.band == pytest.approx((fitted.threshold - 0.01, fitted.threshold + 0.01))
    assert fit_rates(some).band is None


def test_table_has_a_line_a_group() -> None:
    assert (
        "| b | 1 | 1 | 0 | 0 | 0 | 50.0 % |"
        in table(confusion_of(DecisionRule(), EPISODES)).splitlines()
    )
