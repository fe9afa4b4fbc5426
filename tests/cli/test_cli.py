"""The command line: bad input gets one sentence and exit code 2; help opens without torch."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import worldgym
from worldgym.cli import main
from worldgym.cli.catalogue import commands, entries
from worldgym.evaluation.rejudge import clips_of_run
from worldgym.io.bundled import BUNDLE
from worldgym.judges.labels import Label, append_label, frames_digest

pytestmark = pytest.mark.skipif(not (BUNDLE / "world").exists(), reason="no bundle yet")
Arguments = Callable[..., list[str]]


def write_task(folder: Path, height: int = 96, **changes: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((height, 96, 3), np.uint8)).save(folder / "one.png")
    (folder / "one.json").write_text(
        json.dumps({"instruction": "open the drawer", "steps": 2} | changes)
    )


@pytest.fixture
def arguments(unpacked_bundle: Path) -> Arguments:
    """arguments(tasks, out, **changes): words of an evaluation in the bundled world."""

    def words(tasks: Path, out: Path, **changes: str) -> list[str]:
        given = {"world": unpacked_bundle / "world", "judge": unpacked_bundle / "judge"}
        options = {**given, "policy": "still", "tasks": tasks, "trials": 1, "out": out, **changes}
        return [
            "evaluate",
            *(str(word) for key, value in options.items() for word in (f"--{key}", value)),
        ]

    return words


def fails(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2
    message = capsys.readouterr().err.strip()
    assert message.startswith("worldgym: ") and "Traceback" not in message
    return message


def test_evaluate_report_and_resume(
    arguments: Arguments, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_task(tmp_path / "tasks")
    words = arguments(tmp_path / "tasks", tmp_path / "run")
    main([*words, "--json"])
    first = json.loads(capsys.readouterr().out)
    assert first["cells"][0]["policy"] == "still"
    main([*words, "--json"])
    assert json.loads(capsys.readouterr().out)["cells"] == first["cells"]
    assert "<html" in (tmp_path / "run" / "report.html").read_text()
    main(["report", str(tmp_path / "run"), "--json"])
    assert json.loads(capsys.readouterr().out)["cells"] == first["cells"]


def test_missing_image(
    arguments: Arguments, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_task(tmp_path / "tasks")
    (tmp_path / "tasks" / "one.png").unlink()
    assert "one.png" in fails(arguments(tmp_path / "tasks", tmp_path / "run"), capsys)
    assert not (tmp_path / "run").exists()


def test_image_that_is_no_png(
    arguments: Arguments, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_task(tmp_path / "tasks")
    (tmp_path / "tasks" / "one.png").write_bytes(b"GIF89a")
    assert "not a PNG" in fails(arguments(tmp_path / "tasks", tmp_path / "run"), capsys)


def test_json_without_instruction(
    arguments: Arguments, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_task(tmp_path / "tasks", instruction="")
    assert "instruction" in fails(arguments(tmp_path / "tasks", tmp_path / "run"), capsys)


def test_wrong_frame_size(
    arguments: Arguments, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_task(tmp_path / "tasks", height=64)
    assert "96 x 64" in fails(arguments(tmp_path / "tasks", tmp_path / "run"), capsys)


def test_unknown_policy(
    arguments: Arguments, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_task(tmp_path / "tasks")
    assert "nobody" in fails(
        arguments(tmp_path / "tasks", tmp_path / "run", policy="nobody"), capsys
    )


def copied_world(bundle: Path, folder: Path) -> Path:
    """The bundle's world and codec in a folder of our own."""
    for part in ("world", "codec"):
        (folder / part).mkdir(parents=True)
        for file in (bundle / part).iterdir():
            (folder / part / file.name).write_bytes(file.read_bytes())
    return folder


def test_truncated_checkpoint(
    arguments: Arguments, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_task(tmp_path / "tasks")
    weights = copied_world(BUNDLE, tmp_path / "copy") / "world" / "model.safetensors.xz"
    weights.write_bytes(weights.read_bytes()[:1000])
    message = fails(
        arguments(tmp_path / "tasks", tmp_path / "run", world=str(tmp_path / "copy")), capsys
    )
    assert "cannot be unpacked" in message and "model.safetensors" in message


def test_altered_config(
    arguments: Arguments, unpacked_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_task(tmp_path / "tasks")
    config = copied_world(unpacked_bundle, tmp_path / "copy") / "world" / "config.json"
    config.write_text(config.read_text().replace('"steps": ', '"steps": 1'))
    assert "sha256" in fails(
        arguments(tmp_path / "tasks", tmp_path / "run", world=str(tmp_path / "copy")), capsys
    )


def test_policy_of_another_convention(
    arguments: Arguments, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from safetensors.torch import load_file

    from worldgym.io.checkpoint import save_folder

    write_task(tmp_path / "tasks")
    source = next(iter((BUNDLE / "policies").iterdir()))
    config = json.loads((source / "config.json").read_text())
    config["spec"]["gripper"] = "+1_open"
    save_folder(tmp_path / "policy", config, load_file(source / "model.safetensors"), "")
    message = fails(
        arguments(tmp_path / "tasks", tmp_path / "run", policy=str(tmp_path / "policy")), capsys
    )
    assert "gripper: +1_open against +1_closed" in message


def test_output_that_cannot_be_written(
    arguments: Arguments, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_task(tmp_path / "tasks")
    (tmp_path / "file").write_text("in the way")
    assert "cannot write" in fails(arguments(tmp_path / "tasks", tmp_path / "file" / "run"), capsys)


def test_report_of_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "log.jsonl" in fails(["report", str(tmp_path)], capsys)


def test_people_judge_later(
    arguments: Arguments, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_task(tmp_path / "tasks")
    main([*arguments(tmp_path / "tasks", tmp_path / "run", judge="later"), "--json"])
    (policy,) = json.loads(capsys.readouterr().out)["policies"]
    assert (policy["unscored"], policy["rate"]) == (1, None)
    (clip,) = clips_of_run(tmp_path / "run")
    label = Label(clip, 1.0, "anna", frames=frames_digest(clip.rollout().frames))
    append_label(tmp_path / "run" / "labels.jsonl", label)
    words = [
        "judge",
        "rejudge",
        str(tmp_path / "run"),
        "--judge",
        str(tmp_path / "run" / "labels.jsonl"),
    ]
    main([*words, "--out", str(tmp_path / "judged"), "--json"])
    assert json.loads(capsys.readouterr().out)["policies"][0]["successes"] == 1
    again = arguments(
        tmp_path / "tasks", tmp_path / "again", judge=str(tmp_path / "run" / "labels.jsonl")
    )
    assert (
        "evaluate with --judge later" in fails(again, capsys) and not (tmp_path / "again").exists()
    )


def test_a_reader_that_has_seen_enough_is_no_fault() -> None:
    worldgym = f"{sys.executable} -c 'from worldgym.cli import main; main()' data conventions"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{worldgym} | true"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 141) and done.stderr == ""


def test_help_does_not_wait_for_torch() -> None:
    code = (
        "import sys; from worldgym.cli import main; main(['--help']); main(['world', '--help'])\n"
        "assert not {'torch', 'numpy', 'rich'} & set(sys.modules)\n"
        "main(['evaluate', '--help']); assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "evaluate" in done.stdout


def run_plain(*words: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "worldgym", *words]
    return subprocess.run(
        command, capture_output=True, env={**os.environ, **environment}, check=False
    )


def test_version_and_the_package_as_a_program() -> None:
    done = run_plain("--version")
    assert (
        done.returncode == 0 and done.stdout.decode().strip() == f"worldgym {worldgym.__version__}"
    )


def test_a_command_that_does_not_exist_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert "did you mean evaluate?" in fails(["evalute", "--world", "x"], capsys)


def test_an_error_does_not_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["world", "check", "\x1b[31mno-such-world\x07"])
    said = capsys.readouterr().err
    assert "[31mno-such-world" in said and said.replace("\n", "").isprintable()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["judge", "lable"], '"worldgym judge lable" (did you mean label?)'),
        (["distill"], "did you mean world distill?"),
        (["check", "bundled"], "did you mean world check or policy check?"),
        (["data", "inspect", "x", "--jsn"], "no option --jsn (did you mean --json?)"),
    ],
)
def test_near_words_are_proposed_at_every_level(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in fails(words, capsys)


def shown(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    main(words)
    return capsys.readouterr().out


def test_the_help_names_every_command_and_fits_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    overview = shown(["--help"], capsys)
    assert overview == shown([], capsys) and len(overview.splitlines()) <= 40
    for entry in entries():
        row = next(line for line in overview.splitlines() if line.startswith(f"  {entry.name} "))
        assert row.endswith(entry.line)  # one line says it
        if entry.verbs:
            page = shown([entry.name], capsys)
            assert page == shown([entry.name, "--help"], capsys)
            assert all(f"\n  {verb.name}" in page for verb in entry.verbs)
    pages = [shown([*called.split(), "--help"], capsys) for called, _ in commands()]
    assert max(len(line) for page in (overview, *pages) for line in page.splitlines()) <= 80


def test_a_terminal_of_another_encoding_gets_question_marks() -> None:
    done = run_plain(
        "evaluate", "--world", "caf\u00e9-\u2603", "--help", PYTHONIOENCODING="ascii", LC_ALL="C"
    )
    assert done.returncode == 0 and b"Traceback" not in done.stderr
    done = run_plain("report", "\u2603", PYTHONIOENCODING="ascii", LC_ALL="C.UTF-8")
    assert (
        done.returncode == 2
        and b"Traceback" not in done.stderr
        and done.stderr.startswith(b"worldgym: ")
    )


def test_output_that_nobody_reads_or_no_disk_holds_is_no_traceback() -> None:
    command = f"{shlex.quote(sys.executable)} -m worldgym --help"
    closed = subprocess.run(
        ["bash", "-c", f"{command} | true; exit ${{PIPESTATUS[0]}}"],
        capture_output=True,
        check=False,
    )
    assert closed.returncode in (0, 141) and b"Traceback" not in closed.stderr
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    full = subprocess.run(
        ["bash", "-c", f"{command} > /dev/full"], capture_output=True, check=False
    )
    assert (
        full.returncode == 2
        and b"Traceback" not in full.stderr
        and b"no space is left" in full.stderr
    )


def test_no_color_is_honoured_in_the_help() -> None:
    def help_on_a_terminal(**environment: str) -> bytes:
        master, slave = pty.openpty()
        command = [sys.executable, "-m", "worldgym", "run", "merge", "--help"]
        child = subprocess.Popen(
            command,
            stdout=slave,
            stderr=slave,
            env={**os.environ, "TERM": "xterm", "PYTHONUNBUFFERED": "1", **environment},
        )
        os.close(slave)
        read = b""
        with contextlib.suppress(OSError):  # the terminal is gone
            while part := os.read(master, 65536):
                read += part
        child.wait()
        os.close(master)
        return read

    assert b"\x1b[" in help_on_a_terminal() and b"\x1b[" not in help_on_a_terminal(NO_COLOR="1")


def test_bundled_names_world_judge_and_tasks(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = [
        "evaluate",
        "--world",
        "bundled",
        "--judge",
        "bundled",
        "--tasks",
        "bundled",
        "--trials",
        "1",
        "--out",
    ]
    message = fails([*words, str(tmp_path / "run"), "--policy", "bc-larg"], capsys)
    assert "did you mean bc-large?" in message  # world, tasks and judge were found before
    assert not (tmp_path / "run").exists()
