"""Reading a video file: every frame, upright, at its own time (PyAV)."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from fractions import Fraction
from inspect import GEN_CLOSED, getgeneratorstate
from pathlib import Path
from types import TracebackType
from typing import Self

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from gclf_live.errors import SourceError
from gclf_live.media._entering import BACK_S, TimeRange, can_be_entered, packets_from
from gclf_live.media._length import duration_of, frames_hint, promised_duration
from gclf_live.media._libav import (
    is_short_of_memory,
    no_hardware,
    open_file,
    reason,
    usable_fps,
    video_stream,
)
from gclf_live.media._real_end import last_entry_s
from gclf_live.media._timeline import Timeline
from gclf_live.media._upright import Uprighter, hdr_curve, orientation_of
from gclf_live.media.decoded import ColourTags, DecodedFrame
from gclf_live.media.hardware import Hardware
from gclf_live.records import AnyPath, Frame

_CUT_TOLERANCE_S = 1.0


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What is known of a video before it is read.

    Attributes:
        width_px, height_px: of the frames that the reader yields: turned upright, square pixels.
        average_fps: frames a second; None where the file does not say, or says nonsense.
        duration_s: length of the picture track in seconds; None where unknown.
        frames_hint: about how many frames there are, for a progress bar; None where unknown.
        time_base: seconds of one tick of the stream's clock.
        start_s: presentation time of the first frame in seconds.
        rotation_deg: clockwise turn that the reader applies: 0, 90, 180 or 270.
        sound_streams: number of sound tracks.
        codec: the name of the video codec.
        colours: of the first frame, where ``DecodedFrame.i420`` gives its planes; else None.
        seekable: whether reading can begin at any time without reading what is before. Where it cannot, a
            range is still read right, but only by reading up to it.
        hdr: ``PQ`` or ``HLG`` where the video is high dynamic range; its pictures come in standard range.
    """

    width_px: int
    height_px: int
    average_fps: Fraction | None
    duration_s: float | None
    frames_hint: int | None
    time_base: Fraction
    start_s: float
    rotation_deg: int
    sound_streams: int
    codec: str
    colours: ColourTags | None = None
    seekable: bool = False
    hdr: str | None = None


class VideoReader:
    """The frames of one video file. Iterating again starts from the beginning.

    Attributes:
        info: what is known before reading.
        damaged: None, or one line that says what was missing in the last pass over the file.
    """

    def __init__(self, path: AnyPath, *, threads: int = 0, hardware: Hardware = Hardware.NONE) -> None:
        """Open the file and decode its first frame.

        Args:
            path: the file.
            threads: of the decoder; 0 is one for each core.
            hardware: what decodes.

        Raises:
            SourceError: the file is missing, empty, a folder, no video, or no frame of it can be decoded.
            DeviceError: the hardware is not there, or cannot decode the file.
        """
        self.path = path = Path(path)
        self.damaged: str | None = None
        self._threads, self._hardware = threads, hardware
        self._uprighter = Uprighter()
        self._last_entry_s: float | None = None
        self._passes: list[Generator[DecodedFrame, None, None]] = []
        with open_file(path, hardware) as container:
            stream = video_stream(container, str(path))
            try:
                self.info = self._inspect(container, stream)
            except SourceError as error:
                if hardware is Hardware.NONE:
                    raise
                raise no_hardware(path, self.damaged or "no picture came") from error
        self.damaged = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every pass over the file that is still running."""
        for running in self._passes:
            running.close()
        self._passes.clear()

    def __iter__(self) -> Iterator[Frame]:
        """The frames in order of presentation, times strictly increasing.

        What cannot be decoded is left out and told in ``damaged``.
        """
        return (Frame(frame.image, frame.pts_s, frame.index) for frame in self.decoded())

    def decoded(self, *, from_s: float | None = None, to_s: float | None = None) -> Iterator[DecodedFrame]:
        """The same frames before they are converted: for those who do not need all of their pixels in BGR.

        Args:
            from_s: presentation time of the first frame that is wanted; None is the beginning.
            to_s: presentation time of the first one that is not; None is the end.

        Returns:
            The frames of the range as reading the whole file gives them, but for ``index``, which counts from
            the first of them. ``damaged`` then tells of the range only.
        """
        running = self._read(
            TimeRange(-math.inf if from_s is None else from_s, math.inf if to_s is None else to_s)
        )
        self._passes = [p for p in self._passes if getgeneratorstate(p) != GEN_CLOSED]
        self._passes.append(running)
        return running

    def _read(self, wanted: TimeRange) -> Generator[DecodedFrame, None, None]:
        for enter_s in self._entries(wanted.from_s):
            self.damaged = None
            with contextlib.closing(self._timed(wanted, enter_s)) as frames:
                first = next(frames, None)
                if enter_s is not None and (first is None or first[2] > wanted.from_s):
                    continue
                index = 0
                for frame, aspect, pts_s in itertools.chain((first,) if first else (), frames):
                    if pts_s >= wanted.to_s:
                        return
                    if pts_s >= wanted.from_s:
                        yield DecodedFrame(frame, self._uprighter, aspect, pts_s=pts_s, index=index)
                        index += 1
                return

    def _entries(self, from_s: float) -> Iterator[float | None]:
        """Where to try to begin reading, one after the other; None is the beginning of the file."""
        furthest_s = from_s - max(BACK_S)
        if self.info.seekable:
            if self._last_entry_s is None or furthest_s <= self._last_entry_s:
                yield from self._before(from_s)
            if self._last_entry_s is None:
                self._last_entry_s = last_entry_s(self.path, self.info.start_s, furthest_s)
            if self._last_entry_s is not None:  # the picture there may be the one that is cut through
                yield from (self._last_entry_s, *self._before(self._last_entry_s))
        yield None

    def _before(self, time_s: float) -> list[float]:
        """Times to look for a key frame, so that what is shown at ``time_s`` can be decoded."""
        return [time_s - back_s for back_s in BACK_S if time_s - back_s > self.info.start_s]

    def _timed(
        self, wanted: TimeRange, enter_s: float | None
    ) -> Generator[tuple[av.VideoFrame, Fraction | None, float], None, None]:
        """Frames with the shape of their pixels and their times, from a key frame near ``enter_s`` on."""
        with open_file(self.path, self._hardware) as container:
            stream = video_stream(container, str(self.path))
            clock, first_s = Timeline(container, stream), None
            packets, key = iter(container.demux(stream)), None
            if enter_s is not None:
                packets, key = packets_from(container, stream, enter_s)
            for frame in self._decode(packets, stream, clock, wanted):
                if key is not None and first_s is None and frame.pts != key:
                    return  # a picture that needs what was not read; intra refresh gives nothing else
                tick = clock.place(frame)
                if key is not None and frame.pts is not None and tick > frame.pts + 1 / clock.time_base:
                    self._note("has a clock that goes back: what is shown at a time is not all found there")
                pts_s = float(tick * clock.time_base)
                first_s = pts_s if first_s is None else first_s
                yield frame, stream.sample_aspect_ratio, pts_s
            unread_s = 0.0 if first_s is None else first_s - self.info.start_s
            self._note_missing_end(clock.length_s + unread_s, promised_duration(container, stream))

    def _decode(
        self,
        packets: Iterator[av.Packet[VideoStream]],
        stream: VideoStream,
        clock: Timeline,
        wanted: TimeRange,
    ) -> Iterator[av.VideoFrame]:
        """Every frame that can be decoded; a broken packet costs itself only."""
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = self._threads
        while True:
            try:
                packet = next(packets, None)
            except FFmpegError as error:
                self._refuse_without_memory(error)
                self._note(f"cannot be read to its end: {reason(error)}")
                packet = None
            if packet is None:
                break
            clock.expect(packet)
            yield from self._decode_packet(packet, wanted)
        try:  # after a failed read the decoder still holds frames
            yield from stream.decode(None)
        except EOFError:
            pass
        except FFmpegError as error:
            self._refuse_without_memory(error)

    def _decode_packet(self, packet: av.Packet[VideoStream], wanted: TimeRange) -> Iterator[av.VideoFrame]:
        try:
            frames = packet.decode()
        except EOFError:
            return
        except FFmpegError as error:
            self._refuse_without_memory(error)
            if wanted.holds(packet):
                self._note(f"has pictures that cannot be decoded: {reason(error)}")
            return
        for frame in frames:
            if frame.is_corrupt and wanted.holds(frame):
                self._note("has damaged pictures")
            yield frame

    def _refuse_without_memory(self, error: FFmpegError) -> None:
        """A decoder that gets no memory, or no thread, says nothing of the file."""
        if is_short_of_memory(error):
            raise SourceError(
                f"cannot read {str(self.path)!r}: there is not enough memory for it. Close other programs"
            ) from error

    def _note(self, text: str) -> None:
        if self.damaged is None:
            self.damaged = f"{self.path.name} {text}"

    def _note_missing_end(self, length_s: float, duration_s: float | None) -> None:
        if duration_s is not None and length_s < duration_s - max(_CUT_TOLERANCE_S, 0.02 * duration_s):
            extent = f"it ends after {length_s:.1f} s of {duration_s:.1f} s"
            if self.damaged is None:
                self._note(f"is cut off: {extent}")
            elif extent not in self.damaged:
                self.damaged += f"; {extent}"

    def _inspect(self, container: InputContainer, stream: VideoStream) -> VideoInfo:
        clock = Timeline(container, stream)
        everything = TimeRange(-math.inf, math.inf)
        first = next(self._decode(container.demux(stream), stream, clock, everything), None)
        if first is None:
            why = f" ({self.damaged})" if self.damaged else ""
            raise SourceError(
                f"cannot decode {str(self.path)!r}: not one picture is readable{why}. Copy or record it again"
            )
        # Of all passes: the first frame says how large every picture is made.
        shown = DecodedFrame(first, self._uprighter, stream.sample_aspect_ratio, pts_s=0.0, index=0)
        height, width = shown.image.shape[:2]  # converted here, so that what cannot be is refused at once
        fps, duration_s = usable_fps(stream), duration_of(container, stream)
        return VideoInfo(
            width_px=width,
            height_px=height,
            average_fps=fps,
            duration_s=duration_s,
            frames_hint=frames_hint(stream.frames, fps, duration_s),
            time_base=clock.time_base,
            start_s=float(clock.place(first) * clock.time_base),
            rotation_deg=orientation_of(first).clockwise_deg,
            sound_streams=len(container.streams.audio),
            codec=stream.codec_context.name,
            colours=shown.colours,
            seekable=can_be_entered(self.path, container, stream),
            hdr=hdr_curve(first),
        )
