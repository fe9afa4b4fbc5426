"""One tree of errors, each with what was wrong and the fix."""

from __future__ import annotations

from dataclasses import replace

import pytest

from worldgym.errors import CheckpointError, InputError, MissingExtra, SpecMismatch, WorldGymError
from worldgym.testing import FAKE_SPEC


@pytest.mark.parametrize("kind", [InputError, CheckpointError, MissingExtra, SpecMismatch])
def test_every_error_descends_from_one(kind: type[Exception]) -> None:
    assert issubclass(kind, WorldGymError)


def test_a_missing_extra_names_the_command_that_installs_it() -> None:
    message = str(MissingExtra("metaworld", "reference", "the simulator"))
    assert message == (
        'the simulator needs the package "metaworld": install it with  pip install '
        '"worldgym[reference]"'
    )


def test_a_spec_mismatch_says_what_differs_and_carries_both() -> None:
    theirs = replace(FAKE_SPEC, gripper="+1_open", rate_hz=20.0)
    error = SpecMismatch("policy p", FAKE_SPEC, "world w", theirs)
    sentence, *listings = str(error).splitlines()
    assert (
        "between policy p and world w: gripper: +1_closed against +1_open; rate_hz: 5.0 against "
        "20.0" in sentence
    )
    assert "Convert the policy's actions" in sentence
    assert [line.split(":")[0].strip() for line in listings] == ["policy p", "world w"]
    assert (error.mine, error.theirs) == (FAKE_SPEC, theirs)
