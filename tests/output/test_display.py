from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gclf_live.errors import DisplayError
from gclf_live.output.display import DisplayName, check_display

COOKIE = b"0123456789abcdef"
GRANTED, REFUSED = b"\x01", b"\x00"


class FakeServer:
    """An X server that lets in those who bring ``cookie``, and keeps what it was asked.

    The first ``resets`` connections are dropped without an answer.
    """

    def __init__(self, cookie: bytes) -> None:
        self.cookie = cookie
        self.resets = 0
        self.left: bool | None = None
        self.requests: list[bytes] = []
        self.names: list[DisplayName] = []
        self._threads: list[threading.Thread] = []

    def connect(self, name: DisplayName) -> socket.socket:
        self.names.append(name)
        ours, theirs = socket.socketpair()
        thread = threading.Thread(target=self._serve, args=(theirs,))
        thread.start()
        self._threads.append(thread)
        return ours

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            head = connection.recv(12)
            name_length, data_length = struct.unpack("<HH", head[6:10])
            rest = name_length + -name_length % 4 + data_length + -data_length % 4
            body = connection.recv(rest) if rest else b""
            self.requests.append(head + body)
            got = body[name_length + -name_length % 4 :][:data_length]
            if self.resets:
                self.resets -= 1
                return
            connection.sendall(GRANTED if got == self.cookie else REFUSED)
            self.left = connection.recv(1) == b""

    def check(self, environ: dict[str, str]) -> None:
        """Run the check against this server and let go of what was granted."""
        connection = check_display(environ, "linux", connect=self.connect)
        assert connection is not None
        connection.close()

    def join(self) -> None:
        for thread in self._threads:
            thread.join(timeout=5)


@pytest.fixture
def server() -> Iterator[FakeServer]:
    server = FakeServer(cookie=b"")
    yield server
    server.join()


def _authority(*entries: tuple[bytes, bytes, bytes]) -> bytes:
    """The bytes of an authority file: display number, protocol and cookie of each entry."""
    data = b""
    for number, protocol, cookie in entries:
        data += b"\x01\x00"
        for field in (b"host", number, protocol, cookie):
            data += len(field).to_bytes(2, "big") + field
    return data


def _environ(home: Path, **more: str) -> dict[str, str]:
    return {"HOME": str(home), "DISPLAY": ":7"} | more


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_other_systems_always_have_a_display(platform: str) -> None:
    assert check_display({}, platform) is None


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({}, "neither DISPLAY nor WAYLAND_DISPLAY"),
        ({"DISPLAY": ""}, "neither DISPLAY nor WAYLAND_DISPLAY"),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "XWayland"),
        ({"DISPLAY": "screen"}, "looks like :0"),
        ({"DISPLAY": ":0x"}, "looks like :0"),
    ],
)
def test_missing_display_is_one_line_that_says_what_to_do(environ: dict[str, str], said: str) -> None:
    with pytest.raises(DisplayError) as caught:
        check_display(environ, "linux")
    message = str(caught.value)
    assert said in message
    assert "--no-window" in message
    assert "\n" not in message


def test_display_that_grants_is_accepted(server: FakeServer, tmp_path: Path) -> None:
    server.check(_environ(tmp_path))
    server.join()
    assert server.requests == [b"l\x00\x0b\x00\x00\x00" + bytes(6)]


@pytest.mark.parametrize(
    ("display", "name"),
    [
        (":0", ("", 0)),
        (":10.1", ("", 10)),
        ("unix:3", ("", 3)),
        ("localhost:10.0", ("localhost", 10)),
        ("::1:2", ("::1", 2)),
    ],
)
def test_display_names_are_understood(
    server: FakeServer, tmp_path: Path, display: str, name: tuple[str, int]
) -> None:
    server.check(_environ(tmp_path, DISPLAY=display))
    assert server.names == [name]


def test_granted_connection_stays_open_for_the_caller(server: FakeServer, tmp_path: Path) -> None:
    connection = check_display(_environ(tmp_path), "linux", connect=server.connect)
    assert connection is not None
    assert server.left is None
    connection.close()
    server.join()
    assert server.left is True


def test_server_that_is_resetting_itself_is_asked_again(server: FakeServer, tmp_path: Path) -> None:
    server.resets = 2
    server.check(_environ(tmp_path))
    assert len(server.names) == 3


def test_server_that_drops_every_connection_is_an_error(server: FakeServer, tmp_path: Path) -> None:
    server.resets = 1000
    with pytest.raises(DisplayError, match="does not answer"):
        check_display(_environ(tmp_path), "linux", connect=server.connect)


def test_display_that_refuses_is_an_error(server: FakeServer, tmp_path: Path) -> None:
    server.cookie = COOKIE
    with pytest.raises(DisplayError, match="refuses this user"):
        check_display(_environ(tmp_path), "linux", connect=server.connect)


@pytest.mark.parametrize("variable", ["HOME", "XAUTHORITY"])
def test_cookie_of_the_display_is_brought(server: FakeServer, tmp_path: Path, variable: str) -> None:
    file = tmp_path / (".Xauthority" if variable == "HOME" else "elsewhere")
    protocol = b"MIT-MAGIC-COOKIE-1"
    file.write_bytes(
        _authority((b"8", protocol, b"x" * 16), (b"7", b"OTHER", b"y"), (b"7", protocol, COOKIE))
    )
    server.cookie = COOKIE
    environ = _environ(tmp_path) | ({"XAUTHORITY": str(file)} if variable == "XAUTHORITY" else {})
    server.check(environ)
    server.join()
    assert not any(b"x" * 16 in request for request in server.requests)


@pytest.mark.parametrize("cut", [1, 3, 12, 30])
def test_cut_authority_file_is_no_error_of_its_own(server: FakeServer, tmp_path: Path, cut: int) -> None:
    entry = _authority((b"7", b"MIT-MAGIC-COOKIE-1", COOKIE))
    (tmp_path / ".Xauthority").write_bytes(entry[:-cut])
    server.check(_environ(tmp_path))
    server.join()
    assert len(server.requests) == 1


def test_display_without_server_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DisplayError, match=r"DISPLAY=:54321 does not answer .*--no-window"):
        check_display(_environ(tmp_path, DISPLAY=":54321"), "linux")


def test_remote_display_without_server_is_an_error(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        free_port = listener.getsockname()[1]
    number = free_port - 6000
    with pytest.raises(DisplayError, match="does not answer"):
        check_display(_environ(tmp_path, DISPLAY=f"127.0.0.1:{number}"), "linux")
