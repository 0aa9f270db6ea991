"""Whether a copy that ``annotate`` made of a video is right, judged without the code that made it."""

from __future__ import annotations

import contextlib
import csv
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.error import FFmpegError
from av.video.reformatter import ColorRange

from gclf_live.output.overlay import Overlay
from gclf_live.records import F32, U8, Faces, FrameResult, Matrix, Predictions, Tracks

_BLOCK_PX = 8
_EDGE_LEVELS = 24
_UNSPECIFIED = 2  # AVCOL_SPC_UNSPECIFIED
_CODES = {Matrix.BT709: 1, Matrix.BT601: 5}
# How much red and blue weigh in brightness, by AVColorSpace.
_SHARES = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}
COLOUR_LEVELS = 2.0
SOUND_S = 0.05


@dataclass(frozen=True, slots=True)
class Facts:
    """What a player finds in a video.

    Attributes:
        times_s: of all frames.
        duration_s: of the picture.
        sounds_s: seconds that each sound track decodes to.
        size: width and height.
        plain: whether it is shown as it is stored: no turn, square pixels.
    """

    times_s: tuple[Fraction, ...]
    duration_s: float
    sounds_s: tuple[float, ...]
    size: tuple[int, int]
    plain: bool


def facts(path: Path) -> Facts:
    """Read a video as a player does."""
    with av.open(path) as container:
        video = container.streams.video[0]
        times, plain = [], not video.sample_aspect_ratio or video.sample_aspect_ratio == 1
        for frame in container.decode(video):
            assert frame.pts is not None
            assert frame.time_base is not None
            times.append(frame.pts * frame.time_base)
            plain = plain and frame.rotation == 0
        duration_s = float((video.duration or 0) * (video.time_base or 0))
        size = (video.width, video.height)
    sounds = []
    with av.open(path) as container:
        number = len(container.streams.audio)
    for i in range(number):
        with av.open(path) as container:
            stream = container.streams.audio[i]
            samples = 0
            for packet in container.demux(stream):
                with contextlib.suppress(FFmpegError, EOFError):  # sound that is copied may be damaged
                    samples += sum(frame.samples for frame in packet.decode())
            sounds.append(samples / (stream.rate or 1))
    return Facts(tuple(times), duration_s, tuple(sounds), size, plain)


def decoded(path: Path) -> Iterator[av.VideoFrame]:
    """Every frame that libav can decode of a video, damaged or not."""
    with av.open(path) as container:
        video = container.streams.video[0]
        packets = iter(container.demux(video))
        while True:
            try:
                packet = next(packets, None)
                if packet is None:
                    return
                yield from packet.decode()
            except (FFmpegError, EOFError):
                continue


def to_bgr(frame: av.VideoFrame, matrix: Matrix | None = None) -> U8:
    """A stored frame in BGR, by the formula of ITU-R BT.601 and BT.709 alone.

    Args:
        frame: as decoded.
        matrix: of one that does not say its own; players take BT.601 below HD.
    """
    if not frame.format.name.startswith(("yuv", "gray")):
        return np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
    # By FFmpeg's convention a format of grey alone has full range, as JPEG has.
    full = frame.color_range == ColorRange.JPEG or frame.format.name.startswith(("yuvj", "gray"))
    y, blue, red = _planes(frame)
    if not full:
        y, blue, red = (y - 16) * (255 / 219), (blue - 128) * (255 / 224), (red - 128) * (255 / 224)
    else:
        blue, red = blue - 128, red - 128
    code = frame.colorspace if frame.colorspace != _UNSPECIFIED else _CODES[matrix or Matrix.BT601]
    from_red, from_blue = _SHARES[int(code)]
    r, b = y + 2 * (1 - from_red) * red, y + 2 * (1 - from_blue) * blue
    g = (y - from_red * r - from_blue * b) / (1 - from_red - from_blue)
    return np.asarray(np.clip(np.stack([b, g, r], axis=2) + 0.5, 0, 255), np.uint8)


def _planes(frame: av.VideoFrame) -> tuple[F32, F32, F32]:
    """Brightness and the two colours on a scale of 8 bits, each in the size of the picture."""
    bits = frame.format.components[0].bits
    kind = np.dtype("u1" if bits == 8 else "<u2")
    found = []
    for plane in frame.planes:
        rows = np.frombuffer(bytes(plane), kind).reshape(plane.height, -1)[:, : plane.width]
        values = np.asarray(rows, np.float32) / np.float32(2 ** (bits - 8))
        if plane.width < frame.width:
            values = _between(values, (0.0, 0.5))[:, : frame.width]
        if plane.height < frame.height:
            values = _between(values.T, (-0.25, 0.25)).T[: frame.height]
        found.append(values)
    if len(found) < 3:
        found += [np.full_like(found[0], 128)] * 2
    return found[0], found[1], found[2]


def _between(values: F32, places: tuple[float, float]) -> F32:
    """Twice as many columns, those of each column at ``places`` from it: where H.264 has them by default."""
    padded = np.pad(values, ((0, 0), (1, 1)), "edge")
    columns = []
    for place in places:
        neighbour = padded[:, :-2] if place < 0 else padded[:, 2:]
        columns.append(values + abs(place) * (neighbour - values))
    return np.asarray(np.stack(columns, axis=2).reshape(len(values), -1), np.float32)


def undrawn(faces: Path, size: tuple[int, int], count: int) -> Iterator[np.ndarray]:
    """For each of ``count`` frames, where nothing was drawn: bool, shape (H, W).

    Args:
        faces: the table of faces of the run, whose first frame is number 0.
        size: width and height of the pictures.
        count: number of frames.
    """
    rows: dict[int, list[dict[str, str]]] = {}
    with faces.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            rows.setdefault(int(row["frame"]), []).append(row)
    for number in range(count):
        yield _free(_result(number, rows.get(number, [])), size)


def _result(number: int, rows: Sequence[dict[str, str]]) -> FrameResult:
    def column(*names: str) -> np.ndarray:
        values = [[float(row[name]) for name in names] for row in rows]
        return np.array(values, np.float32).reshape(-1, len(names))

    boxes = column("x_px", "y_px", "width_px", "height_px")
    boxes[:, 2:] += boxes[:, :2]
    n = len(rows)
    found = Faces(boxes, np.ones(n, np.float32), np.zeros((n, 5, 2), np.float32))
    ids = np.array([int(row["track_id"]) for row in rows], np.int64).reshape(-1)
    labels = tuple(row["label"] for row in rows)
    probabilities = column("confidence", "confidence")
    return FrameResult(
        number,
        0.0,
        Tracks(ids, found),
        Predictions(("female", "male"), probabilities),
        labels,
        np.ones(n, np.float32),
    )


def _free(result: FrameResult, size: tuple[int, int]) -> np.ndarray:
    """Where neither a black nor a white picture is changed by drawing, a few pixels away from it."""
    drawn = np.zeros(size[::-1], np.uint8)
    for level in (0, 255):
        picture = np.full((*size[::-1], 3), level, np.uint8)
        Overlay(track_ids=True).draw(picture, result)
        drawn |= (picture != level).any(axis=2)
    # A column that was rounded in the table, and colours that are stored for 2x2 pixels.
    wide = cv2.dilate(np.pad(drawn, 8), np.ones((9, 9), np.uint8))[8:-8, 8:-8]
    return np.asarray(wide == 0)


def colour_difference(pairs: Iterator[tuple[U8, U8, np.ndarray]]) -> float:
    """The largest difference between two pictures, in levels, of the mean of 8x8 undrawn pixels.

    Blocks with an edge between two colours in them are left out: 4:2:0 stores colours for 2x2 pixels, and
    which pixel beside an edge gets how much of them is up to the player.
    """
    differences = [np.zeros(1)]
    for expected, got, free in pairs:
        height, width = (side // _BLOCK_PX * _BLOCK_PX for side in free.shape)
        if not height or not width:
            difference = np.abs(expected.astype(float).mean((0, 1)) - got.astype(float).mean((0, 1)))
            differences.append(difference if free.all() else np.zeros(1))
            continue
        blocks = [_blocks(image[:height, :width].astype(np.float64)) for image in (expected, got)]
        whole = _blocks(free[:height, :width, None].astype(np.float64))[..., 0] == 1
        even = whole & _even(expected[:height, :width])
        differences.append(np.abs(blocks[0] - blocks[1])[even].reshape(-1))
    return float(np.concatenate(differences).max())


def _even(image: U8) -> np.ndarray:
    """Which blocks of 8x8 pixels, with their neighbours within 2 pixels, have colours close to each other."""
    wide = image.astype(np.float32)
    tint = np.stack([wide[..., 0] - wide[..., 1], wide[..., 2] - wide[..., 1]], axis=2)
    near = np.ones((5, 5), np.uint8)
    spread = (cv2.dilate(tint, near) - cv2.erode(tint, near)).max(axis=2)
    rows, columns = image.shape[0] // _BLOCK_PX, image.shape[1] // _BLOCK_PX
    return np.asarray(spread.reshape(rows, _BLOCK_PX, columns, _BLOCK_PX).max(axis=(1, 3)) < _EDGE_LEVELS)


def _blocks(image: np.ndarray) -> np.ndarray:
    rows, columns = image.shape[0] // _BLOCK_PX, image.shape[1] // _BLOCK_PX
    return np.asarray(image.reshape(rows, _BLOCK_PX, columns, _BLOCK_PX, -1).mean(axis=(1, 3)))


@dataclass(frozen=True, slots=True)
class Right:
    """What a copy has to be like.

    Attributes:
        times_s: of its frames, counted from the first: when that is shown, a player of the source says.
        sounds_s: seconds of each sound track; None is those of the source.
        turn: lays a stored picture as it is to be seen.
        matrix: of a source that does not say its own.
        colours: whether they are compared.
        note: a word that a line for the user has to hold, or empty.
    """

    times_s: tuple[Fraction, ...]
    sounds_s: tuple[float, ...] | None = None
    turn: Callable[[U8], U8] = lambda image: image
    matrix: Matrix | None = None
    colours: bool = True
    note: str = ""


def faults(right: Right, source: Path, copy: Path, faces: Path) -> tuple[list[str], Facts, float]:
    """What is wrong with a copy; what it is like; and how far its colours are off."""
    found, before, wrong = facts(copy), facts(source), []
    # AVI stores in which order frames are decoded, not when they are shown: the first is at 0.
    first_s = Fraction(0) if source.suffix == ".avi" else before.times_s[0] - _origin(source)
    times_s = [first_s + time_s - right.times_s[0] for time_s in right.times_s]
    if len(found.times_s) != len(times_s):
        wrong.append(f"{len(found.times_s)} frames instead of {len(times_s)}")
    off = [abs(a - b) for a, b in zip(found.times_s, times_s, strict=False)]
    if off and max(off) >= Fraction(1, 1000):
        wrong.append(f"a time is off by {1000 * float(max(off)):.1f} ms")
    # A track lasts from its first frame to the end of the last, whose own length not every container says.
    step_s = max((b - a for a, b in itertools.pairwise(times_s)), default=Fraction(1))
    if not times_s[-1] - times_s[0] < found.duration_s <= times_s[-1] + 2 * step_s:
        wrong.append(f"lasts {found.duration_s:.3f} s")
    sounds_s = before.sounds_s if right.sounds_s is None else right.sounds_s
    longest = itertools.zip_longest(found.sounds_s, sounds_s, fillvalue=-1.0)
    if any(abs(a - b) > SOUND_S for a, b in longest):
        wrong.append(f"sound of {found.sounds_s} s instead of {sounds_s}")
    if not found.plain:
        wrong.append("is still to be turned or stretched")
    pairs = _pairs(right, source, copy, faces)
    difference = colour_difference(pairs) if right.colours else 0.0
    if difference > COLOUR_LEVELS:
        wrong.append(f"colours are off by {difference:.1f}")
    return wrong, found, difference


def _origin(source: Path) -> Fraction:
    """The time of the source that is 0 in the copy: a broadcast begins anywhere, a short delay is kept."""
    with av.open(source) as container:
        start_s = Fraction(container.start_time or 0, av.time_base)
        before_zero = (container.streams.video[0].start_time or 0) < 0
    return start_s if start_s > Fraction(1, 2) or before_zero else Fraction(0)


def _pairs(right: Right, source: Path, copy: Path, faces: Path) -> Iterator[tuple[U8, U8, np.ndarray]]:
    """Pictures of source and copy, upright and of one size, and where nothing was drawn."""
    free = None
    for given, drawn in zip(decoded(source), decoded(copy), strict=False):
        expected, got = right.turn(to_bgr(given, right.matrix)), to_bgr(drawn)
        height, width = expected.shape[:2]
        if free is None:
            free = undrawn(faces, (width, height), len(right.times_s))
        yield expected, got[:height, :width], next(free)
