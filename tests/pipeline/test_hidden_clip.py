"""The sample clip with ``--privacy``: by its true table, no face is left in any frame."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
import pytest
from face_makers import ColourClassifier

from gclf_live.media.reader import VideoReader
from gclf_live.output.overlay import Overlay
from gclf_live.pipeline.drawing import draw_video
from gclf_live.pipeline.first_pass import analyse_video
from gclf_live.records import I420, U8, FrameResult
from samples.clip_truth import TruthRow, read_truth

SAMPLES = Path(__file__).parent.parent.parent / "samples"


class NothingDrawn(Overlay):
    """Leaves frames as they are: what is hidden is looked at, not the boxes on top of it."""

    def draw(self, picture: U8 | I420, result: FrameResult, *, status: str | None = None) -> None:
        return


class Details:
    """A sink that measures how much detail there is in each true face of each frame."""

    def __init__(self, truth: dict[int, list[TruthRow]]) -> None:
        self.found: dict[tuple[int, int], float] = {}
        self._truth = truth
        self._frames = 0

    def write(self, picture: U8 | I420, pts_s: float) -> None:
        assert isinstance(picture, I420)
        luma = picture.planes()[0].astype(np.float32)
        for row in self._truth[self._frames]:
            x1, y1 = max(0, round(row.x_px)), max(0, round(row.y_px))
            face = luma[y1 : round(row.y_px + row.height_px), x1 : round(row.x_px + row.width_px)]
            fine = face - cv2.GaussianBlur(face, (0, 0), row.height_px / 15)
            self.found[self._frames, row.track] = float(np.abs(fine).mean())
        self._frames += 1


@pytest.mark.slow
def test_every_face_of_the_clip_is_hidden_in_every_frame() -> None:
    truth: dict[int, list[TruthRow]] = defaultdict(list)
    for row in read_truth(SAMPLES / "clip_truth.csv"):
        on_screen = row.x_px > -row.width_px / 2 and row.x_px + row.width_px / 2 < 1280
        if row.visible >= 0.5 and row.height_px >= 16 and on_screen:
            truth[row.frame].append(row)
    before, after = Details(truth), Details(truth)
    with VideoReader(SAMPLES / "clip.mp4") as reader:
        analysis = analyse_video(reader, ColourClassifier())  # type: ignore[arg-type]
        draw_video(reader, analysis, before, NothingDrawn())
        draw_video(reader, analysis, after, NothingDrawn(), privacy=True)
    assert len(before.found) > 1000
    left = {where: after.found[where] / detail for where, detail in before.found.items()}
    assert {where: round(share, 2) for where, share in left.items() if share > 0.3} == {}
