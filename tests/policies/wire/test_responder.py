"""What a server of ours asks of a request, by what its policy needs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from policy_server import RecallingPolicy

from worldgym.policies.observations import observe
from worldgym.policies.policy_protocol import Observation
from worldgym.policies.wire.family import FAMILIES, OWN
from worldgym.policies.wire.request_mapping import request_of
from worldgym.policies.wire.responder import Responder
from worldgym.testing import FakePolicy
from worldgym.types import Task, Trial
from worldgym.wire.wire_arrays import Malformed

POLICY = RecallingPolicy()
FRAMES = np.random.default_rng(0).integers(0, 256, (5, 16, 24, 3)).astype(np.uint8)
TASK = Task("a/0", "a", FRAMES[0], "push", 4)
SEEN = observe(POLICY.needs, POLICY.spec, TASK, FRAMES[:, None], np.full((4, 3), 0.3, np.float32))
STATE = np.zeros((3, 3))


def request(protocol: str = "openvla", **changes: Any) -> dict[str, Any]:
    return {**request_of(FAMILIES[protocol][OWN].carrying(POLICY.needs), SEEN), **changes}


@pytest.mark.parametrize(
    ("protocol", "keys"),
    [
        ("openvla", {"image", "image_1", "instruction", "state"}),
        ("openpi", {"observation/image", "observation/image_1", "prompt", "observation/state"}),
    ],
)
def test_clients_of_others_may_send_what_a_policy_needs(protocol: str, keys: set[str]) -> None:
    assert set(request(protocol)) == keys
    _, expected = POLICY.act([None], [SEEN])
    np.testing.assert_array_equal(
        Responder(POLICY, FAMILIES[protocol][OWN]).answer(request(protocol))["actions"], expected[0]
    )


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"image": FRAMES[0]}, r'"image" must be 3 images, uint8 \[3, H, W, 3\]'),
        ({"image": FRAMES[:2]}, '"image" must be 3 images'),
        ({"image": FRAMES[:3].astype(np.float32)}, '"image" must be 3 images'),
        ({"image_1": FRAMES[:3]}, '"image_1" must be an image'),
        ({"image_1": FRAMES[0, 0]}, '"image_1" must be an image'),
        ({"image_1": np.zeros((0, 4, 3), np.uint8)}, '"image_1" must have sides from 1'),
        ({"state": STATE[:2]}, r'"state" must be floats of the shape \[3, 3\]: x, y, gripper_open'),
        ({"state": STATE.astype(np.int64)}, '"state" must be floats'),
        ({"state": [0.0, 0.0, 0.0]}, '"state" must be floats'),
        ({"state": STATE + np.inf}, '"state" holds numbers that are not finite'),
        ({"state": STATE * np.nan}, '"state" holds numbers that are not finite'),
        ({"state": STATE + 1e300}, "or beyond float32"),
    ],
)
def test_a_request_that_lacks_what_the_policy_needs(
    changes: dict[str, Any], complaint: str
) -> None:
    responder = Responder(POLICY, FAMILIES["openvla"][OWN])
    with pytest.raises(Malformed, match=complaint):
        responder.answer(request(**changes))
    with pytest.raises(Malformed, match='no "image"'):
        responder.answer({"instruction": "go"})
    bare = request_of(FAMILIES["openvla"][OWN], Observation(TASK.frame, "push", 0))
    with pytest.raises(Malformed, match="must be 3 images"):
        responder.answer(bare)


def test_as_many_trials_as_states_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has one that it goes on from; those behind it must not push out others' newest."""
    monkeypatch.setattr("worldgym.policies.wire.responder.MAX_STATES", 8)
    responder = Responder(FakePolicy(), FAMILIES["openvla"][OWN])
    plain = {"image": FRAMES[0], "instruction": "push"}
    tokens = [
        responder.answer({**plain, OWN: {"begin": {"task": f"a/{i}", "run_seed": "7"}}})[OWN][
            "state"
        ]
        for i in range(7)
    ]
    for step in range(3):
        tokens = [
            responder.answer({**plain, OWN: {"step": step, "state": token}})[OWN]["state"]
            for token in tokens
        ]
    assert len(set(tokens)) == 7


def test_an_edited_task_meets_the_noise_of_its_twin() -> None:
    policy = FakePolicy()
    responder = Responder(policy, FAMILIES["openvla"][OWN])
    plain = {"image": FRAMES[0], "instruction": "push"}
    begun = responder.answer(
        {**plain, OWN: {"begin": {"task": "a/0-dim", "nominal": "a/0", "run_seed": "7"}}}
    )
    answer = responder.answer({**plain, OWN: {"step": 0, "state": begun[OWN]["state"]}})
    _, expected = policy.act(policy.reset([Trial(TASK, 0, 7)]), [Observation(FRAMES[0], "push", 0)])
    np.testing.assert_array_equal(answer["actions"], expected[0])
    with pytest.raises(Malformed, match="nominal and run_seed must be texts"):
        responder.answer({**plain, OWN: {"begin": {"nominal": 3}}})
