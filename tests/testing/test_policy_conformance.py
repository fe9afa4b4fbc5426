"""`worldgym policy check` names every rule that a policy breaks, times it, and sets its convention
beside a world's."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from worldgym.actions.conventions import convention
from worldgym.cli import main
from worldgym.policies.adapters.converted import spoken_in
from worldgym.policies.image_trunk import TrunkConfig
from worldgym.policies.own.bc import BCConfig, BCNet, BCPolicy
from worldgym.policies.policy_protocol import Needs, Observation
from worldgym.testing import FAKE_SPEC, FakePolicy
from worldgym.testing.policy_conformance import check_and_time
from worldgym.types import Actions

SHAPE = (16, 24, 3)


@dataclass(frozen=True)
class BatchMeanPolicy(FakePolicy):
    """A row sees its neighbours, and takes its time."""

    seconds: float = 0.0

    def act(
        self, states: Sequence[Any], observations: Sequence[Observation]
    ) -> tuple[list[Any], Actions]:
        time.sleep(self.seconds)
        states, actions = super().act(states, observations)
        return states, np.broadcast_to(actions.mean(0, keepdims=True), actions.shape).copy()


class BrokenPolicy(FakePolicy):
    def act(
        self, states: Sequence[Any], observations: Sequence[Observation]
    ) -> tuple[list[Any], Actions]:
        raise RuntimeError("out of memory")


def test_a_sound_policy_holds_every_rule() -> None:
    report = check_and_time(FakePolicy(chunk=4), SHAPE, FAKE_SPEC, calls=3)
    assert report.broken == 0 and len(report.outcomes) == 7 and report.latency is not None
    assert (
        report.latency.per_action == report.latency.median / 4
        and report.latency.median <= report.latency.p95
    )


def test_a_broken_rule_is_named_and_the_others_still_tried() -> None:
    other = replace(FAKE_SPEC, gripper="+1_open")
    report = check_and_time(BatchMeanPolicy(seconds=0.01), SHAPE, other, calls=2)
    broken = {outcome.rule: outcome.complaint for outcome in report.outcomes if outcome.complaint}
    assert set(broken) == {
        "a batch equals its rows one by one",
        "its action convention is the world's",
    }
    assert "row 0 of a batch differs" in str(broken["a batch equals its rows one by one"])
    assert broken["its action convention is the world's"] == "gripper: +1_closed against +1_open"
    assert report.latency is not None and report.latency.median >= 0.01


def test_a_policy_that_raises_is_reported_not_raised() -> None:
    report = check_and_time(BrokenPolicy(), SHAPE, None, calls=2)
    assert report.latency is None and report.broken == 4
    assert {outcome.complaint for outcome in report.outcomes[1:5]} == {
        "RuntimeError: out of memory at test_policy_conformance.py, line 47"
    }


def test_needs_that_no_world_meets_are_one_sentence_a_rule() -> None:
    joints = check_and_time(FakePolicy(needs=Needs(state=("joint_0",))), SHAPE, None, calls=2)
    assert joints.latency is None and joints.broken == 6
    assert all(
        '"joint_0" cannot be followed from actions' in str(outcome.complaint)
        for outcome in joints.outcomes
    )
    views = check_and_time(
        FakePolicy(needs=Needs(cameras=("front", "wrist"))), SHAPE, None, calls=2
    )
    (broken,) = [outcome for outcome in views.outcomes if outcome.complaint]
    assert broken.rule == "a world can show what it needs" and 'needs the camera "wrist"' in str(
        broken.complaint
    )


def test_what_becomes_of_its_convention_is_told() -> None:
    own, world = convention("bridge_v2"), convention("metaworld")
    report = check_and_time(spoken_in(FakePolicy(spec=own, chunk=2), world), SHAPE, world, calls=2)
    assert report.compared["gripper"] == ("1_open_0_closed", "+1_closed", "+1_closed")
    assert report.to_json()["compared"]["rate_hz"] == [5.0, 20.0, 20.0]
    assert "bridge_v2 told as metaworld" in report.changes[0] and len(report.changes) == 2
    plain = check_and_time(FakePolicy(), SHAPE, FAKE_SPEC, calls=2)
    assert plain.changes == () and len({*plain.compared["unit"]}) == 1


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    net = BCNet(BCConfig(SHAPE[:2], FAKE_SPEC.size, 2, 8, TrunkConfig(buckets=16, width=8)))
    BCPolicy(net, FAKE_SPEC, "tiny").save(tmp_path / "tiny", {}, "a card")
    return tmp_path / "tiny"


TWO = FakePolicy(needs=Needs(cameras=("front", "wrist")))


@pytest.mark.parametrize(("views", "broken"), [(("main",), 1), (("front", "wrist"), 0)])
def test_two_cameras_are_met_by_a_world_of_both(views: tuple[str, ...], broken: int) -> None:
    assert check_and_time(TWO, SHAPE, FAKE_SPEC, 1, views).broken == broken


def test_on_the_command_line(policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["policy", "check", str(policy), "--calls", "2"]
    main([*words, "--size", "16", "24"])
    out, err = capsys.readouterr()
    assert (
        "tiny, 2\N{NO-BREAK SPACE}actions per call" in out
        and "passed" in out
        and "median" in out
        and err == ""
    )
    main([*words, "--size", "16", "24", "--json"])
    assert json.loads(capsys.readouterr().out)["passed"] is True
    with pytest.raises(SystemExit) as stop:
        main([*words, "--size", "8", "8"])
    out, err = capsys.readouterr()
    assert (
        stop.value.code == 2
        and "4 of 6 rules are broken; fix the policy\n" in err
        and " ".join(out.split()).count("resize") == 1
    )


def test_who_may_be_served(policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, complaint in (
        (["--host", "0.0.0.0"], "set a key"),
        (["--key-env", "NO_SUCH"], "environment variable NO_SUCH"),
        (["--port", "99999"], "--port is 99999: give 0 to 65535"),
        (["--port", "99999", "--protocol", "openvla"], "--port is 99999"),
    ):
        with pytest.raises(SystemExit) as stop:
            main(["policy", "serve", str(policy), *words])
        assert stop.value.code == 2 and complaint in capsys.readouterr().err
