"""Cameras and streams that go away and come back, seen by the thread that reads them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
from media_makers import make_video, plain

from benchmarks.stream_servers import NetworkCamera, RtspCamera, jpeg, part, until
from gclf_live.errors import SourceError
from gclf_live.media.camera import open_camera
from gclf_live.media.capture import CaptureThread
from gclf_live.media.connection import Burst
from gclf_live.media.reconnect import Reconnection
from gclf_live.media.source import Source, SourceKind, parse_source
from gclf_live.media.stream import open_stream, reconnection
from gclf_live.records import Frame

_SOON_S = 30.0
DIM, BRIGHT = plain(128, 96, 60), plain(128, 96, 200)


def _capture(url: str, *, give_up_after_s: float | None = None) -> CaptureThread:
    source = parse_source(url)
    stream = open_stream(source)
    how = reconnection(source, stream, give_up_after_s=give_up_after_s)
    assert how is not None
    return CaptureThread(stream, reconnection=how)


def _next(capture: CaptureThread) -> Frame:
    frame = capture.newest(_SOON_S)
    assert frame is not None
    return frame


def _let_go(capture: CaptureThread) -> None:
    """Take what waits."""
    while capture.newest(0.0) is not None:
        pass


@pytest.mark.parametrize("kind", [NetworkCamera, RtspCamera])
def test_camera_that_was_unplugged_comes_back_by_itself(kind: type[NetworkCamera]) -> None:
    with kind(DIM) as camera, _capture(camera.url) as capture:
        before = _next(capture)
        camera.stop()
        until(lambda: capture.last_attempt is not None)
        outage = capture.outage
        assert outage is not None
        assert outage.broken
        assert not capture.ended
        _let_go(capture)
        camera.image = BRIGHT
        camera.start()
        after = _next(capture)
        assert after.image.mean() > 180, "no picture of the time before"
        assert after.index > before.index
        assert after.pts_s > before.pts_s
        assert capture.outage is None


def test_server_that_restarts_with_another_size_gives_pictures_of_that_size() -> None:
    with NetworkCamera(DIM) as camera, _capture(camera.url) as capture:
        assert _next(capture).image.shape == (96, 128, 3)
        camera.stop()
        until(lambda: capture.outage is not None)
        _let_go(capture)
        camera.image = plain(200, 120, 90)
        camera.start()
        assert _next(capture).image.shape == (120, 200, 3)


def test_silent_stream_goes_on_over_the_old_connection_where_a_new_one_is_not_answered() -> None:
    class OneClient(NetworkCamera):
        """Leaves every client but the first waiting, as small cameras do."""

        def serve(self, connection) -> None:  # type: ignore[no-untyped-def]
            if self.accepted > 1:
                time.sleep(3 * _SOON_S)
            super().serve(connection)

    with OneClient(DIM) as camera, _capture(camera.url) as capture:
        _next(capture)
        camera.silent = True
        until(lambda: camera.accepted > 1)
        _let_go(capture)
        outage = capture.outage
        assert outage is not None
        assert not outage.broken
        camera.image = BRIGHT
        camera.silent = False
        assert _next(capture).image.mean() > 180


def test_silent_stream_is_left_for_a_new_connection_that_works() -> None:
    class Stuck(NetworkCamera):
        """The first connection is dead and stays open, as after a router forgot it."""

        def serve(self, connection) -> None:  # type: ignore[no-untyped-def]
            if self.accepted > 1:
                super().serve(connection)
            with_head = b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=cut\r\n\r\n"
            connection.sendall(with_head + part(jpeg(DIM)) * 6)
            time.sleep(3 * _SOON_S)

    with Stuck(BRIGHT) as camera, _capture(camera.url) as capture:
        assert _next(capture).image.mean() < 100
        until(lambda: (frame := capture.newest(0.1)) is not None and frame.image.mean() > 180)
        assert camera.accepted == 2


def test_what_was_held_up_on_its_way_is_not_shown_afterwards() -> None:
    now, go_on = [100.0], threading.Event()
    values = iter([60, *range(1, 21), 200])

    class HeldUp(_Ended):
        """One picture, a silence, and then at once all that the network kept, oldest first."""

        def read(self):  # type: ignore[no-untyped-def]
            value = next(values, None)
            if value == 1:
                assert go_on.wait(3 * _SOON_S)
            time.sleep(0.001)  # as decoding takes; whoever waits for a picture has its chance
            return None if value is None else plain(8, 6, value)

    with CaptureThread(HeldUp(), clock=lambda: now[0]) as capture:
        assert _next(capture).image[0, 0, 0] == 60
        now[0] += 10
        assert capture.outage is not None
        go_on.set()
        old = 0
        while _next(capture).image[0, 0, 0] != 200:
            old += 1
        # None, but where a busy machine takes a pause of its own in the middle.
        assert old < 10
        assert (capture.captured, capture.dropped) == (22, 20 - old)


def test_burst_ends_with_a_pause_or_after_a_second() -> None:
    now = [0.0]
    burst = Burst(lambda: now[0])
    assert not burst.goes_on()
    burst.begin(0.02)
    for now[0] in (0.01, 0.02, 0.03):
        burst.note_frame()
    now[0] = 0.049
    assert burst.goes_on()
    now[0] = 0.051
    assert not burst.goes_on()
    burst.note_frame()
    assert not burst.goes_on()
    burst.begin(0.02)
    for now[0] in np.arange(0.06, 1.2, 0.01):
        burst.note_frame()
    assert not burst.goes_on()


def test_damaged_pictures_do_not_end_a_stream() -> None:
    class Damaged(NetworkCamera):
        sent = 0

        def part(self) -> bytes:
            self.sent += 1
            data = jpeg(self.image)
            damages = (data[: len(data) // 2], b"no picture at all", b"", data[:200] + bytes(50) + data[250:])
            return part(damages[self.sent // 2 % 4]) if self.sent % 2 else part(data)

    with Damaged(DIM, interval_s=0.01) as camera, _capture(camera.url) as capture:
        until(lambda: capture.newest(0.1) is not None and camera.sent > 60)
        camera.image = BRIGHT
        until(lambda: (frame := capture.newest(0.1)) is not None and frame.image.mean() > 195)
        assert camera.accepted == 1


def test_lost_and_damaged_packets_do_not_end_a_stream() -> None:
    random = np.random.default_rng(5)
    with RtspCamera(DIM, interval_s=0.01) as camera, _capture(camera.url) as capture:
        _next(capture)
        count = 0

        def damage(packet: bytes) -> bytes | None:
            nonlocal count
            count += 1
            if count > 80 or count % 3:
                return packet
            broken = bytearray(packet)
            broken[20:40] = random.bytes(20)
            return None if count % 2 else bytes(broken[: max(13, len(packet) // 2)])

        camera.damage = damage
        until(lambda: capture.newest(0.1) is not None and count > 100)
        camera.image = BRIGHT
        until(lambda: (frame := capture.newest(0.1)) is not None and frame.image.mean() > 180)


@pytest.mark.parametrize("jump_ticks", [90_000 * 3600, -90_000 * 3600])
def test_times_of_the_sender_that_jump_do_not_matter(jump_ticks: int) -> None:
    with RtspCamera(DIM, interval_s=0.01) as camera, _capture(camera.url) as capture:
        before = _next(capture)

        def jump(packet: bytes) -> bytes:
            ticks = (int.from_bytes(packet[4:8], "big") + jump_ticks) % 2**32
            return packet[:4] + ticks.to_bytes(4, "big") + packet[8:]

        camera.damage = jump
        camera.image = BRIGHT
        until(lambda: (frame := capture.newest(0.1)) is not None and frame.image.mean() > 180)
        after = _next(capture)
        assert 0 < after.pts_s - before.pts_s < 3 * _SOON_S, "times are those of capture"


def test_slow_source_is_not_taken_for_a_lost_one() -> None:
    now = [100.0]
    with NetworkCamera(DIM) as camera:
        stream = open_stream(parse_source(camera.url))
        fed = threading.Semaphore(0)

        class EveryFiveSeconds:
            width_px, height_px, name = stream.width_px, stream.height_px, stream.name

            def read(self):  # type: ignore[no-untyped-def]
                fed.acquire(timeout=3 * _SOON_S)
                now[0] += 5
                return stream.read()

            def close(self) -> None:
                stream.close()

        with CaptureThread(EveryFiveSeconds(), clock=lambda: now[0]) as capture:
            for _ in range(4):
                fed.release()
                _next(capture)
            now[0] += 6
            assert capture.outage is None
            now[0] += 20
            assert capture.outage is not None
            fed.release()


def test_source_that_does_not_come_back_in_time_is_an_error_without_the_password() -> None:
    with NetworkCamera(DIM) as camera, _capture(camera.url, give_up_after_s=1.0) as capture:
        _next(capture)
        camera.stop()
        with pytest.raises(SourceError, match=r"did not come back within 1 s .*refused") as caught:
            until(lambda: capture.newest(0.1) is not None and False)
        assert "secret" not in str(caught.value)
        assert "abcdefgh" not in str(caught.value)
        assert capture.ended


def test_pauses_between_attempts_grow_up_to_a_second() -> None:
    tried_s: list[float] = []

    def refuse() -> None:
        tried_s.append(time.monotonic())
        raise SourceError("not there")

    with CaptureThread(_Ended(), reconnection=Reconnection(refuse)) as capture:  # type: ignore[arg-type]
        until(lambda: len(tried_s) >= 4)
    assert capture.last_attempt == "not there"
    gaps_s = np.diff(tried_s)
    assert all(gaps_s[:3] >= np.array([0.5, 1, 1]) - 0.02), gaps_s
    count = len(tried_s)
    time.sleep(1.2)
    assert len(tried_s) == count, "and none after the end"


def test_attempt_that_hangs_is_joined_by_others_but_not_by_many() -> None:
    over = threading.Event()
    tried: list[int] = []

    def hang() -> None:
        tried.append(1)
        over.wait(3 * _SOON_S)
        raise SourceError("no answer")

    how = Reconnection(hang, beside=True)  # type: ignore[arg-type]
    with CaptureThread(_Ended(), reconnection=how):
        until(lambda: len(tried) == 4)
        time.sleep(1.2)
        assert len(tried) == 4
        over.set()


def test_error_that_no_attempt_can_mend_is_raised() -> None:
    def broken() -> None:
        raise ZeroDivisionError

    how = Reconnection(broken)  # type: ignore[arg-type]
    with CaptureThread(_Ended(), reconnection=how) as capture, pytest.raises(ZeroDivisionError):
        until(lambda: capture.newest(0.1) is not None)


def test_connection_that_comes_after_the_end_is_closed() -> None:
    closed, go_on, trying = threading.Event(), threading.Event(), threading.Event()

    class Late(_Ended):
        def close(self) -> None:
            closed.set()

    def open_late() -> Late:
        trying.set()
        assert go_on.wait(3 * _SOON_S)
        return Late()

    with CaptureThread(_Ended(), reconnection=Reconnection(open_late)):
        assert trying.wait(_SOON_S)
    go_on.set()
    assert closed.wait(_SOON_S)


def test_camera_that_was_unplugged_is_opened_again_once_it_is_there() -> None:
    plugged, opened = [True], []

    class Usb:
        """What ``cv2.VideoCapture`` does with a camera whose plug is pulled."""

        def __init__(self, index: int) -> None:
            opened.append(index)
            self._there = plugged[0]

        def isOpened(self) -> bool:  # noqa: N802
            return self._there and plugged[0]

        def read(self) -> tuple[bool, np.ndarray | None]:
            time.sleep(0.01)
            self._there = self._there and plugged[0]  # a capture object that lost its camera stays dead
            return self._there, DIM.copy() if self._there else None

        def set(self, prop: int, value: float) -> bool:
            return True

        def release(self) -> None:
            return

    def reopen():  # type: ignore[no-untyped-def]
        return open_camera(3, suggest=False, factory=Usb)

    camera = open_camera(3, factory=Usb)
    opened.clear()
    with CaptureThread(camera, reconnection=Reconnection(reopen)) as capture:
        _next(capture)
        plugged[0] = False
        until(lambda: capture.last_attempt is not None)
        assert capture.last_attempt == "cannot open camera 3: it is not there, or in use. Plug it in again"
        assert set(opened) == {3}, "no other camera is touched"
        _let_go(capture)
        plugged[0] = True
        assert _next(capture).image.shape == DIM.shape


def test_files_and_recordings_behind_a_url_are_not_opened_again(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = make_video(tmp_path / "a.mp4", frames=5, options={"movflags": "+faststart"})
    source = Source(SourceKind.FILE, str(path))
    stream = open_stream(source)
    assert reconnection(source, stream) is None
    stream.close()
    data = path.read_bytes()

    class Recording(NetworkCamera):
        def serve(self, connection) -> None:  # type: ignore[no-untyped-def]
            connection.recv(4096)
            head = b"HTTP/1.0 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: %d\r\n\r\n" % len(data)
            connection.sendall(head + data)

    with Recording(DIM) as server:
        source = parse_source(server.url)
        stream = open_stream(source)
        assert reconnection(source, stream) is None
        stream.close()


class _Ended:
    """A stream that is over."""

    width_px, height_px, name = 8, 6, "fed"

    def read(self) -> None:
        return None

    def close(self) -> None:
        return


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    """What looks for a source stops with its session."""
    yield
    until(lambda: not [t for t in threading.enumerate() if t.name.startswith("reconnect ")])
