"""The module that keeps boxes steady, run by the browser: faces that rest, move, jump and leave."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from browsing import Visit
from playwright.sync_api import Page

FRAME_S = 1 / 30
_RUN = """async ([frames, laterS]) => {
  const { SteadyFaces } = await import("/static/steady.js");
  const steady = new SteadyFaces();
  return frames.map(([capturedS, faces]) => {
    steady.update(faces, capturedS);
    return steady.at(capturedS + laterS);
  });
}"""

Frame = tuple[float, list[dict[str, object]]]


@pytest.fixture
def page(visit: Visit) -> Page:
    return visit()


def frame(number: int, **changes: object) -> Frame:
    face = {"track_id": 1, "x_px": 100.0, "y_px": 80.0, "width_px": 60.0, "height_px": 80.0}
    return number * FRAME_S, [face | {"label": "female", "confidence": 0.9} | changes]


def shown(page: Page, frames: Sequence[Frame], *, later_s: float = 0.05) -> list[dict[str, float]]:
    """The one face as it is drawn ``later_s`` after each frame was captured."""
    return [faces[0] for faces in page.evaluate(_RUN, [frames, later_s])]


def test_a_face_that_rests_has_a_box_that_trembles_half_as_much(page: Page) -> None:
    noise = np.random.default_rng(1).normal(0, 2, 300)
    drawn = shown(page, [frame(i, x_px=100 + float(value)) for i, value in enumerate(noise)])
    steps = np.diff([face["x_px"] for face in drawn][30:])
    assert steps.std() < 0.5 * np.diff(noise[30:]).std()
    assert abs(np.mean([face["x_px"] for face in drawn]) - 100) < 1


@pytest.mark.parametrize("later_s", [0.02, 0.1])
def test_a_face_that_moves_has_its_box_where_it_is_by_now(page: Page, later_s: float) -> None:
    speed = 200.0
    frames = [frame(i, x_px=100 + speed * i * FRAME_S) for i in range(90)]
    drawn = shown(page, frames, later_s=later_s)
    now = [100 + speed * (i * FRAME_S + later_s) for i in range(90)]
    assert max(abs(face["x_px"] - truth) for face, truth in list(zip(drawn, now, strict=True))[30:]) < 6


def test_a_box_that_is_elsewhere_at_once_is_not_carried_on(page: Page) -> None:
    frames = [frame(i) for i in range(30)] + [frame(i, x_px=500.0) for i in range(30, 60)]
    drawn = shown(page, frames, later_s=0.2)
    assert [round(face["x_px"]) for face in drawn[30:]] == [500] * 30


def test_a_face_that_leaves_the_picture_keeps_a_size(page: Page) -> None:
    frames = [frame(i, width_px=max(60.0 - 6 * i, 1.0)) for i in range(12)]
    assert min(face["width_px"] for face in shown(page, frames, later_s=0.5)) > 0


def test_the_confidence_changes_every_half_second_at_most_and_with_the_label_at_once(page: Page) -> None:
    frames = [frame(i, confidence=0.8 + i / 1000) for i in range(90)]
    frames += [frame(i, label="male", confidence=0.99) for i in range(90, 93)]
    drawn = [face["confidence"] for face in shown(page, frames)]
    changes = [i for i, (before, after) in enumerate(pairwise(drawn), 1) if before != after]
    assert changes[-1] == 90
    assert drawn[90] == 0.99
    assert min(np.diff(changes[:-1])) >= 15


def test_a_track_that_ends_is_gone(page: Page) -> None:
    assert page.evaluate(_RUN, [[frame(0), (FRAME_S, [])], 0.0])[-1] == []
