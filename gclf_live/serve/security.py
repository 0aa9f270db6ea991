"""Who may ask: the address, the token and the origin of every request, and what browsers are told."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gclf_live.serve.draining import Body
from gclf_live.serve.listening import is_loopback
from gclf_live.serve.metrics import Metrics

COOKIE = "gclf_live_token"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_OPEN_PATHS = frozenset({"/healthz", "/readyz"})
_POLICY = (
    "default-src 'self'; img-src 'self' blob:; media-src 'self' blob:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
REPORT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; frame-ancestors 'none'"
)
"""Of a report, which is one page with its style and pictures inside, and no script."""
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True, slots=True)
class Access:
    """Who is let in.

    Attributes:
        token: what every request must bring, or empty.
        only_loopback: the server listens on this machine alone; names of other machines in ``Host`` then are
            those of a page that has its own name lead here (DNS rebinding).
    """

    token: str = ""
    only_loopback: bool = True


class Gate:
    """Middleware: refuses who is not let in, adds headers to answers, and counts them."""

    def __init__(self, app: ASGIApp, *, access: Access, metrics: Metrics) -> None:
        """Stand before ``app``."""
        self._app, self._access, self._metrics = app, access, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request or connection."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        began_s, started = time.monotonic(), False
        body = Body(receive, expects_go_ahead="expect" in Headers(scope=scope))

        async def send_on(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                if message["status"] >= 400:
                    await body.drain()
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                path = getattr(scope.get("route"), "path", "") or "other"
                self._metrics.requests.labels(path, str(message["status"])).inc()
                self._metrics.latency.labels(path).observe(time.monotonic() - began_s)
            await send(message)

        refusal = self._refusal(scope)
        if refusal is None:
            try:
                await self._app(scope, body.receive, send_on)
            except Exception:
                # Answered here, so that this is counted and has its headers too; the log is others' work.
                if scope["type"] == "http" and not started:
                    line = "the server failed at this request; its log says more"
                    await _error(500, line)(scope, body.receive, send_on)
                raise
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await refusal(scope, body.receive, send_on)

    def _refusal(self, scope: Scope) -> Response | None:
        """The answer to who is not let in; None lets in."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self._access.only_loopback and not is_loopback(_host_name(host)):
            return _error(
                421, f"the request is for {host[:100]!r}, and this server answers for localhost only"
            )
        if not _same_origin(scope, headers, host):
            return _error(
                403, "the request comes from a page of another origin; open the page of this server"
            )
        if not self._access.token or scope["path"] in _OPEN_PATHS:
            return None
        return self._check_token(scope, headers)

    def _check_token(self, scope: Scope, headers: Headers) -> Response | None:
        query = parse_qsl(scope["query_string"].decode("latin-1"))
        asked = [value for name, value in query if name == "token"]
        kind, _, bearer = headers.get("authorization", "").partition(" ")
        given = [*asked, _cookie(headers), bearer.strip() if kind.lower() == "bearer" else ""]
        if not any(secrets.compare_digest(value.encode(), self._access.token.encode()) for value in given):
            return _error(
                401,
                "the token is missing or wrong; open the address that gclf-live serve printed, or send "
                "Authorization: Bearer TOKEN",
                {"WWW-Authenticate": "Bearer"},
            )
        if not asked or scope["type"] == "websocket" or scope["method"] not in {"GET", "HEAD"}:
            return None
        # Once: the address bar, the history and the referrer are no places for a token.
        rest = urlencode([(name, value) for name, value in query if name != "token"])
        # One slash: a browser takes what begins with two for the name of another host.
        path = "/" + scope["path"].lstrip("/")
        answer = RedirectResponse(f"{path}{'?' if rest else ''}{rest}", 303)
        answer.set_cookie(COOKIE, self._access.token, httponly=True, samesite="strict", path="/")
        return answer


def _same_origin(scope: Scope, headers: Headers, host: str) -> bool:
    """Whether a request that changes something, or opens a connection, comes from our own page or no page."""
    if scope["type"] == "http" and scope["method"] in _SAFE_METHODS:
        return True
    if headers.get("sec-fetch-site", "none") not in {"same-origin", "none"}:
        return False
    origin = headers.get("origin")
    if origin is None:
        return True
    try:
        parts = urlsplit(origin)
    except ValueError:  # no address at all
        return False
    return parts.scheme in {"http", "https"} and parts.netloc.lower() == host.lower()


def _host_name(host: str) -> str:
    """``[::1]:8000`` without its port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _cookie(headers: Headers) -> str:
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return morsel.value if morsel is not None else ""


def _error(status: int, line: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"error": line}, status, headers)
