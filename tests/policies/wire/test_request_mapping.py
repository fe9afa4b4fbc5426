"""What goes over the wire under which key, what is refused, and what answers become."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worldgym.actions.conventions import CONVENTIONS, convention, load_convention
from worldgym.errors import InputError
from worldgym.policies.load_policy import load_policy
from worldgym.policies.observations import check_needs, observe
from worldgym.policies.policy_protocol import NAME, Needs, Observation
from worldgym.policies.wire import json_numpy
from worldgym.policies.wire.address import Address
from worldgym.policies.wire.family import FAMILIES, OWN, choices, load_family
from worldgym.policies.wire.request_mapping import (
    answer_actions,
    observation_of,
    request_of,
    resize_with_pad,
)
from worldgym.types import Frames, Task
from worldgym.wire import msgpack_numpy
from worldgym.wire.server_address import ServerAddress
from worldgym.wire.wire_arrays import Malformed

pytest.importorskip("msgpack", reason="the extra [remote] is not installed")

CODECS = {
    "openpi": (msgpack_numpy.pack, msgpack_numpy.unpack),
    "openvla": (json_numpy.encode, json_numpy.decode),
}

FRAME = np.random.default_rng(0).integers(0, 256, (48, 96, 3)).astype(np.uint8)
SEEN = Observation(FRAME, "put the carrot on the plate", 3)


def toml(folder: Path, text: str) -> str:
    (folder / "mine.toml").write_text(text)
    return str(folder / "mine.toml")


LEAST = 'frame = "a"\ninstruction = "b"\nconvention = "libero"\n'


def test_what_is_sent_to_openvla_for_bridge() -> None:
    request = request_of(load_family("bridge", "openvla"), SEEN)
    assert (
        set(request) == {"image", "instruction", "unnorm_key"}
        and request["unnorm_key"] == "bridge_orig"
    )
    assert np.array_equal(request["image"], FRAME) and request["instruction"] == SEEN.instruction


def test_a_family_of_ones_own(tmp_path: Path) -> None:
    text = """
    frame = "images.front"
    instruction = "prompt"
    convention = "libero"
    actions = "out.actions"
    columns = [1, 2, 3, 4, 5, 6, 0]
    chunk = 2
    size = [24, 24]
    rotate = 180
    channels_first = true
    constants = { "state" = [0.0, 1], "images.wrist_missing" = true }
    """
    family = load_family(toml(tmp_path, text), "openpi")
    request = request_of(family, SEEN)
    assert (
        set(request) == {"images", "prompt", "state"} and request["images"]["wrist_missing"] is True
    )
    assert request["state"].dtype == np.float32 and request["state"].tolist() == [0.0, 1.0]
    image = request["images"]["front"]
    assert image.shape == (3, 24, 24) and image.flags.c_contiguous
    np.testing.assert_array_equal(
        image.transpose(1, 2, 0), resize_with_pad(np.ascontiguousarray(FRAME[::-1, ::-1]), (24, 24))
    )
    rows = np.arange(24, dtype=float).reshape(3, 8)
    assert answer_actions(family, {"out": {"actions": rows}}, 2, 7).tolist() == [
        [1, 2, 3, 4, 5, 6, 0],
        [9, 10, 11, 12, 13, 14, 8],
    ]


@pytest.mark.parametrize(
    ("flip", "seen"),
    [
        ("vertical", FRAME[::-1]),
        ("horizontal", FRAME[:, ::-1]),
        ("both", FRAME[::-1, ::-1]),
    ],
)
def test_pictures_are_flipped_as_a_family_saw_them(flip: str, seen: Frames, tmp_path: Path) -> None:
    family = load_family(toml(tmp_path, f'{LEAST}flip = "{flip}"'), "openpi")
    np.testing.assert_array_equal(request_of(family, SEEN)[family.frame], seen)
    with pytest.raises(InputError, match='"flip" holds'):
        load_family(toml(tmp_path, f'{LEAST}flip = "sideways"'), "openpi")


def test_a_camera_may_be_flipped_otherwise_than_the_others(tmp_path: Path) -> None:
    text = (
        f'{LEAST}rotate = 180\n[views]\nw = "wrist"\nt = "top"\n[flips]\nw = "none"\nt = "vertical"'
    )
    family = load_family(toml(tmp_path, text), "openpi")
    other = FRAME // 2
    seen = request_of(family, replace(SEEN, views={"a": FRAME, "wrist": other, "top": other}))
    np.testing.assert_array_equal(seen["a"], FRAME[::-1, ::-1])
    np.testing.assert_array_equal(seen["w"], other)
    np.testing.assert_array_equal(seen["t"], other[::-1])
    both = load_family(toml(tmp_path, f'{LEAST}flip = "both"\nflips = {{ a = "both" }}'), "openpi")
    np.testing.assert_array_equal(request_of(both, SEEN)["a"], FRAME[::-1, ::-1])
    with pytest.raises(InputError, match='"flips" names "side", which is no camera\'s key: a, w'):
        wrong = f'{LEAST}views = {{ w = "wrist" }}\nflips = {{ side = "none" }}'
        load_family(toml(tmp_path, wrong), "openpi")
    with pytest.raises(InputError, match="sideways"):
        load_family(toml(tmp_path, f'{LEAST}flips = {{ a = "sideways" }}'), "openpi")


@pytest.mark.parametrize(
    ("shape", "inner"),
    [((48, 96), (16, 32)), ((96, 48), (32, 16)), ((10, 10), (32, 32)), ((3000, 3), (32, 1))],
)
def test_frames_are_fitted_whole_with_black_around(
    shape: tuple[int, int], inner: tuple[int, int]
) -> None:
    out = resize_with_pad(np.full((*shape, 3), 200, np.uint8), (32, 32))
    lit = np.argwhere(out[..., 0] == 200)
    assert tuple(lit.max(0) - lit.min(0) + 1) == inner and out[out != 200].max(initial=0) == 0
    assert abs((lit.max(0) + lit.min(0)) / 2 - 15.5).max() <= 0.5


def same(first: Observation, second: Observation) -> bool:
    told = [
        (o.instruction, o.step, o.state, o.past_states, list(o.views), len(o.past))
        for o in (first, second)
    ]
    images = [(o.frame, *o.past, *o.views.values()) for o in (first, second)]
    return told[0] == told[1] and all(map(np.array_equal, *images))


@given(
    st.integers(1, 4),
    st.lists(st.text(min_size=1, max_size=9), max_size=3, unique=True),
    st.lists(st.floats(-9, 9), max_size=3),
)
def test_the_server_sees_what_the_client_saw(
    history: int, cameras: list[str], state: list[float]
) -> None:
    """To the last bit of a state, in both protocols, whatever the policy needs."""
    needs = Needs(
        history, tuple(cameras), tuple(cameras[1:]), tuple(f"number {i}" for i in range(len(state)))
    )
    past = tuple(np.roll(FRAME, t + 1) for t in range(history - 1))
    views = {camera: np.roll(FRAME, -i) for i, camera in enumerate(cameras)}
    states = [tuple(value / (t + 3) for value in state) for t in range(history)]
    seen = replace(SEEN, past=past, views=views, state=states[-1], past_states=tuple(states[:-1]))
    for protocol, (write, read) in CODECS.items():
        family = FAMILIES[protocol][OWN].carrying(needs)
        assert family.needs == replace(needs, blackened=())
        assert same(
            observation_of(family, read(write({**request_of(family, seen), OWN: {"step": 3}}))),
            seen,
        )


def test_history_views_and_state_of_a_family_of_ones_own(tmp_path: Path) -> None:
    """The numbers of a state are split over its keys; servers of others take float32."""
    text = """
    history = 2
    size = [24, 24]
    [views]
    "images.wrist" = "wrist"
    [state]
    pose = ["z", "x"]
    grip = ["gripper_open"]
    """
    family = load_family(toml(tmp_path, LEAST + text), "openvla")
    assert family.needs == Needs(2, ("a", "wrist"), state=("z", "x", "gripper_open"))
    task = Task("t", "t", FRAME, "go", 3, state={"x": 0.5, "z": 0.25, "gripper_open": 1.0})
    seen = observe(
        family.needs,
        convention("libero"),
        task,
        [FRAME[None], FRAME[None, ::-1]],
        np.full((1, 7), 1.0, np.float32),
    )
    request = request_of(family, seen)
    assert request["a"].shape == (2, 24, 24, 3) and request["images"]["wrist"].shape == (24, 24, 3)
    np.testing.assert_array_equal(
        request["a"][1], resize_with_pad(np.ascontiguousarray(FRAME[::-1]), (24, 24))
    )
    np.testing.assert_allclose(request["pose"], [[0.25, 0.5], [0.3, 0.55]], rtol=1e-6)
    assert request["grip"].tolist() == [[1.0], [0.0]] and request["grip"].dtype == np.float32


def test_what_published_families_need_is_refused_where_worlds_do_not_give_it() -> None:
    needs, task = FAMILIES["openpi"]["droid"].needs, Task("t", "t", FRAME, "go", 1)
    with pytest.raises(InputError, match='camera "wrist", and the world draws one view'):
        check_needs("pi0", needs, convention("droid_joint_velocity"), [task])
    allowed = Address.parse("ws://h?family=droid&black=yes&from_zero=yes").allowed(needs)
    assert allowed.blackened == ("wrist",) and allowed.from_zero
    with pytest.raises(InputError, match=r"joint_0.* cannot be followed from actions"):
        check_needs("pi0", allowed, convention("droid_joint_velocity"), [task])


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"image": None}, "must be an image"),
        ({"image": FRAME.astype(np.float32)}, "must be an image"),
        ({"image": FRAME[..., 0]}, "must be an image"),
        ({"image": np.zeros((0, 4, 3), np.uint8)}, "sides from 1"),
        ({"instruction": 3}, "must be a text"),
        ({"instruction": "x" * 10_001}, "must be a text"),
        ({OWN: {"step": -1}}, "the step must be"),
        ({OWN: {"step": True}}, "the step must be"),
        ({OWN: 5}, '"worldgym" must be a map'),
    ],
)
def test_requests_that_are_none(change: dict[str, object], complaint: str) -> None:
    family = FAMILIES["openvla"][OWN]
    with pytest.raises(Malformed, match=complaint):
        observation_of(family, {**request_of(family, SEEN), **change})
    with pytest.raises(Malformed, match='no "image"'):
        observation_of(family, {"instruction": "go"})


@pytest.mark.parametrize("protocol", FAMILIES)
def test_families_are_sound(protocol: str) -> None:
    for name, family in FAMILIES[protocol].items():
        assert family.name == name and (name == OWN or family.convention in CONVENTIONS)
        assert load_family(name, protocol) == family
    state = FAMILIES["openpi"]["aloha"].state["state"]
    assert state == convention("aloha").names


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", '"frame" is missing'),
        (LEAST + "colour = 1", '"colour" is unknown .*; known are frame, instruction'),
        (LEAST + "chunk = 0", '"chunk" must be a whole number'),
        (LEAST + "chunk = true", '"chunk" holds True; it must be a whole number'),
        (LEAST + "columns = [0, 1]", '"columns" names 2 numbers, but "libero" has 7'),
        (LEAST + 'columns = ["x"]', r'"columns\[0\]" holds .*; it must be a whole number'),
        (LEAST + "size = [224]", '"size" holds .*; it must be a list of 2 whole numbers'),
        (LEAST + "size = [0, 5]", '"size" must be a height and a width'),
        (LEAST + "rotate = 90", '"rotate" holds 90; it must be one of 0, 180'),
        (LEAST + "channels_first = 1", '"channels_first" holds 1; it must be true or false'),
        (LEAST + "constants = 3", "must be a table"),
        (
            LEAST + "constants = {c = 1979-05-27}",
            '"constants.c" holds .*; it must be a text or true or false or',
        ),
        (
            LEAST + "constants = {c = [[1]]}",
            '"constants.c" holds .*; it must be a text or true or false or',
        ),
        (LEAST + "constants = {a = 1}", '"a" is used for two things'),
        (LEAST + 'views = {b = "wrist"}', '"b" is used for two things'),
        (LEAST + 'state = {c = ["x"]}\nconstants = {c = 1}', '"c" is used for two things'),
        (LEAST + "views = {c = 1}", '"views.c" holds 1; it must be a text'),
        (LEAST + "views = 1", '"views" holds 1; it must be a table'),
        (LEAST + "state = {c = []}", 'the state "c" must be a list of names'),
        (LEAST + f"state = {{c = {['x'] * 101}}}", "up to 100 names"),
        (LEAST + "history = 0", '"history" must be a whole number from 1'),
        (LEAST + 'constants = {"a.b" = 1}', '"a" is used for two things'),
        (LEAST.replace("libero", "nobody"), 'no action convention "nobody"'),
        (LEAST.replace('"a"', "5"), '"frame" holds 5; it must be a text'),
        ("frame = ", "not valid TOML"),
    ],
)
def test_a_family_that_is_unsound(text: str, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=complaint):
        load_family(toml(tmp_path, text), "openpi")


def test_an_unknown_family_is_refused_with_the_known(tmp_path: Path) -> None:
    with pytest.raises(
        InputError,
        match='no policy family "bridge" for openpi: name worldgym, or a TOML file of your own',
    ):
        load_family("bridge", "openpi")
    with pytest.raises(InputError, match=r"none\.toml: cannot be read"):
        load_family(str(tmp_path / "none.toml"), "openpi")


def test_an_address_with_everything() -> None:
    text = "ws://[::1]:7777/p?family=droid&chunk=4&black=yes&timeout=2.5&patience=9&connections=3&key_env=KEY"
    address = Address.parse(text)
    assert address == Address(
        ServerAddress("ws", "::1", 7777, "/p", 2.5, 9.0, "KEY"), "droid", 4, True, False, 3
    )
    assert address.server.url == "ws://[::1]:7777/p" and address.protocol == "openpi"
    plain = Address.parse("https://example.org")
    assert (plain.server.url, plain.protocol, plain.server.secure) == (
        "https://example.org:8000/act",
        "openvla",
        True,
    )
    assert NAME.fullmatch(replace(plain, family="../?&.toml").default_name)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("ws://", "must look like"),
        ("ws://h:99999", "must look like"),
        ("ws://h:port", "must look like"),
        ("ws://me:secret@h", "without a user"),
        ("ws://h#x", "must look like"),
        ("ws://a..b:80", "must look like"),
        ("http://h/\u00e4", "plain characters"),
        ("ws://h?colour=red", 'the unknown option "colour"; options are family, chunk'),
        ("ws://h?chunk=1&chunk=2", "an option is given twice"),
        ("ws://h?chunk=0", 'chunk is "0"; give a whole number from 1'),
        ("ws://h?chunk=1e3", 'chunk is "1e3"; give a whole number'),
        ("ws://h?connections=65", 'connections is "65"; give a whole number from 1 to 64'),
        ("ws://h?timeout=0", 'timeout is "0"; give seconds above 0'),
        ("ws://h?timeout=nan", "give seconds above 0"),
        ("ws://h?black=perhaps", 'black is "perhaps"; give yes or no'),
        ("ws://h?family", "options look like"),
        ("ws://h?family=droid%23", 'no policy family "droid#"'),
    ],
)
def test_addresses_that_are_none(text: str, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        load_policy(text)


def test_the_key_comes_from_the_environment_and_stays_out_of_messages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    address = Address.parse("ws://h?key_env=MY_KEY")
    with pytest.raises(InputError, match="set the environment variable MY_KEY"):
        address.server.headers()
    monkeypatch.setenv("MY_KEY", "se cret")
    assert (
        address.server.headers() == {"Authorization": "Api-Key se cret"}
        and "se cret" not in f"{address} {address.server.url}"
    )
    monkeypatch.setenv("MY_KEY", "line\r\nbreak")
    with pytest.raises(InputError, match="plain characters"):
        address.server.headers()


def test_families_that_are_offered_can_be_served() -> None:
    assert choices("openvla").startswith(
        "bridge, libero, or a TOML file of your own (libero-oft, aloha-oft need a world that"
    )
    for protocol, families in FAMILIES.items():
        for family in families.values():
            offered = family.name in choices(protocol).partition(" (")[0].split(", ")
            needs = family.needs
            if family.own:
                continue
            if offered:
                check_needs("p", needs, load_convention(family.convention), [])
            else:
                with pytest.raises(InputError, match="needs the robot's state"):
                    check_needs(
                        "p",
                        replace(needs, blackened=needs.cameras[1:]),
                        load_convention(family.convention),
                        [],
                    )
