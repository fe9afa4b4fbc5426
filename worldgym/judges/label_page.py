"""A small page on loopback on which a person labels videos, without being told whose they are.
Standard library only.

The address holds a secret, so that no other user and no other page of the browser can read the
videos or write labels. Videos come in an order drawn from their names, so that neighbours tell
nothing about each other."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from worldgym.errors import InputError
from worldgym.io.video import decode_video, encode_mp4, video_facts
from worldgym.judges.labels import Clip, Label, append_label, frames_digest, read_labels

MAX_POST = 2**16  # bytes of one label
SCORES = (0.0, 0.5, 1.0, None)
# by every browser; not MPEG-4 part 2, which OpenCV writes as "mp4v"
PLAYED = ("h264", "vp8", "vp9", "av1")
FPS = 10.0  # of a video that does not say


@dataclass(frozen=True)
class LabelConfig:
    """labels: the file that labels are added to.   labeller: whose they are; videos that they have
    labelled are not new."""

    labels: Path
    labeller: str
    port: int = 0


class LabelServer:
    """`serve` answers until everything is labelled and the page says so, or until it is
    interrupted."""

    def __init__(self, clips: Sequence[Clip], config: LabelConfig) -> None:
        """InputError without clips or labeller, or if the port is taken or none."""
        if not clips:
            raise InputError("there is no video to label")
        if not config.labeller.strip() or not 0 <= config.port < 2**16:
            raise InputError(
                f'the labeller is "{config.labeller}" and the port {config.port}; give a name, and '
                f"a port from 0 (any) to 65535"
            )
        self.config = config
        self.clips = sorted(
            clips, key=lambda clip: hashlib.sha256(str(clip.video).encode()).digest()
        )
        self.scores = self._known()
        self._coded: dict[int, bytes] = {}
        self.secret = secrets.token_urlsafe(16)
        handler = _handler(self)
        try:
            self._http = ThreadingHTTPServer(("127.0.0.1", config.port), handler)
        except OSError as error:
            raise InputError(
                f"port {config.port} cannot be used ({error.strerror}); choose another --port"
            ) from error
        self._http.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}/{self.secret}/"

    def serve(self) -> int:
        """=> number of videos that this labeller has labelled."""
        try:
            self._http.serve_forever(poll_interval=0.2)
        finally:
            self._http.server_close()
        return len(self.scores)

    def stop(self) -> None:
        """From another thread than `serve`."""
        self._http.shutdown()

    def state(self) -> dict[str, Any]:
        """What the page may know: no file name, no policy, no score of a judge."""
        items = [
            {
                "instruction": clip.instruction,
                "partial": clip.partial_credit,
                "labelled": i in self.scores,
                "score": self.scores.get(i),
            }
            for i, clip in enumerate(self.clips)
        ]
        return {"labeller": self.config.labeller, "items": items}

    def video(self, number: int) -> bytes:
        """The file as it is where every browser plays it; else its frames, coded anew. Labels are
        of the file's own frames."""
        path = self.clips[number].video
        facts = video_facts(path)
        if facts.codec in PLAYED and facts.pixel_format in ("yuv420p", "yuvj420p"):
            return path.read_bytes()
        if number not in self._coded:
            frames = decode_video(path)
            odd = [(0, 0), *((0, side % 2) for side in frames.shape[1:3]), (0, 0)]
            self._coded = {
                number: encode_mp4(np.pad(frames, odd, "edge"), facts.fps or FPS)
            }  # only the one that is looked at
        return self._coded[number]

    def label(self, said: dict[str, Any]) -> None:
        """Appends a label. ValueError if it is out of form."""
        number = said.get("item")
        score = said.get("score", "absent")
        reason = said.get("reason", "")
        if (
            not isinstance(number, int)
            or not 0 <= number < len(self.clips)
            or score not in SCORES
            or isinstance(score, bool)
        ):
            raise ValueError("item and score")
        if not isinstance(reason, str):
            raise ValueError("reason")
        clip = self.clips[number]
        digest = frames_digest(clip.rollout().frames)
        time = datetime.now(UTC).isoformat(timespec="seconds")
        value = None if score is None else float(score)
        append_label(
            self.config.labels,
            Label(clip, value, self.config.labeller, reason.strip(), digest, time),
        )
        self.scores[number] = value

    def _known(self) -> dict[int, float | None]:
        """The labeller's own labels so far, by place."""
        if not self.config.labels.exists():
            return {}
        own = {
            label.clip.video.resolve(): label.score
            for clip in read_labels(self.config.labels)
            for label in clip.labels
            if label.labeller == self.config.labeller
        }
        return {
            i: own[clip.video.resolve()]
            for i, clip in enumerate(self.clips)
            if clip.video.resolve() in own
        }


def _handler(server: LabelServer) -> type[BaseHTTPRequestHandler]:
    page = files("worldgym.judges").joinpath("label_page.html").read_bytes()

    class Handler(BaseHTTPRequestHandler):
        timeout = 60

        def do_GET(self) -> None:
            match self.path.split("/"):
                case ["", server.secret, ""]:
                    self._send(page, "text/html; charset=utf-8")
                case ["", server.secret, "state"]:
                    self._send(json.dumps(server.state()).encode(), "application/json")
                case ["", server.secret, "video", number] if number.isdecimal() and int(
                    number
                ) < len(server.clips):
                    self._try(lambda: self._send(server.video(int(number)), "video/mp4"))
                case _:
                    self.send_error(404)

        def do_POST(self) -> None:
            length = self.headers.get("content-length", "")
            match self.path.split("/"):
                case ["", server.secret, "label"] if length.isdecimal() and int(length) <= MAX_POST:
                    said = self.rfile.read(int(length))
                    self._try(lambda: self._label(said))
                case ["", server.secret, "finish"]:
                    self._send(b"{}", "application/json")
                    server.stop()
                case _:
                    self.send_error(404)

        def _label(self, said: bytes) -> None:
            server.label(json.loads(said))
            self._send(b"{}", "application/json")

        def _try(self, answer: Callable[[], None]) -> None:
            try:
                answer()
            except (InputError, OSError) as error:
                self.send_error(500, explain=str(error))
            except (ValueError, AttributeError) as error:
                self.send_error(400, explain=str(error))

        def _send(self, body: bytes, kind: str) -> None:
            self.send_response(200)
            for name, value in (
                ("content-type", kind),
                ("content-length", str(len(body))),
                ("cache-control", "no-store"),
            ):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            """Silence: the address holds the secret."""

    return Handler
