from __future__ import annotations

import json
import re
from functools import partial

import numpy as np
import pytest

from worldgym.errors import BudgetSpent
from worldgym.io.files import read_json
from worldgym.io.user_code import Failure, attempt


def test_whatever_other_code_raises_is_a_failure_with_words() -> None:
    def breaks() -> None:
        raise KeyError("front")

    found = attempt(breaks)
    assert isinstance(found, Failure)
    assert found.reason == "KeyError: 'front' at test_user_code.py, line 17"


def test_a_reason_names_the_users_own_line() -> None:
    """Not that of NumPy, Python or this package, where the error came up."""

    def through_numpy() -> None:
        np.load("absent.npy")

    def through_us() -> None:
        read_json([], "a list")  # type: ignore[arg-type]

    def two_lines() -> None:
        raise ValueError("bad\nand more")

    reasons = [attempt(call) for call in (through_numpy, through_us, two_lines)]
    places = [re.findall(r" at (.*), line \d+", getattr(one, "reason", "")) for one in reasons]
    assert places == [["test_user_code.py"]] * 3
    assert getattr(reasons[2], "reason", "").endswith("\nand more")
    inside = attempt(lambda: json.loads("{"))
    assert isinstance(inside, Failure) and "at test_user_code.py" in inside.reason
    plain = attempt(partial(json.loads, "{"))
    assert isinstance(plain, Failure) and " at " not in plain.reason


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
