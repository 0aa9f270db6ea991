"""Writing an mp4 that plays everywhere: H.264, true times, the source's sound (PyAV)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, TypeAlias

import av
from av.error import FFmpegError
from av.video.stream import VideoStream

from gclf_live.errors import GclfError, OutputError, UsageError
from gclf_live.media._encodable import HD_COLOURS, Encodable
from gclf_live.media._sound import SoundTrack
from gclf_live.media._suffix import check_suffix
from gclf_live.media.decoded import ColourTags
from gclf_live.media.reader import VideoReader
from gclf_live.records import I420, U8
from gclf_live.whole_file import WholeFile

_SUFFIXES = frozenset({".mp4", ".m4v"})
_FALLBACK_FPS = Fraction(30)
Preset: TypeAlias = Literal[
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow"
]
"""x264's own names, from the fastest encoder to the smallest file."""


@dataclass(frozen=True, slots=True)
class EncoderSettings:
    """How libx264 weighs size, quality and time.

    Attributes:
        crf: constant rate factor, 0 (lossless) to 51; 18 to 23 is usual.
        preset: ``ultrafast`` to ``veryslow``: time spent for a smaller file.
        threads: encoder threads; 0 is one for each core.
    """

    crf: int = 20
    preset: Preset = "veryfast"
    threads: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.crf <= 51 or self.threads < 0:
            raise UsageError(
                f"crf {self.crf}, {self.threads} threads; allowed are crf 0 to 51, threads 0 or more"
            )


class VideoWriter:
    """Writes one mp4. The file has its final name only when it is whole.

    Leaving the ``with`` block finishes the file. ``KeyboardInterrupt`` or ``interrupt()`` finishes what is
    there as ``<stem>.partial.mp4``; any other exception removes it.

    Attributes:
        notes: one line for each thing the user should know, such as sound that was converted.
        origin_s: time of the source that is 0 in the file: 0, or the source's start where that is
            over half a second (broadcast streams start anywhere).
    """

    def __init__(
        self,
        path: Path,
        *,
        width_px: int,
        height_px: int,
        time_base: Fraction,
        average_fps: Fraction | None = None,
        sound_from: Path | None = None,
        overwrite: bool = False,
        settings: EncoderSettings = EncoderSettings(),
        colours: ColourTags = HD_COLOURS,
    ) -> None:
        """Prepare the file; nothing is encoded yet.

        Args:
            path: where it goes; ``.mp4`` or ``.m4v``.
            width_px, height_px: size of the pictures. An odd side gets one more row or column.
            time_base: seconds of a tick. With the source's own, every time is kept exactly.
            average_fps: says how long the last frame is shown; else as long as the one before.
            sound_from: a file whose sound goes with the picture.
            overwrite: replace a file that is there.
            settings: the encoder's.
            colours: what the file is tagged with, and what BGR pictures are converted to.

        Raises:
            OutputError: the file exists, is the source itself, or cannot be written.
            SourceError: ``sound_from`` cannot be opened.
        """
        self.path = path
        self.notes: list[str] = []
        self._encodable = Encodable(width_px=width_px, height_px=height_px, colours=colours)
        self._time_base = time_base
        self._step = round(1 / (average_fps * time_base)) if average_fps else None
        self._last: int | None = None
        self._gap = max(1, round(1 / (_FALLBACK_FPS * time_base)))
        self._interrupted = False
        self._result: Path | None = None
        if sound_from and path.exists() and sound_from.exists() and path.samefile(sound_from):
            raise OutputError(
                f"{str(path)!r} is the input itself. Give another name or folder for the output"
            )
        check_suffix(path, _SUFFIXES)
        self._target = WholeFile(path, overwrite=overwrite)
        try:
            self._open(average_fps or _FALLBACK_FPS, settings, sound_from)
        except BaseException:
            self._target.discard()
            raise

    @classmethod
    def like(
        cls,
        source: VideoReader,
        path: Path,
        *,
        overwrite: bool = False,
        settings: EncoderSettings = EncoderSettings(),
    ) -> Self:
        """Prepare a file for the frames of ``source``: its size, its timing, its sound.

        Args:
            source: the open video.
            path, overwrite, settings: as for the constructor, and so are the errors raised.
        """
        return cls(
            path,
            width_px=source.info.width_px,
            height_px=source.info.height_px,
            time_base=source.info.time_base,
            average_fps=source.info.average_fps,
            # Given for silent sources too: it also says where the time of a broadcast begins.
            sound_from=source.path,
            overwrite=overwrite,
            settings=settings,
            colours=source.info.colours or HD_COLOURS,
        )

    def _open(self, fps: Fraction, settings: EncoderSettings, sound_from: Path | None) -> None:
        # The index in front lets a browser start before it has the whole file.
        options = {"movflags": "+faststart"}
        self._container = av.open(self._target.temp, "w", format="mp4", container_options=options)
        self._stream = self._add_video(fps, settings)
        self._sound = SoundTrack(sound_from, self._container, notes=self.notes) if sound_from else None
        self.origin_s = self._sound.origin_s if self._sound else Fraction(0)
        self._shift = round(self.origin_s / self._time_base)

    def _add_video(self, fps: Fraction, settings: EncoderSettings) -> VideoStream:
        options = {"crf": str(settings.crf), "preset": settings.preset}
        stream = self._container.add_stream("libx264", rate=fps.limit_denominator(100_000), options=options)
        stream.time_base = self._time_base
        context = stream.codec_context
        context.time_base = self._time_base
        context.thread_count = settings.threads
        self._encodable.set_up(context)
        return stream

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None and not issubclass(kind, KeyboardInterrupt):
            self._abandon()
            return
        self._interrupted = self._interrupted or kind is not None
        try:
            self._finish()
        except BaseException as failure:
            self._abandon()
            # After Ctrl-C that is what the caller has to see, not what went wrong while tidying up.
            if kind is None or not isinstance(failure, GclfError):
                raise

    @property
    def result_path(self) -> Path | None:
        """Where the finished file is: ``path``, ``<stem>.partial.mp4``, or None while there is none."""
        return self._result

    def interrupt(self) -> None:
        """Leaving the block keeps what was written, as ``<stem>.partial.mp4``."""
        self._interrupted = True

    def write(self, picture: U8 | I420, pts_s: float) -> None:
        """Add one frame.

        Args:
            picture: uint8, shape (height_px, width_px, 3), BGR, or planes with the file's own colours.
            pts_s: its time in seconds in the source. A frame that is not later than the one before
                comes one tick after it.

        Raises:
            ValueError: the picture has another size.
            OutputError: the file cannot be written, as when the disk is full.
        """
        frame = self._encodable.frame(picture)
        tick = round(pts_s / float(self._time_base)) - self._shift
        if self._last is not None:
            tick = max(tick, self._last + 1)
            self._gap = tick - self._last
        self._last = tick
        frame.pts, frame.time_base = tick, self._time_base
        with self._writing():
            self._mux(self._stream.encode(frame))
            if self._sound:
                self._sound.advance(float(tick * self._time_base))

    def _mux(self, packets: list[av.Packet[VideoStream]]) -> None:
        for packet in packets:
            # mp4 works durations out from the next frame; the last one has none.
            packet.duration = self._step or self._gap
            self._container.mux(packet)

    def _finish(self) -> None:
        if self._last is None:
            self._abandon()
            if self._interrupted:
                return
            raise OutputError(f"cannot write {str(self.path)!r}: there was no frame. Check the input")
        with self._writing():
            self._mux(self._stream.encode(None))
            if self._sound and not self._interrupted:
                self._sound.finish()
            elif self._sound:
                self._sound.end()
            self._container.close()
        self._close_sound()
        self._result = self._target.commit(f"{self.path.stem}.partial.mp4" if self._interrupted else None)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Turn a failed write into an OutputError and leave nothing behind."""
        try:
            yield
        except (FFmpegError, OSError) as error:
            self._abandon()
            raise self._target.error(error) from error

    def _abandon(self) -> None:
        self._target.discard()
        self._close_sound()
        with contextlib.suppress(FFmpegError, OSError):
            self._container.close()
        self._target.discard()

    def _close_sound(self) -> None:
        if self._sound:
            self._sound.close()
