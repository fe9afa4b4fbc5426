"""Pages over several runs: a comparison of some, and the leaderboard of each suite of tasks."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from worldgym.web.app_pages import AppPages, Missing
from worldgym.web.requested_run import drawn_elsewhere, requested_run
from worldgym.web.run_comparison import ComparedRuns
from worldgym.web.run_figures import FigureWorker
from worldgym.web.run_library import ListedRun, PolicyRate, RunCard, RunLibrary


@dataclass(frozen=True)
class BoardRow:
    """A policy of a run, for the leaderboard."""

    run: ListedRun
    card: RunCard
    rate: PolicyRate


@dataclass(frozen=True)
class ComparePages:
    """Answers about several runs of a library."""

    library: RunLibrary
    figures: FigureWorker
    pages: AppPages

    @property
    def routes(self) -> list[Route]:
        return [
            Route("/compare", self.compare),
            Route("/compare/drawn", self.drawn),
            Route("/compare/{table}.csv", self.table),
            Route("/leaderboard", self.leaderboard),
        ]

    def compare(self, request: Request) -> Response:
        chosen = request.query_params.getlist("run")
        context = {
            "title": "Compare",
            "runs": self.library.runs(),
            "chosen": chosen,
            "words": urlencode([("run", name) for name in chosen]),
        }
        return self.pages.page("compare.html", context)

    async def drawn(self, request: Request) -> Response:
        found = await self._compared(request)
        return self.pages.page("markup.html", {"html": found.html})

    async def table(self, request: Request) -> Response:
        """rates.csv: one row per policy and task; pairs.csv: one row per pair of policies."""
        name = request.path_params["table"]
        if name not in ("rates", "pairs"):
            raise Missing("there are rates.csv and pairs.csv")
        found = await self._compared(request)
        text = found.rates if name == "rates" else found.pairs
        headers = {"content-disposition": f'attachment; filename="{name}.csv"'}
        return Response(text, media_type="text/csv", headers=headers)

    async def _compared(self, request: Request) -> ComparedRuns:
        names = request.query_params.getlist("run")
        runs = [requested_run(self.library, name) for name in names]
        return await drawn_elsewhere(self.figures.comparison(runs))

    def leaderboard(self, request: Request) -> Response:
        return self.pages.page(
            "leaderboard.html", {"title": "Leaderboard", "suites": self._suites()}
        )

    def _suites(self) -> list[dict[str, Any]]:
        """Runs of the same tasks together, the suite with the most policies first; policies by
        their rate."""
        suites: dict[str, list[BoardRow]] = defaultdict(list)
        for run in self.library.runs():
            card = run.card
            if card is not None and card.suite:
                suites[card.suite] += [
                    BoardRow(run, card, rate) for rate in card.policies if rate.rate is not None
                ]
        ordered = sorted(suites.items(), key=lambda suite: (-len(suite[1]), suite[0]))
        return [
            {
                "suite": suite,
                "tasks": sorted({task for row in rows for task in row.card.tasks}),
                "rows": sorted(rows, key=lambda row: (-(row.rate.rate or 0.0), row.rate.policy)),
                "runs": list(dict.fromkeys(row.run.name for row in rows)),
            }
            for suite, rows in ordered
            if rows
        ]
