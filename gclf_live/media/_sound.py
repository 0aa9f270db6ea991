"""The sound of a source file, carried into a new mp4: copied where mp4 takes it, else converted to AAC."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.error import ArgumentError, FFmpegError, InvalidDataError
from av.stream import Discard

from gclf_live.media._libav import open_file, reason
from gclf_live.media.origin import origin_of

# What players take in an mp4. libav would also copy PCM, Vorbis and DTS into one, which browsers refuse.
_COPIED = {"aac", "mp3", "mp3float", "ac3", "eac3", "opus", "libopus", "alac", "flac"}
_AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)
_AAC_RATE_FALLBACK = 48000
# By count: raw formats say how many channels there are, not which, and then the encoder refuses them.
_LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "4.0", 5: "5.0(side)", 6: "5.1"}
_AAC_BITS_PER_CHANNEL = 96_000
_GAP_S = 0.1
_LONGEST_GAP = 2**31 - 1
"""In samples: mp4 stores in 32 bits how long a piece of sound lasts. A clock that jumps farther, by hours at
least, is damaged."""
# Their description is checked when the mp4 is closed, which is too late.
_CHECKED_LATE = {"flac", "opus", "libopus", "alac"}
_DAMAGED = "sound has damaged pieces, which were left out"


@dataclass(slots=True)
class _Track:
    source: AudioStream
    target: AudioStream
    copied: bool
    last_dts: int | None = None
    due: int | None = None


def _has_a_usable_head(stream: AudioStream) -> bool:
    """Whether an mp4 takes the description of a stream that is to be copied."""
    if stream.codec_context.name not in _CHECKED_LATE:
        return True
    try:
        with av.open(io.BytesIO(), "w", format="mp4", options={"movflags": "empty_moov"}) as trial:
            trial.add_stream_from_template(stream)
            trial.start_encoding()
    except (FFmpegError, ValueError):
        return False
    return True


class SoundTrack:
    """All sound of one file, muxed into an output as the picture goes on.

    Attributes:
        origin_s: time in the source that is 0 in the output, for picture and sound alike.
    """

    def __init__(self, path: Path, output: OutputContainer, *, notes: list[str]) -> None:
        """Open the source and add a stream to ``output`` for each of its sound streams.

        ``notes`` gets one line for each thing that is converted or left out.

        Raises:
            SourceError: the file cannot be opened.
        """
        self.notes = notes
        self._output = output
        self._input = open_file(path)
        self.origin_s = origin_of(self._input)
        self._tracks: dict[int, _Track] = {}
        for stream in self._input.streams:
            if isinstance(stream, AudioStream) and (track := self._add(stream)):
                self._tracks[stream.index] = track
            else:
                stream.discard = Discard.all
        self._packets = self._demux()
        self._reached_s = float("-inf")

    def _add(self, stream: AudioStream) -> _Track | None:
        if stream.codec_context is None or not stream.rate or not stream.channels:
            self.notes.append(f"sound stream {stream.index} was left out: its codec cannot be read")
            return None
        if stream.codec_context.name in _COPIED and _has_a_usable_head(stream):
            track = _Track(stream, self._output.add_stream_from_template(stream), copied=True)
        else:
            track = _Track(stream, self._add_aac(stream), copied=False)
            self.notes.append(
                f"sound was converted from {stream.codec_context.name} to AAC: mp4 cannot carry it"
            )
        track.target.metadata.update({k: v for k, v in stream.metadata.items() if k == "language"})
        return track

    def _add_aac(self, stream: AudioStream) -> AudioStream:
        rate = stream.rate if stream.rate in _AAC_RATES else _AAC_RATE_FALLBACK
        target = self._output.add_stream("aac", rate=rate)
        target.layout = _LAYOUTS.get(stream.channels, "stereo")
        target.bit_rate = _AAC_BITS_PER_CHANNEL * target.layout.nb_channels
        target.time_base = Fraction(1, rate)
        return target

    def _demux(self) -> Iterator[av.Packet[AudioStream]]:
        streams = tuple(track.source for track in self._tracks.values())
        if not streams:
            return
        try:
            yield from self._input.demux(streams)
        except FFmpegError as error:
            self.notes.append(f"sound ends early: {reason(error)}")

    def advance(self, until_s: float) -> None:
        """Mux the sound that lies before ``until_s``, in seconds of the output."""
        while self._reached_s < until_s and (packet := next(self._packets, None)) is not None:
            if packet.pts is not None and packet.time_base:
                self._reached_s = float(packet.pts * packet.time_base - self.origin_s)
            self._carry(packet)

    def finish(self) -> None:
        """Mux all the sound that is left and end the converted streams."""
        self.advance(float("inf"))
        self.end()

    def end(self) -> None:
        """End the converted streams where they are."""
        for track in self._tracks.values():
            if not track.copied:
                self._output.mux(track.target.encode(None))

    def close(self) -> None:
        """Close the source."""
        self._input.close()

    def _carry(self, packet: av.Packet[AudioStream]) -> None:
        track = self._tracks[packet.stream.index]
        if track.copied:
            self._copy(packet, track)
            return
        try:
            converted = [out for frame in packet.decode() for out in self._encode(frame, track)]
        except (FFmpegError, ValueError):  # a broken packet is a short silence; what follows is still right
            self._note_damaged()
            return
        self._output.mux(converted)

    def _copy(self, packet: av.Packet[AudioStream], track: _Track) -> None:
        if packet.dts is None or packet.time_base is None:  # the flush packet at the end
            return
        shift = round(self.origin_s / packet.time_base)
        packet.dts -= shift
        packet.pts = packet.dts if packet.pts is None else packet.pts - shift
        ahead = (packet.dts - (track.last_dts or 0)) * packet.time_base * (track.source.rate or 1)
        if ahead > _LONGEST_GAP:
            self._note_damaged()
            return
        if track.last_dts is not None and packet.dts <= track.last_dts:
            return  # mp4 refuses time that stands still; such packets repeat what was there
        if not packet.duration and track.last_dts is not None:
            # mp4 takes a last packet without a length for nothing, and players then skip it.
            packet.duration = packet.dts - track.last_dts
        track.last_dts = packet.dts
        packet.stream = track.target
        try:
            self._output.mux(packet)
        # AAC whose header was lost on the way; packets that a damaged clock puts at one moment.
        except (ArgumentError, InvalidDataError):
            self._note_damaged()

    def _note_damaged(self) -> None:
        if _DAMAGED not in self.notes:
            self.notes.append(_DAMAGED)

    def _encode(self, frame: AudioFrame, track: _Track) -> list[av.Packet[AudioStream]]:
        """Encode one block where the one before ended, or later where the source leaves a gap.

        The times of blocks jitter by the container's tick, and the encoder refuses any step back.
        """
        rate = frame.sample_rate
        at = track.due
        if frame.pts is not None and frame.time_base:
            own = round((frame.pts * frame.time_base - self.origin_s) * rate)
            ahead = own - (at or 0)
            if ahead > _LONGEST_GAP:
                self._note_damaged()
            elif at is None or ahead > rate * _GAP_S:
                at = own
        at = at or 0
        track.due = at + frame.samples
        frame.pts, frame.time_base = at, Fraction(1, rate)
        return track.target.encode(frame)
