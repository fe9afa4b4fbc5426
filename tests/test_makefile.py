"""What `make demo` would run: PyTorch for CPUs where there is no NVIDIA driver, and the size of the
download said before."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent
pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


class Index(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def index() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Index)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def planned(folder: Path, *settings: str) -> str:
    words = [
        "make",
        "--dry-run",
        "demo",
        f"VENV={folder / 'venv'}",
        "PIP_INDEX_URL=",
        "PIP_EXTRA_INDEX_URL=",
        *settings,
    ]
    return subprocess.run(words, capture_output=True, text=True, check=True, cwd=REPOSITORY).stdout


def test_without_a_driver_the_cpu_build_is_taken(tmp_path: Path, index: str) -> None:
    told = planned(tmp_path, "DRIVER=", f"CPU_BUILDS={index}")
    assert (
        f"--extra-index-url {index}" in told and "PyTorch for CPUs, some 0.4 GB to download" in told
    )


def test_an_index_that_cannot_be_reached_or_was_named_otherwise_is_left_out(
    tmp_path: Path, index: str
) -> None:
    assert "index-url" not in planned(tmp_path, "DRIVER=", "CPU_BUILDS=http://127.0.0.1:9")
    assert "index-url" not in planned(
        tmp_path, "DRIVER=", f"CPU_BUILDS={index}", "PIP_EXTRA_INDEX_URL=x"
    )


def test_with_a_driver_nothing_is_changed_and_the_size_is_said(tmp_path: Path, index: str) -> None:
    told = planned(tmp_path, "DRIVER=/dev/nvidia0", f"CPU_BUILDS={index}")
    assert "index-url" not in told and "some 6 GB to download" in told
