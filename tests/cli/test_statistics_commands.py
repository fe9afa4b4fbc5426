"""The commands of the statistics, from files to numbers and sentences; none of them needs torch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from worldgym.cli import main
from worldgym.io.run_log import RunLog, read_log
from worldgym.io.run_records import RunHeader, TrialRecord

COUNTS = "policy,task,trials,successes\n"


def table(path: Path, rates: dict[tuple[str, str], int]) -> str:
    path.write_text(
        COUNTS + "".join(f"{policy},{task},10,{k}\n" for (policy, task), k in rates.items())
    )
    return str(path)


def run_folder(folder: Path, frames: int = 40) -> Path:
    header = RunHeader(
        {}, "worldgym evaluate", ({"name": "poor"}, {"name": "good"}), "w", "j", 0, {}, ""
    )
    log = RunLog.open(folder, header)
    for policy, wins in (("poor", 1), ("good", 4)):
        for i in range(frames):
            log.append(
                TrialRecord(policy, f"door/{i}", "door", "open it", 0, i, score=float(i % 5 < wins))
            )
    return folder


def said(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    main(words)
    return capsys.readouterr().out


def fails(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2
    return capsys.readouterr().err


def test_agreement(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cells = {
        (policy, f"t{i}"): (i + bonus) % 11
        for policy, bonus in (("a", 0), ("b", 3))
        for i in range(6)
    }
    world, real = (
        table(tmp_path / "w.csv", cells),
        table(tmp_path / "r.csv", cells | {("c", "t0"): 5}),
    )
    words = ["agreement", "--predicted", world, "--real", real]
    answer = json.loads(said([*words, "--json"], capsys))
    assert (answer["n"], answer["pearson"], answer["mmrv"], answer["unpaired"]) == (
        12,
        pytest.approx(1),
        0,
        {"world": 0, "real": 1},
    )
    assert answer["noise_ceiling"].keys() == {"least", "most", "unlimited"}
    apart = json.loads(said([*words, "--separate-frames", "--json"], capsys))["noise_ceiling"]
    assert apart["most"] == apart["least"] == answer["noise_ceiling"]["least"]
    assert answer["mmrv_variants"] == {"simpler": 0, "simpler-code": 0, "reversals": 0}
    assert "12 cells" in said(words, capsys)


def test_the_published_points(
    sample_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import csv

    paths = []
    with (sample_data / "published" / "worldgym_scatter_points.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for name, column in (("w", "wm_successes"), ("r", "real_successes")):
        paths.append(tmp_path / f"{name}.csv")
        with paths[-1].open("w", newline="") as file:
            csv.writer(file).writerows(
                [
                    ["policy", "task", "trials", "successes"],
                    *([r["policy"], r["task"], r["n_trials"], r[column]] for r in rows),
                ]
            )
    answer = json.loads(
        said(["agreement", "--predicted", str(paths[0]), "--real", str(paths[1]), "--json"], capsys)
    )
    known = {
        "n": 51,
        "pearson": 0.785,
        "spearman": 0.740,
        "policy_centred_pearson": 0.465,
        "policy_mean_only_pearson": 0.752,
    }
    assert {key: answer[key] for key in known} == pytest.approx(known, abs=5e-4)
    assert answer["mean_abs_gap"] == pytest.approx(3.33, abs=5e-3) and answer["mmrv"] == 0
    assert answer["policy_mean_only_pearson_real_means"] == pytest.approx(0.758, abs=5e-4)
    ceiling = [answer["noise_ceiling"]["least"][key] for key in ("mean", "low", "high")]
    assert ceiling == pytest.approx([0.87, 0.78, 0.93], abs=0.01)


def test_agreement_without_a_common_cell(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world, real = (
        table(tmp_path / "w.csv", {("a", "t"): 1}),
        table(tmp_path / "r.csv", {("a", "u"): 1}),
    )
    assert "share no policy and task" in fails(
        ["agreement", "--predicted", world, "--real", real], capsys
    )


def test_compare(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = str(run_folder(tmp_path / "run"))
    assert "good against poor: good is better, +60.0 points" in said(["compare", run], capsys)
    answer = json.loads(said(["compare", run, "--json"], capsys))
    assert answer["comparisons"][0]["n"] == 40 and answer["ranking"]["policies"] == ["poor", "good"]
    assert f"give one of them: {run}" in fails(["compare", str(tmp_path)], capsys)


def ends(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[object, str]:
    """(exit code, output)."""
    with pytest.raises(SystemExit) as stop:
        main(words)
    return stop.value.code, capsys.readouterr().out


def test_compare_tells_whether_to_stop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, text = ends(["compare", str(run_folder(tmp_path / "run")), "--until-decided"], capsys)
    assert code == 0 and "good is better, decided after" in text
    code, text = ends(
        ["compare", str(run_folder(tmp_path / "short", frames=5)), "--until-decided"], capsys
    )
    assert code == 1 and "good against poor: not decided after 5 initial frames" in text
    code, text = ends(["compare", str(tmp_path / "short"), "--until-decided", "--json"], capsys)
    assert code == 1 and json.loads(text)["comparisons"][0]["sequential"]["winner"] is None
    one = RunLog.open(
        tmp_path / "one",
        RunHeader({}, "worldgym evaluate", ({"name": "only"},), "w", "j", 0, {}, ""),
    )
    one.append(TrialRecord("only", "door/0", "door", "open it", 0, 0, score=1.0))
    assert "single policy" in fails(["compare", str(tmp_path / "one"), "--until-decided"], capsys)


def test_compare_is_a_gate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = str(run_folder(tmp_path / "run"))
    code, text = ends(["compare", run, "--baseline", "poor"], capsys)
    assert code == 0 and text.startswith("Passes: in the world model")
    code, text = ends(["compare", run, "--baseline", "good", "--json"], capsys)
    assert code == 1 and json.loads(text)["answers"][0]["answer"] == "fails"
    assert ends(["compare", run, "--baseline", "good", "--margin", "0.9"], capsys)[0] == 0
    assert ends(["compare", run, "--baseline", "poor", "--equivalent"], capsys)[0] == 1
    for words, said in (
        (["--baseline", "nobody"], "no policy"),
        (["--baseline", "good", "--margin", "5"], "--margin"),
        (["--baseline", "good", "--until-decided"], "one of them"),
        (["--equivalent"], "--baseline"),
    ):
        assert said in fails(["compare", run, *words], capsys)


def test_compare_leaves_out_what_the_report_leaves_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Edited twins enter no comparison, and neither do the tasks that a trust report of the world
    calls red."""
    run = run_folder(tmp_path / "run")
    log = RunLog.open(run, read_log(run / "log.jsonl")[0])
    for i in range(40):
        twin = TrialRecord(
            "poor",
            f"edited/{i}",
            "door",
            "open it",
            0,
            i,
            score=1.0,
            nominal=f"door/{i}",
            axis="colour",
        )
        log.append(twin)
    summary = json.loads(said(["report", str(run), "--json"], capsys))
    answer = json.loads(said(["compare", str(run), "--json"], capsys))
    assert (
        answer["comparisons"] == summary["comparisons"] and answer["ranking"] == summary["ranking"]
    )
    assert answer["comparisons"][0]["n"] == 40
    check = {"world": "w", "tasks": {"door": {"colour": "red", "reason": "it ignores the hand"}}}
    (run / "trust.json").write_text(json.dumps(check))
    assert json.loads(said(["compare", str(run), "--json"], capsys))["trust"]["left_out"] == [
        "door"
    ]


def test_estimate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, real = str(run_folder(tmp_path / "run", 200)), tmp_path / "real.csv"
    real.write_text(
        "policy,task,success\n" + "".join(f"good,door/{i},{int(i % 5 < 4)}\n" for i in range(30))
    )
    words = ["estimate", run, "--real", str(real)]
    (answer,) = json.loads(said([*words, "--json"], capsys))["estimates"]
    assert (answer["n"], answer["paired"], answer["N"], answer["helps"]) == (30, 30, 170, True)
    assert (
        answer["real_low"] < answer["low"] < answer["real"] < answer["high"] < answer["real_high"]
    )
    assert "r within tasks" in said(words, capsys)
    assert "r over all tasks" in said([*words, "--mixture"], capsys)
    assert "level" in fails([*words, "--level", "95"], capsys)
    real.write_text("policy,task,success\nsomebody,door/1,1\n")
    assert "somebody" in fails(words, capsys)


def test_plan(capsys: pytest.CaptureFixture[str]) -> None:
    assert json.loads(said(["plan", "--width", "0.2", "--json"], capsys))["for_width"] == 93
    assert "McNemar" in said(["plan", "--a", "0.6", "--b", "0.75"], capsys)
    assert "nothing to plan" in fails(["plan"], capsys)
    assert "between -1 and 1" in fails(
        ["plan", "--a", "0.6", "--b", "0.75", "--correlation", "nan"], capsys
    )
    assert "--generated" in fails(["plan", "--width", "0.2", "--real-correlation", "0.7"], capsys)


def test_statistics_need_no_torch() -> None:
    program = (
        "import sys; from worldgym.cli import main; main(['plan', '--width', '0.2']); "
        "print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "False"
