"""Clips with any number of moving faces, whose truth is known: ``python -m benchmarks.crowd OUT.mp4``.

The people are those of the sample portraits, again and again. Each stays in a part of the picture of its
own, so that nobody covers a face. A clip ends where it began, so it can be played over and over.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import click
import cv2
import numpy as np

from gclf_live.records import F32, I64, U8
from samples.clip_cast import Portrait, load_cast, outline
from samples.clip_scene import FPS
from samples.clip_sound import soundtrack
from samples.make_clip import write_clip

SIZES = {"480p": (854, 480), "720p": (1280, 720), "1080p": (1920, 1080), "4k": (3840, 2160)}
"""Width and height in pixels."""
_PERIOD_S = 3.0
_SWING = np.array([0.45, 0.2])
"""To either side, in heights of the face: at most 0.9 of them a second, about as fast as people walk by."""
_LARGEST = 0.25
"""Height of a face at most, in heights of the picture: larger ones leave no room to move."""
_HEAD, _BUST = 1.6, 2.2
"""Width and height of the room that a person needs, in heights of the face."""


@dataclass(frozen=True, slots=True)
class Crowd:
    """What a clip shows.

    Attributes:
        faces: how many are in view all the time.
        seconds: length of the clip.
        width_px, height_px: of the picture; even.
        visits_s: how long those stay who come, one after another and in turn, to one more place; each appears
            from one frame to the next and goes the same way.
        gap_s: that place is empty between two visits. Longer than a lost face is remembered, so that each
            visit is a new track.
    """

    faces: int
    seconds: float = 10.0
    width_px: int = 1280
    height_px: int = 720
    visits_s: tuple[float, ...] = ()
    gap_s: float = 1.5

    @property
    def frames(self) -> int:
        """Number of frames, at 30 a second."""
        return round(self.seconds * FPS)


@dataclass(frozen=True, slots=True)
class Stay:
    """One person from the first to the last (inclusive) frame in which they are seen.

    Attributes:
        person: number of the person, from 0; nobody comes twice.
        place: number of the part of the picture.
        first, last: frames.
    """

    person: int
    place: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Present:
    """Who is in one frame.

    Attributes:
        people: int64, shape (N,), increasing.
        boxes: float32, shape (N, 4): x1, y1, x2, y2 in pixels.
        labels: N times ``female`` or ``male``.
    """

    people: I64
    boxes: F32
    labels: tuple[str, ...]


def stays(crowd: Crowd) -> list[Stay]:
    """Everybody who is seen, those first who are there all the time, then the visitors as they come."""
    found = [Stay(person, person, 0, crowd.frames - 1) for person in range(crowd.faces)]
    begins_s, turn = crowd.gap_s, 0
    while crowd.visits_s:
        length_s = crowd.visits_s[turn % len(crowd.visits_s)]
        first, last = round(begins_s * FPS), round((begins_s + length_s) * FPS) - 1
        if last >= crowd.frames:
            break
        found.append(Stay(crowd.faces + turn, crowd.faces, first, last))
        begins_s, turn = begins_s + length_s + crowd.gap_s, turn + 1
    return found


class CrowdStage:
    """Draws the frames of a crowd and knows who is where."""

    def __init__(self, crowd: Crowd) -> None:
        """Cut the people out of their portraits at the size that fits."""
        self.crowd = crowd
        self.stays = stays(crowd)
        self._columns, self._rows, self.face_px = _grid(crowd)
        self._sprites = [_sprite(portrait, mask, self.face_px) for portrait, mask in _people()]
        self._wall = _wall(crowd.width_px + crowd.width_px // 8 // 2 * 2, crowd.height_px)

    def present(self, frame: int) -> Present:
        """The truth of ``frame``, counted from the start of the clip."""
        here = self._here(frame)
        boxes = [self._sprites[_cast(stay)].box + np.tile(self._corner(stay, frame), 2) for stay in here]
        return Present(
            np.array([stay.person for stay in here], np.int64),
            np.array(boxes, np.float32).reshape(-1, 4),
            tuple(self._sprites[_cast(stay)].label for stay in here),
        )

    def draw(self, frame: int) -> U8:
        """The picture of ``frame``: uint8, shape (height_px, width_px, 3), BGR."""
        spare = self._wall.shape[1] - self.crowd.width_px
        # To one side and back once a clip, in whole pixels.
        x = round(spare * (0.5 - 0.5 * math.cos(2 * math.pi * frame / self.crowd.frames)))
        picture = self._wall[:, x : x + self.crowd.width_px].copy()
        for stay in self._here(frame):
            _paste(picture, self._sprites[_cast(stay)], self._corner(stay, frame))
        return picture

    def _here(self, frame: int) -> list[Stay]:
        # Places are numbered row by row: those in front, lower down, are drawn last.
        return [stay for stay in self.stays if stay.first <= frame <= stay.last]

    def _corner(self, stay: Stay, frame: int) -> I64:
        """Where the upper left corner of a person's cut-out is: int64, shape (2,), x and y in pixels."""
        size = np.array([self.crowd.width_px / self._columns, self.crowd.height_px / self._rows])
        cell = np.array([stay.place % self._columns, stay.place // self._columns])
        turns = max(1, round(self.crowd.seconds / _PERIOD_S)) * frame / self.crowd.frames
        phase = 0.618 * stay.person
        swing = np.sin(2 * np.pi * np.array([turns + phase, 2 * turns + 0.7 * phase]))
        reach = np.maximum(0, size - self.face_px * np.array([_HEAD - 0.5, _BUST - 0.3])) / 2
        # A clip that is shorter than the period swings less far, not faster.
        most = self.face_px * _SWING * min(1.0, self.crowd.seconds / _PERIOD_S)
        centre = (cell + 0.5) * size + swing * np.minimum(reach, most)
        return np.asarray(np.round(centre - self._sprites[_cast(stay)].centre), np.int64)


def write_crowd(path: Path, stage: CrowdStage) -> None:
    """Encode a crowd as H.264 and AAC, 30 frames a second, as an mp4."""
    crowd = stage.crowd
    pictures = (stage.draw(i) for i in range(crowd.frames))
    size = (crowd.width_px, crowd.height_px)
    write_clip(path, pictures, soundtrack(crowd.seconds), size=size, crf=20, preset="veryfast")


@dataclass(frozen=True, slots=True)
class _Sprite:
    """A person cut out: float32 (H, W, 3), BGR times outline; float32 (H, W, 1), what shines through."""

    colours: F32
    through: F32
    box: F32
    label: str

    @property
    def centre(self) -> F32:
        """Of the face: float32, shape (2,), x and y in pixels of the cut-out."""
        return np.asarray((self.box[:2] + self.box[2:]) / 2, np.float32)


@functools.cache
def _people() -> tuple[tuple[Portrait, F32], ...]:
    return tuple((portrait, outline(portrait)) for portrait in load_cast().values())


def _cast(stay: Stay) -> int:
    return stay.person % len(_people())


def _grid(crowd: Crowd) -> tuple[int, int, float]:
    """Columns and rows that leave the most room for a face, and its height in pixels."""
    places = max(1, crowd.faces + bool(crowd.visits_s))

    def face_px(columns: int) -> float:
        rows = math.ceil(places / columns)
        return min(crowd.width_px / columns / _HEAD, crowd.height_px / rows / _BUST)

    columns = max(range(1, places + 1), key=face_px)
    return columns, math.ceil(places / columns), min(face_px(columns), _LARGEST * crowd.height_px)


def _sprite(portrait: Portrait, mask: F32, face_px: float) -> _Sprite:
    scale = face_px / float(portrait.box[3] - portrait.box[1])
    size = tuple(max(1, round(side * scale)) for side in portrait.image.shape[1::-1])
    # Multiplied before it is made smaller: else colours of the old backdrop would bleed in.
    whole = np.dstack([portrait.image.astype(np.float32) * mask[..., None], mask])
    small = np.asarray(cv2.resize(whole, size, interpolation=cv2.INTER_AREA), np.float32)
    return _Sprite(
        small[..., :3].copy(), 1 - small[..., 3:], portrait.box * np.float32(scale), portrait.label
    )


def _paste(picture: U8, sprite: _Sprite, corner: I64) -> None:
    """Lay one person over ``picture``, in place."""
    height, width = sprite.colours.shape[:2]
    left, top = corner.tolist()
    x1, y1 = max(0, left), max(0, top)
    x2, y2 = min(picture.shape[1], left + width), min(picture.shape[0], top + height)
    if x1 >= x2 or y1 >= y2:
        return
    inside = np.s_[y1 - top : y2 - top, x1 - left : x2 - left]
    part = picture[y1:y2, x1:x2]
    part[:] = part * sprite.through[inside] + sprite.colours[inside]


def _wall(width: int, height: int) -> U8:
    """A backdrop with coarse grain and a few soft lights: uint8, shape (height, width, 3), BGR."""
    rng = np.random.default_rng(0)
    down = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    wall = np.array([92, 62, 34], np.float32) * (1 - down) + np.array([150, 128, 84], np.float32) * down
    wall = (
        wall + cv2.GaussianBlur(rng.normal(0, 12, (height, width)).astype(np.float32), (0, 0), 2)[..., None]
    )
    lights = np.zeros((height, width), np.float32)
    for _ in range(26):
        centre = (round(rng.uniform(0, width)), round(rng.uniform(0, 0.6 * height)))
        cv2.circle(
            lights, centre, round(rng.uniform(0.03, 0.1) * height), rng.uniform(10, 40), -1, cv2.LINE_AA
        )
    # Discs with an edge would be taken for faces now and then.
    wall = wall + cv2.GaussianBlur(lights, (0, 0), height / 20)[..., None]
    return np.asarray(np.clip(wall, 0, 255), np.uint8)


def make_clips(folder: Path, crowds: Iterable[Crowd]) -> dict[Crowd, Path]:
    """Write the clip of each crowd into ``folder``, made if need be; a clip that is there is kept."""
    folder.mkdir(parents=True, exist_ok=True)
    clips: dict[Crowd, Path] = {}
    for crowd in crowds:
        visits = "-".join(f"{visit:g}" for visit in crowd.visits_s)
        name = f"crowd-{crowd.faces}-{crowd.height_px}p-{crowd.seconds:g}s"
        clips[crowd] = folder / f"{name}{'-visits-' if visits else ''}{visits}.mp4"
        if not clips[crowd].exists():
            write_crowd(clips[crowd], CrowdStage(crowd))
    return clips


@click.command()
@click.argument("output", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--faces", default=6, show_default=True)
@click.option("--size", type=click.Choice(list(SIZES)), default="720p", show_default=True)
@click.option("--seconds", default=10.0, show_default=True)
@click.option("--visit", "visits_s", type=float, multiple=True, help="Seconds; may be given several times.")
def main(output: Path, faces: int, size: str, seconds: float, visits_s: tuple[float, ...]) -> None:
    """Write a clip, to look at it."""
    width_px, height_px = SIZES[size]
    stage = CrowdStage(Crowd(faces, seconds, width_px, height_px, visits_s))
    write_crowd(output, stage)
    click.echo(
        f"{output}: {stage.crowd.frames} frames, {len(stage.stays)} people, faces of {stage.face_px:.0f} px"
    )


if __name__ == "__main__":
    main()
