"""Files of jobs, which may be removed while somebody asks for them."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.types import Message, Receive, Scope, Send

NO_FILE = "there is no such file; the names are in 'files' of the job's document"
_SHOWN = 50


class JobFile(FileResponse):
    """A file; where it has gone since it was looked for, the answer is 404 as if it had never been there.

    Starlette sends the status before it opens the file. Here that waits for the first bytes: what is open
    can be read to its end, whoever removes it.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        start: Message | None = None
        refused: Message | None = None
        began = False

        async def send_on(message: Message) -> None:
            nonlocal start, refused, began
            if message["type"] == "http.response.start":
                start = message
                return
            if start is not None and start["status"] >= 400:  # Starlette's own words, as text
                start, refused = None, start
            if refused is not None:
                return
            if start is not None:
                began = True
                await send(start)
                start = None
            await send(message)

        try:
            await super().__call__(scope, receive, send_on)
        except (RuntimeError, FileNotFoundError):  # the first is what Starlette makes of the second
            if began:
                raise
            await JSONResponse({"error": NO_FILE}, 404)(scope, receive, send)
        if refused is not None:
            await _no_range(scope, refused)(scope, receive, send)


def _no_range(scope: Scope, refused: Message) -> Response:
    """The answer to a range that cannot be sent; where it lies beyond the end, with the file's size."""
    line = f"there is no range {Headers(scope=scope).get('range', '')[:_SHOWN]!r}; "
    size = Headers(raw=refused["headers"]).get("content-range")
    if size is None:
        return JSONResponse({"error": f"{line}ask as in Range: bytes=0-999"}, refused["status"])
    line += f"the file has {size.rpartition('/')[2]} bytes"
    return JSONResponse({"error": line}, refused["status"], {"Content-Range": size})
