"""Instructions said otherwise; what the word lists do not know is refused."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from worldgym.errors import InputError
from worldgym.tasks.edits.edit_protocol import Scene, TextStep
from worldgym.tasks.edits.instruction_edits import (
    Language,
    Mention,
    Paraphrase,
    Reference,
    Reword,
    Synonym,
    Typo,
    WordOrder,
    parts_of,
)

REFERENCE_TASKS = (
    "open the drawer",
    "close the drawer",
    "press the button from above",
    "open the door",
    "open the window",
    "close the window",
)


def scene() -> Scene:
    return Scene(np.random.default_rng(3))


@pytest.mark.parametrize(
    ("step", "instruction", "said"),
    [
        (Paraphrase(), "open the drawer", "please open the drawer"),
        (Paraphrase(2), "open the drawer.", "could you open the drawer?"),
        (Synonym(), "open the drawer", "pull open the tray"),
        (Synonym(1), "press the button from above", "hit the switch from overhead"),
        (WordOrder(), "press the button from above", "the button, press it from above"),
        (WordOrder(), "put the red cup on the plate", "the red cup, put it on the plate"),
        (Language("de"), "press the button from above", "drücke den Knopf von oben"),
        (Language("fr"), "open the window", "ouvre la fenêtre"),
        (WordOrder(), "turn off the light", "the light, turn it off"),
        (Reference("the lamp"), "turn off the light", "turn off the lamp"),
        (
            Reference("the object left of the mug"),
            "pick up the can",
            "pick up the object left of the mug",
        ),
        (Mention("the apple"), "open the door", "open the door, and leave the apple alone"),
        (Reword("shut it"), "open the door", "shut it"),
    ],
)
def test_said_otherwise(step: TextStep, instruction: str, said: str) -> None:
    assert step.say(instruction, scene()) == said


@pytest.mark.parametrize("instruction", REFERENCE_TASKS)
def test_every_rule_knows_the_reference_tasks(instruction: str) -> None:
    steps = (
        Paraphrase(4),
        Synonym(),
        WordOrder(),
        Typo(),
        Language("de"),
        Language("es"),
        Language("fr"),
        Mention(),
    )
    said = [step.say(instruction, scene()) for step in steps]
    assert len({*said, instruction}) == len(said) + 1


def test_a_typo_exchanges_letters_and_repeats() -> None:
    wrong = Typo(2).say("open the drawer", scene())
    assert wrong != "open the drawer" and Counter(wrong) == Counter("open the drawer")
    assert [a != b for a, b in zip(wrong.split(), ("open", "the", "drawer"), strict=True)] == [
        True,
        False,
        True,
    ]
    assert wrong == Typo(2).say("open the drawer", scene())


@pytest.mark.parametrize(
    ("step", "fault"),
    [
        (Synonym(), "no synonym"),
        (Language("es"), "no word"),
        (Typo(9), "no 9 words"),
    ],
)
def test_what_is_not_known_is_refused(step: TextStep, fault: str) -> None:
    with pytest.raises(InputError, match=fault):
        step.say("wiggle the gizmo", scene())


def test_an_instruction_of_another_form() -> None:
    assert parts_of("pick up the can") == parts_of("Pick up the can.")
    for other in ("jump", "move onto the plate", "lean with the arm"):
        with pytest.raises(InputError, match="not of the form"):
            parts_of(other)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Paraphrase(9),
        lambda: Synonym(2),
        lambda: Language("tlh"),
        lambda: Typo(0),
        lambda: Reword(" "),
    ],
)
def test_out_of_range(make: object) -> None:
    with pytest.raises(InputError):
        make()  # type: ignore[operator]
