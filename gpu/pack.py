"""Packs a recorded set so that it travels to a GPU machine where nothing can be downloaded: videos
and actions, under a limit.

python gpu/pack.py data/train .work/pack --limit-mib 33

PACK/part-000.mp4 ...    100 episodes each, one after the other, h264 yuv444p
PACK/actions.npz         actions [E, T, A] float32, names, spec (JSON)
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from worldgym.episodes.frame_cache import frame_cache
from worldgym.episodes.store import EpisodeStore
from worldgym.io.progress import progress
from worldgym.io.video import encode_mp4

EPISODES_A_PART = 100


def pack(source: Path, out: Path, limit_mib: float, crf: int = 20) -> int:
    """Packs episodes of the most common length, seed by seed over all tasks, up to the limit;
    returns how many."""
    cache = frame_cache(EpisodeStore(source))
    lengths = [info.length for info in cache.store]
    usual = max(set(lengths), key=lengths.count)
    infos = [info for info in cache.store if info.length == usual]
    infos.sort(key=lambda info: (int(info.extras.get("seed", 0)), info.name))
    out.mkdir(parents=True, exist_ok=True)
    parts = [infos[i : i + EPISODES_A_PART] for i in range(0, len(infos), EPISODES_A_PART)]
    names: list[str] = []
    size = 0.0
    for number, part in enumerate(progress(parts, len(parts), "packing", "part")):
        video = encode_mp4(
            np.concatenate([cache.main(i.name) for i in part]),
            20.0,
            crf,
            "yuv444p",
            key_every=250,
        )
        size += len(video) / 2**20
        if size > limit_mib:
            break
        (out / f"part-{number:03d}.mp4").write_bytes(video)
        names += [info.name for info in part]
    actions = np.stack([cache.episode(name).actions for name in names])
    np.savez_compressed(
        out / "actions.npz",
        actions=actions,
        names=names,
        spec=json.dumps(cache.store.spec.to_json()),
    )
    return len(names)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--limit-mib", type=float, default=33.0)
    options = parser.parse_args()
    print(f"{pack(options.source, options.out, options.limit_mib)} episodes packed")
