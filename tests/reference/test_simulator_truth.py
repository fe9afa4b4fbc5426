import importlib.util
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

# importing it here would choose the renderer before the simulator does
if importlib.util.find_spec("metaworld") is None:
    pytest.skip("needs the simulator: pip install 'worldgym[reference]'", allow_module_level=True)

from worldgym.errors import InputError
from worldgym.io.bundled import BUNDLE
from worldgym.reference.simulator_truth import (
    TrueScore,
    TruthConfig,
    _jobs,
    to_csv,
    truth,
    write_tasks,
)
from worldgym.tasks.task_folder import load_tasks, load_truth

pytestmark = pytest.mark.reference


def config(out: Path) -> TruthConfig:
    return TruthConfig(
        out, ("still", "random"), (20000, 20001), ("drawer-open",), steps=3, videos=1, workers=1
    )


def test_scores_videos_and_resumption(tmp_path: Path) -> None:
    scores = truth(config(tmp_path))
    assert [(score.policy, score.task) for score in scores] == [
        ("random", "drawer-open/20000"),
        ("random", "drawer-open/20001"),
        ("still", "drawer-open/20000"),
        ("still", "drawer-open/20001"),
    ]
    assert load_truth(tmp_path / "truth.csv")[("still", "drawer-open/20000")] is False
    assert (tmp_path / "videos" / "still" / "drawer-open" / "20000.mp4").exists()
    assert not (tmp_path / "videos" / "still" / "drawer-open" / "20001.mp4").exists()

    whole, partial = (tmp_path / "truth.csv").read_bytes(), tmp_path / "partial.jsonl"
    partial.write_text(partial.read_text()[:-20])  # as a kill would leave it
    (tmp_path / "truth.csv").unlink()
    truth(config(tmp_path))
    assert (tmp_path / "truth.csv").read_bytes() == whole
    assert len(partial.read_text().splitlines()) == 4
    assert all(json.loads(line)["key"][3] == 3 for line in partial.read_text().splitlines())

    assert len(truth(replace(config(tmp_path), seeds=(20000,), policies=("still",)))) == 1
    assert (tmp_path / "truth.csv").read_bytes() == whole  # what others asked for stays
    longer = truth(replace(config(tmp_path), seeds=(20000,), policies=("still",), steps=4))
    assert (tmp_path / "truth.csv").read_text().splitlines()[1:] == to_csv(longer).splitlines()[1:]


def test_one_process_finds_what_workers_find(tmp_path: Path) -> None:
    found = [
        truth(replace(config(tmp_path / on), on=on, workers=2)) for on in ("local", "processes")
    ]
    assert found[0] == found[1]
    videos = [
        {str(p.relative_to(tmp_path / on)): p.read_bytes() for p in (tmp_path / on).rglob("*.mp4")}
        for on in ("local", "processes")
    ]
    assert videos[0] == videos[1] and len(videos[0]) == 2


def test_wrong_input_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match='no task "fly"'):
        truth(replace(config(tmp_path), tasks=("fly",)))
    with pytest.raises(InputError, match='two policies are called "still"'):
        truth(replace(config(tmp_path), policies=("still", "still")))


@pytest.mark.parametrize("name", ["bc-chunk4", "bc-large"])
def test_the_truth_is_that_of_the_bundle(tmp_path: Path, name: str) -> None:
    """Scored by an earlier loop, episode by episode: the same successes at the same steps."""
    asked = ("drawer-close", "button-press")
    policy = str(BUNDLE / "policies" / name)
    found = truth(TruthConfig(tmp_path, (policy,), (10000, 10001), asked, workers=1))
    bundled = (BUNDLE / "tasks" / "truth.csv").read_text().splitlines()
    lines = to_csv(found).splitlines()[1:]
    assert len(lines) == 4 and set(lines) <= set(bundled)


def test_task_folder_is_readable(tmp_path: Path) -> None:
    names = write_tasks(tmp_path, [20000, 20001], ["drawer-open"])
    tasks = load_tasks(tmp_path)
    assert [task.name for task in tasks] == names == ["drawer-open/20000", "drawer-open/20001"]
    assert (tasks[0].group, tasks[0].instruction, tasks[0].steps) == (
        "drawer-open",
        "open the drawer",
        40,
    )
    assert tasks[0].frame.shape == (96, 96, 3)


def test_csv_form() -> None:
    scores = [TrueScore("p", "a/1", "a", True, 7), TrueScore("p", "a/2", "a", False, None)]
    assert (
        to_csv(scores) == "policy,task,group,success,first_success_step\np,a/1,a,1,7\np,a/2,a,0,\n"
    )


OWN = """
from dataclasses import replace
from worldgym.reference.reference_tasks import METAWORLD_SPEC
from worldgym.testing import FakePolicy

def opt(go="0"):
    return FakePolicy(level=float(go), name="opt", spec=METAWORLD_SPEC)
"""


def test_results_of_other_options_or_code_are_not_reused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "mine_of_truth.py"
    module.write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def key(policy: str) -> object:
        (job,) = _jobs(TruthConfig(tmp_path, (policy,), (20000,), ("drawer-open",), steps=3))
        return job.key

    first = [key(f"mine_of_truth:opt?go={go}") for go in (0, 1)]
    assert key("mine_of_truth:opt?go=1") == first[1] != first[0]
    module.write_text(OWN + "# changed")
    assert key("mine_of_truth:opt?go=1") != first[1]
    assert key("calm=still") != key("calm=random")
