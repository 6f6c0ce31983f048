"""Serves what a run shows: its grids and its report, and nothing else of its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

from studio.training_files import GRID
from studio.training_plan import NAME
from studio.web.train_views import FILES

# A report is a page of its own: it may show what it holds and give it to keep, and run or fetch nothing.
POLICY = "default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; sandbox allow-downloads"


def serve_runs(server: Any, folder: Path) -> None:
    """Add the addresses of the runs in `folder` to a started app, before all others."""

    async def grid(request: Request) -> Response:
        file = str(request.path_params["file"])
        return _sent(request, f"grids/{file}") if GRID.fullmatch(file) else _missing()

    async def report(request: Request) -> Response:
        return _sent(request, "report.html")

    def _sent(request: Request, inside: str) -> Response:
        name = str(request.path_params["name"])
        path = folder / name / inside
        if not NAME.fullmatch(name) or not path.is_file():
            return _missing()
        headers = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff"}
        return FileResponse(path, headers=headers)

    routes = [
        Route(f"/{FILES}/{{name}}/grids/{{file}}", grid),
        Route(f"/{FILES}/{{name}}/report.html", report),
    ]
    server.router.routes[:0] = routes


def _missing() -> Response:
    return PlainTextResponse("there is no such file", 404)
