"""Which files are meant, and which results must not be added up."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from result_makers import SETTINGS, make_result, make_track, random_result

from gclf_live.errors import SourceError, UsageError
from gclf_live.screentime.gather import SHEET, find_results, read_results, sheet_tracks
from gclf_live.screentime.result import Result
from gclf_live.screentime.result_file import write_result


def _write(folder: Path, *results: Result) -> list[Path]:
    paths = []
    for number, result in enumerate(results):
        paths.append(folder / f"{number}.result.json")
        write_result(paths[-1], result)
    return paths


def test_folder_stands_for_the_results_below_it(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / ".hidden").mkdir()
    for name in ("z.result.json", "b/a.result.json", "any name.json", ".hidden/x.result.json"):
        write_result(tmp_path / name, make_result())
    (tmp_path / "journal.json").write_text('{"kind": "journal"}')
    (tmp_path / "tracks.csv").write_text("track_id\n")
    found = [path.relative_to(tmp_path).as_posix() for path in find_results([tmp_path])]
    assert found == ["any name.json", "b/a.result.json", "z.result.json"]


def test_file_that_is_named_twice_counts_once(tmp_path: Path) -> None:
    (path,) = _write(tmp_path, make_result())
    assert find_results([path, tmp_path, path]) == [path]


def test_damaged_result_in_a_folder_is_not_passed_over(tmp_path: Path) -> None:
    (path,) = _write(tmp_path, make_result())
    path.write_bytes(b"")
    with pytest.raises(SourceError, match="damaged"):
        read_results(find_results([tmp_path]))


def test_nothing_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no results in"):
        find_results([tmp_path])
    with pytest.raises(SourceError, match="no such file or folder"):
        find_results([tmp_path / "missing"])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"weights_sha256": "cd" * 32}, ("different weights", "abababababab", "cdcdcdcdcdcd")),
        ({"settings": {**SETTINGS, "threshold": 0.9}}, ("threshold 0.8 and 0.9",)),
        ({"settings": {**SETTINGS, "min_face_px": 20}}, ("min_face_px None and 20",)),
    ],
)
def test_results_that_do_not_compare_are_refused_unless_asked_for(
    tmp_path: Path, changes: dict[str, object], words: tuple[str, ...]
) -> None:
    paths = _write(tmp_path, make_result(), make_result(name="b.mp4", **changes))
    with pytest.raises(UsageError) as caught:
        read_results(paths)
    for word in (*words, "--allow-mixed", "0.result.json", "1.result.json"):
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(read_results(paths, allow_mixed=True)) == 2


def test_range_that_was_measured_is_no_difference(tmp_path: Path) -> None:
    part = make_result(name="b.mp4", settings={**SETTINGS, "from_s": 5.0, "to_s": 9.0})
    assert len(read_results(_write(tmp_path, make_result(), part))) == 2


def test_other_classes_are_refused_always(tmp_path: Path) -> None:
    other = make_result(name="b.mp4", classes=("cat", "dog"))
    with pytest.raises(UsageError, match="classes"):
        read_results(_write(tmp_path, make_result(), other), allow_mixed=True)


def test_same_video_twice_is_refused(tmp_path: Path) -> None:
    paths = _write(
        tmp_path, make_result(), make_result(name="b.mp4"), make_result(name="talk.mp4", to_s=20.0)
    )
    for allow_mixed in (False, True):
        with pytest.raises(UsageError, match=r"same video \('talk.mp4'\).*Leave one out"):
            read_results(paths, allow_mixed=allow_mixed)


def test_same_videos_are_counted_once_where_asked_for(tmp_path: Path) -> None:
    paths = _write(tmp_path, *(make_result(name=f"{i}.mp4", source_sha256=str(i % 2)) for i in range(5)))
    with pytest.raises(
        UsageError, match=r"and 2 more results are .*Leave all but one of each out, or add --once"
    ):
        read_results(paths)
    left_out: list[Path] = []
    read = read_results(paths, once=left_out.extend)
    assert [result.name for result in read] == ["0.mp4", "1.mp4"]
    assert left_out == paths[2:]
    assert len(read_results(paths[:2], once=lambda paths: pytest.fail("nothing is left out"))) == 2


def test_two_halves_of_a_video_may_stand_together(tmp_path: Path) -> None:
    first, second = make_result(from_s=0.0, to_s=30.0), make_result(from_s=30.0, to_s=60.0)
    assert len(read_results(_write(tmp_path, first, second))) == 2


def test_videos_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    paths = []
    for year, halves in (("1998", 2), ("1999", 1)):
        folder = tmp_path / "measured" / year
        folder.mkdir(parents=True)
        for half in range(halves):
            times = {"from_s": 30.0 * half, "to_s": 30.0 * half + 30}
            result = make_result(name="news.mp4", source_sha256=year.ljust(64, "0"), **times)
            paths.append(folder / f"{half}.result.json")
            write_result(paths[-1], result)
    paths += _write(tmp_path / "measured", make_result(name="talk.mp4"))
    names = [result.name for result in read_results(paths)]
    assert names == ["1998/news.mp4", "1998/news.mp4", "1999/news.mp4", "talk.mp4"]


def test_pictures_are_kept_for_the_sheet_alone(tmp_path: Path) -> None:
    many = random_result(0, tracks=400, crop=True)
    (read,) = read_results(_write(tmp_path, many))
    assert len(read.tracks) == 400
    kept = [track for track in read.tracks if track.crop_jpeg]
    assert SHEET <= len(kept) <= 2 * SHEET
    assert [track for _, track in sheet_tracks([read])] == [track for _, track in sheet_tracks([many])]


def test_sheet_shows_each_label_by_length() -> None:
    tracks = [make_track(i, (0.97, 0.03, 0.6)[i % 3], seconds=1 + i) for i in range(90)]
    tracks.append(make_track(200, 0.97, seconds=0.5, excluded="too small"))
    tracks.append(make_track(201, 0.97, seconds=900, crop=False))
    chosen = [track for _, track in sheet_tracks([make_result(*tracks)], 20)]
    assert [track.label for track in chosen].count("female") == 5
    assert [track.label for track in chosen].count("male") == 5
    assert [track.excluded for track in chosen].count("too small") == 1
    assert chosen[0].seconds == 88
    assert all(a.seconds > b.seconds for a, b in pairwise(chosen[:5]))


def test_progress_is_told(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    read_results(
        _write(tmp_path, make_result(), make_result(name="b.mp4")),
        advance=lambda done, total: told.append((done, total)),
    )
    assert told == [(1, 2), (2, 2)]


def test_name_that_is_too_long_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="too long"):
        find_results([tmp_path / ("x" * 300)])
