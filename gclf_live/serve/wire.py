"""What the server and its child processes say to one another: a JSON object, and bytes where there are any.

Nothing is pickled: a child that a hostile file has taken over can send numbers and text, and no more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from multiprocessing.connection import Connection
from typing import Any

_LARGEST_HEADER = 64 << 20


def send(connection: Connection, header: Mapping[str, Any], payload: bytes | memoryview = b"") -> None:
    """Send one message.

    Raises:
        OSError: the other side has gone.
    """
    connection.send_bytes(json.dumps({"header": header, "bytes": len(payload)}).encode())
    if len(payload):
        connection.send_bytes(payload)


def receive(connection: Connection, *, largest: int = 1 << 30) -> tuple[dict[str, Any], bytes]:
    """Wait for one message.

    Args:
        connection: the pipe.
        largest: bytes that are accepted.

    Returns:
        The object and the bytes.

    Raises:
        EOFError, OSError: the other side has gone.
        ValueError: what came is no message.
    """
    document = json.loads(connection.recv_bytes(_LARGEST_HEADER))
    if not isinstance(document, dict) or not isinstance(document.get("header"), dict):
        raise ValueError("a message is no object")  # noqa: TRY004 - of what came, not of an argument
    payload = connection.recv_bytes(largest) if document.get("bytes") else b""
    return document["header"], payload
