"""A long video in parts: what comes out depends neither on where the borders lie nor on who did the work."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from face_makers import BLUE, RED, ColourClassifier, Face, scene
from media_makers import make_video
from part_makers import MALE, facts, made_parts, made_track

from gclf_live.errors import OutputError, SourceError
from gclf_live.geometry import box_iou
from gclf_live.labels.aggregate import combine_track
from gclf_live.media.reader import VideoInfo, VideoReader
from gclf_live.pipeline.analysis import VideoAnalysis
from gclf_live.pipeline.first_pass import AnalysisSettings, analyse_video
from gclf_live.pipeline.parts import PART_S, Part, PartAnalysis, analyse_part, join_parts, plan_parts
from gclf_live.pipeline.small_jpeg import small_jpeg
from gclf_live.records import U8
from samples.clip_truth import read_truth

SAMPLES = Path(__file__).parent.parent.parent / "samples"
FPS = 10
CUT_S = 4.0
LENGTH_S = 9
BORDERS = ([2.0, 6.0], [4.0], [3.5, 4.5], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0])


def _info(path: Path) -> VideoInfo:
    with VideoReader(path) as reader:
        return reader.info


def _analyse(path: Path, parts: list[Part], settings: AnalysisSettings | None = None) -> list[PartAnalysis]:
    return [analyse_part(path, part, ColourClassifier(), settings) for part in parts]  # type: ignore[arg-type]


def _whole(path: Path) -> VideoAnalysis:
    with VideoReader(path) as reader:
        return analyse_video(reader, ColourClassifier())  # type: ignore[arg-type]


def _parts(borders: list[float]) -> list[Part]:
    return [Part(i, a, b) for i, (a, b) in enumerate(itertools.pairwise([0.0, *borders, math.inf]))]


def _play() -> Iterator[U8]:
    """Two people, one of whom wanders and is hidden from 5.8 to 6.2 s; others in their places from 4 s on."""
    for i in range(LENGTH_S * FPS):
        t = i / FPS
        x = 70 + 12 * t
        if t < CUT_S:
            yield scene(Face("collins", x, 110, 90, RED), Face("obama", 250, 120, 90, BLUE))
        elif 5.8 <= t < 6.2:
            yield scene(Face("collins", 250, 120, 90, RED), backdrop=90)
        else:
            yield scene(Face("biden", x, 110, 90, BLUE), Face("collins", 250, 120, 90, RED), backdrop=90)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_video(
        tmp_path_factory.mktemp("film") / "film.mp4", images=_play(), fps=FPS, options={"g": "25"}
    )


@pytest.fixture(scope="module")
def whole(film: Path) -> VideoAnalysis:
    return _whole(film)


def test_free_memory_is_given_back_while_a_part_is_read(film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    times: list[None] = []
    monkeypatch.setattr("gclf_live.pipeline.parts.give_back_memory", lambda: times.append(None))
    monkeypatch.setattr("gclf_live.pipeline.parts._TIDY_EVERY_S", 2.0)
    _whole(film)
    assert len(times) == 4 + 1, "every two of nine seconds, and at the end"


def test_film_is_what_it_is_meant_to_be(whole: VideoAnalysis) -> None:
    assert whole.cuts_s == pytest.approx([CUT_S])
    assert sorted(t.label for t in whole.summaries()) == ["female", "female", "male", "male"]


@pytest.mark.parametrize("borders", BORDERS, ids=str)
def test_borders_change_no_track_and_no_label(film: Path, whole: VideoAnalysis, borders: list[float]) -> None:
    parts = _analyse(film, _parts(borders))
    joined = join_parts(parts, path=film, info=_info(film))
    assert joined.cuts_s == whole.cuts_s
    assert joined.pts_s.tolist() == whole.pts_s.tolist()
    assert len(joined.tracks) == len(whole.tracks)
    for track, wanted in zip(joined.summaries(), whole.summaries(), strict=True):
        assert (track.label, track.excluded) == (wanted.label, "")
        assert (track.start_s, track.end_s) == pytest.approx((wanted.start_s, wanted.end_s))
        assert track.seconds == pytest.approx(wanted.seconds, abs=0.21)
    for mine, other in zip(joined.results(), whole.results(), strict=True):
        assert (mine.index, mine.pts_s) == (other.index, other.pts_s)
        if 5.6 < mine.pts_s < 6.4:
            continue  # who was hidden may be found a frame earlier where a border has every face searched for
        assert sorted(mine.labels) == sorted(other.labels)
        assert (box_iou(mine.tracks.faces.boxes, other.tracks.faces.boxes).max(axis=1) > 0.8).all()


def test_parts_in_any_order_and_from_disk_give_the_same(film: Path, tmp_path: Path) -> None:
    parts = _parts([2.0, 4.5, 6.0])
    info = _info(film)
    in_order = _analyse(film, parts)
    backwards = _analyse(film, parts[::-1])
    for analysis in backwards:
        analysis.save(tmp_path / f"{analysis.part.index}.part")
    loaded = [PartAnalysis.load(path) for path in sorted(tmp_path.iterdir(), reverse=True)]
    wanted = facts(join_parts(in_order, path=film, info=info))
    assert facts(join_parts(backwards, path=film, info=info)) == wanted
    assert facts(join_parts(loaded, path=film, info=info)) == wanted
    assert len(list(tmp_path.iterdir())) == len(parts)


def test_video_of_minutes_is_analysed_in_its_parts(tmp_path: Path) -> None:
    """150 s at 3 frames a second, a cut exactly on the second border, with settings that fit the rate."""
    before = scene(Face("collins", 90, 120, 90, RED), Face("obama", 230, 120, 90, BLUE))
    behind = scene(Face("hopper", 90, 120, 90, BLUE), Face("collins", 230, 120, 90, RED), backdrop=80)
    path = make_video(tmp_path / "long.mp4", images=[before] * 360 + [behind] * 90, fps=3)
    settings = AnalysisSettings(detect_every_s=0.3)
    parts = plan_parts(_info(path))
    assert [(p.from_s, p.to_s) for p in parts] == [(0.0, 60.0), (60.0, 120.0), (120.0, math.inf)]
    told: list[int] = []
    with VideoReader(path) as reader:
        found = analyse_video(reader, ColourClassifier(), settings, advance=told.append)  # type: ignore[arg-type]
    assert told == list(range(1, 451))
    assert found.cuts_s == (120.0,)
    spans = [(t.label, *np.round((t.start_s, t.end_s, t.seconds), 2)) for t in found.summaries()]
    assert sorted(spans) == [
        ("female", 0.0, 120.0, 120.0),
        ("female", 120.0, 150.0, 30.0),
        ("male", 0.0, 120.0, 120.0),
        ("male", 120.0, 150.0, 30.0),
    ]
    for analysis in _analyse(path, parts[::-1], settings):
        analysis.save(tmp_path / f"{analysis.part.index}.part")
    loaded = [PartAnalysis.load(tmp_path / f"{i}.part") for i in (1, 2, 0)]
    assert facts(join_parts(loaded, path=path, info=_info(path), settings=settings)) == facts(found)


def test_evidence_of_all_pieces_counts(film: Path) -> None:
    parts = _analyse(film, _parts([2.0]))
    (first, *_), (second, *_) = (sorted(p.tracks, key=lambda t: t.path.faces.boxes[0, 0]) for p in parts)
    joined = join_parts(parts, path=film, info=_info(film)).tracks
    (track,) = (t for t in joined if t.track_id == first.path.track_id)
    assert track.classified == len(first.crops_s) + len(second.crops_s)
    assert (
        track.probabilities.tolist()
        == combine_track(
            np.concatenate([first.log_probabilities, second.log_probabilities]),
            np.concatenate([first.crops_quality, second.crops_quality]),
            np.concatenate([first.crops_s, second.crops_s]),
        ).tolist()
    )


def _joined(film: Path, parts: list[PartAnalysis]) -> list[tuple[float, float]]:
    """First and last sighting of each track of made parts."""
    analysis = join_parts(parts, path=film, info=_info(film))
    return [(float(t.pts_s[0]), float(t.pts_s[-1])) for t in analysis.tracks]


def _stay(begins_s: float, ends_s: float, x: float = 100, speed: float = 0) -> list[tuple[float, float]]:
    times = np.arange(round(begins_s * 10), round(ends_s * 10) + 1) / 10
    return [(float(t), x + speed * float(t - times[0])) for t in times]


@pytest.mark.parametrize(
    ("last_s", "next_s", "cuts_s", "tracks"),
    [
        (9.9, 10.0, (), 1),
        (9.5, 10.4, (), 1),
        (9.2, 10.4, (), 2),
        (9.9, 10.0, (10.0,), 2),
        (9.8, 10.3, (9.9,), 2),
        (9.8, 10.3, (10.1,), 2),
        (9.8, 10.3, (9.0, 10.5), 1),
    ],
)
def test_face_goes_on_over_a_border_within_the_tracker_s_memory_and_its_shot(
    film: Path, last_s: float, next_s: float, cuts_s: tuple[float, ...], tracks: int
) -> None:
    parts = made_parts([made_track(3, _stay(8, last_s))], [made_track(1, _stay(next_s, 12))], cuts_s=cuts_s)
    assert len(_joined(film, parts)) == tracks


def test_moving_face_is_expected_where_it_is_going(film: Path) -> None:
    before = made_track(1, _stay(8, 9.8, x=0, speed=100))
    ahead, left_behind = made_track(1, _stay(10.2, 11, x=220)), made_track(2, _stay(10.2, 11, x=90))
    assert box_iou(before.path.faces.boxes[-1:], ahead.path.faces.boxes[:1])[0, 0] < 0.2
    assert _joined(film, made_parts([before], [left_behind, ahead])) == [(8.0, 11.0), (10.2, 11.0)]


def test_faces_that_pass_each_other_at_a_border_keep_apart(film: Path) -> None:
    before = [made_track(1, _stay(8, 9.9, x=0)), made_track(2, _stay(8, 9.9, x=80))]
    after = [made_track(1, _stay(10, 11, x=80)), made_track(2, _stay(10, 11, x=0), evidence=MALE)]
    analysis = join_parts(made_parts(before, after), path=film, info=_info(film))
    assert [t.faces.boxes[-1, 0] for t in analysis.tracks] == [0, 80]
    assert [t.track_id for t in analysis.tracks] == [1, 2]


def test_face_through_many_parts_is_one_track_and_numbers_are_used_once(film: Path) -> None:
    parts = made_parts(
        [made_track(5, _stay(0, 9.9)), made_track(2, _stay(0, 3, x=300))],
        [made_track(1, _stay(10, 19.9)), made_track(2, _stay(14, 16, x=300))],
        [made_track(4, _stay(20, 29.9)), made_track(1, _stay(20, 22, x=300))],
    )
    analysis = join_parts(parts, path=film, info=_info(film))
    assert [(t.track_id, len(t.pts_s)) for t in analysis.tracks] == [(2, 31), (5, 300), (7, 21), (8, 21)]
    assert analysis.tracks[1].seconds() == pytest.approx(30.0)


def test_face_seen_faintly_on_either_side_of_a_border_is_believed_and_a_single_pattern_is_not(
    film: Path,
) -> None:
    once, again = made_track(1, [(9.9, 100)], score=0.65), made_track(1, [(10.0, 101)], score=0.65)
    noise = made_track(2, [(10.1, 300)], score=0.65)
    assert _joined(film, made_parts([once], [again, noise])) == [(9.9, 10.0)]


def test_best_crop_of_a_joined_track_is_the_better_one(film: Path) -> None:
    parts = made_parts(
        [made_track(1, _stay(8, 9.9), quality=0.3)], [made_track(2, _stay(10, 12), quality=0.6)]
    )
    (track,) = join_parts(parts, path=film, info=_info(film)).tracks
    assert track.crop_jpeg == small_jpeg(np.full((8, 8, 3), 2, np.uint8))


def test_cut_on_the_first_frame_of_all_is_none(film: Path) -> None:
    parts = made_parts([made_track(1, _stay(0, 1))], [], cuts_s=(0.0, 10.0))
    assert join_parts(parts, path=film, info=_info(film)).cuts_s == (10.0,)


def test_part_without_faces_or_frames_is_saved_and_loaded(tmp_path: Path) -> None:
    (empty,) = made_parts([])
    without = replace(empty, pts_s=np.zeros(0), damaged="film.mp4 is cut off")
    for analysis in (empty, without):
        analysis.save(tmp_path / "a")
        back = PartAnalysis.load(tmp_path / "a")
        assert (back.part, back.tracks, back.damaged) == (analysis.part, (), analysis.damaged)
        assert back.pts_s.tolist() == analysis.pts_s.tolist()


def test_tracks_without_crops_are_saved_and_loaded(tmp_path: Path) -> None:
    seen, hidden = made_track(1, _stay(0, 1)), made_track(2, _stay(0, 1, x=300))
    hidden = replace(hidden, path=replace(hidden.path, crop_jpeg=b""))
    (analysis,) = made_parts([hidden, seen])
    analysis.save(tmp_path / "a")
    crops = [track.path.crop_jpeg for track in PartAnalysis.load(tmp_path / "a").tracks]
    assert crops == [b"", seen.path.crop_jpeg]
    assert crops[1].startswith(b"\xff\xd8")


@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.98])
def test_damaged_part_is_told_in_one_line(tmp_path: Path, keep: float) -> None:
    (analysis,) = made_parts([made_track(1, _stay(0, 1))])
    path = tmp_path / "3.part"
    analysis.save(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data)) if keep < 1 else int(keep)])
    with pytest.raises(SourceError, match=r"3\.part.*damaged.*Delete it") as caught:
        PartAnalysis.load(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("place", [6, 8, 10])  # version, flags and compression in zip's list of its members
def test_part_whose_damage_asks_for_what_zip_cannot_do_is_told(tmp_path: Path, place: int) -> None:
    (analysis,) = made_parts([made_track(1, _stay(0, 1))])
    path = tmp_path / "3.part"
    analysis.save(path)
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + place] = 0x63
    path.write_bytes(data)
    with pytest.raises(SourceError, match=r"3\.part.*damaged.*Delete it"):
        PartAnalysis.load(path)


def test_part_of_another_version_is_refused(tmp_path: Path) -> None:
    (analysis,) = made_parts([])
    path = tmp_path / "a"
    analysis.save(path)
    with np.load(path) as archive:
        arrays = dict(archive)
    text = arrays["document"].tobytes().replace(b'"format": 2', b'"format": 9')
    with path.open("wb") as file:
        np.savez(file, **(arrays | {"document": np.frombuffer(text, np.uint8)}))
    with pytest.raises(SourceError, match="format 9"):
        PartAnalysis.load(path)


def test_missing_part_file_and_folder_are_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="No such file"):
        PartAnalysis.load(tmp_path / "none")
    (analysis,) = made_parts([])
    with pytest.raises(OutputError, match="no folder"):
        analysis.save(tmp_path / "none" / "a")


def test_parts_that_are_not_one_plan_are_refused(film: Path) -> None:
    parts = made_parts([], [], [])
    for wrong in (parts[1:], parts[::2], [*parts, parts[0]], []):
        with pytest.raises(ValueError, match="each once"):
            join_parts(wrong, path=film, info=_info(film))
    other = replace(parts[1], classes=("cat", "dog"))
    with pytest.raises(ValueError, match="classes"):
        join_parts([parts[0], other, parts[2]], path=film, info=_info(film))


@pytest.mark.parametrize(
    ("length_s", "from_s", "to_s", "borders"),
    [
        (60.0, None, None, [5.0]),
        (66.0, None, None, [5.0]),
        (67.0, None, None, [5.0, 65.0]),
        (150.0, None, None, [5.0, 65.0, 125.0]),
        (150.0, 30.0, None, [30.0, 90.0]),
        (150.0, 30.0, 80.0, [30.0]),
        (150.0, 0.0, 70.0, [5.0, 65.0]),
        (150.0, 500.0, None, [500.0]),
        (None, None, None, [5.0]),
    ],
)
def test_plan_has_a_part_for_every_minute(
    film: Path, length_s: float | None, from_s: float | None, to_s: float | None, borders: list[float]
) -> None:
    info = replace(_info(film), start_s=5.0, duration_s=length_s)
    parts = plan_parts(info, from_s=from_s, to_s=to_s)
    if to_s == 70.0:
        borders = borders[:1]  # a rest of 5 s is read with the part before it
    assert [p.from_s for p in parts] == pytest.approx(borders, abs=1e-5)
    assert parts[-1].to_s == pytest.approx(math.inf if to_s is None else to_s)
    assert [p.index for p in parts] == list(range(len(parts)))
    assert all(a.to_s == b.from_s for a, b in itertools.pairwise(parts))


def test_video_that_can_only_be_read_from_its_beginning_is_one_part(film: Path) -> None:
    info = replace(_info(film), duration_s=7200.0, seekable=False)
    assert len(plan_parts(info)) == 1
    assert len(plan_parts(replace(info, seekable=True))) == 7200 / PART_S


def test_part_without_length_is_refused(film: Path) -> None:
    with pytest.raises(ValueError, match="more than 0"):
        plan_parts(_info(film), part_s=0)


def test_damage_of_any_part_is_told(film: Path) -> None:
    parts = made_parts([], [], [])
    parts[1] = replace(parts[1], damaged="film.mp4 has damaged pictures")
    analysis = join_parts(parts, path=film, info=_info(film))
    assert analysis.damaged == "film.mp4 has damaged pictures"


def test_hole_in_a_recording_is_bridged_by_nothing(tmp_path: Path) -> None:
    """No signal for 20 s: the parts in between have no frames."""
    ticks = [*range(20), *range(220, 240)]
    images = [scene(Face("hopper", 160, 120, 100, BLUE))] * len(ticks)
    path = make_video(tmp_path / "a.mkv", images=images, pts=ticks, time_base=Fraction(1, 10))
    parts = _analyse(path, _parts([5.0, 10.0, 15.0]))
    assert [len(p.pts_s) for p in parts] == [20, 0, 0, 20]
    assert len(join_parts(parts, path=path, info=_info(path)).tracks) == 2


@pytest.mark.slow
def test_sample_clip_in_parts_follows_everyone_as_the_truth_has_it() -> None:
    path = SAMPLES / "clip.mp4"
    info = _info(path)
    parts = plan_parts(info, part_s=1.5)
    assert len(parts) == 7
    analysis = join_parts(_analyse(path, parts), path=path, info=info)
    assert len(analysis.tracks) == 9
    by_frame = {result.index: result.tracks for result in analysis.results()}
    found: dict[int, set[int]] = {}
    rows = [r for r in read_truth(SAMPLES / "clip_truth.csv") if r.visible > 0.8 and r.height_px >= 40]
    for row in rows:
        box = np.array([[row.x_px, row.y_px, row.x_px + row.width_px, row.y_px + row.height_px]], np.float32)
        iou = box_iou(box, by_frame[row.frame].faces.boxes)
        if iou.size and iou.max() >= 0.5:
            found.setdefault(row.track, set()).add(int(by_frame[row.frame].ids[int(iou.argmax())]))
    assert sorted(found) == list(range(1, 10))
    assert all(len(ids) == 1 for ids in found.values()), found
    assert len(set.union(*found.values())) == 9
