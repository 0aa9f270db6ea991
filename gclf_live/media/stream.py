"""Network streams, and files played in real time (PyAV)."""

from __future__ import annotations

import contextlib
import errno
import math
import threading
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future
from pathlib import Path

import av
from av.codec.context import Flags
from av.container import InputContainer
from av.error import ExitError, FFmpegError
from av.video.stream import VideoStream

from gclf_live.errors import SourceError, UsageError
from gclf_live.media._libav import reason, video_stream
from gclf_live.media._upright import Uprighter
from gclf_live.media.camera import FrameStream, SourceLostError, open_camera
from gclf_live.media.reader import VideoReader
from gclf_live.media.reconnect import Reconnection
from gclf_live.media.source import Source, SourceKind, without_password
from gclf_live.records import U8
from gclf_live.timing import Clock

_OPEN_TIMEOUT_S = 10.0
# A camera that reboots is back in half a minute; one that is silent for longer is gone.
_READ_TIMEOUT_S = 30.0
# What is sent over a network may have been cut together; a file may well hold one picture for a minute.
_JUMP_S = 5.0
_MOST_LATE_S = 1.0
"""What is later than this, as after a pause, goes on from there: it does not race after the clock."""


def open_stream(
    source: Source,
    *,
    clock: Clock = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> FrameStream:
    """Open a URL, or a file to be played at its own pace.

    Args:
        source: of kind URL or FILE.
        clock: seconds, monotonic.
        sleep: waits the given number of seconds.

    Returns:
        The open stream; one from a file is a ``capture.TimedStream``. A recording behind a URL is played
        at its own pace too.

    Raises:
        SourceError: it cannot be opened, or nothing comes within 10 seconds.
        UsageError: the source is a camera.
    """
    if source.kind is SourceKind.FILE:
        return _FileStream(Path(str(source.value)), _Pacer(clock, sleep))
    if source.kind is SourceKind.URL:
        url = str(source.value)
        pacer = _Pacer(clock, sleep, jump_s=_JUMP_S)
        return _patiently(lambda: _UrlStream(url, pacer), without_password(url))
    raise UsageError(f"camera {source.value} is no stream; allowed are a file and a URL. Use --camera")


def reconnection(
    source: Source, stream: FrameStream, *, give_up_after_s: float | None = None
) -> Reconnection | None:
    """How to open a source again that is lost.

    Args:
        source: what ``stream`` was opened from.
        stream: the open source.
        give_up_after_s: how long to try; None is for ever.

    Returns:
        The way; None for a file, and for a recording behind a URL, which would begin again.
    """
    if source.kind is SourceKind.CAMERA:
        index = int(source.value)
        return Reconnection(lambda: open_camera(index, suggest=False), give_up_after_s=give_up_after_s)
    if isinstance(stream, _UrlStream) and stream.is_live:
        return Reconnection(lambda: open_stream(source), beside=True, give_up_after_s=give_up_after_s)
    return None


class _Pacer:
    """Holds pictures back until they are due; one that is late is not held.

    Where times jump by ``jump_s``, or go back as far, and where a picture is over a second late, it is due at
    once and time goes on from it.
    """

    def __init__(self, clock: Clock, sleep: Callable[[float], None], *, jump_s: float = math.inf) -> None:
        self._clock = clock
        self._sleep = sleep
        self._jump_s = jump_s
        self._began_s: float | None = None
        self._before_s = 0.0

    def wait_for(self, pts_s: float) -> None:
        """Wait until ``pts_s`` seconds after the first picture, counted from zero."""
        if self._began_s is None or abs(pts_s - self._before_s) >= self._jump_s:
            self._began_s = self._clock() - pts_s
        self._before_s = pts_s
        early_s = self._began_s + pts_s - self._clock()
        if early_s > 0:
            self._sleep(early_s)
        elif early_s < -_MOST_LATE_S:
            self._began_s -= early_s


class _FileStream:
    """A file at its own pace; see ``FrameStream``."""

    def __init__(self, path: Path, pacer: _Pacer) -> None:
        self._reader = VideoReader(path)
        info = self._reader.info
        self.name = path.name
        self.width_px, self.height_px = info.width_px, info.height_px
        self.last_pts_s = 0.0
        self._start_s = info.start_s
        self._frames = iter(self._reader)
        self._pacer = pacer

    def read(self) -> U8 | None:
        frame = next(self._frames, None)
        if frame is None:
            return None
        self.last_pts_s = frame.pts_s - self._start_s
        self._pacer.wait_for(self.last_pts_s)
        return frame.image

    def close(self) -> None:
        self._reader.close()


class _UrlStream:
    """A network stream; see ``FrameStream``. ``is_live`` is False for a recording behind a URL."""

    def __init__(self, url: str, pacer: _Pacer) -> None:
        self.name = without_password(url)
        self._container = _open_url(url, self.name)
        try:
            stream = video_stream(self._container, self.name)
            # Decoding several frames at once would hold each back by as many.
            stream.thread_type = "SLICE"
            stream.codec_context.flags |= Flags.low_delay
            # Something with a known end is a recording: a server sends it as fast as it can.
            self.is_live = not self._container.duration
            self._pacer = None if self.is_live else pacer
            self._images = self._decode(stream)
            self._first: U8 | None = next(self._images, None)
            if self._first is None:
                raise SourceError(f"cannot play {self.name!r}: it sent no picture. Check the address")  # noqa: TRY301
        except BaseException:
            self._container.close()
            raise
        self.height_px, self.width_px = self._first.shape[:2]

    def read(self) -> U8 | None:
        image, self._first = self._first, None
        return next(self._images, None) if image is None else image

    def close(self) -> None:
        self._images.close()
        self._container.close()

    def _decode(self, stream: VideoStream) -> Generator[U8, None, None]:
        uprighter = Uprighter()
        packets = self._container.demux(stream)
        while (packet := self._next_packet(packets)) is not None:
            # A damaged picture on a network is replaced by the next one.
            with contextlib.suppress(FFmpegError):
                for frame in packet.decode():
                    image = uprighter.convert(frame, uprighter.place(frame, stream.sample_aspect_ratio))
                    if self._pacer and frame.time is not None:
                        self._pacer.wait_for(frame.time)
                    yield image

    def _next_packet(self, packets: Iterator[av.Packet[VideoStream]]) -> av.Packet[VideoStream] | None:
        began_s = time.monotonic()
        try:
            return next(packets, None)
        except FFmpegError as error:
            silent = time.monotonic() - began_s > _READ_TIMEOUT_S / 2
            if error.errno == errno.EIO and not silent:  # the sender hung up inside a multipart stream
                return None
            why = f"nothing came for {_READ_TIMEOUT_S:.0f} s" if silent else reason(error)
            message = f"{self.name!r} stopped: {why}. Check the sender and start again"
            raise SourceLostError(message, why=why) from error


def _open_url(url: str, name: str) -> InputContainer:
    try:
        return av.open(
            url,
            "r",
            container_options=_options(url),
            timeout=(_OPEN_TIMEOUT_S, None),
            metadata_errors="replace",
        )
    except FFmpegError as error:
        why = "no answer" if isinstance(error, ExitError) else reason(error)
        raise SourceError(f"cannot open {name!r}: {why}. Check address, network and password") from error


def _options(url: str) -> dict[str, str]:
    """Show what comes at once: little is read ahead, and the network's own read ends after a long silence."""
    read_us = str(round(_READ_TIMEOUT_S * 1_000_000))
    # Not "nobuffer": it throws away what was read to learn the format, with the first key frame.
    options = {"analyzeduration": "500000", "fpsprobesize": "2"}
    if url.lower().startswith("rtsp"):
        # UDP loses packets in every second network, and firewalls drop it.
        return options | {"rtsp_transport": "tcp", "timeout": read_us}
    return options | {"rw_timeout": read_us}


def _patiently(open_it: Callable[[], FrameStream], name: str) -> FrameStream:
    """Run ``open_it`` where Ctrl-C and our own time limit can leave it behind: libav heeds neither."""
    answer: Future[FrameStream] = Future()

    def run() -> None:
        try:
            opened = open_it()
        except BaseException as error:  # it is raised again in the caller
            if answer.set_running_or_notify_cancel():
                answer.set_exception(error)
            return
        if answer.set_running_or_notify_cancel():
            answer.set_result(opened)
        else:  # nobody waits any more
            opened.close()

    threading.Thread(target=run, name=f"open {name}", daemon=True).start()
    try:
        return answer.result(timeout=2 * _OPEN_TIMEOUT_S)
    except TimeoutError:
        if not answer.cancel():  # it came at the last moment
            return answer.result()
        raise SourceError(f"cannot open {name!r}: no picture came. Check address and sender") from None
    except BaseException:
        answer.cancel()
        raise
