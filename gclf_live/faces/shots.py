"""Shot cuts, found as the frames arrive: a face track must not go on across one.

PySceneDetect's content score says how much two neighbouring frames differ in hue, saturation and
brightness. That alone takes a flash for a cut and misses one between two portraits before the same
backdrop, so a cut must also stand out from the motion just before it and change the picture's
structure. ``benchmarks/shots.py`` counts what either way takes for a cut.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from scenedetect import ContentDetector, FrameTimecode, StatsManager

from gclf_live.records import F32, U8

_SEEN_PX = (128, 72)
PREVIEW_PX = (256, 144)
"""Width and height that are enough for ``ShotCuts.is_cut``."""
_RECENT_S = 0.5
"""Time constant of the mean score that a cut must stand out from."""
_BLANK = 0.004
"""Mean gradient of the logarithm of brightness below which a frame shows nothing (white flash, black)."""
# 16 levels more keep the noise of dark pixels from counting as structure.
_LOG = np.log(np.arange(256, dtype=np.float32) + 16)
# The detector uses its clock only for a minimum scene length in frames, which is off: ours is in seconds.
_NO_TIME = FrameTimecode(0, 25.0)


class ShotCuts:
    """Tells for each frame of a video whether a new shot begins with it. Looks at past frames only.

    Dissolves are not cuts: no single frame of one begins a shot.
    """

    def __init__(
        self,
        *,
        min_shot_s: float = 0.2,
        min_score: float = 3.0,
        min_ratio: float = 4.0,
        max_structure: float = 0.62,
    ) -> None:
        """Start before the first frame.

        Args:
            min_shot_s: cuts are at least this far apart; an earlier one is reported when the time is over.
            min_score: PySceneDetect's content score (0 to 255) that a cut must reach.
            min_ratio: how many times the recent mean score that must be.
            max_structure: correlation of the colour gradients, shift allowed, that a cut must stay below.

        Raises:
            ValueError: an option is out of range.
        """
        if min_shot_s < 0 or min_score < 0 or min_ratio < 0 or not -1 <= max_structure <= 1:
            raise ValueError(
                f"min_shot_s={min_shot_s}, min_score={min_score}, min_ratio={min_ratio}, "
                f"max_structure={max_structure}; allowed are 0 or more, and -1 to 1 for max_structure"
            )
        self._min_shot_s = min_shot_s
        self._min_score = min_score
        self._min_ratio = min_ratio
        self._max_structure = max_structure
        self._detector = _WithoutEdges(min_scene_len=0)
        self._structure: F32 | None = None
        self._recent_score = 0.0
        self._before_s = 0.0
        self._last_cut_s = -math.inf
        self._after_blank = False
        self._overdue = False

    def is_cut(self, image: U8, pts_s: float) -> bool:
        """Look at the next frame.

        Args:
            image: uint8, shape (H, W, 3), BGR; any size, which may change.
            pts_s: its time.

        Returns:
            True on the first frame of a new shot, never on the first frame of all. After a blank frame
            (a white flash, black between two shots) the next one that shows something decides.
        """
        small = _shrink(image)
        if self._is_new_shot(small, pts_s):
            self._overdue = True
        if not self._overdue or pts_s - self._last_cut_s < self._min_shot_s - 1e-9:
            return False
        self._overdue = False
        self._last_cut_s = pts_s
        return True

    def _is_new_shot(self, small: U8, pts_s: float) -> bool:
        """Compare with the last frame that showed something, and remember this one if it does."""
        structure = _structure(small)
        if float(np.abs(structure).mean()) < _BLANK:
            self._after_blank = self._structure is not None
            return False
        before, self._structure = self._structure, structure
        score = self._content_score(small)
        if before is None:
            self._before_s = pts_s
            return False
        stands_out = score >= max(self._min_score, self._min_ratio * self._recent_score)
        new = (stands_out or self._after_blank) and _agreement(before, structure) < self._max_structure
        self._after_blank = False
        if not new:
            self._remember_score(score, pts_s)
        self._before_s = pts_s
        return new

    def _content_score(self, small: U8) -> float:
        """PySceneDetect's score against the last frame given to it, 0 for the first."""
        # A new manager each time: one keeps every frame's figures for as long as it lives.
        stats = StatsManager()
        self._detector.stats_manager = stats
        self._detector.process_frame(_NO_TIME, small)
        if not stats.metrics_exist(_NO_TIME, [ContentDetector.FRAME_SCORE_KEY]):
            return 0.0
        return float(stats.get_metrics(_NO_TIME, [ContentDetector.FRAME_SCORE_KEY])[0])

    def _remember_score(self, score: float, pts_s: float) -> None:
        """Let the mean score follow, the faster the more time has passed."""
        share = 1 - math.exp(-max(pts_s - self._before_s, 0.0) / _RECENT_S)
        self._recent_score += share * (score - self._recent_score)


class _WithoutEdges(ContentDetector):  # type: ignore[misc]  # PySceneDetect has no types
    """Gives the same score without finding edges, which weigh nothing in it."""

    def _detect_edges(self, lum: U8) -> U8:
        return np.zeros_like(lum)


def _shrink(image: U8) -> U8:
    """The picture at 128x72: uint8 (72, 128, 3). Two steps cost 0.2 ms at 720p, area averaging alone 1.1."""
    if image.shape[1] > 3 * _SEEN_PX[0]:
        image = np.asarray(cv2.resize(image, PREVIEW_PX), np.uint8)
    return np.asarray(cv2.resize(image, _SEEN_PX, interpolation=cv2.INTER_AREA), np.uint8)


def _structure(small: U8) -> F32:
    """Gradients of each colour's logarithm, which a change of light leaves alone: float32 (72, 128, 6)."""
    light = cv2.GaussianBlur(cv2.LUT(small, _LOG), (0, 0), 1.0)
    gradients = [cv2.Sobel(light, cv2.CV_32F, dx, 1 - dx, scale=0.25) for dx in (1, 0)]
    return np.asarray(np.concatenate(gradients, axis=2), np.float32)


def _agreement(a: F32, b: F32) -> float:
    """Correlation of two structures, as they lie or shifted as phase correlation says they are: -1 to 1."""
    in_place = _correlation(a, b)
    strengths = [np.asarray(np.linalg.norm(x, axis=2), np.float32) for x in (a, b)]
    window = cv2.createHanningWindow(_SEEN_PX, cv2.CV_32F)
    (right, down), _ = cv2.phaseCorrelate(strengths[0], strengths[1], window)
    x, y = round(right), round(down)
    if abs(x) > _SEEN_PX[0] // 3 or abs(y) > _SEEN_PX[1] // 3:
        return in_place
    moved = _correlation(
        a[max(0, -y) : a.shape[0] - max(0, y), max(0, -x) : a.shape[1] - max(0, x)],
        b[max(0, y) : b.shape[0] - max(0, -y), max(0, x) : b.shape[1] - max(0, -x)],
    )
    return max(in_place, moved)


def _correlation(a: F32, b: F32) -> float:
    """Normalised inner product."""
    norm = math.sqrt(float(np.vdot(a, a)) * float(np.vdot(b, b)))
    return float(np.vdot(a, b)) / norm if norm > 0 else 0.0
