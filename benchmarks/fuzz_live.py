"""Live connections of hostile clients, made by number, for ``benchmarks.fuzz_api``."""

from __future__ import annotations

import contextlib
import json
import logging
import random
import socket
from base64 import b64encode
from collections.abc import Callable
from http.client import HTTPConnection
from typing import Any

from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import ClientConnection, connect

from benchmarks.fuzz import mutate
from benchmarks.fuzz_requests import Good
from benchmarks.fuzz_seeds import odd_picture
from benchmarks.fuzz_server import Served

_ANSWER_S = 60.0
_QUIET = logging.getLogger("benchmarks.fuzz_live")
_QUIET.setLevel(logging.CRITICAL + 1)  # the client's library is not what is looked at
_TEXTS = (
    *("", "x", "[]", "{}", "null", '{"threshold": NaN}', '{"threshold": 1e999}', '{"threshold": -1}'),
    *(
        '{"threshold": "0.5"}',
        '{"threshold": 0.3}',
        '{"threshold": 1}',
        '{"threshold": [0.5]}',
        "[" * 100_000,
    ),
    *(
        '{"threshold": ' + "9" * 5000 + "}",
        '{"\\ud800": 1}',
        "\x00",
        "\U0001f600" * 1000,
        '{"threshold": true}',
    ),
)
_CODES = frozenset({1000, 1001, 1002, 1005, 1006, 1007, 1008, 1009, 1011, 1013})

Act = Callable[[ClientConnection, Good, random.Random], None]


class Unmannerly(Exception):  # noqa: N818 - what the server did, in one line
    """The server did what it never may."""


def live_attack(server: Served, good: Good, draw: random.Random) -> str:
    """One connection; how it ended.

    Raises:
        Unmannerly: the server said or did what it never may.
        TimeoutError: it did not answer.
    """
    if draw.random() < 0.25:
        return _raw(server, draw)
    headers = {"Origin": draw.choice(("null", "http://[", "http://evil.example", "http://[::1"))}
    wrong = headers if draw.random() < 0.1 else {}
    try:
        connection = connect(
            f"{server.url.replace('http', 'ws')}v1/live",
            additional_headers=wrong,
            open_timeout=_ANSWER_S,
            close_timeout=_ANSWER_S,
            ping_interval=None,
            logger=_QUIET,
        )
    except InvalidHandshake as error:
        status = getattr(getattr(error, "response", None), "status_code", 0)
        if status not in {403, 503}:
            raise Unmannerly(f"the handshake is answered {status}") from error
        return "refused"
    try:
        with contextlib.suppress(ConnectionClosed), connection:
            for _ in range(draw.choice((1, 2, 5))):
                draw.choice(_ACTS)(connection, good, draw)
    except TimeoutError:
        raise
    except OSError:  # a socket of which the server has had enough
        pass
    if connection.close_code not in _CODES:
        raise Unmannerly(f"the connection is closed with {connection.close_code}")
    if (
        connection.close_code == 1011
        and connection.close_reason != "a frame could not be decoded; connect again"
    ):
        raise Unmannerly(f"the connection is closed with 1011, {connection.close_reason!r}")
    return f"closed {connection.close_code}"


def _hear(connection: ClientConnection) -> dict[str, Any]:
    """The next answer, which is one object of finite numbers."""
    text = connection.recv(timeout=_ANSWER_S)

    def refuse(word: str) -> float:
        raise Unmannerly(f"an answer has {word}")

    document = json.loads(text, parse_constant=refuse)
    if not isinstance(document, dict) or not {"error", "faces"} & set(document):
        raise Unmannerly(f"an answer is {str(text)[:200]}")
    line = str(document.get("error", ""))
    if "\n" in line or "/tmp" in line or "/proc" in line or "Traceback" in line:
        raise Unmannerly(f"an error is {line[:200]!r}")
    return document


def _frame(connection: ClientConnection, good: Good, draw: random.Random) -> None:
    mutated = mutate(draw.choice(good.pictures), draw.choice(good.pictures), draw) or b"\xff"
    connection.send(mutated if draw.random() < 0.8 else odd_picture(draw))
    _hear(connection)


def _good_frame(connection: ClientConnection, good: Good, draw: random.Random) -> None:
    connection.send(good.pictures[0])
    while "faces" not in _hear(connection):  # the answers to what was sent before come first
        pass


def _text(connection: ClientConnection, good: Good, draw: random.Random) -> None:
    connection.send(draw.choice(_TEXTS))


def _many(connection: ClientConnection, good: Good, draw: random.Random) -> None:
    """Frames that nobody waits for."""
    for _ in range(draw.choice((5, 50))):
        connection.send(draw.choice((good.pictures[0], b"", draw.randbytes(1000))))


def _huge(connection: ClientConnection, good: Good, draw: random.Random) -> None:
    connection.send(bytes(draw.choice((3_999_999, 4_000_001, 9_000_000))))
    _hear(connection)


def _in_pieces(connection: ClientConnection, good: Good, draw: random.Random) -> None:
    whole = good.pictures[0]
    size = draw.choice((100, 1000))
    connection.send(iter([whole[i : i + size] for i in range(0, len(whole), size)]))
    _hear(connection)


def _bad_words(connection: ClientConnection, good: Good, draw: random.Random) -> None:
    """Bytes that are no frame of the protocol, or a text that is no UTF-8."""
    mask = b"\x00" * 4
    wrong = (
        b"\x81\x82" + mask + b"\xff\xfe",
        b"\x83\x80" + mask,
        b"\x82\x05hello",
        b"\x89\xfe\xff\xff" + mask,
    )
    connection.socket.sendall(draw.choice((*wrong, draw.randbytes(200))))
    connection.socket.shutdown(socket.SHUT_WR)  # it may have been the first half of a frame


def _vanish(connection: ClientConnection, good: Good, draw: random.Random) -> None:
    """Go away without a word, perhaps within a frame or before its answer."""
    if draw.random() < 0.7:
        connection.send(good.pictures[0])
    if draw.random() < 0.3:
        connection.socket.sendall(b"\x82\xfe\xff\xff\x00\x00\x00\x00half")
    with contextlib.suppress(OSError):
        connection.socket.shutdown(socket.SHUT_RDWR)


_ACTS: tuple[Act, ...] = (
    *(_frame, _frame, _frame, _good_frame, _text, _text, _many, _huge, _in_pieces, _bad_words, _vanish),
)


def _raw(server: Served, draw: random.Random) -> str:
    """A handshake that is wrong somewhere."""
    key = b64encode(draw.randbytes(16)).decode()
    headers = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": key,
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Protocol": "a, b",
        "Sec-WebSocket-Extensions": "permessage-deflate",
    }
    name = draw.choice(list(headers))
    headers[name] = draw.choice(("", "x", "\xff", "13, 14", "permessage-deflate; server_max_window_bits=99"))
    if draw.random() < 0.3:
        del headers[name]
    connection = HTTPConnection(*server.address, timeout=_ANSWER_S)
    with contextlib.closing(connection):
        connection.request(draw.choice(("GET", "GET", "GET", "POST")), "/v1/live", headers=headers)
        status = connection.getresponse().status
    if status >= 500 and status != 503:
        raise Unmannerly(f"the handshake is answered {status}")
    return "upgraded" if status == 101 else "refused"
