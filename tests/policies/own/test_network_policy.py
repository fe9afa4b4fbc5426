from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from worldgym.errors import InputError
from worldgym.policies.image_trunk import TrunkConfig
from worldgym.policies.instruction_features import instruction_features
from worldgym.policies.own.bc import BCConfig
from worldgym.policies.own.network_policy import check_actions, network_inputs
from worldgym.policies.policy_protocol import Observation
from worldgym.testing import FAKE_SPEC

FRAMES = np.random.default_rng(0).integers(0, 256, (2, 6, 8, 3)).astype(np.uint8)
SEEN = [
    Observation(frame, text, 0)
    for frame, text in zip(FRAMES, ("push", "open the drawer"), strict=True)
]

SHOWN = BCConfig((6, 8), trunk=TrunkConfig(buckets=32))


def test_a_network_is_shown_frames_and_features_row_by_row() -> None:
    frames, features = network_inputs("p", SEEN, SHOWN)
    np.testing.assert_array_equal(frames.numpy(), FRAMES)
    np.testing.assert_array_equal(
        features[1:].numpy(), instruction_features(["open the drawer"], 32).numpy()
    )


def test_views_lie_in_the_channels_in_the_order_of_the_cameras() -> None:
    both = [replace(seen, views={"wrist": seen.frame[::-1], "front": seen.frame}) for seen in SEEN]
    frames, _ = network_inputs("p", both, replace(SHOWN, cameras=("front", "wrist")))
    np.testing.assert_array_equal(frames[..., :3].numpy(), FRAMES)
    np.testing.assert_array_equal(frames[..., 3:].numpy(), FRAMES[:, ::-1])


def test_frames_of_another_size_are_refused_wherever_they_stand() -> None:
    with pytest.raises(
        InputError,
        match=r"policy p sees frames \(6, 8, 3\), not \(8, 6, 3\); resize the task images",
    ):
        network_inputs("p", [SEEN[0], replace(SEEN[1], frame=FRAMES[1].transpose(1, 0, 2))], SHOWN)


def test_a_network_gives_as_many_numbers_as_its_spec_names() -> None:
    check_actions("p", FAKE_SPEC.size, FAKE_SPEC)
    with pytest.raises(
        InputError, match="policy p: its network gives 4 numbers, its action spec 3; fix config"
    ):
        check_actions("p", 4, FAKE_SPEC)
