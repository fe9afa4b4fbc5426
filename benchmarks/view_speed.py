"""How fast `worldgym view` answers about a run of 100,000 trials, what memory it takes, and whether
it keeps up with a run that writes 50 trials per second.

    python benchmarks/view_speed.py [TRIALS]

The server runs in a process of its own with an empty cache, as after a first installation. Its
figures are drawn by a second process, whose memory is told apart.
"""

from __future__ import annotations

import http.client
import json
import sys
import tempfile
import threading
import time
from multiprocessing import get_context
from pathlib import Path
from random import Random

from worldgym.io.jsonl import signed_line
from worldgym.io.run_log import LOG_NAME, RunLog
from worldgym.io.run_records import PLANNED_KEY, RunHeader, TrialRecord
from worldgym.web.guard import COOKIE, SessionSecrets
from worldgym.web.view_app import ViewConfig, view_app
from worldgym.web.web_server import WebServer

POLICIES = tuple(f"grasp@{step}k" for step in (10, 20, 40, 80))
GROUPS = 20
RATE = 50  # trials per second of the live run
SECONDS = 12
REPEATS = 7
SECRET = SessionSecrets("session", "write")


def make_header(trials: int) -> RunHeader:
    per_cell = max(1, trials // (len(POLICIES) * GROUPS))
    tasks = {f"t{g}": {f"t{g}/{i}": 1 for i in range(per_cell)} for g in range(GROUPS)}
    policies = tuple({"name": name, "spec": {}, "chunk": 1} for name in POLICIES)
    config = {PLANNED_KEY: {"tasks": tasks, "edited": {}}}
    return RunHeader(config, "worldgym evaluate", policies, "world", "judge", 0, {}, "2026-11-29")


def records(header: RunHeader) -> list[TrialRecord]:
    random = Random(0)
    return [
        TrialRecord(
            policy,
            task,
            group,
            f"do {group}",
            0,
            1,
            score=float(random.random() < 0.2 * (1 + i)),
            probability=random.random(),
            steps=40,
            video=f"videos/{policy}/{task}-0.mp4",
            seconds=1.0,
            time="2026-11-29T10:00:00+00:00",
        )
        for group, tasks in header.config[PLANNED_KEY]["tasks"].items()
        for task in tasks
        for i, policy in enumerate(POLICIES)
    ]


def serve(root: str, port: int) -> None:
    config = ViewConfig((Path(root) / "runs",), Path(root) / "cache", SECRET)
    WebServer(view_app(config), SECRET, port).serve()


def ask(port: int, path: str) -> tuple[float, bytes, int]:
    """=> seconds, body, status."""
    started = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    connection.request("GET", path, headers={"cookie": f"{COOKIE}=session"})
    answer = connection.getresponse()
    body = answer.read()
    return time.perf_counter() - started, body, answer.status


def until(port: int, path: str, ready: bytes, absent: bool = False) -> float:
    """Seconds until a page holds a text, or no longer holds it."""
    started = time.perf_counter()
    while (ready in ask(port, path)[1]) == absent:
        time.sleep(0.2)
    return time.perf_counter() - started


def peak(pid: int) -> int:
    """MB of memory that the process took at most."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) // 1000


def children(pid: int) -> list[int]:
    """Of any of its threads."""
    listed = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(word) for path in listed for word in path.read_text(encoding="ascii").split()]


def live_lag(port: int, run: Path, header: RunHeader) -> list[float]:
    """Seconds from a line of the log to the event that counts it, for every event."""
    written = dict[int, float]()
    lags = list[float]()

    def write() -> None:
        with RunLog.open(run, header) as log:
            begun = time.perf_counter()
            for number, record in enumerate(records(header)[: RATE * SECONDS], 1):
                time.sleep(max(0.0, begun + number / RATE - time.perf_counter()))
                written[number] = time.perf_counter()
                log.append(record)

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/events?run=live", headers={"cookie": f"{COOKIE}=session"})
    stream = connection.getresponse()
    writer = threading.Thread(target=write)
    writer.start()
    told = 0
    while told < RATE * SECONDS:
        line = stream.readline()
        if line.startswith(b"data: ") and (done := json.loads(line[6:])["done"]) > told:
            # the oldest line that this event is the first to tell of waited longest
            lags.append(time.perf_counter() - written[told + 1])
            told = done
    writer.join()
    connection.close()
    return lags


def main() -> None:
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as root:
        header = make_header(trials)
        for name in ("large", "live"):
            (Path(root) / "runs" / name).mkdir(parents=True)
        rows = [header.to_json(), *(record.to_json() for record in records(header))]
        log = Path(root) / "runs" / "large" / LOG_NAME
        log.write_bytes(b"".join(map(signed_line, rows)))
        live = make_header(4 * RATE * SECONDS)
        with RunLog.open(Path(root) / "runs" / "live", live):
            pass
        port = 8799
        server = get_context("spawn").Process(target=serve, args=(root, port))
        server.start()
        try:
            report(root, port, server.pid or 0, len(rows) - 1, live)
        finally:
            server.terminate()
            server.join()


def report(root: str, port: int, pid: int, trials: int, live: RunHeader) -> None:
    while True:
        try:
            first = ask(port, "/")[0]
            break
        except ConnectionRefusedError:
            time.sleep(0.1)
    print(f"{trials} trials; times in ms, the median of {REPEATS} and the longest")
    print(f"the first answer of the list, while the log is still read: {1000 * first:.0f}")
    print(f"its card is there after: {until(port, '/list', b'being read', absent=True):.1f} s")
    for name, path in (
        ("list", "/"),
        ("run page", "/run?run=large"),
        ("gallery", "/gallery?run=large"),
        ("gallery, least certain first", "/gallery?run=large&sort=uncertainty"),
        ("gallery, last page of a filter", "/gallery?run=large&verdict=failure&page=9999999"),
        ("a trial", "/trial?run=large&policy=grasp@10k&task=t3/5&repeat=0"),
    ):
        times = sorted(1000 * ask(port, path)[0] for _ in range(REPEATS))
        print(f"{name}: {times[REPEATS // 2]:.0f}, {times[-1]:.0f}")
    print(
        f"figures of the report are drawn after: {until(port, '/figures?run=large', b'id='):.1f} s"
    )
    times = sorted(1000 * ask(port, "/run?run=large")[0] for _ in range(REPEATS))
    print(f"run page with all figures: {times[REPEATS // 2]:.0f}, {times[-1]:.0f}")
    print(f"memory: server {peak(pid)} MB, its figures' process {max(map(peak, children(pid)))} MB")
    lags = live_lag(port, Path(root) / "runs" / "live", live)
    print(
        f"live: {len(lags)} events; a trial is shown {max(lags):.2f} s after its line at the latest"
    )


if __name__ == "__main__":
    main()
