"""RT-1-X (JAX) as a policy: --policy "rt1x_policy:make?checkpoint=DIR&embeddings=FILE.npz"
(docs/policies/rt-1-x.md)."""

import numpy as np
from rt1 import RT1
from rt1_inference_example import RT1Policy

from worldgym.actions.conventions import convention
from worldgym.policies.policy_protocol import Needs

SIZES = {
    "num_image_tokens": 81,
    "num_action_tokens": 11,
    "layer_size": 256,
    "vocab_size": 512,
    "world_vector_range": (-2.0, 2.0),
}
PARTS = ("world_vector", "rotation_delta", "gripper_closedness_action")


class RT1X:
    """15 frames and the embedding of an instruction in, one action out. Nothing is remembered
    between calls."""

    name, spec, chunk, needs = "rt-1-x", convention("released_10"), 1, Needs(history=15)

    def __init__(self, network, embeddings):
        self.network, self.embeddings = network, embeddings

    def reset(self, trials):
        return [None] * len(trials)

    def act(self, states, observations):
        # the last three move a base, which Bridge never does
        actions = np.zeros((len(observations), 1, 10), np.float32)
        for row, seen in zip(actions, observations, strict=True):
            words = np.tile(self.embeddings[seen.instruction], (15, 1))
            answer = self.network.action(
                {"image": seen.history, "natural_language_embedding": words}
            )
            row[0, :7] = np.concatenate([answer[part] for part in PARTS])
        return list(states), np.clip(actions, self.spec.low, self.spec.high).astype(np.float32)


def make(checkpoint, embeddings):
    return RT1X(RT1Policy(checkpoint, RT1(**SIZES)), dict(np.load(embeddings, allow_pickle=False)))
