"""Real robot data all the way on two CPU cores: convert, train, replay a held-out episode, make
tasks, evaluate.

    python benchmarks/bridge_sample.py OUT        (or: make bridge-sample)

Needs the sample data in $WORLDGYM_SAMPLE_DATA (or ../shared/data). Every step is a command that a
user would type; started again, it continues where it stopped, but only an uninterrupted run notes
its times. Nobody has labelled the rollouts, so the judge, a file with one human label that says
"cannot tell", scores none of them: the last step shows that the path runs, not how policies
fare."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from machine import note

from worldgym.cli import main as worldgym
from worldgym.episodes.store import EpisodeStore
from worldgym.train.recipes import RECIPES
from worldgym.types import Episode
from worldgym.world.model import DiffusionWorld
from worldgym.world.open_loop_replay import psnr, replay
from worldgym.world.world_checkpoint import load_diffusion_world

SAMPLES = Path(
    os.environ.get("WORLDGYM_SAMPLE_DATA", Path(__file__).parents[2] / "shared" / "data")
)
RECIPE = "bridge_sample"
NO_LANGUAGE = "move the object"  # the sample clips come without instructions


def commands(samples: Path, out: Path, train_options: str = "") -> list[str]:
    """What is typed, in order. Bridge commands act about one step late, so the clips are shifted
    (`worldgym data inspect`)."""
    recipe = RECIPES[RECIPE].codec
    assert recipe is not None
    size = recipe(out, "cpu").model.size
    form = f"--convention released_10 --size {size} {size}"
    world = f"--world {out}/run --tasks {out}/tasks --judge later"
    return [
        f"worldgym data convert {samples}/bridge_mp4/train --out {out}/bridge {form} --shift -1",
        f"worldgym data convert {samples}/bridge_mp4/test --out {out}/bridge-test {form} --shift "
        f"-1",
        f"worldgym world train --data {out}/bridge --held-out {out}/bridge-test --out {out}/run "
        f"--recipe "
        f"{RECIPE} {train_options}",
        f"worldgym tasks new {samples}/bridge_mp4/test --out {out}/tasks {form} --instruction "
        f'"{NO_LANGUAGE}"',
        f"worldgym evaluate {world} --policy still random --trials 2 --batch 4 --out "
        f"{out}/evaluation",
    ]


def run(samples: Path, out: Path, train_options: str) -> list[str]:
    """Runs everything => the lines of the result."""
    fresh = not out.exists()
    rows = []
    started = time.perf_counter()
    out.mkdir(parents=True, exist_ok=True)
    for command in commands(samples, out, train_options):
        begun = time.perf_counter()
        print(f"$ {command}", flush=True)
        words = shlex.split(command)
        worldgym(words[1:])
        name = " ".join(word for word in words[:3] if word.isalpha())
        rows.append(f"| `{name}` | {time.perf_counter() - begun:.0f} |")
    total = time.perf_counter() - started
    table = (
        ["| step | seconds |", "| --- | --- |", *rows, f"| all | {total:.0f} |", ""]
        if fresh
        else ["(resumed: no times)", ""]
    )
    return table + quality(out)


def quality(out: Path) -> list[str]:
    """Open-loop PSNR of the held-out episode and of those learned by heart, beside a still picture
    and the codec alone."""
    world = load_diffusion_world(out / "run")
    sets = (
        ("held out", EpisodeStore(out / "bridge-test")),
        ("trained on", EpisodeStore(out / "bridge")),
    )
    head = [
        "| episodes | | @1 | @5 | @10 | @20 | all frames |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    return head + [
        row
        for name, store in sets
        for row in _rows(name, world, [store[info.name] for info in store])
    ]


def _rows(name: str, world: DiffusionWorld, episodes: Sequence[Episode]) -> list[str]:
    found: dict[str, list[np.ndarray]] = {"world": [], "still picture": [], "codec alone": []}
    for episode in episodes:
        truth = episode.main[1:]
        found["world"].append(replay(world, [episode]).psnr[0, :, 0])
        found["still picture"].append(psnr(np.broadcast_to(episode.main[0], truth.shape), truth))
        coded = world.codec.decode(world.codec.encode(torch.from_numpy(truth)))
        found["codec alone"].append(psnr(coded.numpy(), truth))
    return [
        f"| {name} ({len(episodes)}) | {what} | {_at(values)} |" for what, values in found.items()
    ]


def _at(values: Sequence[np.ndarray]) -> str:
    """Mean over the episodes that are long enough, in dB."""
    means = [
        np.mean([v[h - 1] for v in values if len(v) >= h])
        for h in (1, 5, 10, 20)
        if any(len(v) >= h for v in values)
    ]
    return " | ".join(f"{value:.2f}" for value in [*means, np.mean(np.concatenate(values))])


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument(
        "--train-options", default="--processes 2", help="further options of worldgym world train"
    )
    options = parser.parse_args(arguments)
    if not SAMPLES.is_dir():
        print(
            f"{SAMPLES}: no sample data, nothing trained; set WORLDGYM_SAMPLE_DATA to its folder",
            file=sys.stderr,
        )
        return
    lines = run(SAMPLES, options.out, options.train_options)
    note(f"Bridge sample, {options.train_options}: `make bridge-sample`", lines)


if __name__ == "__main__":
    main()
