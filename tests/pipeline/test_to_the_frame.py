"""Rows, subtitles and boxes agree to the frame: the copy is decoded, and its pixels are looked at."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pysubs2
import pytest
from face_makers import ColourClassifier, Face, scene
from media_makers import make_video

from gclf_live.media.reader import VideoReader
from gclf_live.media.writer import EncoderSettings
from gclf_live.output.rows import face_rows
from gclf_live.output.subtitles import shown_frames, track_cues, write_subtitles
from gclf_live.pipeline.annotate import Annotated, annotate_video
from gclf_live.pipeline.settings import AnalysisSettings
from gclf_live.records import Frame

FRAMES = 36
LOSSLESS = EncoderSettings(crf=0, preset="ultrafast")
RANGE = (0.35, 1.4)
"""Seconds from the first frame on: it begins while a face is there."""


@dataclass(frozen=True)
class Copy:
    """A video and its annotated copy.

    Attributes:
        source: the frames of the range, as they are.
        drawn: those of the copy.
        done: what annotating it gave.
    """

    source: list[Frame]
    drawn: list[Frame]
    done: Annotated

    def changed(self, i: int) -> np.ndarray:
        """The pixels of frame i that were drawn on: bool (H, W)."""
        difference = np.abs(self.drawn[i].image.astype(int) - self.source[i].image)
        return np.asarray(difference.max(axis=2) > 30)


def _images() -> list[np.ndarray]:
    """One face wanders through frames 6 to 29, another is there from 12 to 17."""
    pictures = []
    for i in range(FRAMES):
        faces = [Face("collins", 80 + 4 * i, 150, 80)] if 6 <= i < 30 else []
        faces += [Face("obama", 250, 70, 60)] if 12 <= i < 18 else []
        pictures.append(scene(*faces))
    return pictures


def _make(path: Path, kind: str) -> Path:
    base = Fraction(1, 12_800)
    steps = np.random.default_rng(5).integers(150, 900, FRAMES)
    uneven = (np.cumsum(steps) - steps[0]).tolist()
    even = [512 * i for i in range(FRAMES)]
    if kind == "variable frame rate":
        return make_video(path / "v.mp4", images=_images(), pts=uneven, time_base=base)
    if kind == "late start":
        return make_video(path / "v.ts", images=_images(), pts=even, time_base=base, fps=25, start_s=37)
    if kind == "rotated":
        lying = [np.rot90(image, 3).copy() for image in _images()]
        return make_video(path / "v.mp4", images=lying, pts=even, time_base=base, fps=25, rotation=90)
    lying = [np.rot90(image, 1).copy() for image in _images()]
    return make_video(path / "v.mp4", images=lying, pts=uneven, time_base=base, start_s=3, rotation=-90)


@pytest.fixture(
    scope="module",
    params=[
        (kind, in_range)
        for kind in ("variable frame rate", "late start", "rotated", "all of it")
        for in_range in (False, True)
    ],
    ids=lambda param: f"{param[0]}, {'range' if param[1] else 'whole'}",
)
def copy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Copy:
    kind, in_range = request.param
    folder = tmp_path_factory.mktemp("copy")
    source = _make(folder, kind)
    with VideoReader(source) as reader:
        frames = list(reader)
    settings = AnalysisSettings()
    if in_range:
        from_s, to_s = (frames[0].pts_s + at_s for at_s in RANGE)
        settings = AnalysisSettings(from_s=from_s, to_s=to_s)
        frames = [frame for frame in frames if from_s <= frame.pts_s < to_s]
    done = annotate_video(
        source,
        folder / "out.mp4",
        ColourClassifier(),  # type: ignore[arg-type]
        settings=settings,
        encoder=LOSSLESS,
    )
    with VideoReader(folder / "out.mp4") as reader:
        return Copy(frames, list(reader), done)


def test_copy_has_the_frames_of_the_source_at_their_times(copy: Copy) -> None:
    assert len(copy.source) > 8
    times = [frame.pts_s - copy.done.origin_s for frame in copy.source]
    assert [frame.pts_s for frame in copy.drawn] == pytest.approx(times, abs=1e-6)
    if len(copy.source) < FRAMES:
        assert copy.drawn[0].pts_s == 0


def _rows(copy: Copy) -> dict[int, list[dict[str, Any]]]:
    by_frame: dict[int, list[dict[str, Any]]] = {i: [] for i in range(len(copy.source))}
    for row in face_rows(copy.done.analysis.results()):
        by_frame[int(str(row["frame"]))].append(row)
    return by_frame


def test_row_is_there_for_exactly_the_frames_with_a_box_and_says_where_it_is(copy: Copy) -> None:
    counts = []
    for i, rows in _rows(copy).items():
        changed = copy.changed(i)
        counts.append(len(rows))
        assert changed.any() == bool(rows), i
        for row in rows:
            assert row["pts_s"] == pytest.approx(copy.source[i].pts_s, abs=1e-6)
            x1, y1 = round(row["x_px"]), round(row["y_px"])
            x2, y2 = round(row["x_px"] + row["width_px"]), round(row["y_px"] + row["height_px"])
            # The left and the lower line, each two pixels thick, with a dark edge on both sides.
            middle_y, middle_x = (y1 + y2) // 2, (x1 + x2) // 2
            assert changed[middle_y - 8 : middle_y + 8, x1 - 2 : x1 + 3].mean(axis=0).max() > 0.8, i
            assert changed[y2 - 3 : y2 + 2, middle_x - 8 : middle_x + 8].mean(axis=1).max() > 0.8, i
            # Nothing inside: it is this face's own box.
            assert changed[middle_y - 8 : middle_y + 8, x1 + 8 : x2 - 8].mean() < 0.1, i
    assert set(counts) == {0, 1, 2}


@pytest.mark.parametrize("suffix", [".srt", ".ass"])
def test_subtitle_is_shown_during_exactly_the_frames_with_the_box(
    copy: Copy, suffix: str, tmp_path: Path
) -> None:
    analysis = copy.done.analysis
    cues = track_cues(
        analysis.summaries(),
        shown_frames(analysis.results()),
        analysis.pts_s,
        origin_s=copy.done.origin_s,
        suffix=suffix,
    )
    write_subtitles(tmp_path / f"s{suffix}", cues)
    events = list(pysubs2.load(str(tmp_path / f"s{suffix}")))
    for i, rows in _rows(copy).items():
        at_ms = 1000 * copy.drawn[i].pts_s
        shown = sorted(
            event.plaintext.split()[0] for event in events if event.start <= at_ms + 1e-3 < event.end
        )
        assert shown == sorted(f"#{row['track_id']}" for row in rows), i
