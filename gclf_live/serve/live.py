"""``/v1/live``: frames in, labelled faces out, over a WebSocket."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect, WebSocketState

from gclf_live.serve.answers import RequestError
from gclf_live.serve.child import Child, ChildDied
from gclf_live.serve.engine import Engine

_GOING_AWAY, _TOO_LARGE, _FAILED, _TRY_AGAIN_LATER = 1001, 1009, 1011, 1013
_FRAME_S = 20.0
_GONE = (WebSocketDisconnect, RuntimeError)
"""Raised at a client that has gone: by uvicorn the second, where it has answered the client's own goodbye."""


class LiveRoom:
    """The live connections of a server."""

    def __init__(self, engine: Engine) -> None:
        """Start without connections."""
        self._engine = engine
        self._sessions: set[_Session] = set()

    async def serve(self, socket: WebSocket) -> None:
        """Handle one connection from its start to its end; past the limit it is closed with 1013."""
        await socket.accept()
        session = _Session(self._engine, socket)
        if self._engine.stopping or len(self._sessions) >= self._engine.options.limits.live_connections:
            await session.end(_TRY_AGAIN_LATER, "too many live connections; try again later")
            return
        self._sessions.add(session)
        self._engine.metrics.live.inc()
        try:
            await session.run()
        finally:
            self._sessions.discard(session)
            self._engine.metrics.live.dec()

    async def close(self) -> None:
        """End all connections: the server is being stopped."""
        await asyncio.gather(*(session.end(_GOING_AWAY, "") for session in list(self._sessions)))


@dataclass(frozen=True, slots=True)
class _Frame:
    """The newest frame that has come and is not worked on yet."""

    number: int
    data: bytes
    arrived_s: float


class _Session:
    """One connection: a task that receives, and one that has the newest frame labelled."""

    def __init__(self, engine: Engine, socket: WebSocket) -> None:
        self._engine, self._socket = engine, socket
        self._threshold = engine.options.threshold
        self._newest: _Frame | None = None
        self._came = asyncio.Event()
        self._received = self._dropped = 0

    async def run(self) -> None:
        """Until one side ends it."""
        # A thread of its own: a shared pool would make connections wait for one another.
        with ThreadPoolExecutor(1, "live") as thread:
            loop = asyncio.get_running_loop()
            try:
                child = await loop.run_in_executor(thread, self._engine.live_child)
            except ChildDied:
                await self.end(_FAILED, "no process can be started; connect again later")
                return
            tasks = {
                asyncio.create_task(self._receive()),
                asyncio.create_task(self._label_frames(child, thread)),
            }
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            finally:
                child.kill("the connection has ended")
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                await loop.run_in_executor(thread, child.close)

    async def end(self, code: int, reason: str) -> None:
        """Close the connection, if it is not closed yet."""
        if self._socket.application_state is WebSocketState.CONNECTED:
            with contextlib.suppress(*_GONE):
                await self._socket.close(code, reason)

    async def _receive(self) -> None:
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            data, text = message.get("bytes"), message.get("text")
            if data is not None:
                if len(data) > self._engine.options.limits.live_frame_bytes:
                    await self.end(_TOO_LARGE, "a frame is too large; send smaller ones")
                    return
                self._take(data)
            elif text is not None:
                await self._set(text)

    def _take(self, data: bytes) -> None:
        if self._newest is not None:
            self._dropped += 1
            self._engine.metrics.frames.labels("dropped").inc()
        self._newest = _Frame(self._received, data, time.monotonic())
        self._received += 1
        self._came.set()

    async def _set(self, text: str) -> None:
        try:
            value = json.loads(text)["threshold"]
            usable = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
        except (ValueError, KeyError, TypeError, RecursionError):
            usable = False
        if usable:
            self._threshold = float(value)
        else:
            await self._answer({"error": 'the text is no setting; send {"threshold": 0.8}, from 0 to 1'})

    async def _label_frames(self, child: Child, thread: ThreadPoolExecutor) -> None:
        while True:
            await self._came.wait()
            self._came.clear()
            frame, self._newest = self._newest, None
            if frame is None:
                continue
            try:
                message = await asyncio.get_running_loop().run_in_executor(
                    thread, _ask, child, frame, self._threshold
                )
            except ChildDied:
                await self.end(_FAILED, "a frame could not be decoded; connect again")
                return
            await self._answer(self._document(frame, message))

    def _document(self, frame: _Frame, message: dict[str, Any]) -> dict[str, Any]:
        document: dict[str, Any] = {"frame": frame.number}
        if message.get("kind") == "done":
            document |= message["document"]
            self._engine.metrics.faces.labels("live").inc(len(document["faces"]))
            self._engine.metrics.frames.labels("labelled").inc()
        else:
            document["error"] = str(message.get("error"))
        document["latency_ms"] = round(1000 * (time.monotonic() - frame.arrived_s), 1)
        return document | {"dropped": self._dropped}

    async def _answer(self, document: dict[str, Any]) -> None:
        if self._socket.application_state is WebSocketState.CONNECTED:
            text = json.dumps(document, ensure_ascii=False, allow_nan=False)
            with contextlib.suppress(*_GONE):
                await self._socket.send_text(text)


def _ask(child: Child, frame: _Frame, threshold: float) -> dict[str, Any]:
    request = {"frame": frame.number, "arrived_s": frame.arrived_s, "threshold": threshold}
    return child.ask(request, frame.data, timeout_s=_FRAME_S)[0]


def live_routes(room: LiveRoom) -> APIRouter:
    """The address of live connections, and what it says to those who ask for it as for a page."""
    router = APIRouter()

    @router.websocket("/v1/live")
    async def live(socket: WebSocket) -> None:
        await room.serve(socket)

    @router.get("/v1/live", include_in_schema=False)
    async def no_socket() -> None:
        line = "this address takes live connections only; open it as a WebSocket; see /docs"
        raise RequestError(426, line, headers={"Upgrade": "websocket", "Connection": "upgrade"})

    return router
