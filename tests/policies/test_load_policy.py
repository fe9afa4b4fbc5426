from __future__ import annotations

from pathlib import Path

import pytest

from worldgym.errors import InputError, WorldGymError
from worldgym.io.named_source import NamedSource
from worldgym.policies.load_policy import given_name, load_policy
from worldgym.testing import FAKE_SPEC, check_policy


@pytest.mark.parametrize(
    ("source", "name", "rest"),
    [
        ("grasp@20k=runs/20000", "grasp@20k", "runs/20000"),
        ("a=b=c", "a", "b=c"),
        ("runs/a=b", "", "runs/a=b"),
        ("ws://host:1/?key=value", "", "ws://host:1/?key=value"),
        ("still", "", "still"),
        ("=still", "", "=still"),
    ],
)
def test_a_name_may_be_given(source: str, name: str, rest: str) -> None:
    assert given_name(source) == (name, rest)


def test_a_policy_may_be_called_otherwise_and_acts_the_same() -> None:
    policy = load_policy("calm@10=random", FAKE_SPEC)
    assert policy.name == "calm@10" and policy.chunk == load_policy("random", FAKE_SPEC).chunk
    check_policy(policy, (16, 16, 3))


def test_a_policy_of_other_files_is_another(tmp_path: Path) -> None:
    (tmp_path / "weights").mkdir()
    weights = tmp_path / "weights" / "model.safetensors"
    weights.write_bytes(bytes(3 * 2**20))
    source = NamedSource.parse(f"lerobot:{tmp_path / 'weights'}?state=x")
    first = source.identity
    (tmp_path / "weights").rename(tmp_path / "moved")
    moved = NamedSource.parse(f"lerobot:{tmp_path / 'moved'}?state=x")
    assert first == moved.identity and first.startswith("lerobot:") and first.endswith("?state=x")
    (tmp_path / "moved" / "model.safetensors").write_bytes(bytes(3 * 2**20 - 1) + b"x")
    assert moved.identity != first
    assert NamedSource.parse("module:make?a=1").identity == "module:make?a=1"


@pytest.mark.parametrize("kind", ["nowhere", "module:make?x=", "lerobot:"])
def test_a_text_too_long_for_a_path_is_no_policy(kind: str) -> None:
    with pytest.raises(WorldGymError):
        load_policy(kind + "y" * 5000, FAKE_SPEC)


def test_an_unknown_policy_is_named_as_it_was_asked_for() -> None:
    with pytest.raises(InputError, match='no policy "nowhere"'):
        load_policy("x=nowhere", FAKE_SPEC)
    with pytest.raises(InputError, match='"random" cannot be called "still"'):
        load_policy("still=random", FAKE_SPEC)
    assert load_policy("still=still", FAKE_SPEC).name == "still"
