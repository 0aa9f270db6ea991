"""Draws the frames of the sample clip: people cut from their portraits before a slowly moving backdrop."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from gclf_live.records import F32, U8

from .clip_cast import Portrait
from .clip_scene import CUT_FRAME, FPS, HEIGHT_PX, WIDTH_PX, Actor, placement, scene_of

_PAN_PX = 160
_WALL = (HEIGHT_PX, WIDTH_PX + _PAN_PX)
# Top and bottom colour (BGR) and colour of the lights of each scene's backdrop.
_PALETTES = (
    ((92, 62, 34), (150, 128, 84), (214, 190, 150)),
    ((52, 58, 96), (98, 122, 176), (150, 196, 236)),
)


@dataclass(frozen=True, slots=True)
class _Sprite:
    """A person at halved sizes, largest first: float32 (H, W, 4), BGR times outline, and outline."""

    levels: tuple[F32, ...]
    box: F32


class Stage:
    """Everything that is needed to draw any frame."""

    def __init__(self, cast: Mapping[str, Portrait], outlines: Mapping[str, F32]) -> None:
        """Prepare people and backdrops; ``outlines`` are float32 (H, W) in [0, 1], by portrait name."""
        self._sprites = {name: _sprite(portrait, outlines[name]) for name, portrait in cast.items()}
        self._backdrops = tuple(_backdrop(i) for i in range(len(_PALETTES)))

    def draw(self, frame: int) -> U8:
        """The picture of ``frame``: uint8, shape (720, 1280, 3), BGR."""
        picture = self._backdrop(frame)
        for actor in scene_of(frame).actors:
            self._paste(picture, actor, frame)
        _draw_second(picture, frame)
        return np.asarray(np.clip(picture + 0.5, 0, 255), np.uint8)

    def _backdrop(self, frame: int) -> F32:
        """The part of the scene's backdrop that the slow pan shows."""
        scene = scene_of(frame)
        done = (frame - scene.first) / (scene.last - scene.first)
        shift = np.array([[1, 0, -_PAN_PX * done], [0, 1, 0]], np.float64)
        return np.asarray(
            cv2.warpAffine(self._backdrops[frame >= CUT_FRAME], shift, (WIDTH_PX, HEIGHT_PX)), np.float32
        )

    def _paste(self, picture: F32, actor: Actor, frame: int) -> None:
        """Lay one person over ``picture``, in place."""
        sprite = self._sprites[actor.portrait]
        matrix = placement(actor.pose(frame), sprite.box).astype(np.float64)
        x1, y1, x2, y2 = _region(matrix, sprite.levels[0].shape[1], sprite.levels[0].shape[0])
        if x1 >= x2 or y1 >= y2:
            return
        level = _level(matrix, len(sprite.levels))
        matrix[:, :2] *= 2**level
        matrix[:, 2] -= (x1, y1)
        # warpAffine counts from pixel centres, placement from pixel corners.
        matrix[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5
        person = cv2.warpAffine(sprite.levels[level], matrix, (x2 - x1, y2 - y1), flags=cv2.INTER_LINEAR)
        part = picture[y1:y2, x1:x2]
        part *= 1 - person[..., 3:]
        part += person[..., :3]


def _level(matrix: npt.NDArray[np.float64], levels: int) -> int:
    """The halving whose pixels come nearest to, and are not larger than, those of the frame."""
    scale = math.hypot(matrix[0, 0], matrix[1, 0])
    return min(levels - 1, max(0, math.floor(-math.log2(scale))))


def _region(matrix: npt.NDArray[np.float64], width: int, height: int) -> tuple[int, int, int, int]:
    """The part of the frame that a portrait of ``width`` x ``height`` can touch: x1, y1, x2, y2."""
    corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]]) @ matrix.T
    low = np.clip(np.floor(corners.min(axis=0)), 0, (WIDTH_PX, HEIGHT_PX)).astype(int)
    high = np.clip(np.ceil(corners.max(axis=0)), 0, (WIDTH_PX, HEIGHT_PX)).astype(int)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _sprite(portrait: Portrait, outline: F32) -> _Sprite:
    """Multiply the outline in, so that averaging at the edge brings no backdrop colour along, and halve."""
    picture = np.dstack([portrait.image.astype(np.float32) * outline[..., None], outline])
    # Even at every halving, so that a level's pixels are exactly twice as large as those of the one before.
    below, right = -picture.shape[0] % 8, -picture.shape[1] % 8
    levels = [np.pad(picture, ((0, below), (0, right), (0, 0)))]
    for _ in range(3):
        size = (levels[-1].shape[1] // 2, levels[-1].shape[0] // 2)
        levels.append(np.asarray(cv2.resize(levels[-1], size, interpolation=cv2.INTER_AREA), np.float32))
    return _Sprite(tuple(levels), portrait.box)


def _backdrop(scene: int) -> F32:
    """A wall out of focus: a vertical gradient, blurred lights and a little grain. float32, BGR."""
    top, bottom, light = (np.array(colour, np.float32) for colour in _PALETTES[scene])
    rng = np.random.default_rng(scene)
    lights = _lights(rng)[..., None]
    # Coarse grain: fine enough to be texture, coarse enough to survive compression.
    grain = cv2.GaussianBlur(rng.normal(0, 12, _WALL).astype(np.float32), (0, 0), 2)[..., None]
    down = np.linspace(0, 1, _WALL[0], dtype=np.float32)[:, None, None]
    wall = top * (1 - down) + bottom * down
    return np.asarray(wall * (1 - lights) + light * lights + grain, np.float32)


def _lights(rng: np.random.Generator, count: int = 26) -> F32:
    """Overlapping discs of several sizes in the upper part: float32, brightness in [0, 0.75]."""
    lights = np.zeros(_WALL, np.float32)
    for _ in range(count):
        centre = (round(rng.uniform(0, _WALL[1])), round(rng.uniform(0, 420)))
        disc = np.zeros(_WALL, np.float32)
        cv2.circle(disc, centre, round(rng.uniform(18, 80)), rng.uniform(0.08, 0.3), -1, cv2.LINE_AA)
        lights += disc
    return np.asarray(np.clip(cv2.GaussianBlur(lights, (0, 0), 5), 0, 0.75), np.float32)


def _draw_second(picture: F32, frame: int) -> None:
    """A dot that lights up on each full second, when the sound ticks, and fades within a third of one."""
    glow = max(0.0, 1 - (frame % FPS) / (FPS / 3))
    shade = 60 + 195 * glow
    cv2.circle(picture, (WIDTH_PX - 36, HEIGHT_PX - 36), 12, (shade, shade, shade), -1, cv2.LINE_AA)
