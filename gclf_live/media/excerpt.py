"""Writing a part of a video as an mp4 of its own: it begins at 0, picture and sound alike."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Self

from gclf_live.errors import OutputError
from gclf_live.media._encodable import HD_COLOURS
from gclf_live.media._excerpt_sound import ExcerptSound
from gclf_live.media.encoder import EncoderSettings
from gclf_live.media.reader import VideoReader
from gclf_live.media.writer import VideoWriter
from gclf_live.records import I420, U8


class ExcerptWriter(VideoWriter):
    """Like ``VideoWriter``, but the first frame that is written is at 0, and sound before it is left out.

    Attributes:
        origin_s: time of the source that is 0 in the file; known once a frame was written.
    """

    _sound: ExcerptSound

    @classmethod
    def of(
        cls,
        source: VideoReader,
        path: Path,
        *,
        to_s: float | None = None,
        overwrite: bool = False,
        settings: EncoderSettings | None = None,
    ) -> Self:
        """Prepare a file for some frames of ``source`` in a row, with their sound.

        Args:
            source: the open video.
            path, overwrite, settings: as for ``VideoWriter``, and so are the errors raised.
            to_s: time of the source at which the sound ends; None is its own end.
        """
        info = source.info
        if path.exists() and source.path.exists() and path.samefile(source.path):
            raise OutputError(
                f"{str(path)!r} is the input itself. Give another name or folder for the output"
            )
        writer = cls(
            path,
            width_px=info.width_px,
            height_px=info.height_px,
            time_base=info.time_base,
            average_fps=info.average_fps,
            overwrite=overwrite,
            settings=settings or EncoderSettings(),
            colours=info.colours or HD_COLOURS,
        )
        writer._add_sound(source, math.inf if to_s is None else to_s)
        return writer

    def _add_sound(self, source: VideoReader, to_s: float) -> None:
        self._time_base = source.info.time_base
        try:
            self._sound = ExcerptSound(
                source.path,
                self._file.container,
                notes=self.notes,
                to_s=to_s,
                seekable=source.info.seekable,
            )
        except BaseException:
            self._file.discard()
            raise

    def write(self, picture: U8 | I420, pts_s: float) -> None:
        """Add one frame; see ``VideoWriter``."""
        if self._picture.empty:
            self.origin_s = round(pts_s / float(self._time_base)) * self._time_base
            self._picture.begin_at(self.origin_s)
            self._sound.begin_at(self.origin_s)
        super().write(picture, pts_s)
