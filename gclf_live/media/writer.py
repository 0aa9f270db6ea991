"""Writing an mp4 that plays everywhere: H.264, true times, the source's sound (PyAV)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

from gclf_live.errors import GclfError, OutputError
from gclf_live.media._encodable import HD_COLOURS
from gclf_live.media._mp4 import INDEX_IN_FRONT, PLAYABLE_THROUGHOUT, Mp4File, cut_to_whole_fragments
from gclf_live.media._sound import SoundTrack
from gclf_live.media.decoded import ColourTags
from gclf_live.media.encoder import DEFAULT_SETTINGS, EncoderSettings, PictureTrack, Preset
from gclf_live.media.reader import VideoReader
from gclf_live.records import I420, U8
from gclf_live.whole_file import bring_back, free_partial_name

__all__ = ["EncoderSettings", "Preset", "VideoWriter", "bring_back_recordings"]


class VideoWriter:
    """Writes one mp4. The file has its final name only when it is whole.

    Leaving the ``with`` block finishes the file. ``KeyboardInterrupt`` or ``interrupt()`` finishes what is
    there as ``<stem>.partial.mp4``; any other exception removes it. One that is ``playable_throughout`` is a
    recording, which cannot be made again: it gets a number, as ``<stem>.partial-2.mp4``, where that name is
    taken.

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
        settings: EncoderSettings = DEFAULT_SETTINGS,
        colours: ColourTags = HD_COLOURS,
        playable_throughout: bool = False,
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
            playable_throughout: a kill loses the last seconds only, and ``bring_back_recordings`` finds the
                rest; the index of the finished file is at its end.

        Raises:
            OutputError: the file exists, is the source itself, or cannot be written.
            SourceError: ``sound_from`` cannot be opened.
        """
        self.path = path
        self.notes: list[str] = []
        self._interrupted = False
        self._is_recording = playable_throughout
        self._result: Path | None = None
        self._sound: SoundTrack | None = None
        self._file = Mp4File(
            path,
            overwrite=overwrite,
            source=sound_from,
            options=PLAYABLE_THROUGHOUT if playable_throughout else INDEX_IN_FRONT,
            useful_in_part=playable_throughout,
        )
        try:
            self._picture = PictureTrack(
                self._file.container,
                width_px=width_px,
                height_px=height_px,
                time_base=time_base,
                average_fps=average_fps,
                colours=colours,
                settings=replace(settings, in_order=True) if playable_throughout else settings,
            )
            if sound_from:
                self._sound = SoundTrack(sound_from, self._file.container, notes=self.notes)
        except BaseException:
            self._file.discard()
            raise
        self.origin_s = self._sound.origin_s if self._sound else Fraction(0)
        self._picture.begin_at(self.origin_s)

    @classmethod
    def like(
        cls,
        source: VideoReader,
        path: Path,
        *,
        overwrite: bool = False,
        settings: EncoderSettings = DEFAULT_SETTINGS,
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
        with self._writing():
            written_s = self._picture.add(picture, pts_s)
            if self._sound:
                self._sound.advance(written_s)

    def _finish(self) -> None:
        if self._picture.empty:
            self._abandon()
            if self._interrupted:
                return
            raise OutputError(f"cannot write {str(self.path)!r}: there was no frame. Check the input")
        with self._writing():
            self._picture.end()
            if self._sound and not self._interrupted:
                self._sound.finish()
            elif self._sound:
                self._sound.end()
        with self._rescuing():
            self._result = self._file.commit(self._partial_name() if self._interrupted else None)
        self._close_sound()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        with self._rescuing(), self._file.writing():
            yield

    @contextlib.contextmanager
    def _rescuing(self) -> Iterator[None]:
        """What was written of a recording before the disk refused more gets a name, which the error says."""
        try:
            yield
        except OutputError as error:
            if not self._is_recording or not _is_of_use(self._file.hidden):
                raise
            self._result = self._file.rescue(self._partial_name())
            if self._result is None:
                raise
            raise OutputError(f"{error}. What was recorded before is in {str(self._result)!r}") from error

    def _partial_name(self) -> str:
        name = f"{self.path.stem}.partial.mp4"
        return free_partial_name(self.path.resolve().with_suffix(".mp4")).name if self._is_recording else name

    def _abandon(self) -> None:
        self._file.discard()
        self._close_sound()

    def _close_sound(self) -> None:
        if self._sound:
            self._sound.close()


def bring_back_recordings(folder: Path) -> list[Path]:
    """Give what a kill has left of ``playable_throughout`` files in a folder a name; returns the names."""
    return bring_back(folder, is_of_use=_is_of_use)


def _is_of_use(path: Path) -> bool:
    """Whether a recording that was never finished has a frame; it ends with its last whole second then."""
    try:
        cut_to_whole_fragments(path)
        with VideoReader(path) as reader:
            return next(iter(reader.decoded()), None) is not None
    except OSError:  # SourceError is one
        return False
