"""The cases of ``benchmarks.corpus``: one file each, and what has to come of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.video.stream import VideoStream
from PIL import Image

from benchmarks.corpus_check import Right
from benchmarks.corpus_makers import FRAMES, RATE, SIZE, Sound, encode, pictures, remux, set_matrix
from gclf_live.records import U8, Matrix

_NTSC = Fraction(30000, 1001)
_FILM = Fraction(24000, 1001)
_SILENT: tuple[Sound, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """The run has to end with one line that holds ``word``."""

    word: str


@dataclass(frozen=True, slots=True)
class Pictures:
    """A folder of pictures has to come out as one of as many, of the same names and sizes."""

    names: tuple[str, ...]
    size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Input:
    """What ``annotate`` is given.

    Attributes:
        source: the file.
        wanted: what has to come of it.
        by_pipe: it comes through a pipe on standard input.
    """

    source: Path
    wanted: Right | Refused | Pictures
    by_pipe: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the table; ``make`` writes its input into an empty folder."""

    name: str
    make: Callable[[Path], Input]


def evenly(count: int = FRAMES, rate: Fraction = RATE) -> tuple[Fraction, ...]:
    """Times of frames at a constant rate."""
    return tuple(i / rate for i in range(count))


def _plain(name: str, suffix: str, *, right: Mapping[str, Any] | None = None, **how: Any) -> Case:
    """A case that is encoded in one go and keeps all its frames."""
    images = how.pop("images", None)
    shown = how.get("ticks")
    rate: Fraction = how.get("rate", RATE)
    base = how.get("base")

    def make(folder: Path) -> Input:
        drawn: Sequence[U8] = images() if images else pictures()
        times = tuple(tick * base for tick in shown) if shown and base else evenly(len(drawn), rate)
        source = encode(folder / f"in{suffix}", drawn, **how)
        return Input(source, Right(**({"times_s": times} | dict(right or {}))))

    return Case(name, make)


def _context(**values: Any) -> Callable[[VideoStream], None]:
    """Set attributes of the encoder."""

    def set_up(stream: VideoStream) -> None:
        for name, value in values.items():
            setattr(stream.codec_context, name, value)

    return set_up


def _turned(name: str, matrix: tuple[int, int, int, int], turn: Callable[[U8], U8]) -> Case:
    def make(folder: Path) -> Input:
        source = set_matrix(encode(folder / "in.mp4", pictures()), matrix)
        return Input(source, Right(evenly(), turn=turn))

    return Case(name, make)


def _rotated(quarters: int) -> Callable[[U8], U8]:
    """Turn clockwise by ``quarters`` times 90 degrees."""
    return lambda image: np.ascontiguousarray(np.rot90(image, k=-quarters))


def _stretched(width: int, height: int) -> Callable[[U8], U8]:
    return lambda image: np.asarray(cv2.resize(image, (width, height)), np.uint8)


def _remuxed(name: str, suffix: str, *, right: Mapping[str, Any] | None = None, **how: Any) -> Case:
    """The packets of an mp4 copied into another file."""

    def make(folder: Path) -> Input:
        first = encode(folder / "first.mp4", pictures(), **how.pop("encoded", {}))
        source = remux(first, folder / f"in{suffix}", **how)
        return Input(source, Right(**({"times_s": evenly()} | dict(right or {}))))

    return Case(name, make)


def _no_moov(folder: Path) -> Input:
    content = encode(folder / "whole.mp4", pictures()).read_bytes()
    source = folder / "in.mp4"
    source.write_bytes(content[: content.index(b"moov") - 4])
    return Input(source, Refused("as a video"))


def _sound_only(folder: Path) -> Input:
    source = folder / "in.mp4"
    with av.open(encode(folder / "first.mp4", pictures())) as given, av.open(source, "w") as output:
        stream = output.add_stream_from_template(given.streams.audio[0])
        for packet in given.demux(given.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = stream
                output.mux(packet)
    return Input(source, Refused("only sound"))


def _no_frame(folder: Path) -> Input:
    first = encode(folder / "first.mp4", pictures())
    return Input(remux(first, folder / "in.mp4", keep=lambda number, packet: False), Refused("picture"))


def _chapters(folder: Path) -> Input:
    """Chapters, subtitles and an attached cover beside picture and sound."""
    source = folder / "in.mkv"
    with av.open(encode(folder / "first.mp4", pictures())) as given, av.open(source, "w") as output:
        streams = {s.index: output.add_stream_from_template(s) for s in given.streams}
        titles = output.add_mux_stream("subrip")
        parts = [(0, 200), (200, 500)]
        output.set_chapters(
            [
                {"id": i, "start": start, "end": end, "time_base": _MS, "metadata": {"title": f"part {i}"}}
                for i, (start, end) in enumerate(parts)
            ]
        )
        for packet in given.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                output.mux(packet)
        text = av.Packet(b"a word")
        text.stream, text.time_base, text.pts, text.dts, text.duration = titles, _MS, 100, 100, 200
        output.mux(text)
    return Input(source, Right(evenly()))


def _piped(folder: Path) -> Input:
    """With its index last, so that it cannot be read without seeking."""
    return Input(encode(folder / "in.mp4", pictures()), Right(evenly()), by_pipe=True)


def _by_device(folder: Path) -> Input:
    encode(folder / "in.mp4", pictures())
    return Input(Path("/dev/stdin"), Refused("pipe"), by_pipe=True)


def _pattern(folder: Path) -> Input:
    for i, image in enumerate(pictures(count=3)):
        Image.fromarray(np.ascontiguousarray(image[:, :, ::-1])).save(folder / f"seq_{i:03}.png")
    return Input(folder / "seq_%03d.png", Refused("no such file"))


def _sequence(folder: Path) -> Input:
    given = folder / "shots"
    given.mkdir()
    names = tuple(f"seq_{i:03}.png" for i in range(3))
    for name, image in zip(names, pictures(count=3), strict=True):
        Image.fromarray(np.ascontiguousarray(image[:, :, ::-1])).save(given / name)
    return Input(given, Pictures(names, SIZE))


def _text(folder: Path) -> Input:
    source = folder / "in.mp4"
    source.write_text("this is no video\n" * 100, encoding="utf-8")
    return Input(source, Refused("as a video"))


def _empty(folder: Path) -> Input:
    source = folder / "in.mp4"
    source.touch()
    return Input(source, Refused("empty"))


def _wrapped_clock(folder: Path) -> Input:
    """A transport stream whose 33-bit clock begins anew inside it."""
    shift_s = Fraction(2**33, 90_000) - Fraction(1, 4)
    options = _AT_ONCE | {"mpegts_copyts": "1"}
    first = encode(folder / "first.ts", pictures(), muxer_options=_AT_ONCE)
    return Input(remux(first, folder / "in.ts", shift_s=shift_s, muxer_options=options), Right(evenly()))


def _dropped(folder: Path) -> Input:
    """Every packet that nothing refers to is gone: what is left has its own times."""
    how = {"codec_options": {"x264-params": "bframes=2:b-adapt=0:keyint=30:b-pyramid=0", "preset": "medium"}}
    first = encode(folder / "first.mp4", pictures(), **how)  # type: ignore[arg-type]
    with av.open(first) as container:
        kept = sorted(
            packet.pts * packet.time_base
            for packet in container.demux(video=0)
            if packet.pts is not None and packet.time_base and not packet.is_disposable
        )
    source = remux(first, folder / "in.mkv", keep=lambda number, packet: not packet.is_disposable)
    return Input(source, Right(tuple(kept)))


_AT_ONCE = {"muxpreload": "0", "muxdelay": "0"}
_B_FRAMES = {"x264-params": "bframes=3:b-adapt=0:keyint=8", "preset": "medium"}
_OPEN_GOP = {"x264-params": "bframes=3:b-adapt=0:open-gop=1:keyint=8:min-keyint=4", "preset": "medium"}
_UNEVEN = [0, 40, 43, 120, 260, 261, 300, 420, 500, 501, 640, 700, 720, 780, 900]
_MS = Fraction(1, 1000)
_BT2020_PQ = {"colorspace": 9, "color_primaries": 9, "color_trc": 16}

CASES: tuple[Case, ...] = (
    _plain("mp4, index last", ".mp4"),
    _plain("mp4, index first", ".mp4", muxer_options={"movflags": "+faststart"}),
    _plain("mp4 in fragments", ".mp4", muxer_options={"movflags": "+frag_keyframe+delay_moov"}),
    Case("mp4 without its index (no moov)", _no_moov),
    _plain("MOV", ".mov"),
    _plain("MKV", ".mkv", base=_MS, ticks=[round(1000 * i / RATE) for i in range(FRAMES)]),
    _plain("TS", ".ts", muxer_options=_AT_ONCE),
    _plain("AVI, MPEG-4, PCM", ".avi", codec="mpeg4", sounds=(Sound(codec="pcm_s16le"),)),
    _plain("AVI, H.264 with B-frames", ".avi", codec_options=_B_FRAMES, sounds=(Sound(codec="mp3"),)),
    _plain(
        "WebM, VP8",
        ".webm",
        codec="libvpx",
        base=_MS,
        sounds=(Sound(codec="libopus"),),
        ticks=[round(1000 * i / RATE) for i in range(FRAMES)],
    ),
    _plain(
        "WebM, VP9 with alpha",
        ".webm",
        codec="libvpx-vp9",
        pix_fmt="yuva420p",
        base=_MS,
        codec_options={"cpu-used": "8", "deadline": "realtime"},
        sounds=(Sound(codec="libopus"),),
        ticks=[round(1000 * i / RATE) for i in range(FRAMES)],
    ),
    _plain("AV1", ".mp4", codec="libsvtav1", codec_options={"preset": "11", "svtav1-params": "lp=1"}),
    _plain(
        "HEVC",
        ".mp4",
        codec="libx265",
        codec_options={"preset": "ultrafast", "x265-params": "log-level=none:pools=1"},
    ),
    _plain("ProRes", ".mov", codec="prores_ks", pix_fmt="yuv422p10le", sounds=(Sound(codec="pcm_s16le"),)),
    _plain(
        "MPEG-2",
        ".mpg",
        codec="mpeg2video",
        codec_options={"b": "4M"},
        sounds=(Sound(codec="mp2"),),
        muxer_options=_AT_ONCE,
    ),
    _plain(
        "GIF",
        ".gif",
        codec="gif",
        pix_fmt="rgb8",
        rate=Fraction(10),
        base=Fraction(1, 100),
        ticks=[10 * i for i in range(FRAMES)],
        sounds=_SILENT,
    ),
    _plain(
        "FFV1, grey",
        ".mkv",
        codec="ffv1",
        pix_fmt="gray",
        base=_MS,
        sounds=_SILENT,
        ticks=[round(1000 * i / RATE) for i in range(FRAMES)],
    ),
    _plain("H.264, grey", ".mp4", pix_fmt="gray"),
    _plain("B-frames", ".mp4", codec_options=_B_FRAMES),
    _plain("open GOP", ".mp4", codec_options=_OPEN_GOP),
    _plain("variable rate", ".mp4", base=_MS, ticks=_UNEVEN),
    _plain("29.97", ".mp4", rate=_NTSC),
    _plain("23.976", ".mp4", rate=_FILM),
    _remuxed("begins at 10 s (TS)", ".ts", shift_s=Fraction(10), muxer_options=_AT_ONCE),
    _remuxed("begins at 10 s (MKV)", ".mkv", shift_s=Fraction(10)),
    Case("begins before 0 (TS, clock wraps)", _wrapped_clock),
    _turned("turned by 90", (0, 1, -1, 0), _rotated(1)),
    _turned("turned by 180", (-1, 0, 0, -1), _rotated(2)),
    _turned("turned by 270", (0, -1, 1, 0), _rotated(3)),
    _turned("mirrored", (-1, 0, 0, 1), lambda image: np.ascontiguousarray(image[:, ::-1])),
    _plain(
        "pixels 4:3",
        ".mp4",
        set_up=_context(sample_aspect_ratio=Fraction(4, 3)),
        right={"turn": _stretched(round(SIZE[0] * 4 / 3), SIZE[1])},
    ),
    _plain("odd sizes 321x181", ".mp4", pix_fmt="yuv444p", images=partial(pictures, (321, 181))),
    _plain("2x2", ".mp4", images=partial(pictures, (2, 2))),
    _plain("7680x4320", ".mp4", images=partial(pictures, (7680, 4320), 2), right={"matrix": Matrix.BT709}),
    _plain("10-bit", ".mp4", pix_fmt="yuv420p10le"),
    _plain("4:4:4", ".mp4", pix_fmt="yuv444p"),
    _plain("4:2:2 10-bit", ".mp4", pix_fmt="yuv422p10le"),
    _plain(
        "RGB", ".mp4", codec="libx264rgb", pix_fmt="rgb24", codec_options={"preset": "ultrafast", "crf": "12"}
    ),
    _plain("full range", ".mp4", pix_fmt="yuvj420p", set_up=_context(color_range=2)),
    _plain("interlaced", ".mp4", codec_options={"x264-params": "tff=1"}),
    _plain(
        "HDR (PQ, BT.2020)",
        ".mp4",
        pix_fmt="yuv420p10le",
        set_up=_context(**_BT2020_PQ),
        right={"colours": False},
    ),
    _plain("one frame", ".mp4", images=partial(pictures, SIZE, 1), sounds=_SILENT),
    Case("no frame", _no_frame),
    Case("sound without picture", _sound_only),
    _plain("no sound", ".mp4", sounds=_SILENT),
    _plain("two sound tracks", ".mp4", sounds=(Sound(), Sound(0.3))),
    _plain("sound longer than picture", ".mp4", sounds=(Sound(1.5),)),
    _plain("sound shorter than picture", ".mp4", sounds=(Sound(0.2),)),
    Case("chapters and subtitles", _chapters),
    Case("packets dropped: B-frames", _dropped),
    Case("folder of pictures", _sequence),
    Case("pattern of pictures", _pattern),
    Case("pipe: /dev/stdin", _by_device),
    Case("pipe: -", _piped),
    Case("text called mp4", _text),
    Case("empty file", _empty),
)
