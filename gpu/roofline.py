"""The time of a frame on paper: operations and bytes of every part, against what a card can do.

    python gpu/roofline.py                      # the tables of docs/gpu.md
    python gpu/roofline.py --scale 9            # 9 heads and pairs of blocks: 109 M parameters

Counted is the cached sampler under the rule `rolling` with a full window: a frame passes the
network once a step and once more when it is finished, frames of a chunk share its calls, guidance
doubles the rows. A part takes the longer of its operations at MATRIX of the
card's rate and its bytes at BANDWIDTH of the card's; parts come one after the other. No kernel is
launched by hand: CUDA graphs. The two shares are assumptions, and no measurement of ours stands
behind them: see the measured rows in docs/gpu.md."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from worldgym.world.network_config import DiTConfig, published_network

MATRIX = 0.6
BANDWIDTH = 0.8
BYTES = 2  # of a number in bfloat16
# Reads and writes of [tokens, width] by what lies between the products of a block, in two fused
# passes each: norm and modulation, rotation of queries and keys, activation, gate and residual.
PASSES = 22


@dataclass(frozen=True)
class Card:
    """tflops: dense bfloat16, 10^12 per second.   bandwidth: of its memory, 10^12 bytes per second.
    memory: 10^9 bytes. From the makers' data sheets."""

    name: str
    tflops: float
    bandwidth: float
    memory: float


CARDS = (
    Card("H200", 989.0, 4.8, 141.0),
    Card("H100 SXM", 989.0, 3.35, 80.0),
    Card("A100 SXM 80 GB", 312.0, 2.04, 80.0),
    Card("RTX 4090", 165.0, 1.01, 24.0),
)


@dataclass(frozen=True)
class Sampling:
    """steps, cfg, window: see `SamplerConfig`.   chunk: frames denoised together.   batch: trials
    advanced together."""

    steps: int = 10
    cfg: float = 1.0
    chunk: int = 1
    batch: int = 1
    window: int = 20

    @property
    def rows(self) -> int:
        """Of a network call."""
        return self.batch * (1 if self.cfg == 1.0 else 2)

    @property
    def calls(self) -> float:
        """Network calls per frame, of all rows together."""
        return (self.steps + self.chunk - 1) / self.chunk

    @property
    def passes(self) -> int:
        """Passes of one frame of one row through the network."""
        return self.steps + 1


@dataclass(frozen=True)
class Part:
    """flops, bytes: of one frame of all trials of the batch."""

    name: str
    flops: float
    bytes: float

    def seconds(self, card: Card) -> float:
        return max(
            self.flops / (MATRIX * 1e12 * card.tflops),
            self.bytes / (BANDWIDTH * 1e12 * card.bandwidth),
        )

    def bound(self, card: Card) -> str:
        """Whether its operations or its bytes take longer."""
        worked = self.flops / (MATRIX * card.tflops)
        return "matrix" if worked >= self.bytes / (BANDWIDTH * card.bandwidth) else "bandwidth"


def parts(network: DiTConfig, sampling: Sampling, decoder: bool = True) -> list[Part]:
    """Of one frame of every trial. decoder: Stable Diffusion 3's, at 8 times the latents' size."""
    c, s = network, sampling
    frame_passes = s.rows * s.passes
    tokens = frame_passes * c.tokens
    weights = 2 * c.pairs * (4 + 2 * c.mlp_ratio) * c.width**2
    modulation = (2 * c.pairs * 6 + 2) * c.width**2
    widths = 2 * c.pairs * (4 + 2 + 2 * c.mlp_ratio)  # of what the products read and write
    ring = 2 * c.pairs * s.rows * c.tokens * s.window * c.width  # keys and values, once per call
    found = [
        Part(
            "products",
            2.0 * tokens * weights,
            BYTES * (s.calls * weights + tokens * widths * c.width),
        ),
        Part("modulations", 2.0 * frame_passes * modulation, BYTES * s.calls * modulation),
        Part("between products", 0.0, BYTES * tokens * 2 * c.pairs * PASSES * c.width),
        Part("attention in space", 4.0 * tokens * c.pairs * c.tokens * c.width, 0.0),
        Part(
            "attention in time",
            4.0 * tokens * c.pairs * s.window * c.width,
            BYTES * s.calls * ring,
        ),
    ]
    return [*found, decoder_part(c.latent_shape, s.batch)] if decoder else found


def decoder_part(latent: tuple[int, int, int], batch: int) -> Part:
    """Stable Diffusion's decoder: convolutions of 3 x 3, four sizes, three residual blocks each."""
    flops, moved, side = 0.0, 0.0, latent[1]

    def convolution(into: int, out: int, kernel: int = 3) -> None:
        nonlocal flops, moved
        flops += 2.0 * kernel**2 * into * out * side**2
        moved += BYTES * (into + out) * side**2

    convolution(latent[0], 512)
    for _ in range(4):  # two residual blocks in the middle
        convolution(512, 512)
    flops += 4 * 2.0 * 512**2 * side**2 + 4.0 * side**4 * 512  # and attention between them
    before = 512
    for level, width in enumerate((512, 512, 256, 128)):
        for block in range(3):
            convolution(before if block == 0 else width, width)
            convolution(width, width)
        before = width
        if level < 3:
            side *= 2
            convolution(width, width)
    convolution(128, 3)
    return Part("decoder", batch * flops, batch * moved)


def memory(network: DiTConfig, sampling: Sampling) -> float:
    """10^9 bytes: weights, rings, what the widest layer of a call holds."""
    c, s = network, sampling
    weights = 2 * c.pairs * (4 + 2 * c.mlp_ratio + 6) * c.width**2
    ring = 2 * c.pairs * s.rows * c.tokens * (s.window - 1 + 2 * s.chunk) * c.width
    widest = s.rows * (s.chunk + 1) * c.tokens * c.width * (c.mlp_ratio + 8)
    return BYTES * (weights + ring + widest) / 1e9


def row(network: DiTConfig, card: Card, sampling: Sampling) -> list[str]:
    found = parts(network, sampling)
    seconds = {part.name: part.seconds(card) for part in found}
    total = sum(seconds.values())
    longest = max(found, key=lambda part: part.seconds(card))
    share = sum(part.flops for part in found) / total / (1e12 * card.tflops)
    needs = memory(network, sampling)
    return [
        card.name,
        str(sampling.batch),
        str(sampling.chunk),
        f"{sampling.cfg:g}",
        str(sampling.steps),
        f"{sampling.batch / total:.0f}",
        f"{longest.name} ({seconds[longest.name] / total:.0%}, {longest.bound(card)})",
        f"{share:.0%}",
        f"{needs:.0f}" if needs <= card.memory else f"{needs:.0f}: too much",
    ]


HEADS = (
    "card",
    "batch",
    "chunk",
    "cfg",
    "steps",
    "frames per second",
    "longest part",
    "of the matrix rate",
    "memory, GB",
)


def table(network: DiTConfig) -> str:
    """Markdown: every card at batch 1 and 32, with and without guidance, in 10 steps and in one."""
    lines = [f"| {' | '.join(HEADS)} |", "|" + " --- |" * len(HEADS)]
    asked = [
        Sampling(batch=batch, chunk=chunk, cfg=cfg, steps=steps)
        for steps, chunk, cfg in ((10, 1, 1.0), (10, 4, 1.0), (10, 1, 3.0), (1, 1, 1.0))
        for batch in (1, 32)
    ]
    for card in CARDS:
        lines += [f"| {' | '.join(row(network, card, sampling))} |" for sampling in asked]
    return "\n".join(lines)


def terms(network: DiTConfig, batch: int) -> str:
    """Markdown: operations and bytes of every part of a frame of `batch` trials, 10 steps."""
    lines = ["| part | GFLOP | MB | FLOP a byte |", "| --- | --- | --- | --- |"]
    for part in parts(network, Sampling(batch=batch)):
        ratio = f"{part.flops / part.bytes:.0f}" if part.bytes else "-"
        lines.append(f"| {part.name} | {part.flops / 1e9:.3g} | {part.bytes / 1e6:.3g} | {ratio} |")
    return "\n".join(lines)


def page(network: DiTConfig) -> str:
    """Everything that docs/gpu.md holds between its two marks."""
    return (
        f"{table(network)}\n\nA frame of one trial, 10 steps, in operations and bytes:\n\n"
        f"{terms(network, 1)}\n\nOf 32 trials:\n\n{terms(network, 32)}"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scale", type=int, default=16, help="heads of 64, and pairs of blocks")
    print(page(published_network(parser.parse_args().scale)))
