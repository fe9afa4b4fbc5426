"""A store whose answer is plain to see: the bright half of the frame says where the expert goes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from worldgym.episodes.store import EpisodeStore
from worldgym.types import ActionSpec, Episode

SPEC = ActionSpec(("x", "y"), "delta_pose", "m", "none", "none", (-1.0, -2.0), (1.0, 2.0), 20.0)
LENGTH = 6
BEHAVIOURS = ("expert", "noisy", "dreamt-a", "expert")


@pytest.fixture(scope="session")
def sided_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight episodes, e0 to e7. Left half bright: the expert goes right (+1); right half bright:
    left (-1). What was executed is noise. Odd ones are of the task "right"; behaviours repeat after
    four; the last two fail."""
    root = tmp_path_factory.mktemp("sided")
    writer, rng = EpisodeStore.create(root, SPEC, 20.0), np.random.default_rng(0)
    for i in range(8):
        frames = np.zeros((LENGTH + 1, 16, 16, 3), np.uint8)
        side = i // 2 % 2
        frames[:, :, 8 * side : 8 * side + 8] = 200
        expert = [[1.0 - 2.0 * side, 0.5]] * LENGTH
        actions = rng.uniform(-1, 1, (LENGTH, 2)).astype(np.float32)
        task = ("left", "right")[i % 2]
        extras = {
            "task": task,
            "seed": i,
            "expert": expert,
            "behaviour": BEHAVIOURS[i % 4],
            "success_at": [i < 6 and t == LENGTH for t in range(LENGTH + 1)],
            "distance": [float(LENGTH - t) for t in range(LENGTH + 1)],
        }
        writer.write(
            f"e{i}",
            Episode(frames[:, None], actions, f"go {task}", SPEC, 20.0, i < 6, "synthetic", extras),
        )
    return root
