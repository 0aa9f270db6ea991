"""What is taken for a shot cut: portraits before a wall that are cut, moved, panned over and lit by a flash.

python -m benchmarks.shots
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator

import av
import click
import cv2
import numpy as np
from scenedetect import ContentDetector, FrameTimecode

from benchmarks.machine import describe
from gclf_live.faces.shots import PREVIEW_PX, ShotCuts
from gclf_live.media._upright import Uprighter
from gclf_live.media.decoded import DecodedFrame
from gclf_live.records import F32, U8
from samples.clip_cast import Portrait, load_cast, outline

_WIDTH_PX, _HEIGHT_PX, _FPS = 1280, 720, 25.0
_BEFORE = 15
_SMALL_PX = (256, 144)
"""About what PySceneDetect itself shrinks a picture of this size to."""


def wall(kind: int) -> F32:
    """A smooth studio wall: float32, shape (720, 1280, 3), BGR."""
    y, x = np.mgrid[0:_HEIGHT_PX, 0:_WIDTH_PX]
    waves = [np.sin(x / 300 + 1 + kind), np.cos(y / 200 + 2 * kind), np.sin((x + y) / 250 - kind)]
    return np.stack([110 + 50 * wave for wave in waves], axis=2).astype(np.float32)


def draw(portrait: Portrait, cover: F32, *, height_px: int = 240, x_px: int = 640, kind: int = 0) -> U8:
    """A person whose face is so high and stands there: uint8, shape (720, 1280, 3), BGR."""
    scale = height_px / float(portrait.box[3] - portrait.box[1])
    centre = (portrait.box[:2] + portrait.box[2:]) / 2 * scale
    matrix = np.array([[scale, 0, x_px - centre[0]], [0, scale, 300 - centre[1]]], np.float64)
    size = (_WIDTH_PX, _HEIGHT_PX)
    person = cv2.warpAffine(portrait.image, matrix, size).astype(np.float32)
    share = cv2.warpAffine(cover, matrix, size)[..., None]
    return np.asarray(wall(kind) * (1 - share) + person * share, np.uint8)


def films(a: tuple[Portrait, F32], b: tuple[Portrait, F32]) -> Iterator[tuple[str, list[U8]]]:
    """What may happen after ``_BEFORE`` frames of person ``a``, each with its frames from there on."""
    plain, close = draw(*a), draw(*a, height_px=600)
    yield "cut, same wall, face 240 px", [plain, *[draw(*b)] * 5]
    yield "cut, same wall, face 600 px", [close, *[draw(*b, height_px=600)] * 5]
    yield "cut, another wall", [plain, *[draw(*b, kind=2)] * 5]
    yield "face jumps by 100 px", [plain, *[draw(*a, x_px=740)] * 5]
    yield "pan of 150 px a frame", [np.roll(close, 150 * i, axis=1) for i in range(6)]
    bright = np.asarray(np.clip(plain * 3.0 + 40, 0, 255), np.uint8)
    yield "flash, three times the light", [plain, bright, *[plain] * 4]


def reports(film: list[U8], noise: F32) -> tuple[bool, bool]:
    """Whether ``ShotCuts``, and PySceneDetect's content score alone, report a cut."""
    ours, content = ShotCuts(), ContentDetector(min_scene_len=0)
    found = [False, False]
    for i, picture in enumerate([film[0]] * (_BEFORE - 1) + film):
        frame = np.clip(picture + noise[i % len(noise)], 0, 255).astype(np.uint8)
        small = np.asarray(cv2.resize(frame, _SMALL_PX, interpolation=cv2.INTER_AREA), np.uint8)
        found[0] |= ours.is_cut(_preview(frame), i / _FPS)
        found[1] |= bool(content.process_frame(FrameTimecode(i / _FPS, _FPS), small))
    return found[0], found[1]


def _preview(picture: U8) -> U8:
    """What the first pass over a video shows ``ShotCuts`` of a picture, uint8 (H, W, 3), BGR."""
    stored = av.VideoFrame.from_ndarray(picture, format="bgr24").reformat(format="yuv420p")
    return DecodedFrame(stored, Uprighter(), None, pts_s=0.0, index=0).preview(*PREVIEW_PX)


@click.command()
def main() -> None:
    """Print how often each change is taken for a cut, over all pairs of different people."""
    people = [(portrait, outline(portrait)) for portrait in load_cast().values()]
    pairs = [(a, b) for a, b in itertools.permutations(people, 2) if a[0].person != b[0].person]
    noise = np.random.default_rng(0).normal(0, 2, (4, _HEIGHT_PX, _WIDTH_PX, 1)).astype(np.float32)
    ours: Counter[str] = Counter()
    content: Counter[str] = Counter()
    for a, b in pairs:
        for name, film in films(a, b):
            by_ours, by_content = reports(film, noise)
            ours[name] += by_ours
            content[name] += by_content
    click.echo(describe())
    click.echo(f"{f'reported as a cut, of {len(pairs)}':<32} ShotCuts   content score above 27")
    for name in ours:
        click.echo(f"{name:<32} {ours[name]:>8} {content[name]:>24}")


if __name__ == "__main__":
    main()
