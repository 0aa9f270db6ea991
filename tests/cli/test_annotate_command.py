"""``annotate``: files, folders, tables, what is skipped and what is refused."""

from __future__ import annotations

import csv
import json
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Literal, get_args

import click
import numpy as np
import pysubs2
import pytest
import torch
from command_answers import Answer, Command
from face_makers import Face, scene
from media_makers import frame_times, make_video, sound_seconds

from gclf_live.cli.annotate import annotate as annotate_command
from gclf_live.media.pictures import read_picture, write_picture
from gclf_live.media.writer import Preset
from gclf_live.screentime.result_file import read_result

Annotate = Callable[..., Answer]
Form = Literal["NFC", "NFD"]


@pytest.fixture
def annotate(command: Command, weights: Path) -> Annotate:
    """Run ``annotate`` with weights that mean nothing, and the threshold at 0 so that nobody is unsure."""

    def call(*arguments: object) -> Answer:
        options = ("--device", "cpu", "--weights", weights, "--threshold", "0", "--preset", "ultrafast")
        return command("annotate", *options, *arguments)

    return call


def _video(path: Path, frames: int = 4) -> Path:
    return make_video(path, images=[scene(Face("collins", 160, 120, 90))] * frames, fps=10)


def _picture(path: Path) -> Path:
    write_picture(path, scene(Face("collins", 160, 120, 90)))
    return path


def _names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def _archived(folder: Path) -> list[str]:
    """What an archive holds, without its journal."""
    return [name for name in _names(folder) if not name.startswith(".gclf-live/")]


def _told(answer: Answer) -> list[str]:
    """What was said on standard error, but for the line that names the device, and for the results."""
    lines = [line for line in answer.err.splitlines() if line.startswith("gclf-live: ")]
    return [line for line in lines if not line.startswith("gclf-live: cpu: ")]


def test_presets_are_those_of_the_writer() -> None:
    offered = next(option.type for option in annotate_command.params if option.name == "preset")
    assert isinstance(offered, click.Choice)
    assert tuple(offered.choices) == get_args(Preset)


def test_video_and_its_tables(annotate: Annotate, tmp_path: Path) -> None:
    source = _video(tmp_path / "v.mp4")
    answer = annotate(
        *(source, "-o", tmp_path / "out.mp4"),
        *("--tracks", tmp_path / "t.csv", "--faces", tmp_path / "f.jsonl"),
    )
    assert answer.code == 0
    assert _told(answer) == []
    assert answer.out.startswith(f"{tmp_path / 'out.mp4'}: ")
    assert len(frame_times(tmp_path / "out.mp4")) == 4
    with (tmp_path / "t.csv").open(newline="") as file:
        (track,) = csv.DictReader(file)
    faces = [json.loads(line) for line in (tmp_path / "f.jsonl").read_text().splitlines()]
    assert [face["frame"] for face in faces] == [0, 1, 2, 3]
    assert {face["label"] for face in faces} == {track["label"]} <= {"female", "male"}


def test_picture_becomes_a_picture_with_its_box(annotate: Annotate, tmp_path: Path) -> None:
    source = _picture(tmp_path / "p.png")
    answer = annotate(source, "-o", tmp_path / "out.png", "--json")
    assert answer.code == 0
    (entry,) = answer.document["files"]
    assert (entry["source"], entry["path"]) == (str(source), str(tmp_path / "out.png"))
    assert len(entry["faces"]) == 1
    before, after = read_picture(source), read_picture(tmp_path / "out.png")
    assert before.shape == after.shape
    assert not np.array_equal(before, after)


def test_folder_of_everything_goes_into_a_folder(annotate: Annotate, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    _picture(folder / "deep" / "p.jpg")
    make_video(folder / "b.gif", frames=2, codec="gif", pix_fmt="rgb8")
    make_video(folder / "c.mkv", frames=2, sound_s=0.2)
    (folder / "notes.txt").write_text("no media")
    answer = annotate(folder, "-o", tmp_path / "out")
    assert answer.code == 0
    videos = [f"{name}.{end}" for name in "bc" for end in ("mp4", "result.json", "tracks.csv")]
    assert _archived(tmp_path / "out") == [*videos, "deep/p.jpg"]
    assert sound_seconds(tmp_path / "out" / "c.mp4")[0] == "aac"


def test_broken_input_among_others_is_told_and_the_others_are_done(
    annotate: Annotate, tmp_path: Path
) -> None:
    good = make_video(tmp_path / "good.mp4", frames=2)
    (tmp_path / "bad.mp4").write_bytes(b"no video" * 50)
    answer = annotate(tmp_path / "bad.mp4", tmp_path / "none.mp4", good, "-o", tmp_path / "out", "--json")
    assert answer.code == 3
    assert _archived(tmp_path / "out") == ["good.mp4", "good.result.json", "good.tracks.csv"]
    states = {Path(entry["source"]).name: entry["state"] for entry in answer.document["files"]}
    assert states == {"bad.mp4": "failed", "none.mp4": "failed", good.name: "done"}
    told = _told(answer)
    assert len(told) == 3
    assert "bad.mp4" in told[0]
    assert "none.mp4" in told[1]
    assert "2 of 3 inputs failed" in told[2]


def test_file_of_a_user_is_not_replaced_and_the_others_are_done(annotate: Annotate, tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        make_video(_made(tmp_path / "in") / name, frames=2)
    (_made(tmp_path / "out") / "a.mp4").write_bytes(b"precious")
    answer = annotate(tmp_path / "in", "-o", tmp_path / "out")
    assert answer.code == 3
    assert "--overwrite" in answer.err
    assert (tmp_path / "out" / "a.mp4").read_bytes() == b"precious"
    assert len(frame_times(tmp_path / "out" / "b.mp4")) == 2
    assert annotate(tmp_path / "in", "-o", tmp_path / "out", "--overwrite").code == 0
    assert len(frame_times(tmp_path / "out" / "a.mp4")) == 2


def _made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder


def test_archive_is_run_again_and_keeps_what_is_up_to_date(annotate: Annotate, tmp_path: Path) -> None:
    source = make_video(_made(tmp_path / "in") / "a.mp4", frames=2)
    runs = ((tmp_path / "in", "-o", tmp_path / "out"), (source, "--out-dir", tmp_path / "out"))
    states = []
    for arguments in (runs[0], runs[1]):
        answer = annotate(*arguments, "--json")
        assert answer.code == 0
        states += [entry["state"] for entry in answer.document["files"]]
    assert states == ["done", "kept"]
    changed = annotate(*runs[0], "--min-face", "30", "--json")
    assert [entry["state"] for entry in changed.document["files"]] == ["done"]


def test_range_of_each_video_of_an_archive_begins_at_0(annotate: Annotate, tmp_path: Path) -> None:
    make_video(_made(tmp_path / "in") / "a.mkv", frames=30, fps=10, sound_s=3, start_s=2)
    answer = annotate(tmp_path / "in", "--out-dir", tmp_path / "out", "--from", "2.5", "--to", "0:4")
    assert answer.code == 0
    assert [float(t) for t in frame_times(tmp_path / "out" / "a.mp4")] == pytest.approx(
        [i / 10 for i in range(15)]
    )
    assert sound_seconds(tmp_path / "out" / "a.mp4")[1] == pytest.approx(1.5, abs=0.06)


def test_archive_of_numbers_alone_and_in_privacy(annotate: Annotate, tmp_path: Path) -> None:
    _video(_made(tmp_path / "in") / "a.mp4")
    folder = tmp_path / "out"
    answer = annotate(tmp_path / "in", "--out-dir", folder, "--no-video", "--tables", "parquet")
    assert answer.code == 0
    assert _archived(folder) == ["a.result.json", "a.tracks.parquet"]
    assert read_result(folder / "a.result.json").tracks
    private = tmp_path / "private"
    assert annotate(tmp_path / "in", "--out-dir", private, "--privacy").code == 0
    assert _archived(private) == ["a.mp4", "a.result.json"]
    assert read_result(private / "a.result.json").tracks == ()


def test_new_folder_is_made_for_a_single_file(annotate: Annotate, tmp_path: Path) -> None:
    source = make_video(tmp_path / "a.mov", frames=2)
    assert annotate(source, "-o", f"{tmp_path}/new/deep/").code == 0
    assert _names(tmp_path / "new") == ["deep/a.mp4"]


@pytest.mark.parametrize("name", ["out.mp4", "t.csv"])
def test_file_that_exists_is_never_replaced_unasked(annotate: Annotate, tmp_path: Path, name: str) -> None:
    source = make_video(tmp_path / "v.mp4", frames=2)
    (tmp_path / name).write_bytes(b"precious")
    arguments = (source, "-o", tmp_path / "out.mp4", "--tracks", tmp_path / "t.csv")
    answer = annotate(*arguments)
    assert answer.code == 1
    assert "--overwrite" in answer.err
    assert (tmp_path / name).read_bytes() == b"precious"
    assert _names(tmp_path) == sorted(["v.mp4", name])
    assert annotate(*arguments, "--overwrite").code == 0
    assert _names(tmp_path) == ["out.mp4", "t.csv", "v.mp4"]


@pytest.mark.parametrize(
    "make", [lambda p: make_video(p / "a.mp4", frames=2), lambda p: _picture(p / "a.png")]
)
def test_input_is_never_overwritten(annotate: Annotate, tmp_path: Path, make: Callable[[Path], Path]) -> None:
    source = make(tmp_path)
    before = source.read_bytes()
    for output in (source, tmp_path, f"{tmp_path}/"):
        answer = annotate(source, "-o", output, "--overwrite")
        assert answer.code == 1
        assert "is an input itself" in answer.error
    assert source.read_bytes() == before
    assert _names(tmp_path) == [source.name]


@pytest.mark.parametrize("output", ["/proc/out.mp4", "{tmp}/file/out.mp4", "{tmp}/no/folder/out.mp4"])
def test_folder_that_cannot_be_written_is_told_before_any_work(
    annotate: Annotate, tmp_path: Path, output: str
) -> None:
    (tmp_path / "file").touch()
    source = make_video(tmp_path / "v.mp4", frames=2)
    answer = annotate(source, "-o", output.format(tmp=tmp_path))
    assert answer.code == 1
    (line,) = _told(answer)
    assert line.startswith("gclf-live: cannot write ")
    assert _names(tmp_path) == ["file", "v.mp4"]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_any_name_works_for_inputs_outputs_and_tables(annotate: Annotate, tmp_path: Path, form: Form) -> None:
    folder = _made(tmp_path / unicodedata.normalize(form, "Übung 你好"))
    name = unicodedata.normalize(form, "é’🎬")
    source = _video(folder / f"{name}.mkv", frames=2)
    answer = annotate(source, "-o", folder / f"{name}.mp4", "--tracks", folder / f"{name}.csv", "--json")
    assert answer.code == 0
    (entry,) = answer.document["files"]
    assert (entry["source"], entry["path"]) == (str(source), str(folder / f"{name}.mp4"))
    assert sorted(p.name for p in folder.iterdir()) == sorted(
        f"{name}.{end}" for end in ("csv", "mkv", "mp4")
    )


def test_picture_under_an_odd_name(annotate: Annotate, tmp_path: Path) -> None:
    source = _picture(tmp_path / "é’🎬.jpg")
    assert annotate(source, "-o", _made(tmp_path / "你好") / "é’🎬.jpg").code == 0
    assert read_picture(tmp_path / "你好" / "é’🎬.jpg").shape == (240, 320, 3)


def test_wrong_kind_of_output_is_told(annotate: Annotate, tmp_path: Path) -> None:
    source = make_video(tmp_path / "v.mp4", frames=2)
    answer = annotate(source, "-o", tmp_path / "out.avi")
    assert answer.code == 1
    assert "allowed are .m4v, .mp4" in answer.err


def test_sound_that_is_converted_is_said_in_one_line(annotate: Annotate, tmp_path: Path) -> None:
    source = make_video(tmp_path / "v.avi", frames=15, sound_s=0.5, sound_codec="pcm_u8")
    answer = annotate(source, "-o", tmp_path / "out.mp4")
    assert answer.code == 0
    (line,) = _told(answer)
    assert "AAC" in line
    codec, seconds = sound_seconds(tmp_path / "out.mp4")
    assert codec == "aac"
    assert seconds == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("suffix", [".srt", ".vtt", ".ass"])
def test_subtitles_are_shown_while_the_box_is(annotate: Annotate, tmp_path: Path, suffix: str) -> None:
    """Also in a recording whose clock does not begin at 0: the copy's does."""
    path = tmp_path / f"labels{suffix}"
    with_face = [scene(Face("collins", 160, 120, 90))] * 5
    source = make_video(tmp_path / "in.mp4", images=[*with_face, *[scene()] * 5], fps=10, start_s=3)
    answer = annotate(
        source, "-o", tmp_path / "out.mp4", "--subtitles", path, "--tracks", tmp_path / "t.json"
    )
    assert answer.code == 0
    (event,) = pysubs2.load(str(path))
    (track,) = json.loads((tmp_path / "t.json").read_text("utf-8"))
    times_s = [float(time) for time in frame_times(tmp_path / "out.mp4")]
    origin_s = 3.0 - times_s[0]
    shown = [time for time in times_s if event.start / 1000 <= time + 1e-6 and time + 1e-6 < event.end / 1000]
    boxed = [time for time in times_s if track["start_s"] <= time + origin_s + 1e-6 < track["end_s"]]
    assert shown == boxed
    assert 4 <= len(shown) <= 6
    assert event.plaintext.startswith(f"#1 {track['label']} ")


def test_subtitles_of_a_picture_or_under_a_table_name_are_refused(annotate: Annotate, tmp_path: Path) -> None:
    picture = annotate(
        _picture(tmp_path / "a.png"), "-o", tmp_path / "b.png", "--subtitles", tmp_path / "s.srt"
    )
    assert (picture.code, "describe one video" in picture.error) == (2, True)
    wrong = annotate(_video(tmp_path / "a.mp4"), "-o", tmp_path / "b.mp4", "--subtitles", tmp_path / "s.txt")
    assert (wrong.code, ".srt, .vtt, .ass" in wrong.error) == (2, True)
    assert not (tmp_path / "b.mp4").exists()


def test_video_hardware_that_is_not_there_is_an_error_and_no_slower_run(
    annotate: Annotate, tmp_path: Path
) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is an NVIDIA card")
    clip = make_video(tmp_path / "in.mp4", frames=3)
    answer = annotate(clip, "-o", tmp_path / "out.mp4", "--hwaccel", "cuda")
    assert answer.code == 1
    assert "no NVIDIA card here decodes" in answer.err.splitlines()[-1]
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_video_hardware_is_for_one_video(annotate: Annotate, tmp_path: Path) -> None:
    clip = make_video(tmp_path / "in.mp4", frames=3)
    answer = annotate(clip, "--out-dir", tmp_path / "out", "--hwaccel", "cuda")
    assert answer.code == 2
    assert "--hwaccel goes with one video" in answer.err
