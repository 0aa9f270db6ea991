"""What the log is for: where the server listens, and what failed in it; not what clients got wrong."""

from __future__ import annotations

import logging

_NO_NEWS = ("Invalid UTF-8 sequence received from client",)
"""What uvicorn reports as an error of its own, with a traceback, and answers rightly (close code 1007)."""
_TALKATIVE = {"python_multipart": logging.CRITICAL, "asyncio": logging.ERROR}
"""Libraries that warn of every broken form, and of every client that goes away."""


def quiet_libraries() -> None:
    """Keep from the log what broken requests make libraries say. Called again, it does nothing more."""
    for name, level in _TALKATIVE.items():
        logging.getLogger(name).setLevel(level)
    logging.getLogger("uvicorn.error").addFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith(_NO_NEWS)
