"""The page, its files, and what machines ask: facts, health and metrics."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, Response
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse
from starlette.staticfiles import StaticFiles

from gclf_live.serve.answers import RequestError
from gclf_live.serve.docs_page import STYLE, render_docs
from gclf_live.serve.engine import Engine

STATIC = Path(str(files("gclf_live.serve") / "static"))
_REVALIDATE = {"Cache-Control": "no-cache"}


class _Files(StaticFiles):
    """Files of the page: a browser asks every time whether they have changed."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """As the base class, with our header."""
        response = super().file_response(*args, **kwargs)
        response.headers.update(_REVALIDATE)
        return response


def mount_pages(app: FastAPI, engine: Engine) -> None:
    """Add these routes to the app."""
    app.include_router(_page_routes(app))
    app.include_router(_machine_routes(engine))
    app.mount("/static", _Files(directory=STATIC, check_dir=False), name="static")


def _page_routes(app: FastAPI) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    async def index() -> FileResponse:
        page = STATIC / "index.html"
        if not page.is_file():
            raise RequestError(
                404, "this installation lacks the page; install gclf-live again. The API is at /docs"
            )
        return FileResponse(page, headers=_REVALIDATE)

    @router.get("/docs")
    async def docs() -> HTMLResponse:
        return HTMLResponse(render_docs(app.openapi()))

    @router.get("/docs/style.css")
    async def style() -> Response:
        return Response(STYLE, media_type="text/css")

    return router


def _machine_routes(engine: Engine) -> APIRouter:
    router = APIRouter(tags=["server"])

    @router.get("/v1/model")
    async def model() -> dict[str, Any]:
        """What the model is, how well it does, and what is accepted."""
        return engine.facts()

    @router.get("/healthz")
    async def healthz() -> dict[str, str]:
        """The process is there."""
        return {"status": "ok"}

    @router.get("/readyz")
    async def readyz() -> JSONResponse:
        """Requests are accepted."""
        if engine.stopping:
            return JSONResponse({"status": "stopping"}, 503, {"Retry-After": "5"})
        return JSONResponse({"status": "ready"})

    @router.get("/metrics", response_class=Response)
    async def metrics() -> Response:
        """Figures for Prometheus."""
        return Response(engine.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return router
