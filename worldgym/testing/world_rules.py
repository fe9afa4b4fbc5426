"""The rules of a world, one by one. A world that differs from ours promises less, and declares this
in its `Capabilities`: a rule that it does not promise is not checked. Axes legend: B batch, T time,
V views, h chunk length, H height, W width, A action numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from worldgym.testing.rules import check_spec, require
from worldgym.testing.world_bench import WorldBench
from worldgym.world.capabilities import WorldCard
from worldgym.world.world_protocol import World


@dataclass(frozen=True)
class WorldRule:
    """check: raises AssertionError where the world breaks the rule; None where it does not promise
    it, for `reason`."""

    check: Callable[[], None] | None
    reason: str = ""


def check_world(world: World[Any], tolerance: int = 1) -> None:
    """Every rule of `world_rules` that the world promises."""
    for rule in world_rules(world, tolerance).values():
        if rule.check is not None:
            rule.check()


def world_rules(world: World[Any], tolerance: int = 1) -> Mapping[str, WorldRule]:
    """The rules by name. Frames of the promised shape; the same input gives the same result; a
    state may be stepped again after a detour; a batch equals its rows one by one; frames do not
    depend on later actions.

    tolerance: grey levels of 255 that a row in a batch may differ from the row alone, for float
    rounding. 0 = exact."""
    bench = cache(lambda: WorldBench(world))
    can = world.capabilities
    seeded = "" if can.seeds != "none" else "it takes no seed"
    batched = seeded or ("" if can.most_rows != 1 else "it takes one row per call")
    free = "" if can.branching == "any" else "its newest state alone is valid"
    early = "" if can.causal else "it looks at all actions of a step"
    again = "" if can.rewind else "its state cannot be rebuilt"
    return {
        "its declaration is valid": WorldRule(lambda: card_is_sound(world)),
        "frames have the promised shape": WorldRule(lambda: bench().draws()),
        "the same input gives the same result": _promised(seeded, lambda: bench().repeats()),
        "there is no hidden state": _promised(free or seeded, lambda: bench().carries()),
        "a batch equals its rows one by one": _promised(
            batched, lambda: bench().rows_stand_alone(tolerance)
        ),
        "frames do not depend on later actions": _promised(
            seeded or early, lambda: bench().is_causal(tolerance)
        ),
        "it continues from frames and from its state alike": _promised(
            seeded or again, lambda: bench().rewinds()
        ),
    }


def card_is_sound(world: World[Any]) -> None:
    """AssertionError where it is not, or does not survive being written and read."""
    who = f"world {world.name!r}"
    check_spec(who, world.spec)
    try:
        card = WorldCard.of(world)
        again = WorldCard.from_json(card.to_json())
    except (ValueError, TypeError) as fault:
        raise AssertionError(f"{who}: {fault}") from fault
    require(card == again, who, "its card changes when it is written and read")


def later_actions(world: World[Any]) -> int | None:
    """By how many grey levels the first half of a step's frames differs when the actions of the
    other half do, the same seed both times; None where that cannot be told: no seed, or steps of
    one frame. 0 = causal."""
    bench = WorldBench(world)
    if world.capabilities.seeds == "none" or bench.half == 0:
        return None
    return bench.gap_of_tails()


def timed_step(world: World[Any]) -> Callable[[], int]:
    """What steps a rollout of one row on by the world's own chunk each time, and says by how many
    actions."""
    bench = WorldBench(world)
    row = slice(0, 1)
    actions = bench.chunks[0][row]
    states = [bench.begun(row)]

    size: int = actions.shape[1]

    def go_on() -> int:
        states[0], _ = world.step(states[0], actions)
        return size

    return go_on


def _promised(reason: str, check: Callable[[], None]) -> WorldRule:
    return WorldRule(None, reason) if reason else WorldRule(check)
