"""From when to when, and how often: times of the source, exact to the frame."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from face_makers import BLUE, RED, ColourClassifier, Face, scene
from media_makers import make_video

from gclf_live.errors import SourceError
from gclf_live.media.reader import VideoReader
from gclf_live.output.rows import face_rows
from gclf_live.pipeline.analysis import VideoAnalysis
from gclf_live.pipeline.first_pass import AnalysisSettings, analyse_video


def _analyse(path: Path, **settings: float) -> VideoAnalysis:
    with VideoReader(path) as reader:
        return analyse_video(reader, ColourClassifier(), AnalysisSettings(**settings))  # type: ignore[arg-type]


def _face(i: int, count: int) -> Face:
    """A woman in the first half, a man in the second."""
    first = i < count // 2
    return Face("collins" if first else "obama", 160, 120, 100, RED if first else BLUE)


@pytest.fixture(scope="module", params=["uneven.mp4", "late.ts", "turned.mp4", "plain.avi"])
def recording(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2 s at most: a woman, a cut, a man; with an uneven rate, a late start, turned, and without times."""
    path = tmp_path_factory.mktemp("range") / request.param
    pictures = [scene(_face(i, 40)) for i in range(40)]
    if path.stem == "uneven":
        steps = np.random.default_rng(2).integers(1500, 7000, 40)
        return make_video(
            path, images=pictures, pts=np.cumsum(steps).tolist(), time_base=Fraction(1, 90_000), start_s=2
        )
    if path.stem == "turned":
        lying = [np.rot90(picture, 3).copy() for picture in pictures]
        return make_video(path, images=lying, rotation=90, fps=24)
    codec = "mpeg4" if path.suffix == ".avi" else "libx264"
    return make_video(path, images=pictures, fps=24, codec=codec, start_s=7 if path.stem == "late" else 0)


@pytest.mark.parametrize(("first", "behind"), [(0, 40), (7, 33), (19, 21), (20, 40), (11, 12)])
def test_range_has_exactly_its_frames(recording: Path, first: int, behind: int) -> None:
    whole = _analyse(recording)
    times = whole.pts_s.tolist()
    to_s = {"to_s": times[behind]} if behind < 40 else {}
    part = _analyse(recording, from_s=times[first], **to_s)
    assert part.pts_s.tolist() == times[first:behind]
    shown = [label for result in part.results() for label in result.labels]
    assert shown == ["female" if i < 20 else "male" for i in range(first, behind)]
    for track in part.summaries():
        assert times[first] <= track.start_s < track.end_s <= part.end_s
    assert part.cuts_s == tuple(t for t in whole.cuts_s if times[first] < t <= times[behind - 1])


def test_times_read_from_a_table_name_the_same_frames(recording: Path) -> None:
    rows = list(face_rows(_analyse(recording).results()))
    from_s, to_s = rows[5]["pts_s"], rows[9]["pts_s"]
    again = face_rows(_analyse(recording, from_s=from_s, to_s=to_s).results())  # type: ignore[arg-type]
    assert [row["pts_s"] for row in again] == [row["pts_s"] for row in rows[5:9]]


@pytest.mark.parametrize("wanted", [{"from_s": 100.0}, {"to_s": -1.0}, {"from_s": 100.0, "to_s": 101.0}])
def test_range_that_the_video_does_not_have_is_told_in_one_line(
    recording: Path, wanted: dict[str, float]
) -> None:
    with pytest.raises(SourceError, match=r"shows nothing.*begins at.*Choose") as caught:
        _analyse(recording, **wanted)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("every_s", "searched"), [(0.0, 61), (0.1, 31), (0.5, 7), (1.0, 4), (2.0, 3)])
def test_face_is_searched_for_as_often_as_asked_and_drawn_throughout(
    tmp_path: Path, every_s: float, searched: int
) -> None:
    images = [scene(Face("hopper", 100 + i, 120, 100)) for i in range(61)]
    path = make_video(tmp_path / "v.mp4", images=images, fps=20)
    analysis = _analyse(path, detect_every_s=every_s, skip_calm=False)
    (track,) = analysis.tracks
    assert len(track.pts_s) == searched
    assert track.seconds() == pytest.approx(3.0)
    assert track.spans_s() == ((0.0, pytest.approx(3.0)),)
    assert [len(result.tracks) for result in analysis.results()] == [1] * 61


def test_face_that_a_rare_search_finds_hidden_is_not_drawn_meanwhile(tmp_path: Path) -> None:
    """Searched every half second; hidden from 1 to 4 s. A box is drawn half a search beyond a sighting."""
    face = scene(Face("hopper", 160, 120, 100))
    images = [scene() if 10 <= i < 40 else face for i in range(60)]
    path = make_video(tmp_path / "v.mp4", images=images, fps=10)
    analysis = _analyse(path, detect_every_s=0.5)
    drawn = np.array([len(result.tracks) for result in analysis.results()])
    assert drawn[:8].all()
    assert not drawn[10:37].any()
    assert drawn[42:].all()
    assert sum(t.seconds() for t in analysis.tracks) == pytest.approx(3.0, abs=0.6)
