"""Listening, until Ctrl-C, SIGTERM or SIGHUP."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType

import uvicorn
from fastapi import FastAPI

from gclf_live.serve.app import create_app
from gclf_live.serve.engine import Engine
from gclf_live.serve.logs import quiet_libraries
from gclf_live.serve.protocol import patient_protocol
from gclf_live.serve.security import Access

_GRACE_S = 1


class _Server(uvicorn.Server):
    """Says when it listens; tells those who wait that it ends, before their connections are closed."""

    def __init__(
        self, config: uvicorn.Config, app: FastAPI, engine: Engine, ready: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._app, self._engine, self._ready = app, engine, ready
        self.interrupted = 0
        self._ignored: set[int] = set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn's own, and a terminal that is closed ends the server like Ctrl-C.

        What is ignored stays ignored, as Ctrl-C in a job in the background, and SIGHUP under ``nohup``.
        """
        if threading.current_thread() is not threading.main_thread():
            with super().capture_signals():
                yield
            return
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGHUP)}
        self._ignored = {number for number, handler in before.items() if handler is signal.SIG_IGN}
        with super().capture_signals():
            for number in before:
                signal.signal(number, signal.SIG_IGN if number in self._ignored else self.handle_exit)
            try:
                yield
            finally:
                signal.signal(signal.SIGHUP, before[signal.SIGHUP])

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """As uvicorn's own; not for what is ignored, which would end the server and raise nothing."""
        if sig not in self._ignored:  # uvicorn installs this for Ctrl-C before it can be taken back
            super().handle_exit(sig, frame)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.interrupted = self._engine.interrupt()
        await self._app.state.live.close()
        await super().shutdown(sockets)
        if self.force_exit:  # a second Ctrl-C: uvicorn then leaves this out, and reports what it cut short
            await self.lifespan.shutdown()


@dataclass(frozen=True, slots=True)
class Ended:
    """How a server ended: ``interrupted`` is the number of jobs that were not finished."""

    interrupted: int


def run_server(
    engine: Engine,
    access: Access,
    listener: socket.socket,
    *,
    ready: Callable[[], None] = lambda: None,
    made: Callable[[uvicorn.Server], None] = lambda server: None,
) -> Ended:
    """Serve until a signal comes. The engine is stopped whatever happens.

    Args:
        engine: what does the work.
        access: who is let in.
        listener: see ``listen``; closed at the end.
        ready: called when requests are accepted.
        made: called with the server, for those who want to end it otherwise than by a signal.

    Raises:
        KeyboardInterrupt: by the signal's usual handler, after everything has ended; a note says what was
            interrupted.
    """
    server: _Server | None = None
    try:
        app = create_app(engine, access)
        config = uvicorn.Config(
            app,
            http=patient_protocol(engine.options.limits.request_head_s),
            log_level="error",
            access_log=False,  # addresses hold the ids of jobs
            server_header=False,
            timeout_graceful_shutdown=_GRACE_S,
            ws_max_size=engine.options.limits.live_frame_bytes,
        )
        quiet_libraries()
        server = _Server(config, app, engine, ready)
        made(server)
        server.run(sockets=[listener])
    except KeyboardInterrupt as ended:
        if server is not None and server.interrupted:
            ended.add_note(_interrupted(server.interrupted))
        raise
    finally:
        with _undisturbed():
            listener.close()
            engine.stop()
    return Ended(server.interrupted)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Ignore signals for the moment that tidying up takes: half of it would leave processes and files."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupted(count: int) -> str:
    return "1 job was interrupted" if count == 1 else f"{count} jobs were interrupted"
