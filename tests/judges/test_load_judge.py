"""Judges by name: what a name stands for, and one sentence for what is no judge."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from worldgym.errors import InputError
from worldgym.io.run_log import LOG_NAME, read_header
from worldgym.io.user_factory import digest_of_code
from worldgym.judges.load_judge import LATER, load_judge
from worldgym.testing import FakeJudge, check_judge
from worldgym.types import Rollout, Task, Trial

MODULE = """
from worldgym.testing import FakeJudge

def make(threshold="0.5"):
    return FakeJudge(float(threshold), name="mine")

def nothing():
    return None

class Silent:
    name, concurrency, settings = "silent", 1, {}

def never():
    return FakeJudge(concurrency=0)
"""
FRAME = np.zeros((8, 12, 3), np.uint8)
TASK = Task("a/1", "a", FRAME, "push", 2)
DOCS = Path(__file__).parents[2] / "docs" / "judges.md"


def rollout() -> Rollout:
    frames = np.zeros((3, 1, 8, 12, 3), np.uint8)
    return Rollout(Trial(TASK, 0, 0), "p", frames, np.zeros((2, 3), np.float32))


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "my_judges.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(__import__("sys").modules, "my_judges", raising=False)
    return "my_judges"


def test_a_judge_of_ones_own_is_made_by_its_factory(module: str, tmp_path: Path) -> None:
    source = Path(f"{module}:make?threshold=0.25")
    judge = load_judge(source)
    assert judge == FakeJudge(0.25, name="mine")
    code = digest_of_code("judge", source, judge)
    assert (
        len(code) == 12
        and digest_of_code("judge", "bundled", judge) == digest_of_code("judge", LATER, judge) == ""
    )
    (tmp_path / "my_judges.py").write_text(MODULE + "\nMORE = 1\n", encoding="utf-8")
    assert (
        digest_of_code("judge", source, judge) != code
    )  # another run: its log is not gone on with
    with pytest.raises(InputError, match="this judge costs nothing; remove --budget"):
        load_judge(source, budget_usd=1.0)


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("nothing", 'returned NoneType, whose "name" cannot be read'),
        ("Silent", 'returned Silent, which has no method "__call__"'),
        ("never", 'whose "concurrency" is 0; give 1 or more'),
        ("absent", 'has no function "absent"; it has make'),
        ("make?labels=my.jsonl", 'unknown option "labels"; options are threshold'),
        ("make?labels=my.toml", 'unknown option "labels"; options are threshold'),
    ],
)
def test_what_is_no_judge_is_said_in_one_sentence(module: str, place: str, words: str) -> None:
    with pytest.raises(InputError) as error:
        load_judge(f"{module}:{place}")
    assert words in str(error.value) and str(error.value).startswith(f'judge "{module}:{place}"')


@pytest.mark.parametrize(
    ("name", "hint"), [("bundeld", " (did you mean bundled?)"), ("latr", " (did you mean later?)")]
)
def test_a_name_that_is_none_lists_what_a_judge_may_be(name: str, hint: str) -> None:
    kinds = (
        'folder of a checkpoint, "bundled", a judge.toml .*, labels.jsonl .*, "later", or MODULE'
    )
    with pytest.raises(InputError, match=re.escape(f'no judge "{name}"{hint}') + f": .*{kinds}"):
        load_judge(name)


def test_the_example_of_the_docs_is_a_judge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)[:1]
    (tmp_path / "my_judge_of_docs.py").write_text(example, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    judge = load_judge("my_judge_of_docs:make?threshold=0.5")
    check_judge(judge, rollout(), TASK)


def test_a_run_keeps_which_judge_it_was(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from worldgym.cli import main

    words = ["evaluate", "--world", "worldgym.testing:FakeWorld", "--policy"]
    words += ["worldgym.testing:FakePolicy", "--judge", f"{module}:make", "--trials", "1"]
    from worldgym.tasks.write_tasks import write_task
    from worldgym.testing import FakeWorld

    frame = np.zeros(FakeWorld().frame_shape, np.uint8)
    write_task(tmp_path / "tasks", Task("a/1", "a", frame, "push", 2))
    main([*words, "--tasks", str(tmp_path / "tasks"), "--out", str(tmp_path / "run")])
    header = read_header(tmp_path / "run" / LOG_NAME)
    assert header.judge == "mine" and len(header.config["judge_code"]) == 12
