"""Reading ahead in a thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from media_makers import make_video, shade

from gclf_live.media.ahead import ReadAhead
from gclf_live.media.reader import VideoReader


def _alive(name: str) -> bool:
    return any(thread.name == name for thread in threading.enumerate())


def test_items_come_once_in_their_order() -> None:
    with ReadAhead(iter(range(1000)), depth=3) as ahead:
        assert list(ahead) == list(range(1000))


def test_no_more_than_the_depth_is_read_before_it_is_asked_for() -> None:
    taken: list[int] = []
    five_taken = threading.Event()

    def items() -> Iterator[int]:
        for i in range(100):
            taken.append(i)
            if len(taken) == 5:
                five_taken.set()
            yield i

    with ReadAhead(items(), depth=4) as ahead:
        assert five_taken.wait(10)
        stream = iter(ahead)
        assert len(taken) == 5, "four wait and one is held"
        assert next(stream) == 0


def test_error_comes_after_the_items_before_it() -> None:
    def items() -> Iterator[int]:
        yield from (1, 2)
        raise OSError("the disk went away")

    got: list[int] = []
    with ReadAhead(items()) as ahead, pytest.raises(OSError, match="went away"):
        got.extend(ahead)
    assert got == [1, 2]


@pytest.mark.parametrize("taken", [0, 1, 50])
def test_leaving_early_ends_the_thread_and_closes_the_iterator(taken: int) -> None:
    closed = threading.Event()

    def items() -> Iterator[int]:
        try:
            yield from range(10**9)
        finally:
            closed.set()

    name = f"ahead {taken}"
    with ReadAhead(items(), depth=2, name=name) as ahead:
        for _, _item in zip(range(taken), ahead, strict=False):
            pass
    assert closed.is_set()
    assert not _alive(name)


def test_exception_of_the_caller_goes_through() -> None:
    def work() -> None:
        with ReadAhead(iter(range(10**9)), name="ahead of ctrl-c") as ahead:
            for item in ahead:
                if item == 10:
                    raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert not _alive("ahead of ctrl-c")


def test_video_is_read_whole_and_can_be_read_again(tmp_path: Path) -> None:
    with VideoReader(make_video(tmp_path / "a.mp4", frames=20)) as reader:
        for _ in range(2):
            with ReadAhead(reader.decoded()) as ahead:
                levels = [int(frame.image[20, 20, 0]) for frame in ahead]
            assert all(abs(level - shade(i)) <= 3 for i, level in enumerate(levels))
            assert len(levels) == 20


def test_depth_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="depth 0"):
        ReadAhead(iter(()), depth=0)
