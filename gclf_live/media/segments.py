"""A long video, encoded in segments that are joined: a run that is killed loses one segment at most."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Self

import av
from av.container import OutputContainer
from av.video.stream import VideoStream

from gclf_live.media._encodable import HD_COLOURS
from gclf_live.media._excerpt_sound import ExcerptSound
from gclf_live.media._join_plan import JoinPlan, plan_join
from gclf_live.media._mp4 import INDEX_IN_FRONT, Mp4File
from gclf_live.media._segment import open_segment, packets_of, unusable
from gclf_live.media._sound import SoundTrack
from gclf_live.media.encoder import DEFAULT_SETTINGS, EncoderSettings, PictureTrack
from gclf_live.media.reader import VideoReader
from gclf_live.records import I420, U8


def segment_path(folder: Path, index: int) -> Path:
    """Where segment ``index``, from 0, of the video whose segments are in ``folder`` belongs."""
    return folder / f"segment-{index:06d}.mp4"


class SegmentWriter:
    """Writes the frames of one part of a video as an mp4 without sound, their times as in the source.

    Leaving the ``with`` block finishes the file and gives it its name. After any exception, Ctrl-C too, there
    is none: a segment is whole or not there. One without a frame is whole as well, for a part of the video
    in which nothing new is shown.
    """

    def __init__(
        self,
        source: VideoReader,
        path: Path,
        *,
        overwrite: bool = False,
        settings: EncoderSettings = DEFAULT_SETTINGS,
    ) -> None:
        """Prepare the file; nothing is encoded yet.

        Args:
            source: the open video that the frames are from: it gives their size, clock and colours.
            path: where the segment goes; see ``segment_path``.
            overwrite: replace a file that is there.
            settings: the encoder's. All segments of a video need the same, but for the threads.

        Raises:
            OutputError: the file exists or cannot be written.
        """
        info = source.info
        # By default an mp4 rounds the time at which its first frame is shown to milliseconds.
        options = {"movie_timescale": str(info.time_base.denominator)}
        self._file = Mp4File(path, overwrite=overwrite, source=source.path, options=options)
        try:
            self._picture = PictureTrack(
                self._file.container,
                width_px=info.width_px,
                height_px=info.height_px,
                time_base=info.time_base,
                average_fps=info.average_fps,
                colours=info.colours or HD_COLOURS,
                settings=settings,
            )
        except BaseException:
            self._file.discard()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._file.discard()
            return
        try:
            self._finish()
        except BaseException:
            self._file.discard()
            raise

    def write(self, picture: U8 | I420, pts_s: float) -> None:
        """Add one frame; arguments and errors are those of ``VideoWriter.write``."""
        with self._file.writing():
            self._picture.add(picture, pts_s)

    def _finish(self) -> None:
        with self._file.writing():
            if self._picture.empty:
                self._file.container.start_encoding()  # or there would be no mp4 at all
            else:
                self._picture.end()
        self._file.commit()


def join_segments(
    source: Path,
    segments: Sequence[Path],
    target: Path,
    *,
    overwrite: bool = False,
    excerpt_to_s: float | None = None,
) -> tuple[str, ...]:
    """Make one mp4 of all segments of a video, without encoding again, and give it the source's sound.

    Every frame is shown when ``VideoWriter`` would have shown it, or ``ExcerptWriter`` for a part of a video,
    and the sound is what it would have written. Memory holds some seconds of packets, whatever the length of
    the video, and the index that every mp4 has, about 100 bytes for a frame.

    Args:
        source: the video that the segments were made from.
        segments: in the order of their times.
        target: an ``.mp4``; it appears under this name only when it is whole.
        overwrite: replace ``target`` where it exists.
        excerpt_to_s: None where the segments hold the whole video. Else its first frame is at 0 and sound
            before it is left out, and so is sound from this time of the source on; infinite for its own end.

    Returns:
        One line for each thing the user should know, such as sound that was converted.

    Raises:
        SourceError: ``source`` cannot be read; a segment is missing, damaged, from another video, out of
            order, or was encoded with other settings.
        OutputError: ``target`` exists, is ``source`` or cannot be written, or no segment has a frame.
    """
    file = Mp4File(target, overwrite=overwrite, source=source, options=INDEX_IN_FRONT)
    try:
        notes = _mux(source, plan_join(source, segments), file, excerpt_to_s)
        file.commit()
    except BaseException:
        file.discard()
        raise
    return notes


def _mux(source: Path, plan: JoinPlan, file: Mp4File, excerpt_to_s: float | None) -> tuple[str, ...]:
    notes: list[str] = []
    with open_segment(plan.segments[0]) as first:
        stream = file.container.add_stream_from_template(first.streams.video[0])
        stream.codec_context.bit_rate = 0  # that of one segment is not that of the film
    with closing(_sound(source, plan, file.container, notes, excerpt_to_s)) as sound:
        for packet, pts in _on_one_clock(plan, plan.origin(sound.origin_s)):
            packet.stream = stream
            with file.writing():
                file.container.mux(packet)
                sound.advance(float(pts * plan.format.time_base))
        with file.writing():
            sound.finish()
    return tuple(notes)


def _sound(
    source: Path, plan: JoinPlan, output: OutputContainer, notes: list[str], excerpt_to_s: float | None
) -> SoundTrack:
    if excerpt_to_s is None:
        return SoundTrack(source, output, notes=notes)
    sound = ExcerptSound(source, output, notes=notes, to_s=excerpt_to_s, seekable=plan.info.seekable)
    sound.begin_at(plan.begins * plan.format.time_base)
    return sound


def _on_one_clock(plan: JoinPlan, origin: int) -> Iterator[tuple[av.Packet[VideoStream], int]]:
    """The packets of all segments and their presentation times, with decode times that go on over borders.

    The decode times of two segments overlap, as a segment's first pictures are decoded before they are shown.
    They are given anew by the encoder's own rule: a picture is decoded when the one that is ``REORDERED``
    places before it in the order of presentation is shown.
    """
    shown = [tick - origin for tick in plan.decoded_before]  # a heap, as it is in order
    latest: int | None = None
    decoded: int | None = None
    for path in plan.segments:
        border = latest
        for packet, source_pts in packets_of(path):
            pts = source_pts - origin
            if border is not None and pts <= border:
                raise unusable(path, "its frames do not come after those of the segments before it")
            latest = pts if latest is None else max(latest, pts)
            dts = heapq.heappushpop(shown, pts)
            if decoded is not None and dts <= decoded:
                raise unusable(path, "its frames are in an order that this program does not write")
            decoded = dts
            # Of all durations mp4 takes the last one only.
            packet.pts, packet.dts, packet.duration = pts, dts, plan.last_shown
            yield packet, pts
