"""The samples are what their README says: portraits with terms, a clip with exact times, a true table."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from gclf_live.errors import SourceError
from gclf_live.faces.detector import FaceDetector
from gclf_live.geometry import box_iou
from gclf_live.records import F32, U8
from samples import make_clip
from samples.clip_cast import HERE, Portrait, load_cast, outline
from samples.clip_draw import Stage
from samples.clip_scene import CUT_FRAME, FPS, FRAMES, HEIGHT_PX, WIDTH_PX, scene_of
from samples.clip_sound import RATE_HZ, soundtrack
from samples.clip_truth import TruthRow, read_truth, truth, write_truth

CLIP = HERE / "clip.mp4"


@dataclass(frozen=True)
class Clip:
    """What the shipped clip decodes to: times of all frames, thumbnails, every tenth picture, the sound."""

    times: list[Fraction]
    thumbnails: list[F32]
    pictures: dict[int, U8]
    sound: F32
    sound_start_s: float


@pytest.fixture(scope="module")
def clip() -> Clip:
    times, thumbnails, pictures = [], [], {}
    with av.open(str(CLIP)) as container:
        for i, frame in enumerate(container.decode(video=0)):
            assert frame.pts is not None
            assert frame.time_base is not None
            times.append(frame.pts * frame.time_base)
            thumbnails.append(frame.reformat(64, 36, format="gray").to_ndarray().astype(np.float32))
            if i % 10 == 0:
                pictures[i] = np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
    with av.open(str(CLIP)) as container:
        sound = list(container.decode(audio=0))
    assert sound[0].pts is not None
    start_s = sound[0].pts / RATE_HZ
    samples = np.concatenate([part.to_ndarray() for part in sound], axis=1)
    return Clip(times, thumbnails, pictures, np.asarray(samples, np.float32), start_s)


@pytest.fixture(scope="module")
def rows() -> list[TruthRow]:
    return read_truth(HERE / "clip_truth.csv")


@pytest.fixture(scope="module")
def cast() -> dict[str, Portrait]:
    return load_cast()


@pytest.fixture(scope="module")
def stage(cast: dict[str, Portrait], outlines: dict[str, F32]) -> Stage:
    return Stage(cast, outlines)


@pytest.fixture(scope="module")
def outlines(cast: dict[str, Portrait]) -> dict[str, F32]:
    return {name: outline(portrait) for name, portrait in cast.items()}


def boxes_of(rows: list[TruthRow]) -> F32:
    corners = [(r.x_px, r.y_px, r.x_px + r.width_px, r.y_px + r.height_px) for r in rows]
    return np.array(corners, np.float32).reshape(-1, 4)


def at_frame(rows: list[TruthRow], frame: int) -> list[TruthRow]:
    return [row for row in rows if row.frame == frame]


def by_track(rows: list[TruthRow]) -> dict[int, list[TruthRow]]:
    tracks = defaultdict(list)
    for row in rows:
        tracks[row.track].append(row)
    return tracks


def portrait_rows() -> list[dict[str, str]]:
    with (HERE / "portraits.csv").open(newline="", encoding="utf-8") as table:
        return list(csv.DictReader(table))


# Portraits


def test_every_portrait_has_its_row_and_every_row_its_portrait() -> None:
    assert sorted(row["file"] for row in portrait_rows()) == sorted(
        path.name for path in (HERE / "portraits").iterdir()
    )


def test_every_portrait_names_label_person_source_and_public_domain_terms() -> None:
    for row in portrait_rows():
        assert list(row) == ["file", "label", "person", "source", "terms"]
        assert row["label"] in {"female", "male"}
        assert row["person"].strip()
        assert row["source"].strip()
        assert row["terms"].startswith("public domain: ")


def test_both_labels_have_at_least_two_people() -> None:
    people = {(row["label"], row["person"]) for row in portrait_rows()}
    assert sum(label == "female" for label, _ in people) >= 2
    assert sum(label == "male" for label, _ in people) >= 2


def test_readme_lists_every_portrait_with_its_person() -> None:
    readme = (HERE / "README.md").read_text(encoding="utf-8")
    for row in portrait_rows():
        assert f"| `{row['file']}` | {row['label']} | {row['person']} |" in readme


def test_each_portrait_shows_one_face_and_is_small(cast: dict[str, Portrait]) -> None:
    # load_cast itself refuses a portrait that does not show exactly one face.
    assert len(cast) == len(portrait_rows())
    for portrait in cast.values():
        assert max(portrait.image.shape) <= 900
        assert portrait.box[3] - portrait.box[1] >= 100
    assert sum(path.stat().st_size for path in (HERE / "portraits").iterdir()) < 1_500_000


def test_portrait_without_a_face_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "portraits").mkdir()
    cv2.imwrite(str(tmp_path / "portraits" / "wall.png"), np.full((200, 200, 3), 128, np.uint8))
    (tmp_path / "portraits.csv").write_text("file,label,person,source,terms\nwall.png,female,x,x,x\n")
    with pytest.raises(SourceError, match=r"wall\.png shows 0 faces; .* exactly one"):
        load_cast(tmp_path)


def test_listed_portrait_that_is_missing_is_named(tmp_path: Path) -> None:
    (tmp_path / "portraits.csv").write_text("file,label,person,source,terms\ngone.jpg,male,x,x,x\n")
    with pytest.raises(SourceError, match=r"cannot read .*gone\.jpg"):
        load_cast(tmp_path)


def test_outline_holds_the_face_and_not_the_corners(
    cast: dict[str, Portrait], outlines: dict[str, F32]
) -> None:
    for name, portrait in cast.items():
        edges = outlines[name]
        x1, y1, x2, y2 = portrait.box.astype(int)
        quarter_x, quarter_y = (x2 - x1) // 4, (y2 - y1) // 4
        assert edges.shape == portrait.image.shape[:2]
        assert edges[y1 + quarter_y : y2 - quarter_y, x1 + quarter_x : x2 - quarter_x].min() > 0.99
        assert max(edges[0, 0], edges[0, -1], edges[-1, 0], edges[-1, -1]) < 0.01


# The clip


def test_clip_has_300_frames_at_exact_times(clip: Clip) -> None:
    assert clip.times == [Fraction(i, FPS) for i in range(FRAMES)]


def test_clip_is_small_h264_720p_with_stereo_aac() -> None:
    with av.open(str(CLIP)) as container:
        video, audio = container.streams.video[0].codec_context, container.streams.audio[0].codec_context
        assert (video.name, video.pix_fmt, video.width, video.height) == (
            "h264",
            "yuv420p",
            WIDTH_PX,
            HEIGHT_PX,
        )
        assert (audio.name, audio.sample_rate, audio.layout.nb_channels) == ("aac", RATE_HZ, 2)
    assert CLIP.stat().st_size < 3_000_000


def test_sound_is_as_long_as_the_pictures(clip: Clip) -> None:
    end_s = clip.sound_start_s + clip.sound.shape[1] / RATE_HZ
    assert end_s == pytest.approx(FRAMES / FPS, abs=0.05)


def test_sound_ticks_on_each_full_second(clip: Clip) -> None:
    # The ticks are the only sound near 3 kHz: multiply it down to 0 Hz and average over 5 ms.
    mono = clip.sound.mean(axis=0)
    t = np.arange(len(mono)) / RATE_HZ
    window = np.ones(RATE_HZ // 200) / (RATE_HZ // 200)
    level = abs(np.convolve(mono * np.exp(-2j * np.pi * 3000 * t), window, mode="full")[: len(mono)])
    for second in range(FRAMES // FPS):
        middle = round((second - clip.sound_start_s) * RATE_HZ)
        before = level[max(0, middle - RATE_HZ // 4) : max(1, middle - RATE_HZ // 100)]
        after = level[max(0, middle) : middle + RATE_HZ // 50]
        assert after.max() > 0.05
        assert after.max() > 10 * before.max() or second == 0


def test_dot_lights_up_on_each_full_second(clip: Clip) -> None:
    corner = (HEIGHT_PX - 36, WIDTH_PX - 36)
    for frame, picture in clip.pictures.items():
        assert (picture[corner].mean() > 200) == (frame % FPS == 0), frame


def test_picture_changes_at_the_cut_and_nowhere_else(clip: Clip) -> None:
    change = [float(np.abs(b - a).mean()) for a, b in zip(clip.thumbnails, clip.thumbnails[1:], strict=False)]
    assert int(np.argmax(change)) + 1 == CUT_FRAME
    assert max(change) > 4 * sorted(change)[-2]


# The truth


def test_truth_rows_are_in_order_and_inside_the_frame(rows: list[TruthRow]) -> None:
    assert [row.frame for row in rows] == sorted(row.frame for row in rows)
    assert {row.frame for row in rows} == set(range(FRAMES))
    for row in rows:
        assert row.pts_s == pytest.approx(row.frame / FPS, abs=1e-6)
        assert row.x_px >= 0
        assert row.y_px >= 0
        assert row.x_px + row.width_px <= WIDTH_PX + 0.01
        assert row.y_px + row.height_px <= HEIGHT_PX + 0.01
        assert min(row.width_px, row.height_px) >= 1
        assert 0 <= row.visible <= 1


def test_truth_track_is_one_person_and_ends_at_the_cut(rows: list[TruthRow]) -> None:
    tracks = by_track(rows)
    assert sorted(tracks) == list(range(1, len(tracks) + 1))
    for track in tracks.values():
        assert len({(row.person, row.label) for row in track}) == 1
        assert len({row.frame >= CUT_FRAME for row in track}) == 1
        assert [row.frame for row in track] == list(range(track[0].frame, track[-1].frame + 1))


def test_cut_puts_the_other_label_at_every_place(rows: list[TruthRow]) -> None:
    before, after = at_frame(rows, CUT_FRAME - 1), at_frame(rows, CUT_FRAME)
    overlap = box_iou(boxes_of(before), boxes_of(after))
    assert len(before) == len(after) == 4
    for i, j in enumerate(overlap.argmax(axis=1)):
        assert overlap[i, j] > 0.7
        assert before[i].label != after[j].label


def test_someone_returns_as_a_new_track_after_more_than_a_second(rows: list[TruthRow]) -> None:
    first, second = [t for t in by_track(rows).values() if t[0].person == "Joe Biden"][:2]
    assert second[-1].frame < CUT_FRAME
    assert second[0].pts_s - first[-1].pts_s > 1


def test_faces_grow_cover_one_another_and_leave_over_the_edge(rows: list[TruthRow]) -> None:
    tracks = by_track(rows).values()
    grown = [t for t in tracks if t[0].height_px == pytest.approx(40, abs=1) and t[-1].height_px > 215]
    covered = [t for t in tracks if t[0].visible == t[-1].visible == 1 and min(r.visible for r in t) < 0.1]
    cut_off = [
        r for r in rows if r.x_px + r.width_px == pytest.approx(WIDTH_PX, abs=0.01) and 0.4 < r.visible < 0.7
    ]
    assert grown
    assert covered
    assert len(cut_off) >= FPS


def test_detector_finds_the_faces_that_can_be_seen(clip: Clip, rows: list[TruthRow]) -> None:
    detector = FaceDetector()
    overlaps: list[float] = []
    for frame, picture in clip.pictures.items():
        found = detector.detect(picture).boxes
        seen = [row for row in at_frame(rows, frame) if row.visible > 0.8 and row.height_px >= 40]
        overlaps.extend(box_iou(boxes_of(seen), found).max(axis=1, initial=0))
    assert len(overlaps) > 90
    assert np.mean(np.array(overlaps) >= 0.5) >= 0.95


# The program


def test_program_gives_the_shipped_truth(
    cast: dict[str, Portrait], outlines: dict[str, F32], rows: list[TruthRow]
) -> None:
    again = list(truth(cast, outlines))
    key = [(row.frame, row.person, row.track, row.label) for row in rows]
    assert [(row.frame, row.person, row.track, row.label) for row in again] == key
    # Another build of OpenCV decodes, detects and outlines a little differently.
    np.testing.assert_allclose(boxes_of(again), boxes_of(rows), atol=1.5)
    np.testing.assert_allclose([r.visible for r in again], [r.visible for r in rows], atol=0.05)


@pytest.mark.parametrize("frame", [40, 140, 150, 220])
def test_program_draws_the_shipped_pictures(clip: Clip, stage: Stage, frame: int) -> None:
    assert cv2.PSNR(stage.draw(frame), clip.pictures[frame]) > 30


def test_frame_outside_the_clip_is_refused() -> None:
    with pytest.raises(ValueError, match="frame 300 is not in the clip, which has frames 0 to 299"):
        scene_of(FRAMES)


def test_truth_table_survives_writing_and_reading(tmp_path: Path, rows: list[TruthRow]) -> None:
    write_truth(rows[:50], tmp_path / "truth.csv")
    assert read_truth(tmp_path / "truth.csv") == rows[:50]
    assert [path.name for path in tmp_path.iterdir()] == ["truth.csv"]


def test_soundtrack_is_stereo_and_never_clips() -> None:
    sound = soundtrack(2.5)
    assert sound.shape == (2, round(2.5 * RATE_HZ))
    assert 0.1 < abs(sound).max() <= 1
    assert abs(sound[0] - sound[1]).max() > 0.01


def test_clip_that_fails_half_way_leaves_no_file(tmp_path: Path) -> None:
    def pictures() -> Iterator[U8]:
        yield np.zeros((HEIGHT_PX, WIDTH_PX, 3), np.uint8)
        raise RuntimeError("out of film")

    with pytest.raises(RuntimeError, match="out of film"):
        make_clip.write_clip(tmp_path / "clip.mp4", pictures(), soundtrack(1))
    assert list(tmp_path.iterdir()) == []


def test_command_line_says_what_it_makes() -> None:
    shown = CliRunner().invoke(make_clip.main, ["--help"])
    assert shown.exit_code == 0
    assert "clip_truth.csv" in shown.output
