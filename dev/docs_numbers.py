"""Numbers in docs/ that follow from the bundled world, worked out from its config.

    make docs-numbers        # rewrites the table between the markers in docs/world-model.md

`tests/test_docs_numbers.py` fails where a page is stale."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from worldgym.io.bundled import BUNDLE
from worldgym.io.checkpoint import read_config
from worldgym.train.recipes import RECIPES
from worldgym.world.network import DiT
from worldgym.world.network_config import DiTConfig
from worldgym.world.world_config import WorldConfig

PAGE = Path(__file__).parent.parent / "docs" / "world-model.md"
BEGIN, END = "<!-- numbers: begin (make docs-numbers) -->\n", "<!-- numbers: end -->\n"


@dataclass(frozen=True)
class Sizes:
    """Of one world. frame: pixels a side.   window: frames that its sampler sees at most."""

    network: DiTConfig
    frame: int
    window: int

    @property
    def patch(self) -> int:
        """Numbers of a patch."""
        return int(self.network.patch**2 * self.network.latent_shape[0])

    @property
    def parameters(self) -> str:
        with torch.device("meta"):
            count = sum(p.numel() for p in DiT(self.network).parameters())
        return f"{count / 1e6:.1f} M"


def bundled() -> Sizes:
    """The world that is shipped."""
    world, codec = read_config(BUNDLE / "world"), read_config(BUNDLE / "codec")
    return Sizes(
        WorldConfig.from_json(world).network, codec["model"]["size"], world["sampler"]["window"]
    )


def published() -> Sizes:
    """The paper's, of the recipe paper_608m: its autoencoder scales frames down by 8."""
    config = RECIPES["paper_608m"].world(Path(), "cpu")
    return Sizes(config.network, 8 * config.network.latent_shape[1], config.sampler.window)


def table(worlds: dict[str, Sizes]) -> str:
    """Shapes at every step, a column a world."""
    rows = [("what", "form", *worlds), ("---",) * (2 + len(worlds))]
    columns = [_column(sizes) for sizes in worlds.values()]
    rows += [(*step, *(column[step] for column in columns)) for step in columns[0]]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _column(sizes: Sizes) -> dict[tuple[str, str], str]:
    """{(what, its form): of this world}."""
    c = sizes.network
    shown = c.action_size
    turned = (
        f" (and {2 * c.action_octaves} x {shown} sines and cosines)" if c.action_octaves else ""
    )
    beside = f"{c.tokens}, {sizes.patch * c.views}"
    return {
        ("frames", "uint8 [B, T, H, W, 3]"): f"{sizes.frame} x {sizes.frame}",
        ("latents x", "float [B, T, C, h, w]"): ", ".join(map(str, c.latent_shape)),
        (
            f"patches of {c.patch} x {c.patch}, in the order (p1, p2, c)",
            f"[B, T, N, {c.patch**2} C]",
        ): f"{c.tokens}, {sizes.patch}",
        (
            "with the previous and the initial frame's patches beside them",
            f"[B, T, N, {c.patch**2} C views]",
        ): beside if c.views > 1 else f"{beside} (one view)",
        ("tokens", "[B, T, N, D]"): f"{c.tokens}, {c.width}",
        (
            "noise level, in [0, 1000]",
            "[B, T] -> 256 cosines and sines -> [B, T, D]",
        ): f"{c.width}",
        (
            "actions shown with each frame",
            "[B, T, numbers] -> [B, T, D]",
        ): f"{shown}{turned}",
        ("conditioning c, the sum of the two", "[B, T, D]"): f"{c.width}",
        ("pairs of blocks", "spatial, then temporal"): f"{c.pairs}",
        (
            "keys and values of the cache",
            "[pairs, B, N, heads, capacity, D / heads], twice",
        ): f"{c.heads} heads of {c.width // c.heads}",
        ("window of the sampler", "frames"): f"{sizes.window}",
        ("output v", "[B, T, C, h, w]"): "as x",
        ("parameters", ""): sizes.parameters,
    }


def renewed(page: str) -> str:
    """The text of docs/world-model.md with the table as it should be."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return before + BEGIN + table({"bundled": bundled(), "paper_608m": published()}) + END + after


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
