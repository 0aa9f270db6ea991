"""HTTP connections, of which a client that sends half a request cannot keep as many as it likes."""

from __future__ import annotations

import asyncio
import json

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

_NO_HTTP = "this is no valid HTTP/1.1, or its head is too large; send requests as curl and browsers do"


class PatientProtocol(H11Protocol):
    """Closes a connection on which no head of a request is complete in time; uvicorn itself waits for ever.

    Attributes:
        head_s: seconds that a head may take.
    """

    head_s = 30.0
    _ending: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client is there."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """It has sent something."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """It has gone."""
        self._forget()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP as every error is answered; ``msg`` is uvicorn's line."""
        body = json.dumps({"error": _NO_HTTP}).encode("ascii")
        headers = [
            ("content-type", "application/json"),
            ("content-length", str(len(body))),
            ("connection", "close"),
        ]
        head = h11.Response(status_code=400, headers=headers, reason=b"Bad Request")
        for event in (head, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _watch(self) -> None:
        # h11 calls the client idle until it has read a whole head.
        if self.conn.their_state is not h11.IDLE:
            self._forget()
        elif self._ending is None:
            self._ending = self.loop.call_later(self.head_s, self._end)

    def _forget(self) -> None:
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None

    def _end(self) -> None:
        self._ending = None
        if self.conn.their_state is h11.IDLE:
            self.transport.close()


def patient_protocol(seconds: float) -> type[PatientProtocol]:
    """A protocol for uvicorn that gives a head so much time."""

    class Chosen(PatientProtocol):
        head_s = seconds

    return Chosen
