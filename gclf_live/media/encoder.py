"""Pictures into H.264, every one at its own time (libx264)."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, TypeAlias, get_args

import av
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from gclf_live.errors import DeviceError, UsageError
from gclf_live.media._encodable import Encodable
from gclf_live.media._libav import reason
from gclf_live.media.decoded import ColourTags
from gclf_live.media.hardware import Hardware
from gclf_live.records import I420, U8

_FALLBACK_FPS = Fraction(30)
Preset: TypeAlias = Literal[
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow"
]
"""x264's own names, from the fastest encoder to the smallest file."""
_NVENC_PRESETS = dict(
    zip(get_args(Preset), ("p1", "p1", "p2", "p3", "p3", "p4", "p5", "p6", "p7"), strict=True)
)


@dataclass(frozen=True, slots=True)
class EncoderSettings:
    """How the encoder weighs size, quality and time.

    Attributes:
        crf: constant rate factor, 0 (lossless) to 51; 18 to 23 is usual.
        preset: ``ultrafast`` to ``veryslow``: time spent for a smaller file.
        threads: encoder threads; 0 is one for each core.
        hardware: what encodes: libx264, or NVENC, whose constant quality counts as ``crf`` does.
        in_order: no picture refers to a later one (no B-frames), for a somewhat larger file.
    """

    crf: int = 20
    preset: Preset = "veryfast"
    threads: int = 0
    hardware: Hardware = Hardware.NONE
    in_order: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.crf <= 51 or self.threads < 0:
            raise UsageError(
                f"crf {self.crf}, {self.threads} threads; allowed are crf 0 to 51, threads 0 or more"
            )


DEFAULT_SETTINGS = EncoderSettings()


class PictureTrack:
    """The picture of a new file: frames are encoded and muxed as they come."""

    def __init__(
        self,
        output: OutputContainer,
        *,
        width_px: int,
        height_px: int,
        time_base: Fraction,
        average_fps: Fraction | None,
        colours: ColourTags,
        settings: EncoderSettings,
    ) -> None:
        """Add the stream to ``output``; what the arguments mean is said at ``VideoWriter``."""
        self._output = output
        self._encodable = Encodable(width_px=width_px, height_px=height_px, colours=colours)
        self._time_base = time_base
        self._step = round(1 / (average_fps * time_base)) if average_fps else None
        self._gap = max(1, round(1 / (_FALLBACK_FPS * time_base)))
        self._shift = 0
        self._last: int | None = None
        self._stream = self._add_to(output, average_fps or _FALLBACK_FPS, settings)

    def _add_to(self, output: OutputContainer, fps: Fraction, settings: EncoderSettings) -> VideoStream:
        codec, options = _codec(settings)
        stream = output.add_stream(codec, rate=fps.limit_denominator(100_000), options=options)
        stream.time_base = self._time_base
        context = stream.codec_context
        context.time_base = self._time_base
        context.thread_count = settings.threads
        self._encodable.set_up(context)
        if settings.hardware is not Hardware.NONE:
            context.bit_rate = 0  # else it would be aimed at
            try:
                context.open()
            except (FFmpegError, OSError) as error:
                why = f"no NVIDIA card here encodes H.264 ({reason(error)})"
                raise DeviceError(f"--hwaccel cuda: {why}. Leave out --hwaccel") from error
        return stream

    @property
    def empty(self) -> bool:
        """Whether no frame has come yet."""
        return self._last is None

    def begin_at(self, origin_s: Fraction) -> None:
        """Before the first frame: the time of the source that is 0 in the file."""
        self._shift = ticks(origin_s, self._time_base)

    def add(self, picture: U8 | I420, pts_s: float) -> float:
        """Encode one frame, as ``VideoWriter.write`` says.

        Returns:
            Its time in the file, in seconds.

        Raises:
            ValueError: the picture has another size.
            FFmpegError, OSError: the file cannot be written.
        """
        frame = self._encodable.frame(picture)
        tick = round(pts_s / float(self._time_base)) - self._shift
        if self._last is not None:
            tick = max(tick, self._last + 1)
            self._gap = tick - self._last
        self._last = tick
        frame.pts, frame.time_base = tick, self._time_base
        self._mux(self._stream.encode(frame))
        return float(tick * self._time_base)

    def end(self) -> None:
        """Encode what the encoder still holds.

        Raises:
            FFmpegError, OSError: the file cannot be written.
        """
        self._mux(self._stream.encode(None))

    def _mux(self, packets: list[av.Packet[VideoStream]]) -> None:
        for packet in packets:
            # mp4 works durations out from the next frame; the last one has none.
            packet.duration = self._step or self._gap
            self._output.mux(packet)


def _codec(settings: EncoderSettings) -> tuple[Literal["libx264", "h264_nvenc"], dict[str, str]]:
    """The encoder's name in FFmpeg and its options."""
    in_order = {"bf": "0"} if settings.in_order else {}
    if settings.hardware is Hardware.CUDA:
        preset = _NVENC_PRESETS[settings.preset]
        return "h264_nvenc", {"rc": "vbr", "cq": str(settings.crf), "preset": preset, **in_order}
    return "libx264", {"crf": str(settings.crf), "preset": settings.preset, **in_order}


def ticks(seconds: Fraction, time_base: Fraction) -> int:
    """The tick that is nearest to a time."""
    return round(seconds / time_base)
