"""Compiled only where it is faster, agrees and is repaid; each choice is told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from tiny_worlds import make_world

from worldgym.errors import InputError
from worldgym.native.compiled_module import NotKept
from worldgym.world import engine_choice
from worldgym.world.compiled_dit import CompiledDiT
from worldgym.world.engine_choice import (
    FASTER,
    Timed,
    Work,
    engine_told,
    known_engine,
    lengths,
    on_engine,
)
from worldgym.world.model import DiffusionWorld

LATENTS = torch.ones(2, 1, 3, 4, 4)
EAGER = 0.02  # seconds a frame


class Card:
    """A GPU as far as the choice sees one: how long frames take, and what is kept."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.compiled = 0.01
        self.gap = 0.0
        self.kept = True
        self.refuses = False
        self.asked: list[str] = []
        whole = DiffusionWorld.compiled

        def compiled(world: DiffusionWorld, backend: str = "package") -> DiffusionWorld:
            self.asked.append(backend)
            made = whole(world, "eager")
            vars(made)["asked"] = backend
            return made

        def timed(world: DiffusionWorld, work: Work) -> Timed:
            backend = vars(world).get("asked")
            if backend is None:
                return Timed(EAGER, LATENTS)
            if backend == "kept" and not self.kept:
                raise NotKept
            if self.refuses:
                raise InputError("the network cannot be compiled here")
            return Timed(self.compiled, LATENTS * (1 + self.gap))

        monkeypatch.setattr(DiffusionWorld, "compiled", compiled)
        monkeypatch.setattr(DiffusionWorld, "device", "cuda: H200")
        monkeypatch.setattr(engine_choice, "_timed", timed)


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Card:
    return Card(monkeypatch)


def chosen(frames: int = 1000, chunks: tuple[int, ...] = (1,)) -> str:
    world = on_engine(make_world(steps=1), "auto", Work(frames, 2, chunks))
    return "compiled" if isinstance(world.engine, CompiledDiT) else "eager"


def test_what_is_kept_is_measured(card: Card, capsys: pytest.CaptureFixture[str]) -> None:
    assert chosen() == "compiled" and card.asked == ["kept"]
    assert capsys.readouterr().err == (
        "engine: compiled; 0.02 s a frame eager, 0.01 compiled (measured), latents 0 apart\n"
    )
    card.compiled = 0.021
    assert chosen() == "eager"
    assert capsys.readouterr().err.startswith("engine: eager; 0.02 s a frame eager, 0.021 compiled")


@pytest.mark.parametrize("gap", [0.2, float("nan")])
def test_what_draws_something_else_is_not_used(card: Card, gap: float) -> None:
    card.gap = gap
    assert chosen() == "eager"
    card.gap = 0.01
    assert chosen() == "compiled"


def test_compiled_where_the_planned_frames_repay_it(
    card: Card, capsys: pytest.CaptureFixture[str]
) -> None:
    card.kept = False
    seconds = 2 * engine_choice.COMPILE_SECONDS
    repaid = seconds / (EAGER * (1 - 1 / FASTER))
    assert chosen(int(repaid) - 1) == "eager" and card.asked == ["kept"]
    told = capsys.readouterr().err
    assert told == (
        f"engine: eager; 0.02 s a frame eager (measured); assumed: {seconds:.0f} s to compile, "
        f"then 1.5 times as fast, repaid by {repaid:.0f} frames of {int(repaid) - 1} planned\n"
    )
    assert chosen(int(repaid) + 1) == "compiled" and card.asked[-1] == "package"
    assert capsys.readouterr().err.count("engine: compiled") == 2  # assumed, then measured
    assert chosen(int(repaid) + 1, (1, 4)) == "eager", "twice as many programs"
    card.compiled = 0.03
    assert chosen(int(repaid) + 1) == "eager", "what was assumed did not hold"
    assert "0.03 compiled (measured)" in capsys.readouterr().err


@pytest.mark.parametrize("kept", [True, False])
def test_a_machine_that_cannot_compile_goes_on(
    card: Card, kept: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    card.kept, card.refuses = kept, True
    assert chosen(10**6) == "eager"
    assert "engine: eager; the network cannot be compiled here\n" in capsys.readouterr().err


def test_what_is_asked_for_is_not_measured(card: Card) -> None:
    world = make_world(steps=1)
    assert on_engine(world, "eager", Work(10**9, 1, (1,))) is world and not card.asked
    assert isinstance(on_engine(world, "compiled").engine, CompiledDiT)
    assert on_engine(world, "auto") is world, "nobody knows how much there is to draw"


def test_on_a_cpu_auto_is_eager_without_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    world = make_world(steps=1)
    assert on_engine(world, "auto", Work(10**9, 1, (1,))) is world
    assert not capsys.readouterr().err


def test_steps_are_timed() -> None:
    world = make_world(rule="rolling", window=6, keep=1, steps=1)
    work = Work(100, 2, (1, 3))
    eager, compiled = (engine_choice._timed(w, work) for w in (world, world.compiled("eager")))
    assert min(eager.seconds, compiled.seconds) > 0
    assert eager.latents.shape == (2, 1, 3, 8, 8)
    assert np.allclose(eager.latents, compiled.latents, atol=1e-4)


def test_lengths_of_chunks() -> None:
    assert lengths([1, 1, 4], 8) == (1, 4)
    assert lengths([20, 8], 8) == (4, 8)
    assert lengths([16], 8) == (8,)


def test_words() -> None:
    told: list[tuple[Any, str]] = [
        ("compiled torch, bfloat16, cuda: H200, policies cpu", "compiled"),
        ("torch, float32, cpu", "eager"),
        (None, "auto"),
    ]
    assert [engine_told(text) for text, _ in told] == [engine for _, engine in told]
    world = make_world(steps=1)
    assert engine_told(world.computes) == "eager"
    assert engine_told(world.compiled("eager").computes) == "compiled"
    assert known_engine("auto") == "auto"
    with pytest.raises(InputError, match="it is auto, eager or compiled"):
        known_engine("fast")
