"""What happens in the sample clip: who is where in which frame, and the truth that follows from it.

Places are those of the face box: its centre and its height in pixels of the clip. The cut puts, at each
place, a person of the other label, so that whatever a tracker carries over it shows as a wrong label.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.interpolate import PchipInterpolator

from gclf_live.records import F32

WIDTH_PX, HEIGHT_PX = 1280, 720
FPS = 30
FRAMES = 300
CUT_FRAME = 150
"""The first frame of the second scene."""


@dataclass(frozen=True, slots=True)
class Pose:
    """Where a face is in one frame.

    Attributes:
        x_px: centre of the face box, in pixels from the left edge of the frame.
        y_px: centre of the face box, in pixels from the upper edge.
        height_px: height of the face box.
        angle_deg: turn about the centre, clockwise as seen.
    """

    x_px: float
    y_px: float
    height_px: float
    angle_deg: float


@dataclass(frozen=True, slots=True)
class Actor:
    """A portrait on its way through one scene.

    Attributes:
        portrait: name of the portrait.
        keys: (frame, x, y, face height), in order of the frame; what lies between is smooth.
        sway_deg: how far the head tilts to either side.
        sway_s: seconds for one sway.
    """

    portrait: str
    keys: tuple[tuple[float, float, float, float], ...]
    sway_deg: float
    sway_s: float

    def pose(self, frame: int) -> Pose:
        """The pose in ``frame``, counted from the start of the clip."""
        at = _path(self.keys)(float(frame))
        angle = self.sway_deg * math.sin(2 * math.pi * frame / (FPS * self.sway_s))
        return Pose(float(at[0]), float(at[1]), math.exp(float(at[2])), angle)


@lru_cache
def _path(keys: tuple[tuple[float, float, float, float], ...]) -> Callable[[float], npt.NDArray[np.float64]]:
    """x, y and the logarithm of the height as a smooth function of the frame."""
    frames, x, y, height = np.array(keys, np.float64).T
    # PCHIP never overshoots its keys, and heights in the log zoom at a steady rate.
    path: Callable[[float], npt.NDArray[np.float64]] = PchipInterpolator(
        frames, np.stack([x, y, np.log(height)], axis=1)
    )
    return path


@dataclass(frozen=True, slots=True)
class Scene:
    """Frames ``first`` to ``last`` (inclusive) and who is in them, from the back to the front."""

    first: int
    last: int
    actors: tuple[Actor, ...]


SCENES = (
    Scene(
        0,
        CUT_FRAME - 1,
        (
            # Walks up to the camera: 40 to 220 px.
            Actor("obama", ((0, 690, 140, 40), (75, 735, 205, 94), (149, 790, 300, 220)), 3, 4.0),
            Actor("collins", ((0, 215, 300, 112), (75, 250, 288, 118), (149, 225, 310, 122)), 4, 3.1),
            # Passes behind Hopper, leaves at the right for more than a second, comes back.
            Actor(
                "biden",
                (
                    (0, 440, 430, 150),
                    (40, 760, 425, 150),
                    (80, 1540, 430, 155),
                    (110, 1540, 420, 140),
                    (149, 1090, 395, 140),
                ),
                2,
                2.7,
            ),
            Actor("hopper", ((0, 1040, 460, 165), (70, 620, 465, 165), (149, 515, 440, 155)), 3, 3.7),
        ),
    ),
    Scene(
        CUT_FRAME,
        FRAMES - 1,
        (
            # Steps back from the camera: 210 to 70 px.
            Actor("hopper", ((150, 790, 300, 210), (225, 790, 215, 120), (299, 830, 165, 70)), 3, 3.3),
            # Half out of the picture at the right edge, and in again.
            Actor(
                "collins",
                ((150, 1090, 395, 140), (210, 1272, 400, 150), (240, 1272, 400, 150), (299, 1080, 390, 145)),
                3,
                2.9,
            ),
            # Biden passes in front of Obama.
            Actor(
                "obama_speaking",
                ((150, 515, 440, 155), (185, 480, 430, 150), (255, 215, 400, 150), (299, 205, 395, 150)),
                2,
                3.5,
            ),
            Actor(
                "biden",
                ((150, 225, 310, 122), (185, 270, 380, 150), (255, 590, 430, 170), (299, 620, 430, 170)),
                3,
                4.3,
            ),
        ),
    ),
)


def scene_of(frame: int) -> Scene:
    """The scene that ``frame`` belongs to; ValueError outside the clip."""
    for scene in SCENES:
        if scene.first <= frame <= scene.last:
            return scene
    raise ValueError(f"frame {frame} is not in the clip, which has frames 0 to {FRAMES - 1}")


def face_box(pose: Pose, portrait_box: F32) -> F32:
    """The whole face box in the frame, also beyond its edges: float32, shape (4,).

    The detector's boxes stay upright, so the box keeps its proportions while the head tilts.
    """
    width, height = portrait_box[2:] - portrait_box[:2]
    half = np.array([pose.height_px * width / height, pose.height_px]) / 2
    centre = np.array([pose.x_px, pose.y_px])
    return np.concatenate([centre - half, centre + half]).astype(np.float32)


def placement(pose: Pose, portrait_box: F32) -> F32:
    """The matrix from portrait to frame, both measured in pixels from the outer corner: float32, (2, 3)."""
    scale = pose.height_px / float(portrait_box[3] - portrait_box[1])
    turn = math.radians(pose.angle_deg)
    a, b = scale * math.cos(turn), scale * math.sin(turn)
    matrix = np.array([[a, -b, 0], [b, a, 0]], np.float64)
    middle = (portrait_box[:2] + portrait_box[2:]).astype(np.float64) / 2
    matrix[:, 2] = np.array([pose.x_px, pose.y_px]) - matrix[:, :2] @ middle
    return matrix.astype(np.float32)
