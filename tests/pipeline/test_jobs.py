"""Which input becomes which output."""

from __future__ import annotations

from pathlib import Path

import pytest

from gclf_live.errors import OutputError, SourceError, UsageError
from gclf_live.pipeline.jobs import plan_jobs, videos_passed_over


def _touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def _targets(inputs: list[Path], output: Path, *, into_folder: bool = False) -> list[str]:
    jobs = plan_jobs(inputs, output, into_folder=into_folder)
    return [job.target.relative_to(output).as_posix() for job in jobs]


def test_one_file_becomes_the_output(tmp_path: Path) -> None:
    (job,) = plan_jobs([tmp_path / "a.mov"], tmp_path / "b.mp4", into_folder=False)
    assert (job.source.name, job.target.name, job.is_picture) == ("a.mov", "b.mp4", False)


def test_one_file_goes_into_a_folder_that_is_there_or_is_written_as_one(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert _targets([tmp_path / "a.mov"], tmp_path / "out") == ["a.mp4"]
    assert _targets([tmp_path / "a.mov"], tmp_path / "new", into_folder=True) == ["a.mp4"]


def test_gif_is_a_video_and_jpeg_a_picture(tmp_path: Path) -> None:
    jobs = plan_jobs([tmp_path / "a.gif", tmp_path / "b.JPG"], tmp_path / "out", into_folder=False)
    assert [(job.target.name, job.is_picture) for job in jobs] == [("a.mp4", False), ("b.JPG", True)]


def test_folder_keeps_its_shape_and_leaves_out_what_is_hidden_or_something_else(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    _touch(folder / "a.mkv", folder / "deep" / "b.png", folder / "notes.txt")
    _touch(folder / ".c.mp4", folder / ".cache" / "d.mp4")
    assert _targets([folder], tmp_path / "out") == ["a.mp4", "deep/b.png"]


def test_videos_with_other_endings_are_named(tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "in" / "out"
    mp4 = b"\0\0\0\x18ftypisom" + bytes(100)
    for name in ("a.mp4", "b.dat", "sub/c", "d.m4a", ".e.dat", "out/f.dat", "named.dat"):
        _touch(folder / name)
        (folder / name).write_bytes(mp4)
    (folder / "notes.txt").write_text("no video")
    _touch(folder / "empty.dat")
    found = videos_passed_over([folder, folder / "named.dat"], out)
    assert found == [folder / "b.dat", folder / "sub" / "c"]


def test_outputs_inside_the_input_folder_are_not_taken_for_inputs(tmp_path: Path) -> None:
    _touch(tmp_path / "a.mp4", tmp_path / "out" / "a.mp4")
    (job,) = plan_jobs([tmp_path], tmp_path / "out", into_folder=False)
    assert job.source == tmp_path / "a.mp4"


def test_same_stem_keeps_its_suffix(tmp_path: Path) -> None:
    inputs = [tmp_path / "a.mov", tmp_path / "a.avi", tmp_path / "b.avi"]
    assert _targets(inputs, tmp_path / "out") == ["a.mov.mp4", "a.avi.mp4", "b.mp4"]


def test_file_that_is_named_twice_or_beside_its_folder_counts_once(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    _touch(folder / "a.mp4", folder / "b.mp4")
    assert _targets([folder, folder / "a.mp4"], tmp_path / "out") == ["a.mp4", "b.mp4"]
    assert _targets([folder / "b.mp4", folder / "b.mp4"], tmp_path / "out") == ["b.mp4"]


def test_same_name_from_two_folders_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"would both become .*a\.mp4"):
        plan_jobs([tmp_path / "x" / "a.mp4", tmp_path / "y" / "a.mp4"], tmp_path / "out", into_folder=False)


@pytest.mark.parametrize("there", [True, False])
def test_several_inputs_cannot_become_one_file(tmp_path: Path, there: bool) -> None:
    if there:
        _touch(tmp_path / "out.mp4")
    with pytest.raises(UsageError, match="give a folder"):
        plan_jobs([tmp_path / "a.mp4", tmp_path / "b.mp4"], tmp_path / "out.mp4", into_folder=False)


def test_folder_without_media_is_refused(tmp_path: Path) -> None:
    _touch(tmp_path / "in" / "notes.txt")
    with pytest.raises(SourceError, match="no pictures or videos"):
        plan_jobs([tmp_path / "in"], tmp_path / "out", into_folder=False)


@pytest.mark.parametrize("name", ["a.mp4", "a.jpg"])
def test_input_is_never_its_own_output(tmp_path: Path, name: str) -> None:
    _touch(tmp_path / name)
    (tmp_path / "link").symlink_to(tmp_path)
    for output in (tmp_path / name, tmp_path, tmp_path / "link"):
        with pytest.raises(OutputError, match="is an input itself"):
            plan_jobs([tmp_path / name], output, into_folder=False)


def test_folder_into_itself_is_refused(tmp_path: Path) -> None:
    _touch(tmp_path / "a.mp4")
    with pytest.raises(OutputError, match="is an input itself"):
        plan_jobs([tmp_path], tmp_path, into_folder=False)
