"""Whether there is a screen, found out without touching Qt.

Qt ends the whole process where it cannot reach a display. So the X server is asked first, by the
connection setup of the X protocol (X.Org, "X Window System Protocol", section 8).
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, TypeAlias

from gclf_live.errors import DisplayError

Connect: TypeAlias = Callable[["DisplayName"], socket.socket]
"""Opens a connection to an X server, or raises OSError."""

_TIMEOUT_S = 3.0
_ATTEMPTS = 10
_PAUSE_S = 0.1
_COOKIE = b"MIT-MAGIC-COOKIE-1"
_INSTEAD = "To run without a window, add --no-window"


class DisplayName(NamedTuple):
    """A parsed ``DISPLAY``: ``[host]:number[.screen]``. An empty host is this machine."""

    host: str
    number: int


def check_display(
    environ: Mapping[str, str] | None = None,
    platform: str = sys.platform,
    *,
    connect: Connect | None = None,
) -> socket.socket | None:
    """Make sure that a window can be opened.

    Args:
        environ: the environment; ``os.environ`` unless given.
        platform: as ``sys.platform``. Windows and macOS always have a display.
        connect: opens the connection to the X server; a real socket unless given.

    Returns:
        The connection that was granted; None where there is no X. Keep it open until the window is:
        an X server resets itself when its last client leaves, and whoever comes meanwhile is lost.

    Raises:
        DisplayError: on Linux, where no X display is named, or the one named does not answer or
            does not let this user in.
    """
    environ = os.environ if environ is None else environ
    if not platform.startswith("linux"):
        return None
    display = environ.get("DISPLAY", "")
    if not display:
        raise DisplayError(f"no window can be opened: {_no_display(environ)}. {_INSTEAD}")
    name = _parse_display(display)
    try:
        granted = _enter(name, list(_cookies(environ, name)), connect or _connect)
    except OSError as error:
        reason = error.strerror or str(error)
        raise DisplayError(
            f"no window can be opened: the display DISPLAY={display} does not answer ({reason}). {_INSTEAD}"
        ) from error
    if granted is None:
        raise DisplayError(
            f"no window can be opened: the display DISPLAY={display} refuses this user. {_INSTEAD}"
        )
    return granted


def _no_display(environ: Mapping[str, str]) -> str:
    # OpenCV's wheels bring Qt's plugin for X only; Wayland desktops serve it through XWayland.
    if environ.get("WAYLAND_DISPLAY"):
        return "there is a Wayland display but no X one (DISPLAY is not set), so XWayland is needed"
    return "there is no display (neither DISPLAY nor WAYLAND_DISPLAY is set)"


def _parse_display(display: str) -> DisplayName:
    match = re.fullmatch(r"(?:unix|(?P<host>[^/]*)):(?P<number>\d{1,5})(?:\.\d+)?", display)
    if match is None:
        raise DisplayError(f"DISPLAY={display!r} names no display; it looks like :0 or host:10.0. {_INSTEAD}")
    return DisplayName(match["host"] or "", int(match["number"]))


def _connect(name: DisplayName) -> socket.socket:
    """A connection to the X server: on this machine Linux's abstract socket or the file, else TCP."""
    if name.host:
        return socket.create_connection((name.host, 6000 + name.number), timeout=_TIMEOUT_S)
    path = f"/tmp/.X11-unix/X{name.number}"
    try:
        return _connect_local("\0" + path)
    except OSError:
        return _connect_local(path)


def _connect_local(address: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(_TIMEOUT_S)
    try:
        connection.connect(address)
    except OSError:
        connection.close()
        raise
    return connection


def _enter(name: DisplayName, cookies: list[bytes], connect: Connect) -> socket.socket | None:
    """The first connection that one of the cookies is granted; None if all are refused."""
    for attempt in range(_ATTEMPTS):
        try:
            answers = (_knock(name, cookie, connect) for cookie in cookies)
            return next((connection for connection in answers if connection), None)
        except (ConnectionResetError, BrokenPipeError):  # The server is just resetting itself.
            if attempt == _ATTEMPTS - 1:
                raise
            time.sleep(_PAUSE_S)
    return None


def _knock(name: DisplayName, cookie: bytes, connect: Connect) -> socket.socket | None:
    """Ask for a connection as an X client does; it is returned open if it is granted."""
    protocol = _COOKIE if cookie else b""
    request = struct.pack("<cxHHHHxx", b"l", 11, 0, len(protocol), len(cookie))
    connection = connect(name)
    with contextlib.ExitStack() as unless_granted:
        unless_granted.callback(connection.close)
        connection.sendall(request + _padded(protocol) + _padded(cookie))
        answer = connection.recv(1)
        if not answer:
            raise ConnectionResetError("closed without an answer")
        if answer != b"\x01":
            return None
        unless_granted.pop_all()
    return connection


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _cookies(environ: Mapping[str, str], name: DisplayName) -> Iterator[bytes]:
    """What the authority file has for displays of this number, and at last nothing at all."""
    path = environ.get("XAUTHORITY") or Path(environ.get("HOME", "/")) / ".Xauthority"
    try:
        data = Path(path).read_bytes()
    except OSError:
        data = b""
    seen = {
        cookie
        for number, protocol, cookie in _authority_entries(data)
        if protocol == _COOKIE and number in (b"", str(name.number).encode())
    }
    yield from sorted(seen)
    yield b""


def _authority_entries(data: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Display number, protocol and cookie of each entry of an authority file (Xau(3)), if whole."""
    position = 0
    while position < len(data):
        position += 2  # The address family: a cookie of another host is refused, which does no harm.
        fields = []
        for _ in range(4):
            length = int.from_bytes(data[position : position + 2], "big")
            fields.append(data[position + 2 : position + 2 + length])
            position += 2 + length
        if position > len(data):
            return
        _, number, protocol, cookie = fields
        yield number, protocol, cookie
