"""Numbers in docs/ that follow from the bundled world are those of its config."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import pytest

from tests.conftest import LoadScript


@pytest.fixture
def numbers(load_script: LoadScript) -> ModuleType:
    return load_script("dev/docs_numbers.py")


def test_the_table_of_shapes_is_that_of_the_bundle(numbers: ModuleType) -> None:
    page = numbers.PAGE.read_text(encoding="utf-8")
    assert numbers.renewed(page) == page, "docs/world-model.md is stale: run `make docs-numbers`"


def test_a_stale_number_is_seen(numbers: ModuleType) -> None:
    page = numbers.PAGE.read_text(encoding="utf-8")
    latents = ", ".join(map(str, numbers.bundled().network.latent_shape))
    stale = page.replace(f"| {latents} |", "| 8, 12, 12 |")
    assert stale != page and numbers.renewed(stale) == page


def test_the_steps_have_the_shapes_of_the_bundle(numbers: ModuleType, repository: Path) -> None:
    page, sizes = (
        (repository / "docs" / "dataflow.md").read_text(encoding="utf-8"),
        numbers.bundled(),
    )
    network = sizes.network
    latents = re.findall(r"\[(?:B|all frames), (\d+, \d+, \d+)\]", page)
    shape = ", ".join(map(str, network.latent_shape))
    frame = f"{sizes.frame}, {sizes.frame}, 3"
    assert set(latents) == {shape, frame} and latents.count(shape) == 2
    assert set(re.findall(r"\[T\+1, V, (\d+, \d+, \d+)\]", page)) == {frame}
    assert re.findall(r"flag \[T, (\d+)\]", page) == [str(network.action_size)]
    patch, places = network.patch, network.latent_shape[1]
    assert f"patches of {patch} x {patch} turn {places} x {places} places" in page
    assert f"into N = {network.tokens} tokens" in page
