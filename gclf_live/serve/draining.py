"""Bodies of requests that are refused: read to their end where that is near."""

from __future__ import annotations

import asyncio
import time

from starlette.types import Message, Receive

_LONGEST_S = 2.0
_MOST_BYTES = 64_000_000


class Body:
    """The body of one request.

    A server that answers and closes while the client still sends makes the client's system throw the answer
    away: instead of "try again in 2 s" it sees a broken connection.
    """

    def __init__(self, receive: Receive, *, expects_go_ahead: bool) -> None:
        """Take ``receive`` of the request; ``expects_go_ahead``: the client waits to be told to send."""
        self._receive = receive
        self._wanted = not expects_go_ahead
        self._ended = False

    async def receive(self) -> Message:
        """The next message, for the app."""
        self._wanted = True
        message = await self._receive()
        self._note(message)
        return message

    async def drain(self) -> None:
        """Read and forget what is left, as far as it comes soon."""
        until_s, count = time.monotonic() + _LONGEST_S, 0
        while self._wanted and not self._ended and count < _MOST_BYTES:
            try:
                message = await asyncio.wait_for(self._receive(), until_s - time.monotonic())
            except TimeoutError:
                return
            count += len(message.get("body", b""))
            self._note(message)

    def _note(self, message: Message) -> None:
        self._ended = self._ended or message["type"] != "http.request" or not message.get("more_body")
