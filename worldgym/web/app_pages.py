"""What all pages of the app share: templates, the shell around them, and answers to mistakes."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from worldgym.errors import InputError, WorldGymError
from worldgym.report import page as report_page

HERE = Path(__file__).parent
REPORT = Path(report_page.__file__).parent / "templates"
KINDS = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


class Missing(HTTPException):
    """There is no such thing: 404 with the reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(404, reason)


def _environment() -> Environment:
    made = report_page.page_environment(HERE / "templates")
    made.filters |= {"moment": moment}
    return made


@dataclass(frozen=True)
class AppPages:
    """write_token: goes into every page, for what changes something.   parts: of the app that are
    there, for the navigation: (address, name)."""

    write_token: str
    parts: tuple[tuple[str, str], ...] = ()
    environment: Environment = field(default_factory=_environment)

    def page(
        self,
        template: str,
        context: Mapping[str, Any],
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Everything from logs and requests is escaped by the templates. Names of files may be no
        UTF-8: the page shows "?" for that."""
        shell = {"write_token": self.write_token, "parts": self.parts}
        text = self.environment.get_template(template).render({**shell, **context})
        return HTMLResponse(text.encode(errors="replace"), status, headers)

    def mistake(self, request: Request, error: Exception) -> Response:
        """A page, or a line for a script, that says what was wrong."""
        status = error.status_code if isinstance(error, HTTPException) else 400
        reason = error.detail if isinstance(error, HTTPException) else str(error)
        if "text/html" not in request.headers.get("accept", ""):
            return Response(reason.encode(errors="replace"), status, media_type="text/plain")
        context = {"title": "Not found" if status == 404 else "Not possible", "reason": reason}
        return self.page("mistake.html", context, status)

    @property
    def handlers(self) -> dict[Any, Any]:
        return {
            HTTPException: self.mistake,
            WorldGymError: self.mistake,
            Exception: self._fault,
        }

    def _fault(self, request: Request, error: Exception) -> Response:
        """A fault of ours: told on the terminal, where somebody may report it."""
        traceback.print_exception(error, file=sys.stderr)
        return self.mistake(
            request, HTTPException(500, "an error in WorldGym; see the terminal for details")
        )


def static_files() -> dict[str, Path]:
    """The files that are served as they are, by name; nothing else is."""
    own = {path.name: path for path in (HERE / "static").iterdir() if path.suffix in KINDS}
    return {**own, "report.css": REPORT / "style.css"}


def static_file(request: Request) -> Response:
    """Script and style; of the report its own ones, so that they look and do the same."""
    name = request.path_params["name"]
    if name == "report.js":
        text = (REPORT / "script.js").read_text("utf-8") + "\nexport { showReport };\n"
        return Response(text, media_type=KINDS[".js"])
    path = static_files().get(name)
    if path is None:
        raise Missing("there is no such file")
    return Response(path.read_bytes(), media_type=KINDS[path.suffix])


async def json_body(request: Request) -> Mapping[str, Any]:
    """The JSON object of a body. InputError for anything else."""
    try:
        said = await request.json()
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise InputError("the body must be a JSON object")
    return said


def file_inside(folder: Path, name: str) -> Path | None:
    """A file of a folder, links resolved; None where it does not exist, or lies elsewhere."""
    try:
        path = (folder / name).resolve(strict=True)
    except (OSError, ValueError, RuntimeError):
        return None
    return path if path.is_file() and path.is_relative_to(folder.resolve()) else None


def moment(seconds: float) -> str:
    """Seconds since 1970 as local time, "2026-11-29 15:04"; "" for 0."""
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M") if seconds else ""
