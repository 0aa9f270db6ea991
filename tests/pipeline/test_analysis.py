"""The first pass: one track a face and shot, with one label."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from face_makers import BLUE, RED, ColourClassifier, Face, scene
from media_makers import make_video

from gclf_live.geometry import box_iou
from gclf_live.media.reader import VideoReader
from gclf_live.pipeline.analysis import VideoAnalysis
from gclf_live.pipeline.first_pass import AnalysisSettings, analyse_video
from gclf_live.pipeline.paths import CropReservoir, OpenTrack, TrackPath
from gclf_live.records import U8, UNSURE, Faces, FrameResult

FPS = 15


def _analyse(
    path: Path, classifier: ColourClassifier | None = None, settings: AnalysisSettings | None = None
) -> VideoAnalysis:
    with VideoReader(path) as reader:
        return analyse_video(reader, classifier or ColourClassifier(), settings)  # type: ignore[arg-type]


def _video(tmp_path: Path, frames: int, draw: Callable[[int], U8]) -> Path:
    images: Iterable[U8] = (draw(i) for i in range(frames))
    return make_video(tmp_path / "v.mp4", images=images, fps=FPS)


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> VideoAnalysis:
    """A second of a woman, a hard cut, a second of a man whose face fills the same box."""
    faces = [
        Face("collins", 160, 120, 100, RED),
        Face("obama", 160, 120, 100, BLUE),
    ]
    return _analyse(_video(tmp_path_factory.mktemp("cut"), 2 * FPS, lambda i: scene(faces[i // FPS])))


def test_face_that_replaces_another_at_a_cut_is_another_track(cut: VideoAnalysis) -> None:
    assert cut.cuts_s == pytest.approx([1.0])
    assert [(t.label, t.excluded) for t in cut.summaries()] == [("female", ""), ("male", "")]
    ids = [result.tracks.ids.tolist() for result in cut.results()]
    first, second = (track.track_id for track in cut.tracks)
    assert ids == [[first]] * FPS + [[second]] * FPS


def test_label_of_a_track_is_the_same_from_its_first_frame_on(cut: VideoAnalysis) -> None:
    labels = [result.labels for result in cut.results()]
    assert labels == [("female",)] * FPS + [("male",)] * FPS


def test_table_of_tracks_says_what_the_frames_show(cut: VideoAnalysis) -> None:
    for track, start_s in zip(cut.summaries(), (0.0, 1.0), strict=True):
        assert track.start_s == pytest.approx(start_s)
        assert track.end_s == pytest.approx(start_s + 1), "the last frame is shown until the next one"
        assert track.seconds == pytest.approx(1)
        assert 80 < track.median_height_px < 125
        assert 1 <= track.classified <= track.faces
        assert sum(track.probabilities.values()) == pytest.approx(1)
        assert track.confidence == max(track.probabilities.values())


def test_boxes_follow_a_moving_face_between_searches(tmp_path: Path) -> None:
    def face(i: int) -> Face:
        return Face("hopper", 90 + 5 * i, 120)

    analysis = _analyse(_video(tmp_path, 2 * FPS, lambda i: scene(face(i))))
    assert len(analysis.tracks) == 1
    assert len(analysis.tracks[0].pts_s) < 2 * FPS, "not every frame is searched"
    for i, result in enumerate(analysis.results()):
        assert box_iou(result.tracks.faces.boxes, face(i).box[None]).max() > 0.6, i


def test_few_crops_of_a_track_are_classified_in_one_batch(tmp_path: Path) -> None:
    classifier = ColourClassifier()
    two = (Face("collins", 90, 120), Face("obama", 230, 120, tint=BLUE))
    settings = AnalysisSettings(crops_per_track=3)
    analysis = _analyse(_video(tmp_path, 3 * FPS, lambda i: scene(*two)), classifier, settings)
    assert [track.classified for track in analysis.tracks] == [3, 3]
    assert classifier.batches == [6]


@pytest.mark.parametrize(("strength", "batches"), [(200.0, [8]), (3.0, [8, 16])])
def test_all_crops_are_classified_only_where_the_first_leave_doubt(
    tmp_path: Path, strength: float, batches: list[int]
) -> None:
    classifier = ColourClassifier(strength=strength)
    two = (Face("collins", 90, 120), Face("obama", 230, 120, tint=BLUE))
    analysis = _analyse(_video(tmp_path, 3 * FPS, lambda i: scene(*two)), classifier)
    assert classifier.batches == batches
    assert [track.classified for track in analysis.tracks] == [batches[-1] // 2] * 2


def test_weak_evidence_is_unsure(tmp_path: Path) -> None:
    path = _video(tmp_path, 5, lambda i: scene(Face("collins", 160, 120, 100)))
    (track,) = _analyse(path, ColourClassifier(strength=1.5)).summaries()
    assert track.label == UNSURE
    assert 0.5 < track.confidence < 0.8


def test_video_without_faces_gives_every_frame_and_no_track(tmp_path: Path) -> None:
    analysis = _analyse(_video(tmp_path, 7, lambda i: scene()))
    assert [(r.index, len(r.tracks), r.labels) for r in analysis.results()] == [(i, 0, ()) for i in range(7)]
    assert analysis.summaries() == []


def test_progress_counts_every_frame(tmp_path: Path) -> None:
    told: list[int] = []
    with VideoReader(_video(tmp_path, 6, lambda i: scene())) as reader:
        analyse_video(reader, ColourClassifier(), advance=told.append)  # type: ignore[arg-type]
    assert told == [1, 2, 3, 4, 5, 6]


def test_frames_are_as_if_each_were_worked_out_alone(cut: VideoAnalysis) -> None:
    """Boxes are interpolated for many frames at once, of tracks that come, go, move and are covered."""
    rng = np.random.default_rng(0)
    times_s = np.arange(400) / 25
    tracks = []
    for number in range(1, 7):
        seen_s = np.sort(rng.choice(times_s, 40, replace=False))[3 * number : 40 - 2 * number]
        track = OpenTrack(number, CropReservoir(4))
        for pts_s in seen_s.tolist():
            x, quality = 20 * number + 30 * rng.random(), float(rng.random())
            track.add(pts_s, _face_at(x), quality, np.zeros((8, 8, 3), np.uint8))
        share = number / 7
        path = track.close(
            np.array([share, 1 - share], np.float32),
            classified=1,
            lead_s=0.0,
            not_before_s=0.0,
            not_after_s=99.0,
        )
        tracks.append(replace(path, excluded="too small" if number == 3 else ""))
    together = replace(
        cut, tracks=tuple(sorted(tracks, key=lambda path: path.first_s)), pts_s=times_s, threshold=0.8
    )
    alone = [replace(together, pts_s=times_s[i : i + 1]) for i in range(len(times_s))]
    expected = [_told(result) for analysis in alone for result in analysis.results()]
    found = [_told(result) for result in together.results()]
    assert found == expected
    assert [result.index for result in together.results()] == list(range(400))
    assert {label for told in found for label in told.labels} == {"female", "male", UNSURE}
    assert len({told.boxes for told in found}) > 200


class _Told(NamedTuple):
    pts_s: float
    ids: tuple[int, ...]
    boxes: tuple[float, ...]
    labels: tuple[str, ...]
    quality: tuple[float, ...]
    probabilities: tuple[float, ...]


def _told(result: FrameResult) -> _Told:
    return _Told(
        result.pts_s,
        tuple(result.tracks.ids.tolist()),
        tuple(result.tracks.faces.boxes.ravel().tolist()),
        result.labels,
        tuple(result.quality.tolist()),
        tuple(result.predictions.probabilities.ravel().tolist()),
    )


def _face_at(x: float) -> Faces:
    box = np.array([[x, 0, x + 50, 60]], np.float32)
    return Faces(box, np.ones(1, np.float32), np.zeros((1, 5, 2), np.float32))


def _path(track_id: int, times: list[float], x: float) -> TrackPath:
    track = OpenTrack(track_id, CropReservoir(4))
    for pts_s in times:
        track.add(pts_s, _face_at(x), 0.5, np.zeros((8, 8, 3), np.uint8))
    even = np.full(2, 0.5, np.float32)
    return track.close(even, classified=1, lead_s=0.0, not_before_s=0.0, not_after_s=9.0)


def _drawn(cut: VideoAnalysis, *tracks: TrackPath, pts_s: float) -> list[int]:
    """Ids in the frame at ``pts_s`` of an analysis with these tracks."""
    times = np.array([pts_s])
    made = VideoAnalysis(cut.path, cut.info, cut.classes, 0.8, tracks, times, (), None, detect_every_s=0.1)
    (result,) = made.results()
    return [int(track_id) for track_id in result.tracks.ids]


def test_box_that_bridges_a_gap_is_not_drawn_over_the_face_in_front(cut: VideoAnalysis) -> None:
    behind = _path(1, [0.0, 0.3], x=10)
    in_front = _path(2, [0.0, 0.1, 0.2, 0.3], x=15)
    aside = _path(3, [0.0, 0.1, 0.2, 0.3], x=200)
    assert _drawn(cut, behind, in_front, pts_s=0.15) == [2]
    assert _drawn(cut, behind, in_front, pts_s=0.3) == [1, 2], "it was found there"
    assert _drawn(cut, behind, aside, pts_s=0.15) == [1, 3]


def test_box_that_bridges_a_single_missed_search_is_drawn(cut: VideoAnalysis) -> None:
    missed_once = _path(1, [0.0, 0.2], x=10)
    in_front = _path(2, [0.0, 0.1, 0.2], x=15)
    assert _drawn(cut, missed_once, in_front, pts_s=0.05) == [1, 2]


def test_last_frame_that_is_searched_after_all_is_one_sighting(tmp_path: Path) -> None:
    # At 20 frames a second, frames 0, 2, 4 and 6 are due, 2 and 6 may be left out; 6 is the last.
    images = [scene()] * 5 + [scene(Face("collins", 160, 120, 100, RED))] * 2
    (track,) = _analyse(make_video(tmp_path / "v.mp4", images=images, fps=20)).tracks
    assert track.pts_s == pytest.approx([0.3])
    assert track.classified == 1
