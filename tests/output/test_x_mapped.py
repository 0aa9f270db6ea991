"""Reminding Qt that its window is on the screen: what is asked of the X server, and when."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from gclf_live.output.x_mapped import MappedReminder

ROOT, CLIENT_LIST, WM_NAME = 77, 300, 39
OURS, OTHER, GONE = 0x600006, 0x700001, 0x800001


class FakeX:
    """An X server that has granted a connection, of which one byte was read."""

    def __init__(self, clients: list[int], children: list[int], *, leaves: bool = False) -> None:
        self.connection, self._theirs = socket.socketpair()
        self.connection.settimeout(5)
        self.clients, self.children, self.leaves = clients, children, leaves
        self.events: list[tuple[int, int, bytes]] = []
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self.connection.close()
        self._thread.join(timeout=5)

    def _serve(self) -> None:
        with self._theirs, contextlib.suppress(ConnectionError):  # the client leaves when it likes
            if self.leaves:
                return
            vendor = b"tests"
            told = struct.pack("<16xHxxBB10x", len(vendor), 1, 2)  # one screen, two formats
            told += vendor + bytes(3) + bytes(16) + struct.pack("<I36x", ROOT)
            self._theirs.sendall(struct.pack("<xHHH", 11, 0, len(told) // 4) + told)
            while head := self._theirs.recv(4):
                code, _, words = struct.unpack("<BBH", head)
                answer = self._answer(code, self._theirs.recv(4 * words - 4))
                if answer:
                    # An event that nobody asked for comes first.
                    self._theirs.sendall(bytes([34]) + bytes(31) + answer)

    def _answer(self, code: int, body: bytes) -> bytes:
        if code == 16:  # InternAtom
            assert body[4:].rstrip(b"\0") == b"_NET_CLIENT_LIST"
            return struct.pack("<BxHIIxxxxxxxxxxxxxxxxxxxx", 1, 0, 0, CLIENT_LIST)
        if code == 20:  # GetProperty
            window, name = struct.unpack("<II", body[:8])
            if window == GONE:
                return bytes([0, 3]) + bytes(30)
            size, value = 8, {OURS: b"gclf-live", OTHER: b"another"}.get(window, b"")
            if (window, name) == (ROOT, CLIENT_LIST):
                size, value = 32, struct.pack(f"<{len(self.clients)}I", *self.clients)
            else:
                assert name == WM_NAME
            padded = value + bytes(-len(value) % 4)
            count = 8 * len(value) // size
            return struct.pack("<BBHIIII12x", 1, size, 0, len(padded) // 4, 0, 0, count) + padded
        if code == 15:  # QueryTree
            numbers = struct.pack(f"<{len(self.children)}I", *self.children)
            return struct.pack("<BxHIIIH14x", 1, 0, len(numbers) // 4, ROOT, 0, len(self.children)) + numbers
        assert code == 25  # SendEvent
        window, mask = struct.unpack("<II", body[:8])
        self.events.append((window, mask, body[8:]))
        return b""


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def servers() -> Iterator[list[FakeX]]:
    servers: list[FakeX] = []
    yield servers
    for server in servers:
        server.close()


@pytest.mark.parametrize(
    ("clients", "children"),
    [([OTHER, GONE, OURS], []), ([], [GONE, OTHER, OURS])],
    ids=["window manager", "no window manager"],
)
def test_own_window_is_told_three_times(
    clock: Clock, servers: list[FakeX], clients: list[int], children: list[int]
) -> None:
    server = FakeX(clients, children)
    servers.append(server)
    reminder = MappedReminder(server.connection, "gclf-live", clock=clock)
    told = []
    for _ in range(100):
        reminder.poll()
        clock.now_s += 0.1
    server.close()
    for window, mask, event in server.events:
        told.append(window)
        assert mask == 0  # to the client that made the window
        assert event[0] == 19
        assert struct.unpack("<II", event[4:12]) == (OURS, OURS)
    assert told == [OURS] * 3


def test_nothing_is_sent_at_once(clock: Clock, servers: list[FakeX]) -> None:
    server = FakeX([OURS], [])
    servers.append(server)
    MappedReminder(server.connection, "gclf-live", clock=clock).poll()
    server.close()
    assert server.events == []


def test_server_that_has_left_is_not_asked_again(clock: Clock, servers: list[FakeX]) -> None:
    server = FakeX([], [], leaves=True)
    servers.append(server)
    reminder = MappedReminder(server.connection, "gclf-live", clock=clock)
    clock.now_s += 1
    reminder.poll()
    server.connection.close()  # to ask it again would raise
    clock.now_s += 10
    reminder.poll()


def test_screens_without_x_are_not_asked(clock: Clock) -> None:
    reminder = MappedReminder(None, "gclf-live", clock=clock)
    clock.now_s += 1
    reminder.poll()
