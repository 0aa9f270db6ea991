"""The app: routes, errors as one line, and who is let in."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

import gclf_live
from gclf_live.serve.answers import ErrorAnswer, RequestError
from gclf_live.serve.engine import Engine
from gclf_live.serve.facts import STATEMENT
from gclf_live.serve.live import LiveRoom, live_routes
from gclf_live.serve.pages import mount_pages
from gclf_live.serve.pictures import picture_routes
from gclf_live.serve.security import Access, Gate
from gclf_live.serve.videos import video_routes

_EXPIRE_EVERY_S = 1.0
_SHOWN = 100


def create_app(engine: Engine, access: Access) -> FastAPI:
    """Make the app.

    Args:
        engine: what does the work; it has to be stopped after the app.
        access: who is let in.

    Returns:
        The app; ``app.state.live`` is its ``LiveRoom``.
    """
    room = LiveRoom(engine)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        expiring = asyncio.create_task(_expire(engine))
        yield
        expiring.cancel()

    app = FastAPI(
        title="gclf-live",
        version=gclf_live.__version__,
        description=f"Labels of faces in pictures and videos: {STATEMENT}.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        responses={"default": {"model": ErrorAnswer, "description": "What went wrong."}},
        lifespan=lifespan,
    )
    app.state.live = room
    app.add_middleware(Gate, access=access, metrics=engine.metrics)
    _say_errors(app)
    app.include_router(picture_routes(engine))
    app.include_router(video_routes(engine))
    app.include_router(live_routes(room))
    mount_pages(app, engine)
    return app


async def _expire(engine: Engine) -> None:
    while True:
        await asyncio.sleep(_EXPIRE_EVERY_S)
        await asyncio.to_thread(engine.jobs.expire)


def _say_errors(app: FastAPI) -> None:
    """Every error is ``{"error": "one line"}``."""

    @app.exception_handler(RequestError)
    async def refused(request: Request, error: RequestError) -> JSONResponse:
        return JSONResponse({"error": str(error)}, error.status, error.headers)

    @app.exception_handler(HTTPException)
    async def unknown(request: Request, error: HTTPException) -> JSONResponse:
        line, headers = str(error.detail), dict(error.headers or {})
        if error.status_code == HTTPStatus.NOT_FOUND:
            line = f"there is no address {request.scope['path'][:_SHOWN]!r}; see /docs"
        elif error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            headers["Allow"] = allowed = _allowed(request, headers.get("Allow", ""))
            line = f"{request.method} does not go with this address; allowed: {allowed}; see /docs"
        return JSONResponse({"error": line}, error.status_code, headers)


def _allowed(request: Request, first: str) -> str:
    """All methods of an address, by the document; ``first`` is what the first of its routes allows."""
    found = {
        method.upper()
        for path, methods in request.app.openapi()["paths"].items()
        if re.fullmatch(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path)), request.scope["path"])
        for method in methods
    }
    return ", ".join(sorted(found)) or first
