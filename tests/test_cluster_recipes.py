"""The recipes of examples/cluster: job scripts of SLURM run here with programs that only note how
they are called, the rest is held against what its reader demands."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from worldgym.cli import parsed
from worldgym.cli.run_commands import Evaluate

RECIPES = Path(__file__).parent.parent / "examples" / "cluster"
SBATCH = {  # options of sbatch that the recipes may use, and what their values look like
    "array": r"\d+-\d+",
    "time": r"\d\d:\d\d:\d\d",
    "nodes": r"\d+",
    "ntasks-per-node": r"\d+",
    "cpus-per-task": r"\d+",
    "requeue": r"",
    "signal": r"B:TERM@\d+",
    "open-mode": r"append",
}
SLURM = {
    "SLURM_ARRAY_TASK_ID": "3",
    "SLURM_ARRAY_TASK_COUNT": "16",
    "SLURM_JOB_NODELIST": "node[1-4]",
    "SLURM_JOB_NUM_NODES": "4",
    "SLURM_JOB_ID": "123456",
    "SLURM_CPUS_PER_TASK": "8",
    "RAY_WAIT": "0",
}
NOTES = """#!/bin/bash
printf '%s\\n' "${0##*/} $(printf '%q ' "$@")" >> "$CALLS"
"""
PROGRAMS = {
    "srun": NOTES,
    "ray": NOTES,
    "scontrol": 'printf "node%d\\n" 1 2 3 4\n',
    # until it is told to end, and then as the command line ends a run that has more to do
    "worldgym": NOTES + "trap 'exit 75' TERM; for i in {1..300}; do sleep 0.1; done\n",
}


def called(script: Path, folder: Path) -> list[list[str]]:
    """Runs a job script until SLURM would end it => what it called."""
    for name, text in PROGRAMS.items():
        (folder / name).write_text(text if text.startswith("#!") else f"#!/bin/bash\n{text}")
        (folder / name).chmod(0o755)
    calls = folder / "calls"
    path = f"{folder}:{os.environ['PATH']}"
    job = subprocess.Popen(
        ["bash", str(script)], env={**SLURM, "CALLS": str(calls), "PATH": path}, cwd=folder
    )
    until = time.monotonic() + 20
    while not (calls.exists() and "worldgym " in calls.read_text()):
        assert time.monotonic() < until and job.poll() is None
        time.sleep(0.05)
    time.sleep(0.3)
    job.send_signal(signal.SIGTERM)  # --signal=B: the shell of the script alone
    assert job.wait(10) == 75
    return [shlex.split(line) for line in calls.read_text().splitlines()]


def evaluation(words: list[str]) -> Evaluate:
    command = parsed(words)
    assert isinstance(command, Evaluate)
    return command


@pytest.mark.parametrize("name", ["slurm_shards.sh", "slurm_ray.sh"])
def test_options_of_a_job_are_those_of_sbatch(name: str) -> None:
    asked = re.findall(r"^#SBATCH --([a-z-]+)=?(.*)$", (RECIPES / name).read_text(), re.M)
    assert len(asked) >= 5 and all(re.fullmatch(SBATCH[option], value) for option, value in asked)


def test_an_array_does_all_shards_and_hears_of_its_end(tmp_path: Path) -> None:
    (call,) = called(RECIPES / "slurm_shards.sh", tmp_path)
    command = evaluation(call[1:])
    assert (command.shard, command.out) == ("3/16", "runs/shard-3")
    assert command.max_minutes is not None and command.max_minutes < 4 * 60


def test_a_cluster_on_slurm_has_one_head_and_hears_of_its_end(tmp_path: Path) -> None:
    calls = called(RECIPES / "slurm_ray.sh", tmp_path)
    head, rest = sorted((c for c in calls if c[0] == "srun"), key=lambda c: "--head" not in c)
    (address,) = [word for word in rest if word.startswith("--address=")]
    assert {"--nodes=1", "--nodelist=node1", "--node-ip-address=node1"} <= set(head)
    assert {"--nodes=3", "--ntasks=3", "--exclude=node1"} <= set(rest)
    assert f"--port={address.rpartition(':')[2]}" in head
    (token,) = [c for c in calls if c[0] == "ray"]
    assert token[1:] == ["get-auth-token", "--generate"] and calls.index(token) == 0
    (run,) = [c for c in calls if c[0] == "worldgym"]
    assert evaluation(run[1:]).on == f"ray:{address.removeprefix('--address=')}"


def read(name: str) -> Any:
    return pytest.importorskip("yaml").safe_load((RECIPES / name).read_text())


def test_a_job_of_kuberay_evaluates_on_its_cluster() -> None:
    spec = read("kuberay_job.yaml")["spec"]
    command = evaluation(shlex.split(spec["entrypoint"])[1:])
    mounts = spec["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]["containers"][0]
    kept = [Path(mount["mountPath"]) for mount in mounts["volumeMounts"]]
    assert command.on == "ray:auto" and any(
        Path(command.out).is_relative_to(place) for place in kept
    )


def test_the_file_of_ray_up_is_one_that_ray_takes() -> None:
    checks = pytest.importorskip("ray.autoscaler._private.util")
    checks.validate_config(checks.prepare_config(read("ray_up.yaml")))
    wrong = read("ray_up.yaml")
    wrong["available_node_types"]["worker"]["min_wrkers"] = 1
    with pytest.raises(Exception, match="min_wrkers"):
        checks.validate_config(checks.prepare_config(wrong))
