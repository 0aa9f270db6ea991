"""Errors as a client gets them: one line, and the status that fits."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from pydantic import BaseModel

from gclf_live.errors import GclfError


class ErrorAnswer(BaseModel):
    """What every answer with a status of 400 and above holds: one line."""

    error: str


class RequestError(GclfError):
    """A request that is refused.

    Attributes:
        status: of the HTTP answer.
        headers: that go with it.
    """

    def __init__(self, status: int, line: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(line)
        self.status = HTTPStatus(status)
        self.headers = dict(headers or {})


class BusyError(RequestError):
    """There is no room for the request now: 503 with ``Retry-After``."""

    def __init__(self, line: str, *, retry_after_s: float) -> None:
        seconds = max(1, round(retry_after_s))
        super().__init__(
            HTTPStatus.SERVICE_UNAVAILABLE,
            f"{line}. Try again in {seconds} s",
            headers={"Retry-After": str(seconds)},
        )
