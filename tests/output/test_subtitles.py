"""Subtitles: shown on the frames that have the box, in three formats."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pysubs2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gclf_live.errors import OutputError, UsageError
from gclf_live.output.rows import TrackSummary
from gclf_live.output.subtitles import Cue, check_subtitles, shown_frames, track_cues, write_subtitles
from gclf_live.records import Faces, FrameResult, Predictions, Tracks

SUFFIXES = (".srt", ".vtt", ".ass")


def _track(start_s: float, end_s: float, *, number: int = 1, label: str = "female") -> TrackSummary:
    return TrackSummary(
        track_id=number,
        start_s=start_s,
        end_s=end_s,
        seconds=end_s - start_s,
        faces=1,
        classified=1,
        median_height_px=80,
        label=label,
        confidence=0.97,
        probabilities={"female": 0.97, "male": 0.03},
    )


@settings(max_examples=200, deadline=None)
@given(
    gaps_ms=st.lists(st.floats(11, 500), min_size=2, max_size=40),
    start_s=st.sampled_from([0.0, 10.0, 1234.567]),
    ends=st.tuples(st.integers(0, 39), st.integers(0, 39)),
    suffix=st.sampled_from(SUFFIXES),
)
def test_cue_is_shown_on_the_frames_of_the_box_and_no_other(
    gaps_ms: list[float], start_s: float, ends: tuple[int, int], suffix: str
) -> None:
    pts_s = start_s + np.cumsum(gaps_ms) / 1000
    first, last = sorted(end % len(pts_s) for end in ends)
    (cue,) = track_cues([_track(pts_s[first], pts_s[last])], {1: [(first, last + 1)]}, pts_s, suffix=suffix)
    times_ms = 1000 * pts_s
    shown = (times_ms >= cue.start_ms - 1e-3) & (times_ms < cue.end_ms - 1e-3)
    assert np.flatnonzero(shown).tolist() == list(range(first, last + 1))
    assert cue.start_ms % (10 if suffix == ".ass" else 1) == 0


def test_times_count_from_the_origin_of_the_video() -> None:
    pts_s = 10 + np.arange(10) / 25
    (cue,) = track_cues([_track(10.04, 10.12)], {1: [(1, 4)]}, pts_s, origin_s=10.0)
    assert (cue.start_ms, cue.end_ms) == (40, 160)


def test_track_without_a_frame_has_no_cue() -> None:
    assert track_cues([_track(0.05, 0.06)], {}, np.arange(10) / 25) == []


def _result(index: int, *track_ids: int) -> FrameResult:
    n = len(track_ids)
    faces = Faces(np.zeros((n, 4), np.float32), np.ones(n, np.float32), np.zeros((n, 5, 2), np.float32))
    predictions = Predictions(("female", "male"), np.full((n, 2), 0.5, np.float32))
    tracks = Tracks(np.array(track_ids, np.int64), faces)
    return FrameResult(index, index / 25, tracks, predictions, ("unsure",) * n, np.ones(n, np.float32))


def test_face_that_is_hidden_for_a_while_has_a_cue_for_each_time_it_is_there() -> None:
    frames = [(), (1,), (1, 2), (2,), (1, 2), (1,)]
    shown = shown_frames(_result(i, *ids) for i, ids in enumerate(frames))
    assert shown == {1: [(1, 3), (4, 6)], 2: [(2, 5)]}
    cues = track_cues([_track(0.04, 0.2)], shown, np.arange(6) / 25)
    assert [(cue.start_ms, cue.end_ms) for cue in cues] == [(40, 120), (160, 240)]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_file_says_when_and_what(tmp_path: Path, suffix: str) -> None:
    pts_s = np.arange(100) / 25
    tracks = [_track(1.0, 2.0), _track(0.4, 3.0, number=2, label="unsure")]
    path = tmp_path / f"labels{suffix}"
    shown = {1: [(25, 51)], 2: [(10, 76)]}
    write_subtitles(path, track_cues(tracks, shown, pts_s, suffix=suffix))
    read = pysubs2.load(str(path))
    assert [(event.start, event.end, event.plaintext) for event in read] == [
        (400, 3040, "#2 unsure"),
        (1000, 2040, "#1 female 97 %"),
    ]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_class_names_of_any_kind_leave_the_file_readable(tmp_path: Path, suffix: str) -> None:
    names = ["a<b>&c", r"{\an8}up", "línea\nnueva", "你好 --> x"]
    path = tmp_path / f"labels{suffix}"
    write_subtitles(path, [Cue(1000 * i, 1000 * i + 500, name) for i, name in enumerate(names)])
    read = pysubs2.load(str(path))
    assert [event.start for event in read] == [0, 1000, 2000, 3000]
    assert "an8" in read[1].plaintext
    assert read[2].plaintext == "línea nueva"


def test_no_tracks_make_a_file_without_cues(tmp_path: Path) -> None:
    path = tmp_path / "labels.vtt"
    write_subtitles(path, [])
    assert path.read_text(encoding="utf-8").startswith("WEBVTT")


def test_other_endings_and_files_that_exist_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.srt, \.vtt, \.ass"):
        check_subtitles(tmp_path / "labels.txt")
    path = tmp_path / "labels.srt"
    write_subtitles(path, [])
    with pytest.raises(OutputError, match="exists"):
        write_subtitles(path, [])
    write_subtitles(path, [Cue(0, 500, "new")], overwrite=True)
    assert "new" in path.read_text(encoding="utf-8")
