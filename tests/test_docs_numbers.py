"""Numbers in docs/ that follow from the bundled world are those of its config."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import pytest

from tests.conftest import LoadScript
from worldgym.io.bundled import BUNDLE
from worldgym.io.checkpoint import read_config

PARTS = ("codec", "world", "judge", "inverse-dynamics", "policies", "tasks")  # rows of the table
WORDS = {1: "one", 8: "eight", 10: "ten"}


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


def mebibytes(part: str) -> str:
    size = sum(path.stat().st_size for path in (BUNDLE / part).rglob("*") if path.is_file())
    return f"{size / 2**20:.1f}"


def test_the_reference_page_has_the_numbers_of_the_bundle(
    numbers: ModuleType, repository: Path
) -> None:
    """Sizes, parameters, shapes and counts. The measured figures are held by the release check."""
    page = (repository / "docs" / "reference-world.md").read_text(encoding="utf-8")
    sizes = numbers.bundled()
    shape = " x ".join(map(str, sizes.network.latent_shape))
    steps = read_config(BUNDLE / "world")["sampler"]["steps"]
    policies = [read_config(path) for path in sorted((BUNDLE / "policies").iterdir())]
    chunks = sorted({policy["net"]["chunk"] for policy in policies})
    groups = [path for path in (BUNDLE / "tasks").iterdir() if any(path.glob("*.json"))]
    seeds = sorted(int(path.stem) for path in groups[0].glob("*.json"))
    for said in (
        f"convolutional autoencoder, {shape} latents",
        f"transformer, {sizes.parameters} parameters",
        f"{WORDS[steps]} network call per frame",
        f"{WORDS[len(policies)]} behaviour-cloning policies: chunks of "
        f"{', '.join(map(str, chunks[:-1]))} and {chunks[-1]}",
        f"{WORDS[len(groups)]} tasks, {sizes.frame} x {sizes.frame} pixels",
        f"seeds {seeds[0]}-{seeds[-1]} of every task",
    ):
        assert said in page
    table = re.findall(r"^\| [^|]+ \| [^|]+ \| (\d+\.\d) \|$", page, re.MULTILINE)
    assert table[: len(PARTS)] == [mebibytes(part) for part in PARTS]
