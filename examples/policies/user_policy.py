"""A policy of your own with weights, in process (docs/policies/your-own.md):

worldgym policy check "user_policy:make?weights=w.npz" --size 96 96"""

from pathlib import Path

import numpy as np

from worldgym.actions.conventions import convention
from worldgym.policies.policy_protocol import NEWEST_FRAME


class Linear:
    """The mean colour of the frame times a matrix [3, 4]."""

    name, spec, chunk, needs = "linear", convention("metaworld"), 1, NEWEST_FRAME

    def __init__(self, weights):
        self.weights = (weights,)  # another file is another policy: a run is not resumed with it
        self.matrix = np.load(weights, allow_pickle=False)["matrix"]

    def reset(self, trials):
        return [None] * len(trials)

    def act(self, states, observations):
        rows = [(seen.frame.mean(axis=(0, 1)) / 255.0) @ self.matrix for seen in observations]
        actions = np.clip(rows, self.spec.low, self.spec.high).astype(np.float32)
        return list(states), actions[:, None]


def make(weights):
    return Linear(Path(weights))
