"""``annotate``: numbers alone, results and reports, time ranges, and privacy."""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from command_answers import Answer, Command
from face_makers import ColourClassifier, Face, scene
from media_makers import frame_times, make_video, sound_seconds

from gclf_live.cli.annotate_outputs import VideoOutputs
from gclf_live.errors import SourceError
from gclf_live.media.pictures import read_picture, write_picture
from gclf_live.media.reader import VideoReader
from gclf_live.pipeline.annotate import annotate_video
from gclf_live.pipeline.settings import AnalysisSettings
from gclf_live.screentime.result_file import read_result

Annotate = Callable[..., Answer]
FPS, FRAMES = 10, 20


@pytest.fixture
def annotate(command: Command, weights: Path) -> Annotate:
    """Run ``annotate`` with weights that mean nothing, and the threshold at 0 so that nobody is unsure."""

    def call(*arguments: object) -> Answer:
        options = ("--device", "cpu", "--weights", weights, "--threshold", "0", "--preset", "ultrafast")
        return command("annotate", *options, *arguments)

    return call


def _face(i: int) -> Face:
    return Face("collins", 100 + 6 * i, 120, 90)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Two seconds with one face, whose clock begins at 3 s."""
    images = [scene(_face(i)) for i in range(FRAMES)]
    return make_video(tmp_path / "in.mp4", images=images, fps=FPS, start_s=3, sound_s=2)


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_numbers_alone_are_those_that_come_with_a_copy(
    annotate: Annotate, video: Path, tmp_path: Path
) -> None:
    tables = ("tracks.csv", "faces.csv", "labels.srt")
    for folder, copy in (("with", ("-o", tmp_path / "out.mp4")), ("without", ("--no-video",))):
        paths = [tmp_path / folder / name for name in tables]
        options = zip(("--tracks", "--faces", "--subtitles"), paths, strict=True)
        answer = annotate(video, *copy, *(part for option in options for part in option))
        assert answer.code == 0
    assert _names(tmp_path / "without") == sorted(tables)
    for name in tables:
        assert (tmp_path / "without" / name).read_bytes() == (tmp_path / "with" / name).read_bytes()
    assert len(_rows(tmp_path / "without" / "faces.csv")) == FRAMES
    assert answer.out.startswith(f"{video}: 2.0 s of video, {FRAMES} frames")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("in.mp4",), "add -o OUT, or --no-video"),
        (("in.mp4", "--no-video"), "add --tracks, --faces, --subtitles, --report or --result"),
        (("in.mp4", "--no-video"), "--json for the totals"),
        (("in.mp4", "--no-video", "-o", "out.mp4", "--result", "r.json"), "leave one of them out"),
        (("in.png", "--no-video"), "gclf-live predict"),
        (("in.mp4", "-o", "out.mp4", "--out-dir", "out"), "give one of them"),
        (("in.mp4", "-o", "out.mp4", "--jobs", "2"), "add --out-dir"),
        (("in.mp4", "-o", "out.mp4", "--tables", "csv"), "add --out-dir"),
        (("in.mp4", "in.png", "--no-video"), "--out-dir"),
        (("in.mp4", "--out-dir", "out", "--report", "r.html"), "gclf-live report"),
        (("in.mp4", "--no-video", "--report", "r.pdf"), ".html or .json"),
        (("in.mp4", "--no-video", "--result", "r.csv"), ".json"),
        (("in.mp4", "--no-video", "--result", "r.json", "--report", "./r.json"), "a file of its own"),
        (("in.mp4", "-o", "out.mp4", "--from", "20", "--to", "0:10"), "--to must be later"),
        (("in.png", "-o", "out.png", "--from", "1"), "a picture was given"),
        (("in.mp4", "-o", "out.mp4", "--from", "1:75"), "is not a time"),
        (("in.mp4", "-o", "out.mp4", "--to", "-1"), "is not a time"),
        (("in.mp4", "-o", "out.mp4", "--every", "nan"), "nan"),
        (("in.mp4", "-o", "out.mp4", "--every", "11"), "--every"),
        (("in.mp4", "-o", "out.mp4", "--min-face", "-1"), "--min-face"),
        (("in.mp4", "-o", "out.mp4", "--privacy", "--tracks", "t.csv"), "say where each face was"),
        (("in.mp4", "-o", "out.mp4", "--privacy", "--faces", "t.csv"), "keeps totals only"),
        (("in.mp4", "--no-video", "--privacy", "--subtitles", "s.srt"), "leave them out, or --privacy"),
    ],
)
def test_what_does_not_go_together_is_told_in_one_line(
    command: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    told: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = command("annotate", *arguments)
    assert answer.code == 2
    assert told in answer.error
    assert _names(tmp_path) == []


def test_result_says_what_was_measured_with_what(
    annotate: Annotate, video: Path, weights: Path, tmp_path: Path
) -> None:
    path = tmp_path / "deep" / "r.json"
    assert annotate(video, "--no-video", "--result", path, "--every", "0", "--min-face", "20").code == 0
    result = read_result(path)
    assert (result.name, result.frames, result.frames_with_face) == ("in.mp4", FRAMES, FRAMES)
    assert (result.from_s, result.to_s) == pytest.approx((3.0, 5.0))
    assert result.source_sha256 == hashlib.sha256(video.read_bytes()).hexdigest()
    assert result.weights_sha256 == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert result.class_prior == (0.5, 0.5), "these weights do not say what they were calibrated on"
    assert {name: result.settings[name] for name in ("threshold", "detect_every_s", "min_face_px")} == {
        "threshold": 0.0,
        "detect_every_s": 0.0,
        "min_face_px": 20.0,
    }
    (track,) = result.tracks
    assert track.seconds == pytest.approx(sum(end - start for start, end in track.spans_s))
    assert track.faces == FRAMES
    assert result.totals == {track.label: track.seconds}
    crop = cv2.imdecode(np.frombuffer(track.crop_jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert crop is not None
    assert 16 <= max(crop.shape[:2]) <= 96


def test_totals_alone_are_printed_as_json(annotate: Annotate, video: Path, tmp_path: Path) -> None:
    answer = annotate(video, "--no-video", "--json")
    assert answer.code == 0
    (entry,) = answer.document["files"]
    assert (entry["source"], entry["path"], entry["frames"]) == (str(video), str(video), FRAMES)
    assert sum(total["tracks"] for total in entry["labels"].values()) == 1
    assert _names(tmp_path) == ["in.mp4"]


def test_report_is_written_as_a_page_and_as_json(annotate: Annotate, video: Path, tmp_path: Path) -> None:
    for name in ("r.html", "r.json"):
        assert annotate(video, "--no-video", "--report", tmp_path / name).code == 0
    assert "in.mp4" in (tmp_path / "r.html").read_text("utf-8")
    assert json.loads((tmp_path / "r.json").read_text("utf-8"))


@pytest.mark.parametrize("option", ["--report", "--result"])
def test_file_that_exists_is_refused_before_the_work(
    annotate: Annotate, video: Path, tmp_path: Path, option: str
) -> None:
    path = tmp_path / "r.json"
    path.write_text("precious")
    answer = annotate(video, "--no-video", option, path)
    assert (answer.code, "--overwrite" in answer.error) == (1, True)
    assert path.read_text() == "precious"
    assert annotate(video, "--no-video", option, path, "--overwrite").code == 0
    assert json.loads(path.read_text())


def test_one_file_that_cannot_be_written_does_not_cost_the_others(
    annotate: Annotate, video: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    answer = annotate(
        *(video, "--no-video", "--tracks", tmp_path / "file" / "t.csv"),
        *("--result", tmp_path / "r.json", "--report", tmp_path / "file" / "r.html"),
    )
    assert answer.code == 1
    told = [line for line in answer.err.splitlines() if line.startswith("gclf-live: cannot ")]
    assert ["t.csv" in line for line in told] == [True, False], told
    assert read_result(tmp_path / "r.json").frames == FRAMES
    assert answer.out.startswith(f"{video}: ")


@pytest.mark.parametrize("written", [("3.45", "4.5"), ("0:3.45", "00:04.500"), ("00:00:03.45", "0:0:4.5")])
def test_range_is_cut_out_and_its_rows_keep_the_times_of_the_source(
    annotate: Annotate, video: Path, tmp_path: Path, written: tuple[str, str]
) -> None:
    answer = annotate(
        *(video, "-o", tmp_path / "out.mp4", "--from", written[0], "--to", written[1]),
        *("--faces", tmp_path / "f.csv", "--result", tmp_path / "r.json"),
    )
    assert answer.code == 0
    times = [float(time) for time in frame_times(tmp_path / "out.mp4")]
    assert times == pytest.approx([i / FPS for i in range(10)])
    assert sound_seconds(tmp_path / "out.mp4")[1] == pytest.approx(1.0, abs=0.06)
    rows = _rows(tmp_path / "f.csv")
    assert [(int(row["frame"]), float(row["pts_s"])) for row in rows] == [
        (i, pytest.approx(3.5 + i / FPS)) for i in range(10)
    ]
    result = read_result(tmp_path / "r.json")
    assert (result.from_s, result.to_s, result.frames) == (pytest.approx(3.5), pytest.approx(4.5), 10)
    assert (result.settings["from_s"], result.settings["to_s"]) == (3.45, 4.5)


def test_range_that_the_video_does_not_have_is_told_and_leaves_nothing(
    annotate: Annotate, video: Path, tmp_path: Path
) -> None:
    answer = annotate(video, "-o", tmp_path / "out.mp4", "--to", "2")
    assert answer.code == 1
    assert "begins at 3 s" in answer.err
    assert _names(tmp_path) == ["in.mp4"]


def test_faces_below_the_least_height_are_kept_in_the_table_with_the_reason(
    annotate: Annotate, video: Path, tmp_path: Path
) -> None:
    answer = annotate(video, "--no-video", "--tracks", tmp_path / "t.csv", "--min-face", "200")
    assert answer.code == 0
    (track,) = _rows(tmp_path / "t.csv")
    assert (track["label"], track["excluded"]) == ("unsure", "too small")
    assert float(track["seconds"]) > 1
    assert "left out: 1 track (1 too small)" in answer.out


def _face_detail(path: Path) -> list[float]:
    """Of each frame, how much finer detail than a tenth of the face there is within the face."""
    found = []
    with VideoReader(path) as reader:
        for i, frame in enumerate(reader):
            # Not to its edges: that is where the box is drawn.
            x1, y1, x2, y2 = (_face(i).box + np.array([15, 15, -15, -15])).round().astype(int).tolist()
            image = frame.image.astype(np.float32)
            found.append(np.abs(image - cv2.GaussianBlur(image, (0, 0), 6))[y1:y2, x1:x2].mean())
    return found


def test_privacy_hides_the_face_in_every_frame_and_keeps_sums_alone(
    annotate: Annotate, video: Path, tmp_path: Path
) -> None:
    path = tmp_path / "r.json"
    answer = annotate(
        *(video, "-o", tmp_path / "out.mp4", "--privacy", "--result", path, "--every", "0.3", "--json")
    )
    assert answer.code == 0
    before, after = _face_detail(video), _face_detail(tmp_path / "out.mp4")
    assert max(after) < min(before) / 5
    result = read_result(path)
    assert result.privacy
    assert result.tracks == ()
    assert "crop_jpeg" not in path.read_text()
    assert "start_s" not in path.read_text()
    annotate(video, "--no-video", "--result", tmp_path / "open.json", "--every", "0.3")
    assert result.totals == read_result(tmp_path / "open.json").totals
    assert "#1" not in answer.out + answer.err


def test_privacy_hides_faces_in_pictures_too_and_counts_them(annotate: Annotate, tmp_path: Path) -> None:
    image = scene(Face("collins", 160, 120, 90))
    write_picture(tmp_path / "p.png", image)
    answer = annotate(tmp_path / "p.png", "-o", tmp_path / "out.png", "--privacy", "--json")
    assert answer.code == 0
    (entry,) = answer.document["files"]
    assert entry["faces"] == 1
    assert sum(entry["labels"].values()) == 1
    assert "x_px" not in answer.out
    inside = (slice(100, 140), slice(145, 175))
    assert (
        read_picture(tmp_path / "out.png")[inside].std(axis=(0, 1)).max()
        < image[inside].std(axis=(0, 1)).max() / 2
    )


def test_copy_without_privacy_shows_the_face(annotate: Annotate, video: Path, tmp_path: Path) -> None:
    """What the tests above take for hidden would be seen."""
    assert annotate(video, "-o", tmp_path / "out.mp4").code == 0
    assert min(_face_detail(tmp_path / "out.mp4")) > min(_face_detail(video)) / 2
    with av.open(tmp_path / "out.mp4") as container:
        assert container.streams.video[0].frames == FRAMES


def test_name_that_is_no_utf_8_is_measured_and_told(annotate: Annotate, video: Path, tmp_path: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(video.with_name("v")) + b"\xff.mp4"))
    video.rename(odd)
    answer = annotate(odd, "--no-video", "--result", tmp_path / "r.json", "--json")
    assert answer.code == 0, answer.err
    assert json.loads(answer.out)["files"][0]["source"] == str(odd)
    assert read_result(tmp_path / "r.json").name == odd.name
    folder = annotate(odd, "--no-video", "--out-dir", tmp_path / "out", "--json")
    assert json.loads(folder.out)["files"][0]["source"] == str(odd)


def test_video_that_is_gone_at_the_end_costs_its_result_alone(video: Path, tmp_path: Path) -> None:
    classifier = ColourClassifier()
    done = annotate_video(video, None, classifier)  # type: ignore[arg-type]
    video.unlink()
    outputs = VideoOutputs(tmp_path / "t.csv", None, tmp_path / "s.srt", None, tmp_path / "r.json")
    with pytest.raises(SourceError, match="cannot read"):
        outputs.write(done, classifier, AnalysisSettings(), weights=None, overwrite=False)  # type: ignore[arg-type]
    assert _names(tmp_path) == ["s.srt", "t.csv"]


def test_address_of_a_cluster_goes_with_its_engine(annotate: Annotate, video: Path, tmp_path: Path) -> None:
    answer = annotate(video, "--no-video", "--out-dir", tmp_path / "out", "--address", "10.0.0.1:6379")
    assert answer.code == 2
    assert "--address names a Ray cluster; add --engine ray" in answer.err
    alone = annotate(video, "--no-video", "--result", tmp_path / "r.json", "--address", "10.0.0.1:6379")
    assert alone.code == 2
    assert "--address goes with an archive" in alone.err
