"""Where faces are hidden: between searches, through gaps, and around a track's ends within its shot."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
from face_makers import Face, scene

from gclf_live.faces.detector import FaceDetector
from gclf_live.media.reader import VideoInfo
from gclf_live.pipeline.analysis import VideoAnalysis
from gclf_live.pipeline.hiding import HiddenFaces, hide_faces
from gclf_live.pipeline.paths import TrackPath
from gclf_live.records import Faces

INFO = VideoInfo(640, 480, Fraction(25), 10.0, 250, Fraction(1, 25), 0.0, 0, 0, "h264")


def _track(times: list[float], lefts: list[float], *, width: float = 50) -> TrackPath:
    n = len(times)
    boxes = np.array([[x, 100, x + width, 160] for x in lefts], np.float32)
    return TrackPath(
        track_id=1,
        pts_s=np.array(times, np.float64),
        faces=Faces(boxes, np.ones(n, np.float32), np.zeros((n, 5, 2), np.float32)),
        quality=np.ones(n, np.float32),
        probabilities=np.array([0.5, 0.5], np.float32),
        classified=1,
        first_s=times[0],
        last_s=times[-1],
    )


def _hidden(track: TrackPath, pts_s: float, cuts_s: tuple[float, ...] = ()) -> list[list[float]]:
    analysis = VideoAnalysis(
        path=Path("v.mp4"),
        info=INFO,
        classes=("female", "male"),
        threshold=0.8,
        tracks=(track,),
        pts_s=np.arange(250) / 25,
        cuts_s=cuts_s,
        damaged=None,
        detect_every_s=0.1,
    )
    return list(HiddenFaces(analysis).boxes(pts_s))


def test_sighting_is_hidden_where_it_is() -> None:
    assert _hidden(_track([1.0, 1.1], [100, 110]), 1.1) == [[110, 100, 160, 160]]


def test_moving_face_is_hidden_on_its_way_with_room_for_another_pace() -> None:
    ((x1, y1, x2, y2),) = _hidden(_track([1.0, 1.2], [100, 180]), 1.1)
    assert (x1, x2) == (140 - 20, 190 + 20)
    assert y1 < 100 < 160 < y2


def test_face_that_is_not_found_for_a_while_stays_hidden() -> None:
    track = _track([1.0, 3.0], [100, 100])
    assert not track.over(np.array([2.0])).shown.any(), "no box is drawn there"
    assert _hidden(track, 2.0) == [[100, 100, 150, 160]]


def test_face_is_hidden_before_it_is_found_and_after_it_is_lost() -> None:
    track = _track([2.0, 2.1], [100, 120])
    ((x1, _, x2, _),) = _hidden(track, 1.8)
    assert (round(x1), round(x2)) == (60, 150), "from where it came to where it was seen"
    ((x1, _, x2, _),) = _hidden(track, 2.5)
    assert (round(x1), round(x2)) == (120, 230), "at most its own size further"
    assert _hidden(track, 1.4) == _hidden(track, 2.7) == []


def test_no_face_is_hidden_in_another_shot() -> None:
    track = _track([2.0, 2.1], [100, 100])
    assert _hidden(track, 2.2, cuts_s=(2.2,)) == _hidden(track, 1.9, cuts_s=(2.0,)) == []
    assert len(_hidden(track, 2.12, cuts_s=(2.2,))) == len(_hidden(track, 2.0, cuts_s=(2.0,))) == 1


def test_face_of_a_picture_that_got_no_label_is_hidden_too() -> None:
    image = scene(Face("collins", 160, 120, 90))
    hidden = image.copy()
    hide_faces(hidden, Faces.empty())
    detector = FaceDetector(score_threshold=0.5)
    assert len(detector.detect(image)) == 1
    assert len(detector.detect(hidden)) == 0
    assert np.array_equal(hidden[:20], image[:20])
