"""CaptureThread: bounded, stoppable, and it loses no error."""

from __future__ import annotations

import queue
import threading
import time

import numpy as np
import pytest
from media_makers import plain

from gclf_live.errors import SourceError
from gclf_live.media.capture import CaptureThread
from gclf_live.media.source import FramePolicy

_SOON_S = 20.0


class FakeClock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class FedStream:
    """A stream that gives what the test feeds it: pictures, an error, or None for its end."""

    width_px, height_px, name = 8, 6, "fed"

    def __init__(self) -> None:
        self.fed: queue.Queue[np.ndarray | BaseException | None] = queue.Queue()
        self.closed_in: list[str] = []

    def feed(self, *items: int | BaseException | None) -> None:
        for item in items:
            self.fed.put(plain(8, 6, item) if isinstance(item, int) else item)

    def read(self) -> np.ndarray | None:
        item = self.fed.get()
        if isinstance(item, BaseException):
            raise item
        return item

    def close(self) -> None:
        self.closed_in.append(threading.current_thread().name)


def _until(condition) -> None:  # type: ignore[no-untyped-def]
    end = time.monotonic() + _SOON_S
    while not condition():
        assert time.monotonic() < end, "did not happen"
        time.sleep(0.002)


def _value(frame) -> int:  # type: ignore[no-untyped-def]
    return int(frame.image[0, 0, 0])


def test_newest_drops_what_is_stale_and_counts_it() -> None:
    stream = FedStream()
    with CaptureThread(stream) as capture:
        stream.feed(1, 2, 3, 4)
        _until(lambda: capture.captured == 4)
        frame = capture.newest(_SOON_S)
        assert frame is not None
        assert (_value(frame), frame.index) == (4, 3)
        assert (capture.captured, capture.dropped) == (4, 3)
        stream.feed(None)


def test_every_hands_out_all_frames_in_order_and_holds_the_source_back() -> None:
    stream = FedStream()
    stream.feed(*range(10), None)
    with CaptureThread(stream, policy=FramePolicy.EVERY) as capture:
        _until(lambda: capture.captured == 3)
        assert stream.fed.qsize() == 8  # two wait, a third is held in hand
        values = []
        while not capture.ended:
            if (frame := capture.newest(_SOON_S)) is not None:
                values.append((_value(frame), frame.index))
    assert values == [(i, i) for i in range(10)]
    assert capture.dropped == 0


def test_nothing_new_within_the_timeout_is_none() -> None:
    stream = FedStream()
    with CaptureThread(stream) as capture:
        assert capture.newest(0.01) is None
        assert not capture.ended
        stream.feed(None)


def test_end_of_the_stream_is_told_once_all_is_handed_out() -> None:
    stream = FedStream()
    stream.feed(1, None)
    with CaptureThread(stream) as capture:
        _until(lambda: stream.closed_in)
        assert not capture.ended
        assert capture.newest(_SOON_S) is not None
        _until(lambda: capture.ended)
        assert capture.newest(_SOON_S) is None


def test_error_of_the_source_is_raised_in_the_caller_after_the_last_frame() -> None:
    stream = FedStream()
    stream.feed(1, SourceError("cable out"))
    with CaptureThread(stream) as capture:
        _until(lambda: stream.closed_in)
        assert capture.newest(_SOON_S) is not None
        with pytest.raises(SourceError, match="cable out"):
            capture.newest(_SOON_S)


def test_times_are_those_of_the_clock_at_capture() -> None:
    clock, stream = FakeClock(), FedStream()
    with CaptureThread(stream, policy=FramePolicy.EVERY, clock=clock) as capture:
        for i, now in enumerate((100.0, 100.25, 103.0)):
            clock.now = now
            stream.feed(i)
            _until(lambda: capture.captured == i + 1)  # noqa: B023
            clock.now = now + 5
            frame = capture.newest(_SOON_S)
            assert frame is not None
            assert frame.pts_s == pytest.approx(now - 100.0)
            assert capture.age_s(frame) == pytest.approx(5.0)
        stream.feed(None)


def test_own_times_of_a_file_are_kept() -> None:
    stream = FedStream()
    stream.last_pts_s = 7.5  # type: ignore[attr-defined]
    stream.feed(1, None)
    with CaptureThread(stream, policy=FramePolicy.EVERY, clock=FakeClock()) as capture:
        frame = capture.newest(_SOON_S)
        assert frame is not None
        assert frame.pts_s == 7.5
        assert capture.age_s(frame) == 0.0


def test_silence_is_measured_from_the_start_and_from_each_frame() -> None:
    clock, stream = FakeClock(), FedStream()
    with CaptureThread(stream, clock=clock) as capture:
        clock.now += 3
        assert capture.stalled_s == pytest.approx(3.0)
        stream.feed(1)
        _until(lambda: capture.captured == 1)
        assert capture.stalled_s == 0.0
        clock.now += 2
        assert capture.stalled_s == pytest.approx(2.0)
        stream.feed(None)


def test_camera_that_is_silent_is_an_outage_and_a_file_that_holds_one_picture_is_none() -> None:
    clock, camera, film = FakeClock(), FedStream(), FedStream()
    film.last_pts_s = 7.5  # type: ignore[attr-defined]
    with CaptureThread(camera, clock=clock) as live, CaptureThread(film, clock=clock) as played:
        for stream, capture in ((camera, live), (film, played)):
            stream.feed(1)
            _until(lambda: capture.captured == 1)  # noqa: B023
        clock.now += 60
        told = (live.outage is not None, played.outage is not None)
        camera.feed(None)
        film.feed(None)
    assert told == (True, False)


def test_leaving_stops_a_thread_that_waits_for_room_and_closes_the_stream_there() -> None:
    stream = FedStream()
    stream.feed(*range(20))
    with CaptureThread(stream, policy=FramePolicy.EVERY) as capture:
        _until(lambda: capture.captured == 3)
    assert stream.closed_in == ["capture fed"]
    assert not [t for t in threading.enumerate() if t.name == "capture fed"]


def test_leaving_does_not_wait_for_a_silent_source() -> None:
    stream = FedStream()
    began = time.monotonic()
    with CaptureThread(stream):
        pass
    assert time.monotonic() - began < _SOON_S
    assert stream.closed_in == []  # still reading; closing under it would crash libav
    stream.feed(1)
    _until(lambda: stream.closed_in)


def test_exception_in_the_block_passes_through() -> None:
    stream = FedStream()
    stream.feed(1, None)
    with pytest.raises(KeyboardInterrupt), CaptureThread(stream):
        raise KeyboardInterrupt
