"""Tells Qt once more that its window is on the screen.

Now and then, on a busy machine, the Qt of OpenCV's wheels loses the events that arrive while a window is
mapped. It then never learns that the window can be seen, and never paints it, though keys and the cross
still work. Qt takes the event MapNotify from any client and paints the whole window on it, so it is sent
again: requests and events after X.Org, "X Window System Protocol", Encoding. Where nothing was lost, it
costs one painting.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable, Iterator

_AFTER_S = (0.5, 1.5, 4.0)
"""Seconds after opening: on a busy machine the first may come before the window is there."""
_MOST_WINDOWS = 500
_QUERY_TREE, _INTERN_ATOM, _GET_PROPERTY, _SEND_EVENT = 15, 16, 20, 25
_ERROR, _REPLY = 0, 1
_WM_NAME = 39
_ANY_TYPE = 0
_MAP_NOTIFY = 19


class MappedReminder:
    """Sends the event, a few times in the first seconds of a window."""

    def __init__(
        self, connection: object, title: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Prepare the reminders of a window that was just opened.

        Args:
            connection: what ``check_display`` returned; nothing is sent where that is no X server's socket.
            title: what the window's frame says.
            clock: seconds.
        """
        self._x = _Requests(connection) if isinstance(connection, socket.socket) else None
        self._title, self._clock = title, clock
        self._opened_at = clock()
        self._left = list(_AFTER_S)

    def poll(self) -> None:
        """Send the event if it is time. An X server that does not answer is not asked again."""
        if self._x is None or not self._left or self._clock() - self._opened_at < self._left[0]:
            return
        self._left.pop(0)
        try:
            for window in self._x.named(self._title):
                self._x.send_mapped(window)
        except (OSError, struct.error):
            self._left.clear()


class _Requests:
    """The few requests that are needed, on a connection that was granted and not yet read further."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._root = 0

    def named(self, title: str) -> Iterator[int]:
        """Windows of this title among those that the window manager knows, or the root's own."""
        root = self._root = self._root or self._read_setup()
        (clients,) = struct.unpack("<I", self._ask(_INTERN_ATOM, 0, _atom(b"_NET_CLIENT_LIST"))[8:12])
        windows = _numbers(self._property(root, clients))
        if not windows:
            reply = self._ask(_QUERY_TREE, 0, struct.pack("<I", root))
            windows = _numbers(reply[32:])
        for window in windows[:_MOST_WINDOWS]:
            if self._property(window, _WM_NAME) == title.encode():
                yield window

    def send_mapped(self, window: int) -> None:
        """Send MapNotify to the client that made the window: that is an empty event mask."""
        event = struct.pack("<BxHIIB19x", _MAP_NOTIFY, 0, window, window, 0)
        self._send(_SEND_EVENT, 0, struct.pack("<II", window, 0) + event)

    def _read_setup(self) -> int:
        """Read what the server says of itself; the first screen's root window."""
        (words,) = struct.unpack("<5xH", self._read(7))  # the first byte was read as "granted"
        told = self._read(4 * words)
        (vendor,), formats = struct.unpack("<H", told[16:18]), told[21]
        screen = 32 + vendor + -vendor % 4 + 8 * formats
        return int.from_bytes(told[screen : screen + 4], "little")

    def _property(self, window: int, name: int) -> bytes:
        request = struct.pack("<IIIII", window, name, _ANY_TYPE, 0, _MOST_WINDOWS)
        reply = self._ask(_GET_PROPERTY, 0, request)
        if reply[0] == _ERROR:  # the window has gone meanwhile
            return b""
        (values,) = struct.unpack("<I", reply[16:20])
        return reply[32 : 32 + values * reply[1] // 8]

    def _ask(self, code: int, detail: int, body: bytes) -> bytes:
        """Send a request, and read its reply or error; events are passed over."""
        self._send(code, detail, body)
        while True:
            answer = self._read(32)
            if answer[0] == _REPLY:
                return answer + self._read(4 * int.from_bytes(answer[4:8], "little"))
            if answer[0] == _ERROR:
                return answer

    def _send(self, code: int, detail: int, body: bytes) -> None:
        self._connection.sendall(struct.pack("<BBH", code, detail, 1 + len(body) // 4) + body)

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self._connection.recv(size - len(data))
            if not more:
                raise ConnectionResetError("the X server has left")
            data += more
        return data


def _atom(name: bytes) -> bytes:
    return struct.pack("<Hxx", len(name)) + name + bytes(-len(name) % 4)


def _numbers(data: bytes) -> list[int]:
    return list(struct.unpack(f"<{len(data) // 4}I", data[: len(data) // 4 * 4]))
