"""open_stream: network streams from a loopback server, and files played at their own pace."""

from __future__ import annotations

import io
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from media_makers import make_video, plain, shade
from PIL import Image

from gclf_live.errors import SourceError, UsageError
from gclf_live.media.capture import CaptureThread
from gclf_live.media.source import FramePolicy, Source, SourceKind
from gclf_live.media.stream import open_stream

_HEAD = b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=cut\r\n\r\n"
Send = Callable[[int], None]


def _part(value: int) -> bytes:
    sink = io.BytesIO()
    Image.fromarray(plain(64, 48, value)).save(sink, "JPEG")
    data = sink.getvalue()
    return b"--cut\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n" % (len(data), data)


@contextmanager
def _serving(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server on the loopback that hands each connection to ``answer``."""
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
                with connection:
                    connection.recv(4096)
                    answer(connection)
            except OSError:
                return

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/live.mjpg"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def _url(url: str) -> Source:
    return Source(SourceKind.URL, url)


def test_mjpeg_over_http_gives_every_picture_and_ends() -> None:
    def answer(connection: socket.socket) -> None:
        connection.sendall(_HEAD + b"".join(_part(shade(i)) for i in range(12)))

    with _serving(answer) as url:
        stream = open_stream(_url(url))
        values = []
        while (image := stream.read()) is not None:
            values.append(int(image.mean()))
        stream.close()
    assert (stream.width_px, stream.height_px) == (64, 48)
    assert values == pytest.approx([shade(i) for i in range(12)], abs=3)


def test_silent_stream_is_told_as_stalled_and_comes_back() -> None:
    go_on, done = threading.Event(), threading.Event()

    def answer(connection: socket.socket) -> None:
        connection.sendall(_HEAD + _part(40) * 5)
        go_on.wait(20)
        for _ in range(3):
            connection.sendall(_part(200))
        done.wait(20)

    with _serving(answer) as url:
        now = [0.0]
        with CaptureThread(open_stream(_url(url)), clock=lambda: now[0]) as capture:
            while capture.newest(1.0) is not None:
                pass
            now[0] = 10.0
            assert capture.newest(0.05) is None
            assert capture.stalled_s == 10.0
            assert not capture.ended
            go_on.set()
            frame = capture.newest(20)
            assert frame is not None
            assert frame.image.mean() > 180
            assert capture.stalled_s == 0.0
            done.set()


def test_program_ends_at_once_while_a_stream_is_silent() -> None:
    program = """
        import sys, time
        from gclf_live.media.capture import CaptureThread
        from gclf_live.media.source import Source, SourceKind
        from gclf_live.media.stream import open_stream
        with CaptureThread(open_stream(Source(SourceKind.URL, sys.argv[1]))) as capture:
            while capture.newest(1.0) is not None:
                pass
            print("leaving", flush=True)
        sys.exit(130)
    """
    quiet = threading.Event()

    def answer(connection: socket.socket) -> None:
        connection.sendall(_HEAD + _part(40) * 5)
        quiet.wait(120)

    with _serving(answer) as url:
        arguments = [sys.executable, "-c", textwrap.dedent(program), url]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
            assert running.stdout is not None
            assert running.stderr is not None
            assert running.stdout.readline() == b"leaving\n"
            code = running.wait(15)  # libav itself would wait for 30 seconds
            assert (code, running.stderr.read()) == (130, b"")
        quiet.set()


def test_server_that_sends_no_picture_is_a_source_error() -> None:
    def answer(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n<html>log in</html>")

    with _serving(answer) as url, pytest.raises(SourceError) as caught:
        open_stream(_url(url))
    assert "\n" not in str(caught.value)


def test_refused_connection_is_told_without_the_password() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    for scheme in ("rtsp", "http"):
        with pytest.raises(SourceError, match="refused") as caught:
            open_stream(_url(f"{scheme}://me:secret@127.0.0.1:{port}/1"))
        assert "secret" not in str(caught.value)
        assert "me:***@127.0.0.1" in str(caught.value)


def test_recording_behind_a_url_is_played_at_its_pace(tmp_path: Path) -> None:
    data = make_video(tmp_path / "a.mp4", frames=30, options={"movflags": "+faststart"}).read_bytes()
    naps: list[float] = []

    def answer(connection: socket.socket) -> None:
        head = b"HTTP/1.0 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: %d\r\n\r\n" % len(data)
        connection.sendall(head + data)

    with _serving(answer) as url:
        stream = open_stream(_url(url), clock=lambda: 0.0, sleep=naps.append)
        count = 0
        while stream.read() is not None:
            count += 1
        stream.close()
    assert count == 30
    assert naps == pytest.approx([i / 30 for i in range(1, 30)])


class FakeTime:
    """A clock that only sleeping and working move on."""

    def __init__(self) -> None:
        self.now = 50.0
        self.naps: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds


def _file(path: Path, ticks: list[int]) -> Source:
    make_video(path, frames=len(ticks), pts=ticks, time_base=Fraction(1, 1000))
    return Source(SourceKind.FILE, str(path))


def test_file_is_played_at_its_own_times(tmp_path: Path) -> None:
    times = FakeTime()
    source = _file(tmp_path / "a.mkv", [0, 40, 1000, 1100])
    stream = open_stream(source, clock=times.clock, sleep=times.sleep)
    shown = []
    while stream.read() is not None:
        shown.append(times.now - 50)
    assert shown == pytest.approx([0, 0.04, 1.0, 1.1])
    assert stream.name == "a.mkv"


def test_late_file_does_not_wait_and_catches_up(tmp_path: Path) -> None:
    times = FakeTime()
    stream = open_stream(_file(tmp_path / "a.mkv", [0, 100, 200, 300]), clock=times.clock, sleep=times.sleep)
    stream.read()
    times.now += 0.25
    for _ in range(3):
        stream.read()
    assert times.naps == pytest.approx([0.05])


def test_file_goes_on_at_its_pace_after_a_pause(tmp_path: Path) -> None:
    times = FakeTime()
    ticks = [0, 100, 200, 300, 400]
    stream = open_stream(_file(tmp_path / "a.mkv", ticks), clock=times.clock, sleep=times.sleep)
    stream.read()
    times.now += 60
    for _ in range(4):
        stream.read()
    assert times.naps == pytest.approx([0.1] * 3)


def test_captured_file_keeps_every_frame_and_its_times(tmp_path: Path) -> None:
    ticks, times = [500, 540, 900, 1500], FakeTime()
    stream = open_stream(_file(tmp_path / "a.mkv", ticks), clock=times.clock, sleep=times.sleep)
    frames = []
    with CaptureThread(stream, policy=FramePolicy.EVERY) as capture:
        while not capture.ended:
            if (frame := capture.newest(20)) is not None:
                frames.append(frame)
    assert [f.pts_s for f in frames] == pytest.approx([0, 0.04, 0.4, 1.0])
    assert np.ptp([f.image.mean() for f in frames]) > 10


def test_camera_is_no_stream() -> None:
    with pytest.raises(UsageError, match="--camera"):
        open_stream(Source(SourceKind.CAMERA, 0))


def test_recording_behind_a_url_whose_times_jump_is_not_held_up(tmp_path: Path) -> None:
    ticks = [0, 1, 2, 30 * 3600, 30 * 3600 + 1]
    path = make_video(tmp_path / "a.mkv", frames=5, pts=ticks, time_base=Fraction(1, 30))
    data = path.read_bytes()
    naps: list[float] = []

    def answer(connection: socket.socket) -> None:
        head = b"HTTP/1.0 200 OK\r\nContent-Type: video/x-matroska\r\nContent-Length: %d\r\n\r\n" % len(data)
        connection.sendall(head + data)

    with _serving(answer) as url:
        stream = open_stream(_url(url), clock=lambda: 0.0, sleep=naps.append)
        count = 0
        while stream.read() is not None:
            count += 1
        stream.close()
    assert count == 5
    assert naps == pytest.approx([1 / 30, 2 / 30, 1 / 30], abs=2e-3)
