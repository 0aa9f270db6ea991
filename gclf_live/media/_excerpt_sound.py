"""The sound of a part of a file."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.error import FFmpegError

from gclf_live.media._sound import SoundTrack

_BACK_S = 10
"""Reading begins this long before the part: sound is not always stored beside its picture."""
_BEHIND_S = 5.0
"""Packets of several streams are not in order of their times; this long behind the end, none is missed."""


class ExcerptSound(SoundTrack):
    """Like ``SoundTrack``, from the output's 0 to a time, cut at whole packets: they are some 25 ms long."""

    def __init__(
        self, path: Path, output: OutputContainer, *, notes: list[str], to_s: float, seekable: bool
    ) -> None:
        """Open the source and add the streams.

        Args:
            path, output, notes: as for ``SoundTrack``, and so are the errors raised.
            to_s: time of the source at which the sound ends; infinite for its own end.
            seekable: reading can begin anywhere in the source, see ``VideoInfo``.
        """
        self._to_s, self._seekable = to_s, seekable
        super().__init__(path, output, notes=notes)

    def begin_at(self, origin_s: Fraction) -> None:
        """Before the first packet: the time of the source that is 0 in the output."""
        self.origin_s = origin_s

    def _demux(self) -> Iterator[av.Packet[AudioStream]]:
        # The first packet is asked for after begin_at, which is when this body runs.
        if self._seekable:
            with contextlib.suppress(FFmpegError):
                self._input.seek(round((self.origin_s - _BACK_S) * av.time_base))
        for packet in super()._demux():
            if packet.pts is None or packet.time_base is None:
                continue
            pts_s = packet.pts * packet.time_base
            if pts_s >= self._to_s + _BEHIND_S:
                return
            if self.origin_s <= pts_s < self._to_s:
                yield packet
