"""The judge behind a model server: what is sent, what is made of the answer, what it costs, and
every fault of a server."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from worldgym.errors import BudgetSpent, InputError, JudgeOutage, JudgeStopped
from worldgym.io.user_code import Failure
from worldgym.judges.judging import judge_each
from worldgym.judges.load_judge import load_judge
from worldgym.judges.vlm import VlmConfig, VlmJudge
from worldgym.testing import check_judge
from worldgym.types import Rollout, Verdict

MakeRollout = Callable[..., Rollout]
TOML = """
votes = 2
frames = "even:4"
rubric = "success"
cache = "votes"

[server]
model = "tiny-vlm"
base_url = "{url}"
temperature = 1
extra = {{top_k = 5}}

[price]
usd_per_million_input = 1.0
usd_per_million_output = 2
"""


def patient(config: VlmConfig, budget_usd: float | None = None) -> VlmJudge:
    """Waits between attempts for no time."""
    return VlmJudge(config, budget_usd, wait=lambda seconds: None)


def ask(judge: VlmJudge, rollout: Rollout) -> Verdict:
    return judge(rollout, rollout.trial.task)


def test_a_verdict_carries_everything_about_its_making(
    config: VlmConfig, model_server: Any, make_rollout: MakeRollout
) -> None:
    verdict = ask(patient(config), make_rollout())
    assert (verdict.score, verdict.probability) == (1.0, 1.0)
    assert verdict.reason == "3 of 3 votes: 1, 1, 1. the drawer is open"
    assert [(vote.score, vote.tokens_in, vote.tokens_out) for vote in verdict.votes] == [
        (1.0, 1000, 50)
    ] * 3
    assert verdict.cost_usd == verdict.paid_usd == pytest.approx(3 * 0.002)
    assert (
        verdict.provenance.items()
        >= {"model": "tiny-vlm", "served_as": ["tiny-vlm-7"], "frames": [0, 6]}.items()
    )
    assert len(verdict.provenance["prompt"]) == 16


def test_what_is_sent(config: VlmConfig, model_server: Any, make_rollout: MakeRollout) -> None:
    rollout = make_rollout()
    ask(patient(replace(config, frames="every:4", votes=1, frame_size=48)), rollout)
    (request,) = model_server.requests
    texts = [part["text"] for part in request["messages"][0]["content"] if part["type"] == "text"]
    urls = [
        part["image_url"]["url"]
        for part in request["messages"][0]["content"]
        if part["type"] == "image_url"
    ]
    assert "Instruction to the robot: open the drawer" in texts[0]
    assert texts[1:] == ["frame 0 of 6:", "frame 4 of 6:", "frame 6 of 6:"]
    images = [
        Image.open(io.BytesIO(base64.b64decode(url.removeprefix("data:image/png;base64,"))))
        for url in urls
    ]
    assert [image.size for image in images] == [(48, 32)] * 3
    schema = request["response_format"]["json_schema"]
    assert schema["strict"] and schema["schema"]["properties"]["verdict"]["enum"] == [
        "success",
        "failure",
        "cannot tell",
    ]
    assert "tools" not in request and "temperature" not in request


def test_pixels_arrive_unchanged(
    config: VlmConfig, model_server: Any, make_rollout: MakeRollout
) -> None:
    rollout = make_rollout()
    ask(patient(replace(config, frames="last", votes=1)), rollout)
    (url,) = [
        p["image_url"]["url"]
        for p in model_server.requests[0]["messages"][0]["content"]
        if p["type"] == "image_url"
    ]
    pixels = np.array(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))))
    assert np.array_equal(pixels, rollout.main[-1])


def test_the_views_that_it_names_are_shown_side_by_side(
    config: VlmConfig, model_server: Any, make_rollout: MakeRollout
) -> None:
    plain = make_rollout()
    both = np.concatenate([plain.frames, plain.frames[:, :, ::-1]], axis=1)
    rollout = replace(plain, frames=both, views=("front", "wrist"))
    asked = replace(config, frames="last", votes=1)
    two = patient(replace(asked, views=("wrist", "front")))
    assert two.name != patient(asked).name and "views" not in patient(asked).settings
    ask(two, rollout)
    (url,) = [
        p["image_url"]["url"]
        for p in model_server.requests[0]["messages"][0]["content"]
        if p["type"] == "image_url"
    ]
    pixels = np.array(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))))
    np.testing.assert_array_equal(pixels, np.concatenate([both[-1, 1], both[-1, 0]], axis=1))
    declined = ask(two, plain)
    assert declined.score is None and declined.reason == "the video has no view wrist, only main"


def test_a_repeated_run_costs_nothing(
    config: VlmConfig, model_server: Any, make_rollout: MakeRollout
) -> None:
    first = ask(patient(config), make_rollout())
    again = ask(patient(config), make_rollout())
    assert len(model_server.requests) == 3
    assert again == replace(first, paid_usd=0.0) and again.cost_usd > 0
    ask(patient(replace(config, votes=5)), make_rollout())
    assert len(model_server.requests) == 5  # only the two further votes are bought
    ask(patient(config), make_rollout(1))
    ask(patient(replace(config, server=replace(config.server, model="other"))), make_rollout())
    assert len(model_server.requests) == 11


def test_the_same_video_twice_at_once_is_bought_once(
    config: VlmConfig, model_server: Any, make_rollout: MakeRollout
) -> None:
    model_server.script = lambda request, number: model_server.said(kind="slow", seconds=0.1)
    verdicts = list(judge_each(patient(config), [make_rollout()] * 6))
    assert len(model_server.requests) == 3
    assert sum(
        verdict.paid_usd for verdict in verdicts if isinstance(verdict, Verdict)
    ) == pytest.approx(0.006)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"refusal": "I cannot help with that"}, "refused (3)"),
        ({"finish": "content_filter"}, "refused (3)"),
        ({"finish": "length", "text": '{"reasoning": "the dra'}, "cut off after 50 tokens (3)"),
        ({"text": "lovely video"}, "unreadable (3)"),
        ({"text": '{"verdict": "maybe"}'}, "unreadable (3)"),
        ({"text": "[" * 5000}, "unreadable (3)"),
        ({"text": ""}, "empty reply (3)"),
        ({"text": '{"reasoning": "dark", "verdict": "cannot tell"}'}, "cannot tell (3)"),
        (
            {"status": 400, "body": b'{"error": {"code": "content_filter", "message": "blocked"}}'},
            "refused (3)",
        ),
    ],
)
def test_no_answer_is_never_a_failure_of_the_robot(
    config: VlmConfig,
    model_server: Any,
    make_rollout: MakeRollout,
    fields: dict[str, Any],
    reason: str,
) -> None:
    model_server.script = lambda request, number: model_server.said(**fields)
    verdict = ask(patient(config), make_rollout())
    assert verdict.unscored and reason in verdict.reason
    assert all(vote.score is None and vote.reason for vote in verdict.votes)


FAULTS = [
    {"status": 429, "headers": {"retry-after": "0"}},
    {"status": 500},
    {"status": 503, "headers": {"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}},
    {"kind": "drop"},
    {"kind": "cut"},
    {"kind": "raw", "body": b"<html>gateway</html>"},
    {"kind": "raw", "body": b'{"error": "busy"}'},
    {"kind": "raw", "body": b'{"choices": []}'},
]


@pytest.mark.parametrize(
    "fault",
    FAULTS,
    ids=lambda fault: str(fault.get("status", fault.get("body", fault.get("kind")))),
)
def test_a_passing_fault_is_waited_out(
    config: VlmConfig, model_server: Any, make_rollout: MakeRollout, fault: dict[str, Any]
) -> None:
    model_server.script = lambda request, number: model_server.said(**(fault if number < 2 else {}))
    verdict = ask(patient(replace(config, votes=1)), make_rollout())
    assert verdict.score == 1.0 and len(model_server.requests) == 3
    assert verdict.cost_usd == pytest.approx(0.002)


def test_waits_grow_and_heed_the_server(
    config: VlmConfig, model_server: Any, make_rollout: MakeRollout
) -> None:
    waits: list[float] = []
    model_server.script = lambda request, number: model_server.said(
        status=429, headers={"retry-after": "7"} if number == 1 else {}
    )
    with pytest.raises(JudgeOutage, match="after 4 attempts"):
        ask(
            VlmJudge(
                replace(config, votes=1, server=replace(config.server, attempts=4)),
                wait=waits.append,
            ),
            make_rollout(),
        )
    assert 0.5 <= waits[0] <= 1.0 and waits[1] == 7.0 and 2.0 <= waits[2] <= 4.0


def test_a_server_that_asks_for_an_hour_is_down(
    config: VlmConfig, model_server: Any, make_rollout: MakeRollout
) -> None:
    model_server.script = lambda request, number: model_server.said(
        status=429, headers={"retry-after": "3600"}
    )
    with pytest.raises(JudgeOutage, match="after 1 attempts"):
        ask(patient(replace(config, votes=1)), make_rollout())


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_wrong_key_or_model_stops_and_is_not_shown(
    config: VlmConfig,
    model_server: Any,
    make_rollout: MakeRollout,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
) -> None:
    monkeypatch.setenv("MY_KEY", "sk-secret-123")
    model_server.script = lambda request, number: model_server.said(
        status=status, body=b'{"error": "bad key sk-secret-123"}'
    )
    judge = patient(replace(config, server=replace(config.server, api_key_env="MY_KEY")))
    with pytest.raises(JudgeStopped, match="refuses every question") as stop:
        list(judge_each(judge, [make_rollout()]))
    assert model_server.headers[0]["authorization"] == "Bearer sk-secret-123"
    assert "secret" not in f"{stop.value} {judge.name} {judge.settings}" and "[key]" in str(
        stop.value
    )


def test_a_server_without_schemas_is_asked_in_words(
    config: VlmConfig, model_server: Any, make_rollout: MakeRollout
) -> None:
    text = "**Verdict**: success"

    def script(request: dict[str, Any], number: int) -> Any:
        return (
            model_server.said(status=400, body=b"no response_format")
            if "response_format" in request
            else model_server.said(text=text)
        )

    model_server.script = script
    judge = patient(replace(config, server=replace(config.server, concurrency=1)))
    assert ask(judge, make_rollout()).score == 1.0
    assert len(model_server.requests) == 4  # the schema is tried once


def test_a_rejected_question_is_an_outage(
    config: VlmConfig, model_server: Any, make_rollout: MakeRollout
) -> None:
    model_server.script = lambda request, number: model_server.said(
        status=400, body=b"too many images"
    )
    (failure,) = judge_each(patient(config), [make_rollout()])
    assert isinstance(failure, Failure) and "too many images" in failure.reason


def test_a_reply_without_end_is_cut(
    config: VlmConfig, model_server: Any, make_rollout: MakeRollout
) -> None:
    model_server.script = lambda request, number: model_server.said(
        **({"text": "x" * 5_000_000} if number == 0 else {})
    )
    assert ask(patient(replace(config, votes=1)), make_rollout()).score == 1.0
    assert len(model_server.requests) == 2


def test_a_budget_stops_before_it_is_overrun(
    config: VlmConfig, model_server: Any, make_rollout: MakeRollout
) -> None:
    serial = replace(config, server=replace(config.server, concurrency=1))
    judge = patient(serial, budget_usd=0.013)  # six votes of 0.002, and no seventh
    done: list[Any] = []
    with pytest.raises(BudgetSpent, match=r"0\.013 USD is spent .*--budget"):
        for verdict in judge_each(judge, [make_rollout(i) for i in range(5)]):
            done.append(verdict)
    assert [verdict.score for verdict in done[:2]] == [1.0, 1.0] and len(model_server.requests) == 6
    assert [type(verdict) for verdict in done[2:]] == [Failure] * 3
    assert [
        v.paid_usd for v in judge_each(patient(serial, 0.0), [make_rollout(0), make_rollout(1)])
    ] == [0.0, 0.0]


def test_a_budget_needs_prices_and_counts(
    config: VlmConfig, model_server: Any, make_rollout: MakeRollout
) -> None:
    with pytest.raises(InputError, match="needs prices"):
        patient(replace(config, price=type(config.price)()), budget_usd=1.0)
    with pytest.raises(InputError, match="give 0 or more"):
        patient(config, budget_usd=float("nan"))
    model_server.script = lambda request, number: model_server.said(usage=False)
    with pytest.raises(JudgeStopped, match="tokens"):
        ask(patient(config, budget_usd=1.0), make_rollout())


def test_read_from_a_file(model_server: Any, make_rollout: MakeRollout, tmp_path: Path) -> None:
    path = tmp_path / "judge.toml"
    path.write_text(TOML.format(url=model_server.url))
    judge = load_judge(path)
    check_judge(judge, make_rollout(), make_rollout().trial.task)
    assert judge.name.startswith("vlm:tiny-vlm:") and (tmp_path / "votes").is_dir()
    assert model_server.requests[0]["top_k"] == 5 and model_server.requests[0]["temperature"] == 1
    path.write_text(TOML.format(url="http://elsewhere:1/v1"))
    assert load_judge(path).name == judge.name  # the address is no part of what it is
    path.write_text(TOML.format(url=model_server.url).replace("votes = 2", "votes = 3"))
    assert load_judge(path).name != judge.name


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("votes = 2", "vote = 2", '"vote" is unknown'),
        ("votes = 2", 'votes = "2"', "\"votes\" holds '2'; it must be a whole number"),
        ("votes = 2", "votes = 0", "votes is 0"),
        (
            "votes = 2",
            'votes = 2\nviews = ["a", "b", "a"]',
            "views are a, b, a; name each camera once",
        ),
        ("votes = 2", "votes = ", "not valid TOML"),
        ("even:4", "even:0", "even:0"),
        ('"success"', '"vibes"', "vibes"),
        ('model = "tiny-vlm"', "", '"server.model" is missing'),
        ("{url}", "ftp://x", "base_url"),
        ("{url}", "http://me:pw@x/v1", "base_url"),
        ("temperature = 1", 'provider = "acme"', "acme"),
        ("usd_per_million_output = 2", "", "usd_per_million_output"),
        ("[server]", "[sever]", r'"sever" is unknown .did you mean server'),
        ("temperature = 1", 'api_key_env = "NOT_SET_ANYWHERE"', "NOT_SET_ANYWHERE"),
        ('cache = "votes"', 'prompt = "none.txt"', "none.txt"),
    ],
)
def test_a_wrong_description_is_named(tmp_path: Path, old: str, new: str, fault: str) -> None:
    pytest.importorskip("openai", reason="the extra [openai] is not installed")
    path = tmp_path / "judge.toml"
    path.write_text(TOML.replace(old, new).format(url="http://127.0.0.1:1/v1"))
    with pytest.raises(InputError, match=fault):
        load_judge(path)


def test_a_prompt_of_ones_own(
    config: VlmConfig, model_server: Any, make_rollout: MakeRollout, tmp_path: Path
) -> None:
    mine = tmp_path / "mine.txt"
    mine.write_text("Did it $instruction? That costs $$5. $form")
    judge = patient(replace(config, prompt=mine))
    assert judge.name != patient(config).name
    ask(judge, make_rollout())
    assert model_server.requests[0]["messages"][0]["content"][0]["text"].startswith(
        "Did it open the drawer? That costs $5. {"
    )
    for text, fault in (("no placeholder", r"\$instruction"), ("$instruction $colour", "colour")):
        mine.write_text(text)
        with pytest.raises(InputError, match=fault):
            ask(patient(replace(config, prompt=mine)), make_rollout())


def faulty(request: dict[str, Any], number: int, server: Any) -> Any:
    """By the number of the request, so that a retry meets another fault: 45 % are whole answers."""
    draw = float(np.random.default_rng([9, number]).random())
    faults: list[tuple[float, dict[str, Any]]] = [
        (0.12, {"status": 429, "headers": {"retry-after": "0.01"}}),
        (0.22, {"status": 500}),
        (0.30, {"kind": "drop"}),
        (0.36, {"kind": "cut"}),
        (0.42, {"kind": "raw", "body": b"\x00garbage"}),
        (0.44, {"kind": "slow", "seconds": 3.0}),
        (0.48, {"refusal": "no"}),
        (0.52, {"finish": "length", "text": '{"reasoning": "the'}),
        (0.55, {"text": "The robot seems happy."}),
    ]
    return server.said(**next((fields for limit, fields in faults if draw < limit), {}))


@pytest.mark.parametrize("videos", [8, pytest.param(100, marks=pytest.mark.slow)])
def test_five_votes_each_of_a_server_with_every_fault(
    config: VlmConfig, model_server: Any, make_rollout: MakeRollout, videos: int
) -> None:
    """100 videos are 500 votes: none counts against the robot, none is lost, no answer is charged
    twice."""
    model_server.script = lambda request, number: faulty(request, number, model_server)
    server = replace(config.server, attempts=40, timeout_seconds=2.0, seed=0)
    config = replace(config, votes=5, server=server)
    rollouts = [make_rollout(i) for i in range(videos)]
    verdicts = list(judge_each(judge := patient(config), rollouts))
    assert not [verdict for verdict in verdicts if isinstance(verdict, Failure)]
    assert len(verdicts) == videos
    # every whole answer says success
    assert all(verdict.score in (1.0, None) for verdict in verdicts)
    assert (
        all(verdict.reason for verdict in verdicts)
        and sum(verdict.score == 1.0 for verdict in verdicts) > videos / 2
    )
    votes = [vote for verdict in verdicts for vote in verdict.votes]
    assert len(votes) == 5 * videos and all(vote.score == 1.0 or vote.reason for vote in votes)
    # an answer that cannot be read is asked once more, and both are paid
    answers = len(list((config.cache or Path()).rglob("*.json")))
    assert len(votes) <= answers < 1.1 * len(votes)
    assert judge.client.ledger.paid_usd == pytest.approx(0.002 * answers)
    assert sum(verdict.cost_usd for verdict in verdicts) == pytest.approx(0.002 * answers)
    before = len(model_server.requests)
    again = list(judge_each(patient(config), rollouts))
    assert len(model_server.requests) == before
    assert again == [replace(verdict, paid_usd=0.0) for verdict in verdicts]


def test_gemini_speaks_its_own_protocol(
    config: VlmConfig, model_server: Any, make_rollout: MakeRollout
) -> None:
    pytest.importorskip("google.genai", reason="the extra [gemini] is not installed")
    server = replace(
        config.server,
        provider="gemini",
        base_url=model_server.url.removesuffix("/v1"),
        seed=3,
        max_tokens=99,
    )
    faults = [
        {"status": 429, "headers": {"retry-after": "0"}, "body": b"{}"},
        {"kind": "drop"},
        {"kind": "cut"},
        {"kind": "raw", "body": b"<p>"},
    ]
    model_server.script = lambda request, number: model_server.said(
        **(faults[number] if number < len(faults) else {})
    )
    verdict = ask(patient(replace(config, server=server, votes=1)), make_rollout())
    assert (
        verdict.score == 1.0
        and verdict.votes[0].tokens_in == 1000
        and verdict.provenance["served_as"] == ["tiny-7"]
    )
    request = model_server.requests[-1]
    assert len(model_server.requests) == len(faults) + 1
    generation = request["generationConfig"]
    assert (generation["seed"], generation["maxOutputTokens"], generation["responseMimeType"]) == (
        3,
        99,
        "application/json",
    )
    assert [sorted(part) for part in request["contents"][0]["parts"]] == [
        ["text"],
        ["text"],
        ["inlineData"],
        ["text"],
        ["inlineData"],
    ]
    for fields, reason in (
        ({"finish": "safety"}, "refused"),
        ({"finish": "max_tokens"}, "cut off"),
    ):
        model_server.script = lambda request, number, fields=fields: model_server.said(**fields)  # type: ignore[misc]
        assert (
            reason
            in ask(
                patient(replace(config, server=server, votes=1)), make_rollout(hash(reason) % 1000)
            ).reason
        )
    model_server.script = lambda request, number: model_server.said(
        status=400, body=b'{"error": {"message": "API_KEY_INVALID"}}'
    )
    with pytest.raises(JudgeStopped):
        ask(patient(replace(config, server=server, votes=1)), make_rollout(5))


def test_a_missing_library_names_the_extra(
    config: VlmConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    from worldgym.errors import MissingExtra

    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(MissingExtra, match=r"worldgym\[openai\]"):
        patient(config)


def test_a_key_goes_to_no_address_that_it_was_not_named_for(
    config: VlmConfig, model_server: Any, make_rollout: MakeRollout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-123")
    ask(patient(config), make_rollout())
    assert config.server.base_url and not any(
        "secret" in str(headers) for headers in model_server.headers
    )


def test_keys_stay_out_of_the_cache(
    config: VlmConfig, model_server: Any, make_rollout: MakeRollout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", "sk-secret-123")
    ask(
        patient(replace(config, server=replace(config.server, api_key_env="MY_KEY"))),
        make_rollout(),
    )
    texts = [path.read_text() for path in (config.cache or Path()).rglob("*.json")]
    assert len(texts) == 3 and not any("secret" in text for text in texts)
    assert json.loads(texts[0])["model"] == "tiny-vlm-7"


def test_before_the_first_frame_a_judge_says_what_it_cannot_be_asked(
    config: VlmConfig,
    model_server: Any,
    make_rollout: MakeRollout,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    short, long = make_rollout().trial.task, make_rollout(steps=200).trial.task
    patient(replace(config, frames="every:3")).check([short])
    assert capsys.readouterr().err == ""
    patient(replace(config, frames="every:3")).check([short, long])
    assert (
        'the judge is shown 64 frames of 201, evenly spaced: "every:3" picks 68'
        in capsys.readouterr().err
    )
    assert (
        len(
            ask(
                patient(replace(config, frames="every:3", votes=1)), make_rollout(steps=200)
            ).provenance["frames"]
        )
        == 64
    )
    with pytest.raises(InputError, match='task drawer/0, "rubric": missing'):
        patient(replace(config, rubric="criteria")).check([short])
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        patient(replace(config, cache=tmp_path / "file")).check([short])
    (tmp_path / "prompt.txt").write_text("$instruction $colour")
    with pytest.raises(InputError, match="colour"):
        patient(replace(config, prompt=tmp_path / "prompt.txt")).check([short])


def test_other_bounds_are_other_judges_but_the_usual_one_keeps_its_name(
    config: VlmConfig, model_server: Any
) -> None:
    assert "max_frames" not in patient(config).settings  # runs of before bounds were settings go on
    assert patient(replace(config, max_frames=32)).name != patient(config).name


def test_progress_along_time_is_one_question_more(
    config: VlmConfig, model_server: Any, make_rollout: MakeRollout
) -> None:
    def script(request: dict[str, Any], number: int) -> Any:
        text = json.dumps(request["messages"])
        said = '{"reasoning": "", "frame_0": 0, "frame_3": 40, "frame_6": 80}'
        return model_server.said(text=said if "frame_3" in text else SUCCESS)

    model_server.script = script
    judge = patient(replace(config, curve=3))
    verdict = ask(judge, make_rollout())
    assert verdict.score == 1.0 and len(verdict.votes) == 3
    assert verdict.curve == ((0, 0.0, None), (3, 0.4, None), (6, 0.8, None))
    assert len(model_server.requests) == 4
    assert verdict.paid_usd == verdict.cost_usd == pytest.approx(4 * 0.002)
    assert judge.name != patient(config).name and ask(judge, make_rollout()).paid_usd == 0.0


@pytest.mark.parametrize("unreadable", ["frame_0", "frame_3", "frame_6"])
def test_a_frame_that_cannot_be_read_is_asked_for_again(
    config: VlmConfig, model_server: Any, make_rollout: MakeRollout, unreadable: str
) -> None:
    good = {"reasoning": "", "frame_0": 0, "frame_3": 40, "frame_6": 80}
    asked = list[dict[str, Any]]()

    def script(request: dict[str, Any], number: int) -> Any:
        if "frame_3" not in json.dumps(request["messages"]):
            return model_server.said(text=SUCCESS)
        asked.append(request)
        said = {**good, unreadable: 1} if len(asked) == 1 else good  # 1 % or all of it?
        return model_server.said(text=json.dumps(said))

    model_server.script = script
    verdict = ask(patient(replace(config, curve=3)), make_rollout())
    assert verdict.curve == ((0, 0.0, None), (3, 0.4, None), (6, 0.8, None)) and len(asked) == 2


def test_progress_that_cannot_be_read_leaves_the_verdict(
    config: VlmConfig, model_server: Any, make_rollout: MakeRollout
) -> None:
    model_server.script = lambda request, number: model_server.said(text=SUCCESS)
    verdict = ask(patient(replace(config, curve=2)), make_rollout())
    assert verdict.score == 1.0 and verdict.curve == ()
    with pytest.raises(InputError, match="curve is 1"):
        replace(config, curve=1)


SUCCESS = '{"reasoning": "", "verdict": "success"}'
