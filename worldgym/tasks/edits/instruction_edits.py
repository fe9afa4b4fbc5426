"""Instructions in other words, without a model: rules and small word lists. Unknown words are
refused, never guessed.

An instruction is taken apart as  VERB the OBJECT [PREPOSITION the rest], which is how tasks of
manipulation are mostly worded."""

from __future__ import annotations

from dataclasses import dataclass

from worldgym.errors import InputError
from worldgym.tasks.edits.edit_protocol import Scene
from worldgym.tasks.edits.word_lists import (
    FRAMES,
    NOUNS,
    PARTS,
    PHRASES,
    PREPOSITIONS,
    SYNONYMS,
    VERBS,
)


@dataclass(frozen=True)
class Parts:
    """ "put the red cup on the plate" => "put", "the red cup", "on the plate"."""

    verb: str
    object: str
    rest: str


def parts_of(instruction: str) -> Parts:
    """InputError for an instruction of another form."""
    found = PARTS.fullmatch(instruction.strip().rstrip(".").lower())
    if found is None or found["object"].split()[0] in PREPOSITIONS:
        raise InputError(
            f'"{instruction}" is not of the form VERB the OBJECT ...; write the new wording out '
            f'(kind = "reword")'
        )
    return Parts(found["verb"], found["object"], found["rest"] or "")


@dataclass(frozen=True)
class Paraphrase:
    """The request in a longer sentence. variant: which of the five."""

    variant: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.variant < len(FRAMES):
            raise InputError(
                f"a paraphrase's variant is 0 to {len(FRAMES) - 1}, not {self.variant}"
            )

    def say(self, instruction: str, scene: Scene) -> str:
        return FRAMES[self.variant].format(instruction.rstrip("."))


@dataclass(frozen=True)
class Synonym:
    """Every word of the list replaced by another of the same meaning. variant: 0 or 1."""

    variant: int = 0

    def __post_init__(self) -> None:
        if self.variant not in (0, 1):
            raise InputError(f"a synonym's variant is 0 or 1, not {self.variant}")

    def say(self, instruction: str, scene: Scene) -> str:
        words = [
            SYNONYMS.get(word.lower(), (word, word))[self.variant] for word in instruction.split()
        ]
        if words == instruction.split():
            raise InputError(
                f'no synonym is known for a word of "{instruction}"; write the new wording out '
                f'(kind = "reword")'
            )
        return " ".join(words)


@dataclass(frozen=True)
class WordOrder:
    """The object first: "the drawer, open it"."""

    def say(self, instruction: str, scene: Scene) -> str:
        parts = parts_of(instruction)
        verb, _, particle = parts.verb.partition(" ")
        return " ".join(filter(None, (f"{parts.object}, {verb} it", particle, parts.rest)))


@dataclass(frozen=True)
class Typo:
    """Two neighbouring letters of the longest words exchanged. count: words."""

    count: int = 1

    def __post_init__(self) -> None:
        if self.count < 1:
            raise InputError(f"a typo's count is {self.count}; write 1 or more")

    def say(self, instruction: str, scene: Scene) -> str:
        words = instruction.split()
        able = [i for i in range(len(words)) if _exchanges(words[i])]
        if len(able) < self.count:
            raise InputError(f'"{instruction}" has no {self.count} words for a typo; ask for fewer')
        for i in sorted(able, key=lambda i: (-len(words[i]), i))[: self.count]:
            places = _exchanges(words[i])
            at = places[int(scene.rng.integers(len(places)))]
            words[i] = words[i][:at] + words[i][at + 1] + words[i][at] + words[i][at + 2 :]
        return " ".join(words)


@dataclass(frozen=True)
class Language:
    """Another language: de, es or fr, for the words of the lists."""

    to: str

    def __post_init__(self) -> None:
        if self.to not in VERBS:
            raise InputError(
                f'the language "{self.to}" is not known offline; there are {", ".join(VERBS)}'
            )

    def say(self, instruction: str, scene: Scene) -> str:
        parts = parts_of(instruction)
        noun = parts.object.removeprefix("the ").removeprefix("a ")
        try:
            words = VERBS[self.to][parts.verb], NOUNS[self.to][noun], PHRASES[self.to][parts.rest]
        except KeyError as word:
            raise InputError(
                f'no word in "{self.to}" is known for {word}; write the sentence out (kind = '
                f'"reword")'
            ) from None
        return " ".join(words).strip()


@dataclass(frozen=True)
class Reference:
    """The object is not named but pointed at. to: how, e.g. "the object left of the mug"."""

    to: str

    def say(self, instruction: str, scene: Scene) -> str:
        parts = parts_of(instruction)
        return f"{parts.verb} {self.to} {parts.rest}".strip()


@dataclass(frozen=True)
class Mention:
    """An object that the task does not need is mentioned. of: what."""

    of: str = "the mug"

    def say(self, instruction: str, scene: Scene) -> str:
        return f"{instruction.rstrip('.')}, and leave {self.of} alone"


@dataclass(frozen=True)
class Reword:
    """The wording written out; for a changed goal too, where the edit says what counts as
    success."""

    to: str

    def __post_init__(self) -> None:
        if not self.to.strip():
            raise InputError("a reword has an empty text; write the new instruction")

    def say(self, instruction: str, scene: Scene) -> str:
        return self.to


def _exchanges(word: str) -> list[int]:
    """Places i where letters i and i + 1 differ and may be exchanged; the first letter stays."""
    return [
        i
        for i in range(1, len(word) - 1)
        if word[i].isalpha() and word[i + 1].isalpha() and word[i] != word[i + 1]
    ]
