"""What a run on a Ray cluster of three nodes loses when its workers, a node or its driver are
killed (SIGKILL) at random moments. Rounds are done until all faults have happened; finished ones
are kept in OUT/rounds.jsonl, and the same command continues from there.

    python benchmarks/ray_faults.py --out runs/faults [--arm sleeping|bundled] [--workers 20]
        [--nodes 5] [--drivers 5] [--trials 120] [--at-work] [--json]

--at-work: no worker is killed but one that a batch runs in.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from machine import note
from sleeping_world import STORE, cluster_here, missing_or_wrong, sleep_through

from worldgym.evaluation.load_parts import Sources
from worldgym.evaluation.plan import EvaluateConfig
from worldgym.evaluation.run import run_sources
from worldgym.io.bundled import bundled
from worldgym.io.jsonl import append_line, read_lines
from worldgym.io.run_files import LOST_NAME
from worldgym.io.run_log import LOG_NAME

KINDS = ("workers", "nodes", "drivers")
PAUSES = {"workers": (0.5, 5.0), "nodes": (4.0, 10.0), "drivers": (6.0, 14.0)}  # seconds
MOST_STARTS = 40  # of the driver in a round
ACTOR = b"ray::_Actor"  # what Ray calls the process of a worker;
AT_WORK = ACTOR + b".work"  # while it does a job


def drive(asked: argparse.Namespace, run: Path, on: str) -> None:
    """What is disturbed, or not: the evaluation of one round."""
    config = EvaluateConfig(run, asked.trials, batch=2, on=on)
    if asked.arm == "sleeping":
        sleep_through(config, 0.5)
    else:
        policy = str(bundled("bundled", "policies") / "bc-large")
        run_sources(Sources("bundled", (policy,), "bundled", "bundled"), config)


def workers_alive(title: bytes) -> list[int]:
    """Processes of actors on this machine whose title begins so."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if (place / "cmdline").read_bytes().startswith(title):
                found.append(int(place.name))
        except OSError:  # it has just gone
            continue
    return found


class Attack:
    """A run on a cluster, and what is killed of both."""

    def __init__(
        self, cluster: Any, command: list[str], errors: Path, rng: random.Random, title: bytes
    ) -> None:
        self._cluster = cluster
        self._title = title
        self._command = command
        self._errors = errors
        self._rng = rng
        self.starts = 0
        self.done = dict.fromkeys(KINDS, 0)
        self.start()

    def start(self) -> None:
        self.starts += 1
        with self._errors.open("ab") as errors:
            self.driver = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=errors)

    def goes_on(self) -> bool:
        return self.driver.poll() is None

    def kill(self, kind: str) -> None:
        if kind == "drivers":
            self.driver.kill()
            self.driver.wait()
            self.start()
        elif kind == "nodes":
            node = self._rng.choice(self._cluster.list_all_nodes()[1:])
            self._cluster.remove_node(node, allow_graceful=False)
            self._cluster.add_node(num_cpus=1, object_store_memory=STORE)
        elif there := workers_alive(self._title):
            os.kill(self._rng.choice(there), signal.SIGKILL)
        else:  # all of them are starting, or wait
            return
        self.done[kind] += 1


def disturbed_round(asked: argparse.Namespace, number: int, left: dict[str, int]) -> dict[str, Any]:
    """One run on a fresh cluster, killed at as long as it runs."""
    rng = random.Random(number)
    run = asked.out / asked.arm / f"round-{number}"
    shutil.rmtree(run, ignore_errors=True)
    with cluster_here([1, 1, 1]) as cluster:
        words = ["--arm", asked.arm, "--trials", str(asked.trials), "--out", str(asked.out)]
        command = [sys.executable, __file__, *words, "--drive", str(run), cluster.address]
        title = AT_WORK if asked.at_work else ACTOR
        attack = Attack(cluster, command, run.parent / f"round-{number}.err", rng, title)
        while attack.goes_on() and not (run / LOG_NAME).exists():
            time.sleep(0.1)
        while attack.goes_on():
            open_ones = [k for k in KINDS for _ in range(left[k] - attack.done[k])]
            if not open_ones:
                break
            kind = rng.choice(open_ones)
            time.sleep(rng.uniform(*PAUSES[kind]))
            if attack.goes_on():
                attack.kill(kind)
        while attack.driver.wait() != 0:  # trials of batches that were given up, as a user would
            if attack.starts > MOST_STARTS:
                raise SystemExit(f"{run}: does not come to its end, see {run}.err")
            attack.start()
    lost, doubled, wrong = missing_or_wrong(run, asked.out / asked.arm / "undisturbed")
    told = run / LOST_NAME
    losses = len(read_lines(told, "a list of lost batches", "remove it")) if told.exists() else 0
    found = {"starts": attack.starts, "losses": losses}
    return {**attack.done, **found, "lost": lost, "doubled": doubled, "wrong": wrong}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--arm", choices=("sleeping", "bundled"), default="sleeping")
    parser.add_argument("--workers", type=int, default=20)
    parser.add_argument("--nodes", type=int, default=5)
    parser.add_argument("--drivers", type=int, default=5)
    parser.add_argument("--trials", type=int, default=120)
    parser.add_argument("--at-work", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--drive", nargs=2, metavar=("RUN", "ADDRESS"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.drive is not None:
        return drive(asked, Path(asked.drive[0]), f"ray:{asked.drive[1]}")
    drive(asked, asked.out / asked.arm / "undisturbed", "local")
    kept = asked.out / asked.arm / "rounds.jsonl"
    rounds = (
        [line.data for line in read_lines(kept, "a list of rounds", "remove it")]
        if kept.exists()
        else []
    )
    while True:
        left = {kind: getattr(asked, kind) - sum(one[kind] for one in rounds) for kind in KINDS}
        if max(left.values()) <= 0:
            break
        rounds.append(disturbed_round(asked, len(rounds), left))
        append_line(kept, rounds[-1])
        print(rounds[-1], file=sys.stderr, flush=True)
    if asked.json:
        print(json.dumps({"arm": asked.arm, "trials": asked.trials, "rounds": rounds}, indent=2))
        return
    columns = list(rounds[0])
    rows = [*([str(i), *map(str, one.values())] for i, one in enumerate(rounds))]
    rows.append(["all", *(str(sum(one[name] for one in rounds)) for name in columns)])
    table = [
        f"| {' | '.join(row)} |"
        for row in (["round", *columns], ["---"] * (len(columns) + 1), *rows)
    ]
    words = (
        "workers, nodes, drivers: killed. starts: of the driver. losses: times that batches were "
        "lost with their worker, and done again. lost, doubled, wrong: trials, against the run "
        "that nothing disturbed."
    )
    note(f"Faults on a cluster of three nodes: `python {' '.join(sys.argv)}`", [words, "", *table])


if __name__ == "__main__":
    main()
