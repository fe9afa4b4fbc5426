from __future__ import annotations

import pytest

from worldgym.errors import BudgetSpent
from worldgym.io.user_code import Failure, attempt


def test_whatever_other_code_raises_is_a_failure_with_words() -> None:
    def breaks() -> None:
        raise KeyError("front")

    found = attempt(breaks)
    assert isinstance(found, Failure) and found.reason == "KeyError: 'front'"


@pytest.mark.parametrize(("code", "words"), [(3, "3"), (None, ""), ("usage: x", "'usage: x'")])
def test_code_that_ends_the_process_is_told_of_and_ends_nothing(code: object, words: str) -> None:
    def ends() -> None:
        raise SystemExit(code)

    found = attempt(ends)
    assert isinstance(found, Failure) and found.reason == f"it called sys.exit({words})"
    assert found.error.__traceback__ is not None


def test_what_concerns_every_trial_passes() -> None:
    def spent() -> None:
        raise BudgetSpent("no money is left")

    with pytest.raises(BudgetSpent):
        attempt(spent)
